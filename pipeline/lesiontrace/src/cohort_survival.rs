//! Survival of the cohort by every endpoint: the curves of the page and `cohort/survival.json`.

use oncology::study::summaries::EndpointSummary;
use oncology::study::time_to_event::{comparison, endpoint_names, times};
use oncology::study::{StudyGroup, groups};
use survival::{Convention, KaplanMeier, Profile, kaplan_meier, median};

use crate::patient::CohortPatient;
use crate::study_print;
use crate::study_tables::study_patients;

/// One endpoint's curves.
pub(crate) struct Curve {
    /// Its code.
    pub(crate) endpoint: String,
    /// Of everybody: the estimate, or why there is none.
    pub(crate) estimate: Result<KaplanMeier, String>,
    /// Of each diagnosis that is compared, with its name.
    pub(crate) groups: Vec<(String, Result<KaplanMeier, String>)>,
    /// The log-rank test over them, as a sentence; empty without groups.
    pub(crate) comparison: String,
    /// Whose definition of medians.
    pub(crate) convention: Convention,
    /// Everything that was estimated over the compared groups.
    pub(crate) summary: Option<EndpointSummary>,
}

impl Curve {
    /// What to know beside the curves.
    pub(crate) fn cautions(&self) -> Vec<String> {
        self.summary.as_ref().map(EndpointSummary::cautions).unwrap_or_default()
    }
}

/// Kaplan–Meier of every endpoint, over all its units and by diagnosis, in months, with the preset's conventions.
pub(crate) fn curves(results: &[CohortPatient], statistics: Profile, summaries: &[EndpointSummary]) -> Vec<Curve> {
    let patients = study_patients(results);
    let groups = groups(&patients);
    let mut names = endpoint_names(&groups);
    names.sort();
    let estimate = |group: &StudyGroup<'_>, endpoint: &str| {
        kaplan_meier(&times(group, endpoint), statistics.interval_scale()).map_err(|error| error.to_string())
    };
    let one = |endpoint: String| {
        let summary = summaries.iter().find(|one| one.endpoint == endpoint).cloned();
        Curve {
            estimate: estimate(&groups[0], &endpoint),
            groups: groups[1..].iter().map(|group| (group.name.clone(), estimate(group, &endpoint))).collect(),
            comparison: compared(&groups, &endpoint, summary.as_ref()),
            convention: statistics.convention(),
            summary,
            endpoint,
        }
    };
    names.into_iter().map(one).collect()
}

/// The tests between the groups as sentences: log-rank, and where another event competes, Gray's.
fn compared(groups: &[StudyGroup<'_>], endpoint: &str, summary: Option<&EndpointSummary>) -> String {
    let log_rank = match comparison(groups, endpoint) {
        Ok(Some(p)) => p_sentence("Log-rank test", p),
        Ok(None) => return String::new(),
        Err(reason) => format!("Log-rank test: not evaluable, {reason}."),
    };
    let gray = summary.and_then(|one| one.summary.gray.as_ref()?.get(&1)?.value());
    match gray {
        Some(test) => format!("{log_rank} {}", p_sentence("Gray's test of the cumulative incidences", test.p)),
        None => log_rank,
    }
}

/// `Log-rank test: p = 0.031.`
fn p_sentence(test: &str, p: f64) -> String {
    format!("{test}: p = {}.", study_print::cells::p_value(Some(p))).replace("= <", "< ")
}

/// `cohort/survival.json`: curves and medians, and under `summary` all that `survival --json` says of the compared groups.
pub(crate) fn survival_json(curves: &[Curve]) -> serde_json::Value {
    let one = |curve: &Curve| match &curve.estimate {
        Ok(estimate) => {
            let median_of = |estimate: &KaplanMeier| serde_json::json!(median(estimate, curve.convention));
            let mut km = serde_json::Map::from_iter([("all".to_owned(), serde_json::json!(estimate))]);
            let mut medians = serde_json::Map::new();
            for (name, group) in &curve.groups {
                if let Ok(group) = group {
                    km.insert(name.clone(), serde_json::json!(group));
                    medians.insert(name.clone(), median_of(group));
                }
            }
            let summary = curve.summary.as_ref();
            serde_json::json!({
                "time_unit": "months",
                "km": km,
                "median": median_of(estimate),
                "group_median": medians,
                "competing": summary.map(|one| &one.competing),
                "summary": summary.map(|one| &one.summary),
            })
        }
        Err(reason) => serde_json::json!({"not_evaluable": reason}),
    };
    let endpoints: serde_json::Map<String, serde_json::Value> =
        curves.iter().map(|curve| (curve.endpoint.clone(), one(curve))).collect();
    serde_json::json!({"schema_version": 1, "endpoints": endpoints})
}
