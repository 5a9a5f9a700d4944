//! Names of a BIDS tree without what may name somebody: subject, session, entities, folders and the pipeline of a derivative.
//!
//! A value stays where it is a small number or a technical word; a session's date moves with the patient's days; anything else gets
//! a stand-in that follows from the key. Source: BIDS 1.9, "File name structure".

use std::path::PathBuf;

use super::key::Key;
use super::shift::shifted_date;
use super::words::known_words;
use crate::image_file::stem;
use crate::nifti_archive::bids::{BidsPath, eight_digits};

/// Folders of the standard.
const TYPES: [&str; 8] = ["anat", "ct", "pet", "dwi", "perf", "func", "fmap", "swi"];

/// Kinds of files at the end of a name.
const SUFFIXES: [&str; 12] =
    ["ct", "T1w", "T2w", "dwi", "pet", "dseg", "mask", "roi", "T1map", "T2map", "FLAIR", "PDw"];

/// Entities of the standard that may stand in a name.
const ENTITIES: [&str; 20] = [
    "acq", "ce", "trc", "rec", "dir", "run", "echo", "flip", "inv", "mt", "part", "space", "split", "label", "desc",
    "res", "den", "atlas", "chunk", "task",
];

/// Phases that roles are named after.
const PHASES: [&str; 4] = ["arterial", "portalvenous", "delayed", "native"];

/// Names of one patient's files.
#[derive(Debug, Clone)]
pub(super) struct BidsNames<'a> {
    key: &'a Key,
    pseudonym: String,
    days: i64,
}

impl<'a> BidsNames<'a> {
    pub(super) fn new(key: &'a Key, patient_id: &str) -> Self {
        Self { key, pseudonym: key.patient(patient_id), days: key.shift_days(patient_id) }
    }

    /// Where an image goes.
    pub(super) fn of_image(&self, path: BidsPath<'_>) -> PathBuf {
        let mut place = PathBuf::from(self.subject());
        place.extend(path.session.map(|session| self.session(session)));
        let folders = path.rest.split('/').filter(|folder| TYPES.contains(folder));
        place.extend(folders);
        place.join(self.file_name(path))
    }

    /// Where a derivative goes.
    pub(super) fn of_derivative(&self, path: BidsPath<'_>) -> PathBuf {
        let pipeline = path.before.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let mut place = PathBuf::from("derivatives");
        if pipeline != "derivatives" {
            place.push(self.word(pipeline));
        }
        place.join(self.of_image(path))
    }

    /// `sub-…`
    pub(super) fn subject(&self) -> String {
        format!("sub-{}", self.pseudonym)
    }

    /// `ses-…`
    pub(super) fn session(&self, session: &str) -> String {
        let label = session.strip_prefix("ses-").unwrap_or(session);
        let moved = eight_digits(label).and_then(|_| shifted_date(label, self.days));
        format!("ses-{}", moved.unwrap_or_else(|| self.word(label)))
    }

    fn file_name(&self, path: BidsPath<'_>) -> String {
        let own_stem = stem(path.name);
        let ending = &path.name[own_stem.len()..].to_ascii_lowercase();
        let mut parts = vec![self.subject()];
        parts.extend(path.session.map(|session| self.session(session)));
        for part in own_stem.split('_') {
            match part.split_once('-') {
                Some(("sub" | "ses", _)) => {}
                Some((entity, value)) if ENTITIES.contains(&entity) => {
                    parts.push(format!("{entity}-{}", self.word(value)));
                }
                None if SUFFIXES.contains(&part) => parts.push(part.to_owned()),
                _ => parts.push(format!("desc-{}", self.stand_in(part))),
            }
        }
        format!("{}{ending}", parts.join("_"))
    }

    /// A small number, a phase, or technical words with at most two digits behind them; else its stand-in.
    fn word(&self, value: &str) -> String {
        let letters = value.trim_end_matches(|c: char| c.is_ascii_digit());
        let n_digits = value.len() - letters.len();
        let is_plain = value.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_technical = || PHASES.contains(&letters.to_lowercase().as_str()) || is_of_known_words(letters);
        let stays = is_plain && !value.is_empty() && n_digits <= 2 && (letters.is_empty() || is_technical());
        if stays { value.to_owned() } else { self.stand_in(value) }
    }

    /// Letters and digits, the same for one patient at all times.
    fn stand_in(&self, value: &str) -> String {
        self.key.short('x', &format!("{}\\{value}", self.pseudonym)).replace('-', "")
    }
}

/// Words stand without a space in a label of BIDS, such as `ablationzone`.
fn is_of_known_words(letters: &str) -> bool {
    let is_known = |word: &str| known_words(word).n_unknown == 0;
    let begins = |n: usize| is_known(&letters[..n]) && is_of_known_words(&letters[n..]);
    is_known(letters) || letters.len() <= LONGEST_COMPOUND && (SHORTEST_PART..letters.len()).any(begins)
}

/// Letters of a part of several words; shorter ones would make up any name.
const SHORTEST_PART: usize = 4;
/// Letters of several words in a row.
const LONGEST_COMPOUND: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn technical_words_and_small_numbers_stay_and_the_rest_does_not() {
        let key = Key::from_bytes([7; 32]);
        let names = BidsNames::new(&key, "Smith");
        let of = |file: &str| names.of_image(BidsPath::of(file).unwrap()).to_string_lossy().into_owned();
        let pseudonym = key.patient("Smith");
        assert!(pseudonym.bytes().all(|b| b.is_ascii_alphanumeric()), "a label of BIDS is letters and digits");
        assert_eq!(
            of("Smith.zip/rawdata/sub-Smith/ses-baseline/ct/sub-Smith_ses-baseline_acq-portalvenous_run-2_ct.nii.gz"),
            format!("sub-{pseudonym}/ses-baseline/ct/sub-{pseudonym}_ses-baseline_acq-portalvenous_run-2_ct.nii.gz")
        );
        let day = shifted_date("20240203", key.shift_days("Smith")).unwrap();
        assert_eq!(
            of("sub-Smith/ses-20240203/Smith/sub-Smith_ses-20240203_T1w.NII"),
            format!("sub-{pseudonym}/ses-{day}/sub-{pseudonym}_ses-{day}_T1w.nii")
        );
        for file in [
            "sub-Smith/ses-Smith/anat/sub-Smith_ses-Smith_acq-Smith_T1w.nii",
            "sub-Smith/ses-19650412x/sub-Smith_acq-19650412_Smith-Smith_Smith_T1w.nii",
        ] {
            let place = of(file);
            assert!(!place.contains("Smith") && !place.contains("19650412") && place.ends_with("_T1w.nii"), "{place}");
            assert_eq!(place, of(file));
        }
        for (label, stays) in
            [("ablationzone", true), ("LiverLesion2", true), ("SmithLesion", false), ("lesionSmith", false)]
        {
            assert_eq!(names.word(label) == label, stays, "{label}");
        }
        let derived = "derivatives/nnunet/sub-Smith/ses-1/sub-Smith_ses-1_label-gtv1_mask.nrrd";
        let place = names.of_derivative(BidsPath::of_derivative(derived).unwrap());
        let place = place.to_string_lossy();
        assert!(place.starts_with("derivatives/x") && place.ends_with("_label-gtv1_mask.nrrd"), "{place}");
    }
}
