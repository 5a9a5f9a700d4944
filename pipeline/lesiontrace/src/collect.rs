//! What the patients' folders hold becomes the cohort: tables, survival estimates and the cohort's page. Idempotent.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use formats::tables::{headers, to_csv};
use imaging::{Note, Severity};
use oncology::criteria::CriterionTable;
use oncology::{Days, EndpointRow, Evaluable};
use report::{
    BestResponse, CohortPage, Count, EndpointCurves, KmCurve, LedgerRow, PatientLine, ResponseCount, ResponseTable,
    RunBlock, SumOverTime, SwimmerEnd, SwimmerLane, SwimmerMark, SwimmerSegment,
};
use serde::{Deserialize, Serialize};
use survival::{Convention, IntervalScale, KaplanMeier, TimeToEvent, kaplan_meier, median};

use crate::ledger::{self, Ledger, State};
use crate::manifest::Part;
use crate::out;
use crate::patient::PatientResult;
use crate::stages::page::{criterion_infos, provenance};

/// How the patients were done, as the run wrote it.
#[derive(Debug, Deserialize)]
struct HowDone {
    parts: Vec<Part>,
    criteria: Vec<String>,
    cohort: String,
}

/// What collecting found.
#[derive(Debug, Clone)]
pub(crate) struct Collected {
    /// The ledger.
    pub(crate) ledger: Ledger,
    /// Results of the patients that are done, by identifier.
    pub(crate) results: Vec<PatientResult>,
}

/// Merges the patients' results into `cohort/`.
pub(crate) fn collect(folder: &Path) -> anyhow::Result<Collected> {
    let ledger = ledger::read(folder)?;
    let mut results = Vec::new();
    for entry in ledger.patients.iter().filter(|e| matches!(e.state, State::Done | State::Stale)) {
        let path = out::patient_folder(folder, &entry.id).join("result.json");
        results.push(read_json::<PatientResult>(&path)?);
    }
    write_tables(folder, &results)?;
    let curves = curves(&results);
    out::write_json(&folder.join("cohort/survival.json"), &survival_json(&curves))?;
    let how: HowDone = read_json(&folder.join("equipment.json"))?;
    let archive_notes: Vec<Note> = read_json(&folder.join("notes.json"))?;
    let tables: Vec<CriterionTable> =
        how.criteria.iter().map(|id| CriterionTable::built_in(id)).collect::<Result<_, _>>()?;
    let page = page(&ledger, &results, &curves, &how, &tables, archive_notes);
    let html = report::render_cohort(&page).context("making the cohort's page")?;
    out::write_atomic(&folder.join("cohort/report.html"), html.as_bytes())?;
    Ok(Collected { ledger, results })
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("reading {}; run the patient again with --force", path.display()))?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is not a result of this version; run again with --force", path.display()))
}

fn write_tables(folder: &Path, results: &[PatientResult]) -> anyhow::Result<()> {
    fn write<T: Serialize + Clone>(
        folder: &Path,
        name: &str,
        columns: &[&str],
        results: &[PatientResult],
        rows: impl Fn(&PatientResult) -> &Vec<T>,
    ) -> anyhow::Result<()> {
        let rows: Vec<T> = results.iter().flat_map(|r| rows(r).iter().cloned()).collect();
        let bytes = to_csv(columns, &rows).with_context(|| format!("making {name}"))?;
        out::write_atomic(&folder.join("cohort").join(name), &bytes)
    }
    write(folder, "lesions.csv", headers::LESIONS, results, |r| &r.lesions)?;
    write(folder, "measurements.csv", headers::MEASUREMENTS, results, |r| &r.measurements)?;
    write(folder, "margins.csv", headers::MARGINS, results, |r| &r.margins)?;
    write(folder, "assessments.csv", headers::ASSESSMENTS, results, |r| &r.assessments)?;
    write(folder, "events.csv", headers::EVENTS, results, |r| &r.events)?;
    write(folder, "endpoints.csv", headers::ENDPOINTS, results, |r| &r.endpoints)
}

/// One endpoint's curve.
struct Curve {
    endpoint: String,
    estimate: Result<KaplanMeier, String>,
}

/// Kaplan–Meier of every endpoint, over all its units, in months.
fn curves(results: &[PatientResult]) -> Vec<Curve> {
    let mut by_endpoint: BTreeMap<&str, Vec<&EndpointRow>> = BTreeMap::new();
    for row in results.iter().flat_map(|r| &r.endpoints) {
        by_endpoint.entry(&row.endpoint).or_default().push(row);
    }
    let estimate = |rows: &[&EndpointRow]| {
        let times: Vec<TimeToEvent> =
            rows.iter().map(|r| TimeToEvent { time: r.months, event: r.event == 1 }).collect();
        kaplan_meier(&times, IntervalScale::Log).map_err(|error| error.to_string())
    };
    by_endpoint.into_iter().map(|(name, rows)| Curve { endpoint: name.to_owned(), estimate: estimate(&rows) }).collect()
}

fn survival_json(curves: &[Curve]) -> serde_json::Value {
    let one = |curve: &Curve| match &curve.estimate {
        Ok(estimate) => {
            let median = median(estimate, Convention::R);
            serde_json::json!({"time_unit": "months", "km": {"all": estimate}, "median": median})
        }
        Err(reason) => serde_json::json!({"not_evaluable": reason}),
    };
    let endpoints: serde_json::Map<String, serde_json::Value> =
        curves.iter().map(|curve| (curve.endpoint.clone(), one(curve))).collect();
    serde_json::json!({"schema_version": 1, "endpoints": endpoints})
}

fn page(
    ledger: &Ledger,
    results: &[PatientResult],
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
        criteria: criterion_infos(tables),
        responses: tables.iter().map(|t| response_table(&t.id, results)).collect(),
        best_responses: tables.iter().flat_map(|t| results.iter().map(|r| best_response(&t.id, r))).collect(),
        sums: tables.iter().flat_map(|t| results.iter().map(|r| sums(&t.id, r))).filter(|s| !s.points.is_empty()).collect(),
        endpoints: curves.iter().filter_map(endpoint_curves).collect(),
        swimmer: results.iter().filter_map(|r| lane(r, tables)).collect(),
        patients: results.iter().map(|r| line(r, tables)).collect(),
        ledger: ledger.patients.iter().map(ledger_row).collect(),
        notes,
        methods: vec![
            "Patients were read, segmented, registered, measured and assessed one by one; each patient's page names the methods that ran.".to_owned(),
            "Survival by Kaplan and Meier (1958), Greenwood variance, 95 % interval on the log scale; times in months of the preset's length.".to_owned(),
        ],
        provenance: provenance(&how.parts),
        run: RunBlock { generated_at: None, command_line: None, hardware: None, duration: None },
    }
}

fn counts(ledger: &Ledger, results: &[PatientResult]) -> Vec<Count> {
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

/// Responses in the order they are read.
const RESPONSES: [&str; 13] =
    ["CR", "PR", "SD", "NON-CR/NON-PD", "PD", "iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "iUPD", "iCPD", "NE", "NED"];

fn best_of<'a>(criterion: &str, result: &'a PatientResult) -> &'a str {
    result.best.iter().find(|b| b.criterion == criterion).map_or("NE", |b| b.unconfirmed.as_str())
}

fn response_table(criterion: &str, results: &[PatientResult]) -> ResponseTable {
    let n_of = |response: &str| results.iter().filter(|r| best_of(criterion, r) == response).count() as u64;
    let rows =
        RESPONSES.iter().map(|r| ResponseCount { response: (*r).to_owned(), n: n_of(r) }).filter(|r| r.n > 0).collect();
    let responders = n_of("CR") + n_of("PR") + n_of("iCR") + n_of("iPR");
    let stable = ["SD", "iSD", "NON-CR/NON-PD", "NON-iCR/NON-iUPD"].map(n_of).iter().sum::<u64>();
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
fn changes(criterion: &str, result: &PatientResult) -> Vec<[f64; 2]> {
    let rows = result.assessments.iter().filter(|row| row.criterion == criterion);
    rows.filter_map(|row| {
        let (sum, baseline) = (row.sum_mm?, row.baseline_mm.filter(|b| *b > 0.0)?);
        Some([row.study_day as f64, 100.0 * (sum - baseline) / baseline])
    })
    .collect()
}

fn sums(criterion: &str, result: &PatientResult) -> SumOverTime {
    SumOverTime {
        patient_id: result.patient_id.clone(),
        criterion: criterion.to_owned(),
        points: changes(criterion, result),
    }
}

fn best_response(criterion: &str, result: &PatientResult) -> BestResponse {
    let after_baseline = changes(criterion, result).into_iter().skip(1).map(|p| p[1]);
    let best = after_baseline.fold(None, |best: Option<f64>, v| Some(best.map_or(v, |b| b.min(v))));
    BestResponse {
        patient_id: result.patient_id.clone(),
        criterion: criterion.to_owned(),
        response: best_of(criterion, result).to_owned(),
        best_change_percent: best.map_or_else(|| Evaluable::not("no complete sum after baseline"), Evaluable::Value),
    }
}

fn endpoint_curves(curve: &Curve) -> Option<EndpointCurves> {
    let estimate = curve.estimate.as_ref().ok()?;
    let step = [1.0, 2.0, 3.0, 6.0, 12.0, 24.0].into_iter().find(|s| estimate.last_time() / s <= 8.0).unwrap_or(48.0);
    let n_ticks = (estimate.last_time() / step).floor() as usize + 1;
    let risk_times: Vec<f64> = (0..n_ticks).map(|n| n as f64 * step).collect();
    let found = median(estimate, Convention::R);
    let value = found.median.map_or_else(|| Evaluable::not("median not reached"), Evaluable::Value);
    let (title, definition) = wording(&curve.endpoint);
    Some(EndpointCurves {
        endpoint: curve.endpoint.clone(),
        title: title.to_owned(),
        definition: definition.to_owned(),
        time_unit: "months".to_owned(),
        curves: vec![KmCurve::from_estimate("", estimate, &risk_times).with_median(value, found.median_ci)],
        risk_times,
        comparison: String::new(),
    })
}

fn wording(endpoint: &str) -> (&'static str, &'static str) {
    match endpoint {
        "OS" => ("Overall survival", "Event: death of any cause. Censored when last known alive."),
        "PFS" => ("Progression-free survival", "Event: progression of any kind or death."),
        "PFS_local" => {
            ("Local progression-free survival", "Event: local progression; death and other progression do not count.")
        }
        "PFS_distant" => {
            ("Distant progression-free survival", "Event: distant intrahepatic or extrahepatic progression.")
        }
        "TTP" => ("Time to progression", "Event: progression of any kind; death is censored."),
        "LTPFS" => (
            "Local tumour progression-free survival, per treated lesion",
            "Event: local progression of the treated lesion.",
        ),
        "DPFS" => (
            "Distant progression-free survival of the patient",
            "Event: distant intrahepatic or extrahepatic progression.",
        ),
        _ => ("", ""),
    }
}

fn lane(result: &PatientResult, tables: &[CriterionTable]) -> Option<SwimmerLane> {
    let start = *result.visits.first()?;
    let day = |date| Days::between(start, date).0;
    let last_visit = *result.visits.last()?;
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
        "progression" => Some(SwimmerMark::Progression { day: day(e.date), label: e.class.clone() }),
        _ => None,
    };
    let marks = result.events.iter().filter_map(mark).collect();
    Some(SwimmerLane { patient_id: result.patient_id.clone(), end_day: day(end), end: kind, segments, marks })
}

fn line(result: &PatientResult, tables: &[CriterionTable]) -> PatientLine {
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
        imaging: result.visits.first().zip(result.visits.last()).map(|(a, b)| [*a, *b]),
        best: tables.iter().map(|t| best_of(&t.id, result).to_owned()).collect(),
        latest: tables.iter().map(|t| latest(&t.id)).collect(),
        margin: smallest.map_or_else(String::new, |m| {
            format!("{:.1} mm, {}", m.min_margin_mm.unwrap_or_default(), m.verdict.replace('_', " "))
        }),
        n_doubts: result.notes.iter().filter(|n| n.severity > Severity::Info).count() as u64,
    }
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
