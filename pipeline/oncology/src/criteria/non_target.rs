//! The response of the non-target lesions at one visit.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.3–4.3.4: progression must be unequivocal; without measurable disease an
//! increase comparable to progression of measurable disease (+20 % in diameter, +73 % in volume).

use std::cmp::Ordering;

use super::response::NonTargetResponse;
use super::size::{SizedLesion, is_gone, mm, percent};
use super::table::CriterionTable;
use crate::exact::Exact;
use crate::lesion::{LesionId, Size};
use crate::marker::MarkerState;

/// Sum of the measured non-targets now and at its smallest before, mm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonTargetGrowth {
    /// Now.
    pub sum: Exact,
    /// Smallest before.
    pub nadir: Exact,
}

/// What the non-targets are judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonTargets {
    /// The lesions with their coded sizes.
    pub lesions: Vec<SizedLesion>,
    /// Those a reader called unequivocally progressive at this visit.
    pub called_progressive: Vec<LesionId>,
    /// Those a reader called not progressive in spite of their size.
    pub called_stable: Vec<LesionId>,
    /// Their growth, where all are measured.
    pub growth: Option<NonTargetGrowth>,
    /// Whether the patient has targets: then growth alone never is progression.
    pub with_targets: bool,
    /// Tumour markers at this visit.
    pub markers: MarkerState,
}

/// Response and reason: by the lesions, and a complete one only with normal markers.
pub fn non_target_response(non_targets: &NonTargets, table: &CriterionTable) -> (NonTargetResponse, String) {
    let (response, why) = by_lesions(non_targets, table);
    if !matches!(response, NonTargetResponse::Complete | NonTargetResponse::NotApplicable) {
        return (response, why);
    }
    let with = |more: String| if why.is_empty() { more } else { format!("{why}; {more}") };
    match &non_targets.markers {
        MarkerState::NotFollowed | MarkerState::Normal => (response, why),
        MarkerState::Above(told) => {
            (NonTargetResponse::Persistent, with(format!("tumour marker above normal: {told}")))
        }
        MarkerState::Unknown(told) => {
            (NonTargetResponse::NotEvaluable, with(format!("a followed tumour marker is not known: {told}")))
        }
    }
}

/// The non-targets that are seen: measured or known to be there, and no normal node.
pub fn seen(lesions: &[SizedLesion], table: &CriterionTable) -> Vec<LesionId> {
    let is_seen = |lesion: &&SizedLesion| is_gone(lesion.kind, &lesion.size, &table.thresholds) == Some(false);
    lesions.iter().filter(is_seen).map(|lesion| lesion.lesion.clone()).collect()
}

fn by_lesions(non_targets: &NonTargets, table: &CriterionTable) -> (NonTargetResponse, String) {
    if non_targets.lesions.is_empty() {
        return (NonTargetResponse::NotApplicable, String::new());
    }
    if let Some(first) = non_targets.called_progressive.first() {
        return (
            NonTargetResponse::Progressive,
            format!("non-target {first} called unequivocally progressive by the reader"),
        );
    }
    let growth = non_targets.growth.filter(|growth| is_substantial(*growth, table));
    if let Some(growth) = growth.filter(|_| !non_targets.with_targets && non_targets.called_stable.is_empty()) {
        let why = format!("no targets, and {}: comparable to PD of measurable disease", growth_text(growth, table));
        return (NonTargetResponse::Progressive, why);
    }
    let missing = non_targets.lesions.iter().find_map(|lesion| match &lesion.size {
        Size::NotEvaluable(reason) => Some(format!("non-target {} not evaluable ({reason})", lesion.lesion)),
        _ => None,
    });
    if let Some(why) = missing {
        return (NonTargetResponse::NotEvaluable, why);
    }
    let gone = |lesion: &SizedLesion| is_gone(lesion.kind, &lesion.size, &table.thresholds) == Some(true);
    if non_targets.lesions.iter().all(gone) {
        return (NonTargetResponse::Complete, "all non-targets are gone".to_owned());
    }
    let n_persisting = non_targets.lesions.iter().filter(|lesion| !gone(lesion)).count();
    let persist = format!("{n_persisting} of {} non-targets persist", non_targets.lesions.len());
    let why = growth.map_or(persist.clone(), |growth| {
        format!("{persist}; {}: a reader decides whether that is unequivocal progression", growth_text(growth, table))
    });
    (NonTargetResponse::Persistent, why)
}

fn is_substantial(growth: NonTargetGrowth, table: &CriterionTable) -> bool {
    let increase = growth.sum - growth.nadir;
    let limit = i64::from(table.thresholds.pd_increase_percent.value);
    increase > Exact::ZERO
        && increase.cmp_scaled(100, growth.nadir, limit) != Ordering::Less
        && increase >= table.thresholds.pd_abs_mm.value
}

fn growth_text(growth: NonTargetGrowth, table: &CriterionTable) -> String {
    let limit = table.thresholds.pd_increase_percent.value;
    format!(
        "the measured non-targets grew from {} to {} ({})",
        mm(growth.nadir),
        mm(growth.sum),
        percent(growth.sum, growth.nadir, limit)
    )
}
