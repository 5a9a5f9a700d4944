//! Indexes a folder of images in any nesting, or a zip archive: patients, time points (days), series with role and usability.
//!
//! Only headers are read. What cannot be read becomes a note; nothing is dropped without one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use imaging::{Note, Noted};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::clinical::{ClinicalError, Problem};
use crate::dicom::header::HeaderError;
use crate::dicom::packed_headers::PackedHeaders;
use crate::dicom::role::{RoleCandidate, SeriesRole, SeriesRules};
use crate::nifti_archive::{self, NiftiSeries};

mod copies;
mod day;
pub(crate) mod files;
mod gathered;
mod grouping;

use files::walk_archive;
use gathered::{Found, Gathered};
use grouping::group;

/// Why a folder has no index.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// Nothing to index.
    #[error("no DICOM, NIfTI or NRRD found under {} ({n_other} other files); name the folder that holds the images", root.display())]
    NoImages {
        /// Folder.
        root: PathBuf,
        /// Number of files that are neither.
        n_other: usize,
    },
    /// `series.csv` cannot be used.
    #[error(transparent)]
    Table(#[from] ClinicalError),
    /// The folder cannot be listed.
    #[error("{} cannot be listed: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// Folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Everything found under one folder.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchiveIndex {
    /// Patients by identifier.
    pub patients: Vec<PatientImages>,
    /// NIfTI and NRRD files (`.nii`, `.nii.gz`, `.nrrd`) that are no image of a patient's visit (masks, files nobody placed), sorted by path.
    pub nifti_files: Vec<PathBuf>,
    /// Faults in single rows of `series.csv`.
    pub problems: Vec<Problem>,
    /// Number of files that are neither DICOM nor NIfTI nor NRRD.
    pub n_other_files: usize,
}

/// One patient's images.
#[derive(Debug, Clone, PartialEq)]
pub struct PatientImages {
    /// Patient ID as written.
    pub patient_id: String,
    /// Time points, earliest first; images without a day come last.
    pub timepoints: Vec<TimepointImages>,
}

/// The images of one day.
#[derive(Debug, Clone, PartialEq)]
pub struct TimepointImages {
    /// The day the images were taken; `None` where it is not known.
    pub study_date: Option<Date>,
    /// Series by role, then rank.
    pub series: Vec<SeriesEntry>,
}

/// One series: its row in the index and its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesEntry {
    /// What the index says about it.
    pub row: IndexRow,
    /// The headers of its slices, sorted by path and frame; empty for a NIfTI file.
    pub headers: PackedHeaders,
    /// Number of voxels its headers promise.
    pub n_voxels: u64,
    /// What was left out of it, and how its series was split.
    pub notes: Vec<Note>,
    /// The file, where the series is one NIfTI or NRRD file.
    pub nifti: Option<NiftiSeries>,
}

/// One row of `index --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexRow {
    /// Patient ID as written.
    pub patient_id: String,
    /// The day of its time point: the Study Date, but for what `reasons` say of it.
    pub study_date: Option<Date>,
    /// Series Instance UID.
    pub series_uid: String,
    /// Modality.
    pub modality: String,
    /// Series Description.
    pub description: String,
    /// What the series is used as: the first of its candidates.
    pub role: SeriesRole,
    /// Every role it may have, the most likely first, each with its reason.
    pub candidates: Vec<RoleCandidate>,
    /// Which volume of its series this is, such as `b-value 800 s/mm²`; `None` where the series holds one.
    pub volume: Option<String>,
    /// 1 for the best series of its role at this time point; unusable ones come last.
    pub rank: u32,
    /// Number of slices (files, or frames of a multi-frame file).
    pub n_slices: usize,
    /// Distance between voxel centres along i, j, k; `None` where the slices make no volume.
    pub spacing_mm: Option<[f64; 3]>,
    /// Whether the series can be measured.
    pub usable: bool,
    /// Why not, or what to doubt.
    pub reasons: Vec<String>,
}

impl ArchiveIndex {
    /// Every series in order: patient, date, role, rank.
    pub fn series(&self) -> impl Iterator<Item = &SeriesEntry> {
        self.patients.iter().flat_map(|p| p.timepoints.iter().flat_map(|t| t.series.iter()))
    }
    /// The rows of the index.
    #[must_use]
    pub fn rows(&self) -> Vec<IndexRow> {
        self.series().map(|s| s.row.clone()).collect()
    }
}

/// Indexes a folder or a zip archive, roles by the built-in rules. Files are read in parallel; the result does not depend on their
/// order or the number of threads.
pub fn index(root: &Path) -> Result<Noted<ArchiveIndex>, ArchiveError> {
    index_by(root, SeriesRules::built_in(), &|_| {})
}

/// The same with roles by these rules; `files_read` is told how many files were read since it was told last.
pub fn index_by(
    root: &Path,
    rules: &SeriesRules,
    files_read: &dyn Fn(usize),
) -> Result<Noted<ArchiveIndex>, ArchiveError> {
    let mut notes = Vec::new();
    let mut gathered = Gathered::telling(files_read);
    walk_archive(root, &mut notes, &mut |files| gathered.take(files))?;
    let Found { series, nifti_files, mut unreadable, n_other_files } = gathered.finish();
    unreadable.sort_by(|a, b| a.0.cmp(&b.0));
    notes.extend(unreadable.iter().map(|(path, error)| note_of_file(root, path, error)));
    if series.is_empty() && nifti_files.is_empty() && notes.is_empty() {
        return Err(ArchiveError::NoImages { root: root.to_owned(), n_other: n_other_files });
    }
    let mut patients = group(root, series, rules, &mut notes);
    let placed = nifti_archive::place(root, &nifti_files)?.note_into(&mut notes);
    nifti_archive::add(placed.series, &mut patients);
    note_spelled_twice(&patients, &mut notes);
    let index = ArchiveIndex { patients, nifti_files: placed.unplaced, problems: placed.problems, n_other_files };
    Ok(Noted::new(index, notes))
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

fn note_of_file(root: &Path, path: &Path, error: &HeaderError) -> Note {
    let code = match error {
        HeaderError::Unreadable { .. } => "unreadable_file",
        HeaderError::Damaged { .. } => "truncated_file",
        HeaderError::Missing { .. } => "missing_attribute",
    };
    let file = relative(root, path);
    // The path below the archive: notes must not depend on where the archive is mounted.
    let message = error.to_string().replace(&*path.to_string_lossy(), &file);
    Note::error(code, file, format!("{message}; the file is left out, and a series it belongs to may lack a slice"))
}

/// Two identifiers that differ only in case, blanks, punctuation or leading zeros are likely one patient; they stay apart.
fn note_spelled_twice(patients: &[PatientImages], notes: &mut Vec<Note>) {
    let mut by_spelling: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for patient in patients {
        by_spelling.entry(plain_spelling(&patient.patient_id)).or_default().push(&patient.patient_id);
    }
    for ids in by_spelling.values().filter(|ids| ids.len() > 1) {
        let named: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
        let message = format!(
            "the patient identifiers {} differ only in case, blanks, punctuation or leading zeros; they are kept apart: if they are one patient, write one identifier into all files",
            named.join(" and ")
        );
        notes.push(Note::warning("patient_spelled_twice", ids[0], message));
    }
}

/// Lower case, letters and digits only, numbers without leading zeros.
fn plain_spelling(id: &str) -> String {
    let mut out = String::new();
    let mut in_number = false;
    let mut characters = id.chars().filter(|c| c.is_alphanumeric()).peekable();
    while let Some(c) = characters.next() {
        let digit_follows = characters.peek().is_some_and(char::is_ascii_digit);
        if c == '0' && !in_number && digit_follows {
            continue;
        }
        in_number = c.is_ascii_digit();
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn spellings_that_are_one_patient_and_that_are_not() {
        assert_eq!(plain_spelling("PAT-007"), plain_spelling("pat 7"));
        assert_eq!(plain_spelling("P 010"), plain_spelling("p10"));
        assert_ne!(plain_spelling("P100"), plain_spelling("P10"));
        assert_ne!(plain_spelling("A1"), plain_spelling("A0"));
    }

    #[test]
    fn an_empty_folder_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "nothing here").unwrap();
        let message = index(folder.path()).unwrap_err().to_string();
        assert!(message.starts_with("no DICOM, NIfTI or NRRD found under"), "{message}");
    }
}
