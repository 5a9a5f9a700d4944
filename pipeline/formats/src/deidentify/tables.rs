//! The clinical tables of an archive with the same pseudonyms and the same shift of dates as its images.
//!
//! Columns the program reads are known. Another column is kept where it can hold no identity: dates (moved), small numbers, and
//! yes/no or sex; every other one is dropped unless the user names it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::key::Key;
use super::shift::shifted_table_date;
use super::{DeidentifyError, Request};
use crate::atomic::{self, Durability};
use crate::stored;
use crate::tables::cells_to_table;

/// What was done with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnDone {
    /// Patients' identifiers became pseudonyms.
    Pseudonymised,
    /// Dates were moved.
    DatesMoved,
    /// Kept: the program reads it.
    Known,
    /// Kept: numbers of at most four digits before the point, ages at most 90.
    Numbers,
    /// Kept: yes, no, sex.
    Choice,
    /// Kept: the user named it.
    Asked,
    /// Dropped: text, large numbers, or a name that speaks of a person.
    Dropped,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnRow {
    /// Number of the column in the file, from 1.
    pub number: usize,
    /// Its header; that of a dropped column is not told.
    pub name: Option<String>,
    /// What was done.
    pub done: ColumnDone,
    /// Cells that had to be emptied: no date where one belongs.
    pub n_emptied: usize,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// File name.
    pub name: &'static str,
    /// Rows written.
    pub n_rows: usize,
    /// Rows left out: they name no patient of the copy, or cannot be read.
    pub n_left_out: usize,
    /// Columns in the order of the file.
    pub columns: Vec<ColumnRow>,
}

/// The tables, with the columns that are kept as they are and those that hold dates.
const TABLES: [(&str, &[&str], &[&str]); 4] = [
    ("patients.csv", &["diagnosis", "death_cause"], &["death_date", "last_contact_date"]),
    ("treatments.csv", &["time", "session", "cycle", "modality", "target_lesions", "complication_grade"], &["date"]),
    ("lesions.csv", &["lesion_id", "x_mm", "y_mm", "z_mm", "organ", "role"], &["study_date"]),
    ("markers.csv", &["marker", "value", "unit", "upper_limit"], &["date"]),
];

/// Parts of a header that speak of a person: such a column is dropped even where it holds small numbers.
const PERSONAL: [&str; 18] = [
    "name",
    "birth",
    "dob",
    "mrn",
    "ssn",
    "phone",
    "tel",
    "fax",
    "mail",
    "zip",
    "postal",
    "plz",
    "address",
    "street",
    "city",
    "insur",
    "accession",
    "ident",
];

/// Cells of a choice.
const CHOICES: [&str; 14] =
    ["", "m", "f", "male", "female", "yes", "no", "true", "false", "y", "n", "d", "w", "unknown"];

/// Writes the tables there are.
pub(super) fn deidentify_tables(
    request: &Request<'_>,
    patients: &BTreeSet<String>,
) -> Result<Vec<TableReport>, DeidentifyError> {
    let folder = request.archive.join(request.clinical);
    let mut reports = Vec::new();
    for (name, known, dates) in TABLES {
        let path = folder.join(name);
        if stored::is_file(&path) {
            let to = request.out.join("clinical").join(name);
            reports.push(Table { name, known, dates, ..Table::of(request, patients) }.write(&path, &to)?);
        }
    }
    let path = request.archive.join(PARTICIPANTS);
    if stored::is_file(&path) {
        let table = Table { name: PARTICIPANTS, form: Form::BIDS, ..Table::of(request, patients) };
        reports.push(table.write(&path, &request.out.join(PARTICIPANTS))?);
    }
    Ok(reports)
}

/// Where the tables lie that a report names.
pub(super) fn places(request: &Request<'_>, reports: &[TableReport]) -> BTreeSet<PathBuf> {
    let place = |report: &TableReport| match report.name {
        PARTICIPANTS => request.archive.join(PARTICIPANTS),
        name => request.archive.join(request.clinical).join(name),
    };
    reports.iter().map(place).collect()
}

/// The table of patients in the top folder of a BIDS tree.
const PARTICIPANTS: &str = "participants.tsv";

/// How a table is written.
#[derive(Clone, Copy)]
struct Form {
    separator: u8,
    /// The column of patients, and what stands before their identifiers.
    id_column: &'static str,
    prefix: &'static str,
    /// What an unknown cell holds.
    unknown: &'static str,
}

impl Form {
    const CSV: Self = Self { separator: b',', id_column: "patient_id", prefix: "", unknown: "" };
    const BIDS: Self = Self { separator: b'\t', id_column: "participant_id", prefix: "sub-", unknown: "n/a" };
}

struct Table<'a> {
    name: &'static str,
    form: Form,
    known: &'a [&'a str],
    dates: &'a [&'a str],
    key: &'a Key,
    keep: &'a [String],
    patients: &'a BTreeSet<String>,
}

impl<'a> Table<'a> {
    /// A table without a name and known columns.
    fn of(request: &Request<'a>, patients: &'a BTreeSet<String>) -> Self {
        let (key, keep) = (request.key, request.keep_columns);
        Self { name: "", form: Form::CSV, known: &[], dates: &[], key, keep, patients }
    }

    /// A cell of a row; empty where it is unknown.
    fn cell<'r>(&self, row: &'r csv::StringRecord, at: usize) -> &'r str {
        row.get(at).filter(|cell| *cell != self.form.unknown).unwrap_or("")
    }

    /// The patient of a row.
    fn patient<'r>(&self, row: &'r csv::StringRecord, id_at: usize) -> &'r str {
        let id = self.cell(row, id_at);
        id.strip_prefix(self.form.prefix).unwrap_or(id)
    }

    fn write(&self, from: &Path, to: &Path) -> Result<TableReport, DeidentifyError> {
        // A message of the parser may hold a cell, so only its kind is told.
        let unreadable =
            |_: csv::Error| DeidentifyError::Table { name: self.name.to_owned(), reason: "not CSV".to_owned() };
        let bytes = stored::read(from).map_err(|error| unreadable(error.into()))?;
        let mut options = csv::ReaderBuilder::new();
        let mut reader = options.delimiter(self.form.separator).trim(csv::Trim::All).from_reader(bytes.as_slice());
        let headers: Vec<String> = reader
            .headers()
            .map_err(unreadable)?
            .iter()
            .map(|h| h.trim_start_matches('\u{feff}').to_lowercase())
            .collect();
        let Some(id_at) = headers.iter().position(|h| h == self.form.id_column) else {
            let reason = format!("it has no column {}", self.form.id_column);
            return Err(DeidentifyError::Table { name: self.name.to_owned(), reason });
        };
        let records: Vec<Result<csv::StringRecord, csv::Error>> = reader.records().collect();
        let n_records = records.len();
        let rows: Vec<csv::StringRecord> = records
            .into_iter()
            .filter_map(Result::ok)
            .filter(|row| self.patients.contains(self.patient(row, id_at)))
            .collect();
        let columns: Vec<ColumnDone> = (0..headers.len()).map(|at| self.kind_of(&headers[at], at, &rows)).collect();
        let mut report =
            TableReport { name: self.name, n_rows: 0, n_left_out: n_records - rows.len(), columns: Vec::new() };
        for (at, done) in columns.iter().enumerate() {
            let name = (*done != ColumnDone::Dropped).then(|| headers[at].clone());
            report.columns.push(ColumnRow { number: at + 1, name, done: *done, n_emptied: 0 });
        }
        let mut lines: Vec<Vec<String>> = rows.iter().map(|row| self.row(row, id_at, &mut report)).collect();
        // The order of the rows would tell the order of the identifiers.
        lines.sort();
        report.n_rows = lines.len();
        let kept: Vec<&str> = report.columns.iter().filter_map(|c| c.name.as_deref()).collect();
        let bytes = cells_to_table(self.form.separator, &kept, &lines).map_err(unreadable)?;
        atomic::write::<std::io::Error>(to, Durability::Buffered, |part| part.write_all(&bytes))?;
        Ok(report)
    }

    fn kind_of(&self, header: &str, at: usize, rows: &[csv::StringRecord]) -> ColumnDone {
        let cells = || rows.iter().map(|row| self.cell(row, at));
        let is_date = |cell: &str| cell.is_empty() || shifted_table_date(cell, 0).is_some();
        if header == self.form.id_column {
            return ColumnDone::Pseudonymised;
        }
        if self.dates.contains(&header) {
            return ColumnDone::DatesMoved;
        }
        if self.known.contains(&header) {
            return ColumnDone::Known;
        }
        let is_asked = self.keep.iter().any(|name| name.eq_ignore_ascii_case(header));
        if !is_asked && PERSONAL.iter().any(|part| header.contains(part)) {
            return ColumnDone::Dropped;
        }
        if cells().all(is_date) && cells().any(|cell| !cell.is_empty()) {
            return ColumnDone::DatesMoved;
        }
        if is_asked {
            return ColumnDone::Asked;
        }
        if cells().all(is_small_number) {
            return ColumnDone::Numbers;
        }
        let is_choice = |cell: &str| CHOICES.contains(&cell.to_lowercase().as_str());
        if cells().all(is_choice) { ColumnDone::Choice } else { ColumnDone::Dropped }
    }

    fn row(&self, row: &csv::StringRecord, id_at: usize, report: &mut TableReport) -> Vec<String> {
        let id = self.patient(row, id_at);
        let days = self.key.shift_days(id);
        let mut line = Vec::new();
        for column in &mut report.columns {
            let cell = self.cell(row, column.number - 1);
            let is_age = column.name.as_deref().is_some_and(|name| name == "age" || name.starts_with("age_"));
            match column.done {
                ColumnDone::Dropped => {}
                ColumnDone::Pseudonymised => line.push(format!("{}{}", self.form.prefix, self.key.patient(id))),
                ColumnDone::DatesMoved => {
                    let moved = shifted_table_date(cell, days);
                    column.n_emptied += usize::from(moved.is_none() && !cell.is_empty());
                    line.push(moved.unwrap_or_else(|| self.form.unknown.to_owned()));
                }
                _ if cell.is_empty() => line.push(self.form.unknown.to_owned()),
                _ if is_age && cell.parse::<f64>().is_ok_and(|age| age > 90.0) => line.push("90".to_owned()),
                ColumnDone::Known | ColumnDone::Numbers | ColumnDone::Choice | ColumnDone::Asked => {
                    line.push(cell.to_owned());
                }
            }
        }
        line
    }
}

/// A number that counts or measures something: numbers of persons are longer.
fn is_small_number(cell: &str) -> bool {
    cell.is_empty() || cell.len() <= 12 && cell.parse::<f64>().is_ok_and(|v| v.abs() < 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_judged_by_what_they_hold() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("patients.csv"), folder.path().join("out/patients.csv"));
        let text = "patient_id,diagnosis,death_date,age,mrn,remark,sex,surgery_date,platelets,site\nB,HCC,2024-03-01,93,12,SECRET,f,2024-01-05,150000,SECRET\nA,CRC,1.3.2024,61,13,SECRET,M,,90000,SECRET\nZ,,,1,1,SECRET,f,,1,SECRET\n";
        std::fs::write(&from, text).unwrap();
        let key = Key::from_bytes([9; 32]);
        let patients = ["A", "B"].map(str::to_owned).into();
        let (known, dates) = (TABLES[0].1, TABLES[0].2);
        let table = Table {
            name: "patients.csv",
            form: Form::CSV,
            known,
            dates,
            key: &key,
            keep: &["platelets".to_owned()],
            patients: &patients,
        };
        let report = table.write(&from, &to).unwrap();
        let written = std::fs::read_to_string(&to).unwrap();
        assert!(
            !written.contains("SECRET") && !written.contains("mrn") && !written.contains("2024-03-01"),
            "{written}"
        );
        let header = written.lines().next().unwrap();
        assert_eq!(header, "patient_id,diagnosis,death_date,age,sex,surgery_date,platelets");
        let of = |id: &str| {
            let name = key.patient(id);
            written.lines().find(|l| l.starts_with(&name)).unwrap().split(',').map(str::to_owned).collect::<Vec<_>>()
        };
        let moved = |date: &str| shifted_table_date(date, key.shift_days("B")).unwrap();
        assert_eq!(of("B")[1..], ["HCC", &moved("2024-03-01"), "90", "f", &moved("2024-01-05"), "150000"]);
        assert_eq!(of("A")[1..], ["CRC", "", "61", "M", "", "90000"]);
        assert_eq!((report.n_rows, report.n_left_out), (2, 1));
        assert_eq!(report.columns[2].n_emptied, 1);
        assert!(report.columns.iter().filter(|c| c.name.is_none()).count() == 3);
    }
}
