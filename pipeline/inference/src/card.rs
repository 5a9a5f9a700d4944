//! A model's card: what the network expects, what its outputs mean, where it was trained and how well it did.
//!
//! The format is described for readers in `models/README.md`. Unknown keys are refused; `card_rules` checks what the
//! types alone cannot.

mod axes;
mod extent;
mod further_image;
mod input;
mod label;
mod normalisation;
mod output;
mod prompting;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::axes::{Axes, Orientation};
pub use self::extent::{ExtentSearch, RelativeTo};
pub use self::further_image::FurtherImage;
pub use self::input::{
    AxisSpacing, Blending, Convention, Crop, Input, NativeWord, Normalised, Patch, Resampling, Spacing, WholeImageWord,
};
pub use self::label::{Label, OnlyNear, Role};
pub use self::normalisation::{Normalisation, Over};
pub use self::output::{Activation, CarriedBack, Output, OutputKind};
pub use self::prompting::{Prompting, View};
use crate::card_rules;

/// The version of the card format read here.
pub const CARD_VERSION: u32 = 1;

/// What can be wrong with the text of a card.
#[derive(Debug, Error)]
pub enum CardError {
    /// Not TOML, a key missing, unknown or of the wrong kind.
    #[error("the card cannot be read: {0}")]
    Syntax(#[from] Box<toml::de::Error>),
    /// A format from another time.
    #[error(
        "the card has card_version {found}, this program reads {CARD_VERSION}; use a matching release of the program"
    )]
    Version {
        /// The version in the card.
        found: i64,
    },
    /// A value that contradicts itself or another one.
    #[error(
        "card key {key}: expected {expected}, found {found}; correct the card (models/README.md describes every key)"
    )]
    Rule {
        /// The key, with its table.
        key: String,
        /// What would be right.
        expected: String,
        /// What stands there.
        found: String,
    },
}

/// A model's card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Version of the format, [`CARD_VERSION`].
    pub card_version: u32,
    /// Short name of the model.
    pub name: String,
    /// Version of the model.
    pub version: String,
    /// The network's file, beside the card.
    pub file: String,
    /// SHA-256 of that file, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Licence of the weights.
    pub licence: String,
    /// Always false: no model here is a medical device.
    pub clinical_use: bool,
    /// What the model is for.
    pub intended_use: String,
    /// What the model was never shown or does badly.
    pub limits: Vec<String>,
    /// Where the weights come from.
    pub training: Training,
    /// How well it did, each number with the command that measured it.
    pub quality: Vec<Quality>,
    /// Networks beside the first one, trained on other folds, whose answers are averaged with it.
    #[serde(default, rename = "fold", skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<Fold>,
    /// The model whose result this one is shown beside the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cascade: Option<Cascade>,
    /// What the network expects.
    pub input: Input,
    /// Images it sees beside the first one, in the order of its channels.
    #[serde(default, rename = "further_image", skip_serializing_if = "Vec::is_empty")]
    pub further_images: Vec<FurtherImage>,
    /// How it is asked for the lesion under a prompt; absent where it finds what there is by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompting>,
    /// What the network answers.
    pub output: Output,
    /// The labels in ascending order of index.
    #[serde(rename = "label")]
    pub labels: Vec<Label>,
}

/// A further network of the same architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// The network's file, beside the card.
    pub file: String,
    /// SHA-256 of that file.
    pub sha256: String,
}

/// The first stage of a cascade.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cascade {
    /// Folder of the first stage's model, beside this model's own folder.
    pub model: String,
    /// SHA-256 of its network.
    pub sha256: String,
    /// The first stage's labels; each becomes an input channel (1 inside, 0 outside) after the image, in this order.
    pub labels: Vec<u16>,
}

/// Where the weights come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The data, with seeds or identifiers.
    pub data: String,
    /// Their licence and attribution.
    pub data_licence: String,
    /// The command that trains the model again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// One measured quality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// What was measured, with its unit.
    pub measure: String,
    /// The value.
    pub value: f64,
    /// The data it was measured on.
    pub on: String,
    /// The command that measures it again.
    pub command: String,
}

impl Card {
    /// Reads a card's text and checks it; the network's file is not touched.
    pub fn parse(text: &str) -> Result<Self, CardError> {
        let table: toml::Table = toml::from_str(text).map_err(Box::new)?;
        if let Some(found) = table.get("card_version").and_then(toml::Value::as_integer)
            && found != i64::from(CARD_VERSION)
        {
            return Err(CardError::Version { found });
        }
        let card: Self = toml::from_str(text).map_err(Box::new)?;
        card_rules::check(&card)?;
        Ok(card)
    }

    /// Whether the network sees slices instead of volumes.
    pub fn is_of_slices(&self) -> bool {
        self.input.axes.across_slices().is_some()
    }

    /// Number of channels of the blended output: that of the network, or of the labels when it answers with labels.
    pub fn n_channels(&self) -> usize {
        match (&self.output.channel_labels, self.output.activation) {
            (Some(labels), _) => labels.len(),
            (None, Some(Activation::Sigmoid)) => self.labels.len() - 1,
            (None, _) => self.labels.len(),
        }
    }

    /// Number of images the network is shown together.
    pub fn n_images(&self) -> usize {
        1 + self.further_images.len()
    }

    /// Networks that find the extent of a lesion under a point; none where the card has no table `[prompt.extent]`.
    pub fn extent_networks(&self) -> &[Fold] {
        let search = self.prompt.as_ref().and_then(|prompting| prompting.extent.as_ref());
        search.map_or(&[], |search| &search.networks)
    }

    /// All networks beside the first one: those of other folds and those that find a lesion's extent.
    pub fn other_networks(&self) -> impl Iterator<Item = &Fold> {
        self.folds.iter().chain(self.extent_networks())
    }

    /// How each image's values are prepared, in the order of the channels.
    pub fn normalisations(&self) -> impl Iterator<Item = Normalisation> + '_ {
        let further = self.further_images.iter().map(|image| image.normalisation);
        std::iter::once(self.input.normalisation).chain(further)
    }

    /// Number of channels the network is shown: the images, and in a cascade one for each label of the first stage; under a prompt
    /// always [`Prompting::N_CHANNELS`].
    pub fn n_input_channels(&self) -> usize {
        if self.prompt.is_some() {
            return Prompting::N_CHANNELS;
        }
        self.n_images() + self.cascade.as_ref().map_or(0, |cascade| cascade.labels.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The complete card printed in models/README.md.
    fn card_of_the_readme() -> String {
        let readme = include_str!("../../../models/README.md");
        let (_, rest) = readme.split_once("```toml\n").unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    }

    #[test]
    fn the_card_in_the_readme_is_a_card() {
        let card = Card::parse(&card_of_the_readme()).unwrap();
        assert_eq!(card.input.spacing_mm, Spacing::Mm([2.5; 3]));
        assert_eq!(card.input.patch, Patch::Voxels([64; 3]));
        assert_eq!(card.labels.iter().map(|l| l.name.as_str()).collect::<Vec<_>>()[2], "tumour");
        assert_eq!(card.labels[2].dropped_becomes, 1);
        assert_eq!(card.n_channels(), 4);
        let again = Card::parse(&toml::to_string(&card).unwrap()).unwrap();
        assert_eq!(again, card);
    }

    /// The complete card of a prompted model printed there.
    fn prompted_card_of_the_readme() -> String {
        let readme = include_str!("../../../models/README.md");
        let blocks = readme.split("```toml\n").skip(1).filter_map(|block| block.split_once("```"));
        blocks.map(|(block, _)| block).find(|block| block.contains("[prompt]")).unwrap().to_owned()
    }

    #[test]
    fn the_prompted_card_in_the_readme_is_a_card() {
        let card = Card::parse(&prompted_card_of_the_readme()).unwrap();
        let prompting = card.prompt.as_ref().unwrap();
        assert_eq!((card.n_input_channels(), card.n_channels(), card.n_images()), (4, 1, 1));
        assert_eq!(prompting.views[1], View { shift: [3, -3, 3], mirror: "x".to_owned() });
        assert_eq!(Card::parse(&toml::to_string(&card).unwrap()).unwrap(), card);
    }

    #[test]
    fn contradictions_of_a_prompted_card_are_named_with_their_key() {
        let text = prompted_card_of_the_readme();
        for (from, to, key) in [
            ("spacing_range_mm = [0.4, 10.0]", "spacing_range_mm = [10.0, 0.4]", "prompt.spacing_range_mm"),
            ("looks_mm = [0.6, 1.0,", "looks_mm = [0.6, 0.6,", "prompt.looks_mm"),
            ("looks_mm = [0.6, 1.0,", "looks_mm = [0.5, 1.0,", "input.spacing_mm"),
            ("spacing_mm = [0.6, 0.6, 0.6]", "spacing_mm = [0.6, 0.6, 5.0]", "input.spacing_mm"),
            ("spacing_mm = [0.6, 0.6, 0.6]", "spacing_mm = \"native\"", "input.spacing_mm"),
            ("fill = 0.5", "fill = 1.0", "prompt.fill"),
            ("click_sigma_voxels = 2.0", "click_sigma_voxels = 0.0", "prompt.click_sigma_voxels"),
            ("least_agreement = 0.8", "least_agreement = 80", "prompt.least_agreement"),
            ("shift = [3, -3, 3]", "shift = [30, -3, 3]", "prompt.views.shift"),
            ("mirror = \"x\"", "mirror = \"xx\"", "prompt.views.mirror"),
            ("[50.0, 250.0]", "[250.0, 50.0]", "prompt.trusted_sizes_mm"),
            ("trust_size_from_point = true", "trust_size_from_point = false", "prompt.trusted_sizes_mm"),
            ("first_mm = 1.0", "first_mm = 0.0", "prompt.extent.first_mm"),
            ("growth = 1.16", "growth = 1.0", "prompt.extent.first_mm and growth"),
            ("growth = 1.16", "growth = 1.5", "prompt.extent.first_mm and growth"),
            ("rays = 48", "rays = 0", "prompt.extent.rays"),
            ("smoothing = 0.2", "smoothing = 0.0", "prompt.extent.smoothing"),
            ("sigmas_mm = [0.0, 0.7,", "sigmas_mm = [0.7, 0.7,", "prompt.extent.sigmas_mm"),
            ("clip = [-200.0, 300.0]", "clip = [300.0, -200.0]", "prompt.extent.clip"),
            ("{ file = \"extent.onnx\"", "{ file = \"../extent.onnx\"", "prompt.extent.networks.file"),
            ("patch = [48, 48, 48]", "patch = [48, 48, 32]", "input.patch"),
            ("patch = [48, 48, 48]", "patch = [47, 47, 47]", "input.patch"),
            ("orientation = \"lps\"", "orientation = \"native\"", "input.orientation"),
            ("resampling = \"linear_antialiased\"", "resampling = \"linear\"", "input.resampling"),
            ("step_fraction = 1.0", "step_fraction = 0.5", "input.step_fraction"),
            ("step_fraction = 1.0", "step_fraction = 1.0\nmirror = \"x\"", "input.mirror"),
            ("padding_value = 0.0", "padding_value = -1.0", "input.padding_value"),
            ("activation = \"sigmoid\"", "activation = \"softmax\"", "output.activation"),
            ("role = \"lesion\"", "role = \"lesion\"\nfill_holes = true", "label 1"),
            ("role = \"lesion\"", "role = \"organ\"", "label 1"),
        ] {
            assert!(text.contains(from), "{from}");
            let message = Card::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(message.contains(&format!("card key {key}")), "{to}: {message}");
        }
        let unknown = Card::parse(&text.replacen("fill = 0.5", "fill = 0.5\nlooks = 3", 1)).unwrap_err().to_string();
        assert!(unknown.contains("unknown field"), "{unknown}");
    }

    #[test]
    fn unknown_keys_are_refused_everywhere() {
        let text = card_of_the_readme();
        for (at, key) in [
            ("card_version = 1", "card_version = 1\nspeed = 3"),
            ("[input]", "[input]\nwindow = 3"),
            ("[input.normalisation]", "[input.normalisation]\nmean = 1.0"),
            ("[output]", "[output]\nthreshold = 0.5"),
            ("role = \"lesion\"", "role = \"lesion\"\ncolour = \"red\""),
            ("[training]", "[training]\nepochs = 3"),
        ] {
            assert!(text.contains(at));
            let message = Card::parse(&text.replacen(at, key, 1)).unwrap_err().to_string();
            assert!(message.contains("unknown field"), "{key}: {message}");
        }
    }

    #[test]
    fn another_format_is_named_before_its_unknown_keys() {
        let text = card_of_the_readme().replacen("card_version = 1", "card_version = 2\nnew = true", 1);
        assert!(matches!(Card::parse(&text), Err(CardError::Version { found: 2 })));
    }

    #[test]
    fn spacing_patch_and_axes_say_what_they_want() {
        let text = card_of_the_readme();
        let spacing = text.replacen("spacing_mm = [2.5, 2.5, 2.5]", "spacing_mm = \"same\"", 1);
        assert!(Card::parse(&spacing).unwrap_err().to_string().contains("three numbers [x, y, z] in mm"));
        let axes = text.replacen("axes = \"nczyx\"", "axes = \"nczzx\"", 1);
        assert!(Card::parse(&axes).unwrap_err().to_string().contains("each at most once"));
    }
}
