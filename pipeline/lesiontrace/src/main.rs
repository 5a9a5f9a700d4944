//! Follows tumours through time: segmentation, registration, tracking, measurement, response and endpoints from imaging archives.
//!
//! Research use only. This crate holds the order of the stages, the ledger and the command line; what is computed lives in
//! `imaging`, `oncology` and `survival`, and files are read and written by `formats`.

mod altered;
mod artifacts;
mod at_work;
mod bids;
mod browser;
mod cache;
mod cli;
mod cohort_figures;
mod cohort_hazards;
mod cohort_methods;
mod cohort_models;
mod cohort_overview;
mod cohort_page;
mod cohort_survival;
mod cohort_tables;
mod collect;
mod command;
mod conclude;
mod config;
mod datapackage;
mod exit;
mod exported;
mod finished;
mod found_map;
mod frozen;
mod hounsfield;
mod image_input;
mod index_table;
mod journal;
mod ledger;
mod lock;
mod manifest;
mod memory_bound;
mod models;
mod niivue;
mod observed;
mod out;
mod patient;
mod patient_axes;
mod patient_locks;
mod phantom_archive;
mod plan;
mod process_memory;
mod reading;
mod rules;
mod run;
mod schedule;
mod schema;
mod session;
mod shard;
mod source_record;
mod stages;
mod study_print;
mod study_tables;
mod submission_tables;
mod survival_table;
mod transform_file;
mod triage;
mod triage_page;
mod truth_table;
mod viewer_file;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    session::start_log(&cli.global);
    if let Err(failure) = session::start_threads(&cli.global) {
        return end(&failure);
    }
    match command::dispatch(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => end(&failure),
    }
}

/// `--help` and `--version` go to stdout and succeed; everything else clap says is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    // A closed pipe while printing help is nobody's error.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::DONE })
}

fn end(failure: &exit::Failure) -> ExitCode {
    tracing::error!("{}", out::plain(&failure.to_string()));
    ExitCode::from(failure.code)
}
