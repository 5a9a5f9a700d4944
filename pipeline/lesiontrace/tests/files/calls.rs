//! Calls of the program on a test cohort.

use assert_cmd::Command;
use serde_json::Value;

use crate::cohort::Cohort;

/// Exit code and stderr of a call.
pub(crate) fn call(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_lesiontrace")).args(args).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Exit code and stderr of `run study.toml --archive archive --out <out>` with further arguments.
pub(crate) fn run(cohort: &Cohort, out: &str, more: &[&str]) -> (i32, String) {
    let [study, archive, out] = ["study.toml", "archive", out].map(|p| cohort.path(p).display().to_string());
    let mut args = vec!["run", &study, "--archive", &archive, "--out", &out];
    args.extend(more);
    call(&args)
}

/// `status --json` of an output folder.
pub(crate) fn status(cohort: &Cohort, out: &str) -> Value {
    let out = cohort.path(out).display().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    let output = command.args(["status", &out, "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// One patient's entry of `status --json`.
pub(crate) fn entry(status: &Value, id: &str) -> Value {
    let patients = status["patients"].as_array().unwrap();
    patients.iter().find(|p| p["id"] == id).unwrap_or_else(|| panic!("no {id} in {status}")).clone()
}
