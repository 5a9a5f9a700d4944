//! The visits of one subject as one evaluator read them.
//!
//! Source: CDISC SDTM-IG 3.4; RECIST 1.1 for which diameter counts (short axis of nodes, longest diameter of the rest).

use std::collections::{BTreeMap, BTreeSet};

use super::{TrRow, TuRow};
use crate::criteria::course::CourseVisit;
use crate::criteria::non_target::{NonTargets, non_target_response};
use crate::criteria::response::NewLesionResponse;
use crate::criteria::size::{SizedLesion, counted};
use crate::criteria::table::CriterionTable;
use crate::evaluable::Evaluable;
use crate::exact::Exact;
use crate::lesion::{LesionId, LesionKind, Size};
use crate::marker::MarkerState;
use crate::time::{Date, Days};

/// One visit by name.
pub(super) struct Visit {
    pub(super) number: Exact,
    pub(super) name: String,
    pub(super) date: String,
}

/// What one evaluator recorded of one subject.
pub(super) struct Reading<'a> {
    pub(super) subject: &'a str,
    pub(super) evaluator: &'a str,
    pub(super) evaluator_id: &'a str,
    pub(super) visits: Vec<Visit>,
    lesions: Vec<&'a TuRow>,
    results: Vec<&'a TrRow>,
}

/// The rows of one subject.
#[derive(Default)]
struct OfSubject<'a> {
    tu: Vec<&'a TuRow>,
    tr: Vec<&'a TrRow>,
}

/// One reading per subject and evaluator, in that order. The visits are those of the subject, so that a visit one evaluator
/// left out is not evaluable for that evaluator.
pub(super) fn readings<'a>(tu: &'a [TuRow], tr: &'a [TrRow]) -> Vec<Reading<'a>> {
    let mut subjects: BTreeMap<&str, OfSubject<'a>> = BTreeMap::new();
    for row in tu {
        subjects.entry(row.subject.as_str()).or_default().tu.push(row);
    }
    for row in tr {
        // A subject without an identified lesion has nothing to assess.
        if let Some(subject) = subjects.get_mut(row.subject.as_str()) {
            subject.tr.push(row);
        }
    }
    subjects.into_iter().flat_map(|(subject, rows)| readings_of(subject, &rows)).collect()
}

fn readings_of<'a>(subject: &'a str, rows: &OfSubject<'a>) -> Vec<Reading<'a>> {
    let evaluators: BTreeSet<(&'a str, &'a str)> =
        rows.tu.iter().map(|row| (row.evaluator.as_str(), row.evaluator_id.as_str())).collect();
    let reading = |(evaluator, evaluator_id): (&'a str, &'a str)| {
        let lesions = rows.tu.iter().filter(|row| row.evaluator == evaluator && row.evaluator_id == evaluator_id);
        let results = rows.tr.iter().filter(|row| row.evaluator == evaluator && row.evaluator_id == evaluator_id);
        Reading {
            subject,
            evaluator,
            evaluator_id,
            visits: visits_of(rows),
            lesions: lesions.copied().collect(),
            results: results.copied().collect(),
        }
    };
    evaluators.into_iter().map(reading).collect()
}

fn visits_of(rows: &OfSubject<'_>) -> Vec<Visit> {
    let mut visits: BTreeMap<Exact, Visit> = BTreeMap::new();
    for row in &rows.tr {
        let blank = || Visit { number: row.visit_num, name: row.visit.clone(), date: row.date.clone() };
        let visit = visits.entry(row.visit_num).or_insert_with(blank);
        // The last scan of the visit dates it; partial dates compare as texts, year first.
        if row.date > visit.date {
            visit.date.clone_from(&row.date);
        }
    }
    for row in &rows.tu {
        let blank = || Visit { number: row.visit_num, name: row.visit.clone(), date: String::new() };
        visits.entry(row.visit_num).or_insert_with(blank);
    }
    visits.into_values().collect()
}

impl Reading<'_> {
    /// The baseline sum and the later visits as the rules see them.
    pub(super) fn course(&self, table: &CriterionTable) -> (Evaluable<Exact>, Vec<CourseVisit>) {
        let Some(first) = self.visits.first() else {
            return (Evaluable::not("no visit"), Vec::new());
        };
        let targets: Vec<&TuRow> = self.of_role("TARGET");
        let at_baseline = self.sized(&targets, first);
        let sizes: Result<Vec<Exact>, String> = at_baseline
            .iter()
            .map(|target| {
                counted(&target.size, &table.thresholds).map_err(|reason| format!("{}: {reason}", target.lesion))
            })
            .collect();
        let baseline = match sizes {
            Ok(sizes) if sizes.is_empty() => Evaluable::not("no target lesion"),
            Ok(sizes) => Evaluable::Value(sizes.into_iter().sum()),
            Err(reason) => Evaluable::not(reason),
        };
        let start: Option<Date> = first.date.parse().ok();
        let mut day = 0;
        let mut course = Vec::new();
        for visit in &self.visits[1..] {
            // A partial date cannot be later than the visit before it for any rule that counts days.
            day = start.zip(visit.date.parse().ok()).map_or(day, |(start, date)| Days::between(start, date).0);
            course.push(self.visit(&targets, visit, day, table));
        }
        (baseline, course)
    }

    fn visit(&self, targets: &[&TuRow], visit: &Visit, day: i64, table: &CriterionTable) -> CourseVisit {
        let (non_target, non_target_why) = non_target_response(&self.non_targets(visit, !targets.is_empty()), table);
        let new: Vec<&str> = self.new_lesions(visit);
        let (new_lesion, new_lesion_why) = if new.is_empty() {
            (NewLesionResponse::No, String::new())
        } else {
            (NewLesionResponse::Yes, format!("new lesion {}", new.join(", ")))
        };
        CourseVisit {
            day,
            targets: self.sized(targets, visit),
            non_target,
            non_target_why,
            new_lesion,
            new_lesion_why,
            restart: None,
            complete_before: false,
        }
    }

    pub(super) fn of_role(&self, role: &str) -> Vec<&TuRow> {
        let mut seen = BTreeSet::new();
        self.lesions.iter().filter(|row| row.role == role && seen.insert(row.link.as_str())).copied().collect()
    }

    fn sized(&self, targets: &[&TuRow], visit: &Visit) -> Vec<SizedLesion> {
        let one = |target: &&TuRow| SizedLesion {
            lesion: LesionId::new(target.link.as_str()),
            kind: kind_of(target),
            size: self.size(target, visit),
        };
        targets.iter().map(one).collect()
    }

    /// Longest diameter, or short axis of a node, as recorded at a visit.
    pub(super) fn size(&self, lesion: &TuRow, visit: &Visit) -> Size {
        let tests: &[&str] = match kind_of(lesion) {
            LesionKind::Node => &["LPERP", "SAXIS"],
            LesionKind::Lesion => &["LDIAM", "DIAMETER"],
        };
        self.size_by(lesion, visit, tests)
    }

    pub(super) fn results_of<'b>(&'b self, link: &'b str, visit: &'b Visit) -> impl Iterator<Item = &'b TrRow> {
        self.results.iter().filter(move |row| row.link == link && row.visit_num == visit.number).copied()
    }

    /// The size of a lesion: one value, or why there is none. Rows that contradict each other are no value.
    fn size_by(&self, target: &TuRow, visit: &Visit, tests: &[&str]) -> Size {
        let rows: Vec<&TrRow> =
            self.results_of(&target.link, visit).filter(|row| tests.contains(&row.test.as_str())).collect();
        let mut sizes: Vec<Size> = rows.iter().map(|row| coded(row)).collect();
        sizes.dedup();
        match sizes.as_slice() {
            [] => Size::NotEvaluable(format!("no {} recorded at {}", tests.join(" or "), visit.name)),
            [one] => one.clone(),
            _ => Size::NotEvaluable(format!("{} recorded more than once, with different values", tests[0])),
        }
    }

    fn non_targets(&self, visit: &Visit, with_targets: bool) -> NonTargets {
        let mut called_progressive = Vec::new();
        let mut lesions = Vec::new();
        for row in self.of_role("NON-TARGET") {
            let lesion = LesionId::new(row.link.as_str());
            let states: BTreeSet<String> = self.results_of(&row.link, visit).map(state).collect();
            if states.iter().any(|state| state.contains("PROGRESS")) {
                called_progressive.push(lesion.clone());
            }
            let state = states.first().filter(|_| states.len() == 1).map(String::as_str);
            let size = match state {
                Some("ABSENT") => Size::Absent,
                Some("PRESENT") => Size::TooSmallToMeasure,
                Some(state) if state.contains("PROGRESS") => Size::TooSmallToMeasure,
                Some(other) => Size::NotEvaluable(format!("state {other:?} at {}", visit.name)),
                None if states.is_empty() => Size::NotEvaluable(format!("no state recorded at {}", visit.name)),
                None => Size::NotEvaluable(format!("contradicting states at {}", visit.name)),
            };
            // Only presence counts here, so that every non-target is judged as a lesion, not by a node's short axis.
            lesions.push(SizedLesion { lesion, kind: LesionKind::Lesion, size });
        }
        NonTargets {
            lesions,
            called_progressive,
            called_stable: Vec::new(),
            growth: None,
            with_targets,
            markers: MarkerState::NotFollowed,
        }
    }

    /// New lesions identified at or before a visit and not recorded as absent at it.
    fn new_lesions(&self, visit: &Visit) -> Vec<&str> {
        let is_there = |row: &&TuRow| {
            row.visit_num <= visit.number && !self.results_of(&row.link, visit).any(|row| state(row) == "ABSENT")
        };
        self.of_role("NEW").into_iter().filter(is_there).map(|row| row.link.as_str()).collect()
    }
}

/// A lymph node by its location.
pub(super) fn kind_of(row: &TuRow) -> LesionKind {
    let location = row.location.to_uppercase();
    if location.contains("LYMPH NODE") { LesionKind::Node } else { LesionKind::Lesion }
}

pub(super) fn state(row: &TrRow) -> String {
    row.result.trim().to_uppercase()
}

fn coded(row: &TrRow) -> Size {
    if row.status.eq_ignore_ascii_case("NOT DONE") {
        let reason = if row.reason_not_done.is_empty() { "not done" } else { &row.reason_not_done };
        return Size::NotEvaluable(reason.to_owned());
    }
    match state(row).as_str() {
        "TSTM" | "TOO SMALL TO MEASURE" => return Size::TooSmallToMeasure,
        "ABSENT" | "NOT VISIBLE" => return Size::Absent,
        "" | "NE" | "NOT EVALUABLE" | "ND" => return Size::NotEvaluable("coded not evaluable".to_owned()),
        _ => {}
    }
    if !row.unit.is_empty() && !row.unit.eq_ignore_ascii_case("mm") {
        return Size::NotEvaluable(format!("expected mm, found the unit {:?}", row.unit));
    }
    match row.result.parse::<Exact>() {
        Ok(value) if value >= Exact::ZERO => Size::Measured(value),
        _ => Size::NotEvaluable(format!("expected a length in mm, found {:?}", row.result)),
    }
}
