//! The command line, raw: what may be written, with an example for each command. Checked values are made in `command/`.

mod candidates;
mod cohort;
mod deidentify;
mod export;
mod quality;
mod report;
mod review;
mod shell;
mod steps;
mod survival;
mod track;
mod transfer;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use candidates::{Candidates, CutOff};
pub(crate) use cohort::{Cache, CacheAction, Collect, Demo, Init, Only, Phantom, Run, Status};
pub(crate) use deidentify::Deidentify;
pub(crate) use export::{DicomKind, Export};
pub(crate) use quality::{CompareMasks, Validate};
pub(crate) use report::Report;
pub(crate) use review::{Review, ReviewAction};
pub(crate) use shell::{Completions, Man, Schema};
pub(crate) use steps::{
    Assess, Between, Case, Convert, Criterion, CriterionAction, Index, Likeness, Margin, Measure, Model, ModelAction,
    Register, Segment, Suv, Transform, Warp,
};
pub(crate) use survival::{Interval, Profile, Survival, Ties, TimeUnit};
pub(crate) use track::Track;
pub(crate) use transfer::{Connection, Pull, Push};

/// Follows tumours through time: from imaging archives to response, progression and survival tables. Research use only.
#[derive(Debug, Parser)]
#[command(name = "lesiontrace", version, disable_help_subcommand = true)]
#[command(
    after_help = "Research use only. Not for diagnosis or treatment decisions.\n\nExample: lesiontrace demo --out demo"
)]
pub(crate) struct Cli {
    /// Options every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Number of threads (default: SLURM_CPUS_PER_TASK, else the cpuset).
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// More log lines (-v info, -vv debug).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Errors only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// How log lines look on stderr.
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// No progress bars (they are drawn on a terminal only).
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// ONNX Runtime library (libonnxruntime.so); searched for when not given.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) onnxruntime: Option<PathBuf>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes a synthetic cohort as DICOM, runs the whole pipeline on it and compares with the known truth.
    #[command(after_help = "Example: lesiontrace demo --out demo")]
    Demo(Demo),
    /// The main job: an archive goes in; measured lesions, dated progression and reports come out.
    #[command(
        after_help = "Examples: lesiontrace run study.toml --archive archive --out results\n          lesiontrace run study.toml --archive archive --out results --resume --viewer"
    )]
    Run(Run),
    /// Merges what shards have done into cohort tables and the cohort report.
    #[command(after_help = "Example: lesiontrace collect results")]
    Collect(Collect),
    /// What runs keep to use again: outlines of networks and registrations.
    #[command(after_help = "Example: lesiontrace cache gc results")]
    Cache(Cache),
    /// Who is done, who failed and why.
    #[command(after_help = "Example: lesiontrace status results --json")]
    Status(Status),
    /// Writes a commented study file to start from.
    #[command(after_help = "Example: lesiontrace init .")]
    Init(Init),
    /// Writes a synthetic DICOM archive with clinical tables and known truth.
    #[command(after_help = "Example: lesiontrace phantom --out phantoms --patients 6 --seed 1")]
    Phantom(Phantom),
    /// Lists every series of an archive: its role, and whether it is usable or why not.
    #[command(after_help = "Example: lesiontrace index archive --out triage.html --patients triage.csv")]
    Index(Index),
    /// Turns one DICOM series into NIfTI (HU, SUVbw, or stored values).
    #[command(after_help = "Example: lesiontrace convert archive/P01/ct portal.nii.gz --json")]
    Convert(Convert),
    /// The SUV factor of a PET series with the inputs used, or the reason there is none.
    #[command(after_help = "Example: lesiontrace suv archive/P01/pet --json")]
    Suv(Suv),
    /// Segments one image, or every image of a folder, with a model.
    #[command(
        after_help = "Examples: lesiontrace segment portal.nii.gz --model models/phantom-liver-0.2.2 --out labels.nii.gz\n          lesiontrace segment images --each --model models/phantom-liver-0.2.2 --out labels\n          lesiontrace segment pet.nii.gz --model models/lesion-voi-pet-0.2.0 --box -60,-40,90,-20,5,140 --out lesion.nii.gz --json"
    )]
    Segment(Segment),
    /// Registers a moving image to a fixed one.
    #[command(
        after_help = "Example: lesiontrace register baseline.nii.gz followup.nii.gz --out registered --transform rigid"
    )]
    Register(Register),
    /// Carries an image onto another one's grid through a map found before.
    #[command(
        after_help = "Example: lesiontrace warp lesions.nii.gz --transform registered/moving_to_fixed.json --like baseline.nii.gz --out carried.nii.gz --interpolation nearest"
    )]
    Warp(Warp),
    /// Measures the lesions of a mask.
    #[command(after_help = "Example: lesiontrace measure --mask lesions.nii.gz --image portal.nii.gz --json")]
    Measure(Measure),
    /// FDG-avid lesion candidates of a PET: found, outlined, measured, organs' own uptake set aside.
    #[command(
        after_help = "Example: lesiontrace candidates pet.nii.gz --cut-off liver --liver liver.nii.gz --organs organs.nii.gz --organ 1=brain,2=bladder --out candidates.nii.gz --json"
    )]
    Candidates(Candidates),
    /// How well one mask agrees with another: Dice, surfaces, lesions found and missed, volume.
    ///
    /// Surfaces, surface Dice and HD95 are those of surface-distance 0.1 (pieces of surface weighted by their area); the HD95 of
    /// MetricsReloaded and MONAI, a percentile over border voxels, differs from it by up to some millimetres. Labels are compared
    /// label by label, then all together (`any`), a lesion being a connected component.
    #[command(after_help = "Example: lesiontrace compare-masks reader.nii.gz model.nii.gz --tolerance-mm 2 --json")]
    CompareMasks(CompareMasks),
    /// How a run agrees with a reader's own table of the same patients: kappa, limits of agreement, every difference with its cause.
    #[command(after_help = "Example: lesiontrace validate results my_readings.csv --pairs pairs.csv --json")]
    Validate(Validate),
    /// Lesion matching alone: label maps of several dates in, links of each lesion out.
    #[command(after_help = "Example: lesiontrace track results/patients/P01 --json")]
    Track(Track),
    /// The ablative margin between a tumour and an ablation zone.
    #[command(after_help = "Example: lesiontrace margin --tumour tumour.nii.gz --ablation zone.nii.gz --json")]
    Margin(Margin),
    /// Response from SDTM tables alone, without images.
    #[command(after_help = "Example: lesiontrace assess --tu tu.csv --tr tr.csv --json")]
    Assess(Assess),
    /// Runs worked cases and prints expected versus got.
    #[command(after_help = "Example: lesiontrace case test_data/criteria/recist_target.json --json")]
    Case(Case),
    /// Survival estimates of a table.
    #[command(after_help = "Example: lesiontrace survival table.csv --time months --event death --group arm --json")]
    Survival(Survival),
    /// Model folders: list them, or check one against its card.
    #[command(after_help = "Example: lesiontrace model check models/phantom-liver-0.2.2")]
    Model(Model),
    /// Writes a copy of an archive without what names patients; intervals, measurements and SUV stay. No claim of anonymity.
    #[command(after_help = "Example: lesiontrace deidentify archive shared --key ../keys/study.key")]
    Deidentify(Deidentify),
    /// Writes the reports of a finished run anew from what it stored; with --pdf also as PDF.
    #[command(after_help = "Example: lesiontrace report results --pdf")]
    Report(Report),
    /// Readers' decisions on what a run found.
    #[command(after_help = "Example: lesiontrace review apply results --reads reads.json")]
    Review(Review),
    /// Writes a run's outlines and measurements as DICOM objects that archives and viewers read.
    #[command(after_help = "Example: lesiontrace export results --dicom seg,sr")]
    Export(Export),
    /// Fetches images from an archive: DICOMweb, or DIMSE (C-FIND with C-GET or C-MOVE).
    #[command(
        after_help = "Examples: lesiontrace pull https://pacs.example/dicom-web --auth-file ~/pacs.auth --query PatientID=@ids.txt --query Modality=CT --out archive\n          lesiontrace pull PACS@10.0.0.5:104 --query StudyDate=20200101-20201231 --query ModalitiesInStudy=PT --out archive\n          lesiontrace pull dimse-tls://PACS@pacs.example:2762 --ca-file hospital.pem --query PatientID=P01 --out archive"
    )]
    Pull(Pull),
    /// Sends what `export` wrote to an archive: DICOMweb (STOW-RS) or DIMSE (C-STORE).
    #[command(
        after_help = "Examples: lesiontrace push results https://pacs.example/dicom-web --auth-env PACS_AUTH\n          lesiontrace push results dimse-tls://PACS@pacs.example:2762 --ca-file hospital.pem"
    )]
    Push(Push),
    /// Response criteria: list the built-in ones, or show one with its sources.
    #[command(after_help = "Example: lesiontrace criterion show recist_1_1")]
    Criterion(Criterion),
    /// Prints the JSON Schema (draft 2020-12) of the files you write, readers' files or what a run leaves.
    #[command(after_help = "Example: lesiontrace schema study > study.schema.json")]
    Schema(Schema),
    /// Completion of commands, options and their values for a shell.
    #[command(
        after_help = "Examples: lesiontrace completions bash > ~/.local/share/bash-completion/completions/lesiontrace\n          lesiontrace completions zsh > ~/.zfunc/_lesiontrace"
    )]
    Completions(Completions),
    /// Writes a manual page for the program and one for each command.
    #[command(after_help = "Example: lesiontrace man ~/.local/share/man/man1 && man lesiontrace-run")]
    Man(Man),
}
