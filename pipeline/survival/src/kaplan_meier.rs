//! The Kaplan–Meier curve with Greenwood's standard error and pointwise 95 % intervals.
//!
//! Source: Kaplan and Meier 1958; Greenwood 1926; intervals as in Kalbfleisch and Prentice 2002, section 1.4, and
//! Collett 2015, section 2.2.

use serde::{Deserialize, Serialize};

use crate::Z_95;
use crate::observation::{InputError, Step, TimeToEvent, steps};

/// The scale on which the pointwise interval of S(t) is symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntervalScale {
    /// S ± z·se, cut at 0 and 1.
    Plain,
    /// exp(log S ± z·se(log S)), cut at 1. The default of R.
    Log,
    /// S^exp(± z·se(log(−log S))). The default of lifelines.
    LogLog,
}

/// A survival curve: a step function, right-continuous, with one entry per distinct observed time (censored ones too).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KaplanMeier {
    /// Number of subjects.
    pub n: usize,
    /// Number of events.
    pub events: usize,
    /// Distinct times, ascending.
    pub time: Vec<f64>,
    /// Number at risk just before each time.
    pub n_risk: Vec<usize>,
    /// Events at each time.
    pub n_event: Vec<usize>,
    /// S(t) at and after each time.
    pub surv: Vec<f64>,
    /// Greenwood's standard error of S(t), on the scale of S; 0 where S is 0 or 1.
    pub std_err: Vec<f64>,
    /// Lower 95 % bound. `None` where the scale gives none: S = 0, and on the log-log scale S = 1.
    pub lower: Vec<Option<f64>>,
    /// Upper 95 % bound, `None` as for `lower`.
    pub upper: Vec<Option<f64>>,
    /// The scale of `lower` and `upper`.
    pub interval_scale: IntervalScale,
}

impl KaplanMeier {
    /// The last observed time.
    #[must_use]
    pub fn last_time(&self) -> f64 {
        self.time.last().copied().unwrap_or(0.0)
    }

    /// The entry in force at `time`: the last one at or before it. `None` before the first.
    #[must_use]
    pub fn entry_at(&self, time: f64) -> Option<usize> {
        self.time.partition_point(|&step| step <= time).checked_sub(1)
    }

    /// Number of subjects still at risk just before `time`: those observed at least that long.
    #[must_use]
    pub fn n_risk_at(&self, time: f64) -> usize {
        let next = self.time.partition_point(|&step| step < time);
        self.n_risk.get(next).copied().unwrap_or(0)
    }
}

/// Estimates the survival curve.
///
/// S(t) is the product over event times u ≤ t of (n(u) − d(u)) / n(u); the variance of log S is the sum of
/// d / (n (n − d)). Subjects censored at the time of an event count as at risk there. With no event the curve is 1
/// throughout; it is not extended beyond the last observed time.
pub fn kaplan_meier(observations: &[TimeToEvent], scale: IntervalScale) -> Result<KaplanMeier, InputError> {
    let steps = steps(observations)?;
    let mut curve = KaplanMeier {
        n: observations.len(),
        events: steps.iter().map(|step| step.n_event).sum(),
        time: steps.iter().map(|step| step.time).collect(),
        n_risk: steps.iter().map(|step| step.n_risk).collect(),
        n_event: steps.iter().map(|step| step.n_event).collect(),
        surv: Vec::with_capacity(steps.len()),
        std_err: Vec::with_capacity(steps.len()),
        lower: Vec::with_capacity(steps.len()),
        upper: Vec::with_capacity(steps.len()),
        interval_scale: scale,
    };
    let mut surv = 1.0;
    let mut variance_log = 0.0;
    for Step { n_risk, n_event, .. } in steps {
        let (at_risk, died) = (n_risk as f64, n_event as f64);
        surv *= (at_risk - died) / at_risk;
        if n_event < n_risk {
            variance_log += died / (at_risk * (at_risk - died));
        }
        let std_err_log = variance_log.sqrt();
        let (lower, upper) = interval(surv, std_err_log, scale).unzip();
        curve.surv.push(surv);
        curve.std_err.push(surv * std_err_log);
        curve.lower.push(lower);
        curve.upper.push(upper);
    }
    Ok(curve)
}

/// The 95 % interval of one S from the standard error of log S; none where the scale is undefined.
fn interval(surv: f64, std_err_log: f64, scale: IntervalScale) -> Option<(f64, f64)> {
    if surv <= 0.0 {
        return None;
    }
    let half_width = Z_95 * std_err_log;
    match scale {
        IntervalScale::Plain => Some(((surv - half_width * surv).max(0.0), (surv + half_width * surv).min(1.0))),
        IntervalScale::Log => {
            let log = surv.ln();
            Some(((log - half_width).exp(), (log + half_width).exp().min(1.0)))
        }
        IntervalScale::LogLog if surv >= 1.0 => None,
        IntervalScale::LogLog => {
            let log = surv.ln();
            let centre = (-log).ln();
            // log S is negative, so the half width changes sign on this scale: minus gives the lower bound of S.
            let shift = half_width / log;
            Some(((-(centre - shift).exp()).exp(), (-(centre + shift).exp()).exp()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(f64, bool)]) -> Vec<TimeToEvent> {
        rows.iter().map(|&(time, event)| TimeToEvent { time, event }).collect()
    }

    #[test]
    fn four_subjects_by_hand() {
        // 4 at risk, 1 dies: 3/4. One censored. 2 at risk, 1 dies: 3/8. Variance of log S: 1/12 + 1/2.
        let curve =
            kaplan_meier(&rows(&[(1.0, true), (2.0, false), (3.0, true), (4.0, false)]), IntervalScale::Plain).unwrap();
        assert_eq!(curve.surv, [0.75, 0.75, 0.375, 0.375]);
        assert_eq!(curve.n_risk, [4, 3, 2, 1]);
        let std_err = 0.375 * (1.0_f64 / 12.0 + 0.5).sqrt();
        assert!((curve.std_err[2] - std_err).abs() < 1e-15);
        assert_eq!(curve.lower[2], Some(0.0), "0.375 − 1.96·0.286 is negative and is cut");
        assert!((curve.upper[2].unwrap() - (0.375 + Z_95 * std_err)).abs() < 1e-15);
    }

    #[test]
    fn a_death_and_a_censoring_of_one_day_are_both_at_risk() {
        let curve = kaplan_meier(&rows(&[(5.0, false), (5.0, true)]), IntervalScale::Log).unwrap();
        assert_eq!((curve.n_risk[0], curve.surv[0]), (2, 0.5));
    }

    #[test]
    fn no_event_leaves_the_curve_at_one() {
        for (scale, bound) in
            [(IntervalScale::Plain, Some(1.0)), (IntervalScale::Log, Some(1.0)), (IntervalScale::LogLog, None)]
        {
            let curve = kaplan_meier(&rows(&[(1.0, false), (2.0, false)]), scale).unwrap();
            assert_eq!(curve.surv, [1.0, 1.0]);
            assert_eq!(curve.lower, [bound, bound]);
            assert_eq!(curve.events, 0);
        }
    }

    #[test]
    fn one_subject_who_dies_ends_at_zero_without_an_interval() {
        let curve = kaplan_meier(&rows(&[(7.0, true)]), IntervalScale::Log).unwrap();
        assert_eq!((curve.surv[0], curve.std_err[0]), (0.0, 0.0));
        assert_eq!((curve.lower[0], curve.upper[0]), (None, None));
    }

    #[test]
    fn log_and_log_log_bounds_by_their_definitions() {
        let rows = rows(&[(1.0, true), (2.0, true), (3.0, true), (4.0, false), (5.0, false)]);
        let se = kaplan_meier(&rows, IntervalScale::Log).unwrap();
        let (s, se_log) = (se.surv[1], se.std_err[1] / se.surv[1]);
        assert!((se.lower[1].unwrap() - s * (-Z_95 * se_log).exp()).abs() < 1e-15);
        let log_log = kaplan_meier(&rows, IntervalScale::LogLog).unwrap();
        let theta = Z_95 * se_log / -s.ln();
        assert!((log_log.lower[1].unwrap() - s.powf(theta.exp())).abs() < 1e-15);
        assert!((log_log.upper[1].unwrap() - s.powf((-theta).exp())).abs() < 1e-15);
    }

    #[test]
    fn the_curve_is_right_continuous() {
        let curve = kaplan_meier(&rows(&[(2.0, true), (4.0, true)]), IntervalScale::Log).unwrap();
        assert_eq!(curve.entry_at(1.9), None);
        assert_eq!(curve.entry_at(2.0), Some(0));
        assert_eq!(curve.entry_at(3.9), Some(0));
        assert_eq!((curve.n_risk_at(2.0), curve.n_risk_at(2.1), curve.n_risk_at(4.1)), (2, 1, 0));
    }
}
