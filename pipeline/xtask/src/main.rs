//! Developers' tasks: `cargo xtask tidy` checks the rules of this repository, `cargo xtask ci` everything a change must pass.

mod ci;
mod dictionary;
mod repository;
mod rust_text;
mod tidy;
mod worked_cases;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;

const USAGE: &str = "cargo xtask <task>

  tidy   checks the rules of this repository (pipeline/xtask/src/tidy)
  cases  writes test_data/criteria/CASES.md from the worked cases
  dictionary
         writes pipeline/DATA_DICTIONARY.md and configs/tables/columns.csv from the rows' documentation
  ci     formatting, clippy, tests, documentation, tidy
  validate-registration [FIRST_SEED N_SEEDS]
         registers follow-ups of synthetic patients and prints pass, review, fail and the true errors (about 2 min a seed)
  measure-phases [N_CASES]
         reads the contrast phase of synthetic abdomens and of real CTs below LESIONTRACE_DATA; prints CSV, then the counts
  measure-tracking [--patients 200] [--seed N] [--store]
         follows synthetic courses of outlines and counts right links, new lesions and states per error of registration
  measure-second-look PAIRS… [--places 24] [--store]
         puts lesions and things that are none into pairs of scripts/make_registration_pairs.py and counts what is said of them";

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    match run(&task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask {task}: {error:#}");
            ExitCode::from(70)
        }
    }
}

fn run(task: &str) -> anyhow::Result<ExitCode> {
    let root = root()?;
    match task {
        "tidy" => tidy::run(&root),
        "ci" => ci::run(&root),
        "cases" => worked_cases::run(&root),
        "dictionary" => dictionary::run(&root),
        "validate-registration" => example(&root, "lesiontrace-phantom", "validate_registration"),
        "measure-phases" => example(&root, "lesiontrace", "measure_phases"),
        "measure-second-look" => example(&root, "lesiontrace", "measure_second_look"),
        "measure-tracking" => example(&root, "lesiontrace-oncology", "measure_tracking"),
        "--help" | "-h" | "help" => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

/// Runs the example that does it, optimised; arguments are handed on.
fn example(root: &Path, package: &str, name: &str) -> anyhow::Result<ExitCode> {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--release", "--locked", "-p", package, "--example", name, "--"])
        .args(std::env::args().skip(2))
        .current_dir(root)
        .status()
        .context("starting cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The repository's top folder, two above this crate.
fn root() -> anyhow::Result<PathBuf> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_folder.ancestors().nth(2).context("xtask lies two folders below the top of the repository")?;
    Ok(root.to_owned())
}
