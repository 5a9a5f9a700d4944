//! `collect`: what shards have done becomes cohort tables and the cohort's page.

use crate::cli::Collect;
use crate::collect::collect;
use crate::exit::{self, Failure};
use crate::ledger::State;
use crate::out;

/// Collects; exit code 1 when a patient of the roster is not done.
pub(crate) fn run(args: &Collect) -> Result<u8, Failure> {
    let collected = collect(&args.out).map_err(Failure::io)?;
    let n_open = collected.ledger.patients.iter().filter(|e| e.state != State::Done).count();
    let text = format!(
        "{} patients in the cohort, {n_open} not done; tables and report in {}\n",
        collected.results.len(),
        args.out.join("cohort").display()
    );
    out::print(&text).map_err(Failure::io)?;
    Ok(if n_open == 0 { exit::DONE } else { exit::SOME_FAILED })
}
