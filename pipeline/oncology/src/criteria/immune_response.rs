//! The words of iRECIST, and the best of them.
//!
//! Source: Seymour et al. 2017 (iRECIST) Tables 2 and 3.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::response::{OverallResponse, UnknownResponse, response};

response!(
    /// Overall response of a visit by iRECIST, and the best of them.
    ImmuneResponse, "iRECIST", {
        /// Complete response.
        Complete = "iCR",
        /// Partial response.
        Partial = "iPR",
        /// Stable disease.
        Stable = "iSD",
        /// Non-target disease only, neither gone nor progressing.
        NonTargetPersistent = "NON-iCR/NON-iUPD",
        /// Unconfirmed progression.
        Unconfirmed = "iUPD",
        /// Confirmed progression.
        Confirmed = "iCPD",
        /// Not evaluable.
        NotEvaluable = "NE",
        /// No disease at baseline and none since.
        NoDisease = "NED",
    }
);

impl ImmuneResponse {
    /// The word that stands for a response by RECIST 1.1; its progression is unconfirmed here.
    pub fn of(overall: OverallResponse) -> Self {
        match overall {
            OverallResponse::Complete => Self::Complete,
            OverallResponse::Partial => Self::Partial,
            OverallResponse::Stable => Self::Stable,
            OverallResponse::NonTargetPersistent => Self::NonTargetPersistent,
            OverallResponse::Progressive => Self::Unconfirmed,
            OverallResponse::NotEvaluable => Self::NotEvaluable,
            OverallResponse::NoDisease => Self::NoDisease,
        }
    }
}

/// The best overall response (iBOR) of a chronological sequence: the best of complete, partial and stable; else confirmed
/// progression where it was reached; else unconfirmed. Whatever follows a confirmed progression does not count.
pub fn best_immune_response(sequence: &[ImmuneResponse]) -> ImmuneResponse {
    use ImmuneResponse::{
        Complete, Confirmed, NoDisease, NonTargetPersistent, NotEvaluable, Partial, Stable, Unconfirmed,
    };
    let end = sequence.iter().position(|one| *one == Confirmed).map_or(sequence.len(), |at| at + 1);
    let seen = &sequence[..end];
    let order = [Complete, Partial, Stable, NonTargetPersistent, Confirmed, Unconfirmed];
    if let Some(best) = order.into_iter().find(|wanted| seen.contains(wanted)) {
        return best;
    }
    if !seen.is_empty() && seen.iter().all(|one| *one == NoDisease) { NoDisease } else { NotEvaluable }
}

#[cfg(test)]
mod tests {
    use super::ImmuneResponse::{Complete, Confirmed, NotEvaluable, Partial, Stable, Unconfirmed};
    use super::*;

    #[test]
    fn what_follows_confirmed_progression_does_not_count() {
        assert_eq!(best_immune_response(&[Unconfirmed, Unconfirmed, Confirmed, Partial]), Confirmed);
        assert_eq!(best_immune_response(&[Unconfirmed, Stable, Partial, Confirmed]), Partial);
        assert_eq!(best_immune_response(&[Complete, Unconfirmed, Confirmed]), Complete);
        assert_eq!(best_immune_response(&[Unconfirmed, NotEvaluable]), Unconfirmed);
        assert_eq!(best_immune_response(&[NotEvaluable]), NotEvaluable);
    }
}
