//! Firth's penalised Cox model against two other programs.
//!
//! Efron: the partial likelihood and covariance of R survival 3.5.3 `coxph(init = b, iter.max = 0)`, penalised and maximised
//! with `optim`, bounds with `uniroot`. Breslow: the same, and firthmodels 0.8.2 (Python) `FirthCoxPH` with its profile
//! intervals. They agree with each other to 1e-8.
#![expect(clippy::unwrap_used, reason = "a test may stop at a missing value; its helpers are not marked as tests")]

use lesiontrace_survival::{CoxError, CoxSubject, FirthFit, Ties, cox, firth};

#[track_caller]
fn assert_near(got: f64, expected: f64, what: &str) {
    assert!((got - expected).abs() <= 2e-8 * expected.abs().max(1.0), "{what}: {got} against {expected}");
}

/// What is compared: coefficient, standard error, bounds of the coefficient and p of each of the two terms.
struct Expected {
    loglik: [f64; 2],
    terms: [[f64; 5]; 2],
}

#[track_caller]
fn assert_fit(found: &FirthFit, expected: &Expected) {
    for (got, expected) in found.loglik.iter().zip(expected.loglik) {
        assert_near(*got, expected, "penalised log likelihood");
    }
    for (term, [coef, se, lower, upper, p]) in expected.terms.into_iter().enumerate() {
        assert_near(found.coef[term], coef, "coef");
        assert_near(found.se[term], se, "se");
        assert_near(found.lower[term].unwrap().ln(), lower, "lower");
        assert_near(found.upper[term].unwrap().ln(), upper, "upper");
        assert_near(found.p[term], p, "p");
    }
}

fn subjects(time: &[f64], event: &[u8], group: &[u8], other: &[f64]) -> Vec<CoxSubject> {
    (0..time.len())
        .map(|row| CoxSubject {
            time: time[row],
            event: event[row] == 1,
            covariates: vec![f64::from(group[row]), other[row]],
            cluster: None,
            stratum: None,
        })
        .collect()
}

/// The records of the worked case stats-07: many ties.
#[test]
fn two_terms_with_ties() {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../../test_data/criteria/stats.json")).unwrap();
    let case = cases.into_iter().find(|case| case["id"] == "stats-07").unwrap();
    let numbers = |key: &str| -> Vec<f64> {
        case["input"][key].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    let whole = |key: &str| numbers(key).into_iter().map(|number| number as u8).collect::<Vec<_>>();
    let subjects = subjects(&numbers("time"), &whole("event"), &whole("group"), &numbers("age"));
    let efron = Expected {
        loglik: [-28.259_438_015_628, -25.247_554_854_976],
        terms: [
            [-0.804_779_333, 0.671_718_273, -2.161_808_815, 0.441_493_814, 0.207_980_648],
            [0.053_049_029, 0.040_252_430, -0.020_993_927, 0.136_006_618, 0.164_192_326],
        ],
    };
    let breslow = Expected {
        loglik: [-28.553_868_487_17, -25.722_721_179_824],
        terms: [
            [-0.776_883_040, 0.673_645_398, -2.137_320_519, 0.473_378_086, 0.225_858_947],
            [0.051_706_079, 0.040_430_049, -0.022_729_629, 0.134_948_547, 0.177_707_292],
        ],
    };
    assert_fit(&firth(&["group", "age"], &subjects, Ties::Efron).unwrap(), &efron);
    assert_fit(&firth(&["group", "age"], &subjects, Ties::Breslow).unwrap(), &breslow);
}

/// All events are in group 1: Cox's model has no answer, the penalised one has.
#[test]
fn a_group_without_events() {
    let subjects = subjects(
        &[2.0, 3.0, 3.0, 5.0, 6.0, 7.0, 8.0, 8.0, 9.0, 10.0, 11.0, 12.0],
        &[1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0],
        &[1, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0],
        &[0.5, -0.2, 0.1, 0.9, 0.3, -1.1, 0.4, 0.2, -0.7, 0.6, -0.3, 0.8],
    );
    let refused = cox(&["group", "x"], &subjects, Ties::Efron);
    assert_eq!(refused, Err(CoxError::Separation { term: "group".to_owned() }));
    let expected = Expected {
        loglik: [-9.199_391_655_353_6, -6.310_851_573_206],
        terms: [
            [2.854_151_577, 1.748_832_870, 0.361_669_162, 8.126_590_927, 0.018_769_400],
            [1.398_782_179, 1.277_135_734, -1.018_675_375, 4.413_921_080, 0.277_245_796],
        ],
    };
    for ties in [Ties::Efron, Ties::Breslow] {
        assert_fit(&firth(&["group", "x"], &subjects, ties).unwrap(), &expected);
    }
}
