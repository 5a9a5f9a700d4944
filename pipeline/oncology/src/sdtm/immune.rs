//! iRECIST from SDTM rows: new lesions as TU identifies them and TR measures them.
//!
//! Source: Seymour et al. 2017 (iRECIST); CDISC SDTM-IG 3.4, TUMSTATE for lesions that are not measured.

use std::collections::BTreeMap;

use super::visits::{Reading, Visit, kind_of, state};
use super::{SdtmAssessment, TuRow};
use crate::criteria::course::{CourseVisit, VisitVerdict};
use crate::criteria::immune::{ImmuneVerdict, ImmuneVisit, NewLesions, follow_immune};
use crate::criteria::immune_response::ImmuneResponse;
use crate::criteria::response::NonTargetResponse;
use crate::criteria::size::counted;
use crate::criteria::table::CriterionTable;
use crate::exact::Exact;
use crate::lesion::LesionKind;

/// The verdicts by iRECIST, up to the visit that confirms progression; `None` where the criterion has no rules for it.
pub(super) fn immune_verdicts(
    reading: &Reading<'_>,
    course: &[CourseVisit],
    verdicts: &[VisitVerdict],
    table: &CriterionTable,
) -> Option<Vec<ImmuneVerdict>> {
    table.immune.as_ref()?;
    let new = reading.of_role("NEW");
    let measured = measured(reading, &new, table);
    let later = reading.visits.iter().skip(1);
    let visits: Vec<ImmuneVisit> = later
        .zip(course)
        .zip(verdicts)
        .enumerate()
        .map(|(at, ((visit, course), verdict))| ImmuneVisit {
            day: course.day,
            target: verdict.target,
            target_sum: verdict.sum.value().copied(),
            non_target: verdict.non_target,
            // TR says anew at each visit whether a non-target progresses: said again, it grew further.
            non_target_grew: at > 0
                && [verdicts[at - 1].non_target, verdict.non_target] == [NonTargetResponse::Progressive; 2],
            new_lesions: new_lesions(reading, &new, &measured, visit, table),
            new_symptoms: false,
        })
        .collect();
    follow_immune(&visits, table).ok().map(|course| course.verdicts)
}

/// The new lesions that are measured: large enough at first sight, within the limits of number and organ.
fn measured<'a>(reading: &Reading<'_>, new: &[&'a TuRow], table: &CriterionTable) -> Vec<&'a str> {
    let Some(rules) = &table.immune else { return Vec::new() };
    let first_size = |row: &TuRow| {
        let visit = reading.visits.iter().find(|visit| visit.number == row.visit_num)?;
        counted(&reading.size(row, visit), &table.thresholds).ok()
    };
    let limit = |row: &TuRow| match kind_of(row) {
        LesionKind::Node => table.thresholds.node_measurable_mm.value,
        LesionKind::Lesion => table.thresholds.lesion_measurable_mm.value,
    };
    let mut sized: Vec<(Exact, Exact, &TuRow)> =
        new.iter().filter_map(|row| Some((row.visit_num, first_size(row)?, *row))).collect();
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

fn new_lesions(
    reading: &Reading<'_>,
    new: &[&TuRow],
    measured: &[&str],
    visit: &Visit,
    table: &CriterionTable,
) -> NewLesions {
    let there: Vec<&&TuRow> = new.iter().filter(|row| row.visit_num <= visit.number).collect();
    let is_measured = |row: &&&TuRow| measured.contains(&row.link.as_str());
    let sizes: Option<Vec<Exact>> = there
        .iter()
        .copied()
        .filter(is_measured)
        .map(|row| counted(&reading.size(row, visit), &table.thresholds).ok())
        .collect();
    let says =
        |row: &TuRow, word: &str| reading.results_of(&row.link, visit).any(|result| state(result).contains(word));
    let others = || there.iter().filter(|row| !measured.contains(&row.link.as_str()) && row.visit_num < visit.number);
    let first_seen = new.iter().filter(|row| row.visit_num == visit.number).count();
    NewLesions {
        n_first_seen: u32::try_from(first_seen).unwrap_or(u32::MAX),
        target_sum: sizes.filter(|sizes| !sizes.is_empty()).map(|sizes| sizes.into_iter().sum()),
        others_grew: others().any(|row| says(row, "INCREAS") || says(row, "PROGRESS")),
        others_unequivocal: others().any(|row| says(row, "PROGRESS")),
        resolved: !there.is_empty() && there.iter().all(|row| says(row, "ABSENT")),
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
