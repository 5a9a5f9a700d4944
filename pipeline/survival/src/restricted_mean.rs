//! The restricted mean survival time: the area under the survival curve up to a named horizon.
//!
//! Source: Irwin 1949; Royston and Parmar 2013, appendix A; the variance is Greenwood's, as in R `survival` `survmean`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::kaplan_meier::KaplanMeier;

/// Mean time lived up to a horizon, in the unit of the curve's times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RestrictedMean {
    /// The area under S from 0 to `tau`.
    pub rmst: f64,
    /// Its standard error.
    pub rmst_se: f64,
    /// The horizon.
    pub rmst_tau: f64,
}

/// A horizon at which no mean can be given.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RestrictedMeanError {
    /// Beyond the observed time, with survivors: the curve is unknown there.
    #[error(
        "expected a horizon up to the last observed time {last}, found {tau}, with S above 0 there: choose a shorter horizon"
    )]
    BeyondObservation {
        /// The horizon asked for.
        tau: f64,
        /// The last observed time.
        last: f64,
    },
    /// Not a positive number.
    #[error("expected a horizon above 0, found {tau}")]
    BadHorizon {
        /// The horizon asked for.
        tau: f64,
    },
}

/// The restricted mean up to `tau`; its variance is the sum over event times u of A(u)² d / (n (n − d)), A(u) being the
/// area from u to `tau` (a time at which nobody is left adds nothing).
pub fn restricted_mean(curve: &KaplanMeier, tau: f64) -> Result<RestrictedMean, RestrictedMeanError> {
    if !tau.is_finite() || tau <= 0.0 {
        return Err(RestrictedMeanError::BadHorizon { tau });
    }
    let last = curve.last_time();
    if tau > last && curve.surv.last().is_some_and(|&surv| surv > 0.0) {
        return Err(RestrictedMeanError::BeyondObservation { tau, last });
    }
    let n_steps = curve.time.partition_point(|&time| time < tau);
    let mut area_after = 0.0;
    let mut variance = 0.0;
    let mut end = tau;
    for entry in (0..n_steps).rev() {
        area_after += curve.surv[entry] * (end - curve.time[entry]);
        end = curve.time[entry];
        let (at_risk, died) = (curve.n_risk[entry] as f64, curve.n_event[entry] as f64);
        if died < at_risk {
            variance += area_after * area_after * died / (at_risk * (at_risk - died));
        }
    }
    Ok(RestrictedMean { rmst: area_after + end, rmst_se: variance.sqrt(), rmst_tau: tau })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IntervalScale, TimeToEvent, kaplan_meier};

    fn curve(rows: &[(f64, bool)]) -> KaplanMeier {
        let rows: Vec<_> = rows.iter().map(|&(time, event)| TimeToEvent { time, event }).collect();
        kaplan_meier(&rows, IntervalScale::Log).unwrap()
    }

    #[test]
    fn areas_of_rectangles_by_hand() {
        // 1 up to 2, then ½ up to 5: area 2 + 1.5; area after the death 1.5, variance 1.5² · 1/(2·1).
        let found = restricted_mean(&curve(&[(2.0, true), (5.0, false)]), 5.0).unwrap();
        assert_eq!(found.rmst, 3.5);
        assert!((found.rmst_se - 1.5 * 0.5_f64.sqrt()).abs() < 1e-15);
        assert_eq!(restricted_mean(&curve(&[(2.0, true), (5.0, false)]), 1.0).unwrap().rmst, 1.0);
    }

    #[test]
    fn without_censoring_it_is_the_mean() {
        let found = restricted_mean(&curve(&[(1.0, true), (2.0, true), (6.0, true)]), 10.0).unwrap();
        assert!((found.rmst - 3.0).abs() < 1e-12);
    }

    #[test]
    fn survivors_are_not_carried_beyond_observation() {
        let refused = restricted_mean(&curve(&[(2.0, true), (5.0, false)]), 5.1);
        assert_eq!(refused, Err(RestrictedMeanError::BeyondObservation { tau: 5.1, last: 5.0 }));
        assert!(restricted_mean(&curve(&[(2.0, true)]), 0.0).is_err());
    }
}
