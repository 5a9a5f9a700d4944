//! Partial trouble as data: a value plus structured notes about what to doubt in it.

use serde::{Deserialize, Serialize};

/// How much a note matters to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Said for completeness; no result is in doubt.
    Info,
    /// A result may be affected; a reader should look.
    Warning,
    /// A result is missing or refused because of this.
    Error,
}

/// One structured remark. Never holds a patient's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Note {
    /// How much it matters.
    pub severity: Severity,
    /// Stable machine-readable code in snake case, such as `missing_slice`.
    pub code: String,
    /// What it is about: a series UID, a lesion identifier, a file, a visit.
    pub subject: String,
    /// One sentence: what was expected, what was found, what to do.
    pub message: String,
}

impl Note {
    /// A remark that puts no result in doubt.
    pub fn info(code: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Info, code, subject, message)
    }
    /// A remark that asks a reader to look.
    pub fn warning(code: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, subject, message)
    }
    /// A remark that explains a missing or refused result.
    pub fn error(code: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, subject, message)
    }
    fn new(severity: Severity, code: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity, code: code.to_owned(), subject: subject.into(), message: message.into() }
    }
}

/// A value together with the notes made on the way to it.
#[must_use = "the notes say what to doubt in the value"]
#[derive(Debug, Clone, PartialEq)]
pub struct Noted<T> {
    /// The value.
    pub value: T,
    /// What to doubt in it, in the order it was found.
    pub notes: Vec<Note>,
}

impl<T> Noted<T> {
    /// A value nothing is to be said about.
    pub fn clean(value: T) -> Self {
        Self { value, notes: Vec::new() }
    }
    /// A value with notes.
    pub fn new(value: T, notes: Vec<Note>) -> Self {
        Self { value, notes }
    }
    /// Another value with the same notes.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Noted<U> {
        Noted { value: f(self.value), notes: self.notes }
    }
    /// Hands the notes over and returns the bare value.
    pub fn note_into(self, notes: &mut Vec<Note>) -> T {
        notes.extend(self.notes);
        self.value
    }
}
