//! De-identifies an archive: DICOM files, the clinical tables and the masks beside them, so that a run on the copy measures the
//! same things on days that keep their distance.
//!
//! It removes what the profile names and reports it. It does not make data anonymous in the sense of any law: faces can be made
//! from images of heads, pixels can carry text, and who holds the key can go back.
//!
//! Source: DICOM PS3.15 2026c annex E, Basic Application Level Confidentiality Profile with the options Clean Structured Content,
//! Clean Descriptors, Retain Longitudinal Temporal Information with Modified Dates, Retain Patient Characteristics, Retain Safe
//! Private and, where asked for, Retain Device Identity.

mod instance;
mod key;
mod key_file;
mod masks;
mod object;
mod private;
mod profile;
mod refusal;
mod report;
mod shift;
mod stamp;
mod store;
mod tables;
mod treatment;
mod value;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

pub use key::Key;
pub use key_file::{KeyError, open_or_make};
pub use object::{Cleaner, Counts, Done};
pub use profile::{Basic, Rule, rule_of, rules};
pub use refusal::{Flagged, LeftOut};
pub use report::{AttributeCount, FailedRow, FileRow, LeftOutRow, MaskReport, Method, PatientRow, Report};
pub use stamp::methods;
pub use tables::{ColumnDone, ColumnRow, TableReport};
pub use treatment::DeviceIdentity;

use instance::{Found, Instance, inspect};
use store::{StoreError, store};

use crate::archive::ArchiveError;
use crate::archive::files::list_files;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The archive.
    pub archive: &'a Path,
    /// The folder its copy goes into: new, empty, or of an earlier call.
    pub out: &'a Path,
    /// The secret.
    pub key: &'a Key,
    /// Whether stations, serial numbers and the like stay.
    pub device: DeviceIdentity,
    /// What happens to files with text in their pixels.
    pub flagged: Flagged,
    /// Folder of the clinical tables below the archive.
    pub clinical: &'a Path,
    /// Folder of imported masks below the archive.
    pub masks: &'a Path,
    /// Columns of clinical tables that are kept although the program does not know them.
    pub keep_columns: &'a [String],
}

/// Why nothing could be done.
#[derive(Debug, Error)]
pub enum DeidentifyError {
    /// The archive cannot be listed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Input and output lie in each other.
    #[error("expected input and output apart, found {} and {} in each other: the copy would be taken for a patient; name another output folder", archive.display(), out.display())]
    Nested {
        /// The archive.
        archive: PathBuf,
        /// The output.
        out: PathBuf,
    },
    /// The archive holds nothing to work on.
    #[error("expected DICOM files under {}, found {n_other} other files and none that can be read", archive.display())]
    Nothing {
        /// The archive.
        archive: PathBuf,
        /// Other files.
        n_other: usize,
    },
    /// Two patients would get one pseudonym.
    #[error("two patients would get the pseudonym {pseudonym}; use another key")]
    Collision {
        /// The pseudonym.
        pseudonym: String,
    },
    /// The output cannot be written.
    #[error("the copy cannot be written ({source}); is the disk full?")]
    Io {
        /// Why.
        source: std::io::Error,
    },
    /// A clinical table cannot be read at all.
    #[error("the clinical table {name} cannot be read ({reason}); it must be comma-separated UTF-8 with a header line")]
    Table {
        /// File name.
        name: String,
        /// Why.
        reason: String,
    },
}

impl From<std::io::Error> for DeidentifyError {
    fn from(source: std::io::Error) -> Self {
        Self::Io { source }
    }
}

/// Writes the de-identified copy of an archive. Files are worked on in parallel, each held in memory whole while it is; the
/// result does not depend on their order or the number of threads. What cannot be read is left out and counted as failed.
pub fn deidentify(request: &Request<'_>) -> Result<Report, DeidentifyError> {
    check_apart(request.archive, request.out)?;
    // Notes of the listing name paths, and paths name patients: only their number is told.
    let mut notes = Vec::new();
    let files = list_files(request.archive, &mut notes)?;
    let found: Vec<Found> = files.par_iter().map(|path| inspect(path, request.flagged)).collect();
    let mut report = Report::new(request.device);
    let (mut instances, mut failed) = (Vec::new(), Vec::new());
    for (path, found) in files.iter().zip(found) {
        match found {
            Found::Instance(instance) => instances.push(*instance),
            Found::Damaged => failed.push(path.clone()),
            Found::Other => report.n_other_files += 1,
        }
    }
    if instances.is_empty() {
        return Err(DeidentifyError::Nothing { archive: request.archive.to_owned(), n_other: report.n_other_files });
    }
    mark_copies(&mut instances);
    let patients: BTreeSet<String> =
        instances.iter().filter(|i| i.left_out.is_none()).map(|i| i.patient_id.clone()).collect();
    check_pseudonyms(&patients, request.key)?;
    let outcomes: Vec<Outcome> =
        instances.into_par_iter().map(|instance| clean(instance, request)).collect::<Result<_, _>>()?;
    for outcome in outcomes {
        match outcome {
            Outcome::Written(instance, counts) => report.add_written(&instance, request.key, &counts),
            Outcome::LeftOut(instance, reason) => report.add_left_out(&instance, request.key, reason),
            Outcome::Failed(path) => failed.push(path),
        }
    }
    report.add_failed(failed.par_iter().map(|path| sha256_of(path)).collect());
    report.tables = tables::deidentify_tables(request, &patients)?;
    report.masks = masks::deidentify_masks(request, &files, &patients)?;
    report.n_other_files = report.n_other_files.saturating_sub(report.masks.n_written + report.n_tables_read());
    report.n_stale_files = count_stale(request.out, &report)?;
    report.finish();
    Ok(report)
}

fn check_apart(archive: &Path, out: &Path) -> Result<(), DeidentifyError> {
    let listing = |source| ArchiveError::Unreadable { path: archive.to_owned(), source };
    let real_archive = std::fs::canonicalize(archive).map_err(listing)?;
    std::fs::create_dir_all(out)?;
    let real_out = std::fs::canonicalize(out)?;
    if real_out.starts_with(&real_archive) || real_archive.starts_with(&real_out) {
        return Err(DeidentifyError::Nested { archive: archive.to_owned(), out: out.to_owned() });
    }
    Ok(())
}

/// Files with the SOP Instance UID of an earlier one (by path) are left out, as copies where their bytes are the same.
fn mark_copies(instances: &mut [Instance]) {
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    for instance in instances.iter_mut().filter(|i| i.left_out.is_none()) {
        match first.get(&instance.sop_instance_uid) {
            Some(path) => {
                let same = sha256_of(path) == sha256_of(&instance.path);
                instance.left_out = Some(if same { LeftOut::Copy } else { LeftOut::Conflict });
            }
            None => {
                first.insert(instance.sop_instance_uid.clone(), instance.path.clone());
            }
        }
    }
}

fn check_pseudonyms(patients: &BTreeSet<String>, key: &Key) -> Result<(), DeidentifyError> {
    let mut seen = BTreeSet::new();
    for pseudonym in patients.iter().map(|id| key.patient(id)) {
        if !seen.insert(pseudonym.clone()) {
            return Err(DeidentifyError::Collision { pseudonym });
        }
    }
    Ok(())
}

enum Outcome {
    Written(Instance, Counts),
    LeftOut(Instance, LeftOut),
    Failed(PathBuf),
}

fn clean(instance: Instance, request: &Request<'_>) -> Result<Outcome, DeidentifyError> {
    if let Some(reason) = instance.left_out {
        return Ok(Outcome::LeftOut(instance, reason));
    }
    let cleaner = Cleaner::new(request.key, &instance.patient_id, request.device);
    let to = request.out.join(instance.place(request.key));
    let mut counts = Counts::new();
    match store(&instance.path, &to, &cleaner, &mut counts) {
        Ok(()) => Ok(Outcome::Written(instance, counts)),
        Err(StoreError::Damaged) => Ok(Outcome::Failed(instance.path)),
        Err(StoreError::Io(source)) => Err(DeidentifyError::Io { source }),
    }
}

/// SHA-256 of a file's bytes in hexadecimal digits; of nothing where it cannot be read.
fn sha256_of(path: &Path) -> String {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    // A file that cannot be read has no bytes to name it by.
    if let Ok(mut file) = std::fs::File::open(path) {
        while let Ok(n @ 1..) = file.read(&mut chunk) {
            hasher.update(&chunk[..n]);
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Files of an earlier call that this one did not write.
fn count_stale(out: &Path, report: &Report) -> Result<usize, DeidentifyError> {
    let mut notes = Vec::new();
    let written: BTreeSet<PathBuf> = report.files.iter().map(|f| out.join(&f.path)).collect();
    let files = list_files(out, &mut notes)?;
    let is_dicom = |path: &Path| path.extension().is_some_and(|e| e == "dcm");
    Ok(files.iter().filter(|path| is_dicom(path) && !written.contains(*path)).count())
}

#[cfg(test)]
mod tests;
