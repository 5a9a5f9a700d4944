//! The cohort's page: what the patients' results come to, person by person and over all.

use std::collections::BTreeSet;

use imaging::Note;
use oncology::criteria::CriterionTable;
use oncology::{Days, Evaluable};
use report::{
    BestResponse, CohortPage, Count, LedgerRow, PatientLine, Registered, ResponseCount, ResponseTable, RunBlock,
    SumOverTime, SwimmerEnd, SwimmerLane, SwimmerMark, SwimmerSegment, n_doubts,
};

use crate::cohort_models::{endpoint_curves, incidences};
use crate::cohort_overview::{flow, margin_outcomes, quality};
use crate::cohort_survival::Curve;
use crate::collect::HowDone;
use crate::ledger::{self, Ledger, State};
use crate::out;
use crate::patient::CohortPatient;
use crate::stages;
use crate::stages::page::{criterion_infos, provenance};

/// The cohort's page.
pub(crate) fn page(
    ledger: &Ledger,
    results: &[CohortPatient],
    curves: &[Curve],
    how: &HowDone,
    tables: &[CriterionTable],
    archive_notes: Vec<Note>,
) -> CohortPage {
    let mut notes = archive_notes;
    for entry in ledger.patients.iter().filter(|e| e.state != State::Done) {
        let message = if entry.message.is_empty() { "not done".to_owned() } else { entry.message.clone() };
        let code = if entry.state == State::Stale { "stale_result" } else { "patient_not_in_cohort" };
        notes.push(Note::error(code, entry.id.clone(), message));
    }
    CohortPage {
        title: how.cohort.clone(),
        counts: counts(ledger, results),
        flow: flow(ledger, results, tables),
        criteria: criterion_infos(tables),
        responses: tables.iter().map(|t| response_table(&t.id, results)).collect(),
        best_responses: tables.iter().flat_map(|t| results.iter().map(|r| best_response(&t.id, r))).collect(),
        sums: tables
            .iter()
            .flat_map(|t| results.iter().map(|r| sums(&t.id, r)))
            .filter(|s| !s.points.is_empty())
            .collect(),
        study_tables: Vec::new(),
        endpoints: curves.iter().filter_map(endpoint_curves).collect(),
        incidences: incidences(results),
        hazards: Vec::new(),
        margin_outcomes: results.iter().flat_map(margin_outcomes).collect(),
        margin_threshold_mm: how.margin_threshold_mm,
        quality: quality(results),
        swimmer: results.iter().filter_map(|r| lane(r, tables)).collect(),
        patients: results.iter().map(|r| line(r, tables)).collect(),
        ledger: ledger.patients.iter().map(ledger_row).collect(),
        notes,
        methods: Vec::new(),
        references: Vec::new(),
        provenance: provenance(&how.parts),
        run: RunBlock { generated_at: None, command_line: None, hardware: None, duration: None },
    }
}

fn counts(ledger: &Ledger, results: &[CohortPatient]) -> Vec<Count> {
    let count = |label: &str, n: usize| Count { label: label.to_owned(), value: n.to_string() };
    let deaths = results.iter().filter(|r| r.death_date.is_some()).count();
    vec![
        count("patients", ledger.patients.len()),
        count("done", results.len()),
        count("imaging visits", results.iter().map(|r| r.visits.len()).sum()),
        count("lesions", results.iter().map(|r| r.lesions.len()).sum()),
        count("ablative margins", results.iter().map(|r| r.margins.len()).sum()),
        count("deaths", deaths),
    ]
}

/// Responses in the order they are read; others follow them.
const RESPONSES: [&str; 17] = [
    "CR",
    "iCR",
    "CMR",
    "PR",
    "iPR",
    "PMR",
    "SD",
    "iSD",
    "SMD",
    "NON-CR/NON-PD",
    "NON-iCR/NON-iUPD",
    "iUPD",
    "PD",
    "iCPD",
    "PMD",
    "NE",
    "NED",
];

/// The best response by a criterion, not confirmed.
pub(crate) fn best_of<'a>(criterion: &str, result: &'a CohortPatient) -> &'a str {
    result.best.iter().find(|b| b.criterion == criterion).map_or("NE", |b| b.unconfirmed.as_str())
}

fn response_table(criterion: &str, results: &[CohortPatient]) -> ResponseTable {
    let n_of = |response: &str| results.iter().filter(|r| best_of(criterion, r) == response).count() as u64;
    let found: BTreeSet<&str> = results.iter().map(|r| best_of(criterion, r)).collect();
    let further = found.into_iter().filter(|response| !RESPONSES.contains(response));
    let rows = RESPONSES
        .into_iter()
        .chain(further)
        .map(|r| ResponseCount { response: r.to_owned(), n: n_of(r) })
        .filter(|r| r.n > 0)
        .collect();
    let responders: u64 = ["CR", "iCR", "CMR", "PR", "iPR", "PMR"].into_iter().map(n_of).sum();
    let stable: u64 = ["SD", "iSD", "SMD", "NON-CR/NON-PD", "NON-iCR/NON-iUPD"].into_iter().map(n_of).sum();
    let summary = vec![
        format!(
            "Best overall response, not confirmed: {responders} of {} with complete or partial response.",
            results.len()
        ),
        format!("Disease control: {} of {}, stable disease included.", responders + stable, results.len()),
    ];
    ResponseTable { criterion: criterion.to_owned(), n: results.len() as u64, rows, summary }
}

/// Changes of the sum from baseline, in percent, by day.
fn changes(criterion: &str, result: &CohortPatient) -> Vec<[f64; 2]> {
    let rows = result.assessments.iter().filter(|row| row.criterion == criterion);
    rows.filter_map(|row| {
        let (sum, baseline) = (row.sum_mm?, row.baseline_mm.filter(|b| *b > 0.0)?);
        Some([row.study_day as f64, 100.0 * (sum - baseline) / baseline])
    })
    .collect()
}

fn sums(criterion: &str, result: &CohortPatient) -> SumOverTime {
    SumOverTime {
        patient_id: result.patient_id.clone(),
        criterion: criterion.to_owned(),
        points: changes(criterion, result),
    }
}

fn best_response(criterion: &str, result: &CohortPatient) -> BestResponse {
    let after_baseline = changes(criterion, result).into_iter().skip(1).map(|p| p[1]);
    let best = after_baseline.fold(None, |best: Option<f64>, v| Some(best.map_or(v, |b| b.min(v))));
    BestResponse {
        patient_id: result.patient_id.clone(),
        criterion: criterion.to_owned(),
        response: best_of(criterion, result).to_owned(),
        best_change_percent: best.map_or_else(|| Evaluable::not("no complete sum after baseline"), Evaluable::Value),
    }
}

fn lane(result: &CohortPatient, tables: &[CriterionTable]) -> Option<SwimmerLane> {
    let start = result.visits.first()?.date();
    let day = |date| Days::between(start, date).0;
    let last_visit = result.visits.last()?.date();
    let (end, kind) = match (result.death_date, result.last_contact_date) {
        (Some(death), _) => (death, SwimmerEnd::Death),
        (None, Some(contact)) if contact > last_visit => (contact, SwimmerEnd::Ongoing),
        _ => (last_visit, SwimmerEnd::Censored),
    };
    let leading = tables.first().map(|t| t.id.as_str())?;
    let rows: Vec<_> = result.assessments.iter().filter(|r| r.criterion == leading && !r.overall.is_empty()).collect();
    let mut segments = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        let to_day = rows.get(n + 1).map_or(day(end), |next| next.study_day);
        segments.push(SwimmerSegment { from_day: row.study_day, to_day, response: row.overall.clone() });
    }
    let mark = |e: &oncology::EventRow| match e.event.as_str() {
        "treatment" => Some(SwimmerMark::Treatment { day: day(e.date), label: e.cause.clone() }),
        "progression" => Some(SwimmerMark::Progression { day: day(e.date), label: e.class.replace('_', " ") }),
        _ => None,
    };
    let marks = result.events.iter().filter_map(mark).collect();
    Some(SwimmerLane { patient_id: result.patient_id.clone(), end_day: day(end), end: kind, segments, marks })
}

fn line(result: &CohortPatient, tables: &[CriterionTable]) -> PatientLine {
    let latest = |id: &str| {
        let mut rows = result.assessments.iter().rev().filter(|r| r.criterion == id && !r.overall.is_empty());
        rows.next().map_or_else(String::new, |r| r.overall.clone())
    };
    let smallest = result
        .margins
        .iter()
        .filter(|m| m.min_margin_mm.is_some())
        .min_by(|a, b| a.min_margin_mm.partial_cmp(&b.min_margin_mm).unwrap_or(std::cmp::Ordering::Equal));
    PatientLine {
        patient_id: result.patient_id.clone(),
        folder: Some(out::safe_name(&result.patient_id)),
        diagnosis: result.diagnosis.clone(),
        n_visits: result.visits.len() as u64,
        n_lesions: result.lesions.len() as u64,
        imaging: result.visits.first().zip(result.visits.last()).map(|(a, b)| [a.date(), b.date()]),
        best: tables.iter().map(|t| best_of(&t.id, result).to_owned()).collect(),
        latest: tables.iter().map(|t| latest(&t.id)).collect(),
        min_margin_mm: smallest.and_then(|m| m.min_margin_mm),
        margin_verdict: smallest.map_or_else(String::new, |m| m.verdict.clone()),
        margin: smallest.map_or_else(String::new, |m| {
            format!("{:.1} mm, {}", m.min_margin_mm.unwrap_or_default(), m.verdict.replace('_', " "))
        }),
        n_doubts: doubts(result) as u64,
    }
}

/// How many things the patient's own page says are to be doubted.
pub(crate) fn doubts(result: &CohortPatient) -> usize {
    // Baseline lies on itself.
    let later = result.registrations.iter().skip(1);
    let registrations: Vec<Registered<'_>> = later
        .map(|one| (one.visit, stages::page::quality(one.to_baseline.quality), one.to_baseline.reasons.as_slice()))
        .collect();
    n_doubts(&result.notes, &registrations, &result.events)
}

fn ledger_row(entry: &ledger::Entry) -> LedgerRow {
    let done = entry.state == State::Done;
    LedgerRow {
        patient_id: entry.id.clone(),
        state: format!("{:?}", entry.state).to_lowercase(),
        stage: if done { String::new() } else { entry.stage.clone() },
        code: entry.code.clone(),
        message: entry.message.clone(),
        remedy: entry.remedy.clone(),
    }
}
