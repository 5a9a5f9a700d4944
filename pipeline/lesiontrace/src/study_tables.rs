//! The tables a study prints, computed over the patients' results and written to `cohort/`: `table_*` with one row per number
//! and `abscopal`; `print_table_*.csv` as they stand on the page.

use std::path::Path;

use anyhow::Context as _;
use formats::tables::cells_to_csv;
use oncology::criteria::CriterionTable;
use oncology::criteria::enhancement::EnhancementTable;
use oncology::endpoint::Preset;
use oncology::study::best::{BestRateRow, BestRow, best_rates, best_rows};
use oncology::study::characteristics::{CharacteristicRow, characteristics};
use oncology::study::node_response::{LesionResponseRow, lesion_responses};
use oncology::study::patterns::{AbscopalRow, BurdenRow, PatternRow, abscopal_rows, burdens, patterns};
use oncology::study::predictors::{CoxRow, covariate_table, predictors};
use oncology::study::readings::{ReadingRow, readings};
use oncology::study::response::{ResponseRow, responses, usual_windows};
use oncology::study::sensitivity::{SensitivityRow, sensitivity};
use oncology::study::summaries::{EndpointSummary, summaries};
use oncology::study::therapy::{ComplicationRow, EfficacyRow, TreatmentRow, complications, efficacy, treatments};
use oncology::study::time_to_event::{LandmarkRow, SurvivalRow, landmark_rows, survival_rows};
use oncology::study::{StudyGroup, StudyPatient, groups};
use report::StudyTable;

use crate::cohort_tables::CohortTables;
use crate::out;
use crate::patient::CohortPatient;

/// Every table, row by row.
pub(crate) struct StudyTables {
    /// Groups with their numbers of patients, everybody first.
    pub(crate) groups: Vec<(String, usize)>,
    /// Criteria: identifier and title.
    pub(crate) criteria: Vec<[String; 2]>,
    /// Table 1.
    pub(crate) characteristics: Vec<CharacteristicRow>,
    /// Sessions and cycles.
    pub(crate) treatments: Vec<TreatmentRow>,
    /// Complications by grade.
    pub(crate) complications: Vec<ComplicationRow>,
    /// Technical success and technique efficacy.
    pub(crate) efficacy: Vec<EfficacyRow>,
    /// Responses at fixed times.
    pub(crate) responses: Vec<ResponseRow>,
    /// Responses of treated lesions.
    pub(crate) lesion_responses: Vec<LesionResponseRow>,
    /// Best responses by patient.
    pub(crate) best: Vec<BestRow>,
    /// And as rates.
    pub(crate) best_rates: Vec<BestRateRow>,
    /// Endpoints both ways where a distance is not sure.
    pub(crate) sensitivity: Vec<SensitivityRow>,
    /// What readers coded of treated sites.
    pub(crate) readings: Vec<ReadingRow>,
    /// Medians and tests.
    pub(crate) survival: Vec<SurvivalRow>,
    /// Rates at fixed times.
    pub(crate) landmarks: Vec<LandmarkRow>,
    /// Cox models.
    pub(crate) cox: Vec<CoxRow>,
    /// The variables of the models: names, and a row for each patient.
    pub(crate) covariates: (Vec<String>, Vec<Vec<String>>),
    /// Patterns of progression.
    pub(crate) patterns: Vec<PatternRow>,
    /// Oligometastatic state.
    pub(crate) burdens: Vec<BurdenRow>,
    /// Everything that was estimated of each endpoint.
    pub(crate) summaries: Vec<EndpointSummary>,
    /// Untreated lesions that shrank.
    pub(crate) abscopal: Vec<AbscopalRow>,
}

/// The patients as the tables see them.
pub(crate) fn study_patients(results: &[CohortPatient]) -> Vec<StudyPatient<'_>> {
    results
        .iter()
        .map(|result| StudyPatient {
            id: &result.patient_id,
            diagnosis: &result.diagnosis,
            facts: result.study.as_ref(),
            visits: &result.visits,
            reads: &result.reads,
            lesions: &result.lesions,
            measurements: &result.measurements,
            margins: &result.margins,
            assessments: &result.assessments,
            events: &result.events,
            endpoints: &result.endpoints,
            other_endpoints: &result.other_endpoints,
            best: &result.best,
        })
        .collect()
}

/// The four-level response of treated sites.
fn site_rules() -> EnhancementTable {
    EnhancementTable::built_in("narayanan2024_response").expect("the built-in tables are tested")
}

impl StudyTables {
    /// Computes all tables by a preset's rules and conventions.
    pub(crate) fn of(
        results: &[CohortPatient],
        preset: &Preset,
        criteria: &[CriterionTable],
        margin_threshold_mm: f64,
    ) -> Self {
        let patients = study_patients(results);
        let groups: Vec<StudyGroup<'_>> = groups(&patients);
        let (rule, reporting) = (preset.cycle_rule, &preset.reporting);
        let ids: Vec<String> = criteria.iter().map(|table| table.id.clone()).collect();
        let summaries = summaries(&groups, reporting);
        let usual = usual_windows();
        let windows = if preset.response_windows.is_empty() { &usual } else { &preset.response_windows };
        Self {
            groups: groups.iter().map(|group| (group.name.clone(), group.patients.len())).collect(),
            criteria: criteria.iter().map(|table| [table.id.clone(), table.title.clone()]).collect(),
            characteristics: characteristics(&groups, rule),
            treatments: treatments(&groups, rule),
            complications: complications(&groups),
            efficacy: efficacy(&groups, rule, reporting, margin_threshold_mm),
            responses: responses(&groups, &ids, windows, rule),
            lesion_responses: lesion_responses(&groups, rule, &site_rules()),
            best: groups.first().map(best_rows).unwrap_or_default(),
            best_rates: best_rates(&groups, &ids),
            sensitivity: groups.first().map(|all| sensitivity(all, reporting.statistics)).unwrap_or_default(),
            readings: groups.first().map(readings).unwrap_or_default(),
            survival: survival_rows(&groups, reporting.statistics, &summaries),
            landmarks: landmark_rows(&groups, reporting),
            cox: predictors(&groups, reporting, rule),
            covariates: covariate_table(&groups, rule),
            patterns: patterns(&groups, rule),
            burdens: burdens(&groups),
            summaries,
            abscopal: groups.first().map(abscopal_rows).unwrap_or_default(),
        }
    }

    /// Writes them beside the cohort's other tables.
    pub(crate) fn write(&self, to: &mut CohortTables<'_>) -> anyhow::Result<()> {
        let t = self;
        to.write("table_baseline", "characteristics at baseline", CharacteristicRow::COLUMNS, &t.characteristics)?;
        to.write("table_treatments", "sessions and cycles by modality", TreatmentRow::COLUMNS, &t.treatments)?;
        to.write("table_complications", "complications by grade", ComplicationRow::COLUMNS, &t.complications)?;
        to.write("table_efficacy", "technical success and technique efficacy", EfficacyRow::COLUMNS, &t.efficacy)?;
        to.write("table_response", "responses at fixed times", ResponseRow::COLUMNS, &t.responses)?;
        let about = "responses of treated lesions";
        to.write("table_lesion_response", about, LesionResponseRow::COLUMNS, &t.lesion_responses)?;
        to.write("best_responses", "best responses of one patient", BestRow::COLUMNS, &t.best)?;
        to.write("table_best_response", "best response, rates", BestRateRow::COLUMNS, &t.best_rates)?;
        let about = "endpoints by the other class of unsure distances";
        to.write("table_sensitivity", about, SensitivityRow::COLUMNS, &t.sensitivity)?;
        let about = "one coded reading of a treated site";
        to.write("readings", about, ReadingRow::COLUMNS, &t.readings)?;
        to.write("table_survival", "medians and tests by endpoint", SurvivalRow::COLUMNS, &t.survival)?;
        to.write("table_landmarks", "rates at fixed times", LandmarkRow::COLUMNS, &t.landmarks)?;
        to.write("table_cox", "terms of Cox models", CoxRow::COLUMNS, &t.cox)?;
        to.write_texts("covariates", "variables of one patient, those of the Cox models", &t.covariates)?;
        to.write("table_patterns", "patterns of progression", PatternRow::COLUMNS, &t.patterns)?;
        to.write("table_oligometastatic", "oligometastatic state", BurdenRow::COLUMNS, &t.burdens)?;
        to.write("abscopal", "untreated lesions that shrank", AbscopalRow::COLUMNS, &t.abscopal)
    }
}

/// Writes the printed tables as `cohort/print_table_<id>.csv`; those of an earlier layout are removed.
pub(crate) fn write_printed(folder: &Path, tables: &[StudyTable]) -> anyhow::Result<()> {
    let cohort = folder.join("cohort");
    let name = |table: &StudyTable| format!("print_table_{}.csv", table.id);
    for table in tables {
        let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
        let csv = cells_to_csv(&columns, table.cells()).with_context(|| format!("making {}", name(table)))?;
        out::write_atomic(&cohort.join(name(table)), &csv)?;
    }
    out::keep_only(&cohort, |found| {
        let is_csv = Path::new(found).extension().is_some_and(|ending| ending == "csv");
        let is_printed = found.starts_with("print_table_") && is_csv;
        !is_printed || tables.iter().any(|table| name(table) == found)
    })
}
