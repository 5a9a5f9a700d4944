//! The partial likelihood with Firth's penalty, its gradient, and its maximum over some of the coefficients.
//!
//! Source: Heinze and Schemper 2001, equation 2: the score gets ½ tr(I⁻¹ ∂I/∂β).

use nalgebra::{DMatrix, DVector};

use crate::cox::newton::{dependent_term, rounding_floor};
use crate::cox::partial_likelihood::{Block, RiskSets};
use crate::cox::{CoxError, Ties};

/// Where a step counts as nothing, in standard errors of its coefficient.
const STEP_TOLERANCE: f64 = 1e-10;
/// Where a fall of the log likelihood is rounding, relative to its size.
const LOGLIK_TOLERANCE: f64 = 1e-13;
/// Five to ten steps are usual.
const MAX_STEPS: usize = 100;
/// The difference, in standard errors, over which the slope of the score is taken: its error is of this relative size, and
/// each step shortens the way to the maximum by that factor.
const SLOPE_DIFFERENCE: f64 = 1e-5;
/// The longest step, as a change of the log hazard ratio across the largest deviation of a covariate from its mean.
const LONGEST_STEP: f64 = 2.0;

/// The model whose likelihood is penalised.
pub(super) struct Penalised<'a> {
    risk_sets: &'a RiskSets,
    /// The largest absolute value of each centred covariate.
    sizes: DVector<f64>,
}

/// The penalised likelihood at one place.
pub(super) struct Place {
    pub(super) loglik: f64,
    /// Gradient of the penalised log likelihood.
    score: DVector<f64>,
    information: DMatrix<f64>,
    pub(super) inverse: DMatrix<f64>,
}

/// Sums of weight, weight · x, weight · x xᵀ and, per term c, weight · x xᵀ x_c over a set of records.
struct Sums {
    weight: f64,
    first: DVector<f64>,
    second: DMatrix<f64>,
    third: Vec<DMatrix<f64>>,
}

impl Sums {
    fn zeros(n: usize) -> Self {
        let zeros = || DMatrix::zeros(n, n);
        Self { weight: 0.0, first: DVector::zeros(n), second: zeros(), third: (0..n).map(|_| zeros()).collect() }
    }

    fn add(&mut self, weight: f64, covariates: &[f64]) {
        let x = DVector::from_column_slice(covariates);
        self.weight += weight;
        self.first.axpy(weight, &x, 1.0);
        self.second.ger(weight, &x, &x, 1.0);
        for (third, x_c) in self.third.iter_mut().zip(covariates) {
            third.ger(weight * x_c, &x, &x, 1.0);
        }
    }
}

/// Log likelihood, score, information and the derivative of the information by each coefficient.
struct Derivatives {
    loglik: f64,
    score: DVector<f64>,
    information: DMatrix<f64>,
    information_slope: Vec<DMatrix<f64>>,
}

impl Derivatives {
    /// Takes away the expectation of one event: the risk set less the share `gone` of those with the event.
    fn expect(&mut self, at_risk: &Sums, dead: &Sums, gone: f64) {
        let denominator = at_risk.weight - gone * dead.weight;
        let mean = (&at_risk.first - &dead.first * gone) / denominator;
        let second = (&at_risk.second - &dead.second * gone) / denominator;
        let outer = &mean * mean.transpose();
        self.loglik -= denominator.ln();
        self.score -= &mean;
        for (c, slope) in self.information_slope.iter_mut().enumerate() {
            let third = (&at_risk.third[c] - &dead.third[c] * gone) / denominator;
            let crossed = second.column(c) * mean.transpose();
            // The third central moment of the covariates in the risk set.
            *slope += third - &second * mean[c] - &crossed - crossed.transpose() + &outer * (2.0 * mean[c]);
        }
        self.information += second - outer;
    }
}

impl<'a> Penalised<'a> {
    /// Refuses terms that do not vary or follow from others.
    pub(super) fn new(terms: &[&str], risk_sets: &'a RiskSets) -> Result<Self, CoxError> {
        let sizes = risk_sets.covariates.sizes();
        let n_events = risk_sets.blocks.iter().map(Block::n_event).sum();
        let at_zero = risk_sets.derivatives(&DVector::zeros(terms.len()));
        match dependent_term(&at_zero.information, &rounding_floor(&sizes, n_events)) {
            Some(term) => Err(CoxError::DependentTerm { term: terms[term].to_owned() }),
            None => Ok(Self { risk_sets, sizes }),
        }
    }

    /// The penalised likelihood at `coef`; `None` where the information is singular.
    pub(super) fn at(&self, coef: &[f64]) -> Option<Place> {
        let found = self.derivatives(coef);
        let factor = found.information.clone().cholesky()?;
        let inverse = factor.inverse();
        let half_log_determinant: f64 = factor.l_dirty().diagonal().iter().map(|pivot| pivot.ln()).sum();
        let mut score = found.score;
        for (score, slope) in score.iter_mut().zip(&found.information_slope) {
            *score += 0.5 * inverse.dot(slope);
        }
        let loglik = found.loglik + half_log_determinant;
        loglik.is_finite().then_some(Place { loglik, score, information: found.information, inverse })
    }

    fn derivatives(&self, coef: &[f64]) -> Derivatives {
        let n = coef.len();
        let log_hazards = self.risk_sets.covariates.log_hazards(&DVector::from_column_slice(coef));
        let mut sums = Derivatives {
            loglik: 0.0,
            score: DVector::zeros(n),
            information: DMatrix::zeros(n, n),
            information_slope: (0..n).map(|_| DMatrix::zeros(n, n)).collect(),
        };
        let mut at_risk = Sums::zeros(n);
        for block in &self.risk_sets.blocks {
            if block.opens_stratum {
                at_risk = Sums::zeros(n);
            }
            let mut dead = Sums::zeros(n);
            for (row, log_hazard) in (block.start..).zip(&log_hazards[block.start..block.end]) {
                let covariates = self.risk_sets.covariates.row(row);
                at_risk.add(log_hazard.exp(), covariates);
                if row >= block.events_from {
                    dead.add(log_hazard.exp(), covariates);
                    sums.loglik += log_hazard;
                    sums.score += DVector::from_column_slice(covariates);
                }
            }
            for already in 0..block.n_event() {
                let gone = match self.risk_sets.ties {
                    Ties::Efron => already as f64 / block.n_event() as f64,
                    Ties::Breslow => 0.0,
                };
                sums.expect(&at_risk, &dead, gone);
            }
        }
        sums
    }

    /// The maximum over the coefficients that are `free`, the others staying as in `from`; `None` when there is none within
    /// reach.
    pub(super) fn maximise(&self, from: &[f64], free: &[bool]) -> Option<(Vec<f64>, Place)> {
        let moved: Vec<usize> = (0..free.len()).filter(|&term| free[term]).collect();
        let mut coef = DVector::from_column_slice(from);
        let mut place = self.at(coef.as_slice())?;
        if moved.is_empty() {
            return Some((from.to_vec(), place));
        }
        for _ in 0..MAX_STEPS {
            let short = self.newton_step(&coef, &place, &moved)?;
            let mut step = DVector::zeros(coef.len());
            for (&term, &change) in moved.iter().zip(&short) {
                step[term] = change;
            }
            let longest = step.component_mul(&self.sizes).amax();
            if longest > LONGEST_STEP {
                step *= LONGEST_STEP / longest;
            }
            let errors = place.inverse.diagonal().map(f64::sqrt);
            if step.component_div(&errors).amax() <= STEP_TOLERANCE {
                return Some((coef.as_slice().to_vec(), place));
            }
            (coef, place) = self.climb(&coef, step, place)?;
        }
        None
    }

    /// The step of `moved` by the curvature of the penalised likelihood, or, where that is not concave, by the information.
    /// (The information alone ignores the penalty; with one or two events steps by it overshoot for ever.)
    fn newton_step(&self, coef: &DVector<f64>, place: &Place, moved: &[usize]) -> Option<DVector<f64>> {
        let score = place.score.select_rows(moved);
        let mut curvature = DMatrix::zeros(moved.len(), moved.len());
        for (column, &term) in moved.iter().enumerate() {
            let difference = SLOPE_DIFFERENCE * place.inverse[(term, term)].sqrt();
            let mut aside = coef.clone();
            aside[term] += difference;
            let slope = (&score - self.at(aside.as_slice())?.score.select_rows(moved)) / difference;
            curvature.set_column(column, &slope);
        }
        let symmetric = (&curvature + curvature.transpose()) / 2.0;
        if let Some(factor) = symmetric.cholesky() {
            return Some(factor.solve(&score));
        }
        let information = place.information.select_rows(moved).select_columns(moved);
        Some(information.cholesky()?.solve(&score))
    }

    /// One step, halved until the penalised likelihood no longer falls.
    fn climb(&self, coef: &DVector<f64>, mut step: DVector<f64>, from: Place) -> Option<(DVector<f64>, Place)> {
        let slack = LOGLIK_TOLERANCE * from.loglik.abs().max(1.0);
        loop {
            let next = coef + &step;
            if next == *coef {
                return Some((next, from));
            }
            if let Some(place) = self.at(next.as_slice()).filter(|place| place.loglik >= from.loglik - slack) {
                return Some((next, place));
            }
            step /= 2.0;
        }
    }
}
