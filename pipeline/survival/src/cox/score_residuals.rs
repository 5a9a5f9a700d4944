//! Cluster-robust covariance of the coefficients: the sandwich of summed score residuals.
//!
//! Source: Lin and Wei 1989; score residuals with tied events as in Therneau and Grambsch 2000, section 4.6.

use nalgebra::{DMatrix, DVector};

use super::partial_likelihood::{Block, EventTime, RiskSets};

/// V (Σ over clusters of U Uᵀ) V, with U the sum of the score residuals of one cluster and V the inverse information. No
/// small-sample factor, as in R `coxph`. `cluster_of` is by row of the input.
pub(super) fn robust_covariance(
    risk_sets: &RiskSets,
    coef: &DVector<f64>,
    inverse: &DMatrix<f64>,
    cluster_of: &[usize],
    n_clusters: usize,
) -> DMatrix<f64> {
    let n_terms = coef.len();
    let mut summed = vec![0.0; n_terms * n_clusters];
    for (position, residual) in score_residuals(risk_sets, coef).chunks_exact(n_terms).enumerate() {
        let cluster = cluster_of[risk_sets.input_row[position]];
        let sums = &mut summed[cluster * n_terms..(cluster + 1) * n_terms];
        sums.iter_mut().zip(residual).for_each(|(sum, residual)| *sum += residual);
    }
    let mut meat = DMatrix::<f64>::zeros(n_terms, n_terms);
    for score in summed.chunks_exact(n_terms) {
        for (a, x) in score.iter().enumerate() {
            for (b, y) in score.iter().enumerate() {
                meat[(a, b)] += x * y;
            }
        }
    }
    inverse * meat * inverse
}

/// What every event time adds to the residuals of the records that reach it.
struct Increment {
    block: Block,
    hazard: f64,
    /// Hazard · mean, the share of it that those with the event see, and their mean covariates.
    hazard_mean: Vec<f64>,
    own_hazard: f64,
    own_hazard_mean: Vec<f64>,
    mean: Vec<f64>,
}

/// The score residual of every record, in the order of the risk sets, one row of terms after the other: what it brought to
/// the score, less what the model expected of it while at risk.
fn score_residuals(risk_sets: &RiskSets, coef: &DVector<f64>) -> Vec<f64> {
    let n_terms = coef.len();
    let log_hazards = risk_sets.covariates.log_hazards(coef);
    let mut increments = Vec::with_capacity(risk_sets.blocks.len());
    risk_sets.walk(coef, |block, event_time| increments.push(Increment::new(block, event_time)));
    let mut residuals = vec![0.0; n_terms * log_hazards.len()];
    // Within a stratum from the first event on: a record reaches the event time of its own block and all earlier ones.
    let (mut hazard, mut mean) = (0.0, vec![0.0; n_terms]);
    for increment in increments.iter().rev() {
        let block = &increment.block;
        let (before, mean_before) = (hazard, mean.clone());
        hazard += increment.hazard;
        mean.iter_mut().zip(&increment.hazard_mean).for_each(|(sum, add)| *sum += add);
        for row in block.start..block.end {
            let weight = log_hazards[row].exp();
            let has_event = row >= block.events_from;
            let passed = if has_event { before + increment.own_hazard } else { hazard };
            for (term, x) in risk_sets.covariates.row(row).iter().enumerate() {
                let (observed, mean) = if has_event {
                    (x - increment.mean[term], mean_before[term] + increment.own_hazard_mean[term])
                } else {
                    (0.0, mean[term])
                };
                residuals[row * n_terms + term] = observed - (x * passed - mean) * weight;
            }
        }
        if block.opens_stratum {
            hazard = 0.0;
            mean.fill(0.0);
        }
    }
    residuals
}

impl Increment {
    fn new(block: &Block, event_time: &EventTime) -> Self {
        Self {
            block: *block,
            hazard: event_time.hazard,
            hazard_mean: event_time.hazard_mean.clone(),
            own_hazard: event_time.own_hazard,
            own_hazard_mean: event_time.own_hazard_mean.clone(),
            mean: event_time.mean.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cox::{CoxSubject, Ties, fit};

    #[test]
    fn residuals_of_all_records_cancel_at_the_maximum_with_ties_too() {
        let rows = [
            (1.0, true, 0.3),
            (2.0, true, -1.0),
            (2.0, true, 0.9),
            (2.0, false, 0.5),
            (4.0, true, 0.1),
            (6.0, false, -0.4),
        ];
        let subjects = rows.map(|(time, event, covariate)| CoxSubject {
            time,
            event,
            covariates: vec![covariate],
            cluster: None,
            stratum: None,
        });
        for ties in [Ties::Efron, Ties::Breslow] {
            let (cox_fit, risk_sets) = fit(&["x"], &subjects, ties).unwrap();
            let residuals = score_residuals(&risk_sets, &DVector::from_vec(cox_fit.coef));
            assert!(residuals.iter().sum::<f64>().abs() < 1e-10);
            let second = risk_sets.input_row.iter().position(|&row| row == 1).unwrap();
            assert!(residuals[second].abs() > 0.1, "single residuals do not vanish");
        }
    }
}
