//! The numbers and the contested points a criterion file settles.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) and the EORTC RECIST FAQ for what is contested; the files name theirs.

use serde::{Deserialize, Serialize};

use super::progression_date::DatingRule;
use super::sourced::section;
use crate::exact::Exact;

pub use super::sourced::Sourced;

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
        /// Which scan of a visit of several dates dates its progression.
        #[serde(default = "DatingRule::unsaid")]
        progression_date: DatingRule,
    }
);

section!(
    /// What iRECIST adds to the numbers of RECIST 1.1.
    Immune {
        /// Growth of the targets, or of the new-lesion targets, since unconfirmed progression that confirms it, mm.
        confirm_increase_mm: Exact,
        /// Least distance of a confirming visit from the unconfirmed progression, days.
        confirm_min_days: u32,
        /// Days by which that may be undercut.
        confirm_tolerance_days: u32,
        /// Latest usual distance of a confirming visit, days; a later one counts and is flagged.
        confirm_max_days: u32,
        /// Most new lesions measured as targets of their own.
        max_new_targets: u32,
        /// Most of them in one organ.
        max_new_targets_per_organ: u32,
    }
);
