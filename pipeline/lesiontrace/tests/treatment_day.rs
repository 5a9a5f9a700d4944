//! Planning and control scan of one treatment day, from synthetic images with known truth to tables and page.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
mod calls;
#[path = "files/cohort.rs"]
mod cohort;

use std::path::Path;

use calls::{call, entry, run, status};
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable, study};
use serde_json::Value;

/// Rows of a table as texts by column.
fn table(path: &Path) -> Vec<Value> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let row =
        |record: csv::StringRecord| Value::Object(header.iter().cloned().zip(record.iter().map(Value::from)).collect());
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn texts<'a>(rows: &'a [Value], column: &str) -> Vec<&'a str> {
    let mut texts: Vec<&str> = rows.iter().map(|row| row[column].as_str().unwrap()).collect();
    texts.dedup();
    texts
}

#[test]
fn planning_and_control_of_a_day_are_two_visits_with_a_margin_between_them() {
    // No patient of its own: the archive is the phantom's.
    let cohort = Cohort::new(&[]);
    std::fs::remove_dir_all(cohort.path("archive")).unwrap();
    let archive = cohort.path("archive").display().to_string();
    let phantom =
        ["phantom", "--out", &archive, "--patients", "1", "--seed", "5", "--scenario", "planning_and_control"];
    assert_eq!(call(&phantom).0, 0);
    assert_eq!(run(&cohort, "out", &["--threads", "2"]).0, 0);
    let state = entry(&status(&cohort, "out"), "LT-001");
    assert_eq!(state["state"], "done", "{state}");
    let truth: Value = serde_json::from_str(&cohort.read("archive/truth.json")).unwrap();
    let truth = &truth["patients"][0];
    let names: Vec<&str> = truth["visits"].as_array().unwrap().iter().map(|v| v["visit"].as_str().unwrap()).collect();
    let [planning, control, later @ ..] = names.as_slice() else { panic!("{names:?}") };
    assert_eq!(*control, format!("{planning}-2"));

    let margins = table(&cohort.path("out/cohort/margins.csv"));
    assert_eq!(margins.len(), 1, "one lesion was ablated, and both later visits show its zone: {margins:?}");
    let margin = &margins[0];
    assert_eq!([&margin["treatment_date"], &margin["study_date"], &margin["tumour_visit"]], [*planning; 3]);
    assert_eq!(margin["zone_visit"], *control);
    let found: f64 = margin["min_margin_mm"].as_str().unwrap().parse().unwrap();
    let planned = truth["treatments"][0]["margins"][0]["min_margin_mm"].as_f64().unwrap();
    assert!((found - planned).abs() <= 1.0, "{found} mm, planned {planned} mm");

    let written = comparable(&cohort.path("out/patients/LT-001"));
    for visit in &names {
        assert!(written.contains_key(&Path::new(visit).join("ct_portal_venous/lesions.nii.gz")), "{visit}");
    }
    responses_and_tables(&cohort, planning, control, later);
    let page = cohort.read("out/patients/LT-001/report.html");
    for said in [
        "control scan after the treatment of the day",
        &format!("zone on {control}"),
        "is ablated, no viable tumour at the zone",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

/// The control shows that L1 is ablated, and is no response time point anywhere.
fn responses_and_tables(cohort: &Cohort, planning: &str, control: &str, later: &[&str]) {
    let mut assessed = table(&cohort.path("out/cohort/assessments.csv"));
    assessed.retain(|row| row["criterion"] == "recist_1_1");
    let visits: Vec<&str> = std::iter::once(planning).chain(later.iter().copied()).collect();
    assert_eq!(texts(&assessed, "visit"), visits);
    assert_eq!(assessed.iter().map(|row| row["overall"].as_str().unwrap()).collect::<Vec<_>>(), ["", "PR", "PR"]);
    let mut measured = table(&cohort.path("out/cohort/measurements.csv"));
    let at_control = measured.iter().find(|row| row["visit"] == control && row["state"] == "ablated").unwrap();
    assert_eq!([&at_control["date"], &at_control["study_day"]], [planning, "0"]);
    let lesion = at_control["lesion_id"].clone();
    measured.retain(|row| row["lesion_id"] == lesion);
    assert_eq!(texts(&measured, "visit").len(), 2 + later.len());
    let events = table(&cohort.path("out/cohort/events.csv"));
    let complete = events.iter().find(|row| row["event"] == "complete_ablation").unwrap();
    assert_eq!(complete["date"], later[0], "a control at the end of the procedure documents no complete ablation");
    let tr = table(&cohort.path("out/cohort/tr.csv"));
    let of = |visit: &str| tr.iter().filter(|row| row["VISITNUM"] == visit).cloned().collect::<Vec<_>>();
    assert_eq!((texts(&of("1"), "TRDTC"), texts(&of("2"), "TRDTC")), (vec![planning], vec![planning]));
    assert_eq!((texts(&of("1"), "VISIT"), texts(&of("2"), "VISIT")), (vec!["BASELINE"], vec!["DAY 0-2"]));
    let mut rs = table(&cohort.path("out/cohort/rs.csv"));
    rs.retain(|row| row["RSCAT"] == "RECIST 1.1");
    assert_eq!(texts(&rs, "VISITNUM"), ["3", "4"]);
}

/// A reader's mark and a table of the visit name it as the folders do.
#[test]
fn a_mark_may_name_the_second_time_point_of_a_day() {
    let cohort = Cohort::new(&["A-1"]);
    cohort.write("study.toml", &study("source = \"imported\""));
    let header = "patient_id,lesion_id,study_date,x_mm,y_mm,z_mm\n";
    cohort.write(
        "archive/clinical/lesions.csv",
        &format!("{header}A-1,T1,{FOLLOW_UP}-2,1,2,3\nA-1,T2,{BASELINE},1,2,3\n"),
    );
    assert_eq!(run(&cohort, "out", &[]).0, 0);
    let notes = cohort.read("out/patients/A-1/notes.json");
    assert!(notes.contains(&format!("is marked on {FOLLOW_UP}-2, a visit without a series to measure")), "{notes}");
    assert!(!notes.contains(&format!("is marked on {BASELINE}, ")), "{notes}");
    cohort.write("archive/clinical/lesions.csv", &format!("{header}A-1,T1,{FOLLOW_UP}-1,1,2,3\n"));
    assert_eq!(run(&cohort, "refused", &[]).0, 1);
    let message = entry(&status(&cohort, "refused"), "A-1")["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("lesions.csv, line 2, column study_date") && message.contains(&format!("{FOLLOW_UP}-1")),
        "{message}"
    );
}
