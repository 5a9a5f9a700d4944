//! The visits of one subject in order of time.
//!
//! Source: criteria conventions §1.9: unscheduled scans count in chronological order. VISITNUM decides between visits
//! of one day and where a date is not complete.

use std::collections::BTreeMap;

use super::{TrRow, TuRow};
use crate::exact::Exact;
use crate::partial_date::Period;

/// One visit by name.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) number: Exact,
    pub(super) name: String,
    /// Date of the last scan as written; may be partial or empty.
    pub(super) date: String,
    /// The rows of the visit that contradict its number; empty for none.
    pub(super) note: String,
}

impl Visit {
    fn period(&self) -> Option<Period> {
        Period::read(&self.date)
    }

    fn words(&self) -> String {
        let date = if self.date.is_empty() { "without a date" } else { &self.date };
        format!("VISITNUM {} ({}, {date})", self.number, self.name)
    }
}

/// The visits of a subject, the earliest first.
pub(super) fn visits_of(tu: &[&TuRow], tr: &[&TrRow]) -> Vec<Visit> {
    let mut visits: BTreeMap<Exact, Visit> = BTreeMap::new();
    let blank = |number, name: &str| Visit { number, name: name.to_owned(), date: String::new(), note: String::new() };
    for row in tr {
        let visit = visits.entry(row.visit_num).or_insert_with(|| blank(row.visit_num, &row.visit));
        // The last scan of the visit dates it; partial dates compare as texts, year first.
        if row.date > visit.date {
            visit.date.clone_from(&row.date);
        }
    }
    for row in tu {
        visits.entry(row.visit_num).or_insert_with(|| blank(row.visit_num, &row.visit));
    }
    in_order_of_time(visits.into_values().collect())
}

/// Visits in order of number become visits in order of date. A visit whose date is not complete keeps its place by
/// number among those it cannot be told from.
fn in_order_of_time(by_number: Vec<Visit>) -> Vec<Visit> {
    let day = |visit: &Visit| visit.period().and_then(Period::known);
    let (mut placed, others): (Vec<Visit>, Vec<Visit>) = by_number.into_iter().partition(|visit| day(visit).is_some());
    placed.sort_by_key(|visit| (day(visit), visit.number));
    for visit in others {
        let at = place(&placed, &visit);
        placed.insert(at, visit);
    }
    for at in 1..placed.len() {
        let (before, here) = (&placed[at - 1], &placed[at]);
        if here.number < before.number {
            placed[at].note =
                format!("{} comes after {}: visits are taken in order of date", here.words(), before.words());
        }
    }
    placed
}

/// Where a visit without a complete date belongs: behind what is surely earlier, before what is surely later, in
/// between by number.
fn place(placed: &[Visit], visit: &Visit) -> usize {
    let period = visit.period();
    let surely = |earlier: Option<Period>, later: Option<Period>| {
        earlier.zip(later).is_some_and(|(earlier, later)| earlier.latest < later.earliest)
    };
    let from = placed.iter().rposition(|one| surely(one.period(), period)).map_or(0, |at| at + 1);
    let to = placed.iter().position(|one| surely(period, one.period())).unwrap_or(placed.len()).max(from);
    (from..to).find(|at| placed[*at].number > visit.number).unwrap_or(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(visits: &[(i32, &str)]) -> (Vec<i32>, usize) {
        let visit = |(number, date): &(i32, &str)| Visit {
            number: Exact::whole(*number),
            name: format!("V{number}"),
            date: (*date).to_owned(),
            note: String::new(),
        };
        let ordered = in_order_of_time(visits.iter().map(visit).collect());
        let numbers = ordered.iter().map(|one| i32::try_from(one.number.millionths() / 1_000_000).unwrap()).collect();
        (numbers, ordered.iter().filter(|one| !one.note.is_empty()).count())
    }

    #[test]
    fn dates_go_before_numbers_where_they_are_complete() {
        assert_eq!(order(&[(1, "2024-01-01"), (2, "2024-03-01"), (99, "2024-02-01")]), (vec![1, 99, 2], 1));
        assert_eq!(order(&[(1, "2024-01-01"), (2, "2024-03-01"), (3, "2024-03-01")]), (vec![1, 2, 3], 0));
    }

    #[test]
    fn a_partial_date_moves_a_visit_only_where_it_is_certain() {
        assert_eq!(order(&[(1, "2024-01-01"), (2, "2024-03-10"), (3, "2024-03")]), (vec![1, 2, 3], 0));
        assert_eq!(order(&[(1, "2024-01-01"), (2, "2024-03-10"), (3, "2024-02")]), (vec![1, 3, 2], 1));
        assert_eq!(order(&[(1, ""), (2, "2024-03-10"), (3, "")]), (vec![1, 2, 3], 0));
        assert_eq!(order(&[(1, "2024-01"), (2, "2024-03"), (3, "2024-05")]), (vec![1, 2, 3], 0));
    }
}
