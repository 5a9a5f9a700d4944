//! Several readers at once, several patients in one file, and a patient somebody works on: no decision is lost, none is half in force.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

const TRY_LATER: i32 = 75;

#[test]
fn of_three_readers_who_apply_at_once_nobodys_decision_is_lost() {
    let cohort = Cohort::new(&["A-1"]);
    add_lesion(&cohort, "A-1");
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let data = page_data(&cohort, "out", "A-1");
    let mut unwell = read(&data, 0, FOLLOW_UP, "evaluable", "not_evaluable");
    unwell["comment"] = json!("breathing");
    let reads = [read(&data, 0, "", "role", "non_target"), read(&data, 1, "", "role", "non_target"), unwell];
    let files: Vec<String> = reads
        .iter()
        .enumerate()
        .map(|(n, read)| save(&cohort, &format!("{n}.json"), std::slice::from_ref(read)))
        .collect();
    let said: Vec<(i32, String)> = std::thread::scope(|scope| {
        let calls: Vec<_> = files.iter().map(|file| scope.spawn(|| apply(&cohort, file))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    for ((code, stderr), file) in said.iter().zip(&files) {
        // Whoever was told to come back does so.
        assert!(*code == DONE || (*code == TRY_LATER && stderr.contains("works on patient A-1")), "{code} {stderr}");
        if *code == TRY_LATER {
            assert_eq!(apply(&cohort, file).0, DONE);
        }
    }
    let kept: Value = serde_json::from_str(&cohort.read("out/patients/A-1/reads.json")).unwrap();
    let in_force: BTreeSet<(&str, &str)> = kept["reads"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["outcome"] == "applied")
        .map(|row| (row["lesion_id"].as_str().unwrap(), row["item"].as_str().unwrap()))
        .collect();
    assert_eq!(in_force, BTreeSet::from([("L1", "role"), ("L2", "role"), ("L1", "evaluable")]));
    assert_eq!(cohort.read("out/cohort/reads.csv").lines().count(), 1 + 3, "the tables say the same");
    assert!(cohort.read("out/cohort/lesions.csv").matches(",non_target,").count() == 2);
}

#[test]
fn a_file_of_two_patients_waits_for_both() {
    let cohort = finished();
    let before = comparable(&cohort.path("out"));
    let reads = ["A-1", "B-2"].map(|id| read(&page_data(&cohort, "out", id), 0, "", "finding", "reject"));
    let file = save(&cohort, "reads.json", &reads);
    cohort.write("out/patients/B-2/.lock", "somebody");
    let (code, stderr) = apply(&cohort, &file);
    assert!(code == TRY_LATER && stderr.contains("another process works on patient B-2"), "{code} {stderr}");
    std::fs::remove_file(cohort.path("out/patients/B-2/.lock")).unwrap();
    assert_eq!(changed(&before, &comparable(&cohort.path("out"))), [""; 0]);
    let (code, stderr) = apply(&cohort, &file);
    assert_eq!(code, DONE, "{stderr}");
    assert_eq!(cohort.read("out/cohort/reads.csv").matches(",applied,").count(), 2);
}
