//! What works on tables and cases, and `phantom`: `survival`, `assess`, `case`.

use std::path::Path;

use serde_json::Value;

use super::{BAD_INPUT, USAGE, failing, json, lesiontrace, near, number, test_data};
use crate::files::Folder;

#[test]
fn survival_of_six_rows_by_hand() {
    let folder = Folder::new();
    folder.write("t.csv", b"months,dead,stage\n1,1,a\n2,0,a\n3,1,b\n4,1,b\n5,0,a\n6,0,NA\n");
    let table = folder.path("t.csv");
    let svg = folder.path("km.svg");
    let found = json(&[
        "survival",
        &table,
        "--time",
        "months",
        "--event",
        "dead",
        "--landmarks",
        "3.5",
        "--plot",
        &svg,
        "--json",
    ]);
    let curve = &found["km"]["all"];
    assert_eq!((curve["n"].as_u64(), curve["events"].as_u64()), (Some(6), Some(3)));
    // 5/6, then times 3/4, then times 2/3.
    let surv = [5.0 / 6.0, 5.0 / 6.0, 0.625, 0.625 * 2.0 / 3.0, 0.625 * 2.0 / 3.0, 0.625 * 2.0 / 3.0];
    for (at, expected) in surv.iter().enumerate() {
        near(&curve["surv"][at], *expected, 1e-12);
    }
    near(&curve["median"], 4.0, 0.0);
    near(&found["landmarks"]["all"][0]["surv"], 0.625, 1e-12);
    assert_eq!(found["time_unit"], "months");
    assert!(std::fs::read_to_string(svg).unwrap().contains("<svg xmlns="));
    let grouped = json(&["survival", &table, "--time", "months", "--event", "dead=1", "--group", "stage", "--json"]);
    assert_eq!(grouped["km"]["a"]["n"], 3);
    assert_eq!(grouped["cautions"][0], "1 rows are left out because stage is missing");
}

#[test]
fn survival_screens_penalises_and_says_what_a_value_is_compared_with() {
    let folder = Folder::new();
    let mut table = "months,dead,low,age,sex,centre\n".to_owned();
    for row in 0..24 {
        let dead = if row % 4 == 3 { "0," } else { "1," };
        let low = if row % 4 == 0 { format!("{row}.5") } else { "NA".to_owned() };
        let sex = if row % 3 == 0 { "m" } else { "f" };
        table += &format!("{},{dead}{low},{},{sex},c{}\n", row + 1, 60 - row + row * 7 % 5 * 3, row % 2);
    }
    folder.write("t.csv", table.as_bytes());
    let found = json(&[
        "survival",
        &folder.path("t.csv"),
        "--time",
        "months",
        "--event",
        "dead",
        "--interval-low",
        "low",
        "--covariates",
        "age,sex=m",
        "--strata",
        "centre",
        "--firth",
        "--screen=0.1",
        "--ties",
        "breslow",
        "--json",
    ]);
    assert_eq!(found["references"]["sex=m"][0], "f");
    assert_eq!(found["cox"]["ties"], "breslow");
    let selected: Vec<_> =
        found["screen"]["univariable"].as_array().unwrap().iter().map(|one| &one["selected"]).collect();
    assert_eq!(selected, [true, false]);
    assert_eq!(found["screen"]["multivariable"]["terms"], serde_json::json!(["age"]));
    let (plain, penalised) = (found["cox"]["coef"][0].as_f64().unwrap(), found["firth"]["coef"][0].as_f64().unwrap());
    assert!(penalised.abs() < plain.abs(), "the penalty draws to 0: {penalised} from {plain}");
    assert_eq!(found["turnbull"]["all"]["n_between"], 6);
    assert!(found["cautions"][0].as_str().unwrap().starts_with("2 strata"), "{}", found["cautions"]);
}

#[test]
fn a_column_that_is_not_there_is_named_with_those_that_are() {
    let folder = Folder::new();
    folder.write("t.csv", b"months,dead\n1,1\n");
    let (code, _, stderr) = failing(&["survival", &folder.path("t.csv"), "--time", "days", "--event", "dead"]);
    assert_eq!(code, BAD_INPUT);
    assert!(stderr.contains("\"days\"") && stderr.contains("months, dead"), "{stderr}");
}

#[test]
fn sdtm_tables_become_responses() {
    let folder = Folder::new();
    folder.write("tu.csv", b"STUDYID,USUBJID,VISITNUM,VISIT,TULNKID,TUSTRESC\nT1,S1,1,BASELINE,T01,TARGET\n");
    let tr = "USUBJID,VISITNUM,VISIT,TRLNKID,TRTESTCD,TRORRES,TRORRESU,TRDTC\n\
              S1,1,BASELINE,T01,LDIAM,110,mm,2020-01-01\nS1,2,WEEK 8,T01,LDIAM,77,mm,2020-02-26\n";
    folder.write("tr.csv", tr.as_bytes());
    let (tu, tr, rs) = (folder.path("tu.csv"), folder.path("tr.csv"), folder.path("rs.csv"));
    let rows = json(&["assess", "--tu", &tu, "--tr", &tr, "--out", &rs, "--json"]);
    assert_eq!((rows[0]["overall"].as_str(), rows[0]["visit"].as_str()), (Some("PR"), Some("WEEK 8")));
    near(&rows[0]["sum_mm"], 77.0, 0.0);
    let written = std::fs::read_to_string(rs).unwrap();
    assert!(written.contains("T1,RS,S1,") && written.contains("OVRLRESP,Overall Response,PR,PR"), "{written}");
}

/// An unscheduled scan, a reported sum, centimetres, an equivocal new lesion and the best response, from files as they come.
#[test]
fn sdtm_as_it_is_recorded_is_read() {
    let folder = Folder::new();
    let tu = "STUDYID,USUBJID,VISITNUM,VISIT,TULNKID,TUSTRESC,TUACPTFL\n\
              T1,S1,1,BASELINE,T01,TARGET,Y\nT1,S1,3,WEEK 16,N01,NEW,Y\n";
    folder.write("tu.csv", tu.as_bytes());
    let tr = "USUBJID,VISITNUM,VISIT,TRLNKID,TRLNKGRP,TRTESTCD,TRORRES,TRORRESU,TRDTC\n\
              S1,1,BASELINE,T01,A1,LDIAM,5,cm,2024-01-01\nS1,2,WEEK 8,T01,A2,LDIAM,30,mm,2024-03-01\n\
              S1,2,WEEK 8,,A2,SUMDIAM,31,mm,2024-03-01\nS1,99,UNSCHEDULED,T01,A3,LDIAM,60,mm,2024-02-01\n\
              S1,3,WEEK 16,T01,A4,LDIAM,30,mm,2024-05-01\nS1,3,WEEK 16,N01,A4,TUMSTATE,EQUIVOCAL,,2024-05-01\n";
    folder.write("tr.csv", tr.as_bytes());
    let [tu, tr, rs, adrs] = ["tu.csv", "tr.csv", "rs.csv", "adrs.csv"].map(|name| folder.path(name));
    let rows = json(&["assess", "--tu", &tu, "--tr", &tr, "--out", &rs, "--adrs", &adrs, "--accepted-only", "--json"]);
    let told: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ["visit", "new_lesion", "overall"].map(|name| row[name].as_str().unwrap()).join(" "))
        .collect();
    assert_eq!(told, ["UNSCHEDULED N PD", "WEEK 8 N PR", "WEEK 16 E PR"]);
    assert!(rows[1]["notes"][1].as_str().unwrap().contains("31 mm reported, 30 mm"), "{}", rows[1]["notes"]);
    let rs = std::fs::read_to_string(rs).unwrap();
    assert!(rs.lines().next().unwrap().ends_with("RSDTC,RSCAT,RSLNKGRP,RSACPTFL"), "{rs}");
    assert!(rs.contains("BESTRESP,Best Overall Response,PD,PD,,,,,2024-02-01,RECIST 1.1,,"), "{rs}");
    assert!(rs.contains(",99,UNSCHEDULED,2024-02-01,RECIST 1.1,A3,Y"), "{rs}");
    let adrs = std::fs::read_to_string(adrs).unwrap();
    assert!(adrs.contains("S1,RSP,Response,,,N,0,") && adrs.contains(",T1,"), "{adrs}");
    folder.write("unmarked.csv", b"USUBJID,VISITNUM,TULNKID,TUSTRESC\nS1,1,T01,TARGET\n");
    let (code, _, stderr) = failing(&["assess", "--tu", &folder.path("unmarked.csv"), "--tr", &tr, "--accepted-only"]);
    assert_eq!(code, BAD_INPUT);
    assert!(stderr.contains("no reading is marked as accepted"), "{stderr}");
    folder
        .write("lb.csv", b"USUBJID,LBTESTCD,LBSTRESN,LBSTNRHI,LBDTC\nS1,ALB,40,,2024-01-01\nS1,AFP,400,,2024-01-01\n");
    let (code, _, stderr) = failing(&["assess", "--tu", &tu, "--tr", &tr, "--lb", &folder.path("lb.csv")]);
    assert_eq!(code, BAD_INPUT);
    assert!(stderr.contains("lb.csv line 3") && stderr.contains("LBSTNRHI"), "{stderr}");
}

#[test]
fn worked_cases_pass_and_a_wrong_one_ends_with_1() {
    let cases = json(&["case", &test_data("criteria/recist_target.json"), "--json"]);
    let cases = cases.as_array().unwrap();
    assert!(!cases.is_empty() && cases.iter().all(|case| case["pass"] == true), "{cases:?}");
    let folder = Folder::new();
    let text = std::fs::read_to_string(test_data("criteria/recist_target.json")).unwrap();
    folder.write("wrong.json", text.replace("\"PR\"", "\"SD\"").as_bytes());
    assert_eq!(failing(&["case", &folder.path("wrong.json")]).0, 1);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_lesiontrace"))
        .args(["criterion", "show", "recist_1_1"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_phantom_is_not_written_over_something_else_and_knows_its_scenarios() {
    let folder = Folder::new();
    folder.write("archive/thesis.txt", b"not to be mixed with images");
    let (code, _, stderr) = failing(&["phantom", "--out", &folder.path("archive"), "--patients", "1"]);
    assert_eq!(code, BAD_INPUT);
    assert!(stderr.contains("new or empty folder"), "{stderr}");
    let (code, _, stderr) = failing(&["phantom", "--out", &folder.path("other"), "--scenario", "miracle"]);
    assert_eq!(code, USAGE);
    assert!(stderr.contains("complete_ablation"), "{stderr}");
}

#[test]
fn a_phantom_archive_reads_back_and_does_not_give_the_answer_away() {
    let folder = Folder::new();
    let out = folder.path("archive");
    lesiontrace(&["phantom", "--out", &out, "--patients", "1", "--scenario", "lost_to_follow_up"]).assert().success();
    let truth: Value = serde_json::from_slice(&std::fs::read(folder.path("archive/truth.json")).unwrap()).unwrap();
    let visit = &truth["patients"][0]["visits"][0];
    let rows = json(&["index", &out, "--json"]);
    let first = rows.as_array().unwrap().iter().find(|row| row["study_date"] == visit["date"]).unwrap();
    assert!(first["usable"] == true && first["spacing_mm"].is_array(), "{first}");
    let mask = Path::new(&out).join(visit["masks"]["lesions"].as_str().unwrap());
    let table = std::fs::read_to_string(mask.with_file_name("lesions.csv")).unwrap();
    assert_eq!(table, "label,organ,kind\n1,liver,lesion\n");
    let series = Path::new(&out).join("LT-001").join(visit["date"].as_str().unwrap()).join("Abdomen portal venous");
    let found =
        json(&["measure", "--mask", &mask.display().to_string(), "--image", &series.display().to_string(), "--json"]);
    let true_size = &visit["lesions"][0]["size"];
    let pixel = number(&visit["spacing_mm"][0]);
    near(&found["lesions"][0]["long_axis_mm"], number(&true_size["long_axis_mm"]), pixel);
    near(&found["lesions"][0]["volume_mm3"], number(&true_size["volume_mm3"]), 0.05 * number(&true_size["volume_mm3"]));
    assert_eq!(found["unit"], "HU");
}
