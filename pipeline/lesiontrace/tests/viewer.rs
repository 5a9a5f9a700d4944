//! The viewer of a patient's page: refused without its library, made from what a run stored, and gone without a trace.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
mod calls;
#[path = "files/cohort.rs"]
mod cohort;

use std::path::{Path, PathBuf};
use std::process::Command;

use calls::{call, entry, run, status};
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable};

const DONE: i32 = 0;
const USAGE: i32 = 2;

/// Exit code and stderr of a run with a library of one's own.
fn run_with(cohort: &Cohort, library: &Path, more: &[&str]) -> (i32, String) {
    let [study, archive, out] = ["study.toml", "archive", "out"].map(|p| cohort.path(p).display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    command.env("LESIONTRACE_NIIVUE", library);
    let output = command.args(["run", &study, "--archive", &archive, "--out", &out]).args(more).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What `scripts/fetch_niivue` put there, if somebody called it.
fn library() -> Option<PathBuf> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vendor/niivue/niivue.umd.js");
    library.is_file().then_some(library)
}

#[test]
fn without_the_library_or_with_another_one_nothing_is_begun() {
    let cohort = Cohort::new(&["A-1"]);
    cohort.write("niivue.umd.js", "something else");
    for (library, told) in [("gone.js", "no file is there"), ("niivue.umd.js", "found SHA-256")] {
        let (code, said) = run_with(&cohort, &cohort.path(library), &["--viewer"]);
        assert_eq!(code, USAGE, "{said}");
        assert!(said.contains(told) && said.contains("scripts/fetch_niivue"), "{said}");
        assert!(!cohort.path("out").exists());
    }
}

#[test]
fn report_says_that_a_run_made_no_viewer() {
    let cohort = Cohort::new(&["A-1"]);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let (code, said) = call(&["report", &cohort.path("out").display().to_string(), "--viewer"]);
    assert_eq!(code, USAGE);
    assert!(said.contains("run again with --resume --viewer"), "{said}");
}

#[test]
fn a_finished_patient_gets_the_viewer_from_what_is_stored_and_loses_it_without_a_trace() {
    let Some(library) = library() else {
        eprintln!("not tested: scripts/fetch_niivue was not called");
        return;
    };
    let cohort = Cohort::new(&["A-1"]);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let before = comparable(&cohort.path("out"));
    let (code, said) = run_with(&cohort, &library, &["--resume", "--viewer", "-v"]);
    assert_eq!(code, DONE, "{said}");
    assert!(said.contains("the page alone: the viewer is new"), "{said}");
    assert_eq!(entry(&status(&cohort, "out"), "A-1")["state"], "done");
    let kept: serde_json::Value = serde_json::from_str(&cohort.read("out/patients/A-1/viewer.json")).unwrap();
    let visits: Vec<_> = kept["volumes"].as_array().unwrap().iter().map(|volume| &volume["visit"]).collect();
    assert_eq!(visits, [BASELINE, FOLLOW_UP]);
    let page = cohort.read("out/patients/A-1/report.html");
    assert!(page.contains("viewer-library") && page.contains("Copyright (c) 2021, Niivue"));
    let out = cohort.path("out").display().to_string();
    let report = Command::new(env!("CARGO_BIN_EXE_lesiontrace"))
        .env("LESIONTRACE_NIIVUE", &library)
        .args(["report", &out, "--viewer"])
        .output()
        .unwrap();
    assert!(report.status.success());
    assert!(page == cohort.read("out/patients/A-1/report.html"), "the page made anew is another one");
    assert!(run_with(&cohort, &library, &["--resume", "--viewer", "-v"]).1.contains("keep (done, nothing changed)"));
    let (code, said) = run_with(&cohort, &library, &["--resume", "-v"]);
    assert_eq!(code, DONE);
    assert!(said.contains("the page alone: the viewer is gone"), "{said}");
    let after = comparable(&cohort.path("out"));
    let differ: Vec<_> =
        before.iter().filter(|(path, bytes)| after.get(*path) != Some(bytes)).map(|(path, _)| path).collect();
    assert!(differ.is_empty() && before.len() == after.len(), "{differ:?}");
}
