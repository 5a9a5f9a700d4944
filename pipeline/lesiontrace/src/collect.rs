//! What the patients' folders hold becomes the cohort: tables, survival estimates and the cohort's page. Idempotent.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use formats::tables::{headers, to_csv};
use imaging::Note;
use oncology::adam::DayCount;
use oncology::criteria::CriterionTable;
use oncology::endpoint::Preset;
use rayon::prelude::*;
use report::CohortPage;
use serde::Deserialize;

use crate::artifacts::{self, RESULT};
use crate::cohort_figures;
use crate::cohort_hazards;
use crate::cohort_methods::{Made, cohort_methods};
use crate::cohort_page;
use crate::cohort_survival::{curves, survival_json};
use crate::cohort_tables::CohortTables;
use crate::config::Study;
use crate::frozen;
use crate::ledger::{self, Entry, Ledger, State};
use crate::lock;
use crate::manifest::Part;
use crate::out;
use crate::patient::CohortPatient;
use crate::rules::{RuleTexts, Rules};
use crate::study_tables::StudyTables;
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
    /// The texts of criteria and preset; runs of older versions knew built-in ones only.
    #[serde(default)]
    rules: Option<RuleTexts>,
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
    pub(crate) results: Vec<CohortPatient>,
}

/// How long collecting waits for another process that collects: ten thousand patients take half a minute.
const PATIENCE: Duration = Duration::from_mins(10);

/// Merges the patients' results into `cohort/`. A result that is not what was written leaves its patient out, who counts as failed.
pub(crate) fn collect(folder: &Path) -> anyhow::Result<Collected> {
    collect_and(folder, |_, _| Ok(())).map(|(collected, ())| collected)
}

/// [`collect`], and what else is made of the cohort's name and its results before anybody else may collect.
pub(crate) fn collect_and<T>(
    folder: &Path,
    also: impl FnOnce(&str, &[CohortPatient]) -> anyhow::Result<T>,
) -> anyhow::Result<(Collected, T)> {
    // Tables of two moments must not stand beside each other.
    let _lock = lock::wait(folder, PATIENCE)?;
    artifacts::sweep_here(&folder.join("cohort"));
    let mut ledger = ledger::read(folder)?;
    let results = read_results(folder, &mut ledger);
    let mut how: HowDone = read_json(&folder.join("equipment.json"))?;
    how.is_frozen = frozen::is_frozen(folder);
    let Rules { tables, preset, .. } = rules(&how)?;
    let days = how.study.as_ref().map_or(DayCount::Difference, |study| study.outputs.adam_days);
    let threshold_mm = how.margin_threshold_mm.unwrap_or(USUAL_MARGIN_MM);
    let (submitted, rows) = rayon::join(
        || submission_tables::write(folder, &results, &Submission { study: &how.cohort, tables: &tables, days }),
        || StudyTables::of(&results, &preset, &tables, threshold_mm),
    );
    submitted?;
    let printed = study_print::printed(&rows, &preset);
    study_tables::write_printed(folder, &printed)?;
    let mut to = CohortTables::new(folder, &how.cohort, &printed)?;
    rows.write(&mut to)?;
    write_tables(folder, &results, &mut to)?;
    to.finish()?;
    let curves = curves(&results, preset.reporting.statistics, &rows.summaries);
    out::write_json(&folder.join("cohort/survival.json"), &survival_json(&curves))?;
    let mut archive_notes: Vec<Note> = read_json(&folder.join("notes.json"))?;
    archive_notes.extend(after_cutoff(&preset, &results));
    let made = Made {
        how: &how,
        tables: &tables,
        preset: &preset,
        results: &results,
        rows: &rows,
        margin_threshold_mm: threshold_mm,
    };
    let methods = cohort_methods(&made);
    out::write_atomic(&folder.join("cohort/methods.md"), methods.markdown(&how.cohort).as_bytes())?;
    let page = CohortPage {
        study_tables: printed,
        methods: methods.sentences,
        references: methods.references,
        hazards: cohort_hazards::hazards(&results, &preset, &rows.cox),
        ..cohort_page::page(&ledger, &results, &curves, &how, &tables, archive_notes)
    };
    cohort_figures::write(folder, &page)?;
    let html = report::render_cohort(&page).context("making the cohort's page")?;
    out::write_atomic(&folder.join("cohort/report.html"), html.as_bytes())?;
    let also = also(&how.cohort, &results)?;
    Ok((Collected { ledger, results }, also))
}

/// The results of the patients that are done, in the ledger's order; in the ledger, one that cannot be read is failed.
fn read_results(folder: &Path, ledger: &mut Ledger) -> Vec<CohortPatient> {
    let is_done = |entry: &Entry| matches!(entry.state, State::Done | State::Stale);
    let read = |entry: &Entry| is_done(entry).then(|| read_result(folder, entry));
    let found: Vec<Option<anyhow::Result<CohortPatient>>> = ledger.patients.par_iter().map(read).collect();
    let mut results = Vec::with_capacity(found.len());
    for (entry, found) in ledger.patients.iter_mut().zip(found) {
        match found {
            Some(Ok(result)) => results.push(result),
            Some(Err(error)) => mark_damaged(entry, &error),
            None => {}
        }
    }
    ledger.recount();
    results
}

fn read_result(folder: &Path, entry: &Entry) -> anyhow::Result<CohortPatient> {
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

fn write_tables(folder: &Path, results: &[CohortPatient], to: &mut CohortTables<'_>) -> anyhow::Result<()> {
    fn all<T>(results: &[CohortPatient], rows: impl Fn(&CohortPatient) -> &Vec<T>) -> Vec<&T> {
        results.iter().flat_map(rows).collect()
    }
    let csv = to_csv(headers::READS, &all(results, |r| &r.reads)).context("making reads.csv")?;
    out::write_atomic(&folder.join("cohort/reads.csv"), &csv)?;
    to.describe("reads", &csv);
    to.write("lesions", "one lesion", headers::LESIONS, &all(results, |r| &r.lesions))?;
    let about = "one quantity of one lesion at one visit";
    to.write("measurements", about, headers::MEASUREMENTS, &all(results, |r| &r.measurements))?;
    let about = "one PET: reference uptake and conditions";
    to.write("pet_references", about, headers::PET_REFERENCES, &all(results, |r| &r.pet_references))?;
    to.write("margins", "one ablation of one lesion", headers::MARGINS, &all(results, |r| &r.margins))?;
    let mut assessments = Vec::new();
    for result in results {
        assessments.extend(result.assessments.iter().chain(&result.further_assessments));
    }
    to.write("assessments", "one visit by one criterion", headers::ASSESSMENTS, &assessments)?;
    to.write("events", "one event", headers::EVENTS, &all(results, |r| &r.events))?;
    let about = "one endpoint of one patient, lesion or cycle";
    to.write("endpoints", about, headers::ENDPOINTS, &all(results, |r| &r.endpoints))
}

/// Margin wanted where a run of an older version kept none, mm: the default of the study file.
const USUAL_MARGIN_MM: f64 = 5.0;

/// What a cut-off takes away must be seen: a published preset carries that of its own study.
fn after_cutoff(preset: &Preset, results: &[CohortPatient]) -> Option<Note> {
    let cutoff = preset.cutoff?;
    let late = |result: &&CohortPatient| result.visits.iter().filter(|visit| visit.date() > cutoff).count();
    let n_patients = results.iter().filter(|result| late(result) > 0).count();
    let n_visits: usize = results.iter().map(|result| late(&result)).sum();
    (n_visits > 0).then(|| {
        Note::warning(
            "after_cutoff",
            format!("preset {}", preset.id),
            format!(
                "{n_visits} visits of {n_patients} patients lie after the preset's cut-off {cutoff} and count for no \
                 endpoint; set [endpoints.options] cutoff to the date of your own data, or to \"none\""
            ),
        )
    })
}

/// The rules the run kept; of an older run, the built-in ones it named.
fn rules(how: &HowDone) -> anyhow::Result<Rules> {
    if let Some(texts) = &how.rules {
        return Rules::from_texts(texts);
    }
    let criterion = |id: &String| Ok(CriterionTable::built_in(id)?.text().to_owned());
    let preset = how.study.as_ref().map_or("default", |study| study.endpoints.preset.as_str());
    Rules::from_texts(&RuleTexts {
        criteria: how.criteria.iter().map(criterion).collect::<anyhow::Result<_>>()?,
        preset: Preset::built_in(preset).context("[endpoints] preset")?.text().to_owned(),
        further: Vec::new(),
    })
}
