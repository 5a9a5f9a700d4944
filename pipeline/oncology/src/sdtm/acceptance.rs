//! The accepted readings of several evaluators as one sequence.
//!
//! Source: CDISC SDTM-IG 3.4 (TRACPTFL, RSACPTFL); FDA 2018, independent review: where readers differ an adjudicator
//! accepts one.

use std::collections::BTreeMap;

use thiserror::Error;

use super::SdtmAssessment;

/// Why accepted readings are no sequence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAccepted {
    /// No flag at all.
    #[error("no reading is marked as accepted: expected Y in TRACPTFL or TUACPTFL of at least one reading")]
    Nothing,
    /// Two flags for one visit.
    #[error("{subject}, {evaluator}, {visit}: two readings are marked as accepted, expected one")]
    Twice {
        /// USUBJID.
        subject: String,
        /// Role of the evaluators.
        evaluator: String,
        /// VISIT.
        visit: String,
    },
}

/// The accepted readings alone, in the order of [`super::assess_sdtm`]. Those of one role form one sequence, whoever
/// read each visit; each row keeps its evaluator.
pub fn accepted_only(assessments: &[SdtmAssessment]) -> Result<Vec<SdtmAssessment>, NotAccepted> {
    let mut roles: BTreeMap<(&str, &str), BTreeMap<&str, Vec<&SdtmAssessment>>> = BTreeMap::new();
    for one in assessments {
        let role = roles.entry((&one.subject, &one.evaluator)).or_default();
        role.entry(&one.evaluator_id).or_default().push(one);
    }
    let mut kept = Vec::new();
    for ((subject, evaluator), readers) in roles {
        // Every reader has a row for every visit of the subject, in one order.
        let n_visits = readers.values().map(Vec::len).max().unwrap_or(0);
        for at in 0..n_visits {
            let mut accepted = readers.values().filter_map(|visits| visits.get(at)).filter(|one| one.accepted);
            let Some(one) = accepted.next() else { continue };
            if accepted.next().is_some() {
                let visit = one.visit.clone();
                return Err(NotAccepted::Twice { subject: subject.to_owned(), evaluator: evaluator.to_owned(), visit });
            }
            kept.push(SdtmAssessment { sequence: String::new(), ..(*one).clone() });
        }
    }
    if kept.is_empty() { Err(NotAccepted::Nothing) } else { Ok(kept) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adam::best::best_of_readings;
    use crate::criteria::table::CriterionTable;
    use crate::sdtm::tests::{tr, tu};
    use crate::sdtm::{TrRow, TuRow, assess_sdtm};

    fn two_readers(accepted: [[&str; 2]; 2]) -> Vec<SdtmAssessment> {
        let (mut lesions, mut rows) = (Vec::new(), Vec::new());
        for (reader, flags, sizes) in [("R1", accepted[0], ["30", "49"]), ("R2", accepted[1], ["48", "30"])] {
            let id = reader.to_owned();
            lesions.push(TuRow { evaluator_id: id.clone(), ..tu("S1", 0, "T1", "TARGET") });
            rows.push(TrRow { evaluator_id: id.clone(), ..tr("S1", 0, "T1", "50", "2024-01-01") });
            for (at, date) in [(0, "2024-03-01"), (1, "2024-05-01")] {
                let visit = i32::try_from(at).unwrap() + 1;
                let accepted = flags[at].to_owned();
                rows.push(TrRow { evaluator_id: id.clone(), accepted, ..tr("S1", visit, "T1", sizes[at], date) });
            }
        }
        assess_sdtm(&lesions, &rows, &CriterionTable::built_in("recist_1_1").unwrap())
    }

    #[test]
    fn the_accepted_visits_of_two_readers_are_one_sequence() {
        let kept = accepted_only(&two_readers([["Y", ""], ["", "Y"]])).unwrap();
        let told: Vec<(&str, &str)> =
            kept.iter().map(|one| (one.evaluator_id.as_str(), one.overall.as_str())).collect();
        assert_eq!(told, [("R1", "PR"), ("R2", "PR")]);
        let best = best_of_readings(&kept, &CriterionTable::built_in("recist_1_1").unwrap());
        assert_eq!((best.len(), best[0].1.confirmed.word), (1, "PR"), "either reader alone saw a response once");
    }

    #[test]
    fn no_flag_and_two_flags_are_refused() {
        assert_eq!(accepted_only(&two_readers([["", ""], ["", ""]])), Err(NotAccepted::Nothing));
        let twice = accepted_only(&two_readers([["Y", ""], ["Y", ""]])).unwrap_err();
        assert!(twice.to_string().contains("S1, INVESTIGATOR, V1"), "{twice}");
    }
}
