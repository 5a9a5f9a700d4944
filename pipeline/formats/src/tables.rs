//! Result tables as CSV: one row per thing, written atomically and read back.

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

/// The rows as CSV text with a header line; headers are given so that an empty table has them too.
pub fn to_csv<T: Serialize>(headers: &[&str], rows: &[T]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.write_record(headers)?;
    for row in rows {
        writer.serialize(row)?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// Reads rows back; unknown columns are refused by the row types.
pub fn read_csv<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, TableError> {
    let wrap = |source| TableError::Csv { path: path.to_owned(), source };
    let file = stored::open(path).map_err(|e| wrap(csv::Error::from(e)))?;
    let mut reader = csv::Reader::from_reader(file);
    reader.deserialize().map(|row| row.map_err(wrap)).collect()
}

/// Column names, in order, of each table.
pub mod headers {
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
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.csv");
        std::fs::write(&path, to_csv(headers::EVENTS, std::slice::from_ref(&row)).unwrap()).unwrap();
        assert_eq!(read_csv::<EventRow>(&path).unwrap(), vec![row]);
    }

    #[test]
    fn an_empty_table_still_has_its_columns() {
        let text = String::from_utf8(to_csv::<EventRow>(headers::EVENTS, &[]).unwrap()).unwrap();
        assert_eq!(text.lines().next().unwrap().split(',').count(), headers::EVENTS.len());
    }
}
