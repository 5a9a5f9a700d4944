//! Test of proportional hazards: does a coefficient change with time?
//!
//! Source: Grambsch and Therneau 1994, as the score test of R `survival` 3's `cox.zph`, with time transformed by 1 − S(t−).

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::partial_likelihood::{Block, symmetric};
use super::{ChiSquaredTest, CoxError, CoxFit, CoxSubject, Ties, fit};
use crate::observation::{Step, TimeToEvent, steps};

/// A test per term and one of all together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProportionalHazards {
    /// Statistics with one degree of freedom each, in the order of the terms; the last is the global test.
    pub zph_chisq: Vec<f64>,
    /// Their p-values.
    pub zph_p: Vec<f64>,
}

/// Fits the model and tests its proportional hazards.
///
/// To the covariates x come x·g(t), g being 1 − S(t−) centred at its mean over the events; the score test of the new
/// coefficients at 0 is given for each term (the other new ones kept at 0) and for all.
pub fn proportional_hazards(
    terms: &[&str],
    subjects: &[CoxSubject],
    ties: Ties,
) -> Result<(CoxFit, ProportionalHazards), CoxError> {
    let (cox_fit, risk_sets) = fit(terms, subjects, ties)?;
    let transformed = transformed_times(subjects)?;
    let g_at = |block: &Block| {
        let entry = transformed.partition_point(|&(time, _)| time < block.time);
        transformed[entry].1
    };
    let g: Vec<f64> = risk_sets.blocks.iter().map(g_at).collect();
    let weighted: f64 = g.iter().zip(&risk_sets.blocks).map(|(g, block)| g * block.n_event() as f64).sum();
    let centre = weighted / cox_fit.events as f64;
    let n_terms = terms.len();
    let n_entries = n_terms * (n_terms + 1) / 2;
    let mut score = DVector::<f64>::zeros(2 * n_terms);
    // Information times 1, g and g².
    let mut upper = [vec![0.0; n_entries], vec![0.0; n_entries], vec![0.0; n_entries]];
    let mut g = g.into_iter();
    risk_sets.walk(&DVector::from_column_slice(&cox_fit.coef), |_, event_time| {
        let g = g.next().map_or(0.0, |g| g - centre);
        // The score of x itself is 0 at the maximum.
        score.iter_mut().skip(n_terms).zip(&event_time.score).for_each(|(sum, x)| *sum += x * g);
        for (sums, factor) in upper.iter_mut().zip([1.0, g, g * g]) {
            sums.iter_mut().zip(&event_time.information).for_each(|(sum, x)| *sum += x * factor);
        }
    });
    let mut information = DMatrix::<f64>::zeros(2 * n_terms, 2 * n_terms);
    for (row, column, power) in [(0, 0, 0), (0, n_terms, 1), (n_terms, 0, 1), (n_terms, n_terms, 2)] {
        information.view_mut((row, column), (n_terms, n_terms)).copy_from(&symmetric(&upper[power], n_terms));
    }
    let mut tests: Vec<ChiSquaredTest> =
        (n_terms..2 * n_terms).map(|term| score_test(&score, &information, n_terms, term..term + 1)).collect();
    tests.push(score_test(&score, &information, n_terms, n_terms..2 * n_terms));
    let zph = ProportionalHazards {
        zph_chisq: tests.iter().map(|test| test.chisq).collect(),
        zph_p: tests.iter().map(|test| test.p).collect(),
    };
    Ok((cox_fit, zph))
}

/// 1 − S(t−) at every distinct time, ascending; S is pooled over strata.
fn transformed_times(subjects: &[CoxSubject]) -> Result<Vec<(f64, f64)>, CoxError> {
    let seen: Vec<_> =
        subjects.iter().map(|subject| TimeToEvent { time: subject.time, event: subject.event }).collect();
    let mut surv = 1.0;
    let step = |step: Step| {
        let before = surv;
        surv *= (step.n_risk - step.n_event) as f64 / step.n_risk as f64;
        (step.time, 1.0 - before)
    };
    Ok(steps(&seen)?.into_iter().map(step).collect())
}

/// The score test of the new coefficients `tested`, the model's own being estimated. A singular information (all events at
/// one time) leaves nothing to test: statistic 0.
fn score_test(
    score: &DVector<f64>,
    information: &DMatrix<f64>,
    n_terms: usize,
    tested: std::ops::Range<usize>,
) -> ChiSquaredTest {
    let df = tested.len();
    let kept: Vec<usize> = (0..n_terms).chain(tested).collect();
    let score = score.select_rows(&kept);
    let information = information.select_rows(&kept).select_columns(&kept);
    let statistic = information.cholesky().map_or(0.0, |factor| score.dot(&factor.solve(&score)));
    ChiSquaredTest::new(statistic, df)
}
