//! The best overall response of a patient, with or without confirmation.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.4, §4.6 and Table 3; admiralonco, confirmed best overall response.

use super::response::OverallResponse::{
    self, Complete, NoDisease, NonTargetPersistent, NotEvaluable, Partial, Progressive, Stable,
};
use super::response::TargetResponse;
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

/// The response of a visit, and whether it rests on disease that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitResponse {
    /// Overall response.
    pub response: OverallResponse,
    /// Whether a target or a non-target was seen. A partial response without: the targets are gone and a non-target was not
    /// evaluated.
    pub disease_seen: bool,
}

impl VisitResponse {
    /// Of a visit whose targets, non-targets and new lesions are known.
    pub fn of(response: OverallResponse, target: TargetResponse, non_target_seen: bool) -> Self {
        use TargetResponse::{Partial, Progressive, Stable};
        Self { response, disease_seen: non_target_seen || matches!(target, Partial | Stable | Progressive) }
    }
}

impl From<OverallResponse> for VisitResponse {
    /// Where the response is all that is known: every response but CR, NE and NED says that disease was seen.
    fn from(response: OverallResponse) -> Self {
        Self { response, disease_seen: !matches!(response, Complete | NotEvaluable | NoDisease) }
    }
}

/// The best overall response, and the assessment it dates from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BestResponse {
    /// The response.
    pub response: OverallResponse,
    /// Position in the sequence: of the first complete or partial response, of the first of the two that confirm each
    /// other, of the first stable disease that lasted long enough, of the progression, of the first assessment where
    /// none counts. `None` in an empty sequence.
    pub at: Option<usize>,
}

/// The best overall response of a chronological sequence of (day since origin, response).
pub fn best_response(sequence: &[(i64, VisitResponse)], rules: &BestResponseRules) -> OverallResponse {
    let responses: Vec<VisitResponse> = sequence.iter().map(|(_, response)| *response).collect();
    let days = |from: Option<usize>, to: usize| sequence[to].0 - from.map_or(0, |from| sequence[from].0);
    best_response_spaced(&responses, &days, rules).response
}

/// The same, with the days from one assessment (`None`: from the origin) to another one from outside: where dates are
/// not complete, the least or the most they may be. More days never make the best response a lesser one.
pub fn best_response_spaced(
    responses: &[VisitResponse],
    days: &dyn Fn(Option<usize>, usize) -> i64,
    rules: &BestResponseRules,
) -> BestResponse {
    let sequence = until_progression(after_complete(responses, rules.post_cr));
    let responds = |wanted: OverallResponse| match rules.confirm_days {
        Some(apart) => first_confirmed(&sequence, wanted, apart, days, rules),
        None => sequence.iter().position(|response| *response == wanted),
    };
    let late_enough = |wanted: &[OverallResponse]| {
        (0..sequence.len()).find(|at| wanted.contains(&sequence[*at]) && days(None, *at) >= rules.min_sd_days)
    };
    let found = |response, at: usize| BestResponse { response, at: Some(at) };
    if let Some(at) = responds(Complete) {
        found(Complete, at)
    } else if let Some(at) = responds(Partial) {
        found(Partial, at)
    } else if let Some(at) = late_enough(&[Complete, Partial, Stable]) {
        found(Stable, at)
    } else if let Some(at) = late_enough(&[NonTargetPersistent]) {
        found(NonTargetPersistent, at)
    } else if let Some(at) = sequence.iter().position(|response| *response == Progressive) {
        found(Progressive, at)
    } else if !sequence.is_empty() && sequence.iter().all(|response| *response == NoDisease) {
        found(NoDisease, 0)
    } else {
        BestResponse { response: NotEvaluable, at: (!sequence.is_empty()).then_some(0) }
    }
}

/// The first complete or partial response that a later one confirms, by its position; `None` for none. Days as in
/// [`best_response_spaced`].
pub fn confirmed_response_spaced(
    responses: &[VisitResponse],
    days: &dyn Fn(Option<usize>, usize) -> i64,
    rules: &BestResponseRules,
) -> Option<usize> {
    let sequence = until_progression(after_complete(responses, rules.post_cr));
    let apart = rules.confirm_days?;
    let first = |wanted| first_confirmed(&sequence, wanted, apart, days, rules);
    [first(Complete), first(Partial)].into_iter().flatten().min()
}

/// Applies the rule on disease seen after a complete response.
fn after_complete(sequence: &[VisitResponse], rule: PostCr) -> Vec<OverallResponse> {
    let is_disease =
        |one: &VisitResponse| one.disease_seen && matches!(one.response, Partial | Stable | NonTargetPersistent);
    let mut result: Vec<OverallResponse> = sequence.iter().map(|one| one.response).collect();
    let Some(first_complete) = result.iter().position(|response| *response == Complete) else {
        return result;
    };
    match rule {
        PostCr::Pd => {
            for (response, one) in result.iter_mut().zip(sequence).skip(first_complete) {
                if is_disease(one) {
                    *response = Progressive;
                }
            }
        }
        PostCr::Downgrade => {
            let last_disease = sequence.iter().rposition(is_disease).unwrap_or(0);
            for response in &mut result[..last_disease] {
                if *response == Complete {
                    *response = Partial;
                }
            }
        }
    }
    result
}

fn until_progression(mut sequence: Vec<OverallResponse>) -> Vec<OverallResponse> {
    if let Some(at) = sequence.iter().position(|response| *response == Progressive) {
        sequence.truncate(at + 1);
    }
    sequence
}

/// The first of two responses that confirm each other.
fn first_confirmed(
    sequence: &[OverallResponse],
    wanted: OverallResponse,
    apart: i64,
    days: &dyn Fn(Option<usize>, usize) -> i64,
    rules: &BestResponseRules,
) -> Option<usize> {
    let confirms = |response: OverallResponse| response == Complete || (wanted == Partial && response == Partial);
    let is_confirmed = |first: usize| {
        let mut not_evaluable = 0;
        let mut stable = 0;
        for (later, response) in sequence.iter().enumerate().skip(first + 1) {
            if confirms(*response) && days(Some(first), later) >= apart {
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
    };
    (0..sequence.len()).find(|first| sequence[*first] == wanted && is_confirmed(*first))
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

    /// A sequence of which the responses are all that is known.
    fn best(sequence: &[(i64, OverallResponse)], rules: &BestResponseRules) -> OverallResponse {
        let sequence: Vec<(i64, VisitResponse)> = sequence.iter().map(|(day, one)| (*day, (*one).into())).collect();
        best_response(&sequence, rules)
    }

    /// CR, then every target gone with a non-target not evaluated (PR by the table), then CR, as admiralonco reads it.
    #[test]
    fn a_partial_response_without_disease_is_no_progression_after_complete_response() {
        let partial = |seen| VisitResponse::of(Partial, TargetResponse::Complete, seen);
        let sequence = |seen| [(56, Complete.into()), (112, partial(seen)), (168, Complete.into())];
        assert_eq!(best_response(&sequence(false), &rules(Some(28))), Partial);
        assert_eq!(best_response(&sequence(false), &rules(None)), Complete);
        assert_eq!(best_response(&sequence(true), &rules(Some(28))), Stable);
        let downgrade = BestResponseRules { post_cr: PostCr::Downgrade, ..rules(None) };
        let alone = |seen| [(56, Complete.into()), (112, partial(seen))];
        assert_eq!(best_response(&alone(false), &downgrade), Complete);
        assert_eq!(best_response(&alone(true), &downgrade), Partial);
    }

    #[test]
    fn twenty_seven_days_do_not_confirm() {
        let sequence = [(56, Partial), (83, Partial), (120, Progressive)];
        assert_eq!(best(&sequence, &rules(Some(28))), Stable);
        assert_eq!(best(&sequence, &rules(None)), Partial);
    }

    #[test]
    fn two_not_evaluable_visits_break_and_one_does_not() {
        let one = [(56, Complete), (84, NotEvaluable), (112, Complete)];
        let two = [(56, Complete), (84, NotEvaluable), (112, NotEvaluable), (140, Complete)];
        assert_eq!(best(&one, &rules(Some(28))), Complete);
        assert_eq!(best(&two, &rules(Some(28))), Stable);
    }

    #[test]
    fn a_complete_response_read_as_wrong_becomes_partial() {
        let sequence = [(56, Complete), (112, Partial), (168, Partial)];
        let downgrade = BestResponseRules { post_cr: PostCr::Downgrade, ..rules(Some(28)) };
        assert_eq!(best(&sequence, &downgrade), Partial);
        assert_eq!(best(&sequence, &rules(Some(28))), Stable);
    }

    #[test]
    fn early_progression_is_progression() {
        assert_eq!(best(&[(30, Stable), (40, Progressive)], &rules(None)), Progressive);
        assert_eq!(best(&[], &rules(None)), NotEvaluable);
    }

    /// Days from the start of treatment and responses of subjects with the confirmed best response and the assessment
    /// it is dated by, as admiralonco's own tests state them (`test-derive_param_confirmed_bor.R`, test 1: window 28
    /// days, confirmation 28 days). What follows a CR is data to clean there; here subject 1 is so by `pd`, subject 3
    /// by `downgrade`, and subject 6 (PR after CR) by neither.
    #[test]
    fn confirmed_responses_are_those_of_admiralonco() {
        type Sequence = &'static [(i64, OverallResponse)];
        let by = |post_cr| BestResponseRules { min_sd_days: 28, post_cr, ..rules(Some(28)) };
        let subjects: [(u32, Sequence, PostCr, OverallResponse, usize); 7] = [
            (
                1,
                &[(0, Partial), (31, Complete), (46, NotEvaluable), (60, Complete), (91, Stable)],
                PostCr::Pd,
                Complete,
                1,
            ),
            (2, &[(20, Stable), (51, Partial), (80, Stable), (92, Complete)], PostCr::Pd, Stable, 1),
            (3, &[(1, Complete), (21, Complete), (51, Stable)], PostCr::Downgrade, Stable, 2),
            (
                4,
                &[(2, Partial), (62, Stable), (93, Stable), (123, Partial), (137, NonTargetPersistent)],
                PostCr::Pd,
                Stable,
                1,
            ),
            (
                5,
                &[(0, Partial), (9, Stable), (19, Partial), (135, NonTargetPersistent)],
                PostCr::Pd,
                NonTargetPersistent,
                3,
            ),
            (7, &[(4, Partial), (14, Complete), (59, NotEvaluable)], PostCr::Pd, NotEvaluable, 0),
            (9, &[(15, Progressive), (34, Stable)], PostCr::Pd, Progressive, 0),
        ];
        for (number, sequence, post_cr, response, at) in subjects {
            let responses: Vec<VisitResponse> = sequence.iter().map(|(_, response)| (*response).into()).collect();
            let days = |from: Option<usize>, to: usize| sequence[to].0 - from.map_or(0, |from| sequence[from].0);
            let found = best_response_spaced(&responses, &days, &by(post_cr));
            assert_eq!((found.response, found.at), (response, Some(at)), "subject {number}");
        }
    }
}
