//! `collect`: what shards have done becomes cohort tables and the cohort's page.

use std::path::Path;

use crate::bids::{self, DataSet};
use crate::cli::Collect;
use crate::collect::{Collected, collect_and};
use crate::exit::{self, Failure};
use crate::ledger::State;
use crate::out;

/// Collects; exit code 1 when a patient of the roster is not done, or missing in the data set asked for.
pub(crate) fn run(args: &Collect) -> Result<u8, Failure> {
    let (collected, is_whole) = collected(&args.out, args.bids)?;
    let n_open = collected.ledger.patients.iter().filter(|e| e.state != State::Done).count();
    let text = format!(
        "{} patients in the cohort, {n_open} not done; tables and report in {}\n",
        collected.results.len(),
        args.out.join("cohort").display()
    );
    out::print(&text).map_err(Failure::io)?;
    Ok(if n_open == 0 && is_whole { exit::DONE } else { exit::SOME_FAILED })
}

/// Collects and, where asked, writes the BIDS data set and says so; whether every patient is in it.
pub(super) fn collected(folder: &Path, with_bids: bool) -> Result<(Collected, bool), Failure> {
    let data_set = |cohort: &str, results: &[_]| with_bids.then(|| bids::write(folder, cohort, results)).transpose();
    let (collected, data_set) = collect_and(folder, data_set).map_err(Failure::io)?;
    let Some(DataSet { n_files, left_out }) = data_set else { return Ok((collected, true)) };
    for (patient, why) in &left_out {
        let line = format!("patient {patient}: left out of the BIDS data set: {why}");
        tracing::error!("{}", out::plain_line(&line));
    }
    let missing = if left_out.is_empty() { String::new() } else { format!(", {} patients left out", left_out.len()) };
    let place = folder.join(bids::FOLDER);
    let text = format!("{n_files} maps and masks as a BIDS data set in {}{missing}\n", place.display());
    out::print(&text).map_err(Failure::io)?;
    Ok((collected, left_out.is_empty()))
}
