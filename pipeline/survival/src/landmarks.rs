//! Survival at named times, with the number still at risk, and the cohort of a landmark analysis.
//!
//! Source: Anderson, Cain and Gelber 1983 for the landmark analysis.

use serde::{Deserialize, Serialize};

use crate::estimate::Estimate;
use crate::kaplan_meier::KaplanMeier;
use crate::observation::TimeToEvent;

/// Survival at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Landmark {
    /// The time, in the unit of the curve.
    pub time: f64,
    /// S at that time, the step value; not evaluable beyond the last observed time while survivors are left.
    pub surv: Estimate<f64>,
    /// Lower 95 % bound; `None` where there is none.
    pub lower: Option<f64>,
    /// Upper 95 % bound; `None` where there is none.
    pub upper: Option<f64>,
    /// Number of subjects observed at least that long.
    pub n_risk: usize,
}

/// Survival at each of `times`, in their order. Before the first observed time S is 1; a time that is negative or not a
/// number is not evaluable.
#[must_use]
pub fn landmarks(curve: &KaplanMeier, times: &[f64]) -> Vec<Landmark> {
    times.iter().map(|&time| landmark(curve, time)).collect()
}

fn landmark(curve: &KaplanMeier, time: f64) -> Landmark {
    let unknown =
        |reason: String| Landmark { time, surv: Estimate::not_evaluable(reason), lower: None, upper: None, n_risk: 0 };
    if !time.is_finite() || time < 0.0 {
        return unknown(format!("expected a time of 0 or more, found {time}"));
    }
    let last = curve.last_time();
    let survivors_left = curve.surv.last().is_none_or(|&surv| surv > 0.0);
    if time > last && survivors_left {
        return unknown(format!("observation ends at {last}, before {time}, with survivors left"));
    }
    match curve.entry_at(time) {
        Some(entry) => Landmark {
            time,
            surv: Estimate::Value(curve.surv[entry]),
            lower: curve.lower[entry],
            upper: curve.upper[entry],
            n_risk: curve.n_risk_at(time),
        },
        None => Landmark { time, surv: Estimate::Value(1.0), lower: None, upper: None, n_risk: curve.n },
    }
}

/// The subjects of a landmark analysis: positions and times of those observed at least up to `landmark`, the times
/// counted from it. Those with an event or censored before it are left out.
#[must_use]
pub fn at_risk_from(observations: &[TimeToEvent], landmark: f64) -> Vec<(usize, TimeToEvent)> {
    observations
        .iter()
        .enumerate()
        .filter(|(_, observation)| observation.time >= landmark)
        .map(|(row, observation)| (row, TimeToEvent { time: observation.time - landmark, ..*observation }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IntervalScale, kaplan_meier};

    fn rows(rows: &[(f64, bool)]) -> Vec<TimeToEvent> {
        rows.iter().map(|&(time, event)| TimeToEvent { time, event }).collect()
    }

    #[test]
    fn the_step_value_at_the_time_itself() {
        let curve =
            kaplan_meier(&rows(&[(12.0, true), (24.0, false), (30.0, true), (60.0, false)]), IntervalScale::Log)
                .unwrap();
        let found = landmarks(&curve, &[6.0, 12.0, 24.0, 60.0, 61.0]);
        let surv: Vec<_> = found.iter().map(|landmark| landmark.surv.value().copied()).collect();
        assert_eq!(surv, [Some(1.0), Some(0.75), Some(0.75), Some(0.375), None]);
        let n_risk: Vec<_> = found.iter().map(|landmark| landmark.n_risk).collect();
        assert_eq!(n_risk, [4, 4, 3, 1, 0]);
        assert!(found[4].surv.reason().unwrap().contains("observation ends at 60"));
    }

    #[test]
    fn after_the_last_death_survival_is_known_to_be_zero() {
        let curve = kaplan_meier(&rows(&[(3.0, true)]), IntervalScale::Log).unwrap();
        assert_eq!(landmarks(&curve, &[12.0])[0].surv, Estimate::Value(0.0));
    }

    #[test]
    fn a_landmark_analysis_starts_the_clock_anew_and_drops_earlier_ends() {
        let found = at_risk_from(&rows(&[(1.0, true), (2.0, true), (5.0, false)]), 2.0);
        assert_eq!(found, [(1, TimeToEvent { time: 0.0, event: true }), (2, TimeToEvent { time: 3.0, event: false })]);
    }
}
