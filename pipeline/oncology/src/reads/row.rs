//! Reads as they are written: one row a decision, the same columns in `reads.json` and `reads.csv`.

use imaging::Chord;
use serde::{Deserialize, Serialize};

use super::decision::{Decision, PROGRAM};
use super::strict_json::Strict;

/// Version of the shape of `reads.json`.
pub const SCHEMA_VERSION: u32 = 1;

/// One decision of one reader, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadRow {
    /// Patient identifier or pseudonym.
    pub patient_id: String,
    /// Lesion, as the tables call it.
    pub lesion_id: String,
    /// Its tracking UID; empty where the reader did not copy it.
    #[serde(default)]
    pub tracking_uid: String,
    /// Visit (`2024-03-01`, `2024-03-01-2`); empty for items of the whole lesion.
    #[serde(default)]
    pub visit: String,
    /// `finding`, `role`, `kind`, `same_as`, `split`, `evaluable`, `call`, `long_axis`, `short_axis`, `site_response`, `lirads_tr` or `deauville`.
    pub item: String,
    /// What the reader decided; `program` takes a decision back.
    pub value: String,
    /// Who.
    pub reader: String,
    /// When: date and time with offset, such as `2024-03-04T09:30:00Z`.
    pub read_at: String,
    /// Why, in the reader's words.
    #[serde(default)]
    pub comment: String,
    /// Whether the reader decides where readers disagree.
    #[serde(default)]
    pub adjudicator: bool,
    /// What the program had found.
    #[serde(default)]
    pub old: String,
    /// Digest of what the reader saw; empty in tables written by hand, which is noted.
    #[serde(default)]
    pub based_on: String,
    /// Where the read came from; written by the program.
    #[serde(default)]
    pub source: String,
    /// What became of it; written by the program.
    #[serde(default)]
    pub outcome: Outcome,
    /// Why; written by the program.
    #[serde(default)]
    pub reason: String,
}

/// What became of a read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not weighed yet.
    #[default]
    #[serde(rename = "")]
    Open,
    /// In force.
    Applied,
    /// Another read of the same item is in force.
    Superseded,
    /// Readers disagree, and nobody adjudicated: the program's finding stands.
    Disagreement,
    /// It does not fit what is there; the program's finding stands.
    Refused,
}

impl Outcome {
    /// The word of the tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "",
            Self::Applied => "applied",
            Self::Superseded => "superseded",
            Self::Disagreement => "disagreement",
            Self::Refused => "refused",
        }
    }
}

impl ReadRow {
    /// What is decided: two rows with one key speak of the same thing.
    pub(super) fn key(&self) -> (&str, &str, &str) {
        (&self.lesion_id, &self.item, &self.visit)
    }

    /// The row without what the program writes into it.
    #[must_use]
    pub fn as_read(&self) -> Self {
        let blank = Self { outcome: Outcome::Open, reason: String::new(), old: String::new(), ..self.clone() };
        Self { source: String::new(), ..blank }
    }

    /// The diameter a read draws; `None` where it draws none.
    #[must_use]
    pub fn caliper(&self) -> Option<Chord> {
        match Decision::parse(&self.item, &self.value) {
            Ok(Decision::Caliper(_, chord)) => chord,
            _ => None,
        }
    }

    /// The value in words: of a caliper its length first.
    #[must_use]
    pub fn value_words(&self) -> String {
        match Decision::parse(&self.item, &self.value) {
            Ok(Decision::Caliper(_, Some(chord))) => format!("{:.2} mm ({})", chord.length().0, self.value),
            _ => self.value.clone(),
        }
    }

    /// Whether the reader says of the item what the program found.
    #[must_use]
    pub fn is_confirmation(&self) -> bool {
        !self.old.is_empty() && (self.value == PROGRAM || self.value == self.old)
    }

    /// The item with its visit, for sentences.
    #[must_use]
    pub fn subject(&self) -> String {
        let at = if self.visit.is_empty() { String::new() } else { format!(" on {}", self.visit) };
        format!("{} of {}{at}", self.item.replace('_', " "), self.lesion_id)
    }
}

/// `reads.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadsFile {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// The reads.
    pub reads: Vec<ReadRow>,
}

impl ReadsFile {
    /// Of some reads.
    #[must_use]
    pub const fn new(reads: Vec<ReadRow>) -> Self {
        Self { schema_version: SCHEMA_VERSION, reads }
    }

    /// Reads the text of a `reads.json`. `Err` says what was expected and found, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Editors put a byte order mark before a text they save.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file: Raw = serde_json::from_str(text).map_err(|error| {
            format!("expected reads saved from a patient's page (schema_version, reads), found something else: {error}")
        })?;
        if file.schema_version != SCHEMA_VERSION {
            let found = file.schema_version;
            return Err(format!(
                "expected schema_version {SCHEMA_VERSION}, found {found}; save it again from a page of this version"
            ));
        }
        let (mut reads, mut faults) = (Vec::new(), Vec::new());
        for (n, Strict(read)) in file.reads.into_iter().enumerate() {
            match serde_json::from_value(read) {
                Ok(row) => reads.push(row),
                Err(error) => faults.push(format!("read {}: {error}", n + 1)),
            }
        }
        if faults.is_empty() { Ok(Self::new(reads)) } else { Err(faults.join("; ")) }
    }
}

/// The document before its reads are looked at, so that each one's fault is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    schema_version: u32,
    reads: Vec<Strict>,
}
