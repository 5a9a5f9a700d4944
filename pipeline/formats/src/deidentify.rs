//! De-identifies an archive: DICOM files and NIfTI or NRRD images, as they lie or in zip archives, the clinical tables and the masks
//! beside them, so that a run on the copy measures the same things on days that keep their distance.
//!
//! It removes what the profile names and reports it. It does not make data anonymous in the sense of any law: faces can be made
//! from images of heads, pixels can carry text, and who holds the key can go back.
//!
//! Source: DICOM PS3.15 2026c annex E, Basic Application Level Confidentiality Profile with the options Clean Structured Content,
//! Clean Descriptors, Retain Longitudinal Temporal Information with Modified Dates, Retain Patient Characteristics, Retain Safe
//! Private and, where asked for, Retain Device Identity.

mod bids_names;
mod day_tables;
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
mod sidecar;
mod stamp;
mod store;
mod tables;
mod treatment;
mod value;
mod volume_file;
mod volumes;
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
pub use report::{
    AttributeCount, FailedRow, FileRow, LeftOutRow, MaskReport, Method, PatientRow, Report, VolumeReport, VolumeRow,
};
pub use stamp::methods;
pub use tables::{ColumnDone, ColumnRow, TableReport};
pub use treatment::DeviceIdentity;

use instance::{Found, Instance, inspect};
use store::{StoreError, store};

use crate::archive::ArchiveError;
use crate::archive::files::{list_archive, list_files};
use crate::image_file::is_image;
use crate::stored;

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
    #[error("expected DICOM files, or NIfTI images of known patients and days, under {}, found {n_other} other files and none that can be read", archive.display())]
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
    // Notes of the listing name paths, and paths name patients: what is left out of zip archives is told by reason alone.
    let mut notes = Vec::new();
    let files = list_archive(request.archive, &mut notes)?;
    let mask_folder = request.archive.join(request.masks);
    let (masks, files): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|p| p.starts_with(&mask_folder));
    let (images, candidates): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|p| is_image(p));
    let volumes = volumes::find(request.archive, &images)?;
    let mut report = Report::new(request.device);
    report.zip_left_out = zip_left_out(request.archive)?;
    let found: Vec<Found> = candidates.par_iter().map(|path| inspect(path, request.flagged)).collect();
    let (mut instances, mut failed, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for (path, found) in candidates.into_iter().zip(found) {
        match found {
            Found::Instance(instance) => instances.push(*instance),
            Found::Damaged => failed.push(path),
            Found::Other => others.push(path),
        }
    }
    if instances.is_empty() && volumes.is_empty() {
        let n_other = others.len() + images.len() + masks.len();
        return Err(DeidentifyError::Nothing { archive: request.archive.to_owned(), n_other });
    }
    mark_copies(&mut instances);
    let kept = instances.iter().filter(|i| i.left_out.is_none()).map(|i| &i.patient_id);
    let patients: BTreeSet<String> = kept.chain(volumes.patients()).cloned().collect();
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
    let (of_masks, mut written) = masks::deidentify_masks(request, &masks, &patients)?;
    report.masks = of_masks;
    let done = volumes.write(request)?;
    report.add_images(done.report);
    let mut read = tables::places(request, &report.tables);
    read.extend(done.read);
    report.n_other_files = others.iter().filter(|path| !read.contains(*path)).count();
    written.extend(done.written);
    written.extend(report.files.iter().map(|file| PathBuf::from(&file.path)));
    report.n_stale_files = count_stale(request.out, &written)?;
    report.finish();
    Ok(report)
}

/// What cannot be read of zip archives, by reason.
fn zip_left_out(archive: &Path) -> Result<BTreeMap<&'static str, usize>, DeidentifyError> {
    let zips = if archive.is_file() { vec![archive.to_owned()] } else { list_files(archive, &mut Vec::new())? };
    let mut reasons = BTreeMap::new();
    for zip in zips.iter().filter(|path| stored::is_zip(path)) {
        let left_out = stored::members(zip).map_or_else(
            |_| vec!["the zip archive cannot be read; copy or export it again"],
            |members| members.left_out.iter().map(|one| one.reason).collect(),
        );
        for reason in left_out {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    Ok(reasons)
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
    if let Ok(mut file) = stored::open(path) {
        while let Ok(n @ 1..) = file.read(&mut chunk) {
            hasher.update(&chunk[..n]);
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// DICOM files and images of an earlier call that this one did not write.
fn count_stale(out: &Path, written: &BTreeSet<PathBuf>) -> Result<usize, DeidentifyError> {
    let files = list_files(out, &mut Vec::new())?;
    let is_data = |path: &Path| is_image(path) || path.extension().is_some_and(|e| e == "dcm");
    let is_new = |path: &Path| path.strip_prefix(out).is_ok_and(|place| written.contains(place));
    Ok(files.iter().filter(|path| is_data(path) && !is_new(path)).count())
}

#[cfg(test)]
mod tests;
