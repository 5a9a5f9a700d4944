//! The visits of each day as headers alone tell them: two on the day of a local treatment whose time is known, where measurable images
//! lie before and after it, or as the places of NIfTI files name them. What only outlines tell apart stays one visit here.

use formats::archive::{PatientImages, TimepointImages};
use formats::clinical::TreatmentRecord;
use oncology::VisitId;

use crate::config::Study;
use crate::plan::DaySide;
use crate::plan::treatment_day::{Ordered, by_clock, is_image, is_measurable, named_time_points};

/// One visit.
pub(super) struct DayVisit {
    /// Its name; `None` where the day is not known.
    pub(super) id: Option<VisitId>,
    /// Where it stands on the day of a local treatment, where that is known.
    pub(super) side: Option<DaySide>,
    /// Whether the day has another visit on the treatment's other side.
    pub(super) is_split: bool,
    /// Its images.
    pub(super) images: TimepointImages,
}

/// The visits of a patient, in order.
pub(super) fn visits(images: &PatientImages, treatments: &[&TreatmentRecord], study: &Study) -> Vec<DayVisit> {
    images.timepoints.iter().flat_map(|day| of_day(day, treatments, study)).collect()
}

fn of_day(day: &TimepointImages, treatments: &[&TreatmentRecord], study: &Study) -> Vec<DayVisit> {
    let id = day.study_date.map(VisitId::first);
    let visit = |id, side, is_split, images| DayVisit { id, side, is_split, images };
    let of_the_day = |t: &&&TreatmentRecord| Some(t.date) == day.study_date && t.modality.is_locoregional();
    let local: Vec<&TreatmentRecord> = treatments.iter().filter(of_the_day).copied().collect();
    let points = named_time_points(day);
    if points.iter().any(|(id, _)| id.ordinal() > 1) {
        let side = |id: VisitId| match (local.is_empty(), points.len(), id.ordinal()) {
            (false, 1 | 2, 1) => Some(DaySide::Before),
            (false, 1 | 2, 2) => Some(DaySide::After),
            _ => None,
        };
        let is_split = points.len() > 1;
        return points.iter().map(|(id, images)| visit(Some(*id), side(*id), is_split, images.clone())).collect();
    }
    // What cannot be ordered is said where the patient is run.
    let Some(Ordered { mut before, mut after, .. }) = by_clock(day, &local, &mut Vec::new()) else {
        return vec![visit(id, None, false, day.clone())];
    };
    let roles = &study.series.measure;
    let has = |images: &TimepointImages| images.series.iter().any(|s| is_measurable(s, roles));
    match (has(&before), has(&after)) {
        (true, true) => {
            // Each series is counted once: what has no side of its own stands with the first visit.
            after.series.retain(is_image);
            before.series = day.series.iter().filter(|s| !after.series.contains(s)).cloned().collect();
            let further = id.map(VisitId::next_of_day);
            vec![visit(id, Some(DaySide::Before), true, before), visit(further, Some(DaySide::After), true, after)]
        }
        (false, true) => vec![visit(id, Some(DaySide::After), false, day.clone())],
        (true, false) => vec![visit(id, Some(DaySide::Before), false, day.clone())],
        (false, false) => vec![visit(id, None, false, day.clone())],
    }
}
