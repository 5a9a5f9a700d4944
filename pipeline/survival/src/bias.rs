//! Signs that a comparison of curves is biased by how the groups came about or were watched.
//!
//! Source: Anderson, Cain and Gelber 1983 and Suissa 2008 for immortal time; Panageas 2007 for events dated at visits.

use crate::observation::time_key;
use crate::record::Record;

/// How unlikely it must be that by chance nobody of a group is among the first to leave.
const UNLIKELY: f64 = 0.01;
/// How much longer one group's intervals between visits must be.
const UNEVEN: f64 = 1.5;
/// Intervals that a median needs.
const ENOUGH_INTERVALS: usize = 5;
/// The share of the median time to the event from which an interval between visits is wide.
const WIDE: f64 = 0.25;

/// What to say beside the curve of `group`, the other groups being `others`.
#[must_use]
pub fn cautions(group: &[&Record], others: &[&Record]) -> Vec<String> {
    [decided_later(group), immortal_start(group, others), wide_intervals(group), uneven_intervals(group, others)]
        .into_iter()
        .flatten()
        .collect()
}

/// Membership decided after the origin: until then no member could have had the event.
fn decided_later(group: &[&Record]) -> Option<String> {
    let late: Vec<f64> = group.iter().filter_map(|record| record.group_known).filter(|known| *known > 0.0).collect();
    let latest = late.iter().copied().fold(0.0, f64::max);
    (!late.is_empty()).then(|| {
        format!(
            "immortal time: membership was decided after the origin in {} of {} rows, up to {latest} after it; until then \
             no member could have the event, so the curve is too high. Use a landmark analysis at or after that time",
            late.len(),
            group.len()
        )
    })
}

/// Nobody of the group leaves while many others do: either the group is better off, or its members had to live that long.
fn immortal_start(group: &[&Record], others: &[&Record]) -> Option<String> {
    let first = group.iter().map(|record| record.time).reduce(f64::min)?;
    let earlier = others.iter().filter(|record| record.time < first);
    let (n_left, n_events) =
        earlier.fold((0, 0), |(left, events), record| (left + 1, events + u32::from(record.event)));
    let (n_others, n) = (others.len() as f64, (others.len() + group.len()) as f64);
    // Were the groups drawn at random: the chance that the first to leave are all others.
    let chance: f64 = (0..n_left).map(|gone| (n_others - f64::from(gone)) / (n - f64::from(gone))).product();
    (n_events > 0 && chance < UNLIKELY).then(|| {
        format!(
            "nobody in this group left observation before {first}, while {n_left} of {} others did ({n_events} with the \
             event; by chance p = {chance:.1e}): if membership was decided after the origin, that time is immortal; use a \
             landmark analysis at or after it",
            others.len()
        )
    })
}

/// Time between the last visit without and the first with the event.
fn median_interval(group: &[&Record]) -> Option<f64> {
    let widths =
        group.iter().filter(|record| record.event).filter_map(|record| Some(record.time - record.interval_low?));
    median(widths.collect())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    if values.len() < ENOUGH_INTERVALS || values.iter().any(|value| *value < 0.0) {
        return None;
    }
    values.sort_unstable_by_key(|value| time_key(*value));
    Some(f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]))
}

fn wide_intervals(group: &[&Record]) -> Option<String> {
    let interval = median_interval(group)?;
    let to_event = group.iter().filter(|record| record.event && record.interval_low.is_some());
    let typical = median(to_event.map(|record| record.time).collect())?;
    (interval >= WIDE * typical).then(|| {
        format!(
            "events are dated at the visit that found them, a median of {interval:.2} after the last visit without \
             (median time {typical:.2}): the curve falls at visits and its median is late; see the interval-censored curve"
        )
    })
}

fn uneven_intervals(group: &[&Record], others: &[&Record]) -> Option<String> {
    let (own, other) = (median_interval(group)?, median_interval(others)?);
    (own >= UNEVEN * other || other >= UNEVEN * own).then(|| {
        format!(
            "uneven visits: the interval that holds an event has a median of {own:.2} in this group and {other:.2} in the \
             others; the group seen less often looks better. Compare the interval-censored curves"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(times: impl IntoIterator<Item = f64>) -> Vec<Record> {
        times.into_iter().map(|time| Record::new(time, true)).collect()
    }

    fn found(group: &[Record], others: &[Record]) -> Vec<String> {
        cautions(&group.iter().collect::<Vec<_>>(), &others.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_group_that_could_not_die_early_is_noticed() {
        // Ten of each; responders are known at 3, five others die before: chance 10·9·8·7·6 / (20·19·18·17·16) = 0.016.
        let responders = rows((0..10).map(|row| 3.0 + f64::from(row)));
        let others = |early: i32| rows((0..10).map(|row| if row < early { 1.0 } else { 9.0 }));
        assert!(found(&responders, &others(5)).is_empty());
        // One more: 0.016 · 5/15 = 0.0054.
        let said = found(&responders, &others(6));
        assert!(said[0].contains("before 3") && said[0].contains("6 of 10") && said[0].contains("5.4e-3"), "{said:?}");
        assert!(found(&others(6), &responders).is_empty(), "only the group that started late");
    }

    #[test]
    fn membership_decided_later_is_said_outright() {
        let mut group = rows([5.0, 7.0]);
        group[1].group_known = Some(2.5);
        let said = found(&group, &[]);
        assert!(said[0].starts_with("immortal time") && said[0].contains("1 of 2 rows, up to 2.5"), "{said:?}");
    }

    #[test]
    fn a_group_seen_less_often_is_noticed_on_both_sides() {
        let watched = |every: f64| -> Vec<Record> {
            (1..8)
                .map(|visit| {
                    let time = 40.0 + every * f64::from(visit);
                    Record { interval_low: Some(time - every), ..Record::new(time, true) }
                })
                .collect()
        };
        let (monthly, quarterly) = (watched(1.0), watched(3.0));
        for (group, others) in [(&monthly, &quarterly), (&quarterly, &monthly)] {
            let said = found(group, others);
            assert!(said[0].starts_with("uneven visits") && said[0].contains("3.00"), "{said:?}");
        }
        assert!(found(&monthly, &watched(1.2)).is_empty());
    }

    #[test]
    fn visits_far_apart_are_said_beside_their_own_curve() {
        let yearly = (1..6).map(|year| Record {
            interval_low: Some(f64::from(year - 1) * 12.0),
            ..Record::new(f64::from(year) * 12.0, true)
        });
        let said = found(&yearly.collect::<Vec<_>>(), &[]);
        assert!(said[0].contains("median of 12.00") && said[0].contains("36.00"), "{said:?}");
    }
}
