//! Tables as one workbook (Office Open XML) for people who read tables in a spreadsheet: typed cells, a sheet for each table, a
//! first sheet that says what each is. The same tables give the same bytes. No cell is a formula: texts are written as texts.
//!
//! Source: ECMA-376 (names of sheets have at most 31 characters).

use jiff::civil::Date;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook as Book, Worksheet, XlsxError};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::parquet_table::{Column, Kind};
use crate::row_cells::cells_of;

/// Rows of a sheet at most: what is longer is read by programs, not by people, and would have to lie in memory as a whole.
pub const MOST_ROWS: usize = 20_000;

/// Tables that make no workbook.
#[derive(Debug, Error)]
pub enum WorkbookError {
    /// The writer refused something.
    #[error("sheet {sheet}: {source}")]
    Writer {
        /// The sheet.
        sheet: String,
        /// Why.
        source: XlsxError,
    },
    /// The rows cannot be turned into values.
    #[error(transparent)]
    Rows(#[from] serde_json::Error),
}

/// A workbook under construction.
pub struct Workbook {
    book: Book,
    contents: Vec<[String; 2]>,
    bold: Format,
    day: Format,
}

impl Workbook {
    /// An empty workbook; `title` is written into its properties and over its first sheet.
    #[must_use]
    pub fn new(title: &str) -> Self {
        let mut book = Book::new();
        let properties = DocProperties::new().set_title(title).set_author("lesiontrace");
        // A moment that is always the same, or no two runs would give the same bytes.
        book.set_properties(&match ExcelDateTime::from_ymd(2000, 1, 1) {
            Ok(moment) => properties.set_creation_datetime(&moment),
            Err(_) => properties,
        });
        book.add_worksheet();
        let contents = vec![[title.to_owned(), String::new()]];
        Self { book, contents, bold: Format::new().set_bold(), day: Format::new().set_num_format("yyyy-mm-dd") }
    }

    /// Adds a sheet of rows with their types. `about` says what one row is; more than [`MOST_ROWS`] rows are left to the file `elsewhere`.
    pub fn add_rows<T: Serialize>(
        &mut self,
        name: &str,
        about: &str,
        elsewhere: &str,
        columns: &[Column],
        rows: &[T],
    ) -> Result<(), WorkbookError> {
        let wrong = |source| WorkbookError::Writer { sheet: name.to_owned(), source };
        let (bold, day) = (self.bold.clone(), self.day.clone());
        let sheet = self.sheet(name, about)?;
        if rows.len() > MOST_ROWS {
            let text = format!("{} rows: too many for a sheet, see {elsewhere}", rows.len());
            sheet.write_string(0, 0, text).map_err(wrong)?;
            return Ok(());
        }
        for (at, (column, _)) in (0..).zip(columns) {
            sheet.write_string_with_format(0, at, *column, &bold).map_err(wrong)?;
        }
        for (line, row) in (1..).zip(rows) {
            for (at, (cell, (_, kind))) in (0..).zip(cells_of(columns, row)?.iter().zip(columns)) {
                write_cell(sheet, [line, at], cell, *kind, &day).map_err(wrong)?;
            }
        }
        sheet.set_freeze_panes(1, 0).map_err(wrong)?;
        sheet.set_autofit_max_width(400).autofit();
        Ok(())
    }

    /// Adds a table as it is printed: caption, heads, cells as texts, then what to know of it.
    pub fn add_printed(
        &mut self,
        name: &str,
        caption: &str,
        columns: &[String],
        rows: impl Iterator<Item = Vec<String>>,
        notes: &[String],
    ) -> Result<(), WorkbookError> {
        let wrong = |source| WorkbookError::Writer { sheet: name.to_owned(), source };
        let bold = self.bold.clone();
        let sheet = self.sheet(name, caption)?;
        for (at, column) in (0..).zip(columns) {
            sheet.write_string_with_format(2, at, column, &bold).map_err(wrong)?;
        }
        let mut line = 3;
        for row in rows {
            for (at, cell) in (0..).zip(row) {
                sheet.write_string(line, at, cell).map_err(wrong)?;
            }
            line += 1;
        }
        sheet.set_autofit_max_width(400).autofit();
        // Sentences are long and no measure for the width of a column.
        sheet.write_string_with_format(0, 0, caption, &bold).map_err(wrong)?;
        for (line, note) in (line + 1..).zip(notes) {
            sheet.write_string(line, 0, note).map_err(wrong)?;
        }
        Ok(())
    }

    /// The file.
    pub fn bytes(mut self) -> Result<Vec<u8>, WorkbookError> {
        let wrong = |source| WorkbookError::Writer { sheet: "contents".to_owned(), source };
        let first = self.book.worksheet_from_index(0).map_err(wrong)?;
        first.set_name("contents").map_err(wrong)?;
        for (line, [sheet, about]) in (0..).zip(&self.contents) {
            first.write_string(line, 0, sheet).map_err(wrong)?;
            first.write_string(line, 1, about).map_err(wrong)?;
        }
        first.set_column_width(0, 32).map_err(wrong)?;
        self.book.save_to_buffer().map_err(wrong)
    }

    fn sheet(&mut self, name: &str, about: &str) -> Result<&mut Worksheet, WorkbookError> {
        let short: String = name.chars().take(31).collect();
        self.contents.push([short.clone(), about.to_owned()]);
        let sheet = self.book.add_worksheet();
        sheet.set_name(&short).map_err(|source| WorkbookError::Writer { sheet: short, source })
    }
}

/// A cell of its kind; nothing where the value is missing. A value of another kind stands as text.
fn write_cell(
    sheet: &mut Worksheet,
    [line, at]: [u32; 2],
    cell: &Value,
    kind: Kind,
    day: &Format,
) -> Result<(), XlsxError> {
    let at = at as u16;
    let date = |text: &str| {
        let date: Date = text.parse().ok()?;
        ExcelDateTime::from_ymd(u16::try_from(date.year()).ok()?, date.month() as u8, date.day() as u8).ok()
    };
    match (kind, cell) {
        (_, Value::Null) => {}
        (Kind::Whole | Kind::Real, Value::Number(number)) => {
            sheet.write_number(line, at, number.as_f64().unwrap_or(f64::NAN))?;
        }
        (Kind::YesNo, Value::Bool(value)) => {
            sheet.write_boolean(line, at, *value)?;
        }
        (Kind::Day, Value::String(text)) if date(text).is_some() => {
            if let Some(date) = date(text) {
                sheet.write_datetime_with_format(line, at, date, day)?;
            }
        }
        (_, Value::String(text)) if text.is_empty() => {}
        (_, Value::String(text)) => {
            sheet.write_string(line, at, text.chars().take(32_767).collect::<String>())?;
        }
        (_, other) => {
            sheet.write_string(line, at, other.to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use super::*;
    use serde_json::json;

    fn part(bytes: &[u8], name: &str) -> String {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn made() -> Vec<u8> {
        let mut book = Workbook::new("Cohort A");
        let columns = [("id", Kind::Text), ("mm", Kind::Real), ("ok", Kind::YesNo), ("date", Kind::Day)];
        let rows = [
            json!({"id": "=1+1", "mm": 2.5, "ok": true, "date": "2024-02-29"}),
            json!({"id": "b", "mm": null, "ok": false, "date": null}),
        ];
        book.add_rows("lesions", "one lesion", "lesions.csv", &columns, &rows).unwrap();
        let heads = [String::new(), "HCC".to_owned()];
        let rows = vec![vec!["CR".to_owned(), "3 (5.0)".to_owned()]];
        book.add_printed("print_table_2", "Response", &heads, rows.into_iter(), &["Months of 30 days.".to_owned()])
            .unwrap();
        book.bytes().unwrap()
    }

    #[test]
    fn cells_keep_their_types_and_no_text_becomes_a_formula() {
        let bytes = made();
        assert_eq!(bytes, made(), "the same tables give the same bytes");
        let sheet = part(&bytes, "xl/worksheets/sheet2.xml");
        assert!(!sheet.contains("<f>"), "{sheet}");
        assert!(sheet.contains(r#"<c r="B2"><v>2.5</v></c>"#), "{sheet}");
        assert!(sheet.contains(r#"<c r="C2" t="b"><v>1</v></c>"#), "{sheet}");
        // 29 February 2024 is day 45,351 of the spreadsheet's calendar.
        assert!(sheet.contains("<v>45351</v>"), "{sheet}");
        assert!(!sheet.contains(r#"r="B3""#), "a missing number is an empty cell");
        let texts = part(&bytes, "xl/sharedStrings.xml");
        for text in ["=1+1", "one lesion", "Cohort A", "3 (5.0)", "Months of 30 days."] {
            assert!(texts.contains(text), "{text} in {texts}");
        }
        assert!(part(&bytes, "xl/workbook.xml").contains(r#"name="print_table_2""#));
    }

    #[test]
    fn a_table_too_long_for_people_names_the_file_to_read() {
        let mut book = Workbook::new("Cohort");
        let rows = vec![json!({"id": "a"}); MOST_ROWS + 1];
        book.add_rows("m", "one measurement", "m.csv or m.parquet", &[("id", Kind::Text)], &rows).unwrap();
        let texts = part(&book.bytes().unwrap(), "xl/sharedStrings.xml");
        assert!(texts.contains("20001 rows: too many for a sheet, see m.csv or m.parquet"), "{texts}");
    }
}
