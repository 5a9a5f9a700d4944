//! `case`: worked cases, expected versus got.

use std::fmt::Write as _;

use anyhow::Context as _;
use oncology::case::{CaseOutcome, run_case_with};
use serde_json::Value;

use crate::cli::Case;
use crate::command::pet_case;
use crate::exit::{self, Failure};
use crate::out;

/// Runs every case of a file; a disagreement makes the exit code 1.
pub(crate) fn run(args: &Case) -> Result<u8, Failure> {
    let path = args.file.display();
    let bytes = std::fs::read(&args.file)
        .with_context(|| format!("cannot read {path}; name a JSON file of worked cases"))
        .map_err(Failure::io)?;
    let document: Value = serde_json::from_slice(&bytes)
        .with_context(|| format!("{path} is not JSON; name a file of worked cases"))
        .map_err(Failure::bad_input)?;
    let cases = match &document {
        Value::Array(cases) => cases,
        Value::Object(fields) if fields.get("cases").is_some_and(Value::is_array) => {
            fields["cases"].as_array().expect("checked to be an array just before")
        }
        _ => {
            let expected = "expected a list of cases, or an object whose key `cases` holds one";
            return Err(Failure::bad_input(anyhow::anyhow!("{path}: {expected}")));
        }
    };
    let elsewhere = |category: &str, input: &Value| {
        (category == "pet" && input.get("units").is_some()).then(|| pet_case::suv(input))
    };
    let outcomes: Vec<CaseOutcome> = cases.iter().map(|case| run_case_with(case, &elsewhere)).collect();
    if args.json {
        out::print_json(&outcomes).map_err(Failure::io)?;
    } else {
        out::print(&as_text(&outcomes)).map_err(Failure::io)?;
    }
    Ok(if outcomes.iter().all(|outcome| outcome.pass) { exit::DONE } else { exit::SOME_FAILED })
}

fn as_text(outcomes: &[CaseOutcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let _ = writeln!(text, "{} {}", if outcome.pass { "pass" } else { "FAIL" }, outcome.id);
        if !outcome.pass {
            let _ = writeln!(text, "  expected {}\n  got      {}", outcome.expected, outcome.got);
        }
    }
    let n_passed = outcomes.iter().filter(|outcome| outcome.pass).count();
    let _ = writeln!(text, "{n_passed} of {} cases pass", outcomes.len());
    text
}
