//! Everything about one table of times and events, under the conventions of one statistics program.
//!
//! The fields are those of the program's `survival` JSON. Conventions: R `survival` 3, SPSS Statistics, lifelines 0.30.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::cox::concordance::{Ranked, concordance};
use crate::cox::proportional_hazards::{ProportionalHazards, proportional_hazards};
use crate::observation::check_times;
use crate::{
    CoxError, CoxFit, CoxSubject, CumulativeIncidence, Estimate, FineGrayError, FineGrayFit, FineGraySubject, FollowUp,
    GrayTest, Group, InputError, KaplanMeier, Landmark, LogRank, Median, Profile, TimeToEvent, TimeToState, TimeUnit,
    Weighting, cumulative_incidence, fine_gray, follow_up, gray_test, kaplan_meier, landmarks, log_rank, median,
    restricted_mean, states,
};

/// Label of the only group where none are named.
pub const ALL: &str = "all";

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Time from the origin, 0 or more, in the unit of the options.
    pub time: f64,
    /// True: the event happened at `time`.
    pub event: bool,
    /// The state reached, where causes compete: 0 censored, 1 the event of interest, 2 and above competing.
    pub state: Option<u32>,
    /// The group compared, where there are groups.
    pub group: Option<String>,
    /// One value per term; `None` when any is missing: the row is then left out of regression models and counted.
    pub covariates: Option<Vec<f64>>,
    /// The cluster (patient) of the row, where rows are not independent.
    pub cluster: Option<usize>,
}

/// What to work out.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryOptions {
    /// Whose conventions.
    pub profile: Profile,
    /// The unit of all times.
    pub time_unit: TimeUnit,
    /// Times at which survival is given.
    pub landmarks: Vec<f64>,
    /// Horizon of the restricted mean; `None` takes each group's last observed time.
    pub rmst_tau: Option<f64>,
    /// Names of the covariates; none: no regression model.
    pub terms: Vec<String>,
}

/// The curve of one group with its median and restricted mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupCurve {
    /// The curve.
    #[serde(flatten)]
    pub curve: KaplanMeier,
    /// Its median.
    #[serde(flatten)]
    pub median: Median,
    /// The restricted mean up to `rmst_tau`.
    pub rmst: Estimate<f64>,
    /// Its standard error.
    pub rmst_se: Option<f64>,
    /// Its horizon; restricted means compare only at the same one.
    pub rmst_tau: f64,
}

/// The weighted relatives of the log-rank test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightedTests {
    /// Gehan, BRESLOW in SPSS.
    pub gehan: Estimate<LogRank>,
    /// Tarone–Ware.
    pub tarone_ware: Estimate<LogRank>,
    /// Peto–Peto, with the weights of the profile.
    pub peto: Estimate<LogRank>,
}

/// A Cox model with its checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoxSummary {
    /// The model.
    #[serde(flatten)]
    pub fit: CoxFit,
    /// Its proportional hazards, ending with the global test.
    #[serde(flatten)]
    pub zph: ProportionalHazards,
    /// Harrell's concordance.
    pub concordance: Estimate<f64>,
    /// Its standard error.
    pub concordance_se: Option<f64>,
    /// Rows left out because a covariate is missing.
    pub n_incomplete: usize,
}

/// All results of one table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SurvivalSummary {
    /// The unit of every time.
    pub time_unit: TimeUnit,
    /// Whose conventions were followed.
    pub profile: Profile,
    /// Survival curves by group.
    pub km: BTreeMap<String, GroupCurve>,
    /// The log-rank test over all groups, listed in the order of `km`.
    pub logrank: Estimate<LogRank>,
    /// Its weighted relatives.
    pub weighted: WeightedTests,
    /// The Cox model; absent without covariates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cox: Option<Estimate<CoxSummary>>,
    /// Cumulative incidence by group and state; absent without states.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cif: Option<BTreeMap<String, BTreeMap<u32, CumulativeIncidence>>>,
    /// Gray's test by state; absent without states.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gray: Option<BTreeMap<u32, Estimate<GrayTest>>>,
    /// Fine–Gray model of state 1; absent without states or covariates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fine_gray: Option<Estimate<FineGrayFit>>,
    /// Survival at the landmarks, by group.
    pub landmarks: BTreeMap<String, Vec<Landmark>>,
    /// Length of follow-up over all groups.
    pub follow_up: FollowUp,
    /// What a reader must know before quoting a number.
    pub cautions: Vec<String>,
}

/// Works out everything that the table and the options allow. Fails only where no row can be used; a part that cannot be
/// worked out carries its reason.
pub fn summarise(records: &[Record], options: &SummaryOptions) -> Result<SurvivalSummary, InputError> {
    check_times(records.iter().map(|record| record.time))?;
    let profile = options.profile;
    let all: Vec<TimeToEvent> = records.iter().map(seen).collect();
    let by_group = grouped(records, |record| Some(seen(record)));
    let groups = as_groups(&by_group);
    let mut km = BTreeMap::new();
    for (label, observations) in &by_group {
        km.insert(label.clone(), group_curve(observations, options)?);
    }
    let landmarks =
        km.iter().map(|(label, group)| (label.clone(), landmarks(&group.curve, &options.landmarks))).collect();
    let test = |weighting| Estimate::from(log_rank(&groups, weighting));
    let has_states = records.iter().any(|record| record.state.is_some());
    Ok(SurvivalSummary {
        time_unit: options.time_unit,
        profile,
        km,
        logrank: test(Weighting::LogRank),
        weighted: WeightedTests {
            gehan: test(Weighting::Gehan),
            tarone_ware: test(Weighting::TaroneWare),
            peto: test(profile.peto()),
        },
        cox: (!options.terms.is_empty()).then(|| cox_summary(records, options).into()),
        cif: has_states.then(|| incidence(records)),
        gray: has_states.then(|| gray(records)),
        fine_gray: (has_states && !options.terms.is_empty()).then(|| fine_gray_summary(records, options).into()),
        landmarks,
        follow_up: follow_up(&all, profile.interval_scale(), profile.convention())?,
        cautions: cautions(records, has_states),
    })
}

fn seen(record: &Record) -> TimeToEvent {
    TimeToEvent { time: record.time, event: record.event }
}

fn ended(record: &Record) -> Option<TimeToState> {
    Some(TimeToState { time: record.time, state: record.state? })
}

fn grouped<T>(records: &[Record], observation: impl Fn(&Record) -> Option<T>) -> BTreeMap<String, Vec<T>> {
    let mut groups: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for record in records {
        let label = record.group.as_deref().unwrap_or(ALL);
        if let Some(observation) = observation(record) {
            groups.entry(label.to_owned()).or_default().push(observation);
        }
    }
    groups
}

fn as_groups<T>(by_group: &BTreeMap<String, Vec<T>>) -> Vec<Group<'_, T>> {
    by_group.iter().map(|(label, observations)| Group { label, observations }).collect()
}

fn group_curve(observations: &[TimeToEvent], options: &SummaryOptions) -> Result<GroupCurve, InputError> {
    let curve = kaplan_meier(observations, options.profile.interval_scale())?;
    let rmst_tau = options.rmst_tau.unwrap_or_else(|| curve.last_time());
    let mean = restricted_mean(&curve, rmst_tau);
    Ok(GroupCurve {
        median: median(&curve, options.profile.convention()),
        rmst_se: mean.as_ref().ok().map(|mean| mean.rmst_se),
        rmst: mean.map(|mean| mean.rmst).into(),
        rmst_tau,
        curve,
    })
}

fn cox_summary(records: &[Record], options: &SummaryOptions) -> Result<CoxSummary, CoxError> {
    let terms: Vec<&str> = options.terms.iter().map(String::as_str).collect();
    let subjects: Vec<CoxSubject> = records
        .iter()
        .filter_map(|record| {
            Some(CoxSubject {
                time: record.time,
                event: record.event,
                covariates: record.covariates.clone()?,
                cluster: record.cluster,
                stratum: None,
            })
        })
        .collect();
    let (fit, zph) = proportional_hazards(&terms, &subjects, options.profile.ties())?;
    let risk = |subject: &CoxSubject| subject.covariates.iter().zip(&fit.coef).map(|(x, coef)| x * coef).sum();
    let ranked: Vec<Ranked> = subjects
        .iter()
        .map(|subject| Ranked { time: subject.time, event: subject.event, risk: risk(subject) })
        .collect();
    let concordance = concordance(&ranked);
    Ok(CoxSummary {
        concordance: concordance.map_or_else(
            || Estimate::not_evaluable("no pair of subjects can be ordered"),
            |found| Estimate::Value(found.concordance),
        ),
        concordance_se: concordance.map(|found| found.concordance_se),
        n_incomplete: records.len() - subjects.len(),
        fit,
        zph,
    })
}

/// The Fine–Gray model of state 1 over the rows with a state and all covariates. Its errors do not allow for clusters.
fn fine_gray_summary(records: &[Record], options: &SummaryOptions) -> Result<FineGrayFit, FineGrayError> {
    let terms: Vec<&str> = options.terms.iter().map(String::as_str).collect();
    let subject = |record: &Record| {
        Some(FineGraySubject { time: record.time, state: record.state?, covariates: record.covariates.clone()? })
    };
    fine_gray(&terms, &records.iter().filter_map(subject).collect::<Vec<_>>(), 1)
}

fn incidence(records: &[Record]) -> BTreeMap<String, BTreeMap<u32, CumulativeIncidence>> {
    let all_states = states(&records.iter().filter_map(ended).collect::<Vec<_>>());
    let of_group = |observations: &[TimeToState]| {
        let curves =
            all_states.iter().filter_map(|&state| Some((state, cumulative_incidence(observations, state).ok()?)));
        curves.collect()
    };
    grouped(records, ended).iter().map(|(label, observations)| (label.clone(), of_group(observations))).collect()
}

fn gray(records: &[Record]) -> BTreeMap<u32, Estimate<GrayTest>> {
    let by_group = grouped(records, ended);
    let groups = as_groups(&by_group);
    let all_states = states(&records.iter().filter_map(ended).collect::<Vec<_>>());
    all_states.into_iter().map(|state| (state, gray_test(&groups, state).into())).collect()
}

fn cautions(records: &[Record], has_states: bool) -> Vec<String> {
    let mut cautions = Vec::new();
    let clusters: BTreeSet<usize> = records.iter().filter_map(|record| record.cluster).collect();
    let n_clustered = records.iter().filter(|record| record.cluster.is_some()).count();
    if clusters.len() < n_clustered {
        cautions.push(
            "several rows share a cluster: curves, their bounds, log-rank and Gray's tests assume independent rows; \
             only the Cox model's errors allow for clusters"
                .to_owned(),
        );
    }
    let disagree =
        records.iter().filter(|record| record.state.is_some_and(|state| (state == 1) != record.event)).count();
    if disagree > 0 {
        cautions.push(format!(
            "event and state 1 disagree in {disagree} rows: the survival curves follow event, the cumulative incidences state"
        ));
    }
    let missing = records.iter().filter(|record| record.state.is_none()).count();
    if has_states && missing > 0 {
        cautions.push(format!("{missing} rows without a state are left out of the cumulative incidences"));
    }
    cautions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(time: f64, state: u32, group: &str, covariate: Option<f64>) -> Record {
        Record {
            time,
            event: state == 1,
            state: Some(state),
            group: Some(group.to_owned()),
            covariates: covariate.map(|covariate| vec![covariate]),
            cluster: None,
        }
    }

    fn records() -> Vec<Record> {
        vec![
            record(1.0, 1, "HCC", Some(2.0)),
            record(2.0, 2, "HCC", Some(1.0)),
            record(3.0, 1, "HCC", Some(4.0)),
            record(5.0, 0, "HCC", None),
            record(2.0, 1, "CRLM", Some(3.0)),
            record(4.0, 1, "CRLM", Some(1.0)),
            record(6.0, 0, "CRLM", Some(2.0)),
        ]
    }

    fn options() -> SummaryOptions {
        SummaryOptions {
            profile: Profile::R,
            time_unit: TimeUnit::Months,
            landmarks: vec![3.0, 12.0],
            rmst_tau: None,
            terms: vec!["diameter".to_owned()],
        }
    }

    #[test]
    fn every_part_is_there_under_its_name_and_comes_back_from_disk() {
        let found = summarise(&records(), &options()).unwrap();
        let text = serde_json::to_string(&found).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        for path in [
            "/km/HCC/n",
            "/km/HCC/events",
            "/km/HCC/time/0",
            "/km/HCC/n_risk/0",
            "/km/HCC/surv/0",
            "/km/HCC/lower/0",
            "/km/HCC/median",
            "/km/HCC/median_ci/0",
            "/km/HCC/rmst",
            "/logrank/chisq",
            "/logrank/df",
            "/logrank/p",
            "/weighted/gehan/p",
            "/weighted/tarone_ware/p",
            "/weighted/peto/p",
            "/cox/terms/0",
            "/cox/coef/0",
            "/cox/hr/0",
            "/cox/lower/0",
            "/cox/zph_chisq/1",
            "/cox/zph_p/1",
            "/cox/concordance",
            "/cox/loglik/1",
            "/cox/n",
            "/cox/events",
            "/cif/CRLM/1/est/0",
            "/cif/HCC/2/var/0",
            "/gray/1/stat",
            "/gray/2/df",
            "/fine_gray/coef/0",
            "/fine_gray/terms/0",
            "/fine_gray/se/0",
            "/fine_gray/p/0",
            "/landmarks/HCC/0/surv",
            "/landmarks/HCC/0/n_risk",
            "/follow_up/reverse_km_median",
            "/follow_up/ci/0",
        ] {
            assert!(json.pointer(path).is_some(), "{path} is missing in {text}");
        }
        assert_eq!(json["cox"]["n_incomplete"], 1);
        assert_eq!(json["time_unit"], "months");
        assert!(json["landmarks"]["HCC"][1]["surv"]["not_evaluable"].is_string());
        assert_eq!(serde_json::from_str::<SurvivalSummary>(&text).unwrap(), found);
    }

    #[test]
    fn one_group_without_covariates_or_states() {
        let records: Vec<Record> = records()
            .into_iter()
            .map(|record| Record { group: None, state: None, covariates: None, ..record })
            .collect();
        let found = summarise(&records, &SummaryOptions { terms: Vec::new(), ..options() }).unwrap();
        assert_eq!(found.km.keys().collect::<Vec<_>>(), [ALL]);
        assert_eq!(found.logrank.reason(), Some("expected at least two groups to compare, found 1"));
        assert!(found.cox.is_none() && found.cif.is_none() && found.gray.is_none());
    }

    #[test]
    fn a_model_that_cannot_be_fitted_carries_its_reason() {
        let records: Vec<Record> =
            records().into_iter().map(|record| Record { covariates: Some(vec![1.0]), ..record }).collect();
        let found = summarise(&records, &options()).unwrap();
        assert!(found.cox.unwrap().reason().unwrap().contains("\"diameter\" does not vary"));
    }

    #[test]
    fn shared_clusters_and_contradictions_are_said() {
        let mut records = records();
        records[0].cluster = Some(1);
        records[1].cluster = Some(1);
        records[3].event = true;
        records[6].state = None;
        let found = summarise(&records, &options()).unwrap().cautions;
        assert!(
            found[0].contains("share a cluster") && found[1].contains("in 1 rows") && found[2].starts_with("1 rows")
        );
    }

    #[test]
    fn an_empty_table_is_an_error() {
        assert_eq!(summarise(&[], &options()), Err(InputError::NoObservations));
    }
}
