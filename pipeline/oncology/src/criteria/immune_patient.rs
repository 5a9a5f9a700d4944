//! A patient's lesions as iRECIST sees them: new lesions measured apart from the targets, then the state machine.
//!
//! Source: Seymour et al. 2017: up to five new lesions, two per organ, are measured by the size rules of targets and are never
//! added to their sum. What "any increase" of lesions that are not measured means is the project's rule: a reader's word, or
//! growth of their measured sum by the confirming length since the progression they belong to.

use std::collections::BTreeMap;

use super::immune::{ImmuneCourse, ImmuneVisit, NewLesions, follow_immune};
use super::immune_response::ImmuneResponse;
use super::patient::{AssessedVisit, ChosenRole, ReaderCall, ResponseInput, TrackedLesion};
use super::response::{NewLesionResponse, NonTargetResponse};
use super::selection::{Candidate, measurability};
use super::size::{counted, is_gone};
use super::table::{CriterionTable, Immune};
use super::treated::effective_size;
use crate::cohort::AssessmentRow;
use crate::exact::Exact;
use crate::lesion::{LesionKind, LesionRole, Organ};

/// The course by iRECIST; `None` where the criterion has no rules for it.
pub(super) fn immune_course(
    input: &ResponseInput,
    roles: &[ChosenRole],
    new_lesions: &[Vec<NewLesionResponse>],
    visits: &[AssessedVisit],
    table: &CriterionTable,
) -> Option<ImmuneCourse> {
    let rules = table.immune.as_ref()?;
    let sight = Sight { input, table, least: rules.confirm_increase_mm.value };
    let new = split(input, new_lesions, table, rules);
    let non_targets: Vec<&TrackedLesion> = input
        .lesions
        .iter()
        .zip(roles)
        .filter(|(_, chosen)| chosen.role == LesionRole::NonTarget)
        .map(|(lesion, _)| lesion)
        .collect();
    let of_visit = |(index, visit): (usize, &AssessedVisit)| ImmuneVisit {
        day: visit.study_day,
        target: visit.verdict.target,
        target_sum: visit.verdict.sum.value().copied(),
        non_target: visit.verdict.non_target,
        non_target_grew: non_targets_grew(&sight, &non_targets, visits, index),
        new_lesions: sight.new_lesions(&new, visit.visit),
        new_symptoms: false,
    };
    let immune_visits: Vec<ImmuneVisit> = visits.iter().enumerate().map(of_visit).collect();
    follow_immune(&immune_visits, table).ok()
}

/// Writes the words of iRECIST over those of RECIST 1.1; `rows` are the visits after baseline.
pub(super) fn immune_rows(rows: &mut [AssessmentRow], course: &ImmuneCourse) {
    for (at, row) in rows.iter_mut().enumerate() {
        let Some(verdict) = course.verdicts.get(at) else {
            row.overall = ImmuneResponse::Confirmed.to_string();
            "progression was confirmed before; iRECIST assesses no later visit".clone_into(&mut row.why);
            row.flips_if = String::new();
            continue;
        };
        row.overall = verdict.response.to_string();
        row.why = format!("{}; {}", verdict.why, row.why);
        if !verdict.flips_if.is_empty() {
            row.flips_if.clone_from(&verdict.flips_if);
        }
    }
}

/// A new lesion, the visit from which it counts, and whether it is measured.
struct NewLesion<'a> {
    lesion: &'a TrackedLesion,
    from: usize,
    measured: bool,
}

fn split<'a>(
    input: &'a ResponseInput,
    courses: &[Vec<NewLesionResponse>],
    table: &CriterionTable,
    rules: &Immune,
) -> Vec<NewLesion<'a>> {
    let from = |course: &Vec<NewLesionResponse>| course.iter().position(|one| *one == NewLesionResponse::Yes);
    let counted_from = input.lesions.iter().zip(courses).filter_map(|(lesion, course)| Some((lesion, from(course)?)));
    let mut sized: Vec<(usize, Exact, &TrackedLesion, bool)> = counted_from
        .map(|(lesion, from)| {
            let candidate = candidate(lesion, from, input, table);
            let size = candidate.size.clone().unwrap_or(Exact::ZERO);
            (from, size, lesion, measurability(&candidate, table).measurable)
        })
        .collect();
    sized.sort_by(|a, b| (a.0, b.1, &a.2.id).cmp(&(b.0, a.1, &b.2.id)));
    let mut per_organ: BTreeMap<Organ, u32> = BTreeMap::new();
    let mut n_measured = 0;
    let pick = |(from, _, lesion, measurable): (usize, Exact, &'a TrackedLesion, bool)| {
        let organ = if lesion.kind == LesionKind::Node { Organ::LymphNode } else { lesion.organ.clone() };
        let of_organ = per_organ.entry(organ).or_default();
        let measured =
            measurable && n_measured < rules.max_new_targets.value && *of_organ < rules.max_new_targets_per_organ.value;
        if measured {
            *of_organ += 1;
            n_measured += 1;
        }
        NewLesion { lesion, from, measured }
    };
    sized.into_iter().map(pick).collect()
}

fn candidate(lesion: &TrackedLesion, at: usize, input: &ResponseInput, table: &CriterionTable) -> Candidate {
    let size = effective_size(lesion, at, &input.visits, table);
    Candidate {
        lesion: lesion.id.clone(),
        organ: lesion.organ.clone(),
        kind: lesion.kind,
        size: counted(&size, &table.thresholds).map_err(str::to_owned),
        slice_mm: lesion.slice_mm,
        measured_on: lesion.measured_on,
        subtype: lesion.subtype,
        prior_therapy: lesion.prior_therapy,
    }
}

struct Sight<'a> {
    input: &'a ResponseInput,
    table: &'a CriterionTable,
    least: Exact,
}

impl Sight<'_> {
    fn size(&self, lesion: &TrackedLesion, at: usize) -> Option<Exact> {
        counted(&effective_size(lesion, at, &self.input.visits, self.table), &self.table.thresholds).ok()
    }

    fn new_lesions(&self, new: &[NewLesion<'_>], at: usize) -> NewLesions {
        let there: Vec<&NewLesion<'_>> = new.iter().filter(|one| one.from <= at).collect();
        let measured: Vec<&TrackedLesion> = there.iter().filter(|one| one.measured).map(|one| one.lesion).collect();
        let target_sum: Option<Exact> = measured.iter().map(|lesion| self.size(lesion, at)).sum();
        let others = || there.iter().filter(|one| !one.measured && one.from < at);
        let growth: Exact =
            others().filter_map(|one| Some(self.size(one.lesion, at)? - self.size(one.lesion, one.from)?)).sum();
        let is_gone = |one: &&NewLesion<'_>| {
            let size = effective_size(one.lesion, at, &self.input.visits, self.table);
            is_gone(one.lesion.kind, &size, &self.table.thresholds) == Some(true)
        };
        NewLesions {
            n_first_seen: u32::try_from(new.iter().filter(|one| one.from == at).count()).unwrap_or(u32::MAX),
            target_sum: target_sum.filter(|_| !measured.is_empty()),
            others_grew: growth >= self.least,
            others_unequivocal: others().any(|one| one.lesion.visits[at].reader == Some(ReaderCall::Progression)),
            resolved: !there.is_empty() && there.iter().all(is_gone),
        }
    }
}

/// Whether the non-targets grew further since the first visit of the progression that still stands before this one.
fn non_targets_grew(sight: &Sight<'_>, lesions: &[&TrackedLesion], visits: &[AssessedVisit], index: usize) -> bool {
    let progresses = |visit: &AssessedVisit| visit.verdict.non_target == NonTargetResponse::Progressive;
    let before = visits[..index].iter().rev().take_while(|visit| progresses(visit)).last();
    let Some(first) = before else { return false };
    let now = visits[index].visit;
    let called = lesions.iter().any(|lesion| lesion.visits[now].reader == Some(ReaderCall::Progression));
    let certain = || lesions.iter().filter(|lesion| !lesion.in_doubt.contains(&now));
    let sum = |at: usize| certain().map(|lesion| sight.size(lesion, at)).sum::<Option<Exact>>();
    called || sum(first.visit).zip(sum(now)).is_some_and(|(then, now)| now > then && now - then >= sight.least)
}
