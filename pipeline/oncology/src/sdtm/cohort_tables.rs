//! The cohort's own rows as SDTM: lesions as TU, measurements and states as TR, assessments as RS. What
//! [`super::assess_sdtm`] makes of TU and TR is the response by RECIST 1.1 that the images gave, but where non-targets
//! decide by more than being there: an unequivocal progression is a verdict on all lesions together, which no row of
//! one lesion states, and a non-target node below 10 mm is `PRESENT` here while it no longer counts in a run.
//!
//! Source: CDISC SDTM-IG 3.4, domains TU, TR and RS; CDISC controlled terminology (TUTESTCD, TRTESTCD, RSTESTCD,
//! METHOD).

mod assessed;
mod identified;
mod measured;
mod responded;
mod writer;

use crate::cohort::LesionRow;

pub use assessed::assessments_of;
pub use identified::tu_table;
pub use measured::tr_table;
pub use responded::rs_table;

/// Who measured: the word in TUEVAL, TREVAL and RSEVAL.
const EVALUATOR: &str = "ALGORITHM";

/// A table of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdtmTable {
    /// Names of the columns.
    pub columns: &'static [&'static str],
    /// Rows, each as long as the columns.
    pub rows: Vec<Vec<String>>,
}

impl SdtmTable {
    /// A cell by its column's name; empty where there is no such column.
    pub fn cell<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        let at = self.columns.iter().position(|known| *known == column);
        at.and_then(|at| row.get(at)).map_or("", String::as_str)
    }
}

fn texts(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// TRGRPID and the role in TU; `None` for a lesion that is not recorded.
fn role_of(lesion: &LesionRow) -> Option<&'static str> {
    match lesion.role.as_str() {
        "target" => Some("TARGET"),
        "non_target" => Some("NON-TARGET"),
        "new" => Some("NEW"),
        _ => None,
    }
}

/// TUMETHOD and TRMETHOD from the role of a series, such as `ct_portal_venous`; empty for any other.
fn method_of(series_role: &str) -> &'static str {
    match series_role.split('_').next() {
        Some("ct") => "CT SCAN",
        Some("mr") => "MRI",
        Some("pet") => "PET SCAN",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
