//! One patient by one criterion: roles at baseline, one row per visit, the best response, and which lesions progressed.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1); Lencioni and Llovet 2010 (mRECIST) through the same rules.

use std::collections::BTreeSet;

use imaging::note::Note;
use thiserror::Error;

use super::best_response::{BestResponseRules, VisitResponse, best_response, confirmed_response_spaced};
use super::course::{VisitVerdict, follow};
use super::immune::ImmuneCourse;
use super::immune_patient::{immune_course, immune_rows};
use super::patient_roles::choose_roles;
use super::patient_visits::{course_visits, new_lesion_courses, progressed_lesions};
use super::response::OverallResponse;
use super::robustness::write_robustness;
use super::table::{Confirmation, CriterionTable};
use crate::cohort::AssessmentRow;
use crate::evaluable::Evaluable;
use crate::exact::Exact;
use crate::lesion::{LesionId, LesionRole};
use crate::time::{Date, Days};
use crate::visit_id::VisitId;

pub use super::input::{LesionVisit, NodulePattern, ReaderCall, ResponseInput, TrackedLesion, VisitInfo};
pub use super::selection::PriorTherapy;

/// Why a patient cannot be assessed at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResponseError {
    /// Nothing to start from.
    #[error("patient {0} has no visit: expected at least a baseline visit")]
    NoVisit(String),
    /// Visits out of order.
    #[error("patient {patient}: visits must be in chronological order, found {later} after {earlier}")]
    Order {
        /// Which patient.
        patient: String,
        /// The later entry, which is the earlier visit.
        later: VisitId,
        /// The entry before it.
        earlier: VisitId,
    },
    /// A lesion with another number of visits than the patient, or first seen at none of them.
    #[error(
        "lesion {lesion}: expected {expected} visits and a first sight among them, found {found} visits, first sight at {first_seen}"
    )]
    Shape {
        /// Which lesion.
        lesion: LesionId,
        /// The patient's number of visits.
        expected: usize,
        /// The lesion's.
        found: usize,
        /// Its first sight.
        first_seen: usize,
    },
    /// Two lesions of one name.
    #[error("two lesions are called {0}: lesion identifiers must be unique within a patient")]
    Twice(LesionId),
}

/// A lesion's role with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenRole {
    /// Which lesion.
    pub lesion: LesionId,
    /// Its part.
    pub role: LesionRole,
    /// Why.
    pub why: String,
}

/// How a lesion took part in a progression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProgressionPart {
    /// A target that grew above its own smallest size.
    Target,
    /// A non-target.
    NonTarget,
    /// A new lesion.
    New,
}

/// One visit after baseline with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct AssessedVisit {
    /// Index into the patient's visits.
    pub visit: usize,
    /// Its date.
    pub date: Date,
    /// Days since baseline imaging.
    pub study_day: i64,
    /// What the rules say.
    pub verdict: VisitVerdict,
    /// The lesions that made a progression; empty without one.
    pub progressed: Vec<(LesionId, ProgressionPart)>,
}

/// One patient by one criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct CriterionResult {
    /// Which criterion.
    pub criterion: String,
    /// Role of every lesion, in the order of the input.
    pub roles: Vec<ChosenRole>,
    /// Visits after baseline.
    pub visits: Vec<AssessedVisit>,
    /// Table rows, the baseline row first.
    pub rows: Vec<AssessmentRow>,
    /// Best response where once is enough.
    pub best_unconfirmed: OverallResponse,
    /// Best response where it must be seen twice.
    pub best_confirmed: OverallResponse,
    /// First of the two visits that confirm a complete or partial response before any progression; by iRECIST, which asks for no
    /// confirmation of a response, the first response.
    pub first_confirmed_response: Option<Date>,
    /// The course by iRECIST, where the criterion asks for it; the rows then bear its words.
    pub immune: Option<ImmuneCourse>,
    /// Date of the first visit with overall progression; by iRECIST of confirmed progression.
    pub progression_date: Option<Date>,
    /// What to doubt.
    pub notes: Vec<Note>,
}

impl CriterionResult {
    /// Date of the first visit with a partial or complete overall response that no progression came before.
    pub fn first_response(&self) -> Option<Date> {
        first_response(&self.rows)
    }

    /// Whether the lesions that progressed at a visit (its place in `visits`) did so for good. By iRECIST a progression that was
    /// reset is disregarded; one that was confirmed, or is still open at the end, counts from its first visit on.
    pub fn is_lasting(&self, visit: usize) -> bool {
        let Some(course) = &self.immune else { return true };
        let start = course.progression.or(course.unconfirmed);
        start.is_some() && course.verdicts.get(visit).is_some_and(|verdict| verdict.since == start)
    }

    /// Best response in the criterion's own words, once seen and confirmed. iRECIST knows one best response (iBOR).
    pub fn best_words(&self) -> (&'static str, &'static str) {
        match &self.immune {
            Some(course) => (course.best.as_str(), course.best.as_str()),
            None => (self.best_unconfirmed.as_str(), self.best_confirmed.as_str()),
        }
    }
}

/// `1 target`, `2 targets`.
fn counted(n: usize, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// The first of the two visits that confirm a response, of a sequence of (day since the origin, response).
fn first_confirmed(sequence: &[(i64, VisitResponse)], table: &CriterionTable) -> Option<usize> {
    let responses: Vec<VisitResponse> = sequence.iter().map(|(_, response)| *response).collect();
    let days = |from: Option<usize>, to: usize| sequence[to].0 - from.map_or(0, |from| sequence[from].0);
    confirmed_response_spaced(&responses, &days, &BestResponseRules::of(table, Confirmation::Required))
}

fn first_response(rows: &[AssessmentRow]) -> Option<Date> {
    let until = rows.iter().take_while(|row| !["PD", "iCPD"].contains(&row.overall.as_str()));
    let responds = |row: &&AssessmentRow| ["CR", "PR", "iCR", "iPR"].contains(&row.overall.as_str());
    until.into_iter().find(responds).map(|row| row.date)
}

/// Assesses a patient by a criterion, and says how firmly each verdict stands.
pub fn assess(input: &ResponseInput, table: &CriterionTable) -> Result<CriterionResult, ResponseError> {
    let mut result = assess_once(input, table)?;
    write_robustness(&mut result, input, table)?;
    Ok(result)
}

/// Assesses a patient with the targets as chosen.
pub(super) fn assess_once(input: &ResponseInput, table: &CriterionTable) -> Result<CriterionResult, ResponseError> {
    check(input)?;
    let (roles, notes) = choose_roles(input, table);
    let new_lesions = new_lesion_courses(input, &roles, table);
    let (baseline, course) = course_visits(input, &roles, &new_lesions, table);
    let verdicts = follow(baseline.value().copied(), &course, table);
    let start = input.visits[0].date();
    let visits: Vec<AssessedVisit> = verdicts
        .into_iter()
        .enumerate()
        .map(|(index, verdict)| AssessedVisit {
            visit: index + 1,
            date: input.visits[index + 1].date(),
            study_day: Days::between(start, input.visits[index + 1].date()).0,
            progressed: progressed_lesions(input, &roles, &new_lesions, index + 1, &verdict, table),
            verdict,
        })
        .collect();
    let origin = input.origin_date.unwrap_or(start);
    let seen = |verdict: &VisitVerdict| VisitResponse::of(verdict.overall, verdict.target, verdict.non_target_seen);
    let sequence: Vec<(i64, VisitResponse)> =
        visits.iter().map(|visit| (Days::between(origin, visit.date).0, seen(&visit.verdict))).collect();
    let best = |confirmation| best_response(&sequence, &BestResponseRules::of(table, confirmation));
    let first_pd = visits.iter().find(|visit| visit.verdict.overall == OverallResponse::Progressive);
    let immune = immune_course(input, &roles, &new_lesions, &visits, table);
    let mut rows = rows(input, &baseline, &roles, &visits, table);
    let progression_date = match &immune {
        None => first_pd.map(|visit| visit.date),
        Some(course) => {
            immune_rows(&mut rows[1..], course);
            course.progression.map(|at| visits[at].date)
        }
    };
    let first_confirmed_response = match &immune {
        Some(_) => first_response(&rows),
        None => first_confirmed(&sequence, table).map(|at| visits[at].date),
    };
    Ok(CriterionResult {
        criterion: table.id.clone(),
        rows,
        first_confirmed_response,
        immune,
        best_unconfirmed: best(Confirmation::NotRequired),
        best_confirmed: best(Confirmation::Required),
        progression_date,
        roles,
        visits,
        notes,
    })
}

fn check(input: &ResponseInput) -> Result<(), ResponseError> {
    if input.visits.is_empty() {
        return Err(ResponseError::NoVisit(input.patient_id.clone()));
    }
    for pair in input.visits.windows(2) {
        if pair[1].visit < pair[0].visit {
            let (earlier, later) = (pair[0].visit, pair[1].visit);
            return Err(ResponseError::Order { patient: input.patient_id.clone(), later, earlier });
        }
    }
    let mut names = BTreeSet::new();
    for lesion in &input.lesions {
        let (expected, found, first_seen) = (input.visits.len(), lesion.visits.len(), lesion.first_seen);
        if found != expected || first_seen >= expected {
            return Err(ResponseError::Shape { lesion: lesion.id.clone(), expected, found, first_seen });
        }
        if !names.insert(&lesion.id) {
            return Err(ResponseError::Twice(lesion.id.clone()));
        }
    }
    Ok(())
}

fn rows(
    input: &ResponseInput,
    baseline: &Evaluable<Exact>,
    roles: &[ChosenRole],
    visits: &[AssessedVisit],
    table: &CriterionTable,
) -> Vec<AssessmentRow> {
    let millimetres = |value: Option<&Exact>| value.map(|value| value.to_f64());
    let count = |role: LesionRole| roles.iter().filter(|chosen| chosen.role == role).count();
    let blank = AssessmentRow {
        patient_id: input.patient_id.clone(),
        criterion: table.id.clone(),
        date: input.visits[0].date(),
        study_day: 0,
        sum_mm: millimetres(baseline.value()),
        baseline_mm: millimetres(baseline.value()),
        nadir_mm: None,
        target: "BASELINE".to_owned(),
        non_target: String::new(),
        new_lesion: String::new(),
        overall: String::new(),
        why: format!(
            "baseline: {}, {}{}",
            counted(count(LesionRole::Target), "target"),
            counted(count(LesionRole::NonTarget), "non-target"),
            baseline.reason().map(|reason| format!("; no sum: {reason}")).unwrap_or_default()
        ),
        flips_if: String::new(),
        ablated_target: table.options.ablated_target.value.as_str().to_owned(),
        next_target: String::new(),
        next_target_mm: None,
        sum_half_width_mm: None,
        within_error: None,
        over_selections: String::new(),
        n_selections: None,
        non_target_seen: None,
        visit: input.visits[0].visit,
    };
    let row = |visit: &AssessedVisit| AssessmentRow {
        date: visit.date,
        visit: input.visits[visit.visit].visit,
        study_day: visit.study_day,
        sum_mm: millimetres(visit.verdict.sum.value()),
        baseline_mm: millimetres(visit.verdict.baseline.as_ref()),
        nadir_mm: millimetres(visit.verdict.nadir.as_ref()),
        target: visit.verdict.target.to_string(),
        non_target: visit.verdict.non_target.to_string(),
        non_target_seen: Some(visit.verdict.non_target_seen),
        new_lesion: visit.verdict.new_lesion.to_string(),
        overall: visit.verdict.overall.to_string(),
        why: visit.verdict.why.clone(),
        flips_if: visit.verdict.flips_if.clone(),
        ..blank.clone()
    };
    let followed: Vec<AssessmentRow> = visits.iter().map(row).collect();
    std::iter::once(blank).chain(followed).collect()
}
