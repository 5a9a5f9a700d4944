//! The log-rank test of k groups and its weighted relatives.
//!
//! Source: Mantel 1966; Gehan 1965; Tarone and Ware 1977; Peto and Peto 1972; Harrington and Fleming 1982; notation of
//! Klein and Moeschberger 2003, section 7.3.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::chi_squared::chi_squared_p;
use crate::observation::{Group, InputError, check_times};

/// The weight that each event time gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// 1: the log-rank test (Mantel).
    LogRank,
    /// Number at risk: Gehan's generalised Wilcoxon test, BRESLOW in SPSS.
    Gehan,
    /// Square root of the number at risk: Tarone and Ware.
    TaroneWare,
    /// Pooled Kaplan–Meier S just before the time: Peto and Peto as in R `survdiff(rho = 1)`.
    PetoPeto,
    /// Peto and Peto with S̃(t), the product of 1 − d / (n + 1) up to and including the time: as in lifelines.
    PetoPetoModified,
}

/// One test over all groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogRank {
    /// The chi-squared statistic.
    pub chisq: f64,
    /// Degrees of freedom: groups with anything expected, less one.
    pub df: usize,
    /// Two-sided p-value.
    pub p: f64,
    /// Weighted observed events of each group, in the order given.
    pub observed: Vec<f64>,
    /// Weighted expected events of each group under equality.
    pub expected: Vec<f64>,
}

/// Groups that cannot be compared.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum LogRankError {
    /// A group has no subject or an unusable time.
    #[error("group \"{label}\": {source}")]
    Group {
        /// The group's label.
        label: String,
        /// What is wrong with it.
        source: InputError,
    },
    /// Fewer than two groups.
    #[error("expected at least two groups to compare, found {found}")]
    TooFewGroups {
        /// How many were given.
        found: usize,
    },
    /// Nobody had the event.
    #[error("no events in any group: there is nothing to compare")]
    NoEvents,
    /// At each event time only one group was at risk.
    #[error("at no event time was more than one group at risk: the groups' observation periods do not overlap")]
    NoOverlap,
}

/// At risk and events of every group at one event time.
struct EventTime {
    n_risk: Vec<f64>,
    n_event: Vec<f64>,
}

/// Tests whether all groups have the same hazard.
///
/// With w the weight, d and n the events and numbers at risk at an event time, group g contributes w (d_g − d n_g / n), with
/// the hypergeometric covariance w² d (n − d) / (n − 1) · n_g/n · (1[g=h] − n_h/n). The test assumes independent subjects.
pub fn log_rank(groups: &[Group<'_>], weighting: Weighting) -> Result<LogRank, LogRankError> {
    let event_times = event_times(groups)?;
    let n_groups = groups.len();
    let mut observed = vec![0.0; n_groups];
    let mut expected = vec![0.0; n_groups];
    let mut covariance = DMatrix::<f64>::zeros(n_groups, n_groups);
    let (mut surv_before, mut surv_modified) = (1.0, 1.0);
    for EventTime { n_risk, n_event } in &event_times {
        let (n, d) = (n_risk.iter().sum::<f64>(), n_event.iter().sum::<f64>());
        surv_modified *= 1.0 - d / (n + 1.0);
        let weight = match weighting {
            Weighting::LogRank => 1.0,
            Weighting::Gehan => n,
            Weighting::TaroneWare => n.sqrt(),
            Weighting::PetoPeto => surv_before,
            Weighting::PetoPetoModified => surv_modified,
        };
        surv_before *= (n - d) / n;
        let spread = if n > 1.0 { weight * weight * d * (n - d) / (n - 1.0) } else { 0.0 };
        for g in 0..n_groups {
            observed[g] += weight * n_event[g];
            expected[g] += weight * d * n_risk[g] / n;
            for h in 0..n_groups {
                let own = if g == h { 1.0 } else { 0.0 };
                covariance[(g, h)] += spread * n_risk[g] / n * (own - n_risk[h] / n);
            }
        }
    }
    let (chisq, df) = quadratic_form(&observed, &expected, &covariance)?;
    Ok(LogRank { chisq, df, p: chi_squared_p(chisq, df), observed, expected })
}

/// (O − E)ᵀ V⁻¹ (O − E) over all but one of the groups with anything expected.
fn quadratic_form(observed: &[f64], expected: &[f64], covariance: &DMatrix<f64>) -> Result<(f64, usize), LogRankError> {
    let mut compared: Vec<usize> = (0..expected.len()).filter(|&g| expected[g] > 0.0).collect();
    compared.pop();
    let df = compared.len();
    if df == 0 {
        return Err(LogRankError::NoOverlap);
    }
    let difference = DVector::from_iterator(df, compared.iter().map(|&g| observed[g] - expected[g]));
    let covariance = covariance.select_rows(&compared).select_columns(&compared);
    let solved = covariance.cholesky().ok_or(LogRankError::NoOverlap)?.solve(&difference);
    Ok((difference.dot(&solved), df))
}

/// The distinct event times over all groups, ascending.
fn event_times(groups: &[Group<'_>]) -> Result<Vec<EventTime>, LogRankError> {
    if groups.len() < 2 {
        return Err(LogRankError::TooFewGroups { found: groups.len() });
    }
    for group in groups {
        check_times(group.observations.iter().map(|seen| seen.time))
            .map_err(|source| LogRankError::Group { label: group.label.to_owned(), source })?;
    }
    let mut pooled: Vec<(f64, usize, bool)> = groups
        .iter()
        .enumerate()
        .flat_map(|(g, group)| group.observations.iter().map(move |seen| (seen.time, g, seen.event)))
        .collect();
    pooled.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut at_risk: Vec<f64> = groups.iter().map(|group| group.observations.len() as f64).collect();
    let mut event_times = Vec::new();
    for tied in pooled.chunk_by(|a, b| a.0 == b.0) {
        let mut n_event = vec![0.0; groups.len()];
        for &(_, g, _) in tied.iter().filter(|(_, _, event)| *event) {
            n_event[g] += 1.0;
        }
        if n_event.iter().any(|&d| d > 0.0) {
            event_times.push(EventTime { n_risk: at_risk.clone(), n_event });
        }
        for &(_, g, _) in tied {
            at_risk[g] -= 1.0;
        }
    }
    if event_times.is_empty() { Err(LogRankError::NoEvents) } else { Ok(event_times) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TimeToEvent;

    fn rows(rows: &[(f64, bool)]) -> Vec<TimeToEvent> {
        rows.iter().map(|&(time, event)| TimeToEvent { time, event }).collect()
    }

    fn test(groups: &[&[TimeToEvent]], weighting: Weighting) -> Result<LogRank, LogRankError> {
        let groups: Vec<_> = groups.iter().map(|&observations| Group { label: "arm", observations }).collect();
        log_rank(&groups, weighting)
    }

    #[test]
    fn two_pairs_by_hand() {
        // a dies at 1 and 2, b at 3 and 4. E_a: 2/4 + 1/3, then nobody of a is left. V: 1/4 + 2/9.
        let (a, b) = (rows(&[(1.0, true), (2.0, true)]), rows(&[(3.0, true), (4.0, true)]));
        let found = test(&[&a, &b], Weighting::LogRank).unwrap();
        assert!((found.expected[0] - 5.0 / 6.0).abs() < 1e-15);
        let chisq = (2.0 - 5.0 / 6.0_f64).powi(2) / (0.25 + 2.0 / 9.0);
        assert!((found.chisq - chisq).abs() < 1e-12);
        assert_eq!(found.df, 1);
    }

    #[test]
    fn the_order_of_the_groups_does_not_matter() {
        let a = rows(&[(1.0, true), (4.0, false), (6.0, true)]);
        let b = rows(&[(2.0, true), (2.0, true), (9.0, true)]);
        let c = rows(&[(3.0, false), (5.0, true), (7.0, true)]);
        for weighting in [Weighting::LogRank, Weighting::Gehan, Weighting::TaroneWare, Weighting::PetoPeto] {
            let forth = test(&[&a, &b, &c], weighting).unwrap();
            let back = test(&[&c, &b, &a], weighting).unwrap();
            assert!((forth.chisq - back.chisq).abs() < 1e-12);
            assert_eq!(forth.df, 2);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let (a, none) = (rows(&[(1.0, true)]), rows(&[]));
        assert_eq!(test(&[&a], Weighting::LogRank), Err(LogRankError::TooFewGroups { found: 1 }));
        assert!(matches!(test(&[&a, &none], Weighting::LogRank), Err(LogRankError::Group { .. })));
        let censored = rows(&[(1.0, false)]);
        assert_eq!(test(&[&censored, &censored], Weighting::LogRank), Err(LogRankError::NoEvents));
        // The second group was never under observation when an event happened.
        let late = rows(&[(5.0, true), (6.0, true)]);
        assert_eq!(test(&[&late, &censored], Weighting::LogRank), Err(LogRankError::NoOverlap));
    }
}
