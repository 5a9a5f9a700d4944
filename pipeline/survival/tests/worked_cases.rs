//! The worked cases of `test_data/criteria/stats.json`: their expectations come from R survival 3.5.3, lifelines 0.30.3
//! and work by hand.
#![expect(clippy::unwrap_used, reason = "a test may stop at a missing value; its helpers are not marked as tests")]

use lesiontrace_survival::{
    Convention, CoxSubject, Group, IntervalScale, Ties, TimeToEvent, Weighting, cox, follow_up, kaplan_meier, log_rank,
    median, proportional_hazards,
};
use serde_json::Value;

const CASES: &str = include_str!("../../../test_data/criteria/stats.json");

fn case(id: &str) -> Value {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    cases.into_iter().find(|case| case["id"] == id).unwrap_or_else(|| panic!("no case {id}"))
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn observations(case: &Value) -> Vec<TimeToEvent> {
    let (time, event) = (numbers(&case["input"]["time"]), numbers(&case["input"]["event"]));
    time.into_iter().zip(event).map(|(time, event)| TimeToEvent { time, event: event == 1.0 }).collect()
}

#[track_caller]
fn assert_near(got: f64, expected: &Value, case: &Value) {
    let (expected, tolerance) = (expected.as_f64().unwrap(), case["tolerance"]["abs"].as_f64().unwrap());
    assert!((got - expected).abs() <= tolerance, "{}: {got} against {expected}", case["id"]);
}

#[track_caller]
fn assert_interval(got: [Option<f64>; 2], expected: &Value, case: &Value) {
    for (got, expected) in got.into_iter().zip(expected.as_array().unwrap()) {
        match got {
            Some(got) => assert_near(got, expected, case),
            None => assert!(expected.is_null(), "{}: not reached against {expected}", case["id"]),
        }
    }
}

#[test]
fn kaplan_meier_and_greenwood() {
    let case = case("stats-01");
    let curve = kaplan_meier(&observations(&case), IntervalScale::Log).unwrap();
    let drops: Vec<usize> = (0..curve.time.len()).filter(|&entry| curve.n_event[entry] > 0).collect();
    let expected = &case["expected"];
    assert_eq!(drops.iter().map(|&entry| curve.time[entry]).collect::<Vec<_>>(), numbers(&expected["event_times"]));
    for (position, &entry) in drops.iter().enumerate() {
        assert_near(curve.surv[entry], &expected["S"][position], &case);
        assert_near(curve.std_err[entry], &expected["se"][position], &case);
    }
}

#[test]
fn median_by_every_convention() {
    let case = case("stats-03");
    let expected = &case["expected"];
    let found = |scale, convention| median(&kaplan_meier(&observations(&case), scale).unwrap(), convention);
    for (scale, convention, key) in [
        (IntervalScale::Log, Convention::R, "r_log"),
        (IntervalScale::LogLog, Convention::R, "r_loglog"),
        (IntervalScale::Plain, Convention::R, "r_plain"),
        (IntervalScale::LogLog, Convention::Lifelines, "lifelines"),
        (IntervalScale::Plain, Convention::Spss, "spss"),
    ] {
        let found = found(scale, convention);
        assert_near(found.median.unwrap(), &expected["median"], &case);
        assert_interval(found.median_ci, &expected[key], &case);
    }
    assert_near(found(IntervalScale::Plain, Convention::Spss).median_se.unwrap(), &expected["spss_se"], &case);
}

#[test]
fn log_rank_and_its_weighted_relatives() {
    let case = case("stats-05");
    let group = numbers(&case["input"]["group"]);
    let all = observations(&case);
    let members = |label: f64| -> Vec<TimeToEvent> {
        all.iter().zip(&group).filter(|(_, group)| **group == label).map(|(seen, _)| *seen).collect()
    };
    let (zero, one) = (members(0.0), members(1.0));
    let groups = [Group { label: "0", observations: &zero }, Group { label: "1", observations: &one }];
    let expected = &case["expected"];
    for (weighting, key) in [
        (Weighting::LogRank, "logrank"),
        (Weighting::Gehan, "breslow_gehan"),
        (Weighting::TaroneWare, "tarone_ware"),
        (Weighting::PetoPetoModified, "peto_lifelines"),
    ] {
        assert_near(log_rank(&groups, weighting).unwrap().chisq, &expected[key], &case);
    }
    let found = log_rank(&groups, Weighting::LogRank).unwrap();
    assert_near(found.p, &expected["p"], &case);
    for g in 0..2 {
        assert_near(found.observed[g], &expected["observed"][g], &case);
        assert_near(found.expected[g], &expected["expected"][g], &case);
    }
}

#[test]
fn reverse_kaplan_meier_follow_up() {
    let case = case("stats-09");
    let found = follow_up(&observations(&case), IntervalScale::Log, Convention::R).unwrap();
    assert_near(found.reverse_km_median.unwrap(), &case["expected"]["median_followup"], &case);
    assert_eq!(found.plain_median, 7.0, "the crude median named in the case's rationale");
}

#[test]
fn cox_with_two_terms_and_its_proportional_hazards() {
    let case = case("stats-07");
    let (group, age) = (numbers(&case["input"]["group"]), numbers(&case["input"]["age"]));
    let subjects: Vec<CoxSubject> = observations(&case)
        .into_iter()
        .zip(group.into_iter().zip(age))
        .map(|(seen, (group, age))| CoxSubject {
            time: seen.time,
            event: seen.event,
            covariates: vec![group, age],
            cluster: None,
            stratum: None,
        })
        .collect();
    for (name, ties) in [("efron", Ties::Efron), ("breslow", Ties::Breslow)] {
        let found = cox(&["group", "age"], &subjects, ties).unwrap();
        for term in 0..2 {
            assert_near(found.coef[term], &case["expected"][name]["coef"][term], &case);
            assert_near(found.se[term], &case["expected"][name]["se"][term], &case);
        }
    }
    let (_, zph) = proportional_hazards(&["group", "age"], &subjects, Ties::Efron).unwrap();
    for (position, key) in ["group", "age", "global_"].into_iter().enumerate() {
        assert_near(zph.zph_p[position], &case["expected"]["coxzph_efron_km"][key], &case);
    }
}

/// lifelines 0.30.3, `CoxPHFitter().fit(…, cluster_col="cluster", fit_options={"precision": 1e-12})`, on the case's records
/// with their ties pulled apart: lifelines' score residuals ignore that Efron counts tied events in part.
#[test]
fn cluster_robust_errors() {
    let case = case("stats-07");
    let (group, age) = (numbers(&case["input"]["group"]), numbers(&case["input"]["age"]));
    let time = [1.0, 1.1, 2.0, 3.0, 4.0, 4.1, 5.0, 6.0, 7.0, 8.0, 2.2, 3.1, 3.2, 6.2, 6.3, 7.3, 9.0, 10.0, 12.0, 15.0];
    let subjects: Vec<CoxSubject> = observations(&case)
        .into_iter()
        .enumerate()
        .map(|(row, seen)| CoxSubject {
            time: time[row],
            event: seen.event,
            covariates: vec![group[row], age[row]],
            // Pairs of records, some of them in both groups.
            cluster: Some(if row < 10 { row / 2 } else { (row - 10) / 2 + 3 }),
            stratum: None,
        })
        .collect();
    let found = cox(&["group", "age"], &subjects, Ties::Efron).unwrap();
    assert_eq!(found.n_clusters, Some(8));
    for (got, expected) in found.se.iter().zip([0.779_325_602_790_025_6, 0.031_655_093_265_877_204]) {
        assert!((got / expected - 1.0).abs() < 1e-6, "{got} against {expected}");
    }
}
