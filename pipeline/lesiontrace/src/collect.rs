//! What the patients' folders hold becomes the cohort: tables, survival estimates and the cohort's page. Idempotent.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use formats::parquet_table::{columns, to_parquet};
use formats::tables::{headers, to_csv};
use imaging::Note;
use oncology::adam::DayCount;
use oncology::criteria::CriterionTable;
use oncology::endpoint::Preset;
use oncology::reads::ReadRow;
use oncology::study::time_to_event::{comparison, endpoint_names, times};
use oncology::study::{StudyGroup, groups};
use report::CohortPage;
use serde::{Deserialize, Serialize};
use survival::{Convention, KaplanMeier, Profile, kaplan_meier, median};

use crate::artifacts::{self, RESULT};
use crate::cohort_page;
use crate::config::Study;
use crate::frozen;
use crate::ledger::{self, Entry, Ledger, State};
use crate::lock;
use crate::manifest::Part;
use crate::out;
use crate::patient::PatientResult;
use crate::study_tables::{StudyTables, study_patients};
use crate::submission_tables::{self, Submission};
use crate::{study_print, study_tables};

/// How the patients were done, as the run wrote it.
#[derive(Debug, Deserialize)]
pub(crate) struct HowDone {
    /// What had a part in the results.
    pub(crate) parts: Vec<Part>,
    /// Criteria, the leading one first.
    criteria: Vec<String>,
    /// Name of the cohort.
    pub(crate) cohort: String,
    /// Margin wanted around an ablated lesion, mm.
    #[serde(default)]
    pub(crate) margin_threshold_mm: Option<f64>,
    /// The study; runs of older versions did not keep it.
    #[serde(default)]
    study: Option<Study>,
    /// Whether the analysis is frozen.
    #[serde(skip)]
    pub(crate) is_frozen: bool,
}

/// What collecting found.
#[derive(Debug, Clone)]
pub(crate) struct Collected {
    /// The ledger.
    pub(crate) ledger: Ledger,
    /// Results of the patients that are done, by identifier.
    pub(crate) results: Vec<PatientResult>,
}

/// How long collecting waits for another process that collects: ten thousand patients take half a minute.
const PATIENCE: Duration = Duration::from_mins(10);

/// Merges the patients' results into `cohort/`. A result that is not what was written leaves its patient out, who counts as failed.
pub(crate) fn collect(folder: &Path) -> anyhow::Result<Collected> {
    // Tables of two moments must not stand beside each other.
    let _lock = lock::wait(folder, PATIENCE)?;
    artifacts::sweep_here(&folder.join("cohort"));
    let mut ledger = ledger::read(folder)?;
    let mut results = Vec::new();
    for entry in ledger.patients.iter_mut().filter(|e| matches!(e.state, State::Done | State::Stale)) {
        match read_result(folder, entry) {
            Ok(result) => results.push(result),
            Err(error) => mark_damaged(entry, &error),
        }
    }
    ledger.recount();
    let mut how: HowDone = read_json(&folder.join("equipment.json"))?;
    how.is_frozen = frozen::is_frozen(folder);
    write_tables(folder, &results)?;
    let tables: Vec<CriterionTable> =
        how.criteria.iter().map(|id| CriterionTable::built_in(id)).collect::<Result<_, _>>()?;
    let days = how.study.as_ref().map_or(DayCount::Difference, |study| study.outputs.adam_days);
    submission_tables::write(folder, &results, &Submission { study: &how.cohort, tables: &tables, days })?;
    let preset = preset(&how)?;
    let threshold_mm = how.margin_threshold_mm.unwrap_or(USUAL_MARGIN_MM);
    let rows = StudyTables::of(&results, &preset, &how.criteria, threshold_mm);
    rows.write(folder)?;
    let printed = study_print::printed(&rows, &preset);
    study_tables::write_printed(folder, &printed)?;
    let curves = curves(&results, preset.reporting.statistics);
    out::write_json(&folder.join("cohort/survival.json"), &survival_json(&curves))?;
    let archive_notes: Vec<Note> = read_json(&folder.join("notes.json"))?;
    let page = CohortPage {
        study_tables: printed,
        ..cohort_page::page(&ledger, &results, &curves, &how, &tables, archive_notes)
    };
    let html = report::render_cohort(&page).context("making the cohort's page")?;
    out::write_atomic(&folder.join("cohort/report.html"), html.as_bytes())?;
    Ok(Collected { ledger, results })
}

fn read_result(folder: &Path, entry: &Entry) -> anyhow::Result<PatientResult> {
    let patient = out::patient_folder(folder, &entry.id);
    let bytes = match entry.files.as_str() {
        // Results of versions that listed no files.
        "" => std::fs::read(patient.join(RESULT)).with_context(|| format!("reading {RESULT}"))?,
        digest => artifacts::read(&patient, digest, RESULT)?,
    };
    serde_json::from_slice(&bytes).with_context(|| format!("{RESULT} is not a result of this version"))
}

fn mark_damaged(entry: &mut Entry, error: &anyhow::Error) {
    entry.state = State::Failed;
    "report".clone_into(&mut entry.stage);
    "damaged_result".clone_into(&mut entry.code);
    entry.message = format!("{error:#}");
    "run again with --resume".clone_into(&mut entry.remedy);
    let line = format!("patient {}: left out of the cohort: {}", entry.id, entry.message);
    tracing::warn!("{}", out::plain_line(&line));
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
        names: &[&'static str],
        results: &[PatientResult],
        rows: impl Fn(&PatientResult) -> &Vec<T>,
    ) -> anyhow::Result<()> {
        let rows: Vec<T> = results.iter().flat_map(|r| rows(r).iter().cloned()).collect();
        let csv = to_csv(names, &rows).with_context(|| format!("making {name}.csv"))?;
        out::write_atomic(&folder.join(format!("cohort/{name}.csv")), &csv)?;
        let parquet = to_parquet(&columns(name, names), &rows).with_context(|| format!("making {name}.parquet"))?;
        out::write_atomic(&folder.join(format!("cohort/{name}.parquet")), &parquet)
    }
    let reads: Vec<ReadRow> = results.iter().flat_map(|r| r.reads.iter().cloned()).collect();
    let csv = to_csv(headers::READS, &reads).context("making reads.csv")?;
    out::write_atomic(&folder.join("cohort/reads.csv"), &csv)?;
    write(folder, "lesions", headers::LESIONS, results, |r| &r.lesions)?;
    write(folder, "measurements", headers::MEASUREMENTS, results, |r| &r.measurements)?;
    write(folder, "margins", headers::MARGINS, results, |r| &r.margins)?;
    write(folder, "assessments", headers::ASSESSMENTS, results, |r| &r.assessments)?;
    write(folder, "events", headers::EVENTS, results, |r| &r.events)?;
    write(folder, "endpoints", headers::ENDPOINTS, results, |r| &r.endpoints)
}

/// Margin wanted where a run of an older version kept none, mm: the default of the study file.
const USUAL_MARGIN_MM: f64 = 5.0;

/// The preset the run named; the default one for runs that did not keep their study.
fn preset(how: &HowDone) -> anyhow::Result<Preset> {
    let id = how.study.as_ref().map_or("default", |study| study.endpoints.preset.as_str());
    Preset::built_in(id).context("[endpoints] preset")
}

/// One endpoint's curves.
pub(crate) struct Curve {
    /// Its code.
    pub(crate) endpoint: String,
    /// Of everybody: the estimate, or why there is none.
    pub(crate) estimate: Result<KaplanMeier, String>,
    /// Of each diagnosis that is compared, with its name.
    pub(crate) groups: Vec<(String, Result<KaplanMeier, String>)>,
    /// The log-rank test over them, as a sentence; empty without groups.
    pub(crate) comparison: String,
    /// Whose definition of medians.
    pub(crate) convention: Convention,
}

/// Kaplan–Meier of every endpoint, over all its units and by diagnosis, in months, with the preset's conventions.
fn curves(results: &[PatientResult], statistics: Profile) -> Vec<Curve> {
    let patients = study_patients(results);
    let groups = groups(&patients);
    let mut names = endpoint_names(&groups);
    names.sort();
    let estimate = |group: &StudyGroup<'_>, endpoint: &str| {
        kaplan_meier(&times(group, endpoint), statistics.interval_scale()).map_err(|error| error.to_string())
    };
    let one = |endpoint: String| Curve {
        estimate: estimate(&groups[0], &endpoint),
        groups: groups[1..].iter().map(|group| (group.name.clone(), estimate(group, &endpoint))).collect(),
        comparison: match comparison(&groups, &endpoint) {
            Ok(Some(p)) => format!("Log-rank test: p = {}.", study_print::cells::p_value(Some(p))).replace("= <", "< "),
            Ok(None) => String::new(),
            Err(reason) => format!("Log-rank test: not evaluable, {reason}."),
        },
        convention: statistics.convention(),
        endpoint,
    };
    names.into_iter().map(one).collect()
}

fn survival_json(curves: &[Curve]) -> serde_json::Value {
    let one = |curve: &Curve| match &curve.estimate {
        Ok(estimate) => {
            let median_of = |estimate: &KaplanMeier| serde_json::json!(median(estimate, curve.convention));
            let mut km = serde_json::Map::from_iter([("all".to_owned(), serde_json::json!(estimate))]);
            let mut medians = serde_json::Map::new();
            for (name, group) in &curve.groups {
                if let Ok(group) = group {
                    km.insert(name.clone(), serde_json::json!(group));
                    medians.insert(name.clone(), median_of(group));
                }
            }
            serde_json::json!({"time_unit": "months", "km": km, "median": median_of(estimate), "group_median": medians})
        }
        Err(reason) => serde_json::json!({"not_evaluable": reason}),
    };
    let endpoints: serde_json::Map<String, serde_json::Value> =
        curves.iter().map(|curve| (curve.endpoint.clone(), one(curve))).collect();
    serde_json::json!({"schema_version": 1, "endpoints": endpoints})
}
