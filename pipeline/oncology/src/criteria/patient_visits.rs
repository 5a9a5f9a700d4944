//! What the rules see of each visit of a patient: sizes of targets, response of non-targets, new lesions.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.

use super::course::{CourseVisit, VisitVerdict};
use super::new_lesion::new_lesion_course;
use super::non_target::{NonTargetGrowth, NonTargets, non_target_response, seen};
use super::patient::{ChosenRole, ProgressionPart, ReaderCall, ResponseInput, TrackedLesion};
use super::response::{NewLesionResponse, NonTargetResponse, OverallResponse, TargetResponse};
use super::size::{SizedLesion, counted};
use super::table::{AblatedTarget, CriterionTable, PdComparison, Quantity};
use super::treated::{effective_size, first_treated_visit};
use crate::evaluable::Evaluable;
use crate::exact::Exact;
use crate::lesion::{LesionId, LesionRole};
use crate::marker::marker_state;
use crate::time::Days;

/// Each lesion's part as a new lesion, lesion by lesion in the order of the input, visit by visit.
pub(super) fn new_lesion_courses(
    input: &ResponseInput,
    roles: &[ChosenRole],
    table: &CriterionTable,
) -> Vec<Vec<NewLesionResponse>> {
    let course = |(lesion, chosen): (&TrackedLesion, &ChosenRole)| match chosen.role {
        LesionRole::New => new_lesion_course(lesion, table),
        _ => vec![NewLesionResponse::No; input.visits.len()],
    };
    input.lesions.iter().zip(roles).map(course).collect()
}

/// The baseline sum and every later visit as the rules see it.
pub(super) fn course_visits(
    input: &ResponseInput,
    roles: &[ChosenRole],
    new_lesions: &[Vec<NewLesionResponse>],
    table: &CriterionTable,
) -> (Evaluable<Exact>, Vec<CourseVisit>) {
    let targets = of_role(input, roles, LesionRole::Target);
    let non_targets = of_role(input, roles, LesionRole::NonTarget);
    let baseline = sum_at(&targets, input, table, |_| 0);
    let start = input.visits[0].date();
    let mut course = Vec::new();
    for at in 1..input.visits.len() {
        let certain: Vec<&TrackedLesion> =
            non_targets.iter().copied().filter(|lesion| !lesion.in_doubt.contains(&at)).collect();
        let growth = growth_of(&certain, input, at, table);
        let judged = judged_non_targets(&non_targets, input, at, growth, !targets.is_empty(), table);
        let (non_target, non_target_why) = non_target_response(&judged, table);
        let (new_lesion, new_lesion_why) = new_at(input, new_lesions, at);
        course.push(CourseVisit {
            day: Days::between(start, input.visits[at].date()).0,
            targets: sized(&targets, input, at, table),
            non_target,
            non_target_why,
            non_targets_seen: seen(&sized(&certain, input, at, table), table),
            new_lesion,
            new_lesion_why,
            restart: restart_at(&targets, input, at, table),
            complete_before: false,
        });
    }
    (baseline, course)
}

/// The sum of non-targets at a visit and at its smallest before; `None` where one of them cannot be summed.
fn growth_of(
    lesions: &[&TrackedLesion],
    input: &ResponseInput,
    at: usize,
    table: &CriterionTable,
) -> Option<NonTargetGrowth> {
    let sum = |at: usize| sum_at(lesions, input, table, |_| at).value().copied();
    let nadir = (0..at).filter_map(sum).min()?;
    Some(NonTargetGrowth { sum: sum(at)?, nadir })
}

fn of_role<'a>(input: &'a ResponseInput, roles: &[ChosenRole], role: LesionRole) -> Vec<&'a TrackedLesion> {
    let mut lesions: Vec<&TrackedLesion> =
        input.lesions.iter().zip(roles).filter(|(_, chosen)| chosen.role == role).map(|(lesion, _)| lesion).collect();
    lesions.sort_by(|a, b| a.id.cmp(&b.id));
    lesions
}

fn sized(lesions: &[&TrackedLesion], input: &ResponseInput, at: usize, table: &CriterionTable) -> Vec<SizedLesion> {
    let one = |lesion: &&TrackedLesion| SizedLesion {
        lesion: lesion.id.clone(),
        kind: lesion.kind,
        size: effective_size(lesion, at, &input.visits, table),
    };
    lesions.iter().map(one).collect()
}

/// Sum of the lesions, each at the visit that `at` names for it.
fn sum_at(
    lesions: &[&TrackedLesion],
    input: &ResponseInput,
    table: &CriterionTable,
    at: impl Fn(&TrackedLesion) -> usize,
) -> Evaluable<Exact> {
    if lesions.is_empty() {
        return Evaluable::not("no such lesion");
    }
    let mut sum = Exact::ZERO;
    for lesion in lesions {
        match counted(&effective_size(lesion, at(lesion), &input.visits, table), &table.thresholds) {
            Ok(value) => sum = sum + value,
            Err(reason) => return Evaluable::not(format!("{} ({reason})", lesion.id)),
        }
    }
    Evaluable::Value(sum)
}

/// The new baseline where a target's zone is measured for the first time and the option asks for it.
fn restart_at(
    targets: &[&TrackedLesion],
    input: &ResponseInput,
    at: usize,
    table: &CriterionTable,
) -> Option<Evaluable<Exact>> {
    if table.options.ablated_target.value != AblatedTarget::Rebaseline || table.quantity != Quantity::Diameter {
        return None;
    }
    let first = |lesion: &TrackedLesion| first_treated_visit(lesion, &input.visits);
    targets
        .iter()
        .any(|lesion| first(lesion) == Some(at))
        .then(|| sum_at(targets, input, table, |lesion| first(lesion).filter(|first| *first <= at).unwrap_or(0)))
}

fn judged_non_targets(
    lesions: &[&TrackedLesion],
    input: &ResponseInput,
    at: usize,
    growth: Option<NonTargetGrowth>,
    with_targets: bool,
    table: &CriterionTable,
) -> NonTargets {
    let called = |wanted: ReaderCall| -> Vec<LesionId> {
        let is_called = |lesion: &&&TrackedLesion| lesion.visits[at].reader == Some(wanted);
        lesions.iter().filter(is_called).map(|lesion| lesion.id.clone()).collect()
    };
    NonTargets {
        lesions: sized(lesions, input, at, table),
        called_progressive: called(ReaderCall::Progression),
        called_stable: called(ReaderCall::NoProgression),
        growth,
        with_targets,
        markers: marker_state(&input.markers, input.visits[at].date()),
    }
}

fn new_at(input: &ResponseInput, courses: &[Vec<NewLesionResponse>], at: usize) -> (NewLesionResponse, String) {
    let strongest = courses.iter().map(|course| course[at]).max().unwrap_or(NewLesionResponse::No);
    if strongest == NewLesionResponse::No {
        return (strongest, String::new());
    }
    let mut sentences: Vec<(LesionId, String)> = Vec::new();
    for (lesion, course) in input.lesions.iter().zip(courses) {
        if course[at] == strongest {
            sentences.push((lesion.id.clone(), sentence(lesion, input, strongest)));
        }
    }
    sentences.sort();
    (strongest, sentences.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", "))
}

fn sentence(lesion: &TrackedLesion, input: &ResponseInput, response: NewLesionResponse) -> String {
    let word = if response == NewLesionResponse::Yes { "new lesion" } else { "equivocal new lesion" };
    format!("{word} {} ({}, first seen {})", lesion.id, lesion.organ, input.visits[lesion.first_seen].date())
}

/// The lesions that made a progression at a visit, by identifier.
pub(super) fn progressed_lesions(
    input: &ResponseInput,
    roles: &[ChosenRole],
    new_lesions: &[Vec<NewLesionResponse>],
    at: usize,
    verdict: &VisitVerdict,
    table: &CriterionTable,
) -> Vec<(LesionId, ProgressionPart)> {
    if verdict.overall != OverallResponse::Progressive {
        return Vec::new();
    }
    let by_itself = |lesion: &TrackedLesion| has_progressed(lesion, input, at, table);
    let targets = of_role(input, roles, LesionRole::Target);
    // Where targets make the progression by themselves, the others, larger by a hair, have no part in it.
    let some_by_themselves = targets.iter().any(|lesion| by_itself(lesion));
    let mut progressed = Vec::new();
    for ((lesion, chosen), course) in input.lesions.iter().zip(roles).zip(new_lesions) {
        let called = lesion.visits[at].reader == Some(ReaderCall::Progression);
        let part = match chosen.role {
            LesionRole::New if course[at] == NewLesionResponse::Yes => ProgressionPart::New,
            LesionRole::Target
                if verdict.target == TargetResponse::Progressive
                    && if some_by_themselves { by_itself(lesion) } else { has_grown(lesion, input, at, table) } =>
            {
                ProgressionPart::Target
            }
            LesionRole::NonTarget
                if verdict.non_target == NonTargetResponse::Progressive
                    && (called || (!lesion.in_doubt.contains(&at) && has_grown(lesion, input, at, table))) =>
            {
                ProgressionPart::NonTarget
            }
            _ => continue,
        };
        progressed.push((lesion.id.clone(), part));
    }
    progressed.sort();
    progressed
}

/// Whether a lesion has grown over its own smallest size by what the criterion asks of a sum.
fn has_progressed(lesion: &TrackedLesion, input: &ResponseInput, at: usize, table: &CriterionTable) -> bool {
    let size = |at: usize| counted(&effective_size(lesion, at, &input.visits, table), &table.thresholds).ok();
    let smallest = (0..at).filter_map(size).min();
    let kept = 100 + i64::from(table.thresholds.pd_increase_percent.value);
    let is_inclusive = table.options.pd_comparison.value == PdComparison::AtLeast;
    size(at).zip(smallest).is_some_and(|(now, smallest)| {
        let by_share = now.cmp_scaled(100, smallest, kept);
        let enough = by_share.is_gt() || (by_share.is_eq() && is_inclusive);
        enough && now - smallest >= table.thresholds.pd_abs_mm.value
    })
}

/// Whether a lesion is larger than it ever was since it was first measured.
fn has_grown(lesion: &TrackedLesion, input: &ResponseInput, at: usize, table: &CriterionTable) -> bool {
    let size = |at: usize| counted(&effective_size(lesion, at, &input.visits, table), &table.thresholds).ok();
    let smallest = (0..at).filter_map(size).min();
    size(at).zip(smallest).is_some_and(|(now, smallest)| now > smallest)
}
