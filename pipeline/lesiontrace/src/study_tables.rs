//! The tables a study prints, computed over the patients' results and written to `cohort/`: `table_*.csv` with one row per number
//! and `abscopal.csv`; `print_table_*.csv` as they stand on the page.

use std::path::Path;

use anyhow::Context as _;
use formats::tables::{cells_to_csv, to_csv};
use oncology::endpoint::Preset;
use oncology::study::characteristics::{CharacteristicRow, characteristics};
use oncology::study::node_response::{LesionResponseRow, lesion_responses};
use oncology::study::patterns::{AbscopalRow, BurdenRow, PatternRow, abscopal_rows, burdens, patterns};
use oncology::study::predictors::{CoxRow, predictors};
use oncology::study::response::{ResponseRow, responses, usual_windows};
use oncology::study::therapy::{ComplicationRow, EfficacyRow, TreatmentRow, complications, efficacy, treatments};
use oncology::study::time_to_event::{LandmarkRow, SurvivalRow, landmark_rows, survival_rows};
use oncology::study::{StudyGroup, StudyPatient, groups};
use report::StudyTable;
use serde::Serialize;

use crate::out;
use crate::patient::PatientResult;

/// Every table, row by row.
pub(crate) struct StudyTables {
    /// Groups with their numbers of patients, everybody first.
    pub(crate) groups: Vec<(String, usize)>,
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
    /// Medians and tests.
    pub(crate) survival: Vec<SurvivalRow>,
    /// Rates at fixed times.
    pub(crate) landmarks: Vec<LandmarkRow>,
    /// Cox models.
    pub(crate) cox: Vec<CoxRow>,
    /// Patterns of progression.
    pub(crate) patterns: Vec<PatternRow>,
    /// Oligometastatic state.
    pub(crate) burdens: Vec<BurdenRow>,
    /// Untreated lesions that shrank.
    pub(crate) abscopal: Vec<AbscopalRow>,
}

/// The patients as the tables see them.
pub(crate) fn study_patients(results: &[PatientResult]) -> Vec<StudyPatient<'_>> {
    results
        .iter()
        .map(|result| StudyPatient {
            id: &result.patient_id,
            diagnosis: &result.diagnosis,
            facts: result.study.as_ref(),
            visits: &result.visits,
            lesions: &result.lesions,
            measurements: &result.measurements,
            margins: &result.margins,
            assessments: &result.assessments,
            events: &result.events,
            endpoints: &result.endpoints,
        })
        .collect()
}

impl StudyTables {
    /// Computes all tables by a preset's rules and conventions.
    pub(crate) fn of(
        results: &[PatientResult],
        preset: &Preset,
        criteria: &[String],
        margin_threshold_mm: f64,
    ) -> Self {
        let patients = study_patients(results);
        let groups: Vec<StudyGroup<'_>> = groups(&patients);
        let (rule, reporting) = (preset.cycle_rule, &preset.reporting);
        let usual = usual_windows();
        let windows = if preset.response_windows.is_empty() { &usual } else { &preset.response_windows };
        Self {
            groups: groups.iter().map(|group| (group.name.clone(), group.patients.len())).collect(),
            characteristics: characteristics(&groups, rule),
            treatments: treatments(&groups, rule),
            complications: complications(&groups),
            efficacy: efficacy(&groups, rule, reporting, margin_threshold_mm),
            responses: responses(&groups, criteria, windows, rule),
            lesion_responses: lesion_responses(&groups, rule),
            survival: survival_rows(&groups, reporting.statistics),
            landmarks: landmark_rows(&groups, reporting),
            cox: predictors(&groups, reporting, rule),
            patterns: patterns(&groups),
            burdens: burdens(&groups),
            abscopal: groups.first().map(abscopal_rows).unwrap_or_default(),
        }
    }

    /// Writes one CSV per table into `cohort/`.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fn write<T: Serialize>(folder: &Path, name: &str, columns: &[&str], rows: &[T]) -> anyhow::Result<()> {
            let csv = to_csv(columns, rows).with_context(|| format!("making {name}.csv"))?;
            out::write_atomic(&folder.join(format!("cohort/{name}.csv")), &csv)
        }
        write(folder, "table_baseline", CharacteristicRow::COLUMNS, &self.characteristics)?;
        write(folder, "table_treatments", TreatmentRow::COLUMNS, &self.treatments)?;
        write(folder, "table_complications", ComplicationRow::COLUMNS, &self.complications)?;
        write(folder, "table_efficacy", EfficacyRow::COLUMNS, &self.efficacy)?;
        write(folder, "table_response", ResponseRow::COLUMNS, &self.responses)?;
        write(folder, "table_lesion_response", LesionResponseRow::COLUMNS, &self.lesion_responses)?;
        write(folder, "table_survival", SurvivalRow::COLUMNS, &self.survival)?;
        write(folder, "table_landmarks", LandmarkRow::COLUMNS, &self.landmarks)?;
        write(folder, "table_cox", CoxRow::COLUMNS, &self.cox)?;
        write(folder, "table_patterns", PatternRow::COLUMNS, &self.patterns)?;
        write(folder, "table_oligometastatic", BurdenRow::COLUMNS, &self.burdens)?;
        write(folder, "abscopal", AbscopalRow::COLUMNS, &self.abscopal)
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
    for entry in std::fs::read_dir(&cohort).with_context(|| format!("reading {}", cohort.display()))? {
        let path = entry.with_context(|| format!("reading {}", cohort.display()))?.path();
        let found = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_printed = found.starts_with("print_table_") && path.extension().is_some_and(|ending| ending == "csv");
        if is_printed && !tables.iter().any(|table| name(table) == found) {
            std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}
