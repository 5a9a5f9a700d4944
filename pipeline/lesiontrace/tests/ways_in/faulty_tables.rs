//! What is wrong with clinical tables is told before a run and after it.

use assert_cmd::Command;

use crate::DONE;
use crate::calls::run;
use crate::cohort::Cohort;

#[test]
fn a_misspelt_header_and_rows_of_nobody_are_told_before_anything_is_done() {
    let cohort = Cohort::new(&["A-1"]);
    cohort.write("archive/clinical/patients.csv", "patient_id,deathdate,age\nA-1,2031-01-05,61\nB-7,,70\n");
    let [study, archive, out] = ["study.toml", "archive", "out"].map(|p| cohort.path(p).display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    let dry = command.args(["run", &study, "--archive", &archive, "--out", &out, "--dry-run"]).output().unwrap();
    assert_eq!(dry.status.code(), Some(DONE));
    let dry = String::from_utf8(dry.stdout).unwrap();
    let misspelt = "line 1, column deathdate: it is not read as \"death_date\"";
    for told in [misspelt, "line 3", "\"B-7\" has no images"] {
        assert!(dry.contains(told), "{told}: {dry}");
    }
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let notes: serde_json::Value = serde_json::from_str(&cohort.read("out/notes.json")).unwrap();
    let notes = notes.to_string().replace("\\\"", "\"");
    assert!(notes.contains(misspelt) && notes.contains("\"B-7\" has no images"), "{notes}");
}
