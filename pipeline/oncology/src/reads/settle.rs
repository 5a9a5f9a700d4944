//! Several readers, one decision: of each reader the latest word counts; where two readers differ, nothing is decided until an
//! adjudicator does, and nothing where two adjudicators differ.

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
    let mut latest: BTreeMap<&str, usize> = BTreeMap::new();
    let mut sorted = of_item.to_vec();
    sorted.sort_by_key(order);
    for n in sorted {
        let row = &reads[n].row;
        if let Some(before) = latest.insert(row.reader.as_str(), n) {
            outcomes[before] = (Outcome::Superseded, format!("{} decided again at {}", row.reader, row.read_at));
        }
    }
    let mut voices: Vec<usize> = latest.into_values().collect();
    voices.sort_by_key(order);
    let judges: Vec<usize> = voices.iter().filter(|n| reads[**n].row.adjudicator).copied().collect();
    // Where somebody adjudicates, the adjudicators decide among themselves.
    let deciding = if judges.is_empty() { &voices } else { &judges };
    let Some(decides) = deciding.first().copied() else { return };
    let agree = deciding.iter().all(|n| same(&reads[*n].decision, &reads[decides].decision));
    for n in &voices {
        let row = &reads[decides].row;
        outcomes[*n] = match (agree, judges.is_empty()) {
            (true, _) if *n == decides => (Outcome::Applied, String::new()),
            (true, false) if !judges.contains(n) => {
                (Outcome::Superseded, format!("{} adjudicated at {}", row.reader, row.read_at))
            }
            (true, _) => (Outcome::Superseded, format!("the same as that of {}", row.reader)),
            (false, true) => (Outcome::Disagreement, "readers disagree; an adjudicator decides".to_owned()),
            (false, false) => {
                (Outcome::Disagreement, "adjudicators disagree; one of them must decide again".to_owned())
            }
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
