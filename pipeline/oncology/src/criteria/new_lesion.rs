//! Whether a lesion first seen after baseline counts as new at a visit: no, perhaps, or unequivocally.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.5; EORTC RECIST FAQ (abnormal nodes); Lencioni and Llovet 2010 for new
//! nodules of the liver.

use super::patient::{NodulePattern, ReaderCall, TrackedLesion};
use super::response::NewLesionResponse::{self, Equivocal, No, Yes};
use super::size::counted;
use super::table::{CriterionTable, EquivocalNewLesion};
use super::treated::is_viable_measured;
use crate::exact::Exact;
use crate::lesion::{LesionKind, LesionState, Size};

/// The lesion's part as a new lesion at every visit, baseline first. A lesion that was equivocal and is confirmed later
/// counts from its first sight where the criterion dates back.
pub(super) fn new_lesion_course(lesion: &TrackedLesion, table: &CriterionTable) -> Vec<NewLesionResponse> {
    let mut course = vec![No; lesion.visits.len()];
    if lesion.first_seen == 0 {
        return course;
    }
    for at in lesion.first_seen..lesion.visits.len() {
        course[at] = at_visit(lesion, at, course[at - 1], table);
    }
    if table.options.equivocal_new_lesion.value == EquivocalNewLesion::BackDate
        && let Some(confirmed) = course.iter().position(|response| *response == Yes)
    {
        for response in &mut course[lesion.first_seen..confirmed] {
            if *response == Equivocal {
                *response = Yes;
            }
        }
    }
    course
}

fn at_visit(lesion: &TrackedLesion, at: usize, before: NewLesionResponse, table: &CriterionTable) -> NewLesionResponse {
    let seen = &lesion.visits[at];
    match seen.reader {
        Some(ReaderCall::Progression) => return Yes,
        Some(ReaderCall::NoProgression) => return No,
        Some(ReaderCall::Equivocal) => return Equivocal,
        None => {}
    }
    let first_sight = at == lesion.first_seen;
    match (&seen.size, seen.state) {
        (Size::Absent, _) | (_, LesionState::Absent) => return No,
        (Size::NotEvaluable(_) | Size::MergedInto(_), _) | (_, LesionState::NotEvaluable) => {
            return if first_sight { Equivocal } else { before };
        }
        (_, LesionState::Uncertain) => return Equivocal,
        _ => {}
    }
    let Ok(size) = counted(&seen.size, &table.thresholds) else { return before };
    let by_size = match lesion.kind {
        LesionKind::Node if size < table.thresholds.node_normal_mm.value => No,
        LesionKind::Node if size < table.thresholds.equivocal_node_mm.value => Equivocal,
        LesionKind::Lesion if size == Exact::ZERO => No,
        LesionKind::Lesion if is_viable_measured(lesion, table) => liver_nodule(lesion, at, size, table),
        LesionKind::Node | LesionKind::Lesion => Yes,
    };
    // Once unequivocal, a lesion that is still there stays so.
    if before == Yes && by_size == Equivocal { Yes } else { by_size }
}

/// A new nodule of the liver by its vascular pattern: typical from the least size on, atypical once it has grown by it.
fn liver_nodule(lesion: &TrackedLesion, at: usize, size: Exact, table: &CriterionTable) -> NewLesionResponse {
    let least = table.thresholds.new_lesion_min_mm.value;
    let at_first = counted(&lesion.visits[lesion.first_seen].size, &table.thresholds).ok();
    if size < least {
        return Equivocal;
    }
    if at_first.is_some_and(|first| size - first >= least && least > Exact::ZERO) {
        return Yes;
    }
    let enhances = counted(&lesion.visits[at].viable, &table.thresholds).is_ok_and(|viable| viable >= least);
    match lesion.pattern {
        NodulePattern::Typical => Yes,
        NodulePattern::Unread if enhances => Yes,
        NodulePattern::Unread | NodulePattern::Atypical => Equivocal,
    }
}
