//! A criterion as data: thresholds, options and the full response table, each with its source.
//!
//! Source: the criterion's own file in `configs/criteria`; the built-in ones are embedded, so that one binary works anywhere.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::matrix::{MatrixFile, ResponseMatrix};
use crate::exact::Exact;

/// The built-in criteria: identifier and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("recist_1_1", include_str!("../../../../configs/criteria/recist_1_1.toml")),
    ("mrecist", include_str!("../../../../configs/criteria/mrecist.toml")),
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

/// What is measured of a lesion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Longest diameter (lesion) or short axis (node).
    Diameter,
    /// Longest viable (enhancing) diameter for lesions of the liver, the diameter elsewhere.
    ViableDiameter,
}

/// How a locally treated target enters the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AblatedTarget {
    /// 0 while complete ablation is documented, else its viable diameter.
    Viable,
    /// The zone at the first study after ablation becomes the lesion's new baseline.
    Rebaseline,
    /// The whole lesion as seen.
    Whole,
}

impl AblatedTarget {
    /// The word in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viable => "viable",
            Self::Rebaseline => "rebaseline",
            Self::Whole => "whole",
        }
    }
}

/// Whether a partial response lasts until progression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrPersistence {
    /// It lasts.
    Sticky,
    /// Each visit is judged alone.
    Strict,
}

/// Whether reaching the growth threshold exactly is progression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PdComparison {
    /// It is.
    AtLeast,
    /// It must be exceeded.
    MoreThan,
}

/// What a target seen again after an overall complete response means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostCrReappearance {
    /// Progression, whatever the size.
    Pd,
    /// The sum decides.
    Sum,
}

/// What a lesser response after a complete response means for the best response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostCr {
    /// Disease after a true complete response is progression.
    Pd,
    /// The complete response was not one: it is read as partial.
    Downgrade,
}

/// Whether a response must be seen twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmation {
    /// Once is enough.
    NotRequired,
    /// Twice, `confirm_days` apart.
    Required,
}

/// How targets are picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// The largest of every organ first, then the second largest.
    Representative,
    /// By size alone, within the quotas.
    SizeFirst,
}

/// When progression by a lesion that was at first equivocal is dated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EquivocalNewLesion {
    /// At its first sight.
    BackDate,
    /// When it was confirmed.
    AtConfirmation,
}

/// Whether one stable visit may lie between two responses that confirm each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SdBetween {
    /// No.
    Breaks,
    /// Once.
    AcceptedOnce,
}

/// A value with the place it was taken from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Author, year, section.
    pub source: String,
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$fdoc])* pub $field: Sourced<$ty>),+
        }
        impl $name {
            /// Key and source of every entry, in the order of the file.
            pub fn sources(&self) -> Vec<(&'static str, &str)> {
                vec![$((stringify!($field), self.$field.source.as_str())),+]
            }
        }
    };
}

section!(
    /// The numbers of a criterion. Lengths in mm, times in days, changes in percent.
    Thresholds {
        /// Smallest measurable longest diameter on CT or MRI, mm.
        lesion_measurable_mm: Exact,
        /// Smallest measurable size in slice thicknesses.
        slice_factor: u32,
        /// Smallest measurable short axis of a node, mm.
        node_measurable_mm: Exact,
        /// A node below this short axis is normal, mm (strict).
        node_normal_mm: Exact,
        /// Smallest measurable size by calliper, mm.
        calliper_measurable_mm: Exact,
        /// Smallest measurable size on a chest radiograph, mm.
        chest_radiograph_measurable_mm: Exact,
        /// Most targets of a patient.
        max_targets: u32,
        /// Most targets of an organ.
        max_targets_per_organ: u32,
        /// Decrease from baseline that makes a partial response, percent.
        pr_decrease_percent: u32,
        /// Increase from the nadir that makes progression, percent.
        pd_increase_percent: u32,
        /// Increase from the nadir that progression needs besides, mm.
        pd_abs_mm: Exact,
        /// From a nadir of 0, the smallest lesion that makes progression, mm.
        nadir_zero_min_mm: Exact,
        /// What "too small to measure" counts, mm.
        too_small_mm: Exact,
        /// A new node below this short axis is equivocal, mm.
        equivocal_node_mm: Exact,
        /// A new lesion below this size is equivocal, mm.
        new_lesion_min_mm: Exact,
        /// Earliest day on which disease counts as stable, days from origin.
        min_sd_days: u32,
        /// Least distance of two responses that confirm each other, days.
        confirm_days: u32,
        /// Most not evaluable visits between them.
        max_not_evaluable_between: u32,
    }
);

section!(
    /// The contested points of a criterion and how they are settled here.
    Options {
        /// How treated targets count.
        ablated_target: AblatedTarget,
        /// Whether a partial response lasts.
        pr_persistence: PrPersistence,
        /// Whether the threshold itself is progression.
        pd_comparison: PdComparison,
        /// A target seen again after overall CR.
        post_cr_reappearance: PostCrReappearance,
        /// Lesser responses after CR, for the best response.
        post_cr: PostCr,
        /// Whether responses are confirmed.
        confirmation: Confirmation,
        /// How targets are picked.
        selection: Selection,
        /// Dating of a lesion first equivocal, then confirmed.
        equivocal_new_lesion: EquivocalNewLesion,
        /// A stable visit between two responses.
        sd_between_responses: SdBetween,
    }
);

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
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    id: String,
    title: String,
    version: u32,
    source: String,
    quantity: Quantity,
    thresholds: Thresholds,
    options: Options,
    overall: MatrixFile,
}

impl CriterionTable {
    /// Reads and checks a criterion file.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let file: TableFile = toml::from_str(text).map_err(|error| TableError::Unreadable(error.to_string()))?;
        let sources = [("source", file.source.as_str())];
        let sources = sources.into_iter().chain(file.thresholds.sources()).chain(file.options.sources());
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
