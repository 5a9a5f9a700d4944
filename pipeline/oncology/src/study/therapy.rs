//! What was done and how it went technically: sessions and cycles by modality, complications by grade, technical success and
//! technique efficacy.
//!
//! Source: Ahmed et al. 2014 and Puijk et al. 2021 for success and efficacy per tumour and complications per session; Clavien and
//! Dindo 2004, CTCAE 5.0 and the SIR classification (Khalilzadeh 2017) for grades.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{LeftOut, NO_FACTS, Reporting, StudyGroup, StudyPatient, Success, percent};
use crate::efficacy::Share;
use crate::modality::Modality;
use crate::time::Date;
use crate::treatment::{ClinicalFacts, CycleRule, Treatment};
use crate::treatment_table::{EfficacyInput, EfficacyWindow, efficacy_table, grade_of, is_major, modality_table};

/// Completeness is judged at the last control of this window after the end of the course (Ahmed 2014: one to three months).
pub const EFFICACY_WINDOW: EfficacyWindow = EfficacyWindow { from_day: 28, to_day: 120 };

/// Treatments by one modality (`table_treatments.csv`); `all locoregional` sums them up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TreatmentRow {
    /// Group.
    pub group: String,
    /// Modality as in `treatments.csv`, or `all locoregional`.
    pub modality: String,
    /// Patients treated by it.
    pub n_patients: usize,
    /// Patients of the group.
    pub n_patients_of: usize,
    /// Share of the patients, percent.
    pub percent: Option<f64>,
    /// Sessions.
    pub n_sessions: usize,
    /// Cycles; with `all locoregional` only.
    pub n_cycles: Option<usize>,
    /// Patients with more than one cycle; with `all locoregional` only.
    pub n_patients_retreated: Option<usize>,
    /// Lesions treated, counted once per session.
    pub n_treated_lesions: usize,
    /// Sessions of which no treated lesion is known.
    pub n_sessions_without_lesion: usize,
    /// Patients about whom nothing clinical is known.
    pub n_not_evaluable: usize,
    /// Why, with counts.
    pub reasons: String,
}

impl TreatmentRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] = &[
        "group",
        "modality",
        "n_patients",
        "n_patients_of",
        "percent",
        "n_sessions",
        "n_cycles",
        "n_patients_retreated",
        "n_treated_lesions",
        "n_sessions_without_lesion",
        "n_not_evaluable",
        "reasons",
    ];
}

/// Sessions with one grade of complication (`table_complications.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComplicationRow {
    /// Group.
    pub group: String,
    /// Modality.
    pub modality: String,
    /// `Clavien–Dindo`, `CTCAE`, `SIR`, `unknown scale`, or empty where nothing is recorded.
    pub scale: String,
    /// Grade within the scale; `not recorded` where the cell is empty.
    pub grade: String,
    /// Sessions with it.
    pub n_sessions: usize,
    /// Sessions by the modality.
    pub n_sessions_of: usize,
    /// Share, percent.
    pub percent: Option<f64>,
    /// Patients with it.
    pub n_patients: usize,
    /// Whether it is a major complication in its scale: `yes`, `no` or `not evaluable`.
    pub major: &'static str,
}

impl ComplicationRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] =
        &["group", "modality", "scale", "grade", "n_sessions", "n_sessions_of", "percent", "n_patients", "major"];
}

/// A share of ablated tumours (`table_efficacy.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EfficacyRow {
    /// Group.
    pub group: String,
    /// `technical_success`, `primary_efficacy` or `assisted_efficacy`.
    pub measure: &'static str,
    /// What counts as success.
    pub rule: String,
    /// Tumours with success.
    pub n: usize,
    /// Tumours judged.
    pub n_of: usize,
    /// Share, percent.
    pub percent: Option<f64>,
    /// Tumours that could not be judged.
    pub n_not_evaluable: usize,
    /// Why, with counts.
    pub reasons: String,
}

impl EfficacyRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] =
        &["group", "measure", "rule", "n", "n_of", "percent", "n_not_evaluable", "reasons"];
}

fn clinical(group: &StudyGroup<'_>) -> Vec<ClinicalFacts> {
    group.patients.iter().filter_map(|patient| patient.facts).map(|facts| facts.clinical.clone()).collect()
}

/// One row per locoregional modality, after one for all of them, and one for systemic therapy.
pub fn treatments(groups: &[StudyGroup<'_>], rule: CycleRule) -> Vec<TreatmentRow> {
    groups.iter().flat_map(|group| treatments_of(group, rule)).collect()
}

fn treatments_of(group: &StudyGroup<'_>, rule: CycleRule) -> Vec<TreatmentRow> {
    let clinical = clinical(group);
    let of = group.patients.len();
    let mut left = LeftOut::default();
    for _ in clinical.len()..of {
        left.add(NO_FACTS);
    }
    let row = |modality: String, counts: &dyn Fn(&Treatment) -> bool| {
        let own = |facts: &ClinicalFacts| facts.treatments.iter().filter(|t| counts(t)).cloned().collect::<Vec<_>>();
        let sessions: Vec<Vec<Treatment>> = clinical.iter().map(own).collect();
        let n_patients = sessions.iter().filter(|own| !own.is_empty()).count();
        let without = |treatment: &&Treatment| treatment.target_lesions.is_empty();
        TreatmentRow {
            group: group.name.clone(),
            modality,
            n_patients,
            n_patients_of: of,
            percent: percent(n_patients, of),
            n_sessions: sessions.iter().map(Vec::len).sum(),
            n_cycles: None,
            n_patients_retreated: None,
            n_treated_lesions: sessions.iter().flatten().map(|treatment| treatment.target_lesions.len()).sum(),
            n_sessions_without_lesion: sessions.iter().flatten().filter(without).count(),
            n_not_evaluable: left.n(),
            reasons: left.reasons(),
        }
    };
    let cycles: Vec<usize> = group.patients.iter().map(|patient| patient.course(rule).1.len()).collect();
    let mut rows = vec![TreatmentRow {
        n_cycles: Some(cycles.iter().sum()),
        n_patients_retreated: Some(cycles.iter().filter(|n| **n > 1).count()),
        ..row("all locoregional".to_owned(), &|treatment| treatment.modality.is_locoregional())
    }];
    for modality in modality_table(&clinical).into_keys() {
        rows.push(row(modality.to_string(), &|treatment| treatment.modality == modality));
    }
    let systemic = row(Modality::Systemic.to_string(), &|treatment| treatment.modality == Modality::Systemic);
    rows.extend(Some(systemic).filter(|row| row.n_sessions > 0));
    rows
}

/// One row per group, modality and grade that was recorded; sessions without a record are a row of their own.
pub fn complications(groups: &[StudyGroup<'_>]) -> Vec<ComplicationRow> {
    groups.iter().flat_map(complications_of).collect()
}

fn complications_of(group: &StudyGroup<'_>) -> Vec<ComplicationRow> {
    let clinical = clinical(group);
    let mut rows = Vec::new();
    for (modality, counted) in modality_table(&clinical) {
        for (recorded, n_sessions) in &counted.complications {
            let has = |facts: &&ClinicalFacts| {
                let own = |t: &Treatment| t.modality == modality && label(&t.complication_grade) == recorded;
                facts.treatments.iter().any(own)
            };
            let is_missing = recorded == NOT_RECORDED;
            let (scale, grade) = if is_missing { ("", recorded.clone()) } else { grade_of(recorded) };
            rows.push(ComplicationRow {
                group: group.name.clone(),
                modality: modality.to_string(),
                scale: scale.to_owned(),
                grade,
                n_sessions: *n_sessions,
                n_sessions_of: counted.n_sessions,
                percent: percent(*n_sessions, counted.n_sessions),
                n_patients: clinical.iter().filter(has).count(),
                major: match is_major(recorded) {
                    Some(true) => "yes",
                    Some(false) => "no",
                    None => "not evaluable",
                },
            });
        }
    }
    rows
}

const NOT_RECORDED: &str = "not recorded";

fn label(grade: &str) -> &str {
    let grade = grade.trim();
    if grade.is_empty() { NOT_RECORDED } else { grade }
}

/// Technical success of every ablation, then primary and assisted efficacy of every tumour ablated in a first cycle.
pub fn efficacy(
    groups: &[StudyGroup<'_>],
    rule: CycleRule,
    reporting: &Reporting,
    margin_threshold_mm: f64,
) -> Vec<EfficacyRow> {
    let of_group = |group: &StudyGroup<'_>| {
        let mut rows = vec![technical_success(group, reporting.technical_success, margin_threshold_mm)];
        rows.extend(technique_efficacy(group, rule));
        rows
    };
    groups.iter().flat_map(of_group).collect()
}

fn technical_success(group: &StudyGroup<'_>, success: Success, threshold_mm: f64) -> EfficacyRow {
    let rule = match success {
        Success::Coverage => "the zone covers the tumour (smallest margin of 0 mm and more)".to_owned(),
        Success::MarginMoreThanThreshold => format!("smallest margin of more than {threshold_mm} mm"),
    };
    let is_success = |margin: f64| match success {
        Success::Coverage => margin >= 0.0,
        Success::MarginMoreThanThreshold => margin > threshold_mm,
    };
    let (mut share, mut left) = (Share { n: 0, of: 0 }, LeftOut::default());
    for patient in &group.patients {
        for margin in patient.margins {
            match margin.min_margin_mm {
                Some(smallest) => {
                    share.of += 1;
                    share.n += usize::from(is_success(smallest));
                }
                None => left.add(format!("margin {}", margin.verdict.replace('_', " "))),
            }
        }
        for (reason, n) in unseen_ablations(patient) {
            (0..n).for_each(|_| left.add(reason));
        }
    }
    row(group, "technical_success", rule, share, &left)
}

/// Locoregional sessions whose success no margin tells, by reason.
fn unseen_ablations(patient: &StudyPatient<'_>) -> BTreeMap<&'static str, usize> {
    let mut unseen = BTreeMap::new();
    let sessions = patient.facts.iter().flat_map(|facts| &facts.clinical.treatments);
    for session in sessions.filter(|session| session.modality.is_locoregional()) {
        let measured = |lesion: &str| {
            patient.margins.iter().any(|row| row.lesion_id == lesion && row.treatment_date == session.date)
        };
        let reason = match (session.modality.leaves_ablation_zone(), session.target_lesions.is_empty()) {
            (false, _) => "the modality leaves no ablation zone",
            (true, true) => "no zone was found for the session",
            (true, false) => "no margin was measured",
        };
        let missing = session.target_lesions.iter().filter(|lesion| !measured(lesion.as_str())).count();
        let n = if session.target_lesions.is_empty() { 1 } else { missing };
        *unseen.entry(reason).or_default() += n;
    }
    unseen.retain(|_, n| *n > 0);
    unseen
}

fn technique_efficacy(group: &StudyGroup<'_>, rule: CycleRule) -> [EfficacyRow; 2] {
    let mut left = LeftOut::default();
    let mut ablated = Vec::new();
    for patient in &group.patients {
        let (mut sessions, cycles) = patient.course(rule);
        for session in sessions.iter_mut().filter(|session| !session.modality.leaves_ablation_zone()) {
            for _ in session.target_lesions.drain(..) {
                left.add("the modality leaves no ablation zone");
            }
        }
        let start = patient.visits.first().map(|visit| visit.date());
        let imaging: Vec<Date> =
            patient.visits.iter().map(|visit| visit.date()).filter(|date| Some(*date) > start).collect();
        ablated.push((sessions, cycles, imaging, patient.events));
    }
    let inputs: Vec<EfficacyInput<'_>> = ablated
        .iter()
        .map(|(sessions, cycles, imaging, events)| EfficacyInput { sessions, cycles, events, imaging })
        .collect();
    let found = efficacy_table(&inputs, EFFICACY_WINDOW);
    let EfficacyWindow { from_day, to_day } = EFFICACY_WINDOW;
    for _ in 0..found.n_not_evaluable {
        left.add(format!("no imaging from day {from_day} to {to_day} after the course"));
    }
    let primary =
        format!("no viable tumour at the last control from day {from_day} to {to_day} after the first course");
    let assisted = "that, or none after repeat treatment within the course".to_owned();
    [
        row(group, "primary_efficacy", primary, found.primary, &left),
        row(group, "assisted_efficacy", assisted, found.secondary, &left),
    ]
}

fn row(group: &StudyGroup<'_>, measure: &'static str, rule: String, share: Share, left: &LeftOut) -> EfficacyRow {
    EfficacyRow {
        group: group.name.clone(),
        measure,
        rule,
        n: share.n,
        n_of: share.of,
        percent: percent(share.n, share.of),
        n_not_evaluable: left.n(),
        reasons: left.reasons(),
    }
}
