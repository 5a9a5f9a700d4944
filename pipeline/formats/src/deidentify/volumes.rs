//! NIfTI and NRRD images of an archive, laid out as they were, under pseudonyms and moved dates: `<patient>/<date>/<role>`, a BIDS
//! tree with its derivatives, or files placed by `series.csv`.
//!
//! Headers keep the fields that place and read the voxels. What nothing places has no patient whose pseudonym it could get, and is
//! left out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use imaging::Noted;
use rayon::prelude::*;

use super::bids_names::BidsNames;
use super::day_tables::{self, Written};
use super::key::Key;
use super::report::{VolumeReport, VolumeRow};
use super::shift::shifted_table_date;
use super::value::label;
use super::volume_file::{Refusal, write_blank};
use super::words::known_words;
use super::{DeidentifyError, Request, sidecar};
use crate::atomic::{self, Durability};
use crate::dicom::role::SeriesRole;
use crate::image_file::stem;
use crate::nifti_archive::bids::BidsPath;
use crate::nifti_archive::derivatives::{self, Derived};
use crate::nifti_archive::{NiftiUnit, Placed, PlacedFiles, TABLE, places};
use crate::stored;
use crate::tables::{cells_to_csv, cells_to_table};

/// What an archive holds.
pub(super) struct Volumes {
    placed: Vec<Placed>,
    derived: Vec<Derived>,
    by_table: bool,
    n_unplaced: usize,
}

/// What was written, and which files besides images were read for it.
#[derive(Default)]
pub(super) struct VolumesDone {
    pub(super) report: VolumeReport,
    /// Below the copy.
    pub(super) written: BTreeSet<PathBuf>,
    /// In the archive.
    pub(super) read: BTreeSet<PathBuf>,
}

/// Finds patient and day of image files.
pub(super) fn find(archive: &Path, files: &[PathBuf]) -> Result<Volumes, DeidentifyError> {
    // Notes and messages name paths and cells, and both name patients.
    let unreadable = |_| DeidentifyError::Table { name: TABLE.to_owned(), reason: "a column is missing".to_owned() };
    let PlacedFiles { placed, unplaced, by_table, .. } = places(archive, files).map_err(unreadable)?.value;
    let images = placed.iter().filter(|_| !by_table).map(|p| (p.file.as_str(), p.visit.date()));
    let Noted { value: derived, .. } = derivatives::find(archive, &unplaced, images);
    let n_unplaced = unplaced.len() - derived.len();
    Ok(Volumes { placed, derived, by_table, n_unplaced })
}

/// One file to be written.
struct Job<'a> {
    from: &'a Path,
    file: &'a str,
    patient_id: &'a str,
    /// `None` for a derivative.
    image: Option<&'a Placed>,
    place: PathBuf,
}

impl Volumes {
    pub(super) fn patients(&self) -> impl Iterator<Item = &String> {
        self.placed.iter().map(|p| &p.patient_id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.placed.is_empty()
    }

    /// Writes the images with what stands beside them.
    pub(super) fn write(&self, request: &Request<'_>) -> Result<VolumesDone, DeidentifyError> {
        let mut done = VolumesDone::default();
        if self.n_unplaced > 0 {
            done.report.left_out.insert("neither patient nor date", self.n_unplaced);
        }
        let jobs = self.jobs(request, &mut done.report);
        let results: Vec<(&Job<'_>, Result<(), Refusal>)> =
            jobs.par_iter().map(|job| (job, write_blank(job.from, &request.out.join(&job.place)))).collect();
        let mut images = Vec::new();
        for (job, result) in results {
            match result {
                Ok(()) => {
                    done.report.add(row_of(job));
                    done.written.insert(job.place.clone());
                    write_sidecars(job, request, &mut done)?;
                    images.extend(job.image.map(|_| job));
                }
                Err(Refusal::Reason(reason)) => done.report.leave_out(reason),
                Err(Refusal::Io(source)) => return Err(source.into()),
            }
        }
        if self.by_table {
            write_table(&images, request, &mut done)?;
        } else {
            write_bids(&images, request, &mut done)?;
        }
        Ok(done)
    }

    /// Every file with its place; of two files with one place the first (by path) is written.
    fn jobs(&self, request: &Request<'_>, report: &mut VolumeReport) -> Vec<Job<'_>> {
        let images = self.placed.iter().filter_map(|p| {
            let place = self.place_of(p, request)?;
            Some(Job { from: &p.path, file: &p.file, patient_id: &p.patient_id, image: Some(p), place })
        });
        let derived = self.derived.iter().filter_map(|d| {
            let path = BidsPath::of_derivative(&d.file)?;
            let place = BidsNames::new(request.key, &d.patient_id).of_derivative(path);
            Some(Job { from: &d.path, file: &d.file, patient_id: &d.patient_id, image: None, place })
        });
        let mut jobs: BTreeMap<PathBuf, Job<'_>> = BTreeMap::new();
        for job in images.chain(derived) {
            if jobs.contains_key(&job.place) {
                report.leave_out("another file of the archive has its place in the copy");
            } else {
                jobs.insert(job.place.clone(), job);
            }
        }
        jobs.into_values().collect()
    }

    fn place_of(&self, placed: &Placed, request: &Request<'_>) -> Option<PathBuf> {
        let key = request.key;
        if let Some(path) = BidsPath::of(&placed.file).filter(|_| !self.by_table) {
            return Some(BidsNames::new(key, &placed.patient_id).of_image(path));
        }
        let name = placed.file.rsplit('/').next().unwrap_or_default();
        let ending = name[stem(name).len()..].to_ascii_lowercase();
        // Whoever is placed by a path is placed by the name of a role.
        let new_stem = if self.by_table { key.file_name(&placed.file) } else { stem(name).to_ascii_lowercase() };
        let folder = PathBuf::from(key.patient(&placed.patient_id)).join(day(placed, request)?);
        Some(folder.join(format!("{new_stem}{ending}")))
    }
}

/// `series.csv` of the copy: its rows in the order of their new paths.
fn write_table(images: &[&Job<'_>], request: &Request<'_>, done: &mut VolumesDone) -> Result<(), DeidentifyError> {
    let header = ["file", "patient_id", "study_date", "role", "unit", "frame", "description"];
    let key = request.key;
    let row = |job: &&Job<'_>| {
        let placed = job.image?;
        let frame = placed.frame.as_ref().map(|name| key.short('F', &format!("{}\\{name}", placed.patient_id)));
        let description = if placed.description == placed.file { String::new() } else { placed.description.clone() };
        Some([
            job.place.to_string_lossy().into_owned(),
            key.patient(&placed.patient_id),
            day(placed, request)?,
            placed.role.as_str().to_owned(),
            placed.unit.map(NiftiUnit::as_str).unwrap_or_default().to_owned(),
            frame.unwrap_or_default(),
            known_words(&description).text,
        ])
    };
    let bytes = cells_to_csv(&header, images.iter().filter_map(row)).map_err(io::Error::other)?;
    write_file(&request.out.join(TABLE), &bytes)?;
    done.read.insert(request.archive.join(TABLE));
    done.report.n_tables += 1;
    Ok(())
}

/// The moved day; `None` before the calendar's begin.
fn day(placed: &Placed, request: &Request<'_>) -> Option<String> {
    shifted_table_date(&placed.visit.to_string(), request.key.shift_days(&placed.patient_id))
}

fn row_of(job: &Job<'_>) -> VolumeRow {
    let role = job.image.map(|p| p.role);
    let may_show_a_face =
        matches!(role, Some(SeriesRole::MrT1 | SeriesRole::MrT2 | SeriesRole::Pet | SeriesRole::CtPet));
    VolumeRow {
        path: job.place.to_string_lossy().into_owned(),
        role: role.map_or("derivative", SeriesRole::as_str).to_owned(),
        may_show_a_face,
    }
}

/// The JSON file beside an image, reduced, and the table of labels beside a map, by its known words.
fn write_sidecars(job: &Job<'_>, request: &Request<'_>, done: &mut VolumesDone) -> Result<(), DeidentifyError> {
    let name = job.file.rsplit('/').next().unwrap_or_default();
    let new_name = job.place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for ending in ["json", "tsv"] {
        let from = job.from.with_file_name(format!("{}.{ending}", stem(name)));
        let Ok(bytes) = stored::read(&from) else { continue };
        let reduced = match ending {
            "json" => sidecar::reduced(&bytes),
            _ if job.image.is_none() => label_table(&bytes, request.key, job.patient_id),
            _ => continue,
        };
        done.read.insert(from);
        if let Some(bytes) = reduced {
            let place = job.place.with_file_name(format!("{}.{ending}", stem(&new_name)));
            write_file(&request.out.join(&place), &bytes)?;
            done.written.insert(place);
            done.report.n_sidecars += 1;
        }
    }
    Ok(())
}

/// `index` and `name` of a table of labels; names as those of outlines in DICOM.
fn label_table(bytes: &[u8], key: &Key, patient_id: &str) -> Option<Vec<u8>> {
    let pseudonym = key.patient(patient_id);
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').flexible(true).from_reader(bytes);
    let header = reader.headers().ok()?.clone();
    let place = |wanted: &str| header.iter().position(|h| h.trim() == wanted);
    let (index, name) = (place("index")?, place("name")?);
    let row = |row: csv::StringRecord| {
        let index: u16 = row.get(index)?.trim().parse().ok()?;
        Some([index.to_string(), label(row.get(name)?.trim(), key, &pseudonym)])
    };
    let rows: Vec<[String; 2]> = reader.records().flatten().filter_map(row).collect();
    cells_to_table(b'\t', &["index", "name"], rows).ok()
}

/// Tables that date sessions and files, and the description that makes a folder a BIDS tree.
fn write_bids(images: &[&Job<'_>], request: &Request<'_>, done: &mut VolumesDone) -> Result<(), DeidentifyError> {
    let written: Vec<Written<'_>> = images
        .iter()
        .filter(|job| BidsPath::of(job.file).is_some())
        .map(|job| Written { file: job.file, patient_id: job.patient_id, place: &job.place })
        .collect();
    if written.is_empty() {
        return Ok(());
    }
    let (read, made) = day_tables::write(request.archive, request.out, request.key, &written)?;
    done.report.n_tables += made.len();
    done.read.extend(read);
    done.written.extend(made);
    write_file(&request.out.join("dataset_description.json"), DESCRIPTION.as_bytes())
}

/// What a BIDS tree must say of itself.
const DESCRIPTION: &str = "{\n  \"Name\": \"de-identified copy\",\n  \"BIDSVersion\": \"1.9.0\",\n  \"DatasetType\": \"raw\",\n  \"GeneratedBy\": [{ \"Name\": \"lesiontrace deidentify\" }]\n}\n";

fn write_file(to: &Path, bytes: &[u8]) -> Result<(), DeidentifyError> {
    Ok(atomic::write::<io::Error>(to, Durability::Buffered, |part| part.write_all(bytes))?)
}
