//! Where disease came back, and how much of it there is: patterns of progression, oligometastatic state, abscopal candidates.
//!
//! Source: Ahmed et al. 2014 and Puijk et al. 2021 for the patterns; Lievens et al. 2020 for the oligometastatic state.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{LeftOut, NO_FACTS, StudyGroup, StudyPatient, percent};
use crate::cohort::EventRow;
use crate::oligometastatic::Burden;
use crate::time::Date;
use crate::treatment::CycleRule;

/// One line of `table_patterns.csv`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatternRow {
    /// Group.
    pub group: String,
    /// `first`: what the patient's first progression was; `ever`: at any time, a patient counted under each; `per_cycle`: the first
    /// progression after each treatment cycle began; `per_treatment`: what came back where a session treated a lesion.
    pub measure: &'static str,
    /// `local`, `distant_intrahepatic`, `extrahepatic`, several of them joined by `+`, `unclassified`, `residual`, `none`.
    pub pattern: String,
    /// Patients, cycles or treatments of a lesion.
    pub n: usize,
    /// Those judged.
    pub n_of: usize,
    /// Share, percent.
    pub percent: Option<f64>,
    /// Among them those with an event a reader should look at.
    pub n_needs_review: usize,
    /// Patients who could not be judged.
    pub n_not_evaluable: usize,
    /// Why, with counts.
    pub reasons: String,
}

impl PatternRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] =
        &["group", "measure", "pattern", "n", "n_of", "percent", "n_needs_review", "n_not_evaluable", "reasons"];
}

const PATTERNS: [&str; 5] = ["local", "distant_intrahepatic", "extrahepatic", "unclassified", "residual"];

/// The patterns of every group: of the first progression, of all, by cycle and by treatment.
pub fn patterns(groups: &[StudyGroup<'_>], rule: CycleRule) -> Vec<PatternRow> {
    let of = |group| patterns_of(group).into_iter().chain(per_cycle(group, rule)).chain(per_treatment(group, rule));
    groups.iter().flat_map(of).collect()
}

/// Units of a group with their pattern and whether a reader should look.
fn counted(
    group: &StudyGroup<'_>,
    measure: &'static str,
    fixed: &[&str],
    (found, left): (&[(String, bool)], &LeftOut),
) -> Vec<PatternRow> {
    let mut names: Vec<&str> = fixed.to_vec();
    let mut joined: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).filter(|name| name.contains('+')).collect();
    joined.sort_unstable();
    joined.dedup();
    names.extend(joined);
    names.push("none");
    let row = |pattern: &str| {
        let reviews: Vec<bool> = found.iter().filter(|(name, _)| name == pattern).map(|(_, review)| *review).collect();
        PatternRow {
            group: group.name.clone(),
            measure,
            pattern: pattern.to_owned(),
            n: reviews.len(),
            n_of: found.len(),
            percent: percent(reviews.len(), found.len()),
            n_needs_review: reviews.iter().filter(|review| **review).count(),
            n_not_evaluable: left.n(),
            reasons: left.reasons(),
        }
    };
    names.into_iter().map(row).collect()
}

/// The first progression after each cycle began and before the next one.
fn per_cycle(group: &StudyGroup<'_>, rule: CycleRule) -> Vec<PatternRow> {
    let (mut found, mut left) = (Vec::new(), LeftOut::default());
    for patient in &group.patients {
        let (_, cycles) = patient.course(rule);
        for (number, cycle) in (1..).zip(&cycles) {
            if patient.visits.iter().any(|visit| visit.date() > cycle.start) {
                found.push(first_of(patient, |event| event.event == "progression" && event.cycle == Some(number)));
            } else {
                left.add("no imaging after the cycle began");
            }
        }
    }
    counted(group, "per_cycle", &PATTERNS[..4], (&found, &left))
}

/// What came back, or was left, where a session treated a lesion, until the lesion is treated again.
fn per_treatment(group: &StudyGroup<'_>, rule: CycleRule) -> Vec<PatternRow> {
    let (mut found, mut left) = (Vec::new(), LeftOut::default());
    for patient in &group.patients {
        let (sessions, _) = patient.course(rule);
        for (at, session) in sessions.iter().enumerate() {
            for lesion in &session.target_lesions {
                let again = sessions[at + 1..].iter().find(|later| later.target_lesions.contains(lesion));
                let holds = |date: Date| date > session.date && again.is_none_or(|again| date <= again.date);
                if patient.visits.iter().any(|visit| holds(visit.date())) {
                    let is_own = |event: &EventRow| {
                        event.lesion_id == lesion.as_str()
                            && holds(event.date)
                            && matches!(class_of(event), "local" | "residual")
                    };
                    found.push(first_of(patient, is_own));
                } else {
                    left.add("no imaging after the treatment");
                }
            }
        }
    }
    counted(group, "per_treatment", &["local", "residual"], (&found, &left))
}

fn class_of(event: &EventRow) -> &str {
    match (event.event.as_str(), event.class.as_str()) {
        ("residual", _) => "residual",
        (_, "") => "unclassified",
        (_, class) => class,
    }
}

fn patterns_of(group: &StudyGroup<'_>) -> Vec<PatternRow> {
    let mut left = LeftOut::default();
    let mut judged: Vec<&StudyPatient<'_>> = Vec::new();
    for patient in &group.patients {
        if patient.visits.len() > 1 { judged.push(patient) } else { left.add("no imaging after baseline") }
    }
    let first: Vec<(String, bool)> = judged.iter().map(|patient| first_pattern(patient)).collect();
    let of_first = counted(group, "first", &PATTERNS[..4], (&first, &left));
    let row = |measure, pattern: &str, reviews: &[bool]| PatternRow {
        group: group.name.clone(),
        measure,
        pattern: pattern.to_owned(),
        n: reviews.len(),
        n_of: judged.len(),
        percent: percent(reviews.len(), judged.len()),
        n_needs_review: reviews.iter().filter(|review| **review).count(),
        n_not_evaluable: left.n(),
        reasons: left.reasons(),
    };
    let of_all = PATTERNS.iter().map(|pattern| {
        let own = |patient: &&&StudyPatient<'_>| events_of(patient).any(|event| class_of(event) == *pattern);
        let review = |patient: &&StudyPatient<'_>| {
            events_of(patient).any(|event| class_of(event) == *pattern && event.needs_review)
        };
        let reviews: Vec<bool> = judged.iter().filter(own).map(review).collect();
        row("ever", pattern, &reviews)
    });
    of_first.into_iter().chain(of_all).collect()
}

fn events_of<'a>(patient: &StudyPatient<'a>) -> impl Iterator<Item = &'a EventRow> {
    patient.events.iter().filter(|event| matches!(event.event.as_str(), "progression" | "residual"))
}

/// What the first progression was, all classes of its day joined, and whether a reader should look.
fn first_pattern(patient: &StudyPatient<'_>) -> (String, bool) {
    first_of(patient, |event| event.event == "progression")
}

/// The classes of the first day with such an event, and whether a reader should look.
fn first_of(patient: &StudyPatient<'_>, is_own: impl Fn(&EventRow) -> bool) -> (String, bool) {
    let own = || patient.events.iter().filter(|event| is_own(event));
    let Some(date) = own().map(|event| event.date).min() else { return ("none".to_owned(), false) };
    let of_day = || own().filter(|event| event.date == date);
    let classes: BTreeSet<&str> = of_day().map(class_of).collect();
    let ordered: Vec<&str> = PATTERNS.into_iter().filter(|pattern| classes.contains(pattern)).collect();
    (ordered.join("+"), of_day().any(|event| event.needs_review))
}

/// Patients in one state of tumour burden (`table_oligometastatic.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BurdenRow {
    /// Group.
    pub group: String,
    /// `baseline` or `last visit`.
    pub time: &'static str,
    /// `none_seen`, `oligometastatic` (one to five), `polymetastatic`.
    pub state: &'static str,
    /// Patients.
    pub n: usize,
    /// Patients judged.
    pub n_of: usize,
    /// Share, percent.
    pub percent: Option<f64>,
    /// Patients who could not be judged.
    pub n_not_evaluable: usize,
    /// Why, with counts.
    pub reasons: String,
}

impl BurdenRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] =
        &["group", "time", "state", "n", "n_of", "percent", "n_not_evaluable", "reasons"];
}

/// States at baseline and at the last visit, by group.
pub fn burdens(groups: &[StudyGroup<'_>]) -> Vec<BurdenRow> {
    let times = ["baseline", "last visit"];
    groups.iter().flat_map(|group| times.into_iter().flat_map(|time| burdens_of(group, time))).collect()
}

fn burdens_of(group: &StudyGroup<'_>, time: &'static str) -> Vec<BurdenRow> {
    let mut left = LeftOut::default();
    let mut states: Vec<&str> = Vec::new();
    for patient in &group.patients {
        let known = patient.facts.map(|facts| match time {
            "baseline" => facts.burdens.first(),
            _ => facts.burdens.last(),
        });
        match known {
            None => left.add(NO_FACTS),
            Some(None) => left.add("no response time point"),
            Some(Some((_, Burden::NotEvaluable(_)))) => left.add("a lesion that decides could not be judged"),
            Some(Some((_, Burden::NoneSeen))) => states.push("none_seen"),
            Some(Some((_, Burden::Oligometastatic { .. }))) => states.push("oligometastatic"),
            Some(Some((_, Burden::Polymetastatic { .. }))) => states.push("polymetastatic"),
        }
    }
    let row = |state: &'static str| {
        let n = states.iter().filter(|found| **found == state).count();
        BurdenRow {
            group: group.name.clone(),
            time,
            state,
            n,
            n_of: states.len(),
            percent: percent(n, states.len()),
            n_not_evaluable: left.n(),
            reasons: left.reasons(),
        }
    };
    ["none_seen", "oligometastatic", "polymetastatic"].map(row).to_vec()
}

/// One candidate (`abscopal.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AbscopalRow {
    /// Patient.
    pub patient_id: String,
    /// Untreated lesion that shrank.
    pub lesion_id: String,
    /// Visit that shows it.
    pub date: Date,
    /// Size before any local treatment.
    pub before_mm: f64,
    /// Size at that visit; 0 when gone.
    pub after_mm: f64,
    /// For the reader who decides.
    pub why: String,
}

impl AbscopalRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] = &["patient_id", "lesion_id", "date", "before_mm", "after_mm", "why"];
}

/// All candidates of the cohort.
pub fn abscopal_rows(all: &StudyGroup<'_>) -> Vec<AbscopalRow> {
    let of_patient = |patient: &StudyPatient<'_>| {
        let id = patient.id.to_owned();
        let found = patient.facts.map_or(&[][..], |facts| facts.abscopal.as_slice());
        let rows: Vec<AbscopalRow> = found
            .iter()
            .map(|one| AbscopalRow {
                patient_id: id.clone(),
                lesion_id: one.lesion.to_string(),
                date: one.date,
                before_mm: one.before_mm.to_f64(),
                after_mm: one.after_mm.to_f64(),
                why: one.why.clone(),
            })
            .collect();
        rows
    };
    all.patients.iter().flat_map(of_patient).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modality::Modality;
    use crate::study::groups;
    use crate::study::tests::{facts_with, patient, treated};
    use crate::treatment::NewCycle;
    use crate::visit_id::VisitId;

    const RULE: CycleRule = CycleRule { gap_days: 56, new_cycle: NewCycle::AnySession };

    fn progression(date: &str, class: &str, needs_review: bool) -> EventRow {
        EventRow {
            patient_id: String::new(),
            lesion_id: String::new(),
            date: date.parse().unwrap(),
            event: "progression".to_owned(),
            class: class.to_owned(),
            cause: String::new(),
            cycle: None,
            interval_low_date: None,
            needs_review,
            why: String::new(),
            distance_mm: None,
            distance_low_mm: None,
            distance_high_mm: None,
            rule_mm: None,
            other_class: String::new(),
        }
    }

    #[test]
    fn patterns_of_one_day_are_joined_and_the_unimaged_are_counted_apart() {
        let visits = ["2024-01-01", "2024-04-01"].map(|day| VisitId::first(day.parse().unwrap()));
        let events = [
            progression("2024-04-01", "extrahepatic", false),
            progression("2024-04-01", "local", true),
            progression("2024-08-01", "distant_intrahepatic", false),
        ];
        let patients = [
            StudyPatient { visits: &visits, events: &events, ..patient("1", "HCC") },
            StudyPatient { visits: &visits, ..patient("2", "HCC") },
            patient("3", "HCC"),
        ];
        let rows = patterns(&groups(&patients), RULE);
        let find = |measure, pattern| rows.iter().find(|r| r.measure == measure && r.pattern == pattern).unwrap();
        assert_eq!((find("first", "local+extrahepatic").n, find("first", "local+extrahepatic").n_needs_review), (1, 1));
        assert_eq!((find("first", "none").n, find("first", "none").n_of), (1, 2));
        assert_eq!((find("ever", "distant_intrahepatic").n, find("ever", "extrahepatic").n_needs_review), (1, 0));
        assert_eq!(find("ever", "residual").reasons, "1 no imaging after baseline");
    }

    #[test]
    fn each_cycle_and_each_treatment_of_a_lesion_has_its_pattern() {
        let visits = ["2024-01-01", "2024-04-01", "2024-10-01"].map(|day| VisitId::first(day.parse().unwrap()));
        let on = |day: &str, lesion| treated(day.parse().unwrap(), Modality::HdrBrachytherapy, lesion);
        let facts = facts_with(vec![on("2024-01-05", "L1"), on("2024-05-01", "L1"), on("2025-01-01", "L2")]);
        let events = [
            EventRow { cycle: Some(1), lesion_id: "L1".to_owned(), ..progression("2024-04-01", "local", true) },
            EventRow { cycle: Some(2), ..progression("2024-10-01", "extrahepatic", false) },
        ];
        let one = StudyPatient { visits: &visits, events: &events, facts: Some(&facts), ..patient("1", "HCC") };
        let rows = patterns(&groups(&[one]), RULE);
        let n = |measure, pattern| {
            let row = rows.iter().find(|row| row.measure == measure && row.pattern == pattern).unwrap();
            (row.n, row.n_of, row.n_needs_review, row.n_not_evaluable)
        };
        assert_eq!([n("per_cycle", "local"), n("per_cycle", "extrahepatic")], [(1, 2, 1, 1), (1, 2, 0, 1)]);
        assert_eq!([n("per_treatment", "local"), n("per_treatment", "none")], [(1, 2, 1, 1), (1, 2, 0, 1)]);
    }
}
