//! The date of a progression seen at a visit that spans several scan dates.
//!
//! Source: FDA 2018, Clinical Trial Endpoints for the Approval of Cancer Drugs, appendix 2; academic practice for the
//! earliest scan.

use serde::{Deserialize, Serialize};

use super::sourced::Sourced;
use crate::time::Date;

/// Which scan dates a progression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatingRule {
    /// A new lesion, or progression of a non-target, by the scan that shows it; a sum by the last measurement of a target.
    Fda,
    /// The first scan of the visit.
    Earliest,
}

impl DatingRule {
    /// What a criterion file that does not say means.
    pub(super) fn unsaid() -> Sourced<Self> {
        Sourced { value: Self::Fda, source: "FDA 2018, appendix 2; the file does not say".to_owned() }
    }
}

/// What made the progression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressionBy {
    /// The sum of the targets.
    TargetSum,
    /// A new lesion, or unequivocal progression of a non-target, seen on a scan of this date.
    SeenOn(Date),
}

/// The scans of one visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitScans {
    /// Dates of scans that measured targets.
    pub target_dates: Vec<Date>,
    /// Dates of the others.
    pub other_dates: Vec<Date>,
}

/// The date of progression; `None` when the visit has no scan to take it from.
pub fn progression_date(scans: &VisitScans, by: ProgressionBy, rule: DatingRule) -> Option<Date> {
    match (rule, by) {
        (DatingRule::Earliest, _) => scans.target_dates.iter().chain(&scans.other_dates).min().copied(),
        (DatingRule::Fda, ProgressionBy::TargetSum) => scans.target_dates.iter().max().copied(),
        (DatingRule::Fda, ProgressionBy::SeenOn(date)) => Some(date),
    }
}
