//! Survival of each group by every endpoint: median with its interval, range, landmark rates, log-rank test.
//!
//! Source: Kaplan and Meier 1958; Brookmeyer and Crowley 1982 and the manual of SPSS for medians; Mantel 1966; Schemper and Smith
//! 1996 for the length of follow-up.

use std::collections::BTreeSet;

use serde::Serialize;
use survival::{
    Convention, Estimate, Group, KaplanMeier, Profile, TimeToEvent, Weighting, follow_up, kaplan_meier, landmarks,
    log_rank, median,
};

use super::summaries::EndpointSummary;
use super::{Reporting, StudyGroup};
use crate::cohort::EndpointRow;

/// One endpoint in one group (`table_survival.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurvivalRow {
    /// Endpoint.
    pub endpoint: String,
    /// Group.
    pub group: String,
    /// Patients, cycles or lesions followed.
    pub n: usize,
    /// Events among them.
    pub events: usize,
    /// Median; empty when not reached.
    pub median_months: Option<f64>,
    /// Lower end of its 95 % interval.
    pub median_low_months: Option<f64>,
    /// Upper end.
    pub median_high_months: Option<f64>,
    /// Whose definition of median and interval: `R`, `SPSS` or `lifelines`.
    pub median_convention: &'static str,
    /// Shortest observation, events and censored alike.
    pub observed_from_months: Option<f64>,
    /// Longest observation.
    pub observed_to_months: Option<f64>,
    /// First event.
    pub events_from_months: Option<f64>,
    /// Last event.
    pub events_to_months: Option<f64>,
    /// Median follow-up by the reverse Kaplan–Meier method.
    pub follow_up_months: Option<f64>,
    /// Plain median of all times observed, as older studies print it: shorter than the follow-up where many had the event.
    pub observed_median_months: Option<f64>,
    /// The median lies after this time where events are known only to lie between two visits (Turnbull 1976); empty when not reached.
    pub interval_median_from_months: Option<f64>,
    /// And at or before this one.
    pub interval_median_to_months: Option<f64>,
    /// Log-rank test over the groups; stands with the row of `all`.
    pub log_rank_p: Option<f64>,
    /// What biases the curve or its comparison; stands with the group it is about, or with `all`.
    pub cautions: String,
    /// Why something is missing.
    pub reasons: String,
}

impl SurvivalRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] = &[
        "endpoint",
        "group",
        "n",
        "events",
        "median_months",
        "median_low_months",
        "median_high_months",
        "median_convention",
        "observed_from_months",
        "observed_to_months",
        "events_from_months",
        "events_to_months",
        "follow_up_months",
        "observed_median_months",
        "interval_median_from_months",
        "interval_median_to_months",
        "log_rank_p",
        "cautions",
        "reasons",
    ];
}

/// Survival at one time (`table_landmarks.csv`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LandmarkRow {
    /// Endpoint.
    pub endpoint: String,
    /// Group.
    pub group: String,
    /// Time.
    pub months: f64,
    /// Survival.
    pub survival: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// At risk just before.
    pub n_risk: usize,
    /// Why there is none.
    pub reasons: String,
}

impl LandmarkRow {
    /// Names of the columns, in order.
    pub const COLUMNS: &'static [&'static str] =
        &["endpoint", "group", "months", "survival", "low", "high", "n_risk", "reasons"];
}

/// Name of a convention in tables.
pub const fn convention_name(profile: Profile) -> &'static str {
    match profile.convention() {
        Convention::R => "R",
        Convention::Spss => "SPSS",
        Convention::Lifelines => "lifelines",
    }
}

/// The endpoints that have rows, in the order of the patients' rows.
pub fn endpoint_names(groups: &[StudyGroup<'_>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for row in groups.iter().take(1).flat_map(|group| &group.patients).flat_map(|patient| patient.endpoints) {
        if !names.contains(&row.endpoint) {
            names.push(row.endpoint.clone());
        }
    }
    names
}

/// The times of a group to an endpoint.
pub fn times(group: &StudyGroup<'_>, endpoint: &str) -> Vec<TimeToEvent> {
    let own = group.patients.iter().flat_map(|patient| patient.endpoints).filter(|row| row.endpoint == endpoint);
    own.map(|row: &EndpointRow| TimeToEvent { time: row.months, event: row.event == 1 }).collect()
}

/// All endpoints, each for everybody and for each group.
pub fn survival_rows(groups: &[StudyGroup<'_>], profile: Profile, summaries: &[EndpointSummary]) -> Vec<SurvivalRow> {
    let mut rows = Vec::new();
    for endpoint in endpoint_names(groups) {
        let summary = summaries.iter().find(|one| one.endpoint == endpoint);
        let (p, why_no_p) = match comparison(groups, &endpoint) {
            Ok(p) => (p, String::new()),
            Err(why) => (None, format!("no log-rank test: {why}")),
        };
        for (n, group) in groups.iter().enumerate() {
            let mut row = survival_row(group, &endpoint, profile);
            if let Some(summary) = summary {
                add_summary(&mut row, n == 0, summary);
            }
            rows.push(if n == 0 {
                let reasons = [row.reasons.as_str(), &why_no_p].map(str::to_owned);
                let reasons: Vec<String> = reasons.into_iter().filter(|reason| !reason.is_empty()).collect();
                SurvivalRow { log_rank_p: p, reasons: reasons.join("; "), ..row }
            } else {
                row
            });
        }
    }
    rows
}

/// The log-rank test over all groups but `all`; `None` where there is nothing to compare.
pub fn comparison(groups: &[StudyGroup<'_>], endpoint: &str) -> Result<Option<f64>, String> {
    let each: Vec<(&str, Vec<TimeToEvent>)> =
        groups.iter().skip(1).map(|group| (group.name.as_str(), times(group, endpoint))).collect();
    let seen: Vec<Group<'_>> = each
        .iter()
        .filter(|(_, times)| !times.is_empty())
        .map(|(label, observations)| Group { label, observations })
        .collect();
    if groups.len() < 2 {
        return Ok(None);
    }
    log_rank(&seen, Weighting::LogRank).map(|test| Some(test.p)).map_err(|error| error.to_string())
}

fn survival_row(group: &StudyGroup<'_>, endpoint: &str, profile: Profile) -> SurvivalRow {
    let seen = times(group, endpoint);
    let extreme = |events_only: bool| {
        let mut found: Vec<f64> = seen.iter().filter(|one| one.event || !events_only).map(|one| one.time).collect();
        found.sort_by(f64::total_cmp);
        (found.first().copied(), found.last().copied())
    };
    let ((observed_from_months, observed_to_months), (events_from_months, events_to_months)) =
        (extreme(false), extreme(true));
    let blank = SurvivalRow {
        endpoint: endpoint.to_owned(),
        group: group.name.clone(),
        n: seen.len(),
        events: seen.iter().filter(|one| one.event).count(),
        median_months: None,
        median_low_months: None,
        median_high_months: None,
        median_convention: convention_name(profile),
        observed_from_months,
        observed_to_months,
        events_from_months,
        events_to_months,
        follow_up_months: None,
        observed_median_months: None,
        interval_median_from_months: None,
        interval_median_to_months: None,
        log_rank_p: None,
        cautions: String::new(),
        reasons: String::new(),
    };
    let curve = match kaplan_meier(&seen, profile.interval_scale()) {
        Ok(curve) => curve,
        Err(error) => return SurvivalRow { reasons: error.to_string(), ..blank },
    };
    let found = median(&curve, profile.convention());
    let followed = follow_up(&seen, profile.interval_scale(), profile.convention()).ok();
    SurvivalRow {
        median_months: found.median,
        median_low_months: found.median_ci[0],
        median_high_months: found.median_ci[1],
        observed_median_months: followed.as_ref().map(|followed| followed.plain_median),
        follow_up_months: followed.and_then(|followed| followed.reverse_km_median),
        reasons: found.median_reason.map(|reason| format!("median {reason}")).unwrap_or_default(),
        ..blank
    }
}

/// The interval-censored median and the cautions of a group; what is said of all groups stands with everybody.
fn add_summary(row: &mut SurvivalRow, is_everybody: bool, found: &EndpointSummary) {
    let alone = found.summary.km.len() == 1;
    let group = if is_everybody && alone { survival::summary::ALL } else { &row.group };
    let curve = found.summary.turnbull.as_ref().and_then(|curves| curves.get(group));
    if let Some([from, to]) = curve.and_then(Estimate::value).and_then(|curve| curve.median_between) {
        (row.interval_median_from_months, row.interval_median_to_months) = (Some(from), Some(to));
    }
    let general = found.summary.cautions.iter().filter(|_| is_everybody);
    let own = found.summary.km.get(group).into_iter().flat_map(|curve| &curve.cautions);
    row.cautions = general.chain(own).cloned().collect::<Vec<_>>().join("; ");
}

/// Survival at the study's times, for every endpoint and group.
pub fn landmark_rows(groups: &[StudyGroup<'_>], reporting: &Reporting) -> Vec<LandmarkRow> {
    let mut rows = Vec::new();
    for endpoint in endpoint_names(groups) {
        for group in groups {
            let curve = kaplan_meier(&times(group, &endpoint), reporting.statistics.interval_scale());
            rows.extend(rates(&endpoint, &group.name, curve.as_ref().ok(), &reporting.landmarks_months));
        }
    }
    rows
}

fn rates(endpoint: &str, group: &str, curve: Option<&KaplanMeier>, months: &[f64]) -> Vec<LandmarkRow> {
    let blank = |months: f64| LandmarkRow {
        endpoint: endpoint.to_owned(),
        group: group.to_owned(),
        months,
        survival: None,
        low: None,
        high: None,
        n_risk: 0,
        reasons: String::new(),
    };
    let Some(curve) = curve else {
        let why = "nobody was followed".to_owned();
        return months.iter().map(|time| LandmarkRow { reasons: why.clone(), ..blank(*time) }).collect();
    };
    let row = |found: survival::Landmark| {
        let (survival, reasons) = match &found.surv {
            Estimate::Value(value) => (Some(*value), String::new()),
            unknown @ Estimate::NotEvaluable { .. } => (None, unknown.reason().unwrap_or_default().to_owned()),
        };
        LandmarkRow {
            survival,
            low: found.lower,
            high: found.upper,
            n_risk: found.n_risk,
            reasons,
            ..blank(found.time)
        }
    };
    landmarks(curve, months).into_iter().map(row).collect()
}

/// Endpoints without any row of a patient who is in the cohort, by patient count: who is not in a curve.
pub fn n_without(group: &StudyGroup<'_>, endpoint: &str) -> usize {
    let with: BTreeSet<&str> = group
        .patients
        .iter()
        .filter(|patient| patient.endpoints.iter().any(|row| row.endpoint == endpoint))
        .map(|patient| patient.id)
        .collect();
    group.patients.len() - with.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::summaries::summaries;
    use crate::study::tests::{followed, patient};
    use crate::study::{StudyPatient, groups};

    fn row(days: i64, event: u8) -> EndpointRow {
        followed("PFS", "", days, event)
    }

    #[test]
    fn medians_ranges_and_the_test_stand_by_group() {
        let rows = [[row(60, 1)], [row(120, 1)], [row(300, 0)], [row(30, 1)], [row(45, 1)], [row(60, 0)]];
        let patients: Vec<StudyPatient<'_>> = ["1", "2", "3", "4", "5", "6"]
            .iter()
            .zip(["HCC", "HCC", "HCC", "CRLM", "CRLM", "CRLM"])
            .zip(&rows)
            .map(|((id, diagnosis), rows)| StudyPatient { endpoints: rows, ..patient(id, diagnosis) })
            .collect();
        let groups = groups(&patients);
        let summaries = summaries(&groups, &Reporting::default());
        let found = survival_rows(&groups, Profile::Spss, &summaries);
        let told: Vec<(&str, usize, usize, Option<f64>)> =
            found.iter().map(|r| (r.group.as_str(), r.n, r.events, r.median_months)).collect();
        assert_eq!(told, [("all", 6, 4, Some(2.0)), ("CRLM", 3, 2, Some(1.5)), ("HCC", 3, 2, Some(4.0))]);
        assert!(found[0].log_rank_p.is_some_and(|p| p > 0.0 && p < 1.0) && found[1].log_rank_p.is_none());
        assert_eq!((found[2].observed_to_months, found[2].events_to_months), (Some(10.0), Some(4.0)));
        let reporting = Reporting { landmarks_months: vec![3.0, 24.0], ..Reporting::default() };
        let rates = landmark_rows(&groups, &reporting);
        let hcc: Vec<&LandmarkRow> = rates.iter().filter(|rate| rate.group == "HCC").collect();
        assert!((hcc[0].survival.unwrap() - 2.0 / 3.0).abs() < 1e-12 && hcc[0].n_risk == 2);
        assert!(hcc[1].survival.is_none() && hcc[1].reasons.contains("observation ends"));
        assert_eq!(n_without(&groups[0], "OS"), 6);
    }
}
