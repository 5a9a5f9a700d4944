//! Counting subjects by their time without sorting them: times in whole days repeat, so that a table of the distinct ones is small.
//!
//! Source: open addressing with linear probing and a multiplicative hash (Knuth, The Art of Computer Programming, vol. 3, 6.4).

use crate::observation::{TimeToEvent, time_key};

/// Below this many subjects sorting is as fast.
const FEW: usize = 2048;
/// More distinct times than this are no repeated days: the table would leave the processor's cache.
const MOST_DISTINCT: usize = 1 << 13;
const SLOT_BITS: u32 = 15;
/// No time has this key: it would be negative.
const EMPTY: u64 = u64::MAX;

/// Subjects of one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Key of the time.
    pub(crate) key: u64,
    /// Subjects.
    pub(crate) n: usize,
    /// Events among them.
    pub(crate) n_event: usize,
}

/// The distinct times in ascending order with their counts; `None` where there are few subjects or many distinct times, so that
/// sorting them is as fast.
pub(crate) fn tallies(observations: &[TimeToEvent]) -> Option<Vec<Tally>> {
    if observations.len() < FEW {
        return None;
    }
    let mut found = counted(observations)?;
    found.sort_unstable_by_key(|tally| tally.key);
    Some(found)
}

/// The distinct times in no order; `None` where there are too many of them.
fn counted(observations: &[TimeToEvent]) -> Option<Vec<Tally>> {
    let n_slots = 1_usize << SLOT_BITS;
    let mut keys = vec![EMPTY; n_slots];
    let mut counts = vec![[0_u32; 2]; n_slots];
    let mut n_distinct = 0;
    for seen in observations {
        let key = time_key(seen.time);
        let mut slot = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOT_BITS)) as usize;
        while keys[slot] != key {
            if keys[slot] == EMPTY {
                n_distinct += 1;
                if n_distinct > MOST_DISTINCT {
                    return None;
                }
                keys[slot] = key;
                break;
            }
            slot = (slot + 1) % n_slots;
        }
        counts[slot][usize::from(seen.event)] += 1;
    }
    let one = |(key, [censored, events]): (&u64, &[u32; 2])| Tally {
        key: *key,
        n: (censored + events) as usize,
        n_event: *events as usize,
    };
    Some(keys.iter().zip(&counts).filter(|(key, _)| **key != EMPTY).map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of a small generator, `n_days` distinct ones at most.
    fn subjects(n: usize, n_days: u64) -> Vec<TimeToEvent> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        (0..n).map(|_| TimeToEvent { time: (next() % n_days) as f64 / 365.25, event: next() % 3 == 0 }).collect()
    }

    #[test]
    fn counting_and_sorting_say_the_same() {
        for (n, n_days) in [(FEW, 50), (30_000, 2000)] {
            let observations = subjects(n, n_days);
            let mut sorted: Vec<(u64, usize)> =
                observations.iter().map(|seen| (time_key(seen.time), usize::from(seen.event))).collect();
            sorted.sort_unstable();
            let expected: Vec<Tally> = sorted
                .chunk_by(|a, b| a.0 == b.0)
                .map(|tied| Tally { key: tied[0].0, n: tied.len(), n_event: tied.iter().map(|one| one.1).sum() })
                .collect();
            assert_eq!(tallies(&observations), Some(expected), "{n} of {n_days} days");
        }
        assert_eq!(tallies(&subjects(FEW - 1, 50)), None, "few");
        assert_eq!(tallies(&subjects(30_000, u64::MAX)), None, "hardly a time twice");
    }

    #[test]
    fn a_negative_zero_is_zero() {
        let zeros: Vec<TimeToEvent> =
            (0..FEW).map(|n| TimeToEvent { time: if n % 2 == 0 { 0.0 } else { -0.0 }, event: true }).collect();
        assert_eq!(tallies(&zeros).unwrap().len(), 1);
    }
}
