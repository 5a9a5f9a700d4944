//! Tables as Apache Parquet: the columns of the CSV with their types, uncompressed, the same bytes every time.
//!
//! An empty cell is a null, never an empty text in a column of numbers or dates. Dates are Parquet's own (days since 1970).
//!
//! Source: Apache Parquet format 2.x (LogicalTypes: STRING, DATE).

use std::sync::Arc;

use jiff::civil::{Date, date};
use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::row_cells::cells_of;

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Whole,
    /// A number.
    Real,
    /// True or false.
    YesNo,
    /// A calendar date.
    Day,
}

/// A column of a table.
pub type Column = (&'static str, Kind);

/// Rows that make no table.
#[derive(Debug, Error)]
pub enum ParquetTableError {
    /// A cell is not what its column holds.
    #[error("column {column}, row {row}: expected {kind:?}, found {found}; this is a fault of the program")]
    Cell {
        /// The column.
        column: &'static str,
        /// The row, from 1.
        row: usize,
        /// What the column holds.
        kind: Kind,
        /// What was found.
        found: Value,
    },
    /// The rows cannot be turned into values.
    #[error(transparent)]
    Rows(#[from] serde_json::Error),
    /// The writer failed.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

/// The columns of a table of the cohort, each with what it holds by its name.
#[must_use]
pub fn columns(table: &str, names: &[&'static str]) -> Vec<Column> {
    names.iter().map(|name| (*name, kind_of(table, name))).collect()
}

/// Columns of numbers whose name has no unit.
const REAL: [&str; 24] = [
    "sul_per_suv",
    "uptake_min",
    "percent_low",
    "percent_high",
    "best_change_percent",
    "value",
    "low",
    "high",
    "months",
    "excluded_capsule_fraction",
    "residual_fraction",
    "residual_mm3",
    "tumour_coverage",
    "percent",
    "mean",
    "sd",
    "median",
    "min",
    "max",
    "hazard_ratio",
    "p",
    "p_variable",
    "log_rank_p",
    "survival",
];

/// Columns of whole numbers.
const WHOLE: [&str; 9] =
    ["events_other", "study_day", "days", "days_after_treatment", "cycle", "n", "events", "from_day", "to_day"];

fn kind_of(table: &str, name: &str) -> Kind {
    match name {
        "caliper_lps_mm" => Kind::Text,
        // What a reader decided, and what one coded: words.
        "value" if matches!(table, "reads" | "readings") => Kind::Text,
        // A word in `events`.
        "event" if table == "endpoints" => Kind::Whole,
        "date" => Kind::Day,
        "evaluable" | "needs_review" | "within_error" | "disease_control" | "non_target_seen" | "adjudicator" => {
            Kind::YesNo
        }
        name if name.ends_with("_date") => Kind::Day,
        name if WHOLE.contains(&name) || name.starts_with("n_") => Kind::Whole,
        name if REAL.contains(&name) || name.ends_with("_mm") || name.starts_with("frac_") => Kind::Real,
        name if name.ends_with("_months") => Kind::Real,
        _ => Kind::Text,
    }
}

/// Rows of a row group: so many lie in memory as values at once.
const ROWS_OF_A_GROUP: usize = 16_384;

/// The rows as the bytes of a Parquet file. A field that is no column is left out; `None` becomes a null.
pub fn to_parquet<T: Serialize>(columns: &[Column], rows: &[T]) -> Result<Vec<u8>, ParquetTableError> {
    let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    let schema = Type::group_type_builder("table").with_fields(fields).build()?;
    let properties = WriterProperties::builder().set_created_by("lesiontrace".to_owned()).build();
    let mut file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
    // An empty table has one group, too.
    let mut chunks: Vec<&[T]> = rows.chunks(ROWS_OF_A_GROUP).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    for (nth, chunk) in chunks.into_iter().enumerate() {
        let rows: Vec<Vec<Value>> = chunk.iter().map(|row| cells_of(columns, row)).collect::<Result<_, _>>()?;
        let mut group = file.next_row_group()?;
        for (at, column) in columns.iter().enumerate() {
            let cells: Vec<&Value> = rows.iter().map(|row| &row[at]).collect();
            write_column(&mut group, *column, &cells, nth * ROWS_OF_A_GROUP)?;
        }
        group.close()?;
    }
    Ok(file.into_inner()?)
}

fn field((name, kind): &Column) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match kind {
        Kind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Whole => (PhysicalType::INT64, None),
        Kind::Real => (PhysicalType::DOUBLE, None),
        Kind::YesNo => (PhysicalType::BOOLEAN, None),
        Kind::Day => (PhysicalType::INT32, Some(LogicalType::Date)),
    };
    let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
    Ok(Arc::new(builder.with_logical_type(logical).build()?))
}

fn write_column<W: std::io::Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    (name, kind): Column,
    cells: &[&Value],
    first: usize,
) -> Result<(), ParquetTableError> {
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(!cell.is_null())).collect();
    let wrong = |row: usize, found: &Value| ParquetTableError::Cell {
        column: name,
        row: first + row + 1,
        kind,
        found: found.clone(),
    };
    let stated = || cells.iter().enumerate().filter(|(_, cell)| !cell.is_null());
    let missing = || ParquetError::General(format!("there is no column {name} in the schema"));
    let mut column = group.next_column()?.ok_or_else(missing)?;
    macro_rules! write {
        ($form:ty, $of:expr) => {{
            let values = stated().map(|(row, cell)| $of(cell).ok_or_else(|| wrong(row, cell)));
            let values = values.collect::<Result<Vec<_>, _>>()?;
            column.typed::<$form>().write_batch(&values, Some(&levels), None)?
        }};
    }
    match kind {
        Kind::Text => write!(ByteArrayType, |cell: &Value| cell.as_str().map(ByteArray::from)),
        Kind::Whole => write!(Int64Type, |cell: &Value| cell.as_i64()),
        Kind::Real => write!(DoubleType, |cell: &Value| cell.as_f64()),
        Kind::YesNo => write!(BoolType, |cell: &Value| cell.as_bool()),
        Kind::Day => write!(Int32Type, |cell: &Value| cell.as_str().and_then(days_since_1970)),
    };
    Ok(column.close()?)
}

fn days_since_1970(text: &str) -> Option<i32> {
    let day: Date = text.parse().ok()?;
    i32::try_from(day.duration_since(date(1970, 1, 1)).as_hours() / 24).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use serde_json::json;

    #[test]
    fn a_column_holds_what_the_data_dictionary_says() {
        let dictionary = include_str!("../../../configs/tables/columns.csv");
        let mut other = Vec::new();
        for line in dictionary.lines().skip(1) {
            let cells: Vec<&str> = line.splitn(4, ',').collect();
            let kind = match cells[2] {
                "" => continue,
                "boolean" => Kind::YesNo,
                "date" => Kind::Day,
                "integer" => Kind::Whole,
                "number" => Kind::Real,
                "string" => Kind::Text,
                other => panic!("a type without a kind: {other}"),
            };
            if kind_of(cells[0], cells[1]) != kind {
                other.push(line);
            }
        }
        assert!(other.is_empty(), "columns of another kind than the dictionary's: {other:#?}");
    }

    #[test]
    fn cells_come_back_with_their_types_and_empty_ones_are_null() {
        let columns: [Column; 5] =
            [("id", Kind::Text), ("n", Kind::Whole), ("mm", Kind::Real), ("ok", Kind::YesNo), ("date", Kind::Day)];
        let rows = [
            json!({"id": "=1+1", "n": 3, "mm": 2.5, "ok": true, "date": "2024-02-29", "other": 1}),
            json!({"id": "", "n": null, "mm": null, "ok": false, "date": null}),
        ];
        let bytes = to_parquet(&columns, &rows).unwrap();
        assert_eq!(bytes, to_parquet(&columns, &rows).unwrap(), "the same rows give the same bytes");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let text: Vec<String> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(text[0], "{id: \"=1+1\", n: 3, mm: 2.5, ok: true, date: 2024-02-29}");
        assert_eq!(text[1], "{id: \"\", n: null, mm: null, ok: false, date: null}");
        assert!(to_parquet::<Value>(&columns, &[]).is_ok());
        let long = vec![json!({"id": "a"}); ROWS_OF_A_GROUP + 2];
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&to_parquet(&columns, &long).unwrap()).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        assert_eq!((reader.num_row_groups(), reader.get_row_iter(None).unwrap().count()), (2, long.len()));
        let wrong = to_parquet(&columns, &[json!({"id": "a", "n": "three"})]).unwrap_err().to_string();
        assert!(wrong.starts_with("column n, row 1: expected Whole"), "{wrong}");
    }
}
