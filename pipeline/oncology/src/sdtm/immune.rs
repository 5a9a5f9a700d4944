//! iRECIST from SDTM rows: new lesions as TU identifies them and TR measures them.
//!
//! Source: Seymour et al. 2017 (iRECIST); CDISC SDTM-IG 3.4, TUMSTATE for lesions that are not measured.

use std::collections::BTreeMap;

use super::new_lesions::NewLesionCourse;
use super::reading::{Course, Reading};
use super::sizes::{kind_of, state};
use super::visits::Visit;
use super::{SdtmAssessment, TuRow};
use crate::criteria::course::VisitVerdict;
use crate::criteria::immune::{ImmuneVerdict, ImmuneVisit, NewLesions, follow_immune_spaced};
use crate::criteria::immune_response::ImmuneResponse;
use crate::criteria::response::{NewLesionResponse, NonTargetResponse};
use crate::criteria::size::counted;
use crate::criteria::table::CriterionTable;
use crate::exact::Exact;
use crate::lesion::LesionKind;

/// The verdicts by iRECIST, up to the visit that confirms progression; `None` where the criterion has no rules for it.
pub(super) fn immune_verdicts(
    reading: &Reading<'_>,
    course: &Course<'_>,
    verdicts: &[VisitVerdict],
    days: &dyn Fn(usize, usize) -> i64,
    table: &CriterionTable,
) -> Option<Vec<ImmuneVerdict>> {
    table.immune.as_ref()?;
    let measured = measured(reading, &course.new_lesions, table);
    let visit = |(at, verdict): (usize, &VisitVerdict)| ImmuneVisit {
        day: days(0, at),
        target: verdict.target,
        target_sum: verdict.sum.value().copied(),
        non_target: verdict.non_target,
        // TR says anew at each visit whether a non-target progresses: said again, it grew further.
        non_target_grew: at > 0
            && [verdicts[at - 1].non_target, verdict.non_target] == [NonTargetResponse::Progressive; 2],
        new_lesions: new_lesions(reading, &course.new_lesions, &measured, reading.baseline + 1 + at, table),
        new_symptoms: false,
    };
    let visits: Vec<ImmuneVisit> = verdicts.iter().enumerate().map(visit).collect();
    follow_immune_spaced(&visits, days, table).ok().map(|course| course.verdicts)
}

/// The new lesions that are measured: large enough at first sight, within the limits of number and organ.
fn measured<'a>(reading: &Reading<'_>, new: &[NewLesionCourse<'a>], table: &CriterionTable) -> Vec<&'a str> {
    let Some(rules) = &table.immune else { return Vec::new() };
    let limit = |row: &TuRow| match kind_of(row) {
        LesionKind::Node => table.thresholds.node_measurable_mm.value,
        LesionKind::Lesion => table.thresholds.lesion_measurable_mm.value,
    };
    let first_sight = |one: &NewLesionCourse<'a>| {
        let from = one.from()?;
        let size = counted(&reading.size(one.row, &reading.visits[from]), &table.thresholds).ok()?;
        Some((from, size, one.row))
    };
    let mut sized: Vec<(usize, Exact, &'a TuRow)> = new.iter().filter_map(first_sight).collect();
    sized.sort_by(|a, b| (a.0, b.1, &a.2.link).cmp(&(b.0, a.1, &b.2.link)));
    let mut per_organ: BTreeMap<&str, u32> = BTreeMap::new();
    let mut picked = Vec::new();
    for (_, size, row) in sized {
        let organ = if kind_of(row) == LesionKind::Node { "LYMPH NODE" } else { row.location.as_str() };
        let of_organ = per_organ.entry(organ).or_default();
        let has_room =
            picked.len() < rules.max_new_targets.value as usize && *of_organ < rules.max_new_targets_per_organ.value;
        if size >= limit(row) && has_room {
            *of_organ += 1;
            picked.push(row.link.as_str());
        }
    }
    picked
}

/// The new lesions at the visit of a position among all visits; equivocal ones do not count.
fn new_lesions(
    reading: &Reading<'_>,
    new: &[NewLesionCourse<'_>],
    measured: &[&str],
    at: usize,
    table: &CriterionTable,
) -> NewLesions {
    let visit: &Visit = &reading.visits[at];
    let there: Vec<(&NewLesionCourse<'_>, usize)> =
        new.iter().filter_map(|one| Some((one, one.from()?))).filter(|(_, from)| *from <= at).collect();
    let is_measured = |one: &NewLesionCourse<'_>| measured.contains(&one.row.link.as_str());
    let sizes: Option<Vec<Exact>> = there
        .iter()
        .filter(|(one, _)| is_measured(one))
        .map(|(one, _)| counted(&reading.size(one.row, visit), &table.thresholds).ok())
        .collect();
    let others = || there.iter().filter(|(one, from)| !is_measured(one) && *from < at);
    let says = |one: &NewLesionCourse<'_>, word: &str| {
        reading.results_of(&one.row.link, visit).any(|result| state(result).contains(word))
    };
    let first_seen = there.iter().filter(|(_, from)| *from == at).count();
    NewLesions {
        n_first_seen: u32::try_from(first_seen).unwrap_or(u32::MAX),
        target_sum: sizes.filter(|sizes| !sizes.is_empty()).map(|sizes| sizes.into_iter().sum()),
        others_grew: others().any(|(one, _)| says(one, "INCREAS") || says(one, "PROGRESS")),
        others_unequivocal: others().any(|(one, _)| says(one, "PROGRESS")),
        resolved: !there.is_empty() && there.iter().all(|(one, _)| one.states[at] == NewLesionResponse::No),
    }
}

/// Writes the words of iRECIST over those of RECIST 1.1; `None` is a visit after confirmed progression.
pub(super) fn write_over(assessment: &mut SdtmAssessment, verdict: Option<&ImmuneVerdict>) {
    let Some(verdict) = verdict else {
        assessment.overall = ImmuneResponse::Confirmed.to_string();
        "progression was confirmed before; iRECIST assesses no later visit".clone_into(&mut assessment.why);
        assessment.flips_if = String::new();
        return;
    };
    assessment.overall = verdict.response.to_string();
    assessment.why = format!("{}; {}", verdict.why, assessment.why);
    if !verdict.flips_if.is_empty() {
        assessment.flips_if.clone_from(&verdict.flips_if);
    }
}
