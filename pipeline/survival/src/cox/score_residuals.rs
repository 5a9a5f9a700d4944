//! Cluster-robust covariance of the coefficients: the sandwich of summed score residuals.
//!
//! Source: Lin and Wei 1989; score residuals with tied events as in Therneau and Grambsch 2000, section 4.6.

use nalgebra::{DMatrix, DVector};

use super::partial_likelihood::{EventTime, RiskSets};

/// V (Σ over clusters of U Uᵀ) V, with U the sum of the score residuals of one cluster and V the inverse information. No
/// small-sample factor, as in R `coxph`.
pub(super) fn robust_covariance(
    risk_sets: &RiskSets,
    event_times: &[EventTime],
    coef: &DVector<f64>,
    inverse: &DMatrix<f64>,
    cluster_of: &[usize],
    n_clusters: usize,
) -> DMatrix<f64> {
    let n_terms = coef.len();
    let mut summed = vec![DVector::<f64>::zeros(n_terms); n_clusters];
    for (residual, &cluster) in score_residuals(risk_sets, event_times, coef).iter().zip(cluster_of) {
        summed[cluster] += residual;
    }
    let mut meat = DMatrix::zeros(n_terms, n_terms);
    for score in &summed {
        meat.ger(1.0, score, score, 1.0);
    }
    inverse * meat * inverse
}

/// The score residual of every record: what it brought to the score, less what the model expected of it while at risk.
fn score_residuals(risk_sets: &RiskSets, event_times: &[EventTime], coef: &DVector<f64>) -> Vec<DVector<f64>> {
    let weights = risk_sets.relative_hazards(coef);
    // Cumulative hazard and its mean up to and including each event time, ascending.
    let ascending: Vec<&EventTime> = event_times.iter().rev().collect();
    let mut cumulative = vec![(0.0, DVector::<f64>::zeros(coef.len()))];
    for event_time in &ascending {
        let (hazard, mean) = &cumulative[cumulative.len() - 1];
        cumulative.push((hazard + event_time.hazard, mean + &event_time.hazard_mean));
    }
    (0..weights.len())
        .map(|row| {
            let (time, covariates) = (risk_sets.time[row], &risk_sets.covariates[row]);
            let passed = ascending.partition_point(|event_time| event_time.time <= time);
            let (mut hazard, mut mean) = cumulative[passed].clone();
            let mut observed = DVector::zeros(coef.len());
            if risk_sets.event[row] {
                // The record's own event time is the last one passed; there it is counted in part.
                let own = ascending[passed - 1];
                observed = covariates - &own.mean;
                hazard += own.own_hazard - own.hazard;
                mean += &own.own_hazard_mean - &own.hazard_mean;
            }
            observed - (covariates * hazard - mean) * weights[row]
        })
        .collect()
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
        let subjects =
            rows.map(|(time, event, covariate)| CoxSubject { time, event, covariates: vec![covariate], cluster: None });
        for ties in [Ties::Efron, Ties::Breslow] {
            let (cox_fit, risk_sets, event_times) = fit(&["x"], &subjects, ties).unwrap();
            let coef = DVector::from_vec(cox_fit.coef);
            let residuals = score_residuals(&risk_sets, &event_times, &coef);
            assert!(residuals.iter().sum::<DVector<f64>>()[0].abs() < 1e-10);
            assert!(residuals[1][0].abs() > 0.1, "single residuals do not vanish");
        }
    }
}
