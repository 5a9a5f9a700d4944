//! A table as a study prints it: every cell is text that was made elsewhere; the page only lays it out.

use serde::{Deserialize, Serialize};

/// A table with its caption and what to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyTable {
    /// Name in file names, such as `1` or `patterns`.
    pub id: String,
    /// Caption.
    pub title: String,
    /// Heads of the columns; the first is that of the row names.
    pub columns: Vec<String>,
    /// Rows in order.
    pub rows: Vec<StudyLine>,
    /// Sentences below: conventions, and why something is not evaluable.
    pub notes: Vec<String>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyLine {
    /// Whether it heads the rows below it.
    pub heading: bool,
    /// Cells, the row's name first; of a heading the name alone.
    pub cells: Vec<String>,
}

impl StudyTable {
    /// A table without rows.
    #[must_use]
    pub fn new(id: &str, title: impl Into<String>, columns: Vec<String>) -> Self {
        Self { id: id.to_owned(), title: title.into(), columns, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row that heads those below it.
    pub fn heading(&mut self, text: impl Into<String>) {
        self.rows.push(StudyLine { heading: true, cells: vec![text.into()] });
    }

    /// Adds a row.
    pub fn line(&mut self, name: impl Into<String>, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = std::iter::once(name.into()).chain(cells).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(StudyLine { heading: false, cells });
    }

    /// Adds a sentence below, once.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Rows of cells, every one as long as the head.
    pub fn cells(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        self.rows.iter().map(|row| {
            let mut cells = row.cells.clone();
            cells.resize(self.columns.len(), String::new());
            cells
        })
    }
}
