//! Arguments of the main job and of what belongs to a whole cohort.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::shard::Shard;

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder for the archive and the results.
    #[arg(long, default_value = "out/demo")]
    pub(crate) out: PathBuf,
    /// Number of synthetic patients.
    #[arg(long, default_value_t = 6)]
    pub(crate) patients: usize,
    /// Seed of the synthetic patients.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Model folder (default: models/ beside the program or in the current folder).
    #[arg(long)]
    pub(crate) model: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Study file; the built-in default when not given.
    pub(crate) study: Option<PathBuf>,
    /// Folder with DICOM or NIfTI, and clinical/*.csv.
    #[arg(long)]
    pub(crate) archive: PathBuf,
    /// Folder for the results.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Only one of n shares of the patients, made even by forecast time, such as 3/8; `collect` merges the shards.
    #[arg(long)]
    pub(crate) shard: Option<Shard>,
    /// Keep finished patients whose settings and input did not change.
    #[arg(long, conflicts_with = "force")]
    pub(crate) resume: bool,
    /// Do every patient anew, and take nothing from what earlier runs kept.
    #[arg(long)]
    pub(crate) force: bool,
    /// Stop at the first failed patient.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// A reader's decisions, saved from a patient's page (.json) or as a table (.csv); may be given several times. They stay in force
    /// in later runs.
    #[arg(long, value_name = "FILE")]
    pub(crate) reads: Vec<PathBuf>,
    /// Say what would be done, and stop.
    #[arg(long = "dry-run")]
    pub(crate) only_say: bool,
    /// Lock the analysis: later runs on this folder with another program, study, criterion, preset or model are refused.
    #[arg(long)]
    pub(crate) freeze: bool,
    /// Put an interactive viewer (NiiVue, see scripts/fetch_niivue) into each patient's page: any two visits side by side, linked
    /// through the registration. With --resume, finished patients get it without being measured again.
    #[arg(long)]
    pub(crate) viewer: bool,
    /// Also write outlines and tables as a BIDS derivative data set, OUT/bids; with --shard, `collect --bids` does.
    #[arg(long)]
    pub(crate) bids: bool,
    /// Memory the patients at work may need together, such as 8GiB, the default; never more than four fifths of what Slurm or a
    /// cgroup grants, and just these where Slurm grants some and nothing is said here.
    #[arg(long)]
    pub(crate) memory: Option<String>,
    /// Only patients in this state of an earlier run.
    #[arg(long, value_enum)]
    pub(crate) only: Option<Only>,
}

/// Which patients of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Those that failed.
    Failed,
}

#[derive(Debug, Args)]
pub(crate) struct Collect {
    /// Folder of a run.
    pub(crate) out: PathBuf,
    /// Also write outlines and tables as a BIDS derivative data set, OUT/bids.
    #[arg(long)]
    pub(crate) bids: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Cache {
    /// What to do with it.
    #[command(subcommand)]
    pub(crate) action: CacheAction,
}

/// What to do with what runs keep.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheAction {
    /// Removes what no present result rests on, and files that a killed process left half written.
    #[command(after_help = "Example: lesiontrace cache gc results")]
    Gc {
        /// Folder of a run.
        out: PathBuf,
        /// One JSON document on stdout.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Folder of a run.
    pub(crate) out: PathBuf,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Folder to write study.toml into.
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Phantom {
    /// Folder to write the archive into.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Number of patients; 6 when not given, of a study's cohort all.
    #[arg(long)]
    pub(crate) patients: Option<usize>,
    /// Seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// One scenario for every patient; a mixture when not given.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(phantom::Scenario::ALL.map(phantom::Scenario::name)))]
    pub(crate) scenario: Option<String>,
    /// The cohort of a published study, with known hazards: xu2021 or narayanan2024. Writes `study.toml` for its preset, too.
    #[arg(long, conflicts_with = "scenario")]
    pub(crate) study: Option<String>,
}
