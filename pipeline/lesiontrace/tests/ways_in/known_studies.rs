//! A few patients of each study's synthetic cohort: what is known of them comes out of their images as dated.
//! `scripts/reproduce_study` does the same for whole cohorts.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// Dated progressions as `patient date class`, of the truth and of the run.
fn progressions(study: &str, patients: &str, seed: &str) -> (BTreeSet<String>, BTreeSet<String>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = |below: &str| folder.path().join(below).display().to_string();
    let (archive, out) = (path("archive"), path("out"));
    let made = call(&["phantom", "--study", study, "--patients", patients, "--seed", seed, "--out", &archive]);
    assert_eq!(made.0, DONE, "{}", made.1);
    let (code, stderr) = call(&["run", &path("archive/study.toml"), "--archive", &archive, "--out", &out]);
    assert_eq!(code, DONE, "{stderr}");
    let truth: Value = serde_json::from_slice(&std::fs::read(path("archive/truth.json")).unwrap()).unwrap();
    let mut known = BTreeSet::new();
    for patient in truth["patients"].as_array().unwrap() {
        for event in patient["events"].as_array().unwrap().iter().filter(|event| event["class"] != "death") {
            let words = [&patient["patient_id"], &event["date"], &event["class"]].map(|v| v.as_str().unwrap());
            known.insert(words.join(" "));
        }
    }
    let mut reader = csv::Reader::from_path(path("out/cohort/events.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let is_progression = |row: &&csv::StringRecord| ["progression", "residual"].contains(&&row[3]);
    let found = rows.iter().filter(is_progression).map(|r| format!("{} {} {}", &r[0], &r[2], &r[4])).collect();
    (known, found, folder)
}

#[test]
fn patients_like_those_of_xu_2021_progress_when_and_where_they_are_known_to() {
    let (known, found, folder) = progressions("xu2021", "4", "3");
    assert_eq!(found, known);
    assert!(known.iter().any(|event| event.ends_with(" local")) && known.len() >= 4, "{known:?}");
    let cohort = |name: &str| std::fs::read_to_string(folder.path().join("out/cohort").join(name)).unwrap();
    assert!(cohort("print_table_1.csv").starts_with("Characteristic,HCC (n = 3),CRLM (n = 1)"));
    assert!(cohort("print_table_4.csv").lines().next().unwrap().contains("PFS distant: HR"));
    assert!(cohort("table_survival.csv").contains("TTP_local,CRLM,"));
}

#[test]
fn nodes_like_those_of_narayanan_2024_are_ablated_with_a_margin_and_followed() {
    let (known, found, folder) = progressions("narayanan2024", "2", "3");
    assert_eq!(found, known);
    let efficacy = std::fs::read_to_string(folder.path().join("out/cohort/table_efficacy.csv")).unwrap();
    let success = efficacy.lines().find(|line| line.starts_with("all,technical_success,")).unwrap();
    assert!(success.contains("more than 5 mm,3,3,100.0,0,"), "{success}");
    let printed = std::fs::read_to_string(folder.path().join("out/cohort/print_table_progression.csv")).unwrap();
    assert!(printed.contains("\"LPFS, per treated node\",3,"), "{printed}");
}
