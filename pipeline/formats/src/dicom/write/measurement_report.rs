//! Writes measurements of one visit as a structured report after template TID 1500: what was measured on which segment and slice, how
//! large, and what the response is.
//!
//! A lesion with an outline has a volumetric group (TID 1411) that refers to its segment, and a planar group (TID 1410) that refers to
//! the segment's frame, whose axes are lines on the image they were measured on. A lesion without one has a group without a region
//! (TID 1501). All groups of a lesion share its tracking identifier and UID. Responses stand under Qualitative Evaluations.
//!
//! Source: DICOM PS3.16 TID 1500, 1501, 1502, 1410, 1411, 1419, 300, 320, 1001, 1004, 1204, 1600; PS3.3 A.35.13 (Comprehensive 3D SR),
//! C.17 (SR document), C.18.6 and C.18.9 (coordinates).

use dicom::core::VR;
use dicom::dictionary_std::{tags, uids};
use imaging::{FrameId, Patient, Point};

use super::WriteError;
use super::item::Item;
use super::object::{ObjectToWrite, PROGRAM, WrittenObject, common, finish, series_uid};
use super::segmentation::{SourceSlice, Tracking, WrittenSegmentation, instances, reference};
use crate::dicom::sr::Code;
use crate::dicom::uid::derived_uid;
use content::{CONTAINS, HAS_ACQ_CONTEXT, HAS_CONCEPT_MOD, HAS_OBS_CONTEXT, code, container, dcm, item, text, uid};

mod content;
mod groups;

/// Coding scheme of concepts that no standard scheme has.
pub const OWN_SCHEME: &str = "99LESIONTRACE";

/// Where a visit stands in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimePoint {
    /// Its name, such as `2024-03-01`.
    pub name: String,
    /// Days since baseline; `None` at baseline.
    pub days_since_baseline: Option<i64>,
}

/// Where a line was drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum LineToWrite {
    /// On an image: column and row, the outer corner of the first pixel being 0, 0.
    InImage {
        /// Its ends.
        ends: [[f64; 2]; 2],
        /// The image.
        image: SourceSlice,
    },
    /// In the patient, LPS mm, where it lies on no acquired image.
    InPatient {
        /// Its ends.
        ends: [Point<Patient>; 2],
        /// Frame of reference.
        frame: FrameId,
    },
}

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasurementToWrite {
    /// What was measured.
    pub concept: Code,
    /// Mean, maximum, …
    pub derivation: Option<Code>,
    /// The number, finite. What could not be measured is an evaluation in words: readers give up a report with a number that has no
    /// value.
    pub value: f64,
    /// Its unit (UCUM).
    pub unit: Code,
    /// Where it was measured, if it is a length.
    pub line: Option<LineToWrite>,
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// By a code.
    Code(Code),
    /// In words.
    Text(String),
}

/// A question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationToWrite {
    /// The question.
    pub concept: Code,
    /// The answer.
    pub answer: Answer,
    /// By which method, such as RECIST 1.1.
    pub method: Option<Code>,
}

/// What a group was measured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegionToWrite {
    /// A segment of the segmentation (TID 1411).
    Segment(u16),
    /// A segment in one frame, which shows no other, and the image it was drawn on (TID 1410).
    SegmentFrame {
        /// The frame, from 1.
        frame: u32,
        /// The image.
        image: SourceSlice,
    },
    /// Nothing that has an outline (TID 1501).
    Nothing,
}

/// One group of measurements.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupToWrite {
    /// The lesion.
    pub tracking: Tracking,
    /// What it is.
    pub finding: Code,
    /// Where it lies, if that is known.
    pub site: Option<Code>,
    /// Who measured, as named; `None`: the program.
    pub observer: Option<String>,
    /// What was measured on.
    pub region: RegionToWrite,
    /// Numbers.
    pub measurements: Vec<MeasurementToWrite>,
    /// State and the like.
    pub evaluations: Vec<EvaluationToWrite>,
}

/// A report to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportToWrite<'a> {
    /// Where it belongs, and who made it.
    pub object: ObjectToWrite<'a>,
    /// The images of the measured series.
    pub slices: &'a [SourceSlice],
    /// The segmentation its groups refer to.
    pub segmentation: Option<&'a WrittenSegmentation>,
    /// Procedure Reported.
    pub procedure: Code,
    /// The modality of the images as a code.
    pub modality: Code,
    /// When.
    pub time_point: TimePoint,
    /// Measurement groups.
    pub groups: &'a [GroupToWrite],
    /// Responses of the patient at the visit.
    pub evaluations: &'a [EvaluationToWrite],
    /// SOP Instance UID of the report of the same series that this one takes the place of.
    pub predecessor: Option<&'a str>,
}

/// The bytes of a report.
///
/// # Errors
/// The data set cannot be encoded, a number is not finite, or a group refers to a segmentation that is not given.
pub fn measurement_report(report: &ReportToWrite<'_>) -> Result<WrittenObject, WriteError> {
    let needs_segments = report.groups.iter().any(|group| group.region != RegionToWrite::Nothing);
    if needs_segments && report.segmentation.is_none() {
        return Err(WriteError::Object { reason: "a group refers to a segment, and no segmentation is given".into() });
    }
    if report.groups.iter().flat_map(|group| &group.measurements).any(|m| !m.value.is_finite()) {
        return Err(WriteError::Object { reason: "a measurement is no finite number; say in words why".into() });
    }
    let item = common("SR", &report.object)
        .text(tags::COMPLETION_FLAG, VR::CS, "COMPLETE")
        .text(tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED")
        .text(tags::PRELIMINARY_FLAG, VR::CS, "FINAL")
        .items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, [])
        .items(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, [])
        .items(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, [evidence(report)])
        .all_of(&predecessor(report).object)
        .items(tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE, [own_scheme()])
        .text(tags::VALUE_TYPE, VR::CS, "CONTAINER")
        .code(tags::CONCEPT_NAME_CODE_SEQUENCE, &dcm("126000", "Imaging Measurement Report"))
        .text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE")
        .items(tags::CONTENT_TEMPLATE_SEQUENCE, [content::template("1500")])
        .items(tags::CONTENT_SEQUENCE, root(report));
    finish(uids::COMPREHENSIVE3_DSR_STORAGE, item, report.object.source)
}

/// Every object the report refers to, by series.
fn evidence(report: &ReportToWrite<'_>) -> Item {
    let source = report.object.source;
    let series = |uid: &str, references: Vec<Item>| {
        Item::new().text(tags::SERIES_INSTANCE_UID, VR::UI, uid).items(tags::REFERENCED_SOP_SEQUENCE, references)
    };
    let images = instances(report.slices).map(|(class, instance)| reference(class, instance)).collect();
    let mut all = vec![series(source.series_uid(), images)];
    if let Some(segmentation) = report.segmentation {
        let object = &segmentation.object;
        all.push(series(&object.series_uid, vec![reference(object.sop_class_uid, &object.sop_instance_uid)]));
    }
    Item::new().text(tags::STUDY_INSTANCE_UID, VR::UI, source.study_uid()).items(tags::REFERENCED_SERIES_SEQUENCE, all)
}

/// The report whose place this one takes (PS3.3 C.17.2, Predecessor Documents Sequence).
fn predecessor(report: &ReportToWrite<'_>) -> Item {
    let Some(earlier) = report.predecessor else { return Item::new() };
    let source = report.object.source;
    let series = Item::new()
        .text(tags::SERIES_INSTANCE_UID, VR::UI, &series_uid("SR", source))
        .items(tags::REFERENCED_SOP_SEQUENCE, [reference(uids::COMPREHENSIVE3_DSR_STORAGE, earlier)]);
    let study = Item::new()
        .text(tags::STUDY_INSTANCE_UID, VR::UI, source.study_uid())
        .items(tags::REFERENCED_SERIES_SEQUENCE, [series]);
    Item::new().items(tags::PREDECESSOR_DOCUMENTS_SEQUENCE, [study])
}

/// Whose the private codes are.
fn own_scheme() -> Item {
    Item::new()
        .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, OWN_SCHEME)
        .text(tags::CODING_SCHEME_NAME, VR::ST, "Concepts of lesiontrace that no standard scheme has")
        .text(tags::CODING_SCHEME_RESPONSIBLE_ORGANIZATION, VR::ST, PROGRAM)
}

/// The items below the root, in the template's order.
fn root(report: &ReportToWrite<'_>) -> Vec<Item> {
    let english = Code::new("en", "RFC5646", "English");
    let version = report.object.version;
    let observer = derived_uid(&["lesiontrace observer", version]);
    let mut items = vec![
        code(HAS_CONCEPT_MOD, &dcm("121049", "Language of Content Item and Descendants"), &english),
        code(HAS_OBS_CONTEXT, &dcm("121005", "Observer Type"), &dcm("121007", "Device")),
        uid(HAS_OBS_CONTEXT, &dcm("121012", "Device Observer UID"), &observer),
        text(HAS_OBS_CONTEXT, &dcm("121013", "Device Observer Name"), PROGRAM),
        text(HAS_OBS_CONTEXT, &dcm("121014", "Device Observer Manufacturer"), PROGRAM),
        text(HAS_OBS_CONTEXT, &dcm("121015", "Device Observer Model Name"), &format!("{PROGRAM} {version}")),
        code(HAS_CONCEPT_MOD, &dcm("121058", "Procedure reported"), &report.procedure),
        image_library(report),
    ];
    if !report.groups.is_empty() {
        let groups = report.groups.iter().map(|group| groups::group(report, group)).collect();
        items.push(container(CONTAINS, &dcm("126010", "Imaging Measurements"), None, groups));
    }
    if !report.evaluations.is_empty() {
        let evaluations = report.evaluations.iter().map(groups::evaluation).collect();
        items.push(container(CONTAINS, &Code::new("C0034375", "UMLS", "Qualitative Evaluations"), None, evaluations));
    }
    items
}

/// The images of the series in one group (TID 1600).
fn image_library(report: &ReportToWrite<'_>) -> Item {
    let source = report.object.source;
    let mut entries = vec![code(HAS_ACQ_CONTEXT, &dcm("121139", "Modality"), &report.modality)];
    if let Some(date) = source.study_date() {
        let item = item(HAS_ACQ_CONTEXT, "DATE", &dcm("111060", "Study Date"));
        entries.push(item.text(tags::DATE, VR::DA, &date));
    }
    if let Some(frame) = source.frame_uid() {
        entries.push(uid(HAS_ACQ_CONTEXT, &dcm("112227", "Frame of Reference UID"), frame));
    }
    entries.extend(instances(report.slices).map(|(class, instance)| {
        Item::new()
            .text(tags::RELATIONSHIP_TYPE, VR::CS, CONTAINS)
            .text(tags::VALUE_TYPE, VR::CS, "IMAGE")
            .items(tags::REFERENCED_SOP_SEQUENCE, [reference(class, instance)])
    }));
    let group = container(CONTAINS, &dcm("126200", "Image Library Group"), None, entries);
    container(CONTAINS, &dcm("111028", "Image Library"), Some("1600"), vec![group])
}

#[cfg(test)]
mod tests;
