//! The course of a patient over all visits: nadir, established response and overall response, visit by visit.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3–4.4; EORTC RECIST FAQ on the persistence of PR.

use super::next_class::{NextClass, next_class};
use super::response::{NewLesionResponse, NonTargetResponse, OverallResponse, TargetResponse};
use super::size::SizedLesion;
use super::table::{Confirmation, CriterionTable, PostCrReappearance, PrPersistence};
use super::target::{TargetHistory, target_response};
use crate::evaluable::Evaluable;
use crate::exact::Exact;
use crate::lesion::LesionId;

/// One visit after baseline, as the rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourseVisit {
    /// Days since baseline.
    pub day: i64,
    /// Coded sizes of the targets, the same lesions in the same order at every visit.
    pub targets: Vec<SizedLesion>,
    /// Response of the non-targets.
    pub non_target: NonTargetResponse,
    /// Its reason, as a sentence; may be empty.
    pub non_target_why: String,
    /// Non-targets that are seen at this visit (nodes: not normal).
    pub non_targets_seen: Vec<LesionId>,
    /// New lesions.
    pub new_lesion: NewLesionResponse,
    /// Their reason, as a sentence; may be empty.
    pub new_lesion_why: String,
    /// A new baseline sum from this visit on (a zone measured anew after ablation), `None` for none.
    pub restart: Option<Evaluable<Exact>>,
    /// A reader's word that an overall CR was in force before this visit, where the visits given do not show it.
    pub complete_before: bool,
}

/// What the rules say of one visit.
#[derive(Debug, Clone, PartialEq)]
pub struct VisitVerdict {
    /// Complete sum, or why there is none.
    pub sum: Evaluable<Exact>,
    /// Baseline sum in force, mm.
    pub baseline: Option<Exact>,
    /// Nadir before this visit, mm.
    pub nadir: Option<Exact>,
    /// Target response.
    pub target: TargetResponse,
    /// Non-target response.
    pub non_target: NonTargetResponse,
    /// Whether a non-target is seen.
    pub non_target_seen: bool,
    /// New lesions.
    pub new_lesion: NewLesionResponse,
    /// Overall response.
    pub overall: OverallResponse,
    /// Rules and numbers, as sentences.
    pub why: String,
    /// What would change the overall response.
    pub flips_if: String,
    /// The nearest other target response by the sum, where a length decides.
    pub next_target: Option<NextClass>,
}

/// Follows a patient from the baseline sum over the visits, in the order given (chronological).
pub fn follow(baseline: Option<Exact>, visits: &[CourseVisit], table: &CriterionTable) -> Vec<VisitVerdict> {
    follow_spaced(baseline, visits, &|from, to| visits[to].day - visits[from].day, table)
}

/// The same, with the days between two visits (by their position) from outside: where dates are not complete, the least
/// or the most they may be.
pub fn follow_spaced(
    baseline: Option<Exact>,
    visits: &[CourseVisit],
    days: &dyn Fn(usize, usize) -> i64,
    table: &CriterionTable,
) -> Vec<VisitVerdict> {
    let mut baseline = baseline;
    let mut nadir = baseline;
    let mut responses: Vec<(usize, TargetResponse)> = Vec::new();
    let mut complete_reached = false;
    let mut verdicts = Vec::with_capacity(visits.len());
    for (at, visit) in visits.iter().enumerate() {
        if let Some(restart) = &visit.restart {
            baseline = restart.value().copied();
            nadir = baseline;
            responses.clear();
            complete_reached = false;
        }
        complete_reached |= visit.complete_before;
        let history = TargetHistory {
            baseline,
            nadir,
            partial_established: is_established(&responses, days, table),
            overall_complete_reached: complete_reached,
        };
        let verdict = judge(visit, &history, table);
        responses.push((at, verdict.target));
        if let Some(sum) = verdict.sum.value() {
            nadir = Some(nadir.map_or(*sum, |nadir| nadir.min(*sum)));
        }
        complete_reached |= verdict.overall == OverallResponse::Complete;
        verdicts.push(verdict);
    }
    verdicts
}

fn judge(visit: &CourseVisit, history: &TargetHistory, table: &CriterionTable) -> VisitVerdict {
    let seen_again = non_target_seen_again(visit, history, table);
    let visit = seen_again.as_ref().unwrap_or(visit);
    let target = target_response(&visit.targets, history, table);
    let overall = table.overall.overall(target.response, visit.non_target, visit.new_lesion);
    let mut reasons = vec![target.why];
    reasons.extend([&visit.non_target_why, &visit.new_lesion_why].into_iter().filter(|why| !why.is_empty()).cloned());
    let flips_if = overall_flips(visit, target.response, overall, &target.flips_if, table);
    let next_target =
        target.sum.value().and_then(|sum| next_class(target.response, *sum, &sticky_or_not(history, table), table));
    VisitVerdict {
        next_target,
        sum: target.sum,
        baseline: history.baseline,
        nadir: history.nadir,
        target: target.response,
        non_target: visit.non_target,
        non_target_seen: !visit.non_targets_seen.is_empty(),
        new_lesion: visit.new_lesion,
        overall,
        why: reasons.join("; "),
        flips_if,
    }
}

/// A non-target that is seen again after an overall complete response is progression, as a target would be, whatever is not evaluated
/// beside it.
fn non_target_seen_again(visit: &CourseVisit, history: &TargetHistory, table: &CriterionTable) -> Option<CourseVisit> {
    let is_pd = table.options.post_cr_reappearance.value == PostCrReappearance::Pd;
    let not_progressive = matches!(visit.non_target, NonTargetResponse::Persistent | NonTargetResponse::NotEvaluable);
    let counts = is_pd && history.overall_complete_reached && not_progressive;
    if !counts || visit.non_targets_seen.is_empty() {
        return None;
    }
    let seen: Vec<&str> = visit.non_targets_seen.iter().map(LesionId::as_str).collect();
    let why = format!("non-target {} is seen again after an overall CR: PD whatever the size", seen.join(", "));
    Some(CourseVisit { non_target: NonTargetResponse::Progressive, non_target_why: why, ..visit.clone() })
}

/// An established partial response counts only where the criterion lets it last.
fn sticky_or_not(history: &TargetHistory, table: &CriterionTable) -> TargetHistory {
    let sticky = table.options.pr_persistence.value == PrPersistence::Sticky;
    TargetHistory { partial_established: history.partial_established && sticky, ..*history }
}

/// A partial response is established once assigned or, where confirmation is required, once seen twice far enough
/// apart.
fn is_established(
    responses: &[(usize, TargetResponse)],
    days: &dyn Fn(usize, usize) -> i64,
    table: &CriterionTable,
) -> bool {
    let responds = |response: TargetResponse| matches!(response, TargetResponse::Partial | TargetResponse::Complete);
    if table.options.confirmation.value == Confirmation::NotRequired {
        return responses.iter().any(|(_, response)| *response == TargetResponse::Partial);
    }
    let apart = i64::from(table.thresholds.confirm_days.value);
    responses.iter().enumerate().any(|(index, (first_visit, first))| {
        *first == TargetResponse::Partial
            && responses[index + 1..]
                .iter()
                .take_while(|(_, later)| responds(*later) || *later == TargetResponse::NotEvaluable)
                .any(|(visit, later)| responds(*later) && days(*first_visit, *visit) >= apart)
    })
}

/// What the overall response hangs on: first what alone would lift a progression, else what would change the targets.
fn overall_flips(
    visit: &CourseVisit,
    target: TargetResponse,
    overall: OverallResponse,
    target_flips: &str,
    table: &CriterionTable,
) -> String {
    if overall != OverallResponse::Progressive {
        return target_flips.to_owned();
    }
    let without_new = table.overall.overall(target, visit.non_target, NewLesionResponse::No);
    if visit.new_lesion == NewLesionResponse::Yes && without_new != OverallResponse::Progressive {
        return format!("PD would become {without_new} if the new lesion were not one");
    }
    let persistent = NonTargetResponse::Persistent;
    let without_non_target = table.overall.overall(target, persistent, visit.new_lesion);
    if visit.non_target == NonTargetResponse::Progressive && without_non_target != OverallResponse::Progressive {
        return format!("PD would become {without_non_target} if the non-target progression were not unequivocal");
    }
    let causes = [
        (target == TargetResponse::Progressive, "the target response"),
        (visit.non_target == NonTargetResponse::Progressive, "the non-target response"),
        (visit.new_lesion == NewLesionResponse::Yes, "the new lesion"),
    ];
    let causes: Vec<&str> = causes.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect();
    if causes.len() > 1 {
        return format!("PD rests on {} together: each would have to fall", causes.join(" and "));
    }
    target_flips.to_owned()
}
