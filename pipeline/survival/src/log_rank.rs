//! The log-rank test of k groups and its weighted relatives.
//!
//! Source: Mantel 1966; Gehan 1965; Tarone and Ware 1977; Peto and Peto 1972; Harrington and Fleming 1982; notation of
//! Klein and Moeschberger 2003, section 7.3.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::chi_squared::chi_squared_p;
use crate::observation::{Group, InputError, TimeToEvent, check_times, time_key};
use crate::tally::{Tally, tallies};

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
    /// A stratum lists other groups than the first one.
    #[error("expected {expected} groups in every stratum, found {found}")]
    OtherGroups {
        /// Groups of the first stratum.
        expected: usize,
        /// Groups of another one.
        found: usize,
    },
    /// Nobody had the event.
    #[error("no events in any group: there is nothing to compare")]
    NoEvents,
    /// At each event time only one group was at risk.
    #[error("at no event time was more than one group at risk: the groups' observation periods do not overlap")]
    NoOverlap,
}

/// Tests whether all groups have the same hazard.
///
/// With w the weight, d and n the events and numbers at risk at an event time, group g contributes w (d_g − d n_g / n), with
/// the hypergeometric covariance w² d (n − d) / (n − 1) · n_g/n · (1[g=h] − n_h/n). The test assumes independent subjects.
pub fn log_rank(groups: &[Group<'_>], weighting: Weighting) -> Result<LogRank, LogRankError> {
    let [test] = log_rank_tests(&[groups], [weighting])?;
    test
}

/// The same for several weightings in one walk over the times, compared inside each stratum and added up over the strata
/// (Peto's weights are those of the stratum).
///
/// Every stratum lists the same groups in the same order; a group may be empty in some strata, not in all. The outer error
/// is about the groups, the inner one about a weighting.
pub fn log_rank_tests<const N: usize>(
    strata: &[&[Group<'_>]],
    weightings: [Weighting; N],
) -> Result<[Result<LogRank, LogRankError>; N], LogRankError> {
    let n_groups = check(strata)?;
    let mut sums = weightings.map(|weighting| Sums::new(weighting, n_groups));
    let mut any_event = false;
    for groups in strata {
        any_event |= match counted(groups) {
            Some(counted) => walk(groups, &counted, &mut sums, |one| (one.group, one.tally.n, one.tally.n_event)),
            None => walk(groups, &pooled(groups), &mut sums, |one| (one.group, 1, usize::from(one.event))),
        };
    }
    if !any_event {
        return Err(LogRankError::NoEvents);
    }
    Ok(sums.map(Sums::test))
}

/// The number of groups, the same in every stratum, each with a subject somewhere and usable times.
fn check(strata: &[&[Group<'_>]]) -> Result<usize, LogRankError> {
    let Some(first) = strata.first().filter(|groups| groups.len() > 1) else {
        return Err(LogRankError::TooFewGroups { found: strata.first().map_or(0, |groups| groups.len()) });
    };
    for (g, group) in first.iter().enumerate() {
        let members = strata.iter().filter_map(|groups| groups.get(g)).flat_map(|group| group.observations);
        check_times(members.map(|seen| seen.time))
            .map_err(|source| LogRankError::Group { label: group.label.to_owned(), source })?;
    }
    match strata.iter().find(|groups| groups.len() != first.len()) {
        Some(groups) => Err(LogRankError::OtherGroups { expected: first.len(), found: groups.len() }),
        None => Ok(first.len()),
    }
}

/// Whatever leaves at one time.
trait AtTime {
    fn key(&self) -> u64;
}

/// Subjects of one group that leave at one time.
#[derive(Debug, Clone, Copy)]
struct Counted {
    tally: Tally,
    group: u32,
}

impl AtTime for Counted {
    fn key(&self) -> u64 {
        self.tally.key
    }
}

/// All groups counted by their times, in order; `None` where sorting the subjects is as fast.
fn counted(groups: &[Group<'_>]) -> Option<Vec<Counted>> {
    let each: Option<Vec<Vec<Tally>>> = groups.iter().map(|group| tallies(group.observations)).collect();
    let of_group = |(group, found): (u32, Vec<Tally>)| found.into_iter().map(move |tally| Counted { tally, group });
    let mut all: Vec<Counted> = (0..).zip(each?).flat_map(of_group).collect();
    // A stable sort merges the groups, each of which is sorted already.
    all.sort_by_key(|counted| counted.tally.key);
    Some(all)
}

/// One subject of the pooled groups.
#[derive(Debug, Clone, Copy)]
struct Pooled {
    key: u64,
    group: u32,
    event: bool,
}

impl AtTime for Pooled {
    fn key(&self) -> u64 {
        self.key
    }
}

/// All subjects by time.
fn pooled(groups: &[Group<'_>]) -> Vec<Pooled> {
    let mut pooled = Vec::with_capacity(groups.iter().map(|group| group.observations.len()).sum());
    for (group, members) in (0..).zip(groups) {
        let one = |seen: &TimeToEvent| Pooled { key: time_key(seen.time), group, event: seen.event };
        pooled.extend(members.observations.iter().map(one));
    }
    pooled.sort_unstable_by_key(|seen| seen.key);
    pooled
}

/// Goes through the times of one stratum; `read` gives group, subjects and events of an entry. False when there is no event.
fn walk<T: AtTime, const N: usize>(
    groups: &[Group<'_>],
    entries: &[T],
    sums: &mut [Sums; N],
    read: impl Fn(&T) -> (u32, usize, usize),
) -> bool {
    let mut any_event = false;
    let mut now = EventTime::new(groups);
    for tied in entries.chunk_by(|a, b| a.key() == b.key()) {
        if now.happen(tied.iter().map(&read)) {
            any_event = true;
            for sums in sums.iter_mut() {
                sums.add(&now);
            }
            now.surv_before *= (now.n - now.d) / now.n;
        }
        now.leave(tied.iter().map(&read));
    }
    any_event
}

/// At risk and events of every group at one time, and the pooled survival before it.
struct EventTime {
    n_risk: Vec<f64>,
    n_event: Vec<f64>,
    n: f64,
    d: f64,
    surv_before: f64,
    /// Product of 1 − d / (n + 1) up to and including this time.
    surv_modified: f64,
}

impl EventTime {
    fn new(groups: &[Group<'_>]) -> Self {
        let n_risk: Vec<f64> = groups.iter().map(|group| group.observations.len() as f64).collect();
        let n = n_risk.iter().sum();
        Self { n_event: vec![0.0; n_risk.len()], n_risk, n, d: 0.0, surv_before: 1.0, surv_modified: 1.0 }
    }

    /// Counts the events among those of one time; false when there are none.
    fn happen(&mut self, tied: impl Iterator<Item = (u32, usize, usize)>) -> bool {
        self.n_event.fill(0.0);
        self.d = 0.0;
        for (group, _, n_event) in tied {
            self.n_event[group as usize] += n_event as f64;
            self.d += n_event as f64;
        }
        self.surv_modified *= 1.0 - self.d / (self.n + 1.0);
        self.d > 0.0
    }

    fn leave(&mut self, tied: impl Iterator<Item = (u32, usize, usize)>) {
        for (group, n, _) in tied {
            self.n_risk[group as usize] -= n as f64;
            self.n -= n as f64;
        }
    }
}

/// The running sums of one weighting.
struct Sums {
    weighting: Weighting,
    observed: Vec<f64>,
    expected: Vec<f64>,
    /// Covariance, row by row.
    covariance: Vec<f64>,
}

impl Sums {
    fn new(weighting: Weighting, n_groups: usize) -> Self {
        let zeros = || vec![0.0; n_groups];
        Self { weighting, observed: zeros(), expected: zeros(), covariance: vec![0.0; n_groups * n_groups] }
    }

    fn add(&mut self, now: &EventTime) {
        let (n, d) = (now.n, now.d);
        let weight = match self.weighting {
            Weighting::LogRank => 1.0,
            Weighting::Gehan => n,
            Weighting::TaroneWare => n.sqrt(),
            Weighting::PetoPeto => now.surv_before,
            Weighting::PetoPetoModified => now.surv_modified,
        };
        let spread = if n > 1.0 { weight * weight * d * (n - d) / (n - 1.0) } else { 0.0 };
        let n_groups = self.observed.len();
        for g in 0..n_groups {
            self.observed[g] += weight * now.n_event[g];
            self.expected[g] += weight * d * now.n_risk[g] / n;
            let row = &mut self.covariance[g * n_groups..(g + 1) * n_groups];
            let share = spread * now.n_risk[g] / n;
            for (h, covariance) in row.iter_mut().enumerate() {
                let own = if g == h { 1.0 } else { 0.0 };
                *covariance += share * (own - now.n_risk[h] / n);
            }
        }
    }

    fn test(self) -> Result<LogRank, LogRankError> {
        let n_groups = self.observed.len();
        let covariance = DMatrix::from_row_slice(n_groups, n_groups, &self.covariance);
        let (chisq, df) = quadratic_form(&self.observed, &self.expected, &covariance)?;
        Ok(LogRank { chisq, df, p: chi_squared_p(chisq, df), observed: self.observed, expected: self.expected })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn strata_are_compared_inside_and_added_up() {
        let (a, b) = (rows(&[(1.0, true), (2.0, true)]), rows(&[(3.0, true), (4.0, true)]));
        let none = rows(&[]);
        let arms = |a, b| [Group { label: "a", observations: a }, Group { label: "b", observations: b }];
        let (first, second) = (arms(&a, &b), arms(&b, &none));
        let [twice] = log_rank_tests(&[&first, &first], [Weighting::LogRank]).unwrap();
        let once = test(&[&a, &b], Weighting::LogRank).unwrap();
        assert!((twice.unwrap().chisq - 2.0 * once.chisq).abs() < 1e-12);
        // A stratum with one group alone says nothing.
        let [with_single] = log_rank_tests(&[&first, &second], [Weighting::LogRank]).unwrap();
        assert!((with_single.unwrap().chisq - once.chisq).abs() < 1e-12);
        let odd = log_rank_tests(&[&first[..], &first[..1]], [Weighting::LogRank]);
        assert_eq!(odd, Err(LogRankError::OtherGroups { expected: 2, found: 1 }));
    }
}
