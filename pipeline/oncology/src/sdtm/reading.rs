//! What one evaluator recorded of one subject, visit by visit as the rules see it.
//!
//! Source: CDISC SDTM-IG 3.4, domains TU and TR; criteria conventions §1.3 for the coding of sizes.

use std::collections::{BTreeMap, BTreeSet};

use super::markers::{Markers, state_at};
use super::new_lesions::{NewLesionCourse, new_lesion_courses, new_lesion_response};
use super::sizes::{coded, diameters_of, kind_of, state};
use super::visits::{Visit, visits_of};
use super::{TrRow, TuRow};
use crate::criteria::course::CourseVisit;
use crate::criteria::non_target::{NonTargets, non_target_response, seen};
use crate::criteria::size::{SizedLesion, counted};
use crate::criteria::table::CriterionTable;
use crate::evaluable::Evaluable;
use crate::exact::Exact;
use crate::lesion::{LesionId, LesionKind, Size};
use crate::marker::MarkerReading;

/// TRTESTCD of the sum of diameters, a result of all targets together.
const SUM: &str = "SUMDIAM";

/// What one evaluator recorded of one subject.
pub(super) struct Reading<'a> {
    pub(super) subject: &'a str,
    pub(super) evaluator: &'a str,
    pub(super) evaluator_id: &'a str,
    /// Visits of the subject in order of time.
    pub(super) visits: Vec<Visit>,
    /// Position of the baseline visit.
    pub(super) baseline: usize,
    lesions: Vec<&'a TuRow>,
    results: Vec<&'a TrRow>,
    /// Tumour markers of the subject.
    markers: &'a [MarkerReading],
    /// Whether TR says of any visit of the subject whose reading is accepted.
    accepts_visits: bool,
}

/// The visits after baseline as the rules see them.
pub(super) struct Course<'a> {
    pub(super) baseline: Evaluable<Exact>,
    pub(super) visits: Vec<CourseVisit>,
    pub(super) new_lesions: Vec<NewLesionCourse<'a>>,
}

/// The rows of one subject.
#[derive(Default)]
struct OfSubject<'a> {
    tu: Vec<&'a TuRow>,
    tr: Vec<&'a TrRow>,
}

/// One reading per subject and evaluator, in that order, whatever the order of the rows. The visits are those of the
/// subject, so that a visit one evaluator left out is not evaluable for that evaluator.
pub(super) fn readings<'a>(tu: &'a [TuRow], tr: &'a [TrRow], markers: &'a Markers) -> Vec<Reading<'a>> {
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
    let of_subject = |(subject, mut rows): (&'a str, OfSubject<'a>)| {
        rows.tu.sort_unstable();
        rows.tr.sort_unstable();
        readings_of(subject, &rows, markers.get(subject).map(Vec::as_slice).unwrap_or_default())
    };
    subjects.into_iter().flat_map(of_subject).collect()
}

fn readings_of<'a>(subject: &'a str, rows: &OfSubject<'a>, markers: &'a [MarkerReading]) -> Vec<Reading<'a>> {
    let evaluators: BTreeSet<(&'a str, &'a str)> =
        rows.tu.iter().map(|row| (row.evaluator.as_str(), row.evaluator_id.as_str())).collect();
    let visits = visits_of(&rows.tu, &rows.tr);
    let identifies = |visit: &Visit| {
        rows.tu.iter().any(|row| row.visit_num == visit.number && ["TARGET", "NON-TARGET"].contains(&row.role.as_str()))
    };
    let baseline = visits.iter().position(identifies).unwrap_or(0);
    let reading = |(evaluator, evaluator_id): (&'a str, &'a str)| {
        let lesions = rows.tu.iter().filter(|row| row.evaluator == evaluator && row.evaluator_id == evaluator_id);
        let results = rows.tr.iter().filter(|row| row.evaluator == evaluator && row.evaluator_id == evaluator_id);
        Reading {
            subject,
            evaluator,
            evaluator_id,
            visits: visits.clone(),
            baseline,
            lesions: lesions.copied().collect(),
            results: results.copied().collect(),
            markers,
            accepts_visits: rows.tr.iter().any(|row| !row.accepted.is_empty()),
        }
    };
    evaluators.into_iter().map(reading).collect()
}

impl<'a> Reading<'a> {
    /// The visits the rules judge.
    pub(super) fn later(&self) -> &[Visit] {
        self.visits.get(self.baseline + 1..).unwrap_or_default()
    }

    /// The baseline visit; `None` for a subject without visits.
    pub(super) fn first(&self) -> Option<&Visit> {
        self.visits.get(self.baseline)
    }

    /// Visits numbered after baseline and dated before it.
    pub(super) fn too_early(&self) -> impl Iterator<Item = &Visit> {
        let number = self.first().map(|visit| visit.number);
        self.visits[..self.baseline.min(self.visits.len())].iter().filter(move |visit| Some(visit.number) > number)
    }

    /// The baseline sum and the later visits.
    pub(super) fn course(&self, table: &CriterionTable) -> Course<'a> {
        let new_lesions = new_lesion_courses(self, table);
        let Some(first) = self.first() else {
            return Course { baseline: Evaluable::not("no visit"), visits: Vec::new(), new_lesions };
        };
        let targets = self.of_role("TARGET");
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
        let visits = (self.baseline + 1..self.visits.len()).map(|at| self.visit(&targets, &new_lesions, at, table));
        Course { baseline, visits: visits.collect(), new_lesions }
    }

    fn visit(
        &self,
        targets: &[&TuRow],
        new_lesions: &[NewLesionCourse<'_>],
        at: usize,
        table: &CriterionTable,
    ) -> CourseVisit {
        let visit = &self.visits[at];
        let non_targets = self.non_targets(visit, !targets.is_empty());
        let (non_target, non_target_why) = non_target_response(&non_targets, table);
        let (new_lesion, new_lesion_why) = new_lesion_response(new_lesions, at);
        CourseVisit {
            // Days between visits come from their dates as written.
            day: 0,
            targets: self.sized(targets, visit),
            non_target,
            non_target_why,
            non_targets_seen: seen(&non_targets.lesions, table),
            new_lesion,
            new_lesion_why,
            restart: None,
            complete_before: false,
        }
    }

    /// The lesions of a role, each once, in order of their first identification.
    pub(super) fn of_role(&self, role: &str) -> Vec<&'a TuRow> {
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

    /// Rows of one lesion at a visit; rows of a group are none.
    pub(super) fn results_of<'b>(&'b self, link: &'b str, visit: &'b Visit) -> impl Iterator<Item = &'a TrRow> + 'b {
        let is_own = move |row: &&TrRow| !link.is_empty() && row.link == link && row.test != SUM;
        self.results_at(visit).filter(is_own)
    }

    /// The sums of diameters TR reports of a visit.
    pub(super) fn sums_at<'b>(&'b self, visit: &'b Visit) -> impl Iterator<Item = &'a TrRow> + 'b {
        self.results_at(visit).filter(|row| row.test == SUM)
    }

    /// Rows of a visit.
    pub(super) fn results_at<'b>(&'b self, visit: &'b Visit) -> impl Iterator<Item = &'a TrRow> + 'b {
        self.results.iter().filter(|row| row.visit_num == visit.number).copied()
    }

    /// `Y` where this reading of a visit is the accepted one: TR says it of a visit; where it never does, TU says it of
    /// the reading.
    pub(super) fn accepted_at(&self, visit: &Visit) -> bool {
        if self.accepts_visits {
            self.results_at(visit).any(|row| row.accepted == "Y")
        } else {
            self.lesions.iter().any(|row| row.accepted == "Y")
        }
    }

    /// TRLNKGRP of a visit; empty where there is none or more than one.
    pub(super) fn link_group_at(&self, visit: &Visit) -> String {
        let groups: BTreeSet<&str> =
            self.results_at(visit).map(|row| row.link_group.as_str()).filter(|group| !group.is_empty()).collect();
        groups.first().filter(|_| groups.len() == 1).map(|group| (*group).to_owned()).unwrap_or_default()
    }

    /// The size of a lesion: one value, or why there is none. Rows that contradict each other are no value.
    pub(super) fn size(&self, lesion: &TuRow, visit: &Visit) -> Size {
        let tests = diameters_of(kind_of(lesion));
        let mut sizes: Vec<Size> = Vec::new();
        for row in self.results_of(&lesion.link, visit).filter(|row| tests.contains(&row.test.as_str())) {
            let size = coded(row);
            if !sizes.contains(&size) {
                sizes.push(size);
            }
        }
        match sizes.as_slice() {
            [] => Size::NotEvaluable(format!("no {} recorded at {}", tests.join(" or "), visit.name)),
            [one] => one.clone(),
            _ => Size::NotEvaluable(format!("{} recorded more than once, with different values", tests[0])),
        }
    }

    /// What is said of a lesion's presence at a visit: by TUMSTATE where that is given. A diameter beside it says nothing more, one alone
    /// that it is there.
    fn states(&self, lesion: &TuRow, visit: &Visit) -> BTreeSet<String> {
        let of_test = |row: &&TrRow| row.test == "TUMSTATE" && !state(row).is_empty();
        if self.results_of(&lesion.link, visit).any(|row| of_test(&row)) {
            return self.results_of(&lesion.link, visit).filter(of_test).map(state).collect();
        }
        let tests = ["LDIAM", "LPERP", "SAXIS", "DIAMETER"];
        let word = |row: &TrRow| match coded(row) {
            Size::Measured(size) if size == Exact::ZERO => "ABSENT".to_owned(),
            Size::Measured(_) if tests.contains(&row.test.as_str()) => "PRESENT".to_owned(),
            _ => state(row),
        };
        let words: BTreeSet<String> = self.results_of(&lesion.link, visit).map(word).collect();
        let said: BTreeSet<String> = words.iter().filter(|word| !word.is_empty()).cloned().collect();
        if said.is_empty() { words } else { said }
    }

    fn non_targets(&self, visit: &Visit, with_targets: bool) -> NonTargets {
        let mut called_progressive = Vec::new();
        let mut lesions = Vec::new();
        for row in self.of_role("NON-TARGET") {
            let lesion = LesionId::new(row.link.as_str());
            let states = self.states(row, visit);
            if states.iter().any(|state| state.contains("PROGRESS")) {
                called_progressive.push(lesion.clone());
            }
            let state = states.first().filter(|_| states.len() == 1).map(String::as_str);
            let size = match state {
                Some("ABSENT") => Size::Absent,
                Some("PRESENT") if kind_of(row) == LesionKind::Node => match self.size(row, visit) {
                    measured @ Size::Measured(_) => measured,
                    _ => Size::TooSmallToMeasure,
                },
                Some("PRESENT") => Size::TooSmallToMeasure,
                Some(state) if state.contains("PROGRESS") => Size::TooSmallToMeasure,
                Some(other) => Size::NotEvaluable(format!("state {other:?} at {}", visit.name)),
                None if states.is_empty() => Size::NotEvaluable(format!("no state recorded at {}", visit.name)),
                None => Size::NotEvaluable(format!("contradicting states at {}", visit.name)),
            };
            // Only presence counts here, but of a node that is measured: below 10 mm it is normal.
            let kind = if matches!(size, Size::Measured(_)) { LesionKind::Node } else { LesionKind::Lesion };
            lesions.push(SizedLesion { lesion, kind, size });
        }
        NonTargets {
            lesions,
            called_progressive,
            called_stable: Vec::new(),
            growth: None,
            with_targets,
            markers: state_at(self.markers, &visit.date),
        }
    }
}
