//! A map to baseline that was made elsewhere, judged by the images as if it had been found here.

use std::path::Path;

use imaging::Note;
use imaging::registration::{Pair, Quality, Registration, RegistrationError};

use crate::found_map::FoundMap;
use crate::transform_file::TransformFile;

/// The map of a file with its error and its verdict; the reason where it cannot be used.
pub(super) fn judged(
    path: &Path,
    pair: &Result<Pair<'_>, RegistrationError>,
    (role, notes): (&str, &mut Vec<Note>),
) -> Result<Registration, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let refused = |why: String| format!("the map given ({name}) cannot be used: {why}");
    let file = TransformFile::read(path).map_err(|error| refused(format!("{error:#}")))?;
    let pair = pair.as_ref().map_err(|error| refused(error.to_string()))?;
    let found = FoundMap::judged(pair, &file).map_err(|error| refused(format!("{error:#}")))?;
    let mut found = found.carried();
    found.reasons.insert(0, format!("the map given ({name})"));
    if found.quality == Quality::Fail {
        let why = format!(
            "{}; remove it to have the visit registered here, or mend it: it leads from points of baseline to those of the visit, \
             LPS mm, as ITK resamples the visit onto baseline",
            found.reasons.join("; ")
        );
        notes.push(Note::error("given_map_fails", role.to_owned(), why));
    } else {
        let why = "registered by the map given, which was judged by the images as one found here".to_owned();
        notes.push(Note::info("given_map_used", role.to_owned(), why));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::same_frame::tests::{image, options};

    #[test]
    fn a_map_given_is_used_where_the_images_bear_it_out_and_told_where_not() {
        let folder = tempfile::tempdir().unwrap();
        let (fixed, moving) = (image(0.0), image(12.0));
        let options = options();
        let pair = Pair::new(&fixed, &moving, &options);
        let given = |shift: &str, notes: &mut Vec<Note>| {
            let path = folder.path().join("to_baseline.tfm");
            let text = format!(
                "#Insight Transform File V1.0\nTransform: TranslationTransform_double_3_3\nParameters: {shift}\nFixedParameters: \n"
            );
            std::fs::write(&path, text).unwrap();
            judged(&path, &pair, ("portal_venous", notes))
        };
        let mut notes = Vec::new();
        let right = given("0 0 12", &mut notes).unwrap();
        let back = right.to_fixed(imaging::Point::new(10.0, 0.0, 22.0));
        assert!(back.distance(imaging::Point::new(10.0, 0.0, 10.0)) < 1e-9, "as it was given: {back:?}");
        assert!(
            right.quality < Quality::Fail && right.reasons[0] == "the map given (to_baseline.tfm)",
            "{:?}",
            right.reasons
        );
        assert!(right.estimated_error.is_some() && notes[0].code == "given_map_used", "{notes:?}");
        let mut notes = Vec::new();
        let turned_round = given("0 0 -12", &mut notes).unwrap();
        assert_eq!((turned_round.quality, notes[0].code.as_ref()), (Quality::Fail, "given_map_fails"));
        assert!(notes[0].message.contains("from points of baseline to those of the visit"), "{notes:?}");
        let why = given("north", &mut notes).unwrap_err();
        assert!(why.starts_with("the map given (to_baseline.tfm) cannot be used"), "{why}");
    }
}
