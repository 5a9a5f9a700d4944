//! `demo`: a synthetic cohort through the whole pipeline, compared with its known truth.

use anyhow::Context as _;

use crate::cli::{Demo, Global};
use crate::collect::{Collected, collect};
use crate::config::{self, MaskSource};
use crate::exit::{self, Failure};
use crate::run::{RunRequest, run as run_cohort};
use crate::truth_table::{self, Comparison};
use crate::{models, out, phantom_archive, session};

/// Memory the demo's patients may need together.
const MEMORY: &str = "4GiB";

/// Writes the cohort, runs it on the true masks and on the model's own, and prints how both compare with the truth.
pub(crate) fn run(args: &Demo, global: &Global) -> Result<u8, Failure> {
    let archive = args.out.join("archive");
    let spec = phantom::CohortSpec { n_patients: args.patients, seed: args.seed, scenario: None };
    let bar = session::progress(global, 0, "visits");
    let truth = phantom_archive::write(&spec, &archive, &bar).map_err(Failure::io)?;
    say(&format!("Synthetic cohort of {} patients in {}\n\n", args.patients, archive.display()))?;
    let mut code = exit::DONE;
    for (source, name, title) in [
        (MaskSource::Imported, "results-imported-masks", "From the imported (true) masks"),
        (MaskSource::Model, "results-model", "From the model's own masks"),
    ] {
        let started = std::time::Instant::now();
        let results = args.out.join(name);
        match run_one(args, global, source, &archive, &results) {
            Ok((collected, run_code)) => {
                code = code.max(run_code);
                let comparison = Comparison::new(&truth, &collected.results);
                let text = truth_table::as_text(title, &comparison);
                out::write_atomic(&args.out.join(name).join("comparison.txt"), text.as_bytes()).map_err(Failure::io)?;
                say(&text)?;
                let seconds = started.elapsed().as_secs_f64();
                say(&format!("  ran in {seconds:.0} s; report: {}\n\n", results.join("cohort/report.html").display()))?;
            }
            Err(failure) if source == MaskSource::Model => {
                code = code.max(failure.code);
                say(&format!("{title}: not run: {failure}\n"))?;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(code)
}

fn say(text: &str) -> Result<(), Failure> {
    out::print(text).map_err(Failure::io)
}

fn run_one(
    args: &Demo,
    global: &Global,
    source: MaskSource,
    archive: &std::path::Path,
    results: &std::path::Path,
) -> Result<(Collected, u8), Failure> {
    let mut study = config::load(None).map_err(Failure::internal)?;
    study.study.models.source = source;
    "demo: synthetic patients".clone_into(&mut study.study.cohort.name);
    if source == MaskSource::Model {
        study.study.models.segmentation = match &args.model {
            Some(folder) => folder.clone(),
            None => models::shipped().map_err(Failure::bad_input)?,
        };
    }
    // The two runs differ in this alone; it belongs to what the pages call the study.
    study.digest = out::sha256_hex(format!("{} {source:?}", study.digest).as_bytes());
    let request = RunRequest {
        study,
        archive: archive.to_owned(),
        out: results.to_owned(),
        shard: None,
        resume: false,
        force: false,
        fail_fast: false,
        memory: Some(MEMORY.to_owned()),
        reads: Vec::new(),
        only_failed: false,
        dry_run: false,
        freeze: false,
        viewer: false,
    };
    let outcome = run_cohort(&request, global)?;
    let collected = collect(results).context("collecting the demo").map_err(Failure::io)?;
    Ok((collected, outcome.code()))
}
