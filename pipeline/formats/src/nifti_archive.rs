//! NIfTI and NRRD images as an archive of visits: which patient, date, role, unit and frame of reference each file has.
//!
//! Such a file names none of these. They come from `series.csv` beside the images, or, where there is no such table, from the
//! folders and file names of two layouts ([`layout`]). What neither says is never guessed: a file without patient and date is left
//! out with a note, a PET without its unit is not usable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imaging::{FrameId, Noted, Shape};
use jiff::civil::Date;
use oncology::VisitId;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::archive::{IndexRow, PatientImages, SeriesEntry, TimepointImages};
use crate::clinical::{ClinicalError, Problem};
use crate::dicom::role::SeriesRole;
use crate::dicom::{PackedHeaders, derived_uid};
use crate::image_file;

pub(crate) mod bids;
pub mod derivatives;
pub mod layout;
mod table;

/// The table that places image files, in the archive's top folder.
pub const TABLE: &str = "series.csv";

/// What the numbers of such an image are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NiftiUnit {
    /// Hounsfield units.
    Hu,
    /// Body-weight standardised uptake values.
    SuvBw,
    /// Numbers without a physical unit.
    Stored,
}

impl NiftiUnit {
    /// As written in `series.csv`: `HU`, `SUVbw`, `stored`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hu => "HU",
            Self::SuvBw => "SUVbw",
            Self::Stored => "stored",
        }
    }
    /// From a cell or a sidecar; `None` for any other word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Hu, Self::SuvBw, Self::Stored].into_iter().find(|unit| unit.as_str().eq_ignore_ascii_case(word.trim()))
    }
}

/// One NIfTI or NRRD file that is an image of a visit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NiftiSeries {
    /// Where it lies.
    pub path: PathBuf,
    /// Its path below the archive, with `/`.
    pub file: String,
    /// What its numbers are.
    pub unit: NiftiUnit,
    /// Its frame of reference: of its own, unless `series.csv` names one.
    pub frame: FrameId,
    /// Whether `series.csv` named the frame.
    pub frame_is_stated: bool,
    /// Number of voxels by its header.
    pub n_voxels: u64,
    /// The visit its place names: a day, or a further time point of it.
    pub visit: VisitId,
}

/// What is said of a file before it is opened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    pub(crate) path: PathBuf,
    pub(crate) file: String,
    pub(crate) patient_id: String,
    pub(crate) visit: VisitId,
    pub(crate) role: SeriesRole,
    /// What the numbers are said to be; `None` where nothing says it.
    pub(crate) unit: Option<NiftiUnit>,
    /// Name of the frame of reference, if stated.
    pub(crate) frame: Option<String>,
    pub(crate) description: String,
}

/// NIfTI files with and without a place.
#[derive(Debug, Default)]
pub(crate) struct NiftiFiles {
    pub(crate) series: Vec<(String, Date, SeriesEntry)>,
    pub(crate) unplaced: Vec<PathBuf>,
    pub(crate) problems: Vec<Problem>,
}

/// Files by what is said of them, none of them opened.
#[derive(Debug, Default)]
pub(crate) struct PlacedFiles {
    pub(crate) placed: Vec<Placed>,
    pub(crate) unplaced: Vec<PathBuf>,
    pub(crate) problems: Vec<Problem>,
    /// Whether `series.csv` placed them.
    pub(crate) by_table: bool,
}

/// Finds every file's place by `series.csv` or, without it, by its path.
pub(crate) fn places(root: &Path, files: &[PathBuf]) -> Result<Noted<PlacedFiles>, ClinicalError> {
    let (mut problems, mut notes) = (Vec::new(), Vec::new());
    let table = table::read(root, &mut problems)?;
    let by_table = table.is_some();
    let placed = table.unwrap_or_else(|| {
        let days = bids::Days::read(root, files, &mut notes);
        files.iter().filter_map(|path| layout::place(root, path, &days, &mut notes)).collect()
    });
    let taken: BTreeSet<&PathBuf> = placed.iter().map(|p| &p.path).collect();
    let unplaced = files.iter().filter(|path| !taken.contains(path)).cloned().collect();
    Ok(Noted::new(PlacedFiles { placed, unplaced, problems, by_table }, notes))
}

/// The files as series of patients and days, by their headers.
pub(crate) fn place(root: &Path, files: &[PathBuf]) -> Result<Noted<NiftiFiles>, ClinicalError> {
    let mut notes = Vec::new();
    let PlacedFiles { placed, unplaced, problems, .. } = places(root, files)?.note_into(&mut notes);
    // Other threads inflate the files' beginnings: what is kept of them would otherwise come to lie between what is given up at once,
    // and tens of kilobytes a file would stay with the process.
    let heads: Vec<Result<Head, String>> = placed.par_iter().map(head_of).collect();
    let entry = |(placed, head): (Placed, _)| (placed.patient_id.clone(), placed.visit.date(), entry_of(placed, head));
    let series = placed.into_iter().zip(heads).map(entry).collect();
    Ok(Noted::new(NiftiFiles { series, unplaced, problems }, notes))
}

/// What the header of a file says.
struct Head {
    spacing_mm: [f64; 3],
    shape: Shape,
}

/// Reads a header; `Err` says why it cannot be used.
fn head_of(placed: &Placed) -> Result<Head, String> {
    let grid = image_file::read_header_grid(&placed.path, FrameId::new(String::new()));
    // The path below the archive: reasons must not depend on where the archive is mounted.
    let grid = grid.map_err(|error| error.to_string().replace(&*placed.path.to_string_lossy(), &placed.file))?;
    Ok(Head { spacing_mm: grid.spacing_mm().map(|mm| (mm * 1e6).round() / 1e6), shape: grid.shape() })
}

/// Puts the series into their patients' time points, after DICOM series of the same role.
pub(crate) fn add(series: Vec<(String, Date, SeriesEntry)>, patients: &mut Vec<PatientImages>) {
    if series.is_empty() {
        return;
    }
    for (patient_id, date, entry) in series {
        let at = patients.binary_search_by(|p| p.patient_id.cmp(&patient_id)).unwrap_or_else(|at| {
            patients.insert(at, PatientImages { patient_id, timepoints: Vec::new() });
            at
        });
        let timepoints = &mut patients[at].timepoints;
        let at = timepoints.iter().position(|t| t.study_date == Some(date)).unwrap_or_else(|| {
            // Most have one.
            timepoints.push(TimepointImages { study_date: Some(date), series: Vec::with_capacity(1) });
            timepoints.len() - 1
        });
        timepoints[at].series.push(entry);
    }
    for timepoint in patients.iter_mut().flat_map(|p| {
        p.timepoints.sort_by_key(|t| (t.study_date.is_none(), t.study_date));
        &mut p.timepoints
    }) {
        // Stable: DICOM series keep their order and stand before the files of the same role.
        timepoint.series.sort_by_key(|s| (s.row.role, !s.row.usable));
        let mut seen: BTreeMap<SeriesRole, u32> = BTreeMap::new();
        for entry in &mut timepoint.series {
            let rank = seen.entry(entry.row.role).or_default();
            *rank += 1;
            entry.row.rank = *rank;
        }
    }
}

/// The modality a role belongs to, as DICOM writes it.
fn modality_of(role: SeriesRole) -> &'static str {
    match role {
        SeriesRole::CtArterial
        | SeriesRole::CtPortalVenous
        | SeriesRole::CtDelayed
        | SeriesRole::CtNative
        | SeriesRole::CtPet
        | SeriesRole::Ct => "CT",
        SeriesRole::MrT1 | SeriesRole::MrT2 | SeriesRole::MrHepatobiliary | SeriesRole::MrDwi | SeriesRole::MrAdc => {
            "MR"
        }
        SeriesRole::Pet => "PT",
        SeriesRole::Other => "OT",
    }
}

/// The unit a modality is measured in, or why the stated one will not do.
fn checked_unit(placed: &Placed) -> Result<NiftiUnit, String> {
    let wanted = match modality_of(placed.role) {
        "CT" => NiftiUnit::Hu,
        "PT" => NiftiUnit::SuvBw,
        _ => return Ok(NiftiUnit::Stored),
    };
    match placed.unit {
        Some(unit) if unit == wanted => Ok(wanted),
        Some(unit) => Err(format!(
            "the file is said to hold {}; a {} is measured in {} only: convert it, or leave it out",
            unit.as_str(),
            placed.role,
            wanted.as_str()
        )),
        None => Err(format!(
            "nothing says that the file holds {0}; a {1} is measured in {0} only: write {0} into the column unit of {TABLE}, or name the file {1}_suvbw",
            wanted.as_str(),
            placed.role
        )),
    }
}

fn entry_of(placed: Placed, head: Result<Head, String>) -> SeriesEntry {
    let frame = match &placed.frame {
        Some(name) => derived_uid(&["nifti frame", &placed.patient_id, &placed.visit.to_string(), name]),
        None => derived_uid(&["nifti file", &placed.file]),
    };
    let frame = FrameId::new(frame);
    let mut reasons = Vec::new();
    let unit = checked_unit(&placed).unwrap_or_else(|reason| {
        reasons.push(reason);
        placed.unit.unwrap_or(NiftiUnit::Stored)
    });
    let (spacing_mm, shape) = match head {
        Ok(head) => (Some(head.spacing_mm), Some(head.shape)),
        Err(reason) => {
            reasons.push(reason);
            (None, None)
        }
    };
    let row = IndexRow {
        patient_id: placed.patient_id,
        study_date: Some(placed.visit.date()),
        series_uid: placed.file.clone(),
        modality: modality_of(placed.role).to_owned(),
        description: placed.description,
        role: placed.role,
        candidates: Vec::new(),
        volume: None,
        rank: 0,
        n_slices: shape.map_or(0, |shape| shape.nk),
        spacing_mm,
        usable: reasons.is_empty(),
        reasons,
    };
    let nifti = NiftiSeries {
        path: placed.path,
        file: placed.file,
        unit,
        frame,
        frame_is_stated: placed.frame.is_some(),
        n_voxels: shape.map_or(0, |shape| shape.n_voxels() as u64),
        visit: placed.visit,
    };
    let n_voxels = nifti.n_voxels;
    SeriesEntry { row, headers: PackedHeaders::default(), n_voxels, notes: Vec::new(), nifti: Some(nifti) }
}

/// A file's path below the archive, with `/`.
pub(crate) fn below(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).components();
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests;
