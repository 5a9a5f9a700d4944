//! Radiotherapy doses (RTDOSE) of a patient: which of them lie in the measured series' frame of reference.
//!
//! A dose belongs to the image it was planned on by its Frame of Reference UID (DICOM PS3.3 C.7.4.1), whatever day it is filed under.

use std::path::{Path, PathBuf};

use formats::archive::TimepointImages;
use formats::dicom::SliceHeader;
use imaging::Note;

use super::{SeriesPlan, VisitPlan};

/// Modality of a dose.
pub(super) const RTDOSE: &str = "RTDOSE";

/// Every dose of a patient, one header each.
fn doses(timepoints: &[TimepointImages]) -> impl Iterator<Item = SliceHeader> {
    let series = timepoints.iter().flat_map(|t| &t.series).filter(|s| s.row.modality == RTDOSE);
    series.flat_map(|s| s.headers.unpack()).filter(|header| header.frame.unwrap_or(0) == 0)
}

/// The doses in the measured series' frame of reference, by path.
pub(super) fn of_visit(timepoints: &[TimepointImages], measure: &SeriesPlan) -> Vec<PathBuf> {
    let Some(frame) = measure.entry.headers.first().and_then(|header| header.frame_uid.as_ref()) else {
        return Vec::new();
    };
    let of_frame = doses(timepoints).filter(|dose| dose.frame_uid.as_ref() == Some(frame));
    let mut paths: Vec<PathBuf> = of_frame.map(|dose| dose.path).collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Doses in a frame of reference that no visit is measured in.
pub(super) fn note_without_visit(
    archive: &Path,
    timepoints: &[TimepointImages],
    visits: &[VisitPlan],
    notes: &mut Vec<Note>,
) {
    for dose in doses(timepoints).filter(|dose| !visits.iter().any(|visit| visit.doses.contains(&dose.path))) {
        let message = "the dose lies in the frame of reference of no measured series, and a dose is not carried from one frame into another: it is not used; measure the image it was planned on";
        let file = dose.path.strip_prefix(archive).unwrap_or(&dose.path).display().to_string();
        notes.push(Note::warning("dose_without_visit", file, message));
    }
}
