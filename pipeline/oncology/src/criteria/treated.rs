//! What is measured of a lesion at a visit: the diameter, the viable diameter, or the rule for treated lesions.
//!
//! Source: Lencioni and Llovet 2010 (mRECIST) for viable diameters; the project's rule for treated lesions in sums of
//! diameters (a zone is never measured as tumour).

use super::patient::{LesionVisit, TrackedLesion, VisitInfo};
use super::table::{AblatedTarget, CriterionTable, Quantity};
use crate::lesion::{LesionKind, LesionState, Organ, Size};
use crate::time::Date;

/// Why mRECIST says nothing of a lesion.
const NEVER_ENHANCED: &str = "no arterial hyperenhancement when first seen; followed by RECIST 1.1";

/// Whether the criterion measures the viable part of this lesion. An unknown organ is taken for the liver.
pub(super) fn is_viable_measured(lesion: &TrackedLesion, table: &CriterionTable) -> bool {
    table.quantity == Quantity::ViableDiameter
        && lesion.kind == LesionKind::Lesion
        && matches!(lesion.organ, Organ::Liver | Organ::Unknown)
}

/// The coded size that counts for this lesion at this visit.
pub(super) fn effective_size(lesion: &TrackedLesion, at: usize, visits: &[VisitInfo], table: &CriterionTable) -> Size {
    let seen = &lesion.visits[at];
    if is_viable_measured(lesion, table) {
        // What never enhanced is no target of mRECIST, and its end no response by it.
        return match lesion.unconfirmed.get(&at) {
            _ if lesion.never_enhanced => Size::NotEvaluable(NEVER_ENHANCED.to_owned()),
            Some(reason) => Size::NotEvaluable(reason.clone()),
            None => viable_size(seen),
        };
    }
    let is_treated = first_treated_visit(lesion, visits).is_some_and(|first| at >= first);
    match table.options.ablated_target.value {
        AblatedTarget::Viable if is_treated => viable_size(seen),
        _ => seen.size.clone(),
    }
}

fn viable_size(seen: &LesionVisit) -> Size {
    match (&seen.size, seen.state) {
        (Size::MergedInto(host), _) => Size::MergedInto(host.clone()),
        (_, LesionState::Absent) => Size::Absent,
        (Size::NotEvaluable(reason), LesionState::NotEvaluable) => Size::NotEvaluable(reason.clone()),
        _ => seen.viable.clone(),
    }
}

/// The first visit that shows the lesion after a local treatment given since baseline. A treatment on the day of a visit
/// counts as before it only where the lesion is already seen as treated.
pub(super) fn first_treated_visit(lesion: &TrackedLesion, visits: &[VisitInfo]) -> Option<usize> {
    let baseline = visits.first()?.date();
    let is_after = |treated: Date, at: usize| {
        let shown = matches!(
            lesion.visits[at].state,
            LesionState::Ablated | LesionState::Residual | LesionState::LocalProgression
        );
        treated >= baseline && (treated < visits[at].date() || (treated == visits[at].date() && shown))
    };
    (1..visits.len()).find(|at| lesion.treated_dates.iter().any(|treated| is_after(*treated, *at)))
}
