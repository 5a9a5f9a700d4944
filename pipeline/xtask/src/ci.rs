//! Everything a change must pass, in the order that shows mistakes earliest.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Context as _;

use crate::tidy;

struct Step {
    name: &'static str,
    /// Arguments to cargo.
    arguments: &'static [&'static str],
    /// Variables set for it.
    variables: &'static [(&'static str, &'static str)],
}

const STEPS: [Step; 4] = [
    Step { name: "formatting", arguments: &["fmt", "--check"], variables: &[] },
    Step {
        name: "clippy",
        arguments: &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        variables: &[],
    },
    Step { name: "tests", arguments: &["test", "--workspace", "--locked"], variables: &[] },
    Step {
        name: "documentation",
        arguments: &["doc", "--workspace", "--no-deps", "--locked"],
        variables: &[("RUSTDOCFLAGS", "-D warnings")],
    },
];

/// Runs every step and then tidy; stops at the first that fails.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    for step in &STEPS {
        let started = Instant::now();
        let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(step.arguments)
            .envs(step.variables.iter().copied())
            .current_dir(root)
            .status()
            .with_context(|| format!("starting cargo {}", step.arguments.join(" ")))?;
        if !status.success() {
            eprintln!("ci: {} failed: cargo {}", step.name, step.arguments.join(" "));
            return Ok(ExitCode::FAILURE);
        }
        println!("ci: {}: {:.0} s", step.name, started.elapsed().as_secs_f64());
    }
    tidy::run(root)
}
