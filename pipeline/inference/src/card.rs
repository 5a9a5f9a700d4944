//! A model's card: what the network expects, what its outputs mean, where it was trained and how well it did.
//!
//! The format is described for readers in `models/README.md`. Unknown keys are refused; `card_rules` checks what the
//! types alone cannot.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

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
    /// What the network expects.
    pub input: Input,
    /// What the network answers.
    pub output: Output,
    /// The labels in ascending order of index.
    #[serde(rename = "label")]
    pub labels: Vec<Label>,
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

/// What the network expects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The input tensor's name.
    pub name: String,
    /// The order of its axes.
    pub axes: Axes,
    /// DICOM modality of the image.
    pub modality: String,
    /// Role of the series, such as `ct_portal_venous`.
    pub series_role: String,
    /// Unit of the image's values; empty for numbers without one.
    pub unit: String,
    /// Which way x, y and z point.
    pub orientation: Orientation,
    /// Distance of the voxels along x, y, z.
    pub spacing_mm: Spacing,
    /// How the image comes onto that spacing.
    pub resampling: Resampling,
    /// What the network is shown at once.
    pub patch: Patch,
    /// For [`Patch::WholeImage`]: what the size is padded up to a multiple of, along x, y, z.
    #[serde(default = "ones")]
    pub divisible_by: [usize; 3],
    /// Step of the sliding window as a fraction of the patch, in (0, 1].
    pub step_fraction: f64,
    /// Value outside the image, after normalisation.
    pub padding_value: f32,
    /// How values are prepared.
    pub normalisation: Normalisation,
}

/// What the network answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The output tensor's name.
    pub name: String,
    /// The order of its axes; without `c` for [`OutputKind::Labels`].
    pub axes: Axes,
    /// What its numbers are.
    pub kind: OutputKind,
    /// How channels exclude each other; absent for [`OutputKind::Labels`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

/// One label of the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The value in the label map.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// What kind of structure it is.
    pub role: Role,
    /// The organ it is or lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organ: Option<String>,
    /// Only the largest 26-connected component is kept.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep_largest: bool,
    /// 26-connected components smaller than this, in mm³, are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_volume_mm3: Option<f64>,
    /// The label dropped voxels take.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped_becomes: u16,
    /// Background enclosed by the label becomes the label.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fill_holes: bool,
}

/// What kind of structure a label marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing; label 0.
    Background,
    /// An organ.
    Organ,
    /// A lesion.
    Lesion,
    /// The zone a thermal or electrical ablation left.
    AblationZone,
}

/// Which way x, y and z point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Orientation {
    /// The image's columns, rows and slices as stored.
    Native,
    /// The image's own axes, permuted and flipped so that they point as nearly as possible to left, posterior, superior.
    Lps,
}

/// Distance of the voxels the network expects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "spacing_mm is either \"native\" or three numbers [x, y, z] in mm")]
pub enum Spacing {
    /// Along x, y, z in mm.
    Mm([f64; 3]),
    /// The image's own.
    Native(NativeWord),
}

/// The word `native`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NativeWord {
    /// `native`
    Native,
}

/// How the image comes onto the network's spacing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resampling {
    /// The two neighbours along each axis.
    Linear,
    /// A triangle as wide as the coarser of the two spacings.
    LinearAntialiased,
}

/// What the network is shown at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "patch is either \"whole_image\" or three whole numbers [x, y, z]")]
pub enum Patch {
    /// Voxels along x, y, z.
    Voxels([usize; 3]),
    /// The image as a whole.
    WholeImage(WholeImageWord),
}

/// The word `whole_image`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WholeImageWord {
    /// `whole_image`
    WholeImage,
}

/// How values are prepared for the network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Normalisation {
    /// As they are.
    None {},
    /// Clipped to an interval, which is then mapped linearly onto another.
    ClipToRange {
        /// The interval, in the image's unit.
        clip: [f32; 2],
        /// What it is mapped to.
        to: [f32; 2],
    },
    /// Mean subtracted, divided by the standard deviation, both constants of the training data.
    ZScore {
        /// Mean, in the image's unit.
        mean: f32,
        /// Standard deviation, in the image's unit.
        std: f32,
        /// Applied first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip: Option<[f32; 2]>,
    },
    /// The same with mean and population standard deviation of the image on the model's grid.
    ZScoreOfImage {},
    /// Smallest and largest value of the image on the model's grid are mapped onto an interval.
    MinMax {
        /// What they are mapped to.
        to: [f32; 2],
    },
}

/// What the network's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// Before the activation.
    Logits,
    /// After it.
    Probabilities,
    /// One whole number a voxel.
    Labels,
}

/// How channels exclude each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// They do: channel c is label c.
    Softmax,
    /// They do not: channel c is label c + 1, background where none reaches 0.5.
    Sigmoid,
}

/// The order of a tensor's axes: each of n (batch), c (channel), z, y, x at most once, n, y and x always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Axes(String);

impl Axes {
    /// The letters in order.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether an axis is there.
    pub fn has(&self, axis: char) -> bool {
        self.0.contains(axis)
    }
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }
    /// Where an axis stands.
    pub fn position(&self, axis: char) -> Option<usize> {
        self.0.find(axis)
    }
}

impl TryFrom<String> for Axes {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let known = text.chars().all(|c| "nczyx".contains(c));
        let once = "nczyx".chars().all(|c| text.matches(c).count() <= 1);
        let needed = ['n', 'y', 'x'].into_iter().all(|c| text.contains(c));
        if known && once && needed {
            Ok(Self(text))
        } else {
            Err(format!(
                "axes are the letters n, c, z, y, x, each at most once, n, y and x always, such as \"nczyx\"; found \"{text}\""
            ))
        }
    }
}
impl From<Axes> for String {
    fn from(axes: Axes) -> Self {
        axes.0
    }
}
impl fmt::Display for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
        !self.input.axes.has('z')
    }

    /// Number of channels of the blended output: that of the network, or of the labels when it answers with labels.
    pub fn n_channels(&self) -> usize {
        match self.output.activation {
            Some(Activation::Sigmoid) => self.labels.len() - 1,
            _ => self.labels.len(),
        }
    }
}

fn ones() -> [usize; 3] {
    [1; 3]
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
fn is_zero(value: &u16) -> bool {
    *value == 0
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
