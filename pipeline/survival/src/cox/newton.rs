//! Newton–Raphson for a concave log likelihood, with halved steps and a diagnosis where there is no maximum.

use nalgebra::{DMatrix, DVector};

use super::CoxError;

/// Where the log likelihood counts as settled, relative to its size.
const LOGLIK_TOLERANCE: f64 = 1e-12;
/// Where a step counts as nothing: in standard errors of its coefficient at 0. (At the present value they would grow with a
/// runaway coefficient, and hide it.)
const STEP_TOLERANCE: f64 = 1e-8;
/// Information per event, relative to the largest squared covariate, below which it is rounding: far above the machine
/// epsilon, far below that of any category with one member.
const ROUNDING: f64 = 1e-12;
/// How many times its variance at 0 a coefficient's variance may be at a maximum. On the flat shoulder of a likelihood
/// without a maximum, rounding ends the climb where the log likelihood is within 1e-12 of its bound, and the variance is
/// some 1e12 times that at 0.
const VARIANCE_INFLATION: f64 = 1e8;
/// A finite maximum is reached in about five steps; a runaway coefficient needs one step per unit of its size.
const MAX_STEPS: usize = 40;
/// A squared pivot of the correlation matrix below this says that a term follows from the others (as in R `coxph`,
/// whose `toler.chol` is of this order).
const PIVOT_TOLERANCE: f64 = 1e-10;

/// The maximum.
pub(crate) struct Fit {
    pub(crate) coef: DVector<f64>,
    /// Inverse of the information at the maximum: the covariance of the coefficients.
    pub(crate) inverse: DMatrix<f64>,
    /// Log likelihood at 0 and at the maximum.
    pub(crate) loglik: [f64; 2],
    /// Score test at 0.
    pub(crate) score_statistic: f64,
}

/// A log likelihood with its first derivative and the negative of its second.
#[derive(Debug, Clone)]
pub(crate) struct Derivatives {
    pub(crate) loglik: f64,
    pub(crate) score: DVector<f64>,
    pub(crate) information: DMatrix<f64>,
}

/// Climbs from 0 to the maximum of the likelihood that `derivatives` gives; `sizes` are the largest absolute values of the
/// centred covariates.
pub(crate) fn maximise(
    terms: &[&str],
    sizes: &DVector<f64>,
    n_events: usize,
    derivatives: impl Fn(&DVector<f64>) -> Derivatives,
) -> Result<Fit, CoxError> {
    let n_terms = terms.len();
    let mut coef = DVector::zeros(n_terms);
    let mut current = derivatives(&coef);
    let floor = rounding_floor(sizes, n_events);
    if let Some(term) = dependent_term(&current.information, &floor) {
        return Err(CoxError::DependentTerm { term: terms[term].to_owned() });
    }
    let null = current.loglik;
    let variance_at_zero = match current.information.clone().cholesky() {
        Some(factor) => factor.inverse().diagonal(),
        None => return Err(CoxError::DependentTerm { term: terms[n_terms - 1].to_owned() }),
    };
    let mut score_statistic = None;
    let mut runaway = 0;
    for _ in 0..MAX_STEPS {
        if !current.loglik.is_finite() || dependent_term(&current.information, &floor).is_some() {
            break;
        }
        let Some(factor) = current.information.clone().cholesky() else { break };
        let step = factor.solve(&current.score);
        score_statistic.get_or_insert(current.score.dot(&step));
        let in_errors = step.component_div(&variance_at_zero.map(f64::sqrt));
        runaway = in_errors.iamax();
        let (next_coef, next) = climb(&coef, step, &current, &derivatives);
        let settled = (next.loglik - current.loglik).abs() <= LOGLIK_TOLERANCE * current.loglik.abs().max(1.0);
        (coef, current) = (next_coef, next);
        if settled && in_errors.amax() <= STEP_TOLERANCE {
            let inverse = current.information.cholesky().unwrap_or(factor).inverse();
            let inflation = inverse.diagonal().component_div(&variance_at_zero);
            if inflation.max() > VARIANCE_INFLATION {
                runaway = inflation.imax();
                break;
            }
            let score_statistic = score_statistic.unwrap_or(0.0);
            return Ok(Fit { coef, inverse, loglik: [null, current.loglik], score_statistic });
        }
    }
    Err(CoxError::Separation { term: terms[runaway].to_owned() })
}

/// One step, halved until the log likelihood no longer falls.
fn climb(
    coef: &DVector<f64>,
    mut step: DVector<f64>,
    current: &Derivatives,
    derivatives: &impl Fn(&DVector<f64>) -> Derivatives,
) -> (DVector<f64>, Derivatives) {
    let slack = LOGLIK_TOLERANCE * current.loglik.abs().max(1.0);
    loop {
        let next = coef + &step;
        let found = derivatives(&next);
        // A step that no longer changes the coefficients ends the halving.
        if found.loglik >= current.loglik - slack || next == *coef {
            return (next, found);
        }
        step /= 2.0;
    }
}

/// The information below which a term counts as constant.
pub(crate) fn rounding_floor(sizes: &DVector<f64>, n_events: usize) -> DVector<f64> {
    sizes.map(|size| ROUNDING * n_events as f64 * size * size)
}

/// The first term whose information is used up by the terms before it, by the pivots of the correlation matrix.
///
/// A term whose information is no more than `floor` does not vary at all: what is left is rounding.
pub(crate) fn dependent_term(information: &DMatrix<f64>, floor: &DVector<f64>) -> Option<usize> {
    let n = information.nrows();
    let scale: Vec<f64> = information.diagonal().iter().map(|&variance| variance.max(0.0).sqrt()).collect();
    let mut factor = DMatrix::<f64>::zeros(n, n);
    for j in 0..n {
        if information[(j, j)] <= floor[j] {
            return Some(j);
        }
        for i in j..n {
            if scale[i] == 0.0 {
                return Some(i);
            }
            let mut value = information[(i, j)] / (scale[i] * scale[j]);
            for k in 0..j {
                value -= factor[(i, k)] * factor[(j, k)];
            }
            if i == j {
                if value.is_nan() || value < PIVOT_TOLERANCE {
                    return Some(j);
                }
                factor[(j, j)] = value.sqrt();
            } else {
                factor[(i, j)] = value / factor[(j, j)];
            }
        }
    }
    None
}
