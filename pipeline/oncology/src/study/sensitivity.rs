//! How far an endpoint depends on foci whose distance from an ablation zone is not sure: the same estimate with the other class.
//!
//! Source: project rule: where the 95 % interval of a distance crosses the rule, the class by the distance as measured counts, and
//! the other one is stated beside it.

use serde::Serialize;
use survival::{Profile, TimeToEvent, kaplan_meier, median};

use super::StudyGroup;
use super::time_to_event::{endpoint_names, times};
use crate::cohort::EndpointRow;

/// One endpoint both ways (`table_sensitivity.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SensitivityRow {
    /// Endpoint.
    pub endpoint: String,
    /// Units followed.
    pub n: usize,
    /// Units whose end or event the other class changes.
    pub n_changed: usize,
    /// Events by the classes as measured.
    pub events: usize,
    /// Median; empty when not reached.
    pub median_months: Option<f64>,
    /// Events by the other classes.
    pub events_other: usize,
    /// Median by the other classes.
    pub median_other_months: Option<f64>,
}

impl SensitivityRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] =
        &["endpoint", "n", "n_changed", "events", "median_months", "events_other", "median_other_months"];
}

/// Every endpoint of everybody, as measured and by the other classes.
pub fn sensitivity(everybody: &StudyGroup<'_>, profile: Profile) -> Vec<SensitivityRow> {
    let names = endpoint_names(std::slice::from_ref(everybody));
    names.into_iter().map(|endpoint| row(everybody, endpoint, profile)).collect()
}

fn row(everybody: &StudyGroup<'_>, endpoint: String, profile: Profile) -> SensitivityRow {
    let own = times(everybody, &endpoint);
    let mut other = Vec::new();
    let mut n_changed = 0;
    for patient in &everybody.patients {
        for row in patient.endpoints.iter().filter(|row| row.endpoint == endpoint) {
            let is_same = |other: &&EndpointRow| (&other.unit_id, &other.endpoint) == (&row.unit_id, &row.endpoint);
            let changed = patient.other_endpoints.iter().find(is_same);
            n_changed += usize::from(changed.is_some());
            let row = changed.unwrap_or(row);
            other.push(TimeToEvent { time: row.months, event: row.event == 1 });
        }
    }
    let events = |times: &[TimeToEvent]| times.iter().filter(|one| one.event).count();
    let middle = |times: &[TimeToEvent]| {
        let curve = kaplan_meier(times, profile.interval_scale()).ok()?;
        median(&curve, profile.convention()).median
    };
    SensitivityRow {
        n: own.len(),
        n_changed,
        events: events(&own),
        median_months: middle(&own),
        events_other: events(&other),
        median_other_months: middle(&other),
        endpoint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::tests::{followed, patient};
    use crate::study::{StudyPatient, groups};

    fn row(days: i64, event: u8) -> EndpointRow {
        followed("LTPFS", "L1", days, event)
    }

    #[test]
    fn the_other_class_takes_the_place_of_what_it_changes() {
        let (own, other) = ([[row(60, 1)], [row(90, 1)]], [row(300, 0)]);
        let patients = [
            StudyPatient { endpoints: &own[0], other_endpoints: &other, ..patient("1", "HCC") },
            StudyPatient { endpoints: &own[1], ..patient("2", "HCC") },
        ];
        let found = &sensitivity(&groups(&patients)[0], Profile::Spss)[0];
        assert_eq!((found.n, found.n_changed, found.events, found.events_other), (2, 1, 2, 1));
        assert_eq!((found.median_months, found.median_other_months), (Some(2.0), Some(3.0)));
    }
}
