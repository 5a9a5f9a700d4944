//! The best overall response of a patient, with or without confirmation.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.4, §4.6 and Table 3; admiralonco, confirmed best overall response.

use super::response::OverallResponse::{
    self, Complete, NoDisease, NonTargetPersistent, NotEvaluable, Partial, Progressive, Stable,
};
use super::table::{Confirmation, CriterionTable, PostCr, SdBetween};

/// How the best response is formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BestResponseRules {
    /// Earliest day on which disease counts as stable.
    pub min_sd_days: i64,
    /// Least distance of two responses that confirm each other; `None` when once is enough.
    pub confirm_days: Option<i64>,
    /// Most not evaluable visits between them.
    pub max_not_evaluable: usize,
    /// Whether one stable visit may lie between them.
    pub sd_between: SdBetween,
    /// What a lesser response after CR means.
    pub post_cr: PostCr,
}

impl BestResponseRules {
    /// The rules of a criterion, confirmed as asked.
    pub fn of(table: &CriterionTable, confirmation: Confirmation) -> Self {
        let confirm_days = match confirmation {
            Confirmation::Required => Some(i64::from(table.thresholds.confirm_days.value)),
            Confirmation::NotRequired => None,
        };
        Self {
            min_sd_days: i64::from(table.thresholds.min_sd_days.value),
            confirm_days,
            max_not_evaluable: table.thresholds.max_not_evaluable_between.value as usize,
            sd_between: table.options.sd_between_responses.value,
            post_cr: table.options.post_cr.value,
        }
    }
}

/// The best overall response of a chronological sequence of (day since origin, response).
pub fn best_response(sequence: &[(i64, OverallResponse)], rules: &BestResponseRules) -> OverallResponse {
    let sequence = until_progression(&after_complete(sequence, rules.post_cr));
    let responds = |wanted: OverallResponse| match rules.confirm_days {
        Some(apart) => is_confirmed(&sequence, wanted, apart, rules),
        None => sequence.iter().any(|(_, response)| *response == wanted),
    };
    let late_enough = |wanted: &[OverallResponse]| {
        sequence.iter().any(|(day, response)| wanted.contains(response) && *day >= rules.min_sd_days)
    };
    if responds(Complete) {
        Complete
    } else if responds(Partial) {
        Partial
    } else if late_enough(&[Complete, Partial, Stable]) {
        Stable
    } else if late_enough(&[NonTargetPersistent]) {
        NonTargetPersistent
    } else if sequence.iter().any(|(_, response)| *response == Progressive) {
        Progressive
    } else if !sequence.is_empty() && sequence.iter().all(|(_, response)| *response == NoDisease) {
        NoDisease
    } else {
        NotEvaluable
    }
}

/// Applies the rule on disease seen after a complete response.
fn after_complete(sequence: &[(i64, OverallResponse)], rule: PostCr) -> Vec<(i64, OverallResponse)> {
    let is_disease = |response: OverallResponse| matches!(response, Partial | Stable | NonTargetPersistent);
    let mut result = sequence.to_vec();
    let Some(first_complete) = sequence.iter().position(|(_, response)| *response == Complete) else {
        return result;
    };
    match rule {
        PostCr::Pd => {
            for (_, response) in &mut result[first_complete..] {
                if is_disease(*response) {
                    *response = Progressive;
                }
            }
        }
        PostCr::Downgrade => {
            let last_disease = sequence.iter().rposition(|(_, response)| is_disease(*response)).unwrap_or(0);
            for (_, response) in &mut result[..last_disease] {
                if *response == Complete {
                    *response = Partial;
                }
            }
        }
    }
    result
}

fn until_progression(sequence: &[(i64, OverallResponse)]) -> Vec<(i64, OverallResponse)> {
    let end = sequence.iter().position(|(_, response)| *response == Progressive).map_or(sequence.len(), |at| at + 1);
    sequence[..end].to_vec()
}

fn is_confirmed(
    sequence: &[(i64, OverallResponse)],
    wanted: OverallResponse,
    apart: i64,
    rules: &BestResponseRules,
) -> bool {
    let confirms = |response: OverallResponse| response == Complete || (wanted == Partial && response == Partial);
    sequence.iter().enumerate().filter(|(_, (_, response))| *response == wanted).any(|(first, (first_day, _))| {
        let mut not_evaluable = 0;
        let mut stable = 0;
        for (day, response) in &sequence[first + 1..] {
            if confirms(*response) && day - first_day >= apart {
                return true;
            }
            match response {
                NotEvaluable => not_evaluable += 1,
                Stable if wanted == Partial && rules.sd_between == SdBetween::AcceptedOnce => stable += 1,
                response if confirms(*response) => {}
                _ => return false,
            }
            if not_evaluable > rules.max_not_evaluable || stable > 1 {
                return false;
            }
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(confirm_days: Option<i64>) -> BestResponseRules {
        BestResponseRules {
            min_sd_days: 42,
            confirm_days,
            max_not_evaluable: 1,
            sd_between: SdBetween::Breaks,
            post_cr: PostCr::Pd,
        }
    }

    #[test]
    fn twenty_seven_days_do_not_confirm() {
        let sequence = [(56, Partial), (83, Partial), (120, Progressive)];
        assert_eq!(best_response(&sequence, &rules(Some(28))), Stable);
        assert_eq!(best_response(&sequence, &rules(None)), Partial);
    }

    #[test]
    fn two_not_evaluable_visits_break_and_one_does_not() {
        let one = [(56, Complete), (84, NotEvaluable), (112, Complete)];
        let two = [(56, Complete), (84, NotEvaluable), (112, NotEvaluable), (140, Complete)];
        assert_eq!(best_response(&one, &rules(Some(28))), Complete);
        assert_eq!(best_response(&two, &rules(Some(28))), Stable);
    }

    #[test]
    fn a_complete_response_read_as_wrong_becomes_partial() {
        let sequence = [(56, Complete), (112, Partial), (168, Partial)];
        let downgrade = BestResponseRules { post_cr: PostCr::Downgrade, ..rules(Some(28)) };
        assert_eq!(best_response(&sequence, &downgrade), Partial);
        assert_eq!(best_response(&sequence, &rules(Some(28))), Stable);
    }

    #[test]
    fn early_progression_is_progression() {
        assert_eq!(best_response(&[(30, Stable), (40, Progressive)], &rules(None)), Progressive);
        assert_eq!(best_response(&[], &rules(None)), NotEvaluable);
    }
}
