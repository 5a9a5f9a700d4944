//! The best overall response of every reading, once seen and confirmed, with the assessment it dates from.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.4 and §4.6. Where a date is not complete, the response is decided if
//! the shortest and the longest distances it allows agree; else it is not evaluable, with the reason.

use std::collections::BTreeMap;

use crate::criteria::best_response::{BestResponse, BestResponseRules, VisitResponse, best_response_spaced};
use crate::criteria::immune_response::{ImmuneResponse, best_immune_response};
use crate::criteria::response::OverallResponse;
use crate::criteria::table::{Confirmation, CriterionTable};
use crate::partial_date::{DayRange, days_between};
use crate::sdtm::SdtmAssessment;

/// A best response and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Best {
    /// The response in the criterion's words.
    pub word: &'static str,
    /// Position of the assessment it dates from; `None` where there is none or partial dates leave it open.
    pub at: Option<usize>,
    /// Why it could not be decided; empty where it could.
    pub reason: String,
}

/// The best responses of one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BestPair {
    /// Where once is enough.
    pub once: Best,
    /// Where it must be seen twice.
    pub confirmed: Best,
}

/// The assessments of every subject by every evaluator, each with its best responses. The order of visits is kept.
pub fn best_of_readings<'a>(
    assessments: &'a [SdtmAssessment],
    table: &CriterionTable,
) -> Vec<(Vec<&'a SdtmAssessment>, BestPair)> {
    let mut readings: BTreeMap<(&str, &str, &str), Vec<&SdtmAssessment>> = BTreeMap::new();
    for one in assessments {
        readings.entry((&one.subject, &one.evaluator, &one.sequence)).or_default().push(one);
    }
    let with_best = |visits: Vec<&'a SdtmAssessment>| {
        let best = best_pair(&visits, table);
        (visits, best)
    };
    readings.into_values().map(with_best).collect()
}

fn best_pair(visits: &[&SdtmAssessment], table: &CriterionTable) -> BestPair {
    if table.immune.is_some() {
        let best = best_immune(visits);
        return BestPair { once: best.clone(), confirmed: best };
    }
    let of = |confirmation| best_by(visits, &BestResponseRules::of(table, confirmation));
    BestPair { once: of(Confirmation::NotRequired), confirmed: of(Confirmation::Required) }
}

fn best_immune(visits: &[&SdtmAssessment]) -> Best {
    let sequence: Vec<ImmuneResponse> = visits.iter().filter_map(|one| one.overall.parse().ok()).collect();
    let word = best_immune_response(&sequence).as_str();
    Best { word, at: visits.iter().position(|one| one.overall == word), reason: String::new() }
}

fn best_by(visits: &[&SdtmAssessment], rules: &BestResponseRules) -> Best {
    let responses = responses_of(visits);
    let best = |pick: &dyn Fn(DayRange) -> i64| {
        best_response_spaced(&responses, &|from, to| pick(days_of(visits, from, to)), rules)
    };
    settled(best(&|days| days.shortest), best(&|days| days.longest))
}

/// The responses of the visits. A word that is no response takes part as one that was not evaluable.
pub(super) fn responses_of(visits: &[&SdtmAssessment]) -> Vec<VisitResponse> {
    let one = |visit: &&SdtmAssessment| {
        let response = visit.overall.parse().unwrap_or(OverallResponse::NotEvaluable);
        match visit.target.parse() {
            Ok(target) => VisitResponse::of(response, target, visit.non_target_seen),
            Err(_) => response.into(),
        }
    };
    visits.iter().map(one).collect()
}

/// Days from one assessment, or from the origin, to another.
pub(super) fn days_of(visits: &[&SdtmAssessment], from: Option<usize>, to: usize) -> DayRange {
    let start = from.map_or(visits[to].origin_date.as_str(), |from| visits[from].date.as_str());
    days_between(start, &visits[to].date)
}

fn settled(shortest: BestResponse, longest: BestResponse) -> Best {
    let (lesser, better) = (shortest.response.as_str(), longest.response.as_str());
    if lesser != better {
        let reason = format!("partial dates leave {lesser} or {better} open");
        return Best { word: OverallResponse::NotEvaluable.as_str(), at: None, reason };
    }
    Best { word: lesser, at: shortest.at.filter(|_| shortest.at == longest.at), reason: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdtm::tests::one_target;

    fn best(visits: &[(i32, &str, &str)]) -> BestPair {
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        let assessments = one_target(visits, &table);
        best_of_readings(&assessments, &table).remove(0).1
    }

    #[test]
    fn months_confirm_each_other_where_any_day_of_them_would() {
        let far = best(&[(1, "50", "2024-01"), (2, "30", "2024-03"), (3, "30", "2024-05")]);
        assert_eq!((far.confirmed.word, far.confirmed.at), ("PR", Some(0)));
        let near = best(&[(1, "50", "2024-01-01"), (2, "30", "2024-03"), (3, "30", "2024-04")]);
        assert_eq!((near.confirmed.word, near.confirmed.at), ("NE", None));
        assert_eq!(near.confirmed.reason, "partial dates leave SD or PR open");
        assert_eq!((near.once.word, near.once.at), ("PR", Some(0)));
    }

    #[test]
    fn stable_disease_must_have_lasted_whatever_the_day() {
        let stable = |date| best(&[(1, "50", "2024-01-10"), (2, "50", date)]).once;
        assert_eq!((stable("2024-03").word, stable("2024-02-21").word, stable("2024-02-20").word), ("SD", "SD", "NE"));
        assert_eq!(stable("2024-02").reason, "partial dates leave NE or SD open");
        assert_eq!(stable("2024-01").reason, "");
    }
}
