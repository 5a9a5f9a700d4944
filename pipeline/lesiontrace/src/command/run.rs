//! `run`: the main job.

use std::path::PathBuf;

use oncology::reads::ReadRow;

use super::collect::collected;
use crate::cli::{Global, Only, Run};
use crate::exit::{self, Failure};
use crate::run::{RunRequest, run as run_cohort};
use crate::{out, reading, rules};

/// The reads of all files.
fn loaded_reads(files: &[PathBuf]) -> Result<Vec<ReadRow>, Failure> {
    let rows: Vec<Vec<ReadRow>> =
        files.iter().map(|file| reading::load(file).map_err(Failure::bad_input)).collect::<Result<_, _>>()?;
    Ok(rows.concat())
}

/// Runs the study on the archive; without a shard it ends with collecting.
pub(crate) fn run(args: &Run, global: &Global) -> Result<u8, Failure> {
    let study = rules::load_study(args.study.as_deref()).map_err(Failure::usage)?;
    let request = RunRequest {
        study,
        archive: args.archive.clone(),
        out: args.out.clone(),
        shard: args.shard,
        resume: args.resume,
        force: args.force,
        fail_fast: args.fail_fast,
        memory: args.memory.clone(),
        reads: loaded_reads(&args.reads)?,
        only_failed: args.only == Some(Only::Failed),
        dry_run: args.only_say,
        freeze: args.freeze,
        viewer: args.viewer,
    };
    let outcome = run_cohort(&request, global)?;
    if request.dry_run || outcome.signal.is_some() {
        return Ok(outcome.code());
    }
    if request.shard.is_none() {
        let (collected, is_whole) = collected(&request.out, args.bids)?;
        let text = format!(
            "{} patients in the cohort, {} failed in this run, {} not done; tables and report in {}\n",
            collected.results.len(),
            outcome.n_failed,
            outcome.n_open,
            request.out.join("cohort").display()
        );
        out::print(&text).map_err(Failure::io)?;
        if !is_whole && outcome.code() == exit::DONE {
            return Ok(exit::SOME_FAILED);
        }
    }
    Ok(outcome.code())
}
