//! The partial likelihood and its first two derivatives, one event time after the other.
//!
//! Source: Therneau and Grambsch 2000, chapter 3; Efron's ties as averages over shrinking risk sets. The records are sorted
//! once; a walk over the event times keeps running sums and allocates nothing.

use nalgebra::{DMatrix, DVector};

use super::covariates::Covariates;
use super::newton::Derivatives;
use super::{CoxError, CoxSubject, Ties};
use crate::observation::{check_times, time_key};

/// The records of a model, by stratum, then descending time, those with the event last among equal times.
#[derive(Debug, Clone)]
pub(crate) struct RiskSets {
    /// Position of each record in the input.
    pub(crate) input_row: Vec<usize>,
    /// Centred covariates in the order of the walk (the partial likelihood does not depend on the centre).
    pub(crate) covariates: Covariates,
    /// The event times with the records that enter the risk set at each.
    pub(crate) blocks: Vec<Block>,
    pub(crate) ties: Ties,
}

/// One event time of one stratum, and the records whose time is at or after it and before the next later event time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) time: f64,
    /// Records from here to `end` enter the risk set.
    pub(crate) start: usize,
    /// Records from here to `end` have the event.
    pub(crate) events_from: usize,
    pub(crate) end: usize,
    /// The first block of its stratum: nobody was at risk before.
    pub(crate) opens_stratum: bool,
}

impl Block {
    pub(crate) fn n_event(&self) -> usize {
        self.end - self.events_from
    }
}

/// What one event time contributes. Symmetric matrices hold their upper triangle, row by row.
#[derive(Debug, Clone)]
pub(crate) struct EventTime {
    pub(crate) loglik: f64,
    /// Sum of the covariates of those with the event, less its expectation.
    pub(crate) score: Vec<f64>,
    /// Covariance of the covariates in the risk set, summed over the events.
    pub(crate) information: Vec<f64>,
    /// Mean covariates of the risk set, averaged over the events.
    pub(crate) mean: Vec<f64>,
    /// Sum of 1/denominator, and of mean/denominator, over the events: the hazard of those at risk.
    pub(crate) hazard: f64,
    pub(crate) hazard_mean: Vec<f64>,
    /// The same for those with the event, whom Efron's shrinking risk set counts in part.
    pub(crate) own_hazard: f64,
    pub(crate) own_hazard_mean: Vec<f64>,
}

/// Sums of weight, weight · x and weight · x xᵀ (upper triangle) over a set of records.
#[derive(Debug, Clone)]
struct WeightedSums {
    weight: f64,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl WeightedSums {
    fn zeros(n_terms: usize) -> Self {
        Self { weight: 0.0, first: vec![0.0; n_terms], second: vec![0.0; n_terms * (n_terms + 1) / 2] }
    }

    fn clear(&mut self) {
        self.weight = 0.0;
        self.first.fill(0.0);
        self.second.fill(0.0);
    }

    fn add(&mut self, weight: f64, covariates: &[f64]) {
        self.weight += weight;
        let mut second = self.second.iter_mut();
        for (a, (first, x)) in self.first.iter_mut().zip(covariates).enumerate() {
            let weighted = weight * x;
            *first += weighted;
            // The covariates end first: the other way round the zip would swallow an entry.
            for (y, sum) in covariates[a..].iter().zip(second.by_ref()) {
                *sum += weighted * y;
            }
        }
    }
}

/// Sums over the events of one time, g being the share of the tied events that Efron has already taken out and q the
/// inverse of the denominator left: q, g q, q², g q², g² q², and −log q.
#[derive(Debug, Clone, Copy, Default)]
struct TieSums {
    q: f64,
    gq: f64,
    qq: f64,
    gqq: f64,
    ggqq: f64,
    log: f64,
}

impl TieSums {
    fn new(ties: Ties, n_event: usize, at_risk: f64, dead: f64) -> Self {
        let d = n_event as f64;
        if ties == Ties::Breslow || n_event == 1 {
            let q = 1.0 / at_risk;
            return Self { q: d * q, qq: d * q * q, log: d * at_risk.ln(), ..Self::default() };
        }
        let mut sums = Self::default();
        for already in 0..n_event {
            let g = already as f64 / d;
            let denominator = at_risk - g * dead;
            let q = 1.0 / denominator;
            sums.q += q;
            sums.gq += g * q;
            sums.qq += q * q;
            sums.gqq += g * q * q;
            sums.ggqq += g * g * q * q;
            sums.log += denominator.ln();
        }
        sums
    }
}

impl RiskSets {
    pub(crate) fn new(terms: &[&str], subjects: &[CoxSubject], ties: Ties) -> Result<Self, CoxError> {
        check_times(subjects.iter().map(|subject| subject.time))?;
        let covariates = Covariates::centred(terms, subjects.iter().map(|subject| subject.covariates.as_slice()))?;
        if !subjects.iter().any(|subject| subject.event) {
            return Err(CoxError::NoEvents);
        }
        let mut order: Vec<(Option<usize>, u64, bool, usize)> = subjects
            .iter()
            .enumerate()
            .map(|(row, subject)| (subject.stratum, !time_key(subject.time), subject.event, row))
            .collect();
        order.sort_unstable();
        let blocks = blocks(&order, subjects);
        let input_row: Vec<usize> = order.into_iter().map(|(.., row)| row).collect();
        Ok(Self { covariates: covariates.in_order(input_row.iter().copied()), input_row, blocks, ties })
    }

    /// Log likelihood, score and information at `coef`.
    pub(crate) fn derivatives(&self, coef: &DVector<f64>) -> Derivatives {
        let n_terms = coef.len();
        let (mut loglik, mut score) = (0.0, DVector::zeros(n_terms));
        let mut upper = vec![0.0; n_terms * (n_terms + 1) / 2];
        self.walk(coef, |_, event_time| {
            loglik += event_time.loglik;
            score.iter_mut().zip(&event_time.score).for_each(|(sum, x)| *sum += x);
            upper.iter_mut().zip(&event_time.information).for_each(|(sum, x)| *sum += x);
        });
        Derivatives { loglik, score, information: symmetric(&upper, n_terms) }
    }

    /// Calls `visit` with the contribution of every event time at `coef`: by stratum, then descending time.
    pub(crate) fn walk(&self, coef: &DVector<f64>, mut visit: impl FnMut(&Block, &EventTime)) {
        let n_terms = coef.len();
        let log_hazards = self.covariates.log_hazards(coef);
        let (mut at_risk, mut dead) = (WeightedSums::zeros(n_terms), WeightedSums::zeros(n_terms));
        let mut event_time = EventTime::zeros(n_terms);
        for block in &self.blocks {
            if block.opens_stratum {
                at_risk.clear();
            }
            dead.clear();
            let mut loglik = 0.0;
            event_time.score.fill(0.0);
            for (row, log_hazard) in (block.start..).zip(&log_hazards[block.start..block.end]) {
                let covariates = self.covariates.row(row);
                let weight = log_hazard.exp();
                at_risk.add(weight, covariates);
                if row >= block.events_from {
                    dead.add(weight, covariates);
                    loglik += log_hazard;
                    event_time.score.iter_mut().zip(covariates).for_each(|(sum, x)| *sum += x);
                }
            }
            let ties = TieSums::new(self.ties, block.n_event(), at_risk.weight, dead.weight);
            event_time.fill(&ties, block.n_event() as f64, &at_risk, &dead);
            event_time.loglik = loglik - ties.log;
            visit(block, &event_time);
        }
    }
}

impl EventTime {
    fn zeros(n_terms: usize) -> Self {
        Self {
            loglik: 0.0,
            score: vec![0.0; n_terms],
            information: vec![0.0; n_terms * (n_terms + 1) / 2],
            mean: vec![0.0; n_terms],
            hazard: 0.0,
            hazard_mean: vec![0.0; n_terms],
            own_hazard: 0.0,
            own_hazard_mean: vec![0.0; n_terms],
        }
    }

    /// Everything but the log likelihood; `score` comes in as the sum of the covariates of those with the event.
    fn fill(&mut self, ties: &TieSums, n_event: f64, at_risk: &WeightedSums, dead: &WeightedSums) {
        self.hazard = ties.q;
        self.own_hazard = ties.q - ties.gq;
        let mut entry = 0;
        for a in 0..self.score.len() {
            let (f_a, d_a) = (at_risk.first[a], dead.first[a]);
            let expected = f_a * ties.q - d_a * ties.gq;
            self.score[a] -= expected;
            self.mean[a] = expected / n_event;
            self.hazard_mean[a] = f_a * ties.qq - d_a * ties.gqq;
            self.own_hazard_mean[a] = f_a * (ties.qq - ties.gqq) - d_a * (ties.gqq - ties.ggqq);
            for b in a..self.score.len() {
                let (f_b, d_b) = (at_risk.first[b], dead.first[b]);
                let squares = at_risk.second[entry] * ties.q - dead.second[entry] * ties.gq;
                let of_means = f_a * f_b * ties.qq - (f_a * d_b + d_a * f_b) * ties.gqq + d_a * d_b * ties.ggqq;
                self.information[entry] = squares - of_means;
                entry += 1;
            }
        }
    }
}

/// The event times of the sorted records.
fn blocks(order: &[(Option<usize>, u64, bool, usize)], subjects: &[CoxSubject]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut end = 0;
    for stratum in order.chunk_by(|a, b| a.0 == b.0) {
        let (mut start, mut opens_stratum) = (end, true);
        for tied in stratum.chunk_by(|a, b| a.1 == b.1) {
            end += tied.len();
            let censored = tied.partition_point(|(_, _, event, _)| !event);
            if censored < tied.len() {
                let events_from = end - tied.len() + censored;
                blocks.push(Block { time: subjects[tied[0].3].time, start, events_from, end, opens_stratum });
                (start, opens_stratum) = (end, false);
            }
        }
    }
    blocks
}

/// A symmetric matrix from its upper triangle, row by row.
pub(crate) fn symmetric(upper: &[f64], n: usize) -> DMatrix<f64> {
    let mut full = DMatrix::zeros(n, n);
    let mut entries = upper.iter();
    for a in 0..n {
        for (b, value) in (a..n).zip(entries.by_ref()) {
            full[(a, b)] = *value;
            full[(b, a)] = *value;
        }
    }
    full
}
