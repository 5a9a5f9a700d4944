//! The objects of one visit.

use std::path::Path;

use formats::dicom::write::measurement_report::measurement_report;
use formats::dicom::write::segmentation::segmentation;
use formats::dicom::write::{
    ObjectToWrite, ReportToWrite, SegmentationToWrite, SourceSlice, WriteError, WrittenObject,
};
use imaging::Note;

use super::Request;
use super::report::{Measured, groups, modality_and_procedure, responses, time_point};
use super::segments::{Outlines, segments};
use crate::cli::DicomKind;
use crate::exported;
use crate::patient::PatientResult;
use crate::source_record::{SliceRecord, VisitSource};

/// One visit of a patient's results.
pub(super) struct Visit<'a> {
    /// The patient's folder.
    pub(super) folder: &'a Path,
    /// Everything the run found.
    pub(super) result: &'a PatientResult,
    /// What the outlines were drawn on.
    pub(super) source: &'a VisitSource,
    /// Its number, 0 = baseline.
    pub(super) number: usize,
    /// The first visit.
    pub(super) baseline: &'a VisitSource,
}

/// Series Numbers; far above those of scanners, so that the objects stand at the end of a study.
const SEG_SERIES: u32 = 9701;
const SR_SERIES: u32 = 9702;

/// One object that was made.
pub(super) struct Made {
    pub(super) modality: &'static str,
    pub(super) object: WrittenObject,
    /// SOP Instance UID it would have were there none before it.
    pub(super) content_uid: String,
    /// SOP Instance UID of the one whose place it takes; empty where it is the first.
    pub(super) predecessor: String,
}

impl Made {
    /// An object that names none before it.
    pub(super) fn new(modality: &'static str, object: WrittenObject) -> Self {
        Self { modality, content_uid: object.sop_instance_uid.clone(), object, predecessor: String::new() }
    }
}

/// The objects asked for. A report refers to its segmentation, which is written with it, and to the report `earlier` that stood in its
/// place. `Err` is a reason for a message.
pub(super) fn objects(
    request: &Request<'_>,
    visit: &Visit<'_>,
    earlier: Option<&exported::Object>,
    notes: &mut Vec<Note>,
) -> Result<Vec<Made>, String> {
    if !request.kinds.contains(&DicomKind::Seg) {
        return Ok(Vec::new());
    }
    let source = request.images.source(&visit.result.patient_id, visit.source, notes)?;
    let outlines = Outlines::read(visit, notes)?;
    let slices = slices(visit.source);
    let object = |series_number, series_description| ObjectToWrite {
        source: &source,
        series_number,
        series_description,
        version: env!("CARGO_PKG_VERSION"),
    };
    let to_write = segments(visit, &outlines);
    let (grid, segments) = (&outlines.grid, &to_write[..]);
    let outlined =
        SegmentationToWrite { object: object(SEG_SERIES, "lesiontrace outlines"), grid, slices: &slices, segments };
    let written = match segmentation(&outlined) {
        Ok(written) => Some(written),
        Err(WriteError::Empty) => None,
        Err(error) => return Err(error.to_string()),
    };
    let mut objects = Vec::new();
    if request.kinds.contains(&DicomKind::Sr) {
        let measured = Measured { visit, grid, slices: &slices, segmentation: written.as_ref() };
        objects.extend(report(&measured, object(SR_SERIES, "lesiontrace measurements"), earlier, notes)?);
    }
    objects.extend(written.map(|written| Made::new("SEG", written.object)));
    Ok(objects)
}

/// The report of a visit; none where nothing was measured or assessed.
fn report(
    measured: &Measured<'_>,
    object: ObjectToWrite<'_>,
    earlier: Option<&exported::Object>,
    notes: &mut Vec<Note>,
) -> Result<Option<Made>, String> {
    let (groups, evaluations) = (groups(measured, notes), responses(measured.visit));
    if groups.is_empty() && evaluations.is_empty() {
        return Ok(None);
    }
    let (modality, procedure) = modality_and_procedure(object.source.modality());
    let report = ReportToWrite {
        object,
        slices: measured.slices,
        segmentation: measured.segmentation,
        procedure,
        modality,
        time_point: time_point(measured.visit),
        groups: &groups,
        evaluations: &evaluations,
        predecessor: None,
    };
    let written = |report: &ReportToWrite<'_>| measurement_report(report).map_err(|error| error.to_string());
    let first = Made::new("SR", written(&report)?);
    let Some(predecessor) = exported::Object::predecessor(earlier, &first.content_uid) else { return Ok(Some(first)) };
    let object = written(&ReportToWrite { predecessor: Some(&predecessor), ..report })?;
    Ok(Some(Made { object, predecessor, ..first }))
}

/// The image of each slice.
pub(super) fn slices(source: &VisitSource) -> Vec<SourceSlice> {
    let slice = |slice: &SliceRecord| SourceSlice {
        sop_class_uid: slice.sop_class_uid.clone(),
        sop_instance_uid: slice.sop_instance_uid.clone(),
        frame: slice.frame,
    };
    source.slices.iter().map(slice).collect()
}
