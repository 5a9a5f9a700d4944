//! Developers' tasks: `cargo xtask tidy` checks the rules of this repository, `cargo xtask ci` everything a change must pass.

mod ci;
mod repository;
mod rust_text;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

const USAGE: &str = "cargo xtask <task>

  tidy   checks the rules of this repository (pipeline/xtask/src/tidy)
  ci     formatting, clippy, tests, documentation, tidy";

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

/// The repository's top folder, two above this crate.
fn root() -> anyhow::Result<PathBuf> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_folder.ancestors().nth(2).context("xtask lies two folders below the top of the repository")?;
    Ok(root.to_owned())
}
