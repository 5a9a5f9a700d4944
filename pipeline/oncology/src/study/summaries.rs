//! Each endpoint's rows as the estimators take them (group, the interval that holds the event, competing ends, the patient as
//! cluster), and all that they say: curves, tests, cumulative incidences, interval-censored curves, and what biases them.

use survival::{Record, SummaryOptions, SurvivalSummary, TimeUnit, summarise};

use super::time_to_event::endpoint_names;
use super::{Reporting, StudyGroup};
use crate::cohort::EndpointRow;
use crate::time::Days;

/// The estimates of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointSummary {
    /// The endpoint.
    pub endpoint: String,
    /// What ends an observation besides the event, from state 2 on.
    pub competing: Vec<String>,
    /// Everything that could be worked out.
    pub summary: SurvivalSummary,
}

impl EndpointSummary {
    /// What to know beside the curves, each caution with the group it is about.
    pub fn cautions(&self) -> Vec<String> {
        let one = self.summary.km.len() == 1;
        let of_groups = self.summary.km.iter().flat_map(|(group, curve)| {
            let named = move |caution: &String| if one { caution.clone() } else { format!("{group}: {caution}") };
            curve.cautions.iter().map(named)
        });
        self.summary.cautions.iter().cloned().chain(of_groups).collect()
    }
}

/// Every endpoint with rows, over the groups that are compared; over everybody where there are none.
pub fn summaries(groups: &[StudyGroup<'_>], reporting: &Reporting) -> Vec<EndpointSummary> {
    let options = SummaryOptions {
        landmarks: reporting.landmarks_months.clone(),
        ..SummaryOptions::new(reporting.statistics, TimeUnit::Months)
    };
    let one = |endpoint: String| {
        let (records, competing) = records(groups, &endpoint);
        let summary = summarise(&records, &options).ok()?;
        Some(EndpointSummary { endpoint, competing, summary })
    };
    endpoint_names(groups).into_iter().filter_map(one).collect()
}

/// The rows of one endpoint, and the names of states 2 and above.
fn records(groups: &[StudyGroup<'_>], endpoint: &str) -> (Vec<Record>, Vec<String>) {
    let compared = if groups.len() > 2 { &groups[1..] } else { &groups[..groups.len().min(1)] };
    let named = compared.len() > 1;
    let mut rows: Vec<(&StudyGroup<'_>, &EndpointRow)> = Vec::new();
    for group in compared {
        let own = group.patients.iter().flat_map(|patient| patient.endpoints);
        rows.extend(own.filter(|row| row.endpoint == endpoint).map(|row| (group, row)));
    }
    let ends = rows.iter().filter(|(_, row)| row.event == 0 && !row.competing.is_empty());
    let mut competing: Vec<String> = ends.map(|(_, row)| row.competing.clone()).collect();
    competing.sort();
    competing.dedup();
    let mut patients: Vec<&str> = rows.iter().map(|(_, row)| row.patient_id.as_str()).collect();
    patients.sort_unstable();
    patients.dedup();
    let record = |(group, row): &(&StudyGroup<'_>, &EndpointRow)| Record {
        state: (!competing.is_empty()).then(|| state(row, &competing)),
        group: named.then(|| group.name.clone()),
        interval_low: interval_low_months(row),
        cluster: patients.binary_search(&row.patient_id.as_str()).ok(),
        ..Record::new(row.months, row.event == 1)
    };
    (rows.iter().map(record).collect(), competing)
}

fn state(row: &EndpointRow, competing: &[String]) -> u32 {
    match row.event {
        1 => 1,
        _ => competing.iter().position(|cause| *cause == row.competing).map_or(0, |at| at as u32 + 2),
    }
}

/// The last time without the event, in the row's own months.
fn interval_low_months(row: &EndpointRow) -> Option<f64> {
    let low = row.interval_low_date.filter(|_| row.event == 1 && row.days > 0)?;
    let days = Days::between(row.origin_date, low).0;
    (0..=row.days).contains(&days).then(|| row.months * days as f64 / row.days as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::tests::{followed, patient};
    use crate::study::{StudyPatient, groups};

    fn row(patient: &str, days: i64, event: u8, low: Option<&str>, competing: &str) -> EndpointRow {
        EndpointRow {
            patient_id: patient.to_owned(),
            competing: competing.to_owned(),
            interval_low_date: low.map(|low| low.parse().unwrap()),
            ..followed("TTP", "", days, event)
        }
    }

    #[test]
    fn rows_carry_interval_competing_end_and_patient() {
        let rows = [
            vec![row("1", 60, 1, Some("2024-01-31"), ""), row("1", 90, 0, None, "")],
            vec![row("2", 120, 0, None, "death")],
            vec![row("3", 30, 1, None, "")],
            vec![row("4", 45, 0, None, "")],
        ];
        let patients: Vec<StudyPatient<'_>> = ["1", "2", "3", "4"]
            .iter()
            .zip(["HCC", "HCC", "CRLM", "CRLM"])
            .zip(&rows)
            .map(|((id, diagnosis), rows)| StudyPatient { endpoints: rows, ..patient(id, diagnosis) })
            .collect();
        let groups = groups(&patients);
        let (records, competing) = records(&groups, "TTP");
        assert_eq!(competing, ["death"]);
        let told: Vec<(Option<f64>, Option<u32>, Option<usize>)> =
            records.iter().map(|r| (r.interval_low, r.state, r.cluster)).collect();
        // CRLM comes first; of 60 days 30 were still without.
        assert_eq!(
            told,
            [
                (None, Some(1), Some(2)),
                (None, Some(0), Some(3)),
                (Some(1.0), Some(1), Some(0)),
                (None, Some(0), Some(0)),
                (None, Some(2), Some(1))
            ]
        );
        let found = summaries(&groups, &Reporting::default());
        assert!(found[0].cautions()[0].contains("share a cluster"), "{:?}", found[0].cautions());
        assert!(found[0].summary.turnbull.is_some() && found[0].summary.gray.is_some());
    }
}
