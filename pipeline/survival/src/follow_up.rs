//! How long the subjects were followed: the reverse Kaplan–Meier median, and the plain median and range beside it.
//!
//! Source: Schemper and Smith 1996.

use serde::{Deserialize, Serialize};

use crate::kaplan_meier::{IntervalScale, KaplanMeier, kaplan_meier};
use crate::median::{Convention, median};
use crate::observation::{InputError, TimeToEvent};

/// Length of follow-up, in the unit of the times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowUp {
    /// Median by the reverse Kaplan–Meier method (the end of observation is the event, the event censors); `None` = not
    /// reached.
    pub reverse_km_median: Option<f64>,
    /// Its 95 % interval; `None` = not reached.
    pub ci: [Option<f64>; 2],
    /// Why the median or a bound is missing; absent when nothing is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Plain median of all observed times, events and censored alike: shorter than the follow-up where many had the event.
    pub plain_median: f64,
    /// Shortest and longest observed time.
    pub range: [f64; 2],
}

/// The curve of remaining under observation: events and censoring exchanged.
///
/// Where an event and a censoring share a time, the censoring counts as the event of this curve.
pub fn reverse_kaplan_meier(observations: &[TimeToEvent], scale: IntervalScale) -> Result<KaplanMeier, InputError> {
    let reversed: Vec<_> =
        observations.iter().map(|seen| TimeToEvent { time: seen.time, event: !seen.event }).collect();
    kaplan_meier(&reversed, scale)
}

/// Length of follow-up by both definitions.
pub fn follow_up(
    observations: &[TimeToEvent],
    scale: IntervalScale,
    convention: Convention,
) -> Result<FollowUp, InputError> {
    let found = median(&reverse_kaplan_meier(observations, scale)?, convention);
    let mut times: Vec<f64> = observations.iter().map(|observation| observation.time).collect();
    times.sort_by(f64::total_cmp);
    let n = times.len();
    Ok(FollowUp {
        reverse_km_median: found.median,
        ci: found.median_ci,
        reason: found.median_reason,
        plain_median: f64::midpoint(times[(n - 1) / 2], times[n / 2]),
        range: [times[0], times[n - 1]],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(f64, bool)]) -> Vec<TimeToEvent> {
        rows.iter().map(|&(time, event)| TimeToEvent { time, event }).collect()
    }

    #[test]
    fn early_deaths_shorten_the_plain_median_alone() {
        let rows = rows(&[(1.0, true), (2.0, true), (3.0, true), (10.0, false), (20.0, false)]);
        let found = follow_up(&rows, IntervalScale::Log, Convention::Lifelines).unwrap();
        assert_eq!((found.plain_median, found.range), (3.0, [1.0, 20.0]));
        assert_eq!(found.reverse_km_median, Some(10.0));
    }

    #[test]
    fn all_dead_leaves_the_follow_up_unreached() {
        let found = follow_up(&rows(&[(1.0, true), (2.0, true)]), IntervalScale::Log, Convention::R).unwrap();
        assert_eq!(found.reverse_km_median, None);
        assert!(found.reason.unwrap().starts_with("not reached"));
        assert_eq!(found.plain_median, 1.5);
    }
}
