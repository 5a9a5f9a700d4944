//! SDTM tumour tables in, responses out: TU and TR rows become visits, visits become responses, responses become RS
//! rows.
//!
//! Source: CDISC SDTM-IG 3.4, domains TU, TR and RS. Each evaluator is assessed alone; missing rows are "not
//! evaluable". The order of the rows plays no part.

mod acceptance;
pub mod cohort_tables;
mod dating;
mod immune;
mod markers;
mod new_lesions;
mod reading;
mod reported_sums;
pub mod responses;
mod rows;
mod sizes;
mod visits;

use serde::Serialize;

use crate::criteria::course::{VisitVerdict, follow_spaced};
use crate::criteria::response::OverallResponse;
use crate::criteria::table::CriterionTable;
use crate::evaluable::Evaluable;
use crate::exact::Exact;
use crate::partial_date::{DayRange, Period, days_between};
use reading::{Course, Reading};
use reported_sums::differing_sums;
use visits::Visit;

pub use acceptance::{NotAccepted, accepted_only};
pub use markers::{Markers, marker_row};
pub use responses::{RsRow, rs_rows};
pub use rows::{RowError, TrRow, TuRow};

/// The response of one subject at one visit by one evaluator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SdtmAssessment {
    /// USUBJID.
    pub subject: String,
    /// Criterion, such as `recist_1_1`.
    pub criterion: String,
    /// Role of the evaluator, such as INVESTIGATOR.
    pub evaluator: String,
    /// Which of several; empty where there is one.
    pub evaluator_id: String,
    /// Whose assessments it follows: `evaluator_id`, or empty where the accepted readings of several evaluators are one
    /// sequence.
    #[serde(skip)]
    pub sequence: String,
    /// Whether this reading of this visit is the accepted one.
    pub accepted: bool,
    /// VISIT.
    pub visit: String,
    /// VISITNUM.
    pub visit_num: Exact,
    /// TRLNKGRP of the visit; empty where TR has none.
    pub link_group: String,
    /// Date of the response as written; may be partial or empty. Of a progression, the scan that dates it by the
    /// criterion's option `progression_date`; else the last scan of the visit.
    pub date: String,
    /// Date of the last scan of the visit as written.
    pub visit_date: String,
    /// Date from which the best response counts its days, as written: that of the baseline visit.
    pub origin_date: String,
    /// Date of the baseline visit, as written.
    #[serde(skip)]
    pub baseline_date: String,
    /// Days since baseline; not evaluable where one of the two dates is not complete.
    pub study_day: Evaluable<i64>,
    /// The least and the most days since baseline; `None` without a date.
    pub study_day_range: Option<DayRange>,
    /// Sum of diameters.
    pub sum_mm: Evaluable<f64>,
    /// Sum at baseline.
    pub baseline_mm: Evaluable<f64>,
    /// Smallest complete sum before this visit.
    pub nadir_mm: Evaluable<f64>,
    /// Target response.
    pub target: String,
    /// Non-target response.
    pub non_target: String,
    /// Whether a non-target is seen.
    #[serde(skip)]
    pub non_target_seen: bool,
    /// `Y`, `E` or `N`.
    pub new_lesion: String,
    /// Overall response.
    pub overall: String,
    /// Rules and numbers, as sentences.
    pub why: String,
    /// What would change the overall response.
    pub flips_if: String,
    /// What to doubt: visits whose numbers contradict their dates, reported sums that are not ours.
    pub notes: Vec<String>,
}

/// Assesses every subject by every evaluator, in order of subject, evaluator and date of the visit. Baseline, the first
/// visit at which targets or non-targets were identified, has no row of its own, as in RS.
pub fn assess_sdtm(tu: &[TuRow], tr: &[TrRow], table: &CriterionTable) -> Vec<SdtmAssessment> {
    assess_sdtm_with(tu, tr, &Markers::new(), table)
}

/// The same with the tumour markers of the subjects.
pub fn assess_sdtm_with(tu: &[TuRow], tr: &[TrRow], markers: &Markers, table: &CriterionTable) -> Vec<SdtmAssessment> {
    reading::readings(tu, tr, markers).iter().flat_map(|reading| assess_reading(reading, table)).collect()
}

/// Rules that count days are asked twice, with the shortest and the longest distances partial dates allow.
fn assess_reading(reading: &Reading<'_>, table: &CriterionTable) -> Vec<SdtmAssessment> {
    let course = reading.course(table);
    let followed = |pick: &dyn Fn(DayRange) -> i64| follow_reading(reading, &course, pick, table);
    let mut assessments = followed(&|days| days.shortest);
    let is_partial = |visit: &Visit| Period::read(&visit.date).and_then(Period::known).is_none();
    if reading.visits.iter().any(is_partial) {
        for (shortest, longest) in assessments.iter_mut().zip(followed(&|days| days.longest)) {
            settle(shortest, &longest);
        }
    }
    dating::date_progressions(&mut assessments, reading, &course, table);
    let early = reading.too_early().map(|visit| not_assessed(reading, visit, table));
    let mut all: Vec<SdtmAssessment> = early.chain(assessments).collect();
    // Notes of baseline stand at the first assessment, for baseline has none.
    if let Some((visit, first)) = reading.first().zip(all.first_mut()) {
        let own = (!visit.note.is_empty()).then(|| visit.note.clone());
        let of_baseline = own.into_iter().chain(differing_sums(reading, visit, &course.baseline));
        first.notes.splice(0..0, of_baseline);
    }
    all
}

fn follow_reading(
    reading: &Reading<'_>,
    course: &Course<'_>,
    pick: &dyn Fn(DayRange) -> i64,
    table: &CriterionTable,
) -> Vec<SdtmAssessment> {
    let later = reading.later();
    let days = |from: usize, to: usize| pick(days_between(&later[from].date, &later[to].date));
    let verdicts = follow_spaced(course.baseline.value().copied(), &course.visits, &days, table);
    let immune = immune::immune_verdicts(reading, course, &verdicts, &days, table);
    let mut assessments = Vec::with_capacity(later.len());
    for (at, (visit, verdict)) in later.iter().zip(verdicts).enumerate() {
        let notes = differing_sums(reading, visit, &verdict.sum);
        let mut assessment = assessed(blank(reading, visit, table), verdict, &course.baseline);
        assessment.notes.extend(notes);
        if let Some(immune) = &immune {
            immune::write_over(&mut assessment, immune.get(at));
        }
        assessments.push(assessment);
    }
    assessments
}

/// What both ends of the partial dates agree on stays; the rest is not evaluable.
fn settle(shortest: &mut SdtmAssessment, longest: &SdtmAssessment) {
    if shortest.overall != longest.overall {
        shortest.why = format!(
            "not evaluable: the partial dates leave {} or {} open; {}",
            shortest.overall, longest.overall, shortest.why
        );
        shortest.overall = OverallResponse::NotEvaluable.to_string();
        shortest.flips_if = String::new();
    }
    if shortest.target != longest.target {
        shortest.target = OverallResponse::NotEvaluable.to_string();
    }
}

/// Days from baseline, exactly and as a range.
fn study_day(origin: &str, date: &str) -> (Evaluable<i64>, Option<DayRange>) {
    let range = Period::read(origin).zip(Period::read(date)).map(|(origin, here)| origin.days_to(here));
    let day = match range {
        Some(range) => range.known().map_or_else(
            || Evaluable::not(format!("partial date: day {} to {}", range.shortest, range.longest)),
            Evaluable::Value,
        ),
        None => Evaluable::not("no date of the visit or of baseline"),
    };
    (day, range)
}

/// A visit before anything is said of its lesions.
fn blank(reading: &Reading<'_>, visit: &Visit, table: &CriterionTable) -> SdtmAssessment {
    let origin_date = reading.first().map(|visit| visit.date.clone()).unwrap_or_default();
    let (study_day, study_day_range) = study_day(&origin_date, &visit.date);
    let not = |reason: &str| Evaluable::not(reason);
    SdtmAssessment {
        subject: reading.subject.to_owned(),
        criterion: table.id.clone(),
        evaluator: reading.evaluator.to_owned(),
        evaluator_id: reading.evaluator_id.to_owned(),
        sequence: reading.evaluator_id.to_owned(),
        accepted: reading.accepted_at(visit),
        visit: visit.name.clone(),
        visit_num: visit.number,
        link_group: reading.link_group_at(visit),
        date: visit.date.clone(),
        visit_date: visit.date.clone(),
        baseline_date: origin_date.clone(),
        origin_date,
        study_day,
        study_day_range,
        sum_mm: not("not assessed"),
        baseline_mm: not("not assessed"),
        nadir_mm: not("not assessed"),
        target: "NE".to_owned(),
        non_target: "NE".to_owned(),
        non_target_seen: false,
        new_lesion: "N".to_owned(),
        overall: OverallResponse::NotEvaluable.to_string(),
        why: String::new(),
        flips_if: String::new(),
        notes: if visit.note.is_empty() { Vec::new() } else { vec![visit.note.clone()] },
    }
}

/// A visit numbered after baseline whose date lies before it.
fn not_assessed(reading: &Reading<'_>, visit: &Visit, table: &CriterionTable) -> SdtmAssessment {
    SdtmAssessment { why: "dated before the baseline visit: not assessed".to_owned(), ..blank(reading, visit, table) }
}

fn assessed(blank: SdtmAssessment, verdict: VisitVerdict, baseline: &Evaluable<Exact>) -> SdtmAssessment {
    let millimetres = |value: Option<Exact>, reason: &str| {
        value.map_or_else(|| Evaluable::not(reason), |value| Evaluable::Value(value.to_f64()))
    };
    SdtmAssessment {
        sum_mm: verdict.sum.map(Exact::to_f64),
        baseline_mm: millimetres(verdict.baseline, baseline.reason().unwrap_or("no target lesion")),
        nadir_mm: millimetres(verdict.nadir, "no complete sum before this visit"),
        target: verdict.target.to_string(),
        non_target: verdict.non_target.to_string(),
        non_target_seen: verdict.non_target_seen,
        new_lesion: verdict.new_lesion.to_string(),
        overall: verdict.overall.to_string(),
        why: verdict.why,
        flips_if: verdict.flips_if,
        ..blank
    }
}

#[cfg(test)]
pub(crate) mod tests;
