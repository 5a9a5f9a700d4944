//! Weighted sums over a risk set and what one event time contributes to the pseudo-likelihood.

use nalgebra::{DMatrix, DVector};

use crate::cox::newton::Derivatives;

/// What one event time contributes.
#[derive(Debug, Clone)]
pub(super) struct EventTime {
    pub(super) time: f64,
    pub(super) loglik: f64,
    /// Sum of the covariates of those with the event, less its expectation.
    pub(super) score: DVector<f64>,
    /// Covariance of the covariates in the risk set, times the events.
    pub(super) information: DMatrix<f64>,
    /// Mean covariates of the risk set.
    pub(super) mean: DVector<f64>,
    /// Events over the weight of the risk set, and that times the mean.
    pub(super) hazard: f64,
    pub(super) hazard_mean: DVector<f64>,
}

/// The sums over all event times.
pub(super) fn derivatives(event_times: &[EventTime], n_terms: usize) -> Derivatives {
    let mut sums =
        Derivatives { loglik: 0.0, score: DVector::zeros(n_terms), information: DMatrix::zeros(n_terms, n_terms) };
    for event_time in event_times {
        sums.loglik += event_time.loglik;
        sums.score += &event_time.score;
        sums.information += &event_time.information;
    }
    sums
}

/// Sums of weight, weight · x and weight · x xᵀ over a set of records.
#[derive(Debug, Clone)]
pub(super) struct WeightedSums {
    pub(super) weight: f64,
    pub(super) first: DVector<f64>,
    pub(super) second: DMatrix<f64>,
}

impl WeightedSums {
    pub(super) fn zeros(n_terms: usize) -> Self {
        Self { weight: 0.0, first: DVector::zeros(n_terms), second: DMatrix::zeros(n_terms, n_terms) }
    }

    pub(super) fn add(&mut self, weight: f64, covariates: &DVector<f64>) {
        self.weight += weight;
        self.first.axpy(weight, covariates, 1.0);
        self.second.ger(weight, covariates, covariates, 1.0);
    }

    /// These sums plus `factor` times the other ones.
    pub(super) fn plus(&self, other: &Self, factor: f64) -> Self {
        Self {
            weight: self.weight + other.weight * factor,
            first: &self.first + &other.first * factor,
            second: &self.second + &other.second * factor,
        }
    }
}
