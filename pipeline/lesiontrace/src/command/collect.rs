//! `collect`: what shards have done becomes cohort tables and the cohort's page.

use std::path::Path;

use crate::cli::Collect;
use crate::collect::{Collected, collect};
use crate::exit::{self, Failure};
use crate::ledger::State;
use crate::run::Settings;
use crate::{bids, out};

/// Collects; exit code 1 when a patient of the roster is not done.
pub(crate) fn run(args: &Collect) -> Result<u8, Failure> {
    let collected = collect(&args.out).map_err(Failure::io)?;
    if args.bids {
        let study = Settings::read(&args.out).and_then(|settings| settings.study);
        let name = study.map(|study| study.cohort.name).unwrap_or_default();
        write_bids(&args.out, &name, &collected)?;
    }
    let n_open = collected.ledger.patients.iter().filter(|e| e.state != State::Done).count();
    let text = format!(
        "{} patients in the cohort, {n_open} not done; tables and report in {}\n",
        collected.results.len(),
        args.out.join("cohort").display()
    );
    out::print(&text).map_err(Failure::io)?;
    Ok(if n_open == 0 { exit::DONE } else { exit::SOME_FAILED })
}

/// Writes the BIDS data set and says so.
pub(super) fn write_bids(folder: &Path, cohort: &str, collected: &Collected) -> Result<(), Failure> {
    let n = bids::write(folder, cohort, &collected.results).map_err(Failure::io)?;
    let text = format!("{n} maps and masks as a BIDS data set in {}\n", folder.join(bids::FOLDER).display());
    out::print(&text).map_err(Failure::io)
}
