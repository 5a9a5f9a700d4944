//! Single steps as a user calls them: files in, JSON and exit code out.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

mod candidates;
#[path = "../files/mod.rs"]
mod files;
mod images;
mod ingest;
mod prompts;
mod segment_says;
mod tables;

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

const SOME_FAILED: i32 = 1;
const BAD_INPUT: i32 = 65;
const USAGE: i32 = 2;

fn lesiontrace(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    command.args(args);
    command
}

/// Stdout of a successful call as one JSON document.
fn json(args: &[&str]) -> Value {
    let output = lesiontrace(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit code, stdout and stderr of a call that fails.
fn failing(args: &[&str]) -> (i32, String, String) {
    let output = lesiontrace(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("expected a number, found {value}"))
}

fn near(found: &Value, expected: f64, tolerance: f64) {
    let found = number(found);
    assert!((found - expected).abs() <= tolerance, "expected {expected} ± {tolerance}, found {found}");
}

fn point(value: &Value) -> [f64; 3] {
    std::array::from_fn(|axis| number(&value[axis]))
}

fn test_data(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data").join(path).display().to_string()
}

#[test]
fn a_shell_and_man_know_every_command() {
    let folder = files::Folder::new();
    let pages = folder.path("man");
    lesiontrace(&["man", &pages]).assert().success();
    for command in ["lesiontrace", "lesiontrace-run", "lesiontrace-review-apply"] {
        let page = std::fs::read_to_string(std::path::Path::new(&pages).join(format!("{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains(command.trim_start_matches("lesiontrace-")), "{page}");
    }
    for (shell, known) in
        [("bash", "lesiontrace__"), ("zsh", "#compdef lesiontrace"), ("fish", "complete -c lesiontrace")]
    {
        let script = lesiontrace(&["completions", shell]).output().unwrap();
        let script = String::from_utf8(script.stdout).unwrap();
        assert!(script.contains(known) && script.contains("survival"), "{shell}");
    }
}
