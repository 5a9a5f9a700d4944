//! Rows of a CSV table with their place in the file, so that every fault names file, line and column.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Time;
use oncology::{Date, VisitId};

use super::{ClinicalError, Problem, headers};
use crate::stored::{self, Stored};

/// An open table with its headers.
pub(crate) struct Table {
    file: String,
    headers: Vec<String>,
    required: Vec<&'static str>,
    records: csv::ByteRecordsIntoIter<Stored>,
}

/// One row, with its place in the file.
pub(crate) struct Row<'a> {
    file: &'a str,
    headers: &'a [String],
    record: csv::StringRecord,
    /// Line in the file, the header being line 1.
    pub(crate) line: u64,
}

impl Table {
    pub(crate) fn open(folder: &Path, file: &str, required: &[&'static str]) -> Result<Option<Self>, ClinicalError> {
        Self::open_as(b',', folder, file, required)
    }

    /// A table of cells separated by tabs.
    pub(crate) fn open_tsv(
        folder: &Path,
        file: &str,
        required: &[&'static str],
    ) -> Result<Option<Self>, ClinicalError> {
        Self::open_as(b'\t', folder, file, required)
    }

    fn open_as(
        separator: u8,
        folder: &Path,
        file: &str,
        required: &[&'static str],
    ) -> Result<Option<Self>, ClinicalError> {
        let path = folder.join(file);
        if !path.exists() && !stored::is_file(&path) {
            return Ok(None);
        }
        let io = |source| ClinicalError::Io { path: path.clone(), source };
        let opened = stored::open(&path).map_err(|e| io(csv::Error::from(e)))?;
        let mut reader =
            csv::ReaderBuilder::new().delimiter(separator).trim(csv::Trim::All).flexible(true).from_reader(opened);
        let headers: Vec<String> =
            reader.headers().map_err(io)?.iter().map(|h| h.trim_start_matches('\u{feff}').to_lowercase()).collect();
        for column in required {
            if !headers.iter().any(|h| h == column) {
                return Err(ClinicalError::MissingColumn { path, column, found: headers });
            }
        }
        let required = required.to_vec();
        Ok(Some(Self { file: file.to_owned(), headers, required, records: reader.into_byte_records() }))
    }

    /// Headers that may be meant for one of the columns a table can do without, as faults of nobody.
    pub(crate) fn misspelt(&self, optional: &[&str]) -> Vec<Problem> {
        headers::misspelt(&self.file, &self.headers, optional, &self.required)
    }

    /// The next readable row; a row with a wrong number of cells or bad UTF-8 is a fault of the patient it names.
    pub(crate) fn next_row(&mut self, problems: &mut Vec<Problem>) -> Option<Row<'_>> {
        loop {
            let (record, message) = match self.records.next()? {
                Err(error) => (csv::ByteRecord::new(), format!("the row cannot be read: {error}")),
                Ok(record) if record.len() != self.headers.len() => {
                    let (expected, found) = (self.headers.len(), record.len());
                    (
                        record,
                        format!("the row cannot be read: expected {expected} cells as in the header, found {found}"),
                    )
                }
                Ok(record) => match csv::StringRecord::from_byte_record(record) {
                    Ok(record) => {
                        let line = record.position().map_or(0, csv::Position::line);
                        return Some(Row { file: &self.file, headers: &self.headers, record, line });
                    }
                    Err(error) => {
                        let message = "the row cannot be read: it is not UTF-8; save the table as UTF-8".to_owned();
                        (error.into_byte_record(), message)
                    }
                },
            };
            problems.push(Problem {
                file: self.file.clone(),
                line: record.position().map_or(0, csv::Position::line),
                column: "(whole row)".to_owned(),
                patient_id: self.patient_of(&record),
                message,
            });
        }
    }

    /// The patient a row that cannot be read names, if that cell can be.
    fn patient_of(&self, record: &csv::ByteRecord) -> Option<String> {
        let at = self.headers.iter().position(|header| header == "patient_id")?;
        let id = std::str::from_utf8(record.get(at)?).ok()?;
        (!id.is_empty()).then(|| id.to_owned())
    }
}

impl Row<'_> {
    /// A cell, or nothing where the column or the cell is missing.
    pub(crate) fn get(&self, column: &str) -> &str {
        self.headers.iter().position(|h| h == column).and_then(|n| self.record.get(n)).unwrap_or("")
    }

    pub(crate) fn problem(&self, column: &str, message: String) -> Problem {
        let patient_id = match self.get("patient_id") {
            "" => None,
            id => Some(id.to_owned()),
        };
        Problem { file: self.file.to_owned(), line: self.line, column: column.to_owned(), patient_id, message }
    }

    pub(crate) fn required(&self, column: &str, problems: &mut Vec<Problem>) -> Option<String> {
        match self.get(column) {
            "" => {
                problems.push(self.problem(column, "expected a value, found an empty cell".to_owned()));
                None
            }
            text => Some(text.to_owned()),
        }
    }

    pub(crate) fn date(&self, column: &str, problems: &mut Vec<Problem>) -> Option<Date> {
        let text = self.get(column);
        if text.is_empty() {
            return None;
        }
        if let Ok(date) = text.parse::<Date>()
            && text.len() == 10
        {
            return Some(date);
        }
        let message = format!("expected a date as YYYY-MM-DD, found {text:?}");
        problems.push(self.problem(column, message));
        None
    }

    /// A time of day, `HH:MM` or `HH:MM:SS`.
    pub(crate) fn time(&self, column: &str, problems: &mut Vec<Problem>) -> Option<Time> {
        let text = self.get(column);
        if text.is_empty() {
            return None;
        }
        let read = text.parse::<Time>().ok().filter(|_| matches!(text.len(), 5 | 8));
        if read.is_none() {
            let message = format!("expected a time of day as HH:MM or HH:MM:SS, found {text:?}");
            problems.push(self.problem(column, message));
        }
        read
    }

    pub(crate) fn required_date(&self, column: &str, problems: &mut Vec<Problem>) -> Option<Date> {
        self.required(column, problems)?;
        self.date(column, problems)
    }

    /// The name of a visit: a date, with `-2`… for further time points of one day.
    pub(crate) fn required_visit(&self, column: &str, problems: &mut Vec<Problem>) -> Option<VisitId> {
        let text = self.required(column, problems)?;
        text.parse::<VisitId>().map_err(|error| problems.push(self.problem(column, error.to_string()))).ok()
    }

    pub(crate) fn number(&self, column: &str, problems: &mut Vec<Problem>) -> Option<f64> {
        let text = self.required(column, problems)?;
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Some(value),
            _ => {
                problems.push(self.problem(column, format!("expected a number in mm, found {text:?}")));
                None
            }
        }
    }

    /// Every cell outside the named columns.
    pub(crate) fn others(&self, named: &[&str]) -> BTreeMap<String, String> {
        let cells = self.headers.iter().zip(self.record.iter());
        cells.filter(|(h, _)| !named.contains(&h.as_str())).map(|(h, v)| (h.clone(), v.to_owned())).collect()
    }
}
