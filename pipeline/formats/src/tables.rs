//! Result tables as CSV: one row per thing, written atomically and read back; no cell is a formula.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::stored;

/// A table that cannot be written or read.
#[derive(Debug, Error)]
pub enum TableError {
    /// The rows do not fit into a table, or the text is none.
    #[error("{path}: {source}")]
    Csv {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: csv::Error,
    },
    /// The file cannot be opened or written.
    #[error("cannot read or write {path}: {source} (is the disk full?)")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// The rows as CSV text with a header line; headers are given so that an empty table has them too. Cells are guarded.
pub fn to_csv<T: Serialize>(headers: &[&str], rows: &[T]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.write_record(headers)?;
    all_guarded(writer, rows)
}

/// The rows as CSV text with the names of their fields as header line; nothing where there are no rows. Cells are guarded.
pub fn to_csv_by_field<T: Serialize>(rows: &[T]) -> Result<Vec<u8>, csv::Error> {
    all_guarded(csv::Writer::from_writer(Vec::new()), rows)
}

/// The rows as CSV text without a header line: a part of a table that is written in parts. Cells are guarded.
pub fn rows_to_csv<T: Serialize>(rows: &[T]) -> Result<Vec<u8>, csv::Error> {
    all_guarded(csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new()), rows)
}

/// Rows written plainly before their cells are guarded: the text of a large table lies in memory once, not twice.
const ROWS_AT_ONCE: usize = 4_096;

fn all_guarded<T: Serialize>(mut writer: csv::Writer<Vec<u8>>, rows: &[T]) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut left = rows;
    loop {
        let (chunk, rest) = left.split_at(left.len().min(ROWS_AT_ONCE));
        for row in chunk {
            writer.serialize(row)?;
        }
        let plain = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(plain.as_slice());
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record)? {
            write_guarded(&mut table, &record)?;
        }
        if rest.is_empty() {
            return table.into_inner().map_err(|error| csv::Error::from(error.into_error()));
        }
        left = rest;
        writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    }
}

/// Rows of cells as CSV text with a header line. Cells are guarded.
pub fn cells_to_csv<C: AsRef<str>>(
    headers: &[&str],
    rows: impl IntoIterator<Item = impl IntoIterator<Item = C>>,
) -> Result<Vec<u8>, csv::Error> {
    cells_to_table(b',', headers, rows)
}

/// Rows of cells as text with a header line, cells separated by `separator`. Headers and cells are guarded.
pub fn cells_to_table<C: AsRef<str>>(
    separator: u8,
    headers: &[&str],
    rows: impl IntoIterator<Item = impl IntoIterator<Item = C>>,
) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
    write_guarded(&mut table, headers)?;
    with_cells(table, rows)
}

/// Rows of cells as CSV text without a header line: a part of a table that is written in parts. Cells are guarded.
pub fn rows_of_cells_to_csv<C: AsRef<str>>(
    rows: impl IntoIterator<Item = impl IntoIterator<Item = C>>,
) -> Result<Vec<u8>, csv::Error> {
    with_cells(csv::Writer::from_writer(Vec::new()), rows)
}

fn with_cells<C: AsRef<str>>(
    mut table: csv::Writer<Vec<u8>>,
    rows: impl IntoIterator<Item = impl IntoIterator<Item = C>>,
) -> Result<Vec<u8>, csv::Error> {
    for row in rows {
        write_guarded(&mut table, row)?;
    }
    table.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn write_guarded<C: AsRef<str>>(
    table: &mut csv::Writer<Vec<u8>>,
    cells: impl IntoIterator<Item = C>,
) -> Result<(), csv::Error> {
    for cell in cells {
        table.write_field(guarded(cell.as_ref()).as_bytes())?;
    }
    table.write_record(None::<&[u8]>)
}

/// A cell that no spreadsheet takes for a formula: a text that begins with `=`, `+`, `-`, `@` (also in their wide forms), a tab or
/// a line break gets an apostrophe before it. Numbers, and lists of numbers, stay as they are.
///
/// Source: OWASP, "CSV Injection" (owasp.org/www-community/attacks/CSV_Injection).
#[must_use]
pub fn guarded(cell: &str) -> Cow<'_, str> {
    // A byte order mark and blanks before a sign are skipped by some programs.
    let begins = cell.trim_start_matches(['\u{feff}', ' ', '\0']).starts_with(FORMULA_STARTS);
    let is_number = |word: &str| word.is_empty() || word.parse::<f64>().is_ok();
    if begins && !cell.split([' ', ';']).all(is_number) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// What begins a formula; the wide forms are read as the narrow ones where East Asian text is usual.
const FORMULA_STARTS: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Reads rows back; unknown columns are refused by the row types.
pub fn read_csv<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, TableError> {
    let wrap = |source| TableError::Csv { path: path.to_owned(), source };
    let file = stored::open(path).map_err(|e| wrap(csv::Error::from(e)))?;
    let mut reader = csv::Reader::from_reader(file);
    reader.deserialize().map(|row| row.map_err(wrap)).collect()
}

/// Column names, in order, of each table.
pub mod headers {
    /// `reads.csv`
    pub const READS: &[&str] = &[
        "patient_id",
        "lesion_id",
        "tracking_uid",
        "visit",
        "item",
        "value",
        "reader",
        "read_at",
        "comment",
        "adjudicator",
        "old",
        "based_on",
        "source",
        "outcome",
        "reason",
    ];
    /// `lesions.csv`
    pub const LESIONS: &[&str] = &[
        "patient_id",
        "lesion_id",
        "tracking_uid",
        "organ",
        "kind",
        "role",
        "first_seen_date",
        "state",
        "x_mm",
        "y_mm",
        "z_mm",
        "source",
        "first_seen_visit",
    ];
    /// `measurements.csv`
    pub const MEASUREMENTS: &[&str] = &[
        "patient_id",
        "lesion_id",
        "date",
        "study_day",
        "series_role",
        "quantity",
        "value",
        "unit",
        "low",
        "high",
        "method",
        "evaluable",
        "reason",
        "state",
        "caliper_lps_mm",
        "sop_instance_uid",
        "visit",
    ];
    /// `pet_references.csv`
    pub const PET_REFERENCES: &[&str] = &[
        "patient_id",
        "date",
        "study_day",
        "series_role",
        "region",
        "mean",
        "sd",
        "max",
        "n_voxels",
        "x_mm",
        "y_mm",
        "z_mm",
        "reason",
        "sul_per_suv",
        "sul_formula",
        "sul_reason",
        "uptake_min",
        "uptake_reason",
        "scanner",
        "visit",
    ];
    /// `margins.csv`
    pub const MARGINS: &[&str] = &[
        "patient_id",
        "lesion_id",
        "treatment_date",
        "study_date",
        "min_margin_mm",
        "low_mm",
        "high_mm",
        "p5_mm",
        "frac_lt0",
        "frac_0_5",
        "frac_5_10",
        "frac_ge10",
        "excluded_capsule_fraction",
        "verdict",
        "reasons",
        "tumour_coverage",
        "histogram_counts",
        "tumour_visit",
        "zone_visit",
        "p1_mm",
        "p10_mm",
        "p50_mm",
        "residual_mm3",
        "residual_fraction",
        "thinnest_direction",
        "residual_direction",
    ];
    /// `assessments.csv`
    pub const ASSESSMENTS: &[&str] = &[
        "patient_id",
        "criterion",
        "date",
        "study_day",
        "sum_mm",
        "baseline_mm",
        "nadir_mm",
        "target",
        "non_target",
        "new_lesion",
        "overall",
        "why",
        "flips_if",
        "ablated_target",
        "next_target",
        "next_target_mm",
        "sum_half_width_mm",
        "within_error",
        "over_selections",
        "n_selections",
        "visit",
        "non_target_seen",
    ];
    /// `events.csv`
    pub const EVENTS: &[&str] = &[
        "patient_id",
        "lesion_id",
        "date",
        "event",
        "class",
        "cause",
        "cycle",
        "interval_low_date",
        "needs_review",
        "why",
        "distance_mm",
        "distance_low_mm",
        "distance_high_mm",
        "rule_mm",
        "other_class",
    ];
    /// `endpoints.csv`
    pub const ENDPOINTS: &[&str] = &[
        "patient_id",
        "unit_id",
        "endpoint",
        "origin_date",
        "end_date",
        "days",
        "months",
        "event",
        "cause",
        "competing",
        "censor_reason",
        "interval_low_date",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use oncology::EventRow;

    #[test]
    fn headers_are_the_fields_in_order_and_rows_come_back() {
        let row = EventRow {
            patient_id: "A".to_owned(),
            lesion_id: "L1".to_owned(),
            date: "2024-02-03".parse().unwrap(),
            event: "progression".to_owned(),
            class: "local".to_owned(),
            cause: "focus_at_zone".to_owned(),
            cycle: Some(1),
            interval_low_date: None,
            needs_review: false,
            why: "a \"quoted\", comma".to_owned(),
            distance_mm: None,
            distance_low_mm: None,
            distance_high_mm: None,
            rule_mm: None,
            other_class: String::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.csv");
        std::fs::write(&path, to_csv(headers::EVENTS, std::slice::from_ref(&row)).unwrap()).unwrap();
        assert_eq!(read_csv::<EventRow>(&path).unwrap(), vec![row]);
    }

    #[test]
    fn a_long_table_has_one_header_and_every_row() {
        let rows: Vec<(usize, &str)> = (0..=2 * ROWS_AT_ONCE).map(|n| (n, "=1")).collect();
        let text = String::from_utf8(to_csv(&["n", "text"], &rows).unwrap()).unwrap();
        assert_eq!(text.lines().count(), rows.len() + 1);
        assert!(text.starts_with("n,text\n0,'=1\n") && text.ends_with("8192,'=1\n"), "{}", &text[..40]);
        assert_eq!(to_csv::<(usize, &str)>(&["n", "text"], &[]).unwrap(), b"n,text\n");
    }

    #[test]
    fn texts_that_spreadsheets_would_compute_are_guarded_and_numbers_are_not() {
        for formula in [
            "=HYPERLINK(\"http://x\",\"y\")",
            "+1+cmd|'/C calc'!A0",
            "-2+3",
            "@SUM(1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "\u{feff}=1",
            "\u{ff1d}1",
            "-",
            "- none",
        ] {
            assert_eq!(guarded(formula), format!("'{formula}"));
        }
        for plain in ["", "P-1", "-3.5", "+4", "-1e-3", "-30.1 12 400;-1 -2 -3", "'=1", "a=b", "2024-03-01", "<0.05"] {
            assert_eq!(guarded(plain), plain);
        }
    }

    #[test]
    fn rows_and_cells_are_guarded_alike() {
        #[derive(Serialize)]
        struct OneRow {
            id: &'static str,
            mm: f64,
        }
        let rows = to_csv(&["id", "mm"], &[OneRow { id: "=1+1", mm: -2.5 }]).unwrap();
        assert_eq!(rows, cells_to_csv(&["id", "mm"], [["=1+1", "-2.5"]]).unwrap());
        assert_eq!(rows, b"id,mm\n'=1+1,-2.5\n");
    }

    #[test]
    fn a_table_in_parts_is_the_whole_table() {
        let rows = [("a,b", "=1"), ("", "two\nlines"), ("c", "")];
        let cells = rows.map(|(a, b)| [a, b]);
        let whole = cells_to_csv(&["x", "y"], cells).unwrap();
        assert_eq!(whole, to_csv(&["x", "y"], &rows).unwrap());
        let of_rows = [to_csv::<()>(&["x", "y"], &[]), rows_to_csv(&rows[..1]), rows_to_csv(&rows[1..])];
        let of_cells = [cells_to_csv(&["x", "y"], [[""; 2]; 0]), rows_of_cells_to_csv(cells)];
        assert_eq!(of_rows.map(Result::unwrap).concat(), whole);
        assert_eq!(of_cells.map(Result::unwrap).concat(), whole);
    }

    #[test]
    fn an_empty_table_still_has_its_columns() {
        let text = String::from_utf8(to_csv::<EventRow>(headers::EVENTS, &[]).unwrap()).unwrap();
        assert_eq!(text.lines().next().unwrap().split(',').count(), headers::EVENTS.len());
    }
}
