//! The regression models of a table: Cox with its checks, penalised, screened, and Fine–Gray.

use serde::{Deserialize, Serialize};

use super::SummaryOptions;
use crate::cox::concordance::{Ranked, stratified_concordance};
use crate::cox::proportional_hazards::{ProportionalHazards, proportional_hazards};
use crate::record::{Record, complete};
use crate::screen::{Screen, ScreenVariable, screen};
use crate::{
    CoxError, CoxFit, CoxSubject, Estimate, FineGrayError, FineGrayFit, FineGraySubject, FirthFit, fine_gray, firth,
};

/// A Cox model with its checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoxSummary {
    /// The model.
    #[serde(flatten)]
    pub fit: CoxFit,
    /// Its proportional hazards, ending with the global test.
    #[serde(flatten)]
    pub zph: ProportionalHazards,
    /// Harrell's concordance, of pairs inside each stratum.
    pub concordance: Estimate<f64>,
    /// Its standard error.
    pub concordance_se: Option<f64>,
    /// Rows left out because a covariate is missing.
    pub n_incomplete: usize,
}

/// Positions of all terms.
fn all_terms(options: &SummaryOptions) -> Vec<usize> {
    (0..options.terms.len()).collect()
}

fn names(options: &SummaryOptions) -> Vec<&str> {
    options.terms.iter().map(String::as_str).collect()
}

/// Cox's model of all terms over the rows that have them.
pub(super) fn cox_summary(records: &[Record], options: &SummaryOptions) -> Result<CoxSummary, CoxError> {
    let subjects = complete(records, &all_terms(options));
    let (fit, zph) = proportional_hazards(&names(options), &subjects, options.ties())?;
    let concordance = stratified_concordance(&ranked(&subjects, &fit.coef));
    Ok(CoxSummary {
        concordance: concordance.map_or_else(
            || Estimate::not_evaluable("no pair of subjects can be ordered"),
            |found| Estimate::Value(found.concordance),
        ),
        concordance_se: concordance.map(|found| found.concordance_se),
        n_incomplete: records.len() - subjects.len(),
        fit,
        zph,
    })
}

/// The predicted risks, one list a stratum.
fn ranked(subjects: &[CoxSubject], coef: &[f64]) -> Vec<Vec<Ranked>> {
    let mut strata: std::collections::BTreeMap<Option<usize>, Vec<Ranked>> = std::collections::BTreeMap::new();
    for subject in subjects {
        let risk = subject.covariates.iter().zip(coef).map(|(x, coef)| x * coef).sum();
        strata.entry(subject.stratum).or_default().push(Ranked { time: subject.time, event: subject.event, risk });
    }
    strata.into_values().collect()
}

/// Firth's model of all terms over the rows that have them.
pub(super) fn firth_summary(records: &[Record], options: &SummaryOptions) -> Result<FirthFit, CoxError> {
    firth(&names(options), &complete(records, &all_terms(options)), options.ties())
}

/// The univariable models and the multivariable one.
pub(super) fn screened(records: &[Record], options: &SummaryOptions, threshold: f64) -> Screen {
    screen(records, &options.terms, &ScreenVariable::of_terms(&options.terms), options.ties(), threshold)
}

/// The Fine–Gray model of state 1 over the rows with a state and all covariates. Its errors do not allow for clusters, and it
/// has no strata.
pub(super) fn fine_gray_summary(records: &[Record], options: &SummaryOptions) -> Result<FineGrayFit, FineGrayError> {
    let terms = all_terms(options);
    let subject = |record: &Record| {
        let covariates = record.subject(&terms)?.covariates;
        Some(FineGraySubject { time: record.time, state: record.state?, covariates })
    };
    fine_gray(&names(options), &records.iter().filter_map(subject).collect::<Vec<_>>(), 1)
}
