//! Harrell's concordance: how often the one with the higher risk has the event first.
//!
//! Source: Harrell 1982; standard error by the infinitesimal jackknife as in R `survival::concordance`.

use serde::{Deserialize, Serialize};

use crate::observation::time_key;

/// The share of usable pairs in the predicted order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Concordance {
    /// Pairs in order plus half of the pairs with equal risk, over all usable pairs.
    pub concordance: f64,
    /// Its standard error.
    pub concordance_se: f64,
}

/// One record as the concordance sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// Time from the origin.
    pub time: f64,
    /// Whether it ended in the event.
    pub event: bool,
    /// Predicted risk, on any increasing scale.
    pub risk: f64,
}

/// How many records of each rank have been seen, with sums over ranks in logarithmic time (Fenwick 1994).
struct RankCounts(Vec<u32>);

impl RankCounts {
    fn add(&mut self, rank: usize) {
        let mut at = rank + 1;
        while at < self.0.len() {
            self.0[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    fn add_all(&mut self, rows: &[usize], rank: &[usize]) {
        for &row in rows {
            self.add(rank[row]);
        }
    }

    /// How many have a rank below `rank`.
    fn below(&self, rank: usize) -> u32 {
        let (mut at, mut sum) = (rank, 0);
        while at > 0 {
            sum += self.0[at];
            at -= at & at.wrapping_neg();
        }
        sum
    }

    /// Half of those of the rank itself, and all below it.
    fn below_or_half(&self, rank: usize) -> f64 {
        f64::midpoint(f64::from(self.below(rank)), f64::from(self.below(rank + 1)))
    }
}

/// Pairs of one record, and how many of them are in the predicted order.
#[derive(Debug, Clone, Copy, Default)]
struct Pairs {
    usable: f64,
    in_order: f64,
}

impl Pairs {
    /// The pairs with the events that came before, in order where those had the higher risk.
    fn count(&mut self, n_earlier: f64, earlier: &RankCounts, rank: usize) {
        self.usable += n_earlier;
        self.in_order += n_earlier - earlier.below_or_half(rank);
    }
}

/// Compares every pair in which the earlier time is an event (an event and a censoring of one time count; two events of one
/// time do not). `None` when there is no such pair.
#[must_use]
pub fn concordance(records: &[Ranked]) -> Option<Concordance> {
    summarise(&pairs(records))
}

/// The same with pairs inside each stratum alone.
#[must_use]
pub fn stratified_concordance(strata: &[Vec<Ranked>]) -> Option<Concordance> {
    summarise(&strata.iter().flat_map(|records| pairs(records)).collect::<Vec<_>>())
}

fn summarise(pairs: &[Pairs]) -> Option<Concordance> {
    // Every pair stands at both of its records.
    let usable = pairs.iter().map(|pairs| pairs.usable).sum::<f64>() / 2.0;
    let in_order = pairs.iter().map(|pairs| pairs.in_order).sum::<f64>() / 2.0;
    if usable == 0.0 {
        return None;
    }
    let concordance = in_order / usable;
    let influence = pairs.iter().map(|pairs| (pairs.in_order - concordance * pairs.usable) / usable);
    Some(Concordance {
        concordance,
        concordance_se: influence.map(|influence| influence * influence).sum::<f64>().sqrt(),
    })
}

/// The pairs of every record: one walk to earlier times counts those who outlived an event, one back counts the events
/// that came before.
fn pairs(records: &[Ranked]) -> Vec<Pairs> {
    let rank = ranks(records);
    let n_ranks = rank.iter().max().map_or(0, |&largest| largest + 1);
    let mut order: Vec<usize> = (0..records.len()).collect();
    // Those with the event first among equal times.
    order.sort_unstable_by_key(|&row| (time_key(records[row].time), !records[row].event, row));
    let mut pairs = vec![Pairs::default(); records.len()];
    let mut seen = RankCounts(vec![0; n_ranks + 1]);
    let mut n_seen = 0.0;
    for tied in order.chunk_by(|&a, &b| records[a].time == records[b].time).rev() {
        let (events, censored) = tied.split_at(tied.partition_point(|&row| records[row].event));
        seen.add_all(censored, &rank);
        n_seen += censored.len() as f64;
        for &row in events {
            pairs[row].usable += n_seen;
            pairs[row].in_order += seen.below_or_half(rank[row]);
        }
        seen.add_all(events, &rank);
        n_seen += events.len() as f64;
    }
    let mut earlier = RankCounts(vec![0; n_ranks + 1]);
    let mut n_earlier = 0.0;
    for tied in order.chunk_by(|&a, &b| records[a].time == records[b].time) {
        let (events, censored) = tied.split_at(tied.partition_point(|&row| records[row].event));
        for &row in events {
            pairs[row].count(n_earlier, &earlier, rank[row]);
        }
        earlier.add_all(events, &rank);
        n_earlier += events.len() as f64;
        for &row in censored {
            pairs[row].count(n_earlier, &earlier, rank[row]);
        }
    }
    pairs
}

/// The rank of every record's risk from 0; equal risks share one.
fn ranks(records: &[Ranked]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_unstable_by(|&a, &b| records[a].risk.total_cmp(&records[b].risk));
    let mut ranks = vec![0; records.len()];
    for (rank, equal) in order.chunk_by(|&a, &b| records[a].risk == records[b].risk).enumerate() {
        for &row in equal {
            ranks[row] = rank;
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_counted_by_hand() {
        // Usable: (1,2) in order, (1,3) equal risk, (2,3) out of order. The fourth is censored first and pairs with nobody.
        let records = [(1.0, true, 5.0), (2.0, true, 2.0), (3.0, false, 5.0), (0.5, false, 9.0)];
        let records = records.map(|(time, event, risk)| Ranked { time, event, risk });
        assert_eq!(concordance(&records).unwrap().concordance, 0.5);
        assert_eq!(concordance(&records[3..]), None);
    }

    #[test]
    fn events_of_one_time_are_not_a_pair_but_an_event_and_a_censoring_are() {
        let record = |event, risk| Ranked { time: 4.0, event, risk };
        assert_eq!(concordance(&[record(true, 1.0), record(true, 2.0)]), None);
        assert_eq!(concordance(&[record(true, 3.0), record(false, 2.0)]).unwrap().concordance, 1.0);
    }

    /// Every pair by definition, on rows with many ties in time and risk.
    #[test]
    fn counting_by_ranks_is_counting_every_pair() {
        let records: Vec<Ranked> = (0..60_u32)
            .map(|row| Ranked {
                time: f64::from(row * 7 % 13),
                event: row % 3 != 0,
                risk: f64::from(row * 5 % 11) - 4.0,
            })
            .collect();
        let (mut usable, mut in_order) = (0.0, 0.0);
        for first in records.iter().filter(|record| record.event) {
            for second in &records {
                if second.time > first.time || (second.time == first.time && !second.event) {
                    usable += 1.0;
                    in_order += if first.risk > second.risk { 1.0 } else { 0.0 };
                    in_order += if first.risk == second.risk { 0.5 } else { 0.0 };
                }
            }
        }
        assert_eq!(concordance(&records).unwrap().concordance, in_order / usable);
        let halves = [records[..30].to_vec(), records[30..].to_vec()];
        let apart = stratified_concordance(&halves).unwrap().concordance;
        assert_ne!(apart, in_order / usable);
        assert_eq!(stratified_concordance(&[records.clone(), Vec::new()]), concordance(&records));
    }
}
