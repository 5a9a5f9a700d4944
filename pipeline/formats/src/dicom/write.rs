//! Writes a volume as a DICOM series of single-frame CT, MR or PET images, one file per slice, the same bytes every time; below it
//! what is made from a series: segmentations, reports, structure sets.
//!
//! Source: DICOM PS3.3 A.3 (CT Image), A.4 (MR Image), A.21 (PET Image); PS3.10 section 7 (file format).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dicom::dictionary_std::uids;
use dicom::object::{FileMetaTableBuilder, InMemDicomObject};
use imaging::{Grid, Volume};
use jiff::civil::{DateTime, Time};
use nalgebra::Vector3;
use rayon::prelude::*;
use thiserror::Error;

use super::file::reason_of;
use super::geometry::{ORTHONORMAL_TOLERANCE, TILT_TOLERANCE};
use data_set::Slice;

mod data_set;
pub mod encapsulated_pdf;
#[cfg(test)]
mod fixture;
mod item;
pub mod key_picture;
pub mod measurement_report;
mod object;
pub mod segmentation;
mod source;
pub mod structure_set;

pub use encapsulated_pdf::DocumentToWrite;
pub use key_picture::KeyPictureToWrite;
pub use measurement_report::{
    Answer, EvaluationToWrite, GroupToWrite, LineToWrite, MeasurementToWrite, RegionToWrite, ReportToWrite, TimePoint,
};
pub use object::{ObjectToWrite, WrittenObject};
pub use segmentation::{
    OutlineMethod, SegmentToWrite, SegmentVoxels, SegmentationToWrite, SourceSlice, Tracking, WrittenSegmentation,
};
pub use source::{SourceImage, read_source};
pub use structure_set::{StructureSetToWrite, write_structure_set};

/// The program as a UID in files it wrote (root 2.25, derived from its name).
pub(super) const IMPLEMENTATION_CLASS_UID: &str = "2.25.27792482320989826934964834080048974812";

/// The program's name in files it wrote.
pub(super) const IMPLEMENTATION_VERSION: &str =
    concat!("LESIONTRACE", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));

/// A contrast agent given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contrast {
    /// Contrast/Bolus Agent.
    pub agent: String,
    /// Contrast/Bolus Route.
    pub route: String,
    /// Contrast/Bolus Start Time.
    pub start_time: Option<Time>,
}

/// What a PET series states for SUV.
#[derive(Debug, Clone, PartialEq)]
pub struct PetToWrite {
    /// Units (0054,1001): `BQML`, `GML`, `CNTS`.
    pub units: String,
    /// Decay Correction (0054,1102): `START`, `ADMIN`, `NONE`.
    pub decay_correction: String,
    /// Corrected Image (0028,0051), such as `DECY`, `ATTN`.
    pub corrected_image: Vec<String>,
    /// SUV Type (0054,1006), for GML.
    pub suv_type: Option<String>,
    /// Radiopharmaceutical (0018,0031), such as `Fluorodeoxyglucose`.
    pub radiopharmaceutical: String,
    /// Radionuclide Total Dose (0018,1074), Bq.
    pub total_dose_bq: f64,
    /// Radionuclide Half Life (0018,1075), seconds.
    pub half_life_s: f64,
    /// Injection: written as Start DateTime and Start Time.
    pub injection: DateTime,
}

/// The kind of image, with what only that kind states.
#[derive(Debug, Clone, PartialEq)]
pub enum ModalityToWrite {
    /// CT: values are HU, written without rounding error when whole.
    Ct {
        /// Tube voltage, kV.
        kvp: f64,
        /// Contrast agent given.
        contrast: Option<Contrast>,
    },
    /// MR: values are written rounded to whole numbers.
    Mr {
        /// Scanning Sequence, such as `SE`, `GR`, `EP`.
        scanning_sequence: String,
        /// Repetition Time, ms.
        repetition_time_ms: f64,
        /// Echo Time, ms.
        echo_time_ms: f64,
        /// Contrast agent given.
        contrast: Option<Contrast>,
    },
    /// PET: values in the units stated, each slice with a slope of its own.
    Pet(Box<PetToWrite>),
}

/// A series to be written. Unique identifiers are the caller's, so that the same input gives the same files.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesToWrite<'a> {
    /// The voxels, in HU, without unit, or in the PET units stated. Their grid's frame becomes the Frame of Reference UID.
    pub volume: &'a Volume<f32>,
    /// CT, MR or PET.
    pub modality: ModalityToWrite,
    /// Patient ID; Patient's Name stays empty.
    pub patient_id: String,
    /// Patient's Sex (`M`, `F`, `O`).
    pub patient_sex: Option<String>,
    /// Patient's Weight, kg.
    pub patient_weight_kg: Option<f64>,
    /// Patient's Size, m.
    pub patient_height_m: Option<f64>,
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UID.
    pub series_uid: String,
    /// SOP Instance UID of each slice k.
    pub sop_instance_uids: Vec<String>,
    /// Study Date and Time.
    pub study_datetime: DateTime,
    /// Acquisition, Content and Series Date and Time (a PET's decay is corrected to the start of its series).
    pub acquisition_datetime: DateTime,
    /// Study Description.
    pub study_description: String,
    /// Series Description.
    pub series_description: String,
    /// Series Number.
    pub series_number: u32,
    /// Slice Thickness, mm.
    pub slice_thickness_mm: f64,
    /// Image Type, such as `ORIGINAL`, `PRIMARY`, `AXIAL`.
    pub image_type: Vec<String>,
    /// Manufacturer.
    pub manufacturer: String,
}

/// Why a series cannot be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// A UID or string the standard does not allow.
    #[error("{attribute} {value:?} is not valid DICOM ({expected})")]
    Invalid {
        /// Attribute.
        attribute: &'static str,
        /// Value given.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// One SOP Instance UID per slice is needed.
    #[error("{found} SOP Instance UIDs for {expected} slices; give one per slice")]
    SopInstances {
        /// Number of slices.
        expected: usize,
        /// Number of UIDs.
        found: usize,
    },
    /// A grid single-frame DICOM cannot hold.
    #[error(
        "the grid cannot be written as a DICOM series: {0}; resample it to a right-handed grid with perpendicular axes"
    )]
    Grid(&'static str),
    /// A value outside what 16 bits hold.
    #[error("the value {value} in slice {k} cannot be stored in 16 bits; scale the image first")]
    Value {
        /// Value.
        value: f32,
        /// Slice.
        k: usize,
    },
    /// Outlines without a single voxel.
    #[error("there is nothing to write: no outline holds a voxel")]
    Empty,
    /// An object that is no slice cannot be encoded.
    #[error("the object cannot be encoded: {reason}")]
    Object {
        /// Why.
        reason: String,
    },
    /// The data set cannot be encoded.
    #[error("slice {k} cannot be encoded: {reason}")]
    Encode {
        /// Slice.
        k: usize,
        /// Why.
        reason: String,
    },
    /// The file system refuses.
    #[error("{path} cannot be written: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes the files `IM0001.dcm`, `IM0002.dcm`, … into a folder (made where missing), slice k = 0 first; returns their paths
/// in order of k. Each file is written under a temporary name and renamed.
pub fn write_series(dir: &Path, series: &SeriesToWrite<'_>) -> Result<Vec<PathBuf>, WriteError> {
    let plane = plane_of(series)?;
    check_identifiers(series)?;
    fs::create_dir_all(dir).map_err(|source| WriteError::Io { path: dir.to_owned(), source })?;
    (0..series.volume.shape().nk)
        .into_par_iter()
        .map(|k| {
            let path = dir.join(format!("IM{:04}.dcm", k + 1));
            write_atomically(&path, &slice_bytes(series, &plane, k)?)?;
            Ok(path)
        })
        .collect()
}

fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let temporary = path.with_extension("dcm.part");
    fs::write(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|source| WriteError::Io { path: path.to_owned(), source })
}

/// The in-plane geometry all slices share.
struct PlaneGeometry {
    row: Vector3<f64>,
    column: Vector3<f64>,
    spacing_mm: [f64; 3],
}

fn plane_of(series: &SeriesToWrite<'_>) -> Result<PlaneGeometry, WriteError> {
    let plane = plane_of_grid(series.volume.grid())?;
    let (n_uids, n_slices) = (series.sop_instance_uids.len(), series.volume.shape().nk);
    if n_uids != n_slices {
        return Err(WriteError::SopInstances { expected: n_slices, found: n_uids });
    }
    Ok(plane)
}

fn plane_of_grid(grid: &Grid) -> Result<PlaneGeometry, WriteError> {
    let shape = grid.shape();
    if u16::try_from(shape.ni).is_err() || u16::try_from(shape.nj).is_err() {
        return Err(WriteError::Grid("more than 65535 rows or columns"));
    }
    let directions = grid.directions();
    let (row, column) = (directions.column(0).into_owned(), directions.column(1).into_owned());
    let normal = row.cross(&column);
    if row.dot(&column).abs() > ORTHONORMAL_TOLERANCE {
        return Err(WriteError::Grid("rows and columns are not perpendicular"));
    }
    if (directions.column(2) - normal).norm() > TILT_TOLERANCE {
        return Err(WriteError::Grid("slices do not follow the normal row x column (left-handed or sheared)"));
    }
    Ok(PlaneGeometry { row, column, spacing_mm: grid.spacing_mm() })
}

fn check_identifiers(series: &SeriesToWrite<'_>) -> Result<(), WriteError> {
    let uid = |attribute, value: &str| {
        let digits = value.split('.').all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
        let ok = digits && value.len() <= 64;
        let expected = "digits and dots, at most 64 characters";
        if ok { Ok(()) } else { Err(WriteError::Invalid { attribute, value: value.to_owned(), expected }) }
    };
    uid("Study Instance UID", &series.study_uid)?;
    uid("Series Instance UID", &series.series_uid)?;
    uid("Frame of Reference UID", series.volume.grid().frame().as_str())?;
    series.sop_instance_uids.iter().try_for_each(|u| uid("SOP Instance UID", u))?;
    let id = series.patient_id.trim();
    let expected = "1 to 64 characters without backslash";
    if id.is_empty() || id.chars().count() > 64 || id.contains('\\') {
        return Err(WriteError::Invalid { attribute: "Patient ID", value: series.patient_id.clone(), expected });
    }
    Ok(())
}

/// One slice as the bytes of a file (explicit VR little endian).
fn slice_bytes(series: &SeriesToWrite<'_>, plane: &PlaneGeometry, k: usize) -> Result<Vec<u8>, WriteError> {
    let sop_class = match &series.modality {
        ModalityToWrite::Ct { .. } => uids::CT_IMAGE_STORAGE,
        ModalityToWrite::Mr { .. } => uids::MR_IMAGE_STORAGE,
        ModalityToWrite::Pet(_) => uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE,
    };
    let mut slice = Slice { object: InMemDicomObject::new_empty() };
    slice.put_identity(series, sop_class, k);
    slice.put_geometry(series, plane, k);
    slice.put_modality(series, k);
    slice.put_pixels(series, k)?;
    let encode = |reason: String| WriteError::Encode { k, reason };
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(sop_class)
        .media_storage_sop_instance_uid(&*series.sop_instance_uids[k])
        .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
        .implementation_version_name(IMPLEMENTATION_VERSION)
        .build()
        .map_err(|e| encode(reason_of(&e)))?;
    let shape = series.volume.shape();
    let mut bytes = Vec::with_capacity(shape.ni * shape.nj * 2 + 4096);
    slice.object.with_exact_meta(meta).write_all(&mut bytes).map_err(|e| encode(reason_of(&e)))?;
    Ok(bytes)
}
