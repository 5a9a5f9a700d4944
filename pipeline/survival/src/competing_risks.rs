//! Cumulative incidence of one cause among several that exclude each other.
//!
//! Source: Aalen and Johansen 1978; the variance is Aalen's 1978, in the form with tied events corrected as in Gray 1988.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::observation::{InputError, TimeToState, check_times};

/// Probability of having had one event, and no other before it: a step function, right-continuous.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CumulativeIncidence {
    /// 0, the distinct times of the event, and the last observed time.
    pub time: Vec<f64>,
    /// The cumulative incidence at and after each time.
    pub est: Vec<f64>,
    /// Its variance.
    pub var: Vec<f64>,
}

impl CumulativeIncidence {
    /// Cumulative incidence and variance at `time`; `None` below 0 and beyond the last observed time.
    #[must_use]
    pub fn at(&self, time: f64) -> Option<(f64, f64)> {
        let entry = self.time.partition_point(|&step| step <= time).checked_sub(1)?;
        let observed = self.time.last().is_some_and(|&last| time <= last);
        observed.then(|| (self.est[entry], self.var[entry]))
    }
}

/// Data from which no cumulative incidence can be worked out.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum CompetingRisksError {
    /// No subject, or an unusable time.
    #[error(transparent)]
    Input(#[from] InputError),
    /// State 0 was asked for.
    #[error("expected the number of an event (1 or above), found 0, which means censored")]
    StateIsCensoring,
}

/// The states that occur, ascending, without 0 (censored).
#[must_use]
pub fn states(observations: &[TimeToState]) -> Vec<u32> {
    let mut states: Vec<u32> = observations.iter().map(|seen| seen.state).filter(|&state| state > 0).collect();
    states.sort_unstable();
    states.dedup();
    states
}

/// Subjects leaving the risk set at one distinct time, by cause.
#[derive(Debug, Clone, Copy)]
struct CauseStep {
    time: f64,
    n_risk: f64,
    of_interest: f64,
    competing: f64,
}

/// Sums over event times u from which the variance at any later time follows: with S the survival from all causes and F
/// the cumulative incidence at u, Var F(t) is the sum of S(u−)²/n² [d₁ (1 − (F(t) − F)/S)² + d₂ ((F(t) − F)/S)²].
#[derive(Debug, Clone, Copy, Default)]
struct VarianceSums {
    constant: f64,
    linear: f64,
    quadratic: f64,
}

impl VarianceSums {
    fn add(&mut self, weight: f64, offset: f64, slope: f64) {
        self.constant += offset * offset * weight;
        self.linear += offset * slope * weight;
        self.quadratic += slope * slope * weight;
    }

    fn at(self, incidence: f64) -> f64 {
        self.constant + incidence * (incidence * self.quadratic - 2.0 * self.linear)
    }
}

/// Estimates the cumulative incidence of `state`, all other states above 0 competing with it.
///
/// F(t) is the sum over times u ≤ t of S(u−) d₁(u) / n(u), S being the Kaplan–Meier survival from all causes together.
/// 1 − Kaplan–Meier with competing events censored overestimates it. A state that nobody reached has F = 0 throughout.
pub fn cumulative_incidence(
    observations: &[TimeToState],
    state: u32,
) -> Result<CumulativeIncidence, CompetingRisksError> {
    if state == 0 {
        return Err(CompetingRisksError::StateIsCensoring);
    }
    let steps = cause_steps(observations, state)?;
    let mut curve = CumulativeIncidence { time: vec![0.0], est: vec![0.0], var: vec![0.0] };
    let (mut surv, mut incidence, mut sums) = (1.0, 0.0, VarianceSums::default());
    for CauseStep { time, n_risk, of_interest, competing } in &steps {
        let surv_after = surv * (n_risk - of_interest - competing) / n_risk;
        incidence += surv * of_interest / n_risk;
        let weight = |events: f64| surv * surv * tie_correction(events, *n_risk) * events / (n_risk * n_risk);
        if *competing > 0.0 && surv_after > 0.0 {
            sums.add(weight(*competing), incidence / surv_after, 1.0 / surv_after);
        }
        if *of_interest > 0.0 {
            let slope = if surv_after > 0.0 { 1.0 / surv_after } else { 0.0 };
            sums.add(weight(*of_interest), 1.0 + slope * incidence, slope);
            curve.push(*time, incidence, sums.at(incidence).max(0.0));
        }
        surv = surv_after;
    }
    if let (Some(last), Some(&var)) = (steps.last(), curve.var.last()) {
        curve.push(last.time, incidence, var);
    }
    Ok(curve)
}

impl CumulativeIncidence {
    /// Appends a step, or replaces the last one when it stands at the same time.
    fn push(&mut self, time: f64, est: f64, var: f64) {
        if self.time.last() == Some(&time) {
            self.time.pop();
            self.est.pop();
            self.var.pop();
        }
        self.time.push(time);
        self.est.push(est);
        self.var.push(var);
    }
}

/// 1 − (d − 1) / (n − 1): the hypergeometric correction for events of one time.
pub(crate) fn tie_correction(events: f64, n_risk: f64) -> f64 {
    if events > 1.0 { 1.0 - (events - 1.0) / (n_risk - 1.0) } else { 1.0 }
}

fn cause_steps(observations: &[TimeToState], state: u32) -> Result<Vec<CauseStep>, InputError> {
    check_times(observations.iter().map(|seen| seen.time))?;
    let mut sorted = observations.to_vec();
    sorted.sort_by(|a, b| a.time.total_cmp(&b.time));
    let mut n_risk = sorted.len();
    let mut steps = Vec::new();
    for tied in sorted.chunk_by(|a, b| a.time == b.time) {
        let of_interest = tied.iter().filter(|seen| seen.state == state).count();
        let events = tied.iter().filter(|seen| seen.state > 0).count();
        steps.push(CauseStep {
            time: tied[0].time,
            n_risk: n_risk as f64,
            of_interest: of_interest as f64,
            competing: (events - of_interest) as f64,
        });
        n_risk -= tied.len();
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(f64, u32)]) -> Vec<TimeToState> {
        rows.iter().map(|&(time, state)| TimeToState { time, state }).collect()
    }

    #[test]
    fn without_censoring_it_is_the_share_that_had_the_event() {
        let rows = rows(&[(1.0, 1), (2.0, 2), (3.0, 1), (4.0, 2)]);
        let found = cumulative_incidence(&rows, 1).unwrap();
        assert_eq!(found.time, [0.0, 1.0, 3.0, 4.0]);
        for (got, expected) in found.est.iter().zip([0.0, 0.25, 0.5, 0.5]) {
            assert!((got - expected).abs() < 1e-15);
        }
        // Aalen's form counts d / n² per step: 1/16, then (1 − ¼/¾)²/16 + (¼/½)² (¾)²/9 + (½)²/4.
        assert!((found.var[1] - 1.0 / 16.0).abs() < 1e-15);
        assert!((found.var[2] - (1.0 / 36.0 + 1.0 / 64.0 + 1.0 / 16.0)).abs() < 1e-15);
    }

    #[test]
    fn causes_and_survival_add_up_to_one() {
        let rows = rows(&[(1.0, 1), (1.0, 2), (2.0, 0), (3.0, 1), (3.0, 1), (5.0, 2), (6.0, 0)]);
        let (one, two) = (cumulative_incidence(&rows, 1).unwrap(), cumulative_incidence(&rows, 2).unwrap());
        // Survival from all causes: 5/7 · 2/4 · 1/2.
        let surv = 5.0 / 7.0 * 0.5 * 0.5;
        assert!((one.at(6.0).unwrap().0 + two.at(6.0).unwrap().0 + surv - 1.0).abs() < 1e-15);
        assert_eq!(one.at(6.1), None);
    }

    #[test]
    fn naive_kaplan_meier_overestimates() {
        let rows = rows(&[(1.0, 2), (2.0, 1), (3.0, 0)]);
        let found = cumulative_incidence(&rows, 1).unwrap();
        assert!((found.at(2.0).unwrap().0 - 1.0 / 3.0).abs() < 1e-15, "1 − KM would say 1/2");
    }

    #[test]
    fn a_state_nobody_reached_stays_at_zero() {
        let found = cumulative_incidence(&rows(&[(2.0, 2), (3.0, 0)]), 1).unwrap();
        assert_eq!((found.time.clone(), found.est.clone()), (vec![0.0, 3.0], vec![0.0, 0.0]));
        assert_eq!(states(&rows(&[(2.0, 2), (3.0, 0), (4.0, 1), (5.0, 2)])), [1, 2]);
    }

    #[test]
    fn censoring_has_no_incidence() {
        assert_eq!(cumulative_incidence(&rows(&[(1.0, 0)]), 0), Err(CompetingRisksError::StateIsCensoring));
        assert!(cumulative_incidence(&[], 1).is_err());
    }
}
