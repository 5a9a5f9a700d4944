//! The Mayo Clinic primary biliary cholangitis trial against R survival 3.5.3, to 1e-9 relative.
//!
//! Reads `survival/pbc.csv` and `survival/pbc_reference.json` below the folder named by `LESIONTRACE_DATA`.
#![expect(clippy::unwrap_used, reason = "a test may stop at a missing value; its helpers are not marked as tests")]
#![expect(clippy::disallowed_methods, reason = "this test reads reference data that is not committed")]

use lesiontrace_survival::{
    Convention, CoxSubject, Group, IntervalScale, Profile, Ranked, Record, ScreenVariable, SummaryOptions, Ties,
    TimeToEvent, TimeUnit, Weighting, concordance, follow_up, kaplan_meier, log_rank, proportional_hazards, quantile,
    restricted_mean, screen, summarise,
};
use serde_json::Value;

/// The reference values and the rows of the randomised patients.
fn reference() -> Option<(Value, Vec<csv::StringRecord>)> {
    let folder = testkit::real_data("survival")?;
    let reference = serde_json::from_slice(&std::fs::read(folder.join("pbc_reference.json")).unwrap()).unwrap();
    let mut table = csv::Reader::from_path(folder.join("pbc.csv")).unwrap();
    let rows = table.records().map(Result::unwrap).filter(|row| row[3].parse::<f64>().is_ok()).collect();
    Some((reference, rows))
}

fn seen(row: &csv::StringRecord) -> TimeToEvent {
    TimeToEvent { time: row[1].parse().unwrap(), event: &row[2] == "2" }
}

fn arm(rows: &[csv::StringRecord], trt: &str) -> Vec<TimeToEvent> {
    rows.iter().filter(|row| &row[3] == trt).map(seen).collect()
}

#[track_caller]
fn assert_near(got: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what}: no number in the reference"));
    assert!((got - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{what}: {got} against {expected}");
}

#[test]
fn curves_bounds_and_quartiles() {
    let Some((reference, rows)) = reference() else { return };
    for trt in ["1", "2"] {
        let observations = arm(&rows, trt);
        for (name, scale) in
            [("plain", IntervalScale::Plain), ("log", IntervalScale::Log), ("log-log", IntervalScale::LogLog)]
        {
            let expected = &reference["km_by_trt"][trt][name];
            let curve = kaplan_meier(&observations, scale).unwrap();
            assert_eq!(curve.time.len(), expected["time"].as_array().unwrap().len());
            for entry in 0..curve.time.len() {
                assert_eq!(curve.time[entry], expected["time"][entry].as_f64().unwrap());
                assert_eq!(curve.n_risk[entry] as u64, expected["n_risk"][entry].as_u64().unwrap());
                assert_eq!(curve.n_event[entry] as u64, expected["n_event"][entry].as_u64().unwrap());
                assert_near(curve.surv[entry], &expected["surv"][entry], "surv");
                assert_near(curve.std_err[entry] / curve.surv[entry], &expected["std_err_logS"][entry], "std_err");
                assert_near(curve.lower[entry].unwrap(), &expected["lower"][entry], "lower");
                assert_near(curve.upper[entry].unwrap(), &expected["upper"][entry], "upper");
            }
            for (position, level) in [0.75, 0.5, 0.25].into_iter().enumerate() {
                let found = quantile(&curve, level, Convention::R);
                let quartiles = &expected["quartiles"];
                let of = |key: &str| quartiles[key][position].as_f64();
                assert_eq!(
                    (found.median, found.median_ci),
                    (of("q"), [of("lower"), of("upper")]),
                    "{trt} {name} {level}"
                );
            }
        }
    }
}

#[test]
fn restricted_means_and_follow_up() {
    let Some((reference, rows)) = reference() else { return };
    for trt in ["1", "2"] {
        let observations = arm(&rows, trt);
        let expected = &reference["km_by_trt"][trt];
        let curve = kaplan_meier(&observations, IntervalScale::Log).unwrap();
        let found = restricted_mean(&curve, curve.last_time()).unwrap();
        assert_near(found.rmst, &expected["rmst_at_max"], "rmst");
        assert_near(found.rmst_se, &expected["rmst_se"], "rmst_se");
        let follow_up = follow_up(&observations, IntervalScale::Log, Convention::R).unwrap();
        assert_near(follow_up.reverse_km_median.unwrap(), &expected["reverse_km_median"], "follow-up");
    }
}

#[test]
fn log_rank_and_peto() {
    let Some((reference, rows)) = reference() else { return };
    let (one, two) = (arm(&rows, "1"), arm(&rows, "2"));
    let groups = [Group { label: "1", observations: &one }, Group { label: "2", observations: &two }];
    let expected = &reference["logrank_trt"];
    let found = log_rank(&groups, Weighting::LogRank).unwrap();
    assert_near(found.chisq, &expected["chisq"], "chisq");
    assert_near(found.p, &expected["p"], "p");
    assert_eq!(found.df, 1);
    for g in 0..2 {
        assert_near(found.observed[g], &expected["obs"][g], "observed");
        assert_near(found.expected[g], &expected["exp"][g], "expected");
    }
    assert_near(log_rank(&groups, Weighting::PetoPeto).unwrap().chisq, &expected["peto_chisq"], "peto");
}

fn subjects(rows: &[csv::StringRecord], columns: &[usize]) -> Vec<CoxSubject> {
    rows.iter()
        .map(|row| CoxSubject {
            time: seen(row).time,
            event: seen(row).event,
            covariates: columns.iter().map(|&column| row[column].parse().unwrap()).collect(),
            cluster: None,
            stratum: None,
        })
        .collect()
}

/// A list of the reference, or its only value: a model of one term was written as a number.
fn entry(list: &Value, position: usize) -> &Value {
    if list.is_array() { &list[position] } else { list }
}

#[test]
fn cox_models_with_both_treatments_of_ties() {
    let Some((reference, rows)) = reference() else { return };
    for (model, terms, columns) in
        [("cox", &["age", "bili", "edema"][..], &[4, 10, 9][..]), ("cox_uni_age", &["age"], &[4])]
    {
        for (name, ties) in [("efron", Ties::Efron), ("breslow", Ties::Breslow)] {
            let expected = &reference[model][name];
            let subjects = subjects(&rows, columns);
            let (found, zph) = proportional_hazards(terms, &subjects, ties).unwrap();
            for term in 0..terms.len() {
                for (key, list) in [
                    ("coef", &found.coef),
                    ("se", &found.se),
                    ("hr", &found.hr),
                    ("lower", &found.lower),
                    ("upper", &found.upper),
                    ("p", &found.p),
                ] {
                    assert_near(list[term], entry(&expected[key], term), key);
                }
            }
            for test in 0..=terms.len() {
                assert_near(zph.zph_chisq[test], &expected["zph_chisq"][test], "zph_chisq");
                assert_near(zph.zph_p[test], &expected["zph_p"][test], "zph_p");
            }
            assert_near(found.loglik[0], &expected["loglik"][0], "loglik of no terms");
            assert_near(found.loglik[1], &expected["loglik"][1], "loglik");
            assert_near(found.lr.chisq, &expected["lr"][0], "lr");
            assert_near(found.lr.p, &expected["lr"][2], "lr p");
            assert_near(found.score.chisq, &expected["score"][0], "score");
            let wald = expected["wald"][0].as_f64().unwrap();
            assert!(
                (found.wald.chisq - wald).abs() < 0.006,
                "wald {} against {wald}, printed with two decimals",
                found.wald.chisq
            );
            assert_eq!(
                (found.n as u64, found.events as u64),
                (expected["n"].as_u64().unwrap(), expected["nevent"].as_u64().unwrap())
            );
            let ranked: Vec<_> = subjects
                .iter()
                .map(|subject| Ranked {
                    time: subject.time,
                    event: subject.event,
                    risk: subject.covariates.iter().zip(&found.coef).map(|(x, coef)| x * coef).sum(),
                })
                .collect();
            let concordance = concordance(&ranked).unwrap();
            assert_near(concordance.concordance, &expected["concordance"][0], "concordance");
            assert_near(concordance.concordance_se, &expected["concordance"][1], "concordance se");
        }
    }
}

/// lifelines 0.30.3: `multivariate_logrank_test` with each `weightings`, `median_survival_times` of the fitted curve and of
/// its confidence interval, over the four histological stages.
#[test]
fn four_stages_under_the_profile_of_lifelines() {
    let Some((_, rows)) = reference() else { return };
    let records: Vec<Record> = rows
        .iter()
        .map(|row| Record { group: Some(row[19].to_owned()), ..Record::new(seen(row).time, seen(row).event) })
        .collect();
    let options = SummaryOptions { landmarks: vec![365.0], ..SummaryOptions::new(Profile::Lifelines, TimeUnit::Days) };
    let found = summarise(&records, &options).unwrap();
    for (test, chisq, p) in [
        (&found.logrank, 53.837_307_999_848_08, 1.215_379_823_593_807e-11),
        (&found.weighted.gehan, 62.663_530_321_997_385, 1.584_917_256_389_059_4e-13),
        (&found.weighted.tarone_ware, 61.367_010_166_637_314, 3.000_144_786_185_575e-13),
        (&found.weighted.peto, 60.467_681_823_714_69, 4.670_070_830_683_153e-13),
    ] {
        let test = test.value().unwrap();
        assert_eq!(test.df, 3);
        assert!((test.chisq / chisq - 1.0).abs() < 1e-9, "{} against {chisq}", test.chisq);
        assert!((test.p / p - 1.0).abs() < 1e-6, "{} against {p}", test.p);
    }
    for (stage, median, interval) in [
        ("1", None, [None, None]),
        ("2", Some(4079.0), [Some(3222.0), None]),
        ("3", Some(3428.0), [Some(2847.0), None]),
        ("4", Some(1682.0), [Some(1083.0), Some(2598.0)]),
    ] {
        assert_eq!(
            (found.km[stage].median.median, found.km[stage].median.median_ci),
            (median, interval),
            "stage {stage}"
        );
    }
}

/// R survival 3.5.3 `coxph` of each variable alone with `eps = 1e-14`; the p of stage as a factor is that of its Wald test.
#[test]
fn each_variable_alone() {
    let Some((_, rows)) = reference() else { return };
    let terms = ["age", "albumin", "sex=f", "platelet", "trig", "stage=2", "stage=3", "stage=4"].map(str::to_owned);
    let flag = |row: &csv::StringRecord, column: usize, value: &str| Some(f64::from(u8::from(&row[column] == value)));
    let number = |row: &csv::StringRecord, column: usize| row[column].parse().ok();
    let records: Vec<Record> = rows
        .iter()
        .map(|row| Record {
            covariates: vec![
                number(row, 4),
                number(row, 12),
                flag(row, 5, "f"),
                number(row, 17),
                number(row, 16),
                flag(row, 19, "2"),
                flag(row, 19, "3"),
                flag(row, 19, "4"),
            ],
            ..Record::new(seen(row).time, seen(row).event)
        })
        .collect();
    let found = screen(&records, &terms, &ScreenVariable::of_terms(&terms), Ties::Efron, 0.1);
    let expected = [
        ("age", 312, 3.999_510_593_959_547e-2, 8.811_381_356_671_758e-3, 5.651_415_514_992_486e-6),
        ("albumin", 312, -1.795_699_511_687_356, 2.093_948_654_991_488e-1, 9.851_879_994_833_31e-18),
        // R codes m against f.
        ("sex=f", 312, -0.483_884_268_840_293_8, 0.236_494_873_652_924_51, 0.040_749_815_741_070_09),
        ("platelet", 308, -0.003_487_179_058_657_796, 0.001_003_223_718_133_963, 0.000_509_002_579_362_471_7),
        ("trig", 282, 0.004_213_101_532_770_139, 0.001_078_939_201_843_946_4, 0.000_094_281_754_966_187_2),
        ("stage", 312, 1.607_013_912_596_916, f64::NAN, 1.571_361_784_628_339e-9),
    ];
    assert_eq!(found.univariable.len(), expected.len());
    for (one, (variable, n, coef, se, p)) in found.univariable.iter().zip(expected) {
        let fit = one.fit.value().unwrap();
        assert_eq!((one.variable.as_str(), fit.n, one.selected), (variable, n, true));
        assert!((fit.coef[0] / coef - 1.0).abs() < 1e-8, "{variable}: {} against {coef}", fit.coef[0]);
        assert!(se.is_nan() || (fit.se[0] / se - 1.0).abs() < 1e-8, "{variable}: {} against {se}", fit.se[0]);
        assert!((one.p.unwrap() / p - 1.0).abs() < 1e-7, "{variable}: {:?} against {p}", one.p);
    }
    assert_eq!(found.multivariable.value().unwrap().terms, terms);
    assert_eq!(found.n_incomplete, rows.len() - found.multivariable.value().unwrap().n);
}

/// R survival 3.5.3 `summary(survfit(Surv(time, event) ~ trt), rmean = 3000)`.
#[test]
fn restricted_means_up_to_a_common_time() {
    let Some((_, rows)) = reference() else { return };
    for (trt, mean, se) in
        [("1", 2_289.453_558_646_315, 78.073_520_241_458_9), ("2", 2_315.550_209_187_114, 84.158_628_295_898_5)]
    {
        let found = restricted_mean(&kaplan_meier(&arm(&rows, trt), IntervalScale::Log).unwrap(), 3000.0).unwrap();
        assert!((found.rmst / mean - 1.0).abs() < 1e-10, "{} against {mean}", found.rmst);
        assert!((found.rmst_se / se - 1.0).abs() < 1e-10, "{} against {se}", found.rmst_se);
    }
}
