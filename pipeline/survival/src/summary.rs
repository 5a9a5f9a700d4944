//! Everything about one table of times and events, under the conventions of one statistics program.
//!
//! The fields are those of the program's `survival` JSON. Conventions: R `survival` 3, SPSS Statistics, lifelines 0.30.

mod regression;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::bias;
use crate::observation::check_times;
use crate::record::Record;
use crate::screen::Screen;
use crate::{
    CumulativeIncidence, Estimate, FineGrayFit, FirthFit, FollowUp, GrayTest, Group, InputError, IntervalScale,
    KaplanMeier, Landmark, LogRank, LogRankError, Median, Profile, Ties, TimeToEvent, TimeToState, TimeUnit, Turnbull,
    Weighting, cumulative_incidence, follow_up, gray_test, kaplan_meier, landmarks, log_rank_tests, median,
    restricted_mean, states, turnbull,
};
pub use regression::CoxSummary;

/// Label of the only group where none are named.
pub const ALL: &str = "all";

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
    /// Names of the covariates; none: no regression model. `COLUMN=VALUE` terms of one column are one variable.
    pub terms: Vec<String>,
    /// The scale of the bounds of S, where it is not the profile's.
    pub interval_scale: Option<IntervalScale>,
    /// The treatment of ties in Cox models, where it is not the profile's.
    pub ties: Option<Ties>,
    /// Whether Firth's penalised model is fitted, too.
    pub firth: Penalty,
    /// Screens the variables one by one and fits those with p below this together.
    pub screen_below: Option<f64>,
    /// Landmark analysis: only rows observed at least this long, their times counted from here.
    pub landmark_origin: Option<f64>,
}

/// Whether a penalised Cox model stands beside the ordinary one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Penalty {
    /// The ordinary model alone.
    None,
    /// Firth's, too.
    Firth,
}

impl SummaryOptions {
    /// The profile's conventions, survival alone.
    #[must_use]
    pub fn new(profile: Profile, time_unit: TimeUnit) -> Self {
        Self {
            profile,
            time_unit,
            landmarks: Vec::new(),
            rmst_tau: None,
            terms: Vec::new(),
            interval_scale: None,
            ties: None,
            firth: Penalty::None,
            screen_below: None,
            landmark_origin: None,
        }
    }

    fn ties(&self) -> Ties {
        self.ties.unwrap_or(self.profile.ties())
    }

    fn interval_scale(&self) -> IntervalScale {
        self.interval_scale.unwrap_or(self.profile.interval_scale())
    }
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
    /// What biases this curve against the others: immortal time, uneven visits.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub cautions: Vec<String>,
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

/// All results of one table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SurvivalSummary {
    /// The unit of every time.
    pub time_unit: TimeUnit,
    /// Whose conventions were followed.
    pub profile: Profile,
    /// Survival curves by group.
    pub km: BTreeMap<String, GroupCurve>,
    /// The curve of events known only to lie between two visits, by group; absent where no such interval is given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub turnbull: Option<BTreeMap<String, Estimate<Turnbull>>>,
    /// The log-rank test over all groups, listed in the order of `km`; inside the strata where there are some.
    pub logrank: Estimate<LogRank>,
    /// Its weighted relatives.
    pub weighted: WeightedTests,
    /// The Cox model; absent without covariates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cox: Option<Estimate<CoxSummary>>,
    /// Firth's penalised model of the same terms; absent where it is not asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub firth: Option<Estimate<FirthFit>>,
    /// Univariable models and the multivariable one of what they select; absent where it is not asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub screen: Option<Screen>,
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
    /// What each coded term (`COLUMN=VALUE`) is compared with; filled in by who read the table.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub references: BTreeMap<String, Vec<String>>,
    /// What a reader must know before quoting a number.
    pub cautions: Vec<String>,
}

/// Works out everything that the table and the options allow. Fails only where no row can be used; a part that cannot be
/// worked out carries its reason.
pub fn summarise(records: &[Record], options: &SummaryOptions) -> Result<SurvivalSummary, InputError> {
    check_times(records.iter().map(|record| record.time))?;
    match options.landmark_origin {
        None => summarise_from(records, options, Vec::new()),
        Some(origin) => {
            let (kept, said) = from_landmark(records, origin)?;
            summarise_from(&kept, options, said)
        }
    }
}

fn summarise_from(
    records: &[Record],
    options: &SummaryOptions,
    mut said: Vec<String>,
) -> Result<SurvivalSummary, InputError> {
    check_times(records.iter().map(|record| record.time))?;
    let profile = options.profile;
    let by_group = grouped(records);
    let mut km = BTreeMap::new();
    for (&label, members) in &by_group {
        let others: Vec<&Record> = by_group
            .iter()
            .filter(|(other, _)| **other != label)
            .flat_map(|(_, others)| others.iter().copied())
            .collect();
        let mut curve = group_curve(members, options)?;
        curve.cautions = bias::cautions(members, &others);
        km.insert(label.to_owned(), curve);
    }
    let landmarks =
        km.iter().map(|(label, group)| (label.clone(), landmarks(&group.curve, &options.landmarks))).collect();
    let [logrank, gehan, tarone_ware, peto] = tests(records, profile.peto());
    let has_states = records.iter().any(|record| record.state.is_some());
    let has_terms = !options.terms.is_empty();
    let all: Vec<TimeToEvent> = records.iter().map(Record::seen).collect();
    said.extend(cautions(records, has_states));
    Ok(SurvivalSummary {
        time_unit: options.time_unit,
        profile,
        km,
        turnbull: records.iter().any(|record| record.interval_low.is_some()).then(|| interval_censored(&by_group)),
        logrank,
        weighted: WeightedTests { gehan, tarone_ware, peto },
        cox: has_terms.then(|| regression::cox_summary(records, options).into()),
        firth: (has_terms && options.firth == Penalty::Firth)
            .then(|| regression::firth_summary(records, options).into()),
        screen: options
            .screen_below
            .filter(|_| has_terms)
            .map(|threshold| regression::screened(records, options, threshold)),
        cif: has_states.then(|| incidence(&by_group)),
        gray: has_states.then(|| gray(&by_group)),
        fine_gray: (has_states && has_terms).then(|| regression::fine_gray_summary(records, options).into()),
        landmarks,
        follow_up: follow_up(&all, options.interval_scale(), profile.convention())?,
        references: BTreeMap::new(),
        cautions: said,
    })
}

/// The rows observed at least up to `origin`, their times counted from it, and what to say about the others.
fn from_landmark(records: &[Record], origin: f64) -> Result<(Vec<Record>, Vec<String>), InputError> {
    if !origin.is_finite() || origin < 0.0 {
        return Err(InputError::BadLandmark { found: origin });
    }
    let kept: Vec<Record> = records
        .iter()
        .filter(|record| record.time >= origin)
        .map(|record| Record {
            time: record.time - origin,
            interval_low: record.interval_low.map(|low| (low - origin).max(0.0)),
            group_known: record.group_known.map(|known| known - origin),
            ..record.clone()
        })
        .collect();
    if kept.is_empty() {
        return Err(InputError::NobodyAtLandmark { landmark: origin });
    }
    let n_left = records.len() - kept.len();
    let said = format!(
        "landmark analysis at {origin}: {n_left} of {} rows ended before it and are left out; all times count from it",
        records.len()
    );
    Ok((kept, vec![said]))
}

type ByGroup<'a> = BTreeMap<&'a str, Vec<&'a Record>>;

fn grouped(records: &[Record]) -> ByGroup<'_> {
    let mut groups: ByGroup<'_> = BTreeMap::new();
    for record in records {
        groups.entry(record.group.as_deref().unwrap_or(ALL)).or_default().push(record);
    }
    groups
}

fn states_of(members: &[&Record]) -> Vec<TimeToState> {
    members.iter().filter_map(|record| record.ended()).collect()
}

fn group_curve(members: &[&Record], options: &SummaryOptions) -> Result<GroupCurve, InputError> {
    let seen: Vec<TimeToEvent> = members.iter().map(|record| record.seen()).collect();
    let curve = kaplan_meier(&seen, options.interval_scale())?;
    let rmst_tau = options.rmst_tau.unwrap_or_else(|| curve.last_time());
    let mean = restricted_mean(&curve, rmst_tau);
    Ok(GroupCurve {
        median: median(&curve, options.profile.convention()),
        rmst_se: mean.as_ref().ok().map(|mean| mean.rmst_se),
        rmst: mean.map(|mean| mean.rmst).into(),
        rmst_tau,
        curve,
        cautions: Vec::new(),
    })
}

/// The log-rank test and its relatives, inside the strata.
fn tests(records: &[Record], peto: Weighting) -> [Estimate<LogRank>; 4] {
    let mut labels: Vec<&str> = records.iter().map(|record| record.group.as_deref().unwrap_or(ALL)).collect();
    labels.sort_unstable();
    labels.dedup();
    let mut strata: BTreeMap<Option<usize>, Vec<Vec<TimeToEvent>>> = BTreeMap::new();
    for record in records {
        let label = record.group.as_deref().unwrap_or(ALL);
        if let Ok(group) = labels.binary_search(&label) {
            let members = strata.entry(record.stratum).or_insert_with(|| vec![Vec::new(); labels.len()]);
            members[group].push(record.seen());
        }
    }
    let group = |(label, observations)| Group { label, observations };
    let strata: Vec<Vec<Group<'_>>> = strata
        .values()
        .map(|members| labels.iter().copied().zip(members.iter().map(Vec::as_slice)).map(group).collect())
        .collect();
    let strata: Vec<&[Group<'_>]> = strata.iter().map(Vec::as_slice).collect();
    let weightings = [Weighting::LogRank, Weighting::Gehan, Weighting::TaroneWare, peto];
    match log_rank_tests(&strata, weightings) {
        Ok(tests) => tests.map(Estimate::from),
        Err(error) => weightings.map(|_| Err::<LogRank, LogRankError>(error.clone()).into()),
    }
}

fn interval_censored(by_group: &ByGroup<'_>) -> BTreeMap<String, Estimate<Turnbull>> {
    let of_group = |members: &Vec<&Record>| turnbull(&members.iter().map(|record| record.window()).collect::<Vec<_>>());
    by_group.iter().map(|(label, members)| ((*label).to_owned(), of_group(members).into())).collect()
}

fn all_states(by_group: &ByGroup<'_>) -> Vec<u32> {
    states(&by_group.values().flat_map(|members| states_of(members)).collect::<Vec<_>>())
}

fn incidence(by_group: &ByGroup<'_>) -> BTreeMap<String, BTreeMap<u32, CumulativeIncidence>> {
    let all_states = all_states(by_group);
    let of_group = |members: &Vec<&Record>| {
        let observations = states_of(members);
        let curve = |&state: &u32| Some((state, cumulative_incidence(&observations, state).ok()?));
        all_states.iter().filter_map(curve).collect()
    };
    by_group.iter().map(|(label, members)| ((*label).to_owned(), of_group(members))).collect()
}

fn gray(by_group: &ByGroup<'_>) -> BTreeMap<u32, Estimate<GrayTest>> {
    let members: Vec<(&str, Vec<TimeToState>)> =
        by_group.iter().map(|(label, members)| (*label, states_of(members))).collect();
    let groups: Vec<Group<'_, TimeToState>> =
        members.iter().map(|(label, observations)| Group { label, observations }).collect();
    all_states(by_group).into_iter().map(|state| (state, gray_test(&groups, state).into())).collect()
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
    let strata: BTreeSet<usize> = records.iter().filter_map(|record| record.stratum).collect();
    if !strata.is_empty() {
        cautions.push(format!(
            "{} strata: log-rank tests and Cox models compare inside them; curves and competing risks do not",
            strata.len()
        ));
    }
    let has_intervals = records.iter().any(|record| record.interval_low.is_some());
    let exact = records.iter().filter(|record| record.event && record.interval_low.is_none()).count();
    if has_intervals && exact > 0 {
        cautions.push(format!(
            "{exact} events without a last time before them count as exactly dated in the interval-censored curves"
        ));
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
            state: Some(state),
            group: Some(group.to_owned()),
            covariates: vec![covariate],
            ..Record::new(time, state == 1)
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
            landmarks: vec![3.0, 12.0],
            terms: vec!["diameter".to_owned()],
            ..SummaryOptions::new(Profile::R, TimeUnit::Months)
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
            .map(|record| Record { group: None, state: None, covariates: Vec::new(), ..record })
            .collect();
        let found = summarise(&records, &SummaryOptions { terms: Vec::new(), ..options() }).unwrap();
        assert_eq!(found.km.keys().collect::<Vec<_>>(), [ALL]);
        assert_eq!(found.logrank.reason(), Some("expected at least two groups to compare, found 1"));
        assert!(found.cox.is_none() && found.cif.is_none() && found.gray.is_none());
    }

    #[test]
    fn a_model_that_cannot_be_fitted_carries_its_reason() {
        let records: Vec<Record> =
            records().into_iter().map(|record| Record { covariates: vec![Some(1.0)], ..record }).collect();
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

    #[test]
    fn what_is_asked_for_beside_the_defaults_is_there() {
        let mut records = records();
        records[4].interval_low = Some(1.5);
        for (row, record) in records.iter_mut().enumerate() {
            record.stratum = Some(row % 2);
        }
        let options = SummaryOptions {
            firth: Penalty::Firth,
            screen_below: Some(0.1),
            ties: Some(Ties::Breslow),
            interval_scale: Some(IntervalScale::LogLog),
            ..options()
        };
        let found = summarise(&records, &options).unwrap();
        assert_eq!(found.km["HCC"].curve.interval_scale, IntervalScale::LogLog);
        assert_eq!(found.firth.as_ref().unwrap().value().unwrap().ties, Ties::Breslow);
        assert_eq!(found.screen.as_ref().unwrap().univariable[0].variable, "diameter");
        let turnbull = &found.turnbull.as_ref().unwrap()["CRLM"];
        assert_eq!(turnbull.value().unwrap().falls[0].by, Some(2.0));
        assert!(found.cautions[0].starts_with("2 strata") && found.cautions[1].starts_with("3 events without"));
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<SurvivalSummary>(&text).unwrap(), found);
    }

    #[test]
    fn a_landmark_analysis_starts_the_clock_anew() {
        let from = |origin| summarise(&records(), &SummaryOptions { landmark_origin: Some(origin), ..options() });
        let found = from(3.0).unwrap();
        assert_eq!((found.km["HCC"].curve.n, found.km["CRLM"].curve.n), (2, 2));
        assert_eq!(found.km["HCC"].curve.time, [0.0, 2.0]);
        assert!(found.cautions[0].starts_with("landmark analysis at 3: 3 of 7 rows"), "{:?}", found.cautions);
        assert_eq!(from(9.0), Err(InputError::NobodyAtLandmark { landmark: 9.0 }));
        assert_eq!(from(-1.0), Err(InputError::BadLandmark { found: -1.0 }));
    }
}
