//! Rows of TU and TR by column name.
//!
//! Source: CDISC SDTM-IG 3.4, domains TU and TR.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::exact::Exact;

/// One row of TU.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TuRow {
    /// USUBJID.
    pub subject: String,
    /// VISITNUM.
    pub visit_num: Exact,
    /// VISIT.
    pub visit: String,
    /// TULNKID.
    pub link: String,
    /// TUSTRESC or TUORRES: TARGET, NON-TARGET or NEW.
    pub role: String,
    /// TULOC.
    pub location: String,
    /// TUEVAL.
    pub evaluator: String,
    /// TUEVALID.
    pub evaluator_id: String,
    /// TUACPTFL: `Y` where this evaluator's reading is the accepted one.
    pub accepted: String,
}

/// One row of TR.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrRow {
    /// USUBJID.
    pub subject: String,
    /// VISITNUM.
    pub visit_num: Exact,
    /// VISIT.
    pub visit: String,
    /// TRLNKID; empty in a row of a group of lesions, such as a sum of diameters.
    pub link: String,
    /// TRLNKGRP: what links the rows of one assessment; empty where the table does not say.
    pub link_group: String,
    /// TRTESTCD: LDIAM, LPERP, DIAMETER, TUMSTATE, SUMDIAM, …
    pub test: String,
    /// TRORRES, or TRSTRESC where that is the one with a unit.
    pub result: String,
    /// Unit of the result (TRORRESU or TRSTRESU); empty for a state.
    pub unit: String,
    /// TRSTAT.
    pub status: String,
    /// TRREASND.
    pub reason_not_done: String,
    /// TREVAL.
    pub evaluator: String,
    /// TREVALID.
    pub evaluator_id: String,
    /// TRACPTFL: `Y` where this evaluator's reading of this visit is the accepted one.
    pub accepted: String,
    /// TRDTC as written; may be partial.
    pub date: String,
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{domain}: expected {expected} in {column}, found {found:?}")]
pub struct RowError {
    /// TU, TR or LB.
    pub domain: &'static str,
    /// Which column.
    pub column: &'static str,
    /// What would do.
    pub expected: &'static str,
    /// What stood there.
    pub found: String,
}

impl TuRow {
    /// From a row given by column name; a column that is not there gives `None`.
    pub fn from_columns<'a>(column: impl Fn(&str) -> Option<&'a str>) -> Result<Self, RowError> {
        let read = Columns { domain: "TU", column };
        Ok(Self {
            subject: read.required("USUBJID")?,
            visit_num: read.visit_num()?,
            visit: read.optional("VISIT"),
            link: read.required("TULNKID")?,
            role: read.first_of(&["TUSTRESC", "TUORRES"]).to_uppercase(),
            location: read.optional("TULOC"),
            evaluator: read.optional("TUEVAL"),
            evaluator_id: read.optional("TUEVALID"),
            accepted: read.optional("TUACPTFL").to_uppercase(),
        })
    }
}

impl TrRow {
    /// From a row given by column name; a column that is not there gives `None`.
    pub fn from_columns<'a>(column: impl Fn(&str) -> Option<&'a str>) -> Result<Self, RowError> {
        let read = Columns { domain: "TR", column };
        let (result, unit) = read.result();
        Ok(Self {
            subject: read.required("USUBJID")?,
            visit_num: read.visit_num()?,
            visit: read.optional("VISIT"),
            link: read.optional("TRLNKID"),
            link_group: read.optional("TRLNKGRP"),
            test: read.required("TRTESTCD")?.to_uppercase(),
            result,
            unit,
            status: read.optional("TRSTAT"),
            reason_not_done: read.optional("TRREASND"),
            evaluator: read.optional("TREVAL"),
            evaluator_id: read.optional("TREVALID"),
            accepted: read.optional("TRACPTFL").to_uppercase(),
            date: read.optional("TRDTC"),
        })
    }
}

/// A row by column name.
pub(super) struct Columns<F> {
    pub(super) domain: &'static str,
    pub(super) column: F,
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Columns<F> {
    pub(super) fn optional(&self, name: &str) -> String {
        (self.column)(name).unwrap_or_default().trim().to_owned()
    }

    fn first_of(&self, names: &[&str]) -> String {
        names.iter().map(|name| self.optional(name)).find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// Result and unit of TR, both as collected or both as standardised: a number of one with the unit of the other
    /// would be a length nobody recorded.
    fn result(&self) -> (String, String) {
        let collected = (self.optional("TRORRES"), self.optional("TRORRESU"));
        let standard = (self.first_of(&["TRSTRESC", "TRSTRESN"]), self.optional("TRSTRESU"));
        let is_number = |text: &str| text.parse::<Exact>().is_ok();
        let is_bare_number = is_number(&collected.0) && collected.1.is_empty();
        let has_better = is_bare_number && is_number(&standard.0) && !standard.1.is_empty();
        if collected.0.is_empty() || has_better { standard } else { collected }
    }

    pub(super) fn required(&self, name: &'static str) -> Result<String, RowError> {
        let text = self.optional(name);
        let missing = RowError { domain: self.domain, column: name, expected: "a value", found: String::new() };
        if text.is_empty() { Err(missing) } else { Ok(text) }
    }

    fn visit_num(&self) -> Result<Exact, RowError> {
        let text = self.required("VISITNUM")?;
        let wrong = |_| RowError { domain: self.domain, column: "VISITNUM", expected: "a number", found: text.clone() };
        text.parse().map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tr(columns: &[(&str, &str)]) -> Result<TrRow, RowError> {
        let given = [("USUBJID", "S1"), ("VISITNUM", "2"), ("TRTESTCD", "LDIAM")];
        let all: Vec<(&str, &str)> = given.iter().chain(columns).copied().collect();
        TrRow::from_columns(|name| all.iter().find(|(column, _)| *column == name).map(|(_, value)| *value))
    }

    #[test]
    fn a_number_keeps_its_own_unit() {
        let read = |columns: &[(&str, &str)]| tr(columns).map(|row| (row.result, row.unit)).unwrap();
        let both = [("TRORRES", "5"), ("TRORRESU", "cm"), ("TRSTRESC", "50"), ("TRSTRESU", "mm")];
        assert_eq!(read(&both), ("5".to_owned(), "cm".to_owned()));
        assert_eq!(read(&[both[0], both[2], both[3]]), ("50".to_owned(), "mm".to_owned()));
        assert_eq!(read(&[("TRORRES", "TSTM"), ("TRSTRESN", "5"), both[3]]), ("TSTM".to_owned(), String::new()));
        assert_eq!(read(&[("TRSTRESN", "50"), both[3]]), ("50".to_owned(), "mm".to_owned()));
    }

    #[test]
    fn a_row_of_a_group_needs_no_lesion_and_every_row_a_visit() {
        assert_eq!(tr(&[("TRORRES", "70")]).unwrap().link, "");
        let error =
            tr(&[("VISITNUM", "2")]).and_then(|_| TrRow::from_columns(|name| (name == "USUBJID").then_some("S1")));
        assert_eq!(error.unwrap_err().column, "VISITNUM");
    }
}
