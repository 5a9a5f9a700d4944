//! Monoclonal gammopathy, progression against death without it, against cmprsk 2.2.11 (R), to 1e-8 relative.
//!
//! Reads `survival/mgus2.csv` and `survival/mgus2_reference.json` below the folder named by `LESIONTRACE_DATA`.
#![expect(clippy::unwrap_used, reason = "a test may stop at a missing value; its helpers are not marked as tests")]
#![expect(clippy::disallowed_methods, reason = "this test reads reference data that is not committed")]

use lesiontrace_survival::{FineGraySubject, Group, TimeToState, cumulative_incidence, fine_gray, gray_test};
use serde_json::Value;

/// The reference values and the rows with a measured M-spike.
fn reference() -> Option<(Value, Vec<csv::StringRecord>)> {
    let folder = testkit::real_data("survival")?;
    let reference = serde_json::from_slice(&std::fs::read(folder.join("mgus2_reference.json")).unwrap()).unwrap();
    let mut table = csv::Reader::from_path(folder.join("mgus2.csv")).unwrap();
    let rows = table.records().map(Result::unwrap).filter(|row| row[6].parse::<f64>().is_ok()).collect();
    Some((reference, rows))
}

fn seen(row: &csv::StringRecord) -> TimeToState {
    let (progressed, died) = (&row[8] == "1", &row[10] == "1");
    let time = if progressed { &row[7] } else { &row[9] };
    let state = match (progressed, died) {
        (true, _) => 1,
        (false, true) => 2,
        (false, false) => 0,
    };
    TimeToState { time: time.parse().unwrap(), state }
}

fn of_sex(rows: &[csv::StringRecord], sex: &str) -> Vec<TimeToState> {
    rows.iter().filter(|row| &row[2] == sex).map(seen).collect()
}

#[track_caller]
fn assert_near(got: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what}: no number in the reference"));
    assert!((got - expected).abs() <= 1e-8 * expected.abs().max(1e-9), "{what}: {got} against {expected}");
}

#[test]
fn cumulative_incidence_and_its_variance() {
    let Some((reference, rows)) = reference() else { return };
    for sex in ["F", "M"] {
        let observations = of_sex(&rows, sex);
        for state in [1, 2] {
            let expected = &reference["competing"][format!("cif:{sex} {state}")];
            let curve = cumulative_incidence(&observations, state).unwrap();
            let time: Vec<f64> =
                expected["time"].as_array().unwrap().iter().map(|time| time.as_f64().unwrap()).collect();
            // cmprsk writes each step twice, before and after the jump: the last row of a time is the value from there on.
            for row in (0..time.len()).filter(|&row| time.get(row + 1) != Some(&time[row])) {
                let (est, var) = curve.at(time[row]).unwrap();
                assert_near(est, &expected["est"][row], "est");
                assert_near(var, &expected["var"][row], "var");
            }
        }
    }
}

#[test]
fn gray_of_both_causes() {
    let Some((reference, rows)) = reference() else { return };
    let (women, men) = (of_sex(&rows, "F"), of_sex(&rows, "M"));
    let groups = [Group { label: "F", observations: &women[..] }, Group { label: "M", observations: &men }];
    let expected = &reference["competing"]["tests"];
    for state in [1, 2] {
        let found = gray_test(&groups, state).unwrap();
        assert_near(found.stat, &expected["stat"][state as usize - 1], "stat");
        assert_near(found.p, &expected["p"][state as usize - 1], "p");
        assert_eq!(found.df, 1);
    }
}

#[test]
fn fine_gray_of_progression() {
    let Some((reference, rows)) = reference() else { return };
    let subjects: Vec<FineGraySubject> = rows
        .iter()
        .map(|row| FineGraySubject {
            time: seen(row).time,
            state: seen(row).state,
            covariates: vec![row[1].parse().unwrap(), f64::from(u8::from(&row[2] == "M")), row[6].parse().unwrap()],
        })
        .collect();
    let found = fine_gray(&["age", "male", "mspike"], &subjects, 1).unwrap();
    let expected = &reference["competing"]["fine_gray"];
    for term in 0..3 {
        assert_near(found.coef[term], &expected["coef"][term], "coef");
        assert_near(found.se[term], &expected["se"][term], "se");
        // The reference stopped iterating at about 1e-9 of the coefficient, which its smallest p magnifies.
        let p = expected["p"][term].as_f64().unwrap();
        assert!((found.p[term] / p - 1.0).abs() < 1e-6, "p: {} against {p}", found.p[term]);
    }
}
