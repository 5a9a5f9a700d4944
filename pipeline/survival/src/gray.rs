//! Gray's test: is the cumulative incidence of one cause the same in all groups?
//!
//! Source: Gray 1988, Annals of Statistics 16:1141, with weight 1 (ρ = 0).

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::chi_squared::chi_squared_p;
use crate::competing_risks::tie_correction;
use crate::observation::{Group, InputError, TimeToState, check_times};

/// Gray's test of one cause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GrayTest {
    /// The chi-squared statistic.
    pub stat: f64,
    /// Degrees of freedom: groups less one.
    pub df: usize,
    /// Two-sided p-value.
    pub p: f64,
}

/// Groups that Gray's test cannot compare.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GrayError {
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
    #[error("no event of state {state} in any group: there is nothing to compare")]
    NoEvents {
        /// The state asked for.
        state: u32,
    },
    /// The covariance of the scores is singular.
    #[error("the groups' risk sets do not overlap: the variance of the scores is singular")]
    NoOverlap,
}

/// One group just before and just after a time.
#[derive(Debug, Clone, Copy)]
struct GroupState {
    n_risk: f64,
    /// Survival from all causes, before and after.
    surv_before: f64,
    surv: f64,
    /// Cumulative incidence of the cause, before and after.
    incidence_before: f64,
    incidence: f64,
    of_interest: f64,
    competing: f64,
}

impl GroupState {
    /// n / S(t−), the size of the risk set had nobody left it.
    fn restored(&self) -> f64 {
        if self.n_risk > 0.0 { self.n_risk / self.surv_before } else { 0.0 }
    }
}

/// The running sums of the test.
struct Sums {
    score: DVector<f64>,
    covariance: DMatrix<f64>,
    /// Integral of the weights a against the hazard of the pooled incidence.
    drift: DMatrix<f64>,
    /// Cross terms and variances of each group's martingales, which the drift multiplies at the end.
    cross: DMatrix<f64>,
    own: DVector<f64>,
    /// Pooled cumulative incidence under equality.
    pooled: f64,
}

/// Tests whether the cumulative incidence of `state` is the same in all groups.
///
/// The score of group i is the sum of d₁ᵢ − d₁ Rᵢ/R with Rᵢ = nᵢ (1 − Fᵢ(t−)) / Sᵢ(t−); its variance follows from Gray's
/// martingale expansion under equal incidence, other causes being free to differ.
pub fn gray_test(groups: &[Group<'_, TimeToState>], state: u32) -> Result<GrayTest, GrayError> {
    check(groups, state)?;
    let n_groups = groups.len();
    let mut pooled: Vec<(f64, usize, u32)> = groups
        .iter()
        .enumerate()
        .flat_map(|(g, group)| group.observations.iter().map(move |seen| (seen.time, g, seen.state)))
        .collect();
    pooled.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut states: Vec<GroupState> = groups.iter().map(|group| at_origin(group.observations.len())).collect();
    let mut sums = Sums::new(n_groups);
    for tied in pooled.chunk_by(|a, b| a.0 == b.0) {
        for &(_, g, found) in tied.iter().filter(|(_, _, found)| *found > 0) {
            if found == state {
                states[g].of_interest += 1.0;
            } else {
                states[g].competing += 1.0;
            }
        }
        if tied.iter().any(|&(_, _, found)| found > 0) {
            states.iter_mut().for_each(GroupState::step);
            sums.add(&states);
        }
        for group in &mut states {
            group.surv_before = group.surv;
            group.incidence_before = group.incidence;
            (group.of_interest, group.competing) = (0.0, 0.0);
        }
        for &(_, g, _) in tied {
            states[g].n_risk -= 1.0;
        }
    }
    let stat = sums.statistic().ok_or(GrayError::NoOverlap)?;
    Ok(GrayTest { stat, df: n_groups - 1, p: chi_squared_p(stat, n_groups - 1) })
}

fn check(groups: &[Group<'_, TimeToState>], state: u32) -> Result<(), GrayError> {
    if groups.len() < 2 {
        return Err(GrayError::TooFewGroups { found: groups.len() });
    }
    for group in groups {
        check_times(group.observations.iter().map(|seen| seen.time))
            .map_err(|source| GrayError::Group { label: group.label.to_owned(), source })?;
    }
    let happened = state > 0 && groups.iter().flat_map(|group| group.observations).any(|seen| seen.state == state);
    if happened { Ok(()) } else { Err(GrayError::NoEvents { state }) }
}

fn at_origin(n: usize) -> GroupState {
    GroupState {
        n_risk: n as f64,
        surv_before: 1.0,
        surv: 1.0,
        incidence_before: 0.0,
        incidence: 0.0,
        of_interest: 0.0,
        competing: 0.0,
    }
}

impl GroupState {
    /// Moves survival and incidence over the events of this time.
    fn step(&mut self) {
        if self.n_risk > 0.0 {
            self.surv = self.surv_before * (self.n_risk - self.of_interest - self.competing) / self.n_risk;
            self.incidence = self.incidence_before + self.surv_before * self.of_interest / self.n_risk;
        }
    }
}

impl Sums {
    fn new(n: usize) -> Self {
        Self {
            score: DVector::zeros(n),
            covariance: DMatrix::zeros(n, n),
            drift: DMatrix::zeros(n, n),
            cross: DMatrix::zeros(n, n),
            own: DVector::zeros(n),
            pooled: 0.0,
        }
    }

    fn add(&mut self, groups: &[GroupState]) {
        let n_groups = groups.len();
        let restored: f64 = groups.iter().map(GroupState::restored).sum();
        let of_interest: f64 = groups.iter().map(|group| group.of_interest).sum();
        let sub_risk = |group: &GroupState| group.restored() * (1.0 - group.incidence_before);
        let sub_risk_sum: f64 = groups.iter().map(sub_risk).sum();
        let pooled_after = self.pooled + of_interest / restored;
        let weight = DMatrix::from_fn(n_groups, n_groups, |i, j| {
            let own = if i == j { 1.0 } else { 0.0 };
            groups[i].restored() * (own - groups[j].restored() / restored)
        });
        self.drift += &weight * (of_interest / (restored * (1.0 - self.pooled)));
        for (g, group) in groups.iter().enumerate() {
            self.score[g] += group.of_interest - of_interest * sub_risk(group) / sub_risk_sum;
        }
        for (k, group) in groups.iter().enumerate().filter(|(_, group)| group.n_risk > 0.0) {
            let ratio = if group.surv > 0.0 { (1.0 - pooled_after) / group.surv } else { 0.0 };
            if of_interest > 0.0 {
                // Under equality the group's share of the events is estimated from all of them.
                let tied = tie_correction(of_interest, restored * group.surv_before);
                let variance = tied * group.surv_before * of_interest / (restored * group.n_risk);
                self.add_martingale(k, &weight.column(k).into_owned(), 1.0 - ratio, variance);
            }
            if group.competing > 0.0 && group.surv > 0.0 {
                let tied = tie_correction(group.competing, group.n_risk);
                let variance = tied * group.surv_before.powi(2) * group.competing / group.n_risk.powi(2);
                self.add_martingale(k, &DVector::zeros(n_groups), -ratio, variance);
            }
        }
        self.pooled = pooled_after;
    }

    /// Adds one martingale increment of group `k`: it enters score i as `direct`[i] + `reach` (C − drift)[i, k], where C is
    /// the drift at the end of observation, known only then.
    fn add_martingale(&mut self, k: usize, direct: &DVector<f64>, reach: f64, variance: f64) {
        let known = direct - self.drift.column(k) * reach;
        self.own[k] += reach * reach * variance;
        let mut cross = self.cross.column_mut(k);
        cross += &known * (reach * variance);
        self.covariance += &known * known.transpose() * variance;
    }

    /// scoreᵀ V⁻¹ score without the last group; `None` when V is singular.
    fn statistic(&self) -> Option<f64> {
        let spread = &self.drift * DMatrix::from_diagonal(&self.own) * self.drift.transpose();
        let mixed = &self.drift * self.cross.transpose();
        let covariance = &self.covariance + spread + &mixed + mixed.transpose();
        let df = self.score.len() - 1;
        let score = self.score.rows(0, df).into_owned();
        let solved = covariance.view((0, 0), (df, df)).into_owned().cholesky()?.solve(&score);
        Some(score.dot(&solved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TimeToEvent, Weighting, log_rank};

    fn rows(rows: &[(f64, u32)]) -> Vec<TimeToState> {
        rows.iter().map(|&(time, state)| TimeToState { time, state }).collect()
    }

    #[test]
    fn identical_groups_do_not_differ() {
        let rows = rows(&[(1.0, 1), (2.0, 2), (3.0, 0), (4.0, 1), (5.0, 2)]);
        let groups = [Group { label: "a", observations: &rows }, Group { label: "b", observations: &rows }];
        let found = gray_test(&groups, 1).unwrap();
        assert!(found.stat.abs() < 1e-20 && found.p == 1.0, "{found:?}");
    }

    #[test]
    fn without_competing_events_the_score_is_that_of_the_log_rank_test() {
        let a = rows(&[(1.0, 1), (3.0, 1), (4.0, 1), (6.0, 0), (8.0, 1), (9.0, 1)]);
        let b = rows(&[(2.0, 1), (5.0, 0), (7.0, 1), (10.0, 1), (12.0, 0), (14.0, 1)]);
        let groups = [Group { label: "a", observations: &a[..] }, Group { label: "b", observations: &b }];
        let gray = gray_test(&groups, 1).unwrap();
        let events = |rows: &[TimeToState]| -> Vec<TimeToEvent> {
            rows.iter().map(|seen| TimeToEvent { time: seen.time, event: seen.state == 1 }).collect()
        };
        let (a, b) = (events(&a), events(&b));
        let groups = [Group { label: "a", observations: &a[..] }, Group { label: "b", observations: &b }];
        let log_rank = log_rank(&groups, Weighting::LogRank).unwrap();
        // The variances are estimated differently, so the statistics are close but not equal.
        assert!((gray.stat / log_rank.chisq - 1.0).abs() < 0.25, "{gray:?} {log_rank:?}");
    }

    #[test]
    fn the_order_of_three_groups_does_not_matter() {
        let a = rows(&[(1.0, 1), (2.0, 2), (2.0, 1), (3.0, 0), (4.0, 1)]);
        let b = rows(&[(2.0, 1), (3.0, 2), (5.0, 2), (7.0, 1), (8.0, 0)]);
        let c = rows(&[(1.0, 2), (2.0, 0), (5.0, 1), (9.0, 1), (9.0, 2), (11.0, 0)]);
        let group = |observations| Group { label: "arm", observations };
        let forth = gray_test(&[group(&a[..]), group(&b), group(&c)], 1).unwrap();
        let back = gray_test(&[group(&c[..]), group(&a), group(&b)], 1).unwrap();
        assert!((forth.stat - back.stat).abs() < 1e-10 && forth.df == 2, "{forth:?} {back:?}");
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let a = rows(&[(1.0, 2), (2.0, 0)]);
        let groups = [Group { label: "a", observations: &a[..] }, Group { label: "b", observations: &a }];
        assert_eq!(gray_test(&groups, 1), Err(GrayError::NoEvents { state: 1 }));
        assert_eq!(gray_test(&groups[..1], 2), Err(GrayError::TooFewGroups { found: 1 }));
        let empty = [groups[0], Group { label: "none", observations: &[] }];
        assert!(matches!(gray_test(&empty, 2), Err(GrayError::Group { .. })));
    }
}
