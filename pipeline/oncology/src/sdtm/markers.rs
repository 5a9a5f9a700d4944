//! Tumour markers from the laboratory results of a submission (LB).
//!
//! Source: CDISC SDTM-IG 3.4, domain LB (LBTESTCD, LBSTRESN, LBSTNRHI); RECIST 1.1 §4.3.3 for what a marker decides.

use std::collections::BTreeMap;

use super::rows::{Columns, RowError};
use crate::exact::Exact;
use crate::marker::{Marker, MarkerReading, MarkerState, marker_state};
use crate::partial_date::Period;

/// Readings of tumour markers by subject.
pub type Markers = BTreeMap<String, Vec<MarkerReading>>;

/// The subject and its reading in one row of LB; `None` for another test, a row without a number or one without a complete date.
/// Fails where a marker has no upper limit of normal: nothing could be said of it.
pub fn marker_row<'a>(column: impl Fn(&str) -> Option<&'a str>) -> Result<Option<(String, MarkerReading)>, RowError> {
    let read = Columns { domain: "LB", column };
    let Some(marker) = marker_of(&read.required("LBTESTCD")?) else { return Ok(None) };
    let number = |name: &str| read.optional(name).parse::<Exact>().ok();
    let Ok(date) = read.optional("LBDTC").split('T').next().unwrap_or_default().parse() else { return Ok(None) };
    // Value and limit of one kind: a collected value beside a standard limit may differ in unit.
    let standard = (number("LBSTRESN"), number("LBSTNRHI"), "LBSTRESU");
    let collected = (number("LBORRES"), number("LBORNRHI"), "LBORRESU");
    let (value, limit, unit) = if standard.0.is_some() && standard.1.is_some() { standard } else { collected };
    let Some(value) = value.or(standard.0) else { return Ok(None) };
    let upper_limit = limit.ok_or_else(|| RowError {
        domain: "LB",
        column: "LBSTNRHI",
        expected: "the upper limit of normal of a tumour marker",
        found: String::new(),
    })?;
    let reading = MarkerReading { marker, date, value, unit: read.optional(unit), upper_limit };
    Ok(Some((read.required("USUBJID")?, reading)))
}

/// LBTESTCD of a marker: AFP, CEA, PSA, CA19_9 or CA19_9AG.
fn marker_of(code: &str) -> Option<Marker> {
    let code = code.to_uppercase();
    code.strip_suffix("AG").filter(|code| code.starts_with("CA19")).unwrap_or(&code).parse().ok()
}

/// The state of the markers at a visit. A partial date decides only where its first and its last day say the same.
pub(super) fn state_at(readings: &[MarkerReading], date: &str) -> MarkerState {
    if readings.is_empty() {
        return MarkerState::NotFollowed;
    }
    let Some(period) = Period::read(date) else {
        return MarkerState::Unknown("markers of a visit without a date".to_owned());
    };
    let [first, last] = [period.earliest, period.latest].map(|day| marker_state(readings, day));
    if first == last { first } else { MarkerState::Unknown(format!("markers near the partial date {date}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::criteria::table::CriterionTable;
    use crate::sdtm::tests::{tr, tu};
    use crate::sdtm::{TrRow, assess_sdtm_with};

    fn row(columns: &[(&str, &str)]) -> Result<Option<(String, MarkerReading)>, RowError> {
        marker_row(|name| columns.iter().find(|(column, _)| *column == name).map(|(_, value)| *value))
    }

    const HIGH: [(&str, &str); 5] = [
        ("USUBJID", "S1"),
        ("LBTESTCD", "CA19_9AG"),
        ("LBSTRESN", "80"),
        ("LBSTNRHI", "37"),
        ("LBDTC", "2024-01-01T08:00"),
    ];

    #[test]
    fn a_marker_above_normal_keeps_a_response_from_being_complete() {
        let (subject, high) = row(&HIGH).unwrap().unwrap();
        let later = |value: &str, date: &str| {
            let reading = MarkerReading { value: value.parse().unwrap(), date: date.parse().unwrap(), ..high.clone() };
            Markers::from([(subject.clone(), vec![high.clone(), reading])])
        };
        let rows = [tr("S1", 1, "T1", "50", "2024-01-01"), tr("S1", 2, "T1", "ABSENT", "2024-06-01")];
        let state =
            |visit, word: &str, date| TrRow { test: "TUMSTATE".to_owned(), ..tr("S1", visit, "N1", word, date) };
        let states = [state(1, "PRESENT", "2024-01-01"), state(2, "ABSENT", "2024-06-01")];
        let all: Vec<TrRow> = rows.into_iter().chain(states).collect();
        let lesions = [tu("S1", 1, "T1", "TARGET"), tu("S1", 1, "N1", "NON-TARGET")];
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let overall = |markers: &Markers| assess_sdtm_with(&lesions, &all, markers, &table).remove(0).overall;
        assert_eq!(overall(&Markers::new()), "CR");
        assert_eq!(overall(&later("30", "2024-06-03")), "CR");
        assert_eq!(overall(&later("38", "2024-06-03")), "PR");
    }

    #[test]
    fn what_is_no_marker_is_left_and_what_cannot_be_judged_is_refused() {
        assert!(row(&[("LBTESTCD", "ALB")]).unwrap().is_none());
        assert!(row(&[HIGH[0], HIGH[1], HIGH[2], HIGH[3], ("LBDTC", "2024-01")]).unwrap().is_none());
        assert_eq!(row(&[HIGH[0], HIGH[1], HIGH[2], HIGH[4]]).unwrap_err().column, "LBSTNRHI");
        let partial = |date| state_at(&[row(&HIGH).unwrap().unwrap().1], date);
        assert!(matches!(partial("2024-01"), MarkerState::Unknown(_)), "day 30 is too far from a reading of day 0");
        assert!(matches!(partial("2024-01-20"), MarkerState::Above(_)));
    }
}
