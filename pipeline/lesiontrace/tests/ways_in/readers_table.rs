//! `validate`: a run against a reader's own table.

use assert_cmd::Command;
use serde_json::Value;

use super::*;

fn validated(cohort: &Cohort, table: &str) -> Value {
    cohort.write("reads.csv", table);
    let [out, reads, pairs] = ["out", "reads.csv", "pairs.csv"].map(|p| cohort.path(p).display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    let output = command.args(["validate", &out, &reads, "--pairs", &pairs, "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_run_is_compared_with_a_readers_own_table() {
    let cohort = Cohort::new(&["A-1"]);
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let own = csv::Reader::from_path(cohort.path("out/cohort/measurements.csv"))
        .unwrap()
        .into_records()
        .map(Result::unwrap)
        .find(|row| &row[2] == BASELINE && &row[5] == "long_axis")
        .unwrap();
    let (lesion, axis_mm) = (own[1].to_owned(), own[6].parse::<f64>().unwrap());
    let found = validated(
        &cohort,
        &format!(
            "patient_id,date,reader,overall,new_lesion,lesion_id,quantity,value,unit\n\
             A-1,{FOLLOW_UP},R1,PR,N,,,,\n\
             A-1,{BASELINE},R1,,,{lesion},long_axis,{},mm\n\
             B-9,{FOLLOW_UP},R1,PR,,,,,\n",
            axis_mm - 1.5
        ),
    );
    let response = &found["responses"]["R1"]["recist_1_1"];
    assert_eq!((&response["n"], &response["table"]["PR"]["PD"]), (&1.into(), &1.into()), "{found}");
    let pair = &found["sizes"]["R1"]["long_axis"]["pairs"][0];
    assert!((pair["program"].as_f64().unwrap() - pair["reader"].as_f64().unwrap() - 1.5).abs() < 1e-9, "{pair}");
    assert_eq!(found["unmatched"][0]["line"], 4);
    let pairs = cohort.read("pairs.csv");
    assert!(pairs.lines().nth(1).unwrap().ends_with(",1.5000"), "{pairs}");
}

#[test]
fn a_table_that_is_none_is_refused_with_what_is_expected() {
    let cohort = Cohort::new(&["A-1"]);
    cohort.write("out/cohort/assessments.csv", "");
    cohort.write("out/cohort/measurements.csv", "");
    let [out, reads, nowhere] = ["out", "reads.csv", "nowhere"].map(|p| cohort.path(p).display().to_string());
    for (table, wanted) in [
        ("patient_id,overall\nA-1,PR\n", "expected the columns patient_id, date (or visit)"),
        ("patient_id,date,overall\nA-1,soon,PR\n", "line 2"),
        ("patient_id,date,sum_mm\nA-1,2020-03-02,thick\n", "expected a number in sum_mm"),
        ("patient_id,date,overall\nA-1,2020-03-02,PR\nA-1,2020-03-02,SD\n", "lines 2 and 3 say the same thing twice"),
    ] {
        cohort.write("reads.csv", table);
        let (code, stderr) = call(&["validate", &out, &reads]);
        assert!(code == 65 && stderr.contains(wanted), "{code} {stderr}");
    }
    let (code, stderr) = call(&["validate", &nowhere, &reads]);
    assert!(code == 65 && stderr.contains("expected the output folder of a run"), "{code} {stderr}");
}
