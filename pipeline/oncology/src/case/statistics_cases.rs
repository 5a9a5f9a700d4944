//! Worked cases of survival statistics, under every convention at once; the keys of `expected` name which.
//!
//! Source: R survival 3.5.3 and lifelines 0.30.3 stand behind the expectations; the estimators are the crate `survival`'s.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use survival::{
    Convention, CoxSubject, Group, IntervalScale, Median, Ties, TimeToEvent, TimeToState, Weighting,
    cumulative_incidence, kaplan_meier, log_rank, median, proportional_hazards, restricted_mean, reverse_kaplan_meier,
    states,
};

use super::response_cases::{bad, object, read};
use super::{CaseError, CaseInput};

const CATEGORY: &str = "stats";

#[derive(Deserialize)]
struct Table {
    time: Vec<f64>,
    event: Option<Vec<u32>>,
    state: Option<Vec<u32>>,
    group: Option<Vec<u32>>,
    tau: Option<f64>,
    times: Option<Vec<f64>>,
}

pub(super) fn statistics(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    let table: Table = read(CATEGORY, case.input)?;
    let n = table.time.len();
    let lengths = [&table.event, &table.state, &table.group].into_iter().flatten().map(Vec::len);
    if lengths.into_iter().any(|length| length != n) {
        return Err(bad(CATEGORY, "time, event, state and group must be of one length"));
    }
    let mut all = Map::new();
    let events: Option<Vec<u32>> = table.event.clone().or_else(|| table.state.clone());
    if let Some(events) = &events {
        let seen: Vec<TimeToEvent> = table
            .time
            .iter()
            .zip(events)
            .map(|(time, event)| TimeToEvent { time: *time, event: *event == 1 })
            .collect();
        all.extend(curves(&seen, &table)?);
        if let Some(groups) = &table.group {
            all.extend(tests(&seen, groups)?);
        }
        all.extend(cox_models(case.input, &seen)?);
    }
    let competing = table.state.as_ref().or(events.as_ref().filter(|events| events.iter().any(|event| *event > 1)));
    if let Some(ended) = competing {
        all.extend(incidences(&table, ended)?);
    }
    Ok(all)
}

fn curves(seen: &[TimeToEvent], table: &Table) -> Result<Map<String, Value>, CaseError> {
    let fail = |error: survival::InputError| bad(CATEGORY, &error);
    let [log, loglog, plain] = [IntervalScale::Log, IntervalScale::LogLog, IntervalScale::Plain]
        .map(|scale| kaplan_meier(seen, scale).map_err(fail));
    let (log, loglog, plain) = (log?, loglog?, plain?);
    let at_events = |values: &[f64]| -> Vec<f64> {
        values.iter().zip(&log.n_event).filter(|(_, events)| **events > 0).map(|(value, _)| *value).collect()
    };
    let bounds = |curve: &survival::KaplanMeier| -> Vec<[Option<f64>; 2]> {
        let pairs = curve.lower.iter().zip(&curve.upper).zip(&curve.n_event);
        pairs.filter(|(_, events)| **events > 0).map(|((low, high), _)| [*low, *high]).collect()
    };
    let spss = median(&plain, Convention::Spss);
    let by_r = median(&log, Convention::R);
    let reverse = median(&reverse_kaplan_meier(seen, IntervalScale::Log).map_err(fail)?, Convention::R);
    let ci = |found: &Median| json!(found.median_ci);
    let mut all = object(json!({
        "event_times": at_events(&log.time),
        "S": at_events(&log.surv),
        "se": at_events(&log.std_err),
        "ci_log": bounds(&log),
        "ci_loglog": bounds(&loglog),
        "ci_plain": bounds(&plain),
        "median": by_r.median,
        "median_r": by_r.median,
        "median_spss": spss.median,
        "median_lifelines": median(&loglog, Convention::Lifelines).median,
        "r_log": ci(&by_r),
        "r_loglog": ci(&median(&loglog, Convention::R)),
        "r_plain": ci(&median(&plain, Convention::R)),
        "lifelines": ci(&median(&loglog, Convention::Lifelines)),
        "spss": ci(&spss),
        "spss_se": spss.median_se,
        "median_followup": reverse.median,
        "median_followup_ci": ci(&reverse),
    }));
    let tau = table.tau.unwrap_or_else(|| log.last_time());
    if let Ok(mean) = restricted_mean(&log, tau) {
        all.extend(object(json!({ "rmst": mean.rmst, "rmst_se": mean.rmst_se, "rmean": mean.rmst })));
    }
    if let Some(times) = &table.times {
        let survival = |time: &f64| log.entry_at(*time).map_or(1.0, |entry| log.surv[entry]);
        all.insert("S_at".to_owned(), json!(times.iter().map(survival).collect::<Vec<f64>>()));
        all.insert("n_risk".to_owned(), json!(times.iter().map(|time| log.n_risk_at(*time)).collect::<Vec<_>>()));
    }
    Ok(all)
}

fn tests(seen: &[TimeToEvent], groups: &[u32]) -> Result<Map<String, Value>, CaseError> {
    let mut labels = groups.to_vec();
    labels.sort_unstable();
    labels.dedup();
    let of = |label: &u32| -> Vec<TimeToEvent> {
        seen.iter().zip(groups).filter(|(_, group)| *group == label).map(|(one, _)| *one).collect()
    };
    let split: Vec<(String, Vec<TimeToEvent>)> = labels.iter().map(|label| (label.to_string(), of(label))).collect();
    let split: Vec<Group<'_>> = split.iter().map(|(label, observations)| Group { label, observations }).collect();
    let test = |weighting| log_rank(&split, weighting).map_err(|error| bad(CATEGORY, &error));
    let plain = test(Weighting::LogRank)?;
    Ok(object(json!({
        "logrank": plain.chisq,
        "p": plain.p,
        "df": plain.df,
        "breslow_gehan": test(Weighting::Gehan)?.chisq,
        "gehan": test(Weighting::Gehan)?.chisq,
        "tarone_ware": test(Weighting::TaroneWare)?.chisq,
        "peto_lifelines": test(Weighting::PetoPetoModified)?.chisq,
        "peto_r": test(Weighting::PetoPeto)?.chisq,
        "rho1": test(Weighting::PetoPeto)?.chisq,
        "observed": plain.observed,
        "expected": plain.expected,
    })))
}

/// Every further column of numbers is a covariate, `group` among them, in the order of the alphabet but `group` first.
fn cox_models(input: &Value, seen: &[TimeToEvent]) -> Result<Map<String, Value>, CaseError> {
    let taken = ["time", "event", "state", "tau", "times", "cluster", "id"];
    let mut columns: Vec<(String, Vec<f64>)> = Vec::new();
    for (name, column) in input.as_object().into_iter().flatten().filter(|(name, _)| !taken.contains(&name.as_str())) {
        let column: Vec<f64> = read(CATEGORY, column)?;
        if column.len() != seen.len() {
            return Err(bad(CATEGORY, &format!("{name} has another length than time")));
        }
        columns.push((name.clone(), column));
    }
    if columns.is_empty() {
        return Ok(Map::new());
    }
    columns.sort_by_key(|(name, _)| (name != "group", name.clone()));
    let terms: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let clusters: Option<Vec<usize>> =
        ["cluster", "id"].iter().find_map(|key| input.get(*key)).map(|ids| read(CATEGORY, ids)).transpose()?;
    let subject = |(at, one): (usize, &TimeToEvent)| CoxSubject {
        time: one.time,
        event: one.event,
        covariates: columns.iter().map(|(_, column)| column[at]).collect(),
        cluster: clusters.as_ref().and_then(|ids| ids.get(at).copied()),
        stratum: None,
    };
    let subjects: Vec<CoxSubject> = seen.iter().enumerate().map(subject).collect();
    let mut all = Map::new();
    for (name, ties) in [("efron", Ties::Efron), ("breslow", Ties::Breslow)] {
        let (fit, zph) = proportional_hazards(&terms, &subjects, ties).map_err(|error| bad(CATEGORY, &error))?;
        let mut tests = Map::new();
        for (term, p) in terms.iter().copied().chain(["global_"]).zip(&zph.zph_p) {
            tests.insert(term.to_owned(), json!(p));
        }
        all.insert(format!("coxzph_{name}_km"), Value::Object(tests));
        all.insert(
            name.to_owned(),
            json!({
                "coef": fit.coef, "se": fit.se, "hr": fit.hr, "p": fit.p,
                "lower": fit.lower, "upper": fit.upper, "loglik": fit.loglik,
            }),
        );
        all.insert(format!("coef_{name}"), one_or_all(&fit.coef));
        all.insert(format!("se_{name}"), one_or_all(&fit.se));
        all.insert(format!("hr_{name}"), one_or_all(&fit.hr));
    }
    Ok(all)
}

/// A model of one covariate gives numbers, not lists of one.
fn one_or_all(values: &[f64]) -> Value {
    if let [one] = values { json!(one) } else { json!(values) }
}

fn incidences(table: &Table, ended: &[u32]) -> Result<Map<String, Value>, CaseError> {
    let observations: Vec<TimeToState> =
        table.time.iter().zip(ended).map(|(time, state)| TimeToState { time: *time, state: *state }).collect();
    let mut all = Map::new();
    for state in states(&observations) {
        let curve = cumulative_incidence(&observations, state).map_err(|error| bad(CATEGORY, &error))?;
        all.insert(format!("cif{state}"), json!(curve.est));
        all.insert(format!("cif{state}_times"), json!(curve.time));
        all.insert(format!("cif{state}_end"), json!(curve.est.last()));
    }
    Ok(all)
}
