//! What was observed of one subject: a time and whether it ended in the event.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::tally::{Tally, tallies};

/// The unit of all times of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Days.
    Days,
    /// Months, by the caller's constant of days per month.
    Months,
}

impl std::fmt::Display for TimeUnit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Days => "days",
            Self::Months => "months",
        })
    }
}

/// One subject: time since the origin (0 or more, in the caller's unit) and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimeToEvent {
    /// Time from the origin to the event or to the end of observation.
    pub time: f64,
    /// True: the event happened at `time`. False: censored at `time`, after any event of that same time.
    pub event: bool,
}

/// One subject under competing risks: time since the origin and the state it ended in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimeToState {
    /// Time from the origin to the first of all events, or to the end of observation.
    pub time: f64,
    /// 0: censored at `time`. 1 and above: the event that came first, each number one cause.
    pub state: u32,
}

/// Subjects compared under one label.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a, T = TimeToEvent> {
    /// Name of the group, as printed.
    pub label: &'a str,
    /// Its subjects, in any order.
    pub observations: &'a [T],
}

/// Times that no estimator can use.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum InputError {
    /// Nothing was given.
    #[error("expected at least one subject, found none: check the filter that selects the subjects")]
    NoObservations,
    /// A time is negative, infinite or not a number.
    #[error("expected a time of 0 or more, found {found} at row {row} (counted from 0): check the dates of that row")]
    BadTime {
        /// Position in the input, from 0.
        row: usize,
        /// What stood there.
        found: f64,
    },
    /// A landmark analysis from a time that is none.
    #[error("expected a landmark of 0 or more, found {found}")]
    BadLandmark {
        /// What was asked for.
        found: f64,
    },
    /// Nobody was observed up to the landmark.
    #[error("expected a subject observed up to the landmark {landmark}, found none: choose an earlier landmark")]
    NobodyAtLandmark {
        /// What was asked for.
        landmark: f64,
    },
}

/// Checks that there is a subject and that every time is finite and 0 or more.
pub(crate) fn check_times(times: impl IntoIterator<Item = f64>) -> Result<(), InputError> {
    let mut n_times = 0;
    for (row, found) in times.into_iter().enumerate() {
        if !found.is_finite() || found < 0.0 {
            return Err(InputError::BadTime { row, found });
        }
        n_times += 1;
    }
    if n_times == 0 { Err(InputError::NoObservations) } else { Ok(()) }
}

/// A time of 0 or more as a number that sorts in the same order, equal for equal times.
pub(crate) fn time_key(time: f64) -> u64 {
    // Adding 0 turns a negative zero into a positive one.
    (time + 0.0).to_bits()
}

/// The time behind a key.
pub(crate) fn time_of(key: u64) -> f64 {
    f64::from_bits(key)
}

/// Subjects leaving the risk set at one distinct time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) time: f64,
    pub(crate) n_risk: usize,
    pub(crate) n_event: usize,
}

/// The distinct times in ascending order, with the number at risk just before each and the events at it.
pub(crate) fn steps(observations: &[TimeToEvent]) -> Result<Vec<Step>, InputError> {
    check_times(observations.iter().map(|observation| observation.time))?;
    let found = tallies(observations).unwrap_or_else(|| sorted_tallies(observations));
    let mut n_risk = observations.len();
    let step = |tally: Tally| {
        let step = Step { time: time_of(tally.key), n_risk, n_event: tally.n_event };
        n_risk -= tally.n;
        step
    };
    Ok(found.into_iter().map(step).collect())
}

/// The same counts by sorting. The sign of a time is always 0: its place holds the event.
fn sorted_tallies(observations: &[TimeToEvent]) -> Vec<Tally> {
    let mut sorted: Vec<u64> =
        observations.iter().map(|seen| (time_key(seen.time) << 1) | u64::from(seen.event)).collect();
    sorted.sort_unstable();
    let tally = |tied: &[u64]| Tally {
        key: tied[0] >> 1,
        n: tied.len(),
        n_event: tied.iter().filter(|key| *key & 1 == 1).count(),
    };
    sorted.chunk_by(|a, b| a >> 1 == b >> 1).map(tally).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_a_step_and_the_censored_are_still_at_risk() {
        let rows = [(3.0, false), (1.0, true), (3.0, true), (5.0, false)];
        let steps = steps(&rows.map(|(time, event)| TimeToEvent { time, event })).unwrap();
        let found: Vec<_> = steps.iter().map(|step| (step.time, step.n_risk, step.n_event)).collect();
        assert_eq!(found, [(1.0, 4, 1), (3.0, 3, 1), (5.0, 1, 0)]);
    }

    #[test]
    fn impossible_times_are_refused_with_their_row() {
        assert_eq!(check_times([]), Err(InputError::NoObservations));
        assert_eq!(check_times([1.0, -2.0]), Err(InputError::BadTime { row: 1, found: -2.0 }));
        assert!(matches!(check_times([f64::NAN]), Err(InputError::BadTime { row: 0, .. })));
    }
}
