//! Test of proportional hazards: does a coefficient change with time?
//!
//! Source: Grambsch and Therneau 1994, as the score test of R `survival` 3's `cox.zph`, with time transformed by 1 − S(t−).

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::{ChiSquaredTest, CoxError, CoxFit, CoxSubject, Ties, fit};
use crate::kaplan_meier::{IntervalScale, kaplan_meier};
use crate::observation::TimeToEvent;

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
    let (cox_fit, _, event_times) = fit(terms, subjects, ties)?;
    let seen: Vec<_> =
        subjects.iter().map(|subject| TimeToEvent { time: subject.time, event: subject.event }).collect();
    let curve = kaplan_meier(&seen, IntervalScale::Log)?;
    let transformed: Vec<f64> = event_times
        .iter()
        .map(|event_time| {
            let before = curve.time.partition_point(|&time| time < event_time.time).checked_sub(1);
            1.0 - before.map_or(1.0, |entry| curve.surv[entry])
        })
        .collect();
    let n_events: f64 = event_times.iter().map(|event_time| event_time.n_event).sum();
    let weighted = transformed.iter().zip(&event_times).map(|(g, event_time)| g * event_time.n_event);
    let centre = weighted.sum::<f64>() / n_events;
    let n_terms = terms.len();
    let mut score = DVector::<f64>::zeros(2 * n_terms);
    let mut information = DMatrix::<f64>::zeros(2 * n_terms, 2 * n_terms);
    for (event_time, transformed) in event_times.iter().zip(transformed) {
        let g = transformed - centre;
        // The score of x itself is 0 at the maximum.
        let mut time_score = score.rows_mut(n_terms, n_terms);
        time_score += &event_time.score * g;
        for (row, column, factor) in [(0, 0, 1.0), (0, n_terms, g), (n_terms, 0, g), (n_terms, n_terms, g * g)] {
            let mut block = information.view_mut((row, column), (n_terms, n_terms));
            block += &event_time.information * factor;
        }
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
