//! Harrell's concordance: how often the one with the higher risk has the event first.
//!
//! Source: Harrell 1982; standard error by the infinitesimal jackknife as in R `survival::concordance`.

use serde::{Deserialize, Serialize};

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

/// Compares every pair in which the earlier time is an event (an event and a censoring of one time count; two events of one
/// time do not). `None` when there is no such pair. Takes time proportional to the number of pairs.
#[must_use]
pub fn concordance(records: &[Ranked]) -> Option<Concordance> {
    let mut pairs = vec![0.0; records.len()];
    let mut in_order = vec![0.0; records.len()];
    let mut n_pairs = 0.0;
    let mut n_in_order = 0.0;
    for (i, first) in records.iter().enumerate().filter(|(_, record)| record.event) {
        for (j, second) in records.iter().enumerate() {
            if second.time < first.time || (second.time == first.time && second.event) {
                continue;
            }
            let order = if first.risk > second.risk {
                1.0
            } else if first.risk == second.risk {
                0.5
            } else {
                0.0
            };
            n_pairs += 1.0;
            n_in_order += order;
            for row in [i, j] {
                pairs[row] += 1.0;
                in_order[row] += order;
            }
        }
    }
    if n_pairs == 0.0 {
        return None;
    }
    let concordance: f64 = n_in_order / n_pairs;
    let influence = in_order.iter().zip(&pairs).map(|(in_order, pairs)| (in_order - concordance * pairs) / n_pairs);
    Some(Concordance {
        concordance,
        concordance_se: influence.map(|influence| influence * influence).sum::<f64>().sqrt(),
    })
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
}
