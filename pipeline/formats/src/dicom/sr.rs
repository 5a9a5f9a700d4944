//! Reads a reader's measurements from a structured report (SR) after template TID 1500: what was measured, where, how large.
//!
//! Every measurement group (TID 1411, 1410 or 1501) becomes a lesion's identity, its sites, its outline or coordinates, and its
//! values with their units. What cannot be understood is kept with the reason; nothing is guessed.
//!
//! Source: DICOM PS3.16 TID 1500 (Measurement Report), TID 1411, 1410, 1501 (groups), TID 300 (measurement); PS3.3 C.17.3
//! (content items), C.18.6 and C.18.9 (spatial coordinates).

use std::path::{Path, PathBuf};

use dicom::dictionary_std::tags;
use imaging::{FrameId, Note, Noted, Patient, Point};
use thiserror::Error;

use super::element;
use super::file::open_whole;
use super::header::HeaderError;
use content::Item;

mod content;
mod group;
mod place;
mod quantity;

pub use quantity::{Quantity, Value};

/// Why a report cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SrError {
    /// The file cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The file is no structured report.
    #[error("{} is not a structured report (modality {modality}); name the SR file", path.display())]
    NotAReport {
        /// File.
        path: PathBuf,
        /// Modality found.
        modality: String,
    },
    /// Another kind of report.
    #[error("{} is a report of another kind ({title}); expected an Imaging Measurement Report (TID 1500)", path.display())]
    OtherTemplate {
        /// File.
        path: PathBuf,
        /// Its title.
        title: String,
    },
    /// A group's place cannot be found in the images.
    #[error("{group}: {reason}")]
    NoPlace {
        /// The group by its tracking identifier or number.
        group: String,
        /// Why.
        reason: String,
    },
}

/// A coded concept: value, scheme, meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Code {
    /// Code value.
    pub value: String,
    /// Coding scheme designator, such as DCM, SCT or SRT.
    pub scheme: String,
    /// Meaning in words.
    pub meaning: String,
}

/// A segment of a segmentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentReference {
    /// SOP Instance UID of the segmentation.
    pub sop_instance_uid: String,
    /// Its segments.
    pub numbers: Vec<u16>,
}

/// An image, or frames of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Frames, from 1; empty where the image has one.
    pub frames: Vec<u32>,
}

/// What coordinates draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Graphic {
    /// One point, or several.
    Point,
    /// A line, closed where the last point is the first.
    Polyline,
    /// Centre and a point of the circle.
    Circle,
    /// End points of the major, then of the minor axis.
    Ellipse,
    /// A closed polygon.
    Polygon,
}

/// Where something was drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Region {
    /// In pixels of an image: column and row, the outer corner of the first pixel being 0, 0 (PS3.3 C.18.6.1).
    InImage {
        /// What is drawn.
        graphic: Graphic,
        /// Column and row.
        points: Vec<[f64; 2]>,
        /// The image.
        image: ImageReference,
    },
    /// In the patient, LPS mm.
    InPatient {
        /// What is drawn.
        graphic: Graphic,
        /// Points.
        points: Vec<Point<Patient>>,
        /// Frame of reference.
        frame: FrameId,
    },
}

/// One number of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct SrMeasurement {
    /// What was measured, where the program knows the concept.
    pub quantity: Quantity,
    /// The concept as written.
    pub concept: Code,
    /// Derivation (mean, maximum, …), where stated.
    pub derivation: Option<Code>,
    /// The number in the unit of the quantity, or why it has none.
    pub value: Value,
    /// The unit as written (UCUM).
    pub unit: String,
    /// Where it was measured, where it has coordinates of its own.
    pub regions: Vec<Region>,
}

/// One measurement group.
#[derive(Debug, Clone, PartialEq)]
pub struct SrGroup {
    /// Its number in the report, from 1.
    pub number: usize,
    /// Tracking Identifier.
    pub tracking_id: Option<String>,
    /// Tracking Unique Identifier.
    pub tracking_uid: Option<String>,
    /// Finding.
    pub finding: Option<Code>,
    /// Finding sites.
    pub sites: Vec<Code>,
    /// Segment it was measured on.
    pub segment: Option<SegmentReference>,
    /// Series the segmentation was drawn on.
    pub source_series: Vec<String>,
    /// Coordinates of the group.
    pub regions: Vec<Region>,
    /// Numbers, in the order of the report.
    pub measurements: Vec<SrMeasurement>,
}

/// A measurement report.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasurementReport {
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Patient ID as written.
    pub patient_id: String,
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UIDs of the evidence it names.
    pub referenced_series: Vec<String>,
    /// Groups, in the order of the report.
    pub groups: Vec<SrGroup>,
}

/// Imaging Measurement Report.
const MEASUREMENT_REPORT: (&str, &str) = ("126000", "DCM");
/// Imaging Measurements.
const IMAGING_MEASUREMENTS: (&str, &str) = ("126010", "DCM");
/// Measurement Group.
const MEASUREMENT_GROUP: (&str, &str) = ("125007", "DCM");

/// Reads a report.
pub fn read_measurement_report(path: &Path) -> Result<Noted<MeasurementReport>, SrError> {
    let (object, ..) = open_whole(path)?;
    let text = |tag| element::text(&object, tag).unwrap_or_default();
    let modality = text(tags::MODALITY);
    if modality != "SR" {
        return Err(SrError::NotAReport { path: path.to_owned(), modality });
    }
    let root = Item::of(&object);
    let title = root.concept().unwrap_or_default();
    if !title.is(MEASUREMENT_REPORT) {
        return Err(SrError::OtherTemplate { path: path.to_owned(), title: title.meaning });
    }
    let mut notes = Vec::new();
    let containers = root.children().filter(|item| item.named(IMAGING_MEASUREMENTS));
    let items: Vec<Item<'_>> = containers.flat_map(|c| c.children()).filter(|i| i.named(MEASUREMENT_GROUP)).collect();
    let groups: Vec<SrGroup> = items.iter().enumerate().map(|(n, item)| group::read(n + 1, item)).collect();
    if groups.is_empty() {
        let message = "the report holds no measurement group (125007, DCM) below Imaging Measurements (126010, DCM)";
        notes.push(Note::warning("report_without_groups", text(tags::SOP_INSTANCE_UID), message));
    }
    let report = MeasurementReport {
        sop_instance_uid: text(tags::SOP_INSTANCE_UID),
        patient_id: text(tags::PATIENT_ID),
        study_uid: text(tags::STUDY_INSTANCE_UID),
        referenced_series: evidence(&object),
        groups,
    };
    Ok(Noted::new(report, notes))
}

/// Series named as evidence (current and other).
fn evidence(object: &dicom::object::InMemDicomObject) -> Vec<String> {
    let sequences = [tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, tags::PERTINENT_OTHER_EVIDENCE_SEQUENCE];
    let studies = sequences.iter().flat_map(|tag| element::items(object, *tag));
    let series = studies.flat_map(|study| element::items(study, tags::REFERENCED_SERIES_SEQUENCE));
    let mut uids: Vec<String> = series.filter_map(|s| element::text(s, tags::SERIES_INSTANCE_UID)).collect();
    uids.sort();
    uids.dedup();
    uids
}

impl Code {
    /// From its three parts.
    #[must_use]
    pub fn new(value: impl Into<String>, scheme: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self { value: value.into(), scheme: scheme.into(), meaning: meaning.into() }
    }

    /// Whether it is this code.
    pub(super) fn is(&self, (value, scheme): (&str, &str)) -> bool {
        self.value == value && self.scheme == scheme
    }
}

impl SrGroup {
    /// How messages call it: its tracking identifier, else its number.
    #[must_use]
    pub fn name(&self) -> String {
        self.tracking_id.clone().unwrap_or_else(|| format!("measurement group {}", self.number))
    }
}

#[cfg(test)]
mod tests;
