//! Several readers, one decision: of each reader the latest word counts; where two readers differ, nothing is decided until an
//! adjudicator does.

use std::collections::BTreeMap;

use super::check::Read;
use super::decision::Decision;
use super::row::Outcome;
use crate::exact::Exact;

/// What became of each read, in the order given: `Applied` for the one that decides.
pub(super) fn settle(reads: &[Read]) -> Vec<(Outcome, String)> {
    let mut by_key: BTreeMap<(&str, &str, &str), Vec<usize>> = BTreeMap::new();
    for (n, read) in reads.iter().enumerate() {
        by_key.entry(read.row.key()).or_default().push(n);
    }
    let mut outcomes = vec![(Outcome::Open, String::new()); reads.len()];
    for of_item in by_key.into_values() {
        settle_item(reads, &of_item, &mut outcomes);
    }
    outcomes
}

fn settle_item(reads: &[Read], of_item: &[usize], outcomes: &mut [(Outcome, String)]) {
    let order = |n: &usize| (reads[*n].read_at, reads[*n].row.reader.clone(), reads[*n].row.value.clone());
    let mut latest: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    let mut sorted = of_item.to_vec();
    sorted.sort_by_key(order);
    for n in sorted {
        let row = &reads[n].row;
        if let Some(before) = latest.insert((row.reader.as_str(), row.adjudicator), n) {
            outcomes[before] = (Outcome::Superseded, format!("{} decided again at {}", row.reader, row.read_at));
        }
    }
    let mut voices: Vec<usize> = latest.into_values().collect();
    voices.sort_by_key(order);
    let adjudicator = voices.iter().rev().find(|n| reads[**n].row.adjudicator).copied();
    let Some(decides) = adjudicator.or_else(|| voices.first().copied()) else { return };
    let agree = voices.iter().all(|n| same(&reads[*n].decision, &reads[decides].decision));
    for n in voices {
        let row = &reads[decides].row;
        outcomes[n] = if n == decides && (adjudicator.is_some() || agree) {
            (Outcome::Applied, String::new())
        } else if adjudicator.is_some() {
            (Outcome::Superseded, format!("{} adjudicated at {}", row.reader, row.read_at))
        } else if agree {
            (Outcome::Superseded, format!("the same as that of {}", row.reader))
        } else {
            (Outcome::Disagreement, "readers disagree; an adjudicator decides".to_owned())
        };
    }
}

/// Two calipers are the same when their lengths are, to the 0.01 mm at which lengths are fixed.
fn same(a: &Decision, b: &Decision) -> bool {
    match (a, b) {
        (Decision::Caliper(_, Some(a)), Decision::Caliper(_, Some(b))) => {
            Exact::from_image(a.length().0) == Exact::from_image(b.length().0)
        }
        (a, b) => a == b,
    }
}
