//! The profile of the penalised likelihood: its maximum over all other coefficients, as a function of one.

use super::penalised::{Penalised, Place};
use crate::Z_95;

/// How close the profile's drop must come to its goal.
const DROP_TOLERANCE: f64 = 1e-10;
/// How often a bracket is widened or narrowed.
const MAX_STEPS: usize = 100;
/// The farthest a bound is looked for, in standard errors from the maximum.
const FARTHEST: f64 = 1e4;

/// The coefficients and the penalised log likelihood of the profile of `term` at `value`; the search starts at `coef`.
fn maximum(penalised: &Penalised<'_>, coef: &[f64], term: usize, value: f64) -> Option<(Vec<f64>, f64)> {
    let mut from = coef.to_vec();
    from[term] = value;
    let free: Vec<bool> = (0..coef.len()).map(|other| other != term).collect();
    // Far from the maximum the other coefficients' best values may lie nearer to 0.
    let (coef, place) = penalised.maximise(&from, &free).or_else(|| {
        let mut from = vec![0.0; coef.len()];
        from[term] = value;
        penalised.maximise(&from, &free)
    })?;
    Some((coef, place.loglik))
}

/// The profile of `term` at `value`; the search starts at `coef`.
pub(super) fn at(penalised: &Penalised<'_>, coef: &[f64], term: usize, value: f64) -> Option<f64> {
    maximum(penalised, coef, term, value).map(|(_, loglik)| loglik)
}

/// Where the profile of `term` has dropped by half the 95 % point of χ² with one degree of freedom, on the side and at the
/// scale that `step` (plus or minus one standard error) gives.
pub(super) fn bound(penalised: &Penalised<'_>, coef: &[f64], best: &Place, term: usize, step: f64) -> Option<f64> {
    let goal = best.loglik - 0.5 * Z_95 * Z_95;
    let mut nearest = coef.to_vec();
    let mut above_goal = |distance: f64| {
        let (found, loglik) = maximum(penalised, &nearest, term, coef[term] + distance * step)?;
        nearest = found;
        Some(loglik - goal)
    };
    let (mut inner, mut inner_value) = (0.0, best.loglik - goal);
    let mut outer = Z_95;
    let mut outer_value = above_goal(outer)?;
    while outer_value > 0.0 {
        (inner, inner_value) = (outer, outer_value);
        outer *= 2.0;
        if outer > FARTHEST {
            return None;
        }
        outer_value = above_goal(outer)?;
    }
    // Regula falsi with halved weights (Illinois): the bracket always holds the crossing.
    for _ in 0..MAX_STEPS {
        let middle = inner + (outer - inner) * inner_value / (inner_value - outer_value);
        let value = above_goal(middle)?;
        if value.abs() <= DROP_TOLERANCE || middle == inner || middle == outer {
            return Some(coef[term] + middle * step);
        }
        if value > 0.0 {
            (inner, inner_value) = (middle, value);
            outer_value /= 2.0;
        } else {
            (outer, outer_value) = (middle, value);
            inner_value /= 2.0;
        }
    }
    None
}
