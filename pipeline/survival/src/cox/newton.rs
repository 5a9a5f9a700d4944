//! Newton–Raphson for a concave log likelihood, with halved steps and a diagnosis where there is no maximum.

use nalgebra::{DMatrix, DVector};

use super::CoxError;
use super::partial_likelihood::EventTime;

/// Where the log likelihood counts as settled, relative to its size.
const LOGLIK_TOLERANCE: f64 = 1e-12;
/// Where a step counts as nothing: in standard errors of its coefficient at 0. (At the present value they would grow with a
/// runaway coefficient, and hide it.)
const STEP_TOLERANCE: f64 = 1e-8;
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
    /// The contributions at the maximum.
    pub(crate) event_times: Vec<EventTime>,
}

/// The sums over event times that a step needs.
struct Sums {
    loglik: f64,
    score: DVector<f64>,
    information: DMatrix<f64>,
}

fn sums(event_times: &[EventTime], n_terms: usize) -> Sums {
    let mut sums = Sums { loglik: 0.0, score: DVector::zeros(n_terms), information: DMatrix::zeros(n_terms, n_terms) };
    for event_time in event_times {
        sums.loglik += event_time.loglik;
        sums.score += &event_time.score;
        sums.information += &event_time.information;
    }
    sums
}

/// Climbs from 0 to the maximum of the likelihood whose contributions `moments` gives.
pub(crate) fn maximise(terms: &[&str], moments: impl Fn(&DVector<f64>) -> Vec<EventTime>) -> Result<Fit, CoxError> {
    let n_terms = terms.len();
    let mut coef = DVector::zeros(n_terms);
    let mut event_times = moments(&coef);
    let mut current = sums(&event_times, n_terms);
    if let Some(term) = dependent_term(&current.information) {
        return Err(CoxError::DependentTerm { term: terms[term].to_owned() });
    }
    let null = current.loglik;
    let error_at_zero = current.information.diagonal().map(|information| information.sqrt().recip());
    let mut score_statistic = None;
    let mut runaway = 0;
    for _ in 0..MAX_STEPS {
        if !current.loglik.is_finite() || dependent_term(&current.information).is_some() {
            break;
        }
        let Some(factor) = current.information.clone().cholesky() else { break };
        let step = factor.solve(&current.score);
        score_statistic.get_or_insert(current.score.dot(&step));
        let in_errors = step.component_div(&error_at_zero);
        runaway = in_errors.iamax();
        let (next, next_times, next_sums) = climb(&coef, step, &current, &moments);
        let settled = (next_sums.loglik - current.loglik).abs() <= LOGLIK_TOLERANCE * current.loglik.abs().max(1.0);
        (coef, event_times, current) = (next, next_times, next_sums);
        if settled && in_errors.amax() <= STEP_TOLERANCE {
            let inverse = current.information.cholesky().unwrap_or(factor).inverse();
            let score_statistic = score_statistic.unwrap_or(0.0);
            return Ok(Fit { coef, inverse, loglik: [null, current.loglik], score_statistic, event_times });
        }
    }
    Err(CoxError::Separation { term: terms[runaway].to_owned() })
}

/// One step, halved until the log likelihood no longer falls.
fn climb(
    coef: &DVector<f64>,
    mut step: DVector<f64>,
    current: &Sums,
    moments: &impl Fn(&DVector<f64>) -> Vec<EventTime>,
) -> (DVector<f64>, Vec<EventTime>, Sums) {
    let slack = LOGLIK_TOLERANCE * current.loglik.abs().max(1.0);
    loop {
        let next = coef + &step;
        let event_times = moments(&next);
        let sums = sums(&event_times, coef.len());
        // A step that no longer changes the coefficients ends the halving.
        if sums.loglik >= current.loglik - slack || next == *coef {
            return (next, event_times, sums);
        }
        step /= 2.0;
    }
}

/// The first term whose information is used up by the terms before it, by the pivots of the correlation matrix.
fn dependent_term(information: &DMatrix<f64>) -> Option<usize> {
    let n = information.nrows();
    let scale: Vec<f64> = information.diagonal().iter().map(|&variance| variance.max(0.0).sqrt()).collect();
    let mut factor = DMatrix::<f64>::zeros(n, n);
    for j in 0..n {
        // Centred covariates that do not vary leave rounding alone: far below any real information.
        if scale[j] <= f64::EPSILON.sqrt() * scale.iter().copied().fold(0.0, f64::max) * 1e-6 || scale[j] == 0.0 {
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
