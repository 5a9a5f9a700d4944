//! A criterion as data: thresholds, options and the full response table, each with its source.
//!
//! Source: the criterion's own file in `configs/criteria`; the built-in ones are embedded, so that one binary works anywhere.

use serde::Deserialize;
use thiserror::Error;

use super::matrix::{MatrixFile, ResponseMatrix};
use super::sourced::Sources;
use crate::exact::Exact;

pub use super::settings::{
    AblatedTarget, Confirmation, EquivocalNewLesion, Immune, Options, PdComparison, PostCr, PostCrReappearance,
    PrPersistence, Quantity, SdBetween, Selection, Sourced, Thresholds,
};

/// The built-in criteria: identifier and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("recist_1_1", include_str!("../../../../configs/criteria/recist_1_1.toml")),
    ("xu2021_recist", include_str!("../../../../configs/criteria/xu2021_recist.toml")),
    ("mrecist", include_str!("../../../../configs/criteria/mrecist.toml")),
    ("irecist", include_str!("../../../../configs/criteria/irecist.toml")),
];

/// Why a criterion file was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TableError {
    /// Not TOML, an unknown key, a missing key or a word that does not exist.
    #[error("expected a criterion file (see configs/criteria/recist_1_1.toml), found: {0}")]
    Unreadable(String),
    /// A number without its source.
    #[error("every number needs its source: `{0}` has none; add `source = \"author year, section\"`")]
    MissingSource(String),
    /// A cell of the response table is missing.
    #[error("the response table must be total: `{0}` is missing or has the wrong number of entries")]
    Gap(String),
    /// A number outside its sensible range.
    #[error("threshold `{name}` must be {expected}, found {found}")]
    OutOfRange {
        /// Which one.
        name: String,
        /// What would do.
        expected: &'static str,
        /// What stood there.
        found: String,
    },
    /// No built-in criterion of this name.
    #[error("no built-in criterion {found:?}; there are {available}; or name a file")]
    Unknown {
        /// What was asked for.
        found: String,
        /// What exists.
        available: String,
    },
}

/// One criterion, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CriterionTable {
    /// Identifier, such as `recist_1_1`.
    pub id: String,
    /// Name for readers.
    pub title: String,
    /// Version of the file.
    pub version: u32,
    /// Publication.
    pub source: String,
    /// What is measured.
    pub quantity: Quantity,
    /// Its numbers.
    pub thresholds: Thresholds,
    /// Its options.
    pub options: Options,
    /// Its response table.
    pub overall: ResponseMatrix,
    /// The numbers of iRECIST; none: progression needs no confirmation.
    pub immune: Option<Immune>,
    text: String,
}

/// What a criterion file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriterionFile {
    id: String,
    title: String,
    version: u32,
    source: String,
    quantity: Quantity,
    thresholds: Thresholds,
    options: Options,
    overall: MatrixFile,
    immune: Option<Immune>,
}

impl CriterionTable {
    /// Reads and checks a criterion file.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let file: CriterionFile = toml::from_str(text).map_err(|error| TableError::Unreadable(error.to_string()))?;
        let sources = [("source", file.source.as_str())];
        let sources = sources.into_iter().chain(file.thresholds.sources()).chain(file.options.sources());
        let sources = sources.chain(file.immune.iter().flat_map(Sources::sources));
        for (key, source) in sources {
            if source.trim().is_empty() {
                return Err(TableError::MissingSource(key.to_owned()));
            }
        }
        check_ranges(&file.thresholds)?;
        Ok(Self {
            id: file.id,
            title: file.title,
            version: file.version,
            source: file.source,
            quantity: file.quantity,
            thresholds: file.thresholds,
            options: file.options,
            overall: ResponseMatrix::checked(file.overall)?,
            immune: file.immune,
            text: text.to_owned(),
        })
    }

    /// A built-in criterion by its identifier.
    pub fn built_in(id: &str) -> Result<Self, TableError> {
        let text = BUILT_IN.iter().find(|(name, _)| *name == id).map(|(_, text)| *text);
        let text = text.ok_or_else(|| TableError::Unknown {
            found: id.to_owned(),
            available: BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
        })?;
        Self::parse(text)
    }

    /// The same criterion with one option set to another of its words, such as `post_cr_reappearance` to `sum`; its text, and so
    /// its digest, change with it.
    pub fn with_option(&self, name: &str, word: &str) -> Result<Self, TableError> {
        let mut file: toml::Table =
            self.text.parse().map_err(|error: toml::de::Error| TableError::Unreadable(error.to_string()))?;
        let option =
            file.get_mut("options").and_then(|options| options.get_mut(name)).and_then(toml::Value::as_table_mut);
        let option = option.ok_or_else(|| TableError::Unreadable(format!("no option {name:?} in {}", self.id)))?;
        option.insert("value".to_owned(), toml::Value::String(word.to_owned()));
        Self::parse(&file.to_string())
    }

    /// The file's text, byte for byte, for its digest.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn check_ranges(thresholds: &Thresholds) -> Result<(), TableError> {
    let lengths = [
        ("lesion_measurable_mm", &thresholds.lesion_measurable_mm),
        ("node_measurable_mm", &thresholds.node_measurable_mm),
        ("node_normal_mm", &thresholds.node_normal_mm),
        ("calliper_measurable_mm", &thresholds.calliper_measurable_mm),
        ("chest_radiograph_measurable_mm", &thresholds.chest_radiograph_measurable_mm),
        ("pd_abs_mm", &thresholds.pd_abs_mm),
        ("nadir_zero_min_mm", &thresholds.nadir_zero_min_mm),
        ("too_small_mm", &thresholds.too_small_mm),
        ("equivocal_node_mm", &thresholds.equivocal_node_mm),
        ("new_lesion_min_mm", &thresholds.new_lesion_min_mm),
    ];
    for (name, length) in lengths {
        if length.value < Exact::ZERO || length.value > Exact::whole(1000) {
            return Err(out_of_range(name, "between 0 and 1000 mm", &length.value));
        }
    }
    let decrease = thresholds.pr_decrease_percent.value;
    if decrease == 0 || decrease > 100 {
        return Err(out_of_range("pr_decrease_percent", "between 1 and 100", &decrease));
    }
    let increase = thresholds.pd_increase_percent.value;
    if increase == 0 || increase > 1000 {
        return Err(out_of_range("pd_increase_percent", "between 1 and 1000", &increase));
    }
    Ok(())
}

fn out_of_range(name: &str, expected: &'static str, found: &impl ToString) -> TableError {
    TableError::OutOfRange { name: name.to_owned(), expected, found: found.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recist() -> &'static str {
        BUILT_IN[0].1
    }

    #[test]
    fn the_built_in_tables_read_and_bear_their_own_names() {
        for (id, text) in BUILT_IN {
            let table = CriterionTable::built_in(id).unwrap();
            assert_eq!((table.id.as_str(), table.text()), (*id, *text));
        }
        assert!(CriterionTable::built_in("recist").unwrap_err().to_string().contains("recist_1_1"));
    }

    #[test]
    fn an_option_can_be_set_to_its_own_words_alone() {
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let by_sum = table.with_option("post_cr_reappearance", "sum").unwrap();
        assert_eq!(by_sum.options.post_cr_reappearance.value, PostCrReappearance::Sum);
        assert_eq!(by_sum.overall, table.overall);
        assert!(table.with_option("post_cr_reappearance", "maybe").is_err());
        assert!(table.with_option("post_cr_return", "sum").is_err());
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = recist().replace("[thresholds]", "[thresholds]\npd_absolute_mm = { value = 5, source = \"x\" }");
        assert!(
            matches!(CriterionTable::parse(&text), Err(TableError::Unreadable(message)) if message.contains("pd_absolute_mm"))
        );
    }

    #[test]
    fn a_number_without_a_source_is_refused() {
        let text = recist().replace("Eisenhauer 2009 §4.3.1: and at least 5 mm", " ");
        assert_eq!(CriterionTable::parse(&text), Err(TableError::MissingSource("pd_abs_mm".to_owned())));
        let text = recist().replace(", source = \"Eisenhauer 2009 §4.3.1: and at least 5 mm\"", "");
        assert!(matches!(CriterionTable::parse(&text), Err(TableError::Unreadable(_))));
    }

    #[test]
    fn a_gap_in_the_response_table_is_refused() {
        let text = recist().replacen("SD = [\"SD\", \"SD\", \"PD\", \"SD\", \"SD\"]\n", "", 1);
        assert_eq!(CriterionTable::parse(&text), Err(TableError::Gap("overall.N.SD".to_owned())));
        let text = recist().replacen("[\"SD\", \"SD\", \"PD\", \"SD\", \"SD\"]", "[\"SD\", \"SD\", \"PD\", \"SD\"]", 1);
        assert_eq!(CriterionTable::parse(&text), Err(TableError::Gap("overall.N.SD".to_owned())));
    }

    #[test]
    fn a_negative_length_is_refused() {
        let text = recist().replace("pd_abs_mm = { value = 5", "pd_abs_mm = { value = -5");
        assert!(matches!(CriterionTable::parse(&text), Err(TableError::OutOfRange { .. })));
    }
}
