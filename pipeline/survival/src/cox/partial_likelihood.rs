//! The partial likelihood and its first two derivatives, one event time after the other.
//!
//! Source: Therneau and Grambsch 2000, chapter 3; Efron's ties as averages over shrinking risk sets.

use nalgebra::{DMatrix, DVector};

use super::{CoxError, CoxSubject, Ties};
use crate::observation::check_times;

/// The records of a model with centred covariates (the partial likelihood does not depend on the centre).
#[derive(Debug, Clone)]
pub(crate) struct RiskSets {
    pub(crate) time: Vec<f64>,
    pub(crate) event: Vec<bool>,
    pub(crate) covariates: Vec<DVector<f64>>,
    /// Positions of the records by descending time.
    descending: Vec<usize>,
    ties: Ties,
}

/// What one event time contributes.
#[derive(Debug, Clone)]
pub(crate) struct EventTime {
    pub(crate) time: f64,
    pub(crate) n_event: f64,
    pub(crate) loglik: f64,
    /// Sum of the covariates of those with the event, less its expectation.
    pub(crate) score: DVector<f64>,
    /// Covariance of the covariates in the risk set, summed over the events.
    pub(crate) information: DMatrix<f64>,
    /// Mean covariates of the risk set, averaged over the events.
    pub(crate) mean: DVector<f64>,
    /// Sum of 1/denominator, and of mean/denominator, over the events: the hazard of those at risk.
    pub(crate) hazard: f64,
    pub(crate) hazard_mean: DVector<f64>,
    /// The same for those with the event, whom Efron's shrinking risk set counts in part.
    pub(crate) own_hazard: f64,
    pub(crate) own_hazard_mean: DVector<f64>,
}

/// Sums of weight, weight · x and weight · x xᵀ over a set of records.
#[derive(Debug, Clone)]
pub(crate) struct WeightedSums {
    pub(crate) weight: f64,
    pub(crate) first: DVector<f64>,
    pub(crate) second: DMatrix<f64>,
}

impl WeightedSums {
    pub(crate) fn zeros(n_terms: usize) -> Self {
        Self { weight: 0.0, first: DVector::zeros(n_terms), second: DMatrix::zeros(n_terms, n_terms) }
    }

    pub(crate) fn add(&mut self, weight: f64, covariates: &DVector<f64>) {
        self.weight += weight;
        self.first.axpy(weight, covariates, 1.0);
        self.second.ger(weight, covariates, covariates, 1.0);
    }

    /// These sums plus `factor` times the other ones.
    pub(crate) fn plus(&self, other: &Self, factor: f64) -> Self {
        Self {
            weight: self.weight + other.weight * factor,
            first: &self.first + &other.first * factor,
            second: &self.second + &other.second * factor,
        }
    }
}

impl RiskSets {
    pub(crate) fn new(terms: &[&str], subjects: &[CoxSubject], ties: Ties) -> Result<Self, CoxError> {
        check_times(subjects.iter().map(|subject| subject.time))?;
        let covariates = centred_covariates(terms, subjects.iter().map(|subject| subject.covariates.as_slice()))?;
        if !subjects.iter().any(|subject| subject.event) {
            return Err(CoxError::NoEvents);
        }
        let time: Vec<f64> = subjects.iter().map(|subject| subject.time).collect();
        let mut descending: Vec<usize> = (0..time.len()).collect();
        descending.sort_by(|&a, &b| time[b].total_cmp(&time[a]));
        Ok(Self { event: subjects.iter().map(|subject| subject.event).collect(), time, covariates, descending, ties })
    }

    /// exp(xβ), all divided by the largest so that nothing overflows: only ratios enter the partial likelihood.
    pub(crate) fn relative_hazards(&self, coef: &DVector<f64>) -> Vec<f64> {
        let linear: Vec<f64> = self.covariates.iter().map(|covariates| covariates.dot(coef)).collect();
        let largest = linear.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        linear.iter().map(|linear| (linear - largest).exp()).collect()
    }

    /// The contributions of all event times at `coef`, by descending time.
    pub(crate) fn moments(&self, coef: &DVector<f64>) -> Vec<EventTime> {
        let weights = self.relative_hazards(coef);
        let n_terms = coef.len();
        let mut at_risk = WeightedSums::zeros(n_terms);
        let mut event_times = Vec::new();
        for tied in self.descending.chunk_by(|&a, &b| self.time[a] == self.time[b]) {
            let mut dead = WeightedSums::zeros(n_terms);
            let mut dead_covariates = DVector::zeros(n_terms);
            let (mut n_event, mut loglik) = (0, 0.0);
            for &row in tied {
                at_risk.add(weights[row], &self.covariates[row]);
                if self.event[row] {
                    dead.add(weights[row], &self.covariates[row]);
                    dead_covariates += &self.covariates[row];
                    loglik += weights[row].ln();
                    n_event += 1;
                }
            }
            if n_event > 0 {
                let time = self.time[tied[0]];
                event_times.push(self.event_time(time, n_event, loglik, dead_covariates, &at_risk, &dead));
            }
        }
        event_times
    }

    fn event_time(
        &self,
        time: f64,
        n_event: usize,
        loglik: f64,
        dead_covariates: DVector<f64>,
        at_risk: &WeightedSums,
        dead: &WeightedSums,
    ) -> EventTime {
        let n_terms = dead_covariates.len();
        let mut found = EventTime {
            time,
            n_event: n_event as f64,
            loglik,
            score: dead_covariates,
            information: DMatrix::zeros(n_terms, n_terms),
            mean: DVector::zeros(n_terms),
            hazard: 0.0,
            hazard_mean: DVector::zeros(n_terms),
            own_hazard: 0.0,
            own_hazard_mean: DVector::zeros(n_terms),
        };
        for already_dead in 0..n_event {
            let gone = match self.ties {
                Ties::Efron => already_dead as f64 / n_event as f64,
                Ties::Breslow => 0.0,
            };
            let denominator = at_risk.weight - gone * dead.weight;
            let mean = (&at_risk.first - &dead.first * gone) / denominator;
            let second = (&at_risk.second - &dead.second * gone) / denominator;
            found.loglik -= denominator.ln();
            found.score -= &mean;
            found.information += second - &mean * mean.transpose();
            found.hazard += 1.0 / denominator;
            found.hazard_mean += &mean / denominator;
            found.own_hazard += (1.0 - gone) / denominator;
            found.own_hazard_mean += &mean * ((1.0 - gone) / denominator);
            found.mean += mean / n_event as f64;
        }
        found
    }
}

/// The covariates as vectors, each less its mean over all records; exactly 0 where all values are equal.
pub(crate) fn centred_covariates<'a>(
    terms: &[&str],
    rows: impl Iterator<Item = &'a [f64]>,
) -> Result<Vec<DVector<f64>>, CoxError> {
    let n_terms = terms.len();
    if n_terms == 0 {
        return Err(CoxError::NoTerms);
    }
    let mut covariates = Vec::new();
    let mut sum = DVector::zeros(n_terms);
    for (row, values) in rows.enumerate() {
        if values.len() != n_terms {
            return Err(CoxError::WrongCovariates { row, expected: n_terms, found: values.len() });
        }
        if let Some(term) = values.iter().position(|value| !value.is_finite()) {
            return Err(CoxError::BadCovariate { row, term: terms[term].to_owned() });
        }
        let values = DVector::from_column_slice(values);
        sum += &values;
        covariates.push(values);
    }
    let mean = sum / covariates.len() as f64;
    for term in 0..n_terms {
        // The rounded mean of equal values may miss them by one bit, which would pass for variation.
        let first = covariates[0][term];
        let centre = if covariates.iter().all(|values| values[term] == first) { first } else { mean[term] };
        for values in &mut covariates {
            values[term] -= centre;
        }
    }
    Ok(covariates)
}

/// The largest absolute value of each centred covariate.
pub(crate) fn sizes(covariates: &[DVector<f64>], n_terms: usize) -> DVector<f64> {
    covariates.iter().fold(DVector::zeros(n_terms), |largest, values| largest.sup(&values.abs()))
}
