//! Cox's proportional hazards model: coefficients, hazard ratios, Wald and likelihood ratio tests.
//!
//! Source: Cox 1972; ties by Efron 1977 or Breslow 1974; standard errors that allow for several records of one subject by
//! Lin and Wei 1989.

pub mod concordance;
pub(crate) mod covariates;
pub mod firth;
pub(crate) mod newton;
pub(crate) mod partial_likelihood;
pub mod proportional_hazards;
mod score_residuals;

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Z_95;
use crate::chi_squared::{chi_squared_p, two_sided_normal_p};
use crate::observation::InputError;
use newton::Fit;
use partial_likelihood::RiskSets;

/// How events of one time share their risk set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ties {
    /// Efron's average over the orders. The default of R and lifelines.
    Efron,
    /// Breslow: every tied event sees the whole risk set. The default of SPSS.
    Breslow,
}

/// One record of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoxSubject {
    /// Time from the origin to the event or to the end of observation.
    pub time: f64,
    /// True: the event happened at `time`.
    pub event: bool,
    /// One value per term, in the order of the terms; categories are coded by the caller against a named reference.
    pub covariates: Vec<f64>,
    /// Records of one cluster (one patient) share a number; `None` stands alone. Any `Some` gives cluster-robust errors.
    pub cluster: Option<usize>,
    /// Records of one stratum share a number and a baseline hazard; `None` is a stratum of its own.
    pub stratum: Option<usize>,
}

/// A chi-squared test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChiSquaredTest {
    /// The statistic.
    pub chisq: f64,
    /// Degrees of freedom.
    pub df: usize,
    /// Two-sided p-value.
    pub p: f64,
}

impl ChiSquaredTest {
    pub(crate) fn new(chisq: f64, df: usize) -> Self {
        Self { chisq, df, p: chi_squared_p(chisq, df) }
    }
}

/// A fitted model; the lists are parallel to `terms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoxFit {
    /// Names of the covariates.
    pub terms: Vec<String>,
    /// Log hazard ratios per unit.
    pub coef: Vec<f64>,
    /// Their standard errors; robust when `n_clusters` is given.
    pub se: Vec<f64>,
    /// Hazard ratios, exp(coef).
    pub hr: Vec<f64>,
    /// Lower bound of the hazard ratio, exp(coef − z·se).
    pub lower: Vec<f64>,
    /// Upper bound of the hazard ratio.
    pub upper: Vec<f64>,
    /// Two-sided Wald p-values.
    pub p: Vec<f64>,
    /// Log partial likelihood with all coefficients 0, and at the fit.
    pub loglik: [f64; 2],
    /// Likelihood ratio test of all terms together; assumes independent records.
    pub lr: ChiSquaredTest,
    /// Wald test of all terms together.
    pub wald: ChiSquaredTest,
    /// Score test of all terms together; assumes independent records.
    pub score: ChiSquaredTest,
    /// Records used.
    pub n: usize,
    /// Events among them.
    pub events: usize,
    /// Treatment of ties.
    pub ties: Ties,
    /// Clusters behind robust errors; absent when errors are the model's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub n_clusters: Option<usize>,
    /// Errors under independence, beside robust ones; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub se_independent: Option<Vec<f64>>,
    /// What a reader must know before trusting the fit: few events per term, extreme coefficients.
    pub cautions: Vec<String>,
}

/// A model that cannot be fitted.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum CoxError {
    /// No subject, or an unusable time.
    #[error(transparent)]
    Input(#[from] InputError),
    /// No covariate was named.
    #[error("expected at least one term, found none")]
    NoTerms,
    /// A record has another number of covariates than there are terms.
    #[error("expected {expected} covariates, found {found} at row {row} (counted from 0)")]
    WrongCovariates {
        /// Position in the input, from 0.
        row: usize,
        /// Number of terms.
        expected: usize,
        /// Number of covariates in the row.
        found: usize,
    },
    /// A covariate is not a finite number.
    #[error(
        "term \"{term}\" is not a number at row {row} (counted from 0): leave incomplete records out and say how many"
    )]
    BadCovariate {
        /// Position in the input, from 0.
        row: usize,
        /// The term.
        term: String,
    },
    /// Nobody had the event.
    #[error("no events: there is nothing to model")]
    NoEvents,
    /// A term does not vary, or follows from the terms before it.
    #[error(
        "term \"{term}\" does not vary among those at risk, or follows from the terms before it: remove it from the model"
    )]
    DependentTerm {
        /// The term.
        term: String,
    },
    /// Robust errors need more clusters than terms.
    #[error("expected more clusters than the {terms} terms, found {found}: robust errors cannot be estimated")]
    TooFewClusters {
        /// Number of terms.
        terms: usize,
        /// Number of clusters.
        found: usize,
    },
    /// The clusters' contributions do not span all terms.
    #[error("the contributions of the clusters are linearly dependent: robust errors cannot be estimated")]
    DependentClusters,
    /// Even the penalised likelihood has no maximum within reach.
    #[error("the penalised likelihood of {n_terms} terms has no maximum within reach: use fewer terms")]
    NoPenalisedMaximum {
        /// Number of terms.
        n_terms: usize,
    },
    /// The likelihood keeps growing while a coefficient runs away: a group without events, or separation.
    #[error(
        "the coefficient of \"{term}\" grows without bound (a category without events, or separation): merge categories or use a penalised (Firth) model"
    )]
    Separation {
        /// The term whose coefficient moved most.
        term: String,
    },
}

/// Below this number of events per term coefficients are unstable (Peduzzi 1995).
const EVENTS_PER_TERM: usize = 10;
/// Below this number of clusters robust errors tend to be too small (Cameron and Miller 2015, section VI).
const ENOUGH_CLUSTERS: usize = 20;
/// A log hazard ratio per unit beyond this is hardly ever real.
const EXTREME_COEFFICIENT: f64 = 10.0;

/// Fits the model by Newton–Raphson from 0, to a relative change of the log likelihood below 1e-12 and settled coefficients.
pub fn cox(terms: &[&str], subjects: &[CoxSubject], ties: Ties) -> Result<CoxFit, CoxError> {
    fit(terms, subjects, ties).map(|(cox_fit, _)| cox_fit)
}

/// The fitted model with its risk sets, for what builds on them.
pub(crate) fn fit(terms: &[&str], subjects: &[CoxSubject], ties: Ties) -> Result<(CoxFit, RiskSets), CoxError> {
    let risk_sets = RiskSets::new(terms, subjects, ties)?;
    let clusters = clusters(subjects);
    if let Some((_, found)) = clusters.as_ref().filter(|(_, found)| *found <= terms.len()) {
        return Err(CoxError::TooFewClusters { terms: terms.len(), found: *found });
    }
    let events = subjects.iter().filter(|subject| subject.event).count();
    let Fit { coef, inverse, loglik, score_statistic } =
        newton::maximise(terms, &risk_sets.covariates.sizes(), events, |coef| risk_sets.derivatives(coef))?;
    let robust = clusters
        .as_ref()
        .map(|(cluster_of, n)| score_residuals::robust_covariance(&risk_sets, &coef, &inverse, cluster_of, *n));
    let independent = standard_errors(&inverse);
    let covariance = robust.as_ref().unwrap_or(&inverse);
    let se = standard_errors(covariance);
    let factor = covariance.clone().cholesky().ok_or(CoxError::DependentClusters)?;
    let wald = coef.dot(&factor.solve(&coef));
    let n_clusters = clusters.map(|(_, n)| n);
    let ratio = |sign: f64| coef.iter().zip(&se).map(|(coef, se)| (coef + sign * Z_95 * se).exp()).collect();
    let cox_fit = CoxFit {
        terms: terms.iter().map(|&term| term.to_owned()).collect(),
        hr: ratio(0.0),
        lower: ratio(-1.0),
        upper: ratio(1.0),
        p: coef.iter().zip(&se).map(|(coef, se)| two_sided_normal_p(coef / se)).collect(),
        loglik,
        lr: ChiSquaredTest::new(2.0 * (loglik[1] - loglik[0]), terms.len()),
        wald: ChiSquaredTest::new(wald, terms.len()),
        score: ChiSquaredTest::new(score_statistic, terms.len()),
        n: subjects.len(),
        events,
        ties,
        n_clusters,
        se_independent: robust.is_some().then_some(independent),
        cautions: cautions(terms, &coef, events, n_clusters),
        coef: coef.iter().copied().collect(),
        se,
    };
    Ok((cox_fit, risk_sets))
}

fn standard_errors(covariance: &DMatrix<f64>) -> Vec<f64> {
    covariance.diagonal().iter().map(|variance| variance.sqrt()).collect()
}

/// The cluster of every record, numbered from 0, and how many there are; none when no record names one.
pub(crate) fn clusters(subjects: &[CoxSubject]) -> Option<(Vec<usize>, usize)> {
    if subjects.iter().all(|subject| subject.cluster.is_none()) {
        return None;
    }
    let mut numbers = std::collections::BTreeMap::new();
    let mut n = 0;
    let mut next = || {
        n += 1;
        n - 1
    };
    let cluster_of = subjects
        .iter()
        .map(|subject| match subject.cluster {
            Some(cluster) => *numbers.entry(cluster).or_insert_with(&mut next),
            None => next(),
        })
        .collect();
    Some((cluster_of, n))
}

fn cautions(terms: &[&str], coef: &DVector<f64>, events: usize, n_clusters: Option<usize>) -> Vec<String> {
    let mut cautions = Vec::new();
    if let Some(n_clusters) = n_clusters.filter(|&n| n < ENOUGH_CLUSTERS) {
        cautions.push(format!(
            "{n_clusters} clusters, fewer than {ENOUGH_CLUSTERS}: robust standard errors tend to be too small"
        ));
    }
    if events < EVENTS_PER_TERM * terms.len() {
        cautions.push(format!(
            "{events} events for {} terms, fewer than {EVENTS_PER_TERM} per term: coefficients are unstable, consider a penalised (Firth) model",
            terms.len()
        ));
    }
    for (term, coef) in terms.iter().zip(coef.iter()).filter(|(_, coef)| coef.abs() > EXTREME_COEFFICIENT) {
        cautions.push(format!("coefficient of \"{term}\" is {coef:.1} per unit: check its unit and its coding"));
    }
    cautions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(time: f64, event: bool, covariate: f64) -> CoxSubject {
        CoxSubject { time, event, covariates: vec![covariate], cluster: None, stratum: None }
    }

    #[test]
    fn three_subjects_by_hand() {
        // x = 1, 0, 1 die in this order. With r = exp(b): L = r/(2r+1) · 1/(r+1), largest at 2r² = 1.
        let subjects = [subject(1.0, true, 1.0), subject(2.0, true, 0.0), subject(3.0, true, 1.0)];
        let found = cox(&["x"], &subjects, Ties::Efron).unwrap();
        assert!((found.coef[0] + 0.5 * 2.0_f64.ln()).abs() < 1e-10);
        assert!((found.loglik[0] + 6.0_f64.ln()).abs() < 1e-14);
        assert_eq!((found.n, found.events), (3, 3));
        assert!(found.cautions[0].starts_with("3 events for 1 terms"));
    }

    #[test]
    fn separation_is_named_and_not_answered_with_a_number() {
        let subjects =
            [subject(1.0, true, 1.0), subject(2.0, true, 1.0), subject(3.0, false, 0.0), subject(4.0, false, 0.0)];
        assert_eq!(cox(&["arm"], &subjects, Ties::Efron), Err(CoxError::Separation { term: "arm".to_owned() }));
        // The only event has the largest value at its time: here rounding stops the climb and must not pass for a maximum.
        let subjects = [subject(10.0, true, 0.0), subject(0.0, false, 1.0), subject(10.0, false, -2.0)];
        assert_eq!(cox(&["x"], &subjects, Ties::Efron), Err(CoxError::Separation { term: "x".to_owned() }));
    }

    #[test]
    fn constant_and_collinear_terms_are_named() {
        let mut subjects: Vec<CoxSubject> = (0..6).map(|i| subject(f64::from(i), true, f64::from(i * i % 5))).collect();
        for subject in &mut subjects {
            subject.covariates.push(2.0 * subject.covariates[0] - 1.0);
        }
        let found = cox(&["age", "age_again"], &subjects, Ties::Efron);
        assert_eq!(found, Err(CoxError::DependentTerm { term: "age_again".to_owned() }));
        let constant = [subject(1.0, true, 4.0), subject(2.0, true, 4.0)];
        assert_eq!(cox(&["x"], &constant, Ties::Breslow), Err(CoxError::DependentTerm { term: "x".to_owned() }));
        // The mean of three times 0.1 is not 0.1; and one who left before the first event tells nothing.
        let rounded = [1.0, 2.0, 3.0].map(|time| subject(time, true, 0.1));
        assert_eq!(cox(&["x"], &rounded, Ties::Efron), Err(CoxError::DependentTerm { term: "x".to_owned() }));
        let left =
            [subject(0.5, false, 7.3), subject(1.0, true, 0.1), subject(2.0, true, 0.1), subject(3.0, true, 0.1)];
        assert_eq!(cox(&["x"], &left, Ties::Efron), Err(CoxError::DependentTerm { term: "x".to_owned() }));
    }

    #[test]
    fn unusable_records_are_refused() {
        assert_eq!(cox(&[], &[subject(1.0, true, 1.0)], Ties::Efron), Err(CoxError::NoTerms));
        assert_eq!(cox(&["x"], &[subject(1.0, false, 1.0)], Ties::Efron), Err(CoxError::NoEvents));
        assert!(matches!(
            cox(&["x", "y"], &[subject(1.0, true, 1.0)], Ties::Efron),
            Err(CoxError::WrongCovariates { .. })
        ));
        assert!(matches!(
            cox(&["x"], &[subject(1.0, true, f64::NAN)], Ties::Efron),
            Err(CoxError::BadCovariate { .. })
        ));
    }

    #[test]
    fn a_doubled_cohort_in_clusters_keeps_the_errors_of_the_single_one() {
        let times = [(1.0, true, 0.3), (2.0, true, -1.0), (3.0, false, 0.8), (4.0, true, 0.1), (6.0, true, -0.4)];
        let alone: Vec<CoxSubject> =
            (0..).zip(times).map(|(i, (t, e, x))| CoxSubject { cluster: Some(i), ..subject(t, e, x) }).collect();
        let doubled: Vec<CoxSubject> = alone.iter().chain(&alone).cloned().collect();
        let (alone, doubled) =
            (cox(&["x"], &alone, Ties::Breslow).unwrap(), cox(&["x"], &doubled, Ties::Breslow).unwrap());
        assert!((alone.coef[0] - doubled.coef[0]).abs() < 1e-10);
        assert!((alone.se[0] - doubled.se[0]).abs() < 1e-10, "copies of a patient bring no information");
        let independent = doubled.se_independent.unwrap()[0];
        assert!((independent * 2.0_f64.sqrt() - alone.se_independent.unwrap()[0]).abs() < 1e-10);
        assert_eq!(doubled.n_clusters, Some(5));
        assert!(doubled.cautions.iter().any(|caution| caution.starts_with("5 clusters")));
    }

    #[test]
    fn a_single_cluster_cannot_carry_robust_errors() {
        let subjects = [(1.0, 0.5), (2.0, 0.1), (3.0, 0.7)]
            .map(|(time, covariate)| CoxSubject { cluster: Some(7), ..subject(time, true, covariate) });
        assert_eq!(cox(&["x"], &subjects, Ties::Efron), Err(CoxError::TooFewClusters { terms: 1, found: 1 }));
    }
}
