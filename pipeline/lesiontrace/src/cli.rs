//! The command line, raw: what may be written, with an example for each command. Checked values are made in `command/`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::shard::Shard;

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
    #[command(after_help = "Example: lesiontrace run study.toml --archive archive --out results")]
    Run(Run),
    /// Merges what shards have done into cohort tables and the cohort report.
    #[command(after_help = "Example: lesiontrace collect results")]
    Collect(Collect),
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
    #[command(after_help = "Example: lesiontrace index archive --json")]
    Index(Index),
    /// Turns one DICOM series into NIfTI (HU, SUVbw, or stored values).
    #[command(after_help = "Example: lesiontrace convert archive/P01/ct portal.nii.gz --json")]
    Convert(Convert),
    /// The SUV factor of a PET series with the inputs used, or the reason there is none.
    #[command(after_help = "Example: lesiontrace suv archive/P01/pet --json")]
    Suv(Suv),
    /// Segments one image with a model.
    #[command(
        after_help = "Example: lesiontrace segment portal.nii.gz --model models/phantom-liver-1 --out labels.nii.gz"
    )]
    Segment(Segment),
    /// Registers a moving image to a fixed one.
    #[command(
        after_help = "Example: lesiontrace register baseline.nii.gz followup.nii.gz --out registered --transform rigid"
    )]
    Register(Register),
    /// Measures the lesions of a mask.
    #[command(after_help = "Example: lesiontrace measure --mask lesions.nii.gz --image portal.nii.gz --json")]
    Measure(Measure),
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
    #[command(after_help = "Example: lesiontrace model check models/phantom-liver-1")]
    Model(Model),
    /// Response criteria: list the built-in ones, or show one with its sources.
    #[command(after_help = "Example: lesiontrace criterion show recist_1_1")]
    Criterion(Criterion),
}

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
    /// Only every n-th patient, such as 3/8; `collect` merges the shards.
    #[arg(long)]
    pub(crate) shard: Option<Shard>,
    /// Keep finished patients whose settings and input did not change.
    #[arg(long, conflicts_with = "force")]
    pub(crate) resume: bool,
    /// Do every patient anew.
    #[arg(long)]
    pub(crate) force: bool,
    /// Stop at the first failed patient.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Say what would be done, and stop.
    #[arg(long = "dry-run")]
    pub(crate) only_say: bool,
    /// Memory the patients in work may need together.
    #[arg(long, default_value = "8GiB")]
    pub(crate) memory: String,
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
    /// Number of patients.
    #[arg(long, default_value_t = 6)]
    pub(crate) patients: usize,
    /// Seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// One scenario for every patient; a mixture when not given.
    #[arg(long)]
    pub(crate) scenario: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Index {
    /// Folder with DICOM files in any nesting.
    pub(crate) archive: PathBuf,
    /// Write the table to this file (.csv).
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// Folder with one DICOM series.
    pub(crate) series: PathBuf,
    /// NIfTI file to write.
    pub(crate) out: PathBuf,
    /// Unit Radionuclide Total Dose is really written in: bq (as the standard says), kbq, mbq, mci.
    #[arg(long, default_value = "bq")]
    pub(crate) dose_unit: String,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Suv {
    /// Folder with one PET series.
    pub(crate) series: PathBuf,
    /// Unit Radionuclide Total Dose is really written in: bq (as the standard says), kbq, mbq, mci.
    #[arg(long, default_value = "bq")]
    pub(crate) dose_unit: String,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Segment {
    /// NIfTI image, or a folder with one DICOM series.
    pub(crate) image: PathBuf,
    /// Model folder with card.toml.
    #[arg(long)]
    pub(crate) model: PathBuf,
    /// Label map to write (NIfTI).
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Device: cpu, cuda:N.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How likeness of two images is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Likeness {
    /// Normalised correlation: two images of one modality.
    Correlation,
    /// Mutual information: two modalities.
    MutualInformation,
}

/// What a registration may do to the moving image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transform {
    /// Rotation and translation.
    Rigid,
    /// Rotation, translation, scaling and shear.
    Affine,
}

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// Image that stays (NIfTI, or a folder with one DICOM series).
    pub(crate) fixed: PathBuf,
    /// Image that is carried.
    pub(crate) moving: PathBuf,
    /// Folder for moving_to_fixed.json, warped.nii.gz and quality.json.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// What the registration may do.
    #[arg(long, value_enum, default_value = "rigid")]
    pub(crate) transform: Transform,
    /// How likeness is measured (default: correlation; mutual information for DICOM series of two modalities).
    #[arg(long, value_enum)]
    pub(crate) metric: Option<Likeness>,
    /// Cut the values of both images to LOW,HIGH first (default: -150,250 for DICOM CT, else 1st to 99.9th percentile).
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true, value_name = "LOW,HIGH")]
    pub(crate) clamp: Vec<f32>,
    /// Where the fixed image counts.
    #[arg(long)]
    pub(crate) fixed_mask: Option<PathBuf>,
    /// Where the moving image counts.
    #[arg(long)]
    pub(crate) moving_mask: Option<PathBuf>,
    /// Tumour or zone in the fixed image: out of the metric.
    #[arg(long)]
    pub(crate) fixed_lesion: Option<PathBuf>,
    /// Tumour or zone in the moving image: out of the metric.
    #[arg(long)]
    pub(crate) moving_lesion: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Measure {
    /// Mask or label map (NIfTI).
    #[arg(long)]
    pub(crate) mask: PathBuf,
    /// Image on the same grid.
    #[arg(long)]
    pub(crate) image: Option<PathBuf>,
    /// Unit of the image, such as HU or SUVbw (a NIfTI file does not say).
    #[arg(long)]
    pub(crate) unit: Option<String>,
    /// Labels that are lymph nodes, comma-separated.
    #[arg(long, value_delimiter = ',')]
    pub(crate) nodes: Vec<u16>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Margin {
    /// Tumour before ablation (NIfTI).
    #[arg(long)]
    pub(crate) tumour: PathBuf,
    /// Ablation zone after it, registered to the same space (NIfTI).
    #[arg(long)]
    pub(crate) ablation: PathBuf,
    /// Organ, for the surface at the capsule (NIfTI).
    #[arg(long)]
    pub(crate) organ: Option<PathBuf>,
    /// Margin wanted, mm (strictly more).
    #[arg(long, default_value_t = 5.0)]
    pub(crate) threshold_mm: f64,
    /// Standard deviation of the registration error, mm; without it the margin has no interval and no verdict.
    #[arg(long)]
    pub(crate) registration_error_mm: Option<f64>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Assess {
    /// SDTM tumour identification (TU).
    #[arg(long)]
    pub(crate) tu: PathBuf,
    /// SDTM tumour results (TR).
    #[arg(long)]
    pub(crate) tr: PathBuf,
    /// Criterion.
    #[arg(long, default_value = "recist_1_1")]
    pub(crate) criterion: String,
    /// Write SDTM responses (RS) to this file.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Case {
    /// File with worked cases.
    pub(crate) file: PathBuf,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Survival {
    /// Table (CSV with headers).
    pub(crate) table: PathBuf,
    /// Column of times.
    #[arg(long)]
    pub(crate) time: String,
    /// Column of events: 0 censored, 1 event; or COLUMN=VALUE.
    #[arg(long)]
    pub(crate) event: String,
    /// Column that splits the table into groups.
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Column of states: 0 censored, 1 event of interest, 2 and above competing.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Columns of numbers (or COLUMN=VALUE) for the regression models, comma-separated.
    #[arg(long, value_delimiter = ',')]
    pub(crate) covariates: Vec<String>,
    /// Column that says which rows belong together (patient).
    #[arg(long)]
    pub(crate) cluster: Option<String>,
    /// Unit of the time column.
    #[arg(long, value_enum, default_value = "months")]
    pub(crate) time_unit: TimeUnit,
    /// Convention of intervals and medians.
    #[arg(long, value_enum, default_value = "r")]
    pub(crate) profile: Profile,
    /// Times at which survival is wanted, comma-separated, in the unit of the time column.
    #[arg(long, value_delimiter = ',')]
    pub(crate) landmarks: Vec<f64>,
    /// Write the Kaplan–Meier figure to this file (.svg).
    #[arg(long)]
    pub(crate) plot: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Unit of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimeUnit {
    /// Days.
    Days,
    /// Months.
    Months,
}

/// Convention of intervals and medians.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// R survival.
    R,
    /// SPSS.
    Spss,
    /// lifelines.
    Lifelines,
}

#[derive(Debug, Args)]
pub(crate) struct Model {
    /// What to do.
    #[command(subcommand)]
    pub(crate) action: ModelAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelAction {
    /// Lists the models of a folder.
    List {
        /// Folder of model folders.
        #[arg(default_value = "models")]
        folder: PathBuf,
        /// One JSON document on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Checks one model folder: card, digest, and that it runs.
    Check {
        /// Model folder.
        folder: PathBuf,
        /// One JSON document on stdout.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Criterion {
    /// What to do.
    #[command(subcommand)]
    pub(crate) action: CriterionAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CriterionAction {
    /// Lists the built-in criteria.
    List,
    /// Prints one criterion with its sources.
    Show {
        /// Criterion, such as recist_1_1.
        id: String,
    },
}
