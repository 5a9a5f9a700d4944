//! Quantiles of a survival curve and their 95 % intervals, by the conventions of R, SPSS and lifelines.
//!
//! Source: Brookmeyer and Crowley 1982 for the inverted interval; R `survival` `quantile.survfit` for the midpoint of an
//! exactly flat step; the SPSS Statistics algorithms manual (Kaplan–Meier) for the symmetric interval.

use serde::{Deserialize, Serialize};

use crate::Z_95;
use crate::kaplan_meier::KaplanMeier;

/// How close S must come to the level to count as exactly on it: the square root of the machine epsilon, as in R. Products
/// of fractions that are ½ on paper miss it by some 1e-16.
const LEVEL_TOLERANCE: f64 = 1.490_116_119_384_765_6e-8;

/// Half the width of the band of S over which SPSS takes the slope of the curve.
const SPSS_BAND: f64 = 0.05;

/// Whose definition of a quantile and its interval is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Convention {
    /// First time with S below the level, or the midpoint of the step on which S equals it; the interval is where the
    /// bounds of S cross the level, by the same rule.
    R,
    /// First time with S at or below the level; estimate ± z·se, the lower bound cut at 0.
    Spss,
    /// First time with S at or below the level; the interval is where the bounds of S cross it. Meant for a curve with
    /// log-log bounds.
    Lifelines,
}

/// A median survival time. `None` means not reached within the observed time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Median {
    /// The median, in the unit of the curve's times.
    pub median: Option<f64>,
    /// Why `median` or a bound is missing; absent when nothing is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub median_reason: Option<String>,
    /// Lower and upper 95 % bound; `None` = not reached.
    pub median_ci: [Option<f64>; 2],
    /// Standard error of the median; given by the SPSS convention alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub median_se: Option<f64>,
}

/// The median survival time with its 95 % interval.
#[must_use]
pub fn median(curve: &KaplanMeier, convention: Convention) -> Median {
    quantile(curve, 0.5, convention)
}

/// The time at which S falls to `level` (0.5 is the median, 0.75 the time by which a quarter had the event).
///
/// Levels outside (0, 1) are never reached.
#[must_use]
pub fn quantile(curve: &KaplanMeier, level: f64, convention: Convention) -> Median {
    let estimate = crossing(&curve.time, &curve.surv.iter().map(|&surv| Some(surv)), level, convention);
    let (interval, std_err) = match convention {
        Convention::R | Convention::Lifelines => {
            let bound = |bounds: &[Option<f64>]| crossing(&curve.time, &bounds.iter().copied(), level, convention);
            ([bound(&curve.lower), bound(&curve.upper)], None)
        }
        Convention::Spss => spss_interval(curve, estimate, level),
    };
    Median {
        median: estimate,
        median_reason: missing_reason(curve, estimate, interval, level),
        median_ci: interval,
        median_se: std_err,
    }
}

/// Where a falling step curve first reaches the level; missing entries of the curve are passed over.
fn crossing(
    time: &[f64],
    surv: &(impl Iterator<Item = Option<f64>> + Clone),
    level: f64,
    convention: Convention,
) -> Option<f64> {
    let known = || time.iter().copied().zip(surv.clone()).filter_map(|(time, surv)| Some((time, surv?)));
    let (reached, surv) = known().find(|&(_, surv)| surv <= level + LEVEL_TOLERANCE)?;
    if convention != Convention::R || surv < level - LEVEL_TOLERANCE {
        return Some(reached);
    }
    // Exactly on the level: the middle of the step, which lasts to the next drop or to the end of observation.
    let step_end = known().find(|&(_, surv)| surv < level - LEVEL_TOLERANCE).map(|(time, _)| time);
    Some(f64::midpoint(reached, step_end.or(time.last().copied())?))
}

/// Estimate ± z·se with se = se(S(t)) / f and f the slope of the curve between S ≥ level + 0.05 and S ≤ level − 0.05,
/// both taken at event times.
fn spss_interval(curve: &KaplanMeier, estimate: Option<f64>, level: f64) -> ([Option<f64>; 2], Option<f64>) {
    let drops = || (0..curve.time.len()).filter(|&entry| curve.n_event[entry] > 0);
    let above = drops().rfind(|&entry| curve.surv[entry] >= level + SPSS_BAND - LEVEL_TOLERANCE);
    let below = drops().find(|&entry| curve.surv[entry] <= level - SPSS_BAND + LEVEL_TOLERANCE);
    let (Some(estimate), Some(above), Some(below)) = (estimate, above, below) else {
        return ([None, None], None);
    };
    let slope = (curve.surv[above] - curve.surv[below]) / (curve.time[below] - curve.time[above]);
    let Some(entry) = curve.entry_at(estimate) else {
        return ([None, None], None);
    };
    if curve.surv[entry] <= 0.0 {
        // Greenwood's error is undefined at S = 0.
        return ([None, None], None);
    }
    let std_err = curve.std_err[entry] / slope;
    ([Some((estimate - Z_95 * std_err).max(0.0)), Some(estimate + Z_95 * std_err)], Some(std_err))
}

fn missing_reason(
    curve: &KaplanMeier,
    estimate: Option<f64>,
    interval: [Option<f64>; 2],
    level: f64,
) -> Option<String> {
    let last_surv = curve.surv.last().copied().unwrap_or(1.0);
    if estimate.is_none() {
        return Some(format!(
            "not reached: S(t) is {last_surv:.3} at the last observed time {}, above {level}",
            curve.last_time()
        ));
    }
    let bound = match interval {
        [Some(_), Some(_)] => return None,
        [Some(_), None] => "upper bound",
        [None, Some(_)] => "lower bound",
        [None, None] => "neither bound",
    };
    let verb = if bound == "neither bound" { "reached" } else { "not reached" };
    Some(format!("{bound} {verb} by the last observed time {}", curve.last_time()))
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
    fn exactly_one_half_is_a_midpoint_for_r_and_the_first_time_elsewhere() {
        let curve = curve(&[(1.0, true), (2.0, true), (3.0, false), (6.0, true), (8.0, true)]);
        let even = self::curve(&[(1.0, true), (2.0, true), (6.0, true), (8.0, true)]);
        assert_eq!(median(&even, Convention::R).median, Some(4.0));
        assert_eq!(median(&even, Convention::Spss).median, Some(2.0));
        assert_eq!(median(&even, Convention::Lifelines).median, Some(2.0));
        // 4/5, 3/5, then 2 at risk: 3/10.
        assert_eq!(median(&curve, Convention::R).median, Some(6.0));
    }

    #[test]
    fn a_curve_that_ends_on_one_half_takes_the_middle_to_its_end() {
        let curve = curve(&[(3.0, true), (9.0, false)]);
        assert_eq!(median(&curve, Convention::R).median, Some(6.0));
        assert_eq!(median(&curve, Convention::Lifelines).median, Some(3.0));
    }

    #[test]
    fn not_reached_says_so() {
        let all_censored = median(&curve(&[(3.0, false), (9.0, false)]), Convention::R);
        assert_eq!((all_censored.median, all_censored.median_ci), (None, [None, None]));
        assert_eq!(
            all_censored.median_reason.unwrap(),
            "not reached: S(t) is 1.000 at the last observed time 9, above 0.5"
        );
    }

    #[test]
    fn spss_without_a_point_beyond_the_band_has_no_interval() {
        // S is 1 and then ½: no event time with S ≥ 0.55.
        let found = median(&curve(&[(3.0, true), (9.0, false)]), Convention::Spss);
        assert_eq!((found.median, found.median_ci, found.median_se), (Some(3.0), [None, None], None));
        assert!(found.median_reason.unwrap().contains("neither bound"));
    }
}
