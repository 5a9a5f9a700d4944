//! Sums of diameters that TR itself reports, held against our own.
//!
//! Source: CDISC SDTM-IG 3.4, domain TR: SUMDIAM is a result of the group of targets and bears no TRLNKID.

use super::reading::Reading;
use super::sizes::millimetres;
use super::visits::Visit;
use crate::evaluable::Evaluable;
use crate::exact::Exact;

/// A sentence for every reported sum of a visit that is not ours.
pub(super) fn differing_sums(reading: &Reading<'_>, visit: &Visit, own: &Evaluable<Exact>) -> Vec<String> {
    let mut notes: Vec<String> =
        reading.sums_at(visit).filter_map(|row| difference(&millimetres(row), own, visit)).collect();
    notes.dedup();
    notes
}

fn difference(reported: &Result<Exact, String>, own: &Evaluable<Exact>, visit: &Visit) -> Option<String> {
    let at = &visit.name;
    match (reported, own) {
        (Ok(reported), Evaluable::Value(own)) if reported == own => None,
        (Ok(reported), Evaluable::Value(own)) => {
            Some(format!("SUMDIAM at {at}: {reported} mm reported, {own} mm from the lesions' rows, which count"))
        }
        (Ok(reported), Evaluable::NotEvaluable(reason)) => Some(format!(
            "SUMDIAM at {at}: {reported} mm reported, no sum from the lesions' rows ({reason}), which count"
        )),
        // A sum that was not done says nothing.
        (Err(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::criteria::table::CriterionTable;
    use crate::sdtm::tests::{tr, tu};
    use crate::sdtm::{TrRow, assess_sdtm};

    #[test]
    fn a_reported_sum_is_no_lesion_and_is_checked() {
        let sum = |visit, result: &str, unit: &str, date| TrRow {
            link: String::new(),
            test: "SUMDIAM".to_owned(),
            unit: unit.to_owned(),
            ..tr("S1", visit, "", result, date)
        };
        let mut rows = vec![tr("S1", 0, "T1", "50", "2024-01-01"), tr("S1", 1, "T1", "30", "2024-03-01")];
        rows.extend([sum(0, "5.1", "cm", "2024-01-01"), sum(1, "3", "cm", "2024-03-01")]);
        let found =
            assess_sdtm(&[tu("S1", 0, "T1", "TARGET")], &rows, &CriterionTable::built_in("recist_1_1").unwrap());
        assert_eq!((found[0].sum_mm.value(), found[0].overall.as_str()), (Some(&30.0), "PR"));
        assert_eq!(found[0].notes, ["SUMDIAM at V0: 51 mm reported, 50 mm from the lesions' rows, which count"]);
    }
}
