//! What must hold between the values of a card.

mod prompted;

use crate::card::{
    Activation, Axes, AxisSpacing, CARD_VERSION, Card, CardError, CarriedBack, Crop, Label, Normalisation, OutputKind,
    Patch, Role, Spacing,
};

/// Checks a card whose keys and types are right already.
pub(crate) fn check(card: &Card) -> Result<(), CardError> {
    check_identity(card)?;
    check_networks(card)?;
    check_input(card)?;
    check_windows(card)?;
    card.normalisations().try_for_each(|normalisation| check_normalisation(&normalisation))?;
    for image in &card.further_images {
        for (key, text) in [("name", &image.name), ("modality", &image.modality), ("series_role", &image.series_role)] {
            rule(!text.trim().is_empty(), &format!("further_image.{key}"), "a name", "nothing")?;
        }
    }
    check_output(card)?;
    check_labels(&card.labels)?;
    card.prompt.as_ref().map_or(Ok(()), |prompting| prompted::check(card, prompting))
}

#[expect(clippy::needless_pass_by_value, reason = "what was found is a number, a text or a made-up text")]
fn rule(holds: bool, key: &str, expected: &str, found: impl ToString) -> Result<(), CardError> {
    if holds {
        Ok(())
    } else {
        Err(CardError::Rule { key: key.to_owned(), expected: expected.to_owned(), found: found.to_string() })
    }
}

/// A name without a path in it.
fn plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !text.starts_with('.')
}

fn check_networks(card: &Card) -> Result<(), CardError> {
    let network = |place: &str, file: &str, sha256: &str| {
        rule(plain(file), &format!("{place}file"), "a plain file name beside the card", file)?;
        let hexadecimal = sha256.len() == 64 && sha256.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
        rule(hexadecimal, &format!("{place}sha256"), "64 lower-case hexadecimal digits", sha256)
    };
    network("", &card.file, &card.sha256)?;
    for fold in &card.folds {
        network("fold.", &fold.file, &fold.sha256)?;
    }
    for fold in card.extent_networks() {
        network("prompt.extent.networks.", &fold.file, &fold.sha256)?;
    }
    let Some(cascade) = &card.cascade else { return Ok(()) };
    network("cascade.", "model.onnx", &cascade.sha256)?;
    rule(plain(&cascade.model), "cascade.model", "the name of a folder beside this model's", &cascade.model)?;
    let labels = &cascade.labels;
    let rising = !labels.is_empty() && labels[0] > 0 && labels.windows(2).all(|pair| pair[0] < pair[1]);
    rule(rising, "cascade.labels", "labels above 0 in ascending order", format!("{labels:?}"))
}

fn check_identity(card: &Card) -> Result<(), CardError> {
    rule(card.card_version == CARD_VERSION, "card_version", "1", card.card_version)?;
    rule(plain(&card.name), "name", "letters, digits, '.', '_' and '-'", &card.name)?;
    rule(plain(&card.version), "version", "letters, digits, '.', '_' and '-'", &card.version)?;
    for (key, text) in [
        ("licence", &card.licence),
        ("intended_use", &card.intended_use),
        ("training.data", &card.training.data),
        ("training.data_licence", &card.training.data_licence),
    ] {
        rule(!text.trim().is_empty(), key, "a sentence", "nothing")?;
    }
    rule(!card.clinical_use, "clinical_use", "false: no model here is a medical device", true)?;
    rule(!card.limits.is_empty(), "limits", "at least one sentence", "none")?;
    rule(!card.quality.is_empty(), "quality", "at least one measured number with its command", "none")?;
    for quality in &card.quality {
        rule(quality.value.is_finite(), "quality.value", "a finite number", quality.value)?;
        rule(!quality.command.trim().is_empty(), "quality.command", "the command that measured it", "nothing")?;
    }
    Ok(())
}

fn check_input(card: &Card) -> Result<(), CardError> {
    let input = &card.input;
    rule(input.axes.has('c'), "input.axes", "a channel axis c", &input.axes)?;
    let positive = |mm: f64| mm.is_finite() && mm > 0.0;
    let spacings_hold = match &input.spacing_mm {
        Spacing::Mm(mm) => mm.iter().all(|mm| positive(*mm)),
        Spacing::Native(_) => true,
        Spacing::PerAxis(axes) => axes.iter().all(|axis| !matches!(axis, AxisSpacing::Mm(mm) if !positive(*mm))),
    };
    let found = format!("{:?}", input.spacing_mm);
    rule(spacings_hold, "input.spacing_mm", "three numbers above 0", found)?;
    let ratio = input.nearest_along_axis_coarser_than.is_none_or(|ratio| ratio.is_finite() && ratio >= 1.0);
    let key = "input.nearest_along_axis_coarser_than";
    rule(ratio, key, "a number of at least 1", format!("{:?}", input.nearest_along_axis_coarser_than))?;
    if let Some(Crop::Above { value, .. }) = input.crop {
        rule(value.is_finite(), "input.crop.value", "a finite number", value)?;
    }
    rule(input.padding_value.is_finite(), "input.padding_value", "a finite number", input.padding_value)
}

fn check_windows(card: &Card) -> Result<(), CardError> {
    let input = &card.input;
    match input.patch {
        Patch::Voxels(voxels) => {
            let found = format!("{voxels:?}");
            rule(voxels.iter().all(|n| *n > 0), "input.patch", "three whole numbers above 0", &found)?;
            if let Some(across) = input.axes.across_slices() {
                rule(voxels[across] == 1, "input.patch", "1 along the axis the network does not have", &found)?;
            }
            rule(input.divisible_by == [1; 3], "input.divisible_by", "only beside patch = \"whole_image\"", &found)?;
        }
        Patch::WholeImage(_) => {
            let positive = input.divisible_by.iter().all(|n| *n > 0);
            rule(positive, "input.divisible_by", "whole numbers above 0", format!("{:?}", input.divisible_by))?;
        }
    }
    let fraction = input.step_fraction > 0.0 && input.step_fraction <= 1.0;
    rule(fraction, "input.step_fraction", "a fraction above 0, at most 1", input.step_fraction)?;
    let mirrors = input.mirror.chars().all(|axis| "xyz".contains(axis) && input.axes.has(axis))
        && "xyz".chars().all(|axis| input.mirror.matches(axis).count() <= 1);
    rule(mirrors, "input.mirror", "letters of x, y, z among the input's axes, each at most once", &input.mirror)
}

fn check_normalisation(normalisation: &Normalisation) -> Result<(), CardError> {
    let interval = |key: &str, [low, high]: [f32; 2]| {
        let rising = low.is_finite() && high.is_finite() && low < high;
        rule(rising, key, "two finite numbers, the smaller first", format!("[{low}, {high}]"))
    };
    match *normalisation {
        Normalisation::None {} | Normalisation::ZScoreOfImage { .. } => Ok(()),
        Normalisation::ClipToRange { clip, to } => {
            interval("input.normalisation.clip", clip)?;
            interval("input.normalisation.to", to)
        }
        Normalisation::ZScore { mean, std, clip } => {
            rule(mean.is_finite(), "input.normalisation.mean", "a finite number", mean)?;
            rule(std.is_finite() && std > 0.0, "input.normalisation.std", "a number above 0", std)?;
            clip.map_or(Ok(()), |clip| interval("input.normalisation.clip", clip))
        }
        Normalisation::MinMax { to } => interval("input.normalisation.to", to),
    }
}

fn check_output(card: &Card) -> Result<(), CardError> {
    let output = &card.output;
    let labels = output.kind == OutputKind::Labels;
    let same_space = output.axes.across_slices() == card.input.axes.across_slices();
    rule(same_space, "output.axes", "the same axes of space as the input", &output.axes)?;
    let channel = |axes: &Axes| axes.has('c') != labels;
    rule(channel(&output.axes), "output.axes", "a channel axis c, or none when kind is labels", &output.axes)?;
    let activation = output.activation.is_some() != labels;
    let found = format!("{:?}", output.activation);
    rule(activation, "output.activation", "softmax or sigmoid, left out when kind is labels", found)?;
    let logits = output.carried_back != CarriedBack::Logits || output.kind == OutputKind::Logits;
    rule(logits, "output.carried_back", "logits only where kind is logits", "logits")?;
    let Some(painted) = &output.channel_labels else { return Ok(()) };
    let sigmoid = output.activation == Some(Activation::Sigmoid);
    rule(sigmoid, "output.channel_labels", "activation = \"sigmoid\" beside it", format!("{:?}", output.activation))?;
    let known = !painted.is_empty() && painted.iter().all(|l| *l > 0 && usize::from(*l) < card.labels.len());
    rule(known, "output.channel_labels", "indices of labels above 0", format!("{painted:?}"))
}

fn check_labels(labels: &[Label]) -> Result<(), CardError> {
    rule(labels.len() >= 2, "label", "background and at least one more", labels.len())?;
    for (n, label) in labels.iter().enumerate() {
        let key = |name: &str| format!("label {n}: {name}");
        rule(usize::from(label.index) == n, &key("index"), "0, 1, 2, … without a gap", label.index)?;
        rule(!label.name.trim().is_empty(), &key("name"), "a name", "nothing")?;
        let once = labels.iter().filter(|other| other.name == label.name).count() == 1;
        rule(once, &key("name"), "a name used once", &label.name)?;
        let background = label.role == Role::Background;
        rule(background == (n == 0), &key("role"), "background for label 0 and no other", format!("{:?}", label.role))?;
        let organ = label.organ.as_ref().is_some_and(|o| !o.trim().is_empty());
        rule(
            organ != background,
            &key("organ"),
            "an organ for every label but background",
            format!("{:?}", label.organ),
        )?;
        let cleaned = label.keep_largest
            || label.min_volume_mm3.is_some()
            || label.fill_holes
            || label.only_near.is_some()
            || label.split_at_necks_mm.is_some();
        rule(!(background && cleaned), &key("role"), "no component rules for background", "some")?;
        let volume = label.min_volume_mm3.is_none_or(|v| v.is_finite() && v > 0.0);
        rule(volume, &key("min_volume_mm3"), "a volume above 0", format!("{:?}", label.min_volume_mm3))?;
        let other =
            usize::from(label.dropped_becomes) < labels.len() && (background || label.dropped_becomes != label.index);
        rule(other, &key("dropped_becomes"), "the index of another label", label.dropped_becomes)?;
        check_surroundings(label, labels.len(), &key)?;
    }
    Ok(())
}

fn check_surroundings(label: &Label, n_labels: usize, key: &dyn Fn(&str) -> String) -> Result<(), CardError> {
    let neck = label.split_at_necks_mm.is_none_or(|mm| mm.is_finite() && mm > 0.0);
    rule(neck, &key("split_at_necks_mm"), "a width above 0", format!("{:?}", label.split_at_necks_mm))?;
    let Some(near) = &label.only_near else { return Ok(()) };
    let others = !near.labels.is_empty()
        && near.labels.iter().all(|other| *other != 0 && *other != label.index && usize::from(*other) < n_labels);
    rule(others, &key("only_near.labels"), "indices of other labels", format!("{:?}", near.labels))?;
    let distance = near.within_mm.is_finite() && near.within_mm >= 0.0;
    rule(distance, &key("only_near.within_mm"), "a distance of at least 0", near.within_mm)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = include_str!("../../../test_data/models/bright-0.1.0/card.toml");

    fn refused(from: &str, to: &str) -> String {
        assert!(CARD.contains(from), "{from} is not in the card");
        Card::parse(&CARD.replacen(from, to, 1)).unwrap_err().to_string()
    }

    #[test]
    fn the_test_models_card_holds() {
        Card::parse(CARD).unwrap();
    }

    #[test]
    fn contradictions_are_named_with_their_key() {
        for (from, to, key) in [
            ("clinical_use = false", "clinical_use = true", "clinical_use"),
            ("file = \"model.onnx\"", "file = \"../model.onnx\"", "file"),
            ("sha256 = \"", "sha256 = \"X", "sha256"),
            ("step_fraction = 0.5", "step_fraction = 0.0", "input.step_fraction"),
            ("index = 1", "index = 2", "label 1: index"),
            ("role = \"organ\"", "role = \"background\"", "label 1: role"),
            ("activation = \"softmax\"\n", "", "output.activation"),
            ("clip = [0.0, 200.0]", "clip = [200.0, 0.0]", "input.normalisation.clip"),
            ("patch = [16, 16, 8]", "patch = [16, 0, 8]", "input.patch"),
            ("dropped_becomes = 1", "dropped_becomes = 2", "label 2: dropped_becomes"),
            ("axes = \"nczyx\"", "axes = \"ncyx\"", "input.patch"),
        ] {
            let message = refused(from, to);
            assert!(message.contains(&format!("card key {key}")), "{to}: {message}");
        }
    }
}
