//! Where disease came back, and how much of it there is: patterns of progression, oligometastatic state, abscopal candidates.
//!
//! Source: Ahmed et al. 2014 and Puijk et al. 2021 for the patterns; Lievens et al. 2020 for the oligometastatic state.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{LeftOut, NO_FACTS, StudyGroup, StudyPatient, percent};
use crate::cohort::EventRow;
use crate::oligometastatic::Burden;
use crate::time::Date;

/// One line of `table_patterns.csv`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatternRow {
    /// Group.
    pub group: String,
    /// `first`: what the first progression was; `ever`: at any time, a patient counted under each.
    pub measure: &'static str,
    /// `local`, `distant_intrahepatic`, `extrahepatic`, several of them joined by `+`, `unclassified`, `residual`, `none`.
    pub pattern: String,
    /// Patients.
    pub n: usize,
    /// Patients judged.
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

/// The patterns of every group: of the first progression, then of all.
pub fn patterns(groups: &[StudyGroup<'_>]) -> Vec<PatternRow> {
    groups.iter().flat_map(patterns_of).collect()
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
    let mut names: Vec<&str> = PATTERNS[..4].to_vec();
    let mut joined: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).filter(|name| name.contains('+')).collect();
    joined.sort_unstable();
    joined.dedup();
    names.extend(joined);
    names.push("none");
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
    let of_first = names.iter().map(|name| {
        let reviews: Vec<bool> = first.iter().filter(|(found, _)| found == name).map(|(_, review)| *review).collect();
        row("first", name, &reviews)
    });
    let of_all = PATTERNS.iter().map(|pattern| {
        let own = |patient: &&&StudyPatient<'_>| events_of(patient).any(|event| class_of(event) == *pattern);
        let review = |patient: &&StudyPatient<'_>| {
            events_of(patient).any(|event| class_of(event) == *pattern && event.needs_review)
        };
        let reviews: Vec<bool> = judged.iter().filter(own).map(review).collect();
        row("ever", pattern, &reviews)
    });
    of_first.chain(of_all).collect()
}

fn events_of<'a>(patient: &StudyPatient<'a>) -> impl Iterator<Item = &'a EventRow> {
    patient.events.iter().filter(|event| matches!(event.event.as_str(), "progression" | "residual"))
}

/// What the first progression was, all classes of its day joined, and whether a reader should look.
fn first_pattern(patient: &StudyPatient<'_>) -> (String, bool) {
    let progressions = || patient.events.iter().filter(|event| event.event == "progression");
    let Some(date) = progressions().map(|event| event.date).min() else { return ("none".to_owned(), false) };
    let of_day = || progressions().filter(|event| event.date == date);
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
    use crate::study::{groups, tests::patient};
    use crate::visit_id::VisitId;

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
        let rows = patterns(&groups(&patients));
        let find = |measure, pattern| rows.iter().find(|r| r.measure == measure && r.pattern == pattern).unwrap();
        assert_eq!((find("first", "local+extrahepatic").n, find("first", "local+extrahepatic").n_needs_review), (1, 1));
        assert_eq!((find("first", "none").n, find("first", "none").n_of), (1, 2));
        assert_eq!((find("ever", "distant_intrahepatic").n, find("ever", "extrahepatic").n_needs_review), (1, 0));
        assert_eq!(find("ever", "residual").reasons, "1 no imaging after baseline");
    }
}
