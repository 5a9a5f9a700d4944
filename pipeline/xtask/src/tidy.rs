//! The rules of this repository, as ordinary code: each is a function from the files to the places that break it.

mod code;
mod crates;
mod documents;
mod layout;
mod models;
mod sources;
mod text;

use std::path::Path;
use std::process::ExitCode;

use crate::repository::Repository;

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// File, from the top of the repository.
    path: String,
    /// Line, from 1, where the rule is about one.
    line: Option<usize>,
    /// What was expected, what was found, what to do.
    message: String,
}

impl Violation {
    fn file(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, message: message.into() }
    }

    fn line(path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line: Some(line), message: message.into() }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

/// A rule in words, and the places that break it.
type Rule = (&'static str, fn(&Repository) -> Vec<Violation>);

const ALL: [Rule; 25] = [
    ("the top level holds what the layout names", layout::top_level),
    ("a file is named after what is in it", layout::telling_names),
    ("no file is large but a model", layout::small_files),
    ("a file has one idea", code::short_files),
    ("a function fits a screen", code::short_functions),
    ("nothing unwraps outside tests", code::no_unwrap),
    ("nothing is left open", code::nothing_left_open),
    ("a lint is expected with its reason, never allowed", code::no_bare_allow),
    ("crates depend in the direction of the architecture", crates::direction),
    ("pure crates touch nothing outside", crates::pure),
    ("a heavy crate is used by the crate it belongs to", crates::heavy),
    ("versions and lints stand at the root", crates::from_the_workspace),
    ("every number of a criterion or preset has its source", sources::numbers),
    ("every criterion and preset has a worked case", sources::worked_cases),
    ("the page of worked cases is what they say", sources::page_of_cases),
    ("the data dictionary is what the rows document", sources::data_dictionary),
    ("a model is what its card says", models::cards),
    ("no path of a machine", text::machine_paths),
    ("prose is at most 120 characters wide", text::width),
    ("links lead somewhere", text::links),
    ("README names the two commands, and they can be run", documents::commands),
    ("every folder of test data and of settings is described", documents::folders),
    ("every script is described and can be run", documents::scripts),
    ("every crate stands in ARCHITECTURE.md", documents::architecture),
    ("the changelog says what changes results", documents::changelog),
];

/// Checks every rule and prints what breaks it.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let repository = Repository::read(root)?;
    let mut n_violations = 0;
    for (name, check) in ALL {
        let mut violations = check(&repository);
        violations.sort();
        if !violations.is_empty() {
            println!("{name}:");
        }
        for violation in &violations {
            println!("  {violation}");
        }
        n_violations += violations.len();
    }
    let n_files = repository.files.len();
    println!("tidy: {} rules, {n_files} files, {n_violations} violations", ALL.len());
    Ok(if n_violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Paths of the violations, for the tests of the rules.
#[cfg(test)]
fn paths(violations: &[Violation]) -> Vec<&str> {
    violations.iter().map(|v| v.path.as_str()).collect()
}
