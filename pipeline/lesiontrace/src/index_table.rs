//! The tables of `index`: one row a series, and one row a patient and criterion, as CSV or Parquet by the file's ending.

use std::path::Path;

use formats::archive::ArchiveIndex;
use formats::parquet_table::{Column, Kind, to_parquet};
use formats::tables::to_csv;
use oncology::Date;
use serde::Serialize;

use crate::exit::Failure;
use crate::out;
use crate::triage::{PatientTriage, VisitLabels};

/// A row of the table of series.
#[derive(Debug, Clone, Serialize)]
struct SeriesRow<'a> {
    patient_id: &'a str,
    study_date: Option<Date>,
    series_uid: &'a str,
    modality: &'a str,
    description: &'a str,
    role: &'a str,
    rank: u32,
    n_slices: usize,
    spacing_i_mm: Option<f64>,
    spacing_j_mm: Option<f64>,
    spacing_k_mm: Option<f64>,
    usable: bool,
    reasons: String,
    volume: &'a str,
    visit: &'a str,
}

const SERIES: [Column; 15] = [
    ("patient_id", Kind::Text),
    ("study_date", Kind::Day),
    ("series_uid", Kind::Text),
    ("modality", Kind::Text),
    ("description", Kind::Text),
    ("role", Kind::Text),
    ("rank", Kind::Whole),
    ("n_slices", Kind::Whole),
    ("spacing_i_mm", Kind::Real),
    ("spacing_j_mm", Kind::Real),
    ("spacing_k_mm", Kind::Real),
    ("usable", Kind::YesNo),
    ("reasons", Kind::Text),
    ("volume", Kind::Text),
    ("visit", Kind::Text),
];

/// A row of the table of patients: one criterion of one patient.
#[derive(Debug, Clone, Serialize)]
struct PatientRow<'a> {
    patient_id: &'a str,
    n_visits: usize,
    n_series: usize,
    n_series_usable: usize,
    first_date: Option<Date>,
    last_date: Option<Date>,
    criterion: &'a str,
    readiness: &'a str,
    n_usable: usize,
    missing: String,
}

const PATIENTS: [Column; 10] = [
    ("patient_id", Kind::Text),
    ("n_visits", Kind::Whole),
    ("n_series", Kind::Whole),
    ("n_series_usable", Kind::Whole),
    ("first_date", Kind::Day),
    ("last_date", Kind::Day),
    ("criterion", Kind::Text),
    ("readiness", Kind::Text),
    ("n_usable", Kind::Whole),
    ("missing", Kind::Text),
];

/// The form of a table, by its file's ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `.csv`
    Csv,
    /// `.parquet`
    Parquet,
    /// `.html`
    Html,
}

/// The form asked for, where it is one of those allowed.
pub(crate) fn form_of(option: &str, path: &Path, allowed: &[Form]) -> Result<Form, Failure> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let form = match ending.as_deref() {
        Some("csv") => Some(Form::Csv),
        Some("parquet") => Some(Form::Parquet),
        Some("html") => Some(Form::Html),
        _ => None,
    };
    form.filter(|form| allowed.contains(form)).ok_or_else(|| {
        let name = |form: &Form| match form {
            Form::Csv => ".csv",
            Form::Parquet => ".parquet",
            Form::Html => ".html",
        };
        let endings = allowed.iter().map(name).collect::<Vec<_>>().join(", ");
        Failure::usage(anyhow::anyhow!("{option}: expected a file ending in {endings}, found {}", path.display()))
    })
}

/// Writes the table of series, each with the label of its visit.
pub(crate) fn write_series(
    path: &Path,
    form: Form,
    index: &ArchiveIndex,
    visits: &VisitLabels<'_>,
) -> Result<(), Failure> {
    let rows: Vec<SeriesRow<'_>> = index
        .series()
        .map(|series| {
            let row = &series.row;
            let [i, j, k] = row.spacing_mm.map_or([None; 3], |mm| mm.map(Some));
            SeriesRow {
                patient_id: &row.patient_id,
                study_date: row.study_date,
                series_uid: &row.series_uid,
                modality: &row.modality,
                description: &row.description,
                role: row.role.as_str(),
                rank: row.rank,
                n_slices: row.n_slices,
                spacing_i_mm: i,
                spacing_j_mm: j,
                spacing_k_mm: k,
                usable: row.usable,
                reasons: row.reasons.join("; "),
                volume: row.volume.as_deref().unwrap_or_default(),
                visit: visits.of(row).unwrap_or_default(),
            }
        })
        .collect();
    write(path, form, &SERIES, &rows)
}

/// Writes the table of patients and criteria.
pub(crate) fn write_patients(path: &Path, form: Form, patients: &[PatientTriage]) -> Result<(), Failure> {
    let rows: Vec<PatientRow<'_>> = patients.iter().flat_map(rows_of).collect();
    write(path, form, &PATIENTS, &rows)
}

fn rows_of(patient: &PatientTriage) -> impl Iterator<Item = PatientRow<'_>> {
    let dates: Vec<Date> = patient.visits.iter().filter_map(|v| Some(v.visit?.date())).collect();
    patient.needs.iter().map(move |need| PatientRow {
        patient_id: &patient.patient_id,
        n_visits: dates.len(),
        n_series: patient.n_series(),
        n_series_usable: patient.n_usable(),
        first_date: dates.first().copied(),
        last_date: dates.last().copied(),
        criterion: need.criterion,
        readiness: need.readiness.as_str(),
        n_usable: need.n_usable,
        missing: need.missing.join("; "),
    })
}

fn write<T: Serialize>(path: &Path, form: Form, columns: &[Column], rows: &[T]) -> Result<(), Failure> {
    let bytes = if form == Form::Parquet {
        to_parquet(columns, rows).map_err(Failure::internal)?
    } else {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        to_csv(&names, rows).map_err(Failure::internal)?
    };
    out::write_atomic(path, &bytes).map_err(Failure::io)
}
