//! Arguments of the single steps, each usable alone.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Index {
    /// Folder with images in any nesting, or a zip archive.
    pub(crate) archive: PathBuf,
    /// Write the table of series to this file (.csv, .parquet), or a page with a row a patient (.html).
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Write what is missing for which criterion, patient by patient, to this file (.csv, .parquet).
    #[arg(long, value_name = "FILE")]
    pub(crate) patients: Option<PathBuf>,
    /// Study file with the roles to measure and the windows of visits; the built-in one when not given.
    #[arg(long)]
    pub(crate) study: Option<PathBuf>,
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
    /// Which volume of a series that holds several (phases, b-values, echoes): its number in the message that lists them.
    #[arg(long, value_name = "N")]
    pub(crate) volume: Option<usize>,
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
    /// NIfTI image, or a folder with one DICOM series; with --each a folder of such images and folders.
    pub(crate) image: PathBuf,
    /// A further image the model sees beside the first, on the same voxels: once for each, in the card's order.
    #[arg(long = "with", value_name = "IMAGE")]
    pub(crate) further: Vec<PathBuf>,
    /// Every image of the folder is a case of its own: the model is loaded once, a case that cannot be read is said and left out.
    #[arg(long, conflicts_with = "further")]
    pub(crate) each: bool,
    /// Model folder with card.toml.
    #[arg(long)]
    pub(crate) model: PathBuf,
    /// Label map to write (NIfTI); with --each the folder for them.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// A number for each finding, those that touch apart (NIfTI), for a model whose card splits them (split_at_necks_mm).
    #[arg(long, value_name = "FILE")]
    pub(crate) findings: Option<PathBuf>,
    /// A point in a lesion, DICOM LPS in mm, for a model that outlines what is pointed at; once for each lesion. Labels are 1, 2, …
    /// in their order, those of boxes after those of points.
    #[arg(long = "point", value_name = "X,Y,Z", allow_hyphen_values = true)]
    pub(crate) points: Vec<String>,
    /// Two opposite corners of a box round a lesion, DICOM LPS in mm; its edges run along the image's own axes. Once for each.
    #[arg(long = "box", value_name = "X1,Y1,Z1,X2,Y2,Z2", allow_hyphen_values = true)]
    pub(crate) boxes: Vec<String>,
    /// Beside --point or --box: how far networks and views differ, voxel by voxel (NIfTI): standard deviation of the probability.
    #[arg(long, value_name = "FILE")]
    pub(crate) uncertainty: Option<PathBuf>,
    /// Device: cpu, cuda:N, tensorrt:N, openvino; one that cannot be used is an error, never the CPU instead.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Memory the whole program may use, such as 8GiB: an image that would need more is refused before the first window, or, when
    /// the network itself proves larger than that leaves, after it.
    #[arg(long)]
    pub(crate) memory: Option<String>,
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
    /// A rigid map, then smooth bending that leaves the shape of the fixed image's lesions alone (one modality).
    Deformable,
}

/// How a value between voxels is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Between {
    /// The nearest voxel's: for masks and label maps.
    Nearest,
    /// Trilinear.
    Linear,
    /// Cubic (Catmull-Rom); may overshoot at edges.
    Cubic,
}

#[derive(Debug, Args)]
pub(crate) struct Warp {
    /// Image to carry (NIfTI, or a folder with one DICOM series).
    pub(crate) image: PathBuf,
    /// Map: moving_to_fixed.json of `register`, ITK text (.tfm, .txt), or a displacement field (.nii.gz) of ITK's programs. Several
    /// are gone through in their order, from the fixed image on.
    #[arg(long, required = true)]
    pub(crate) transform: Vec<PathBuf>,
    /// Image whose grid the result has: the fixed one.
    #[arg(long)]
    pub(crate) like: PathBuf,
    /// Image to write (NIfTI).
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// How a value between voxels is found; a mask needs nearest.
    #[arg(long, value_enum, default_value = "linear")]
    pub(crate) interpolation: Between,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
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
    /// Judge this map instead of finding one: ITK text (.tfm, .txt), displacement field (.nii.gz), or the program's own .json. It leads
    /// from points of FIXED to MOVING, as ITK resamples.
    #[arg(long, value_name = "MAP", conflicts_with = "transform")]
    pub(crate) given: Option<PathBuf>,
    /// How likeness is measured (default: correlation; mutual information for DICOM series of two modalities).
    #[arg(long, value_enum)]
    pub(crate) metric: Option<Likeness>,
    /// Points of the fixed image (CSV with x_mm,y_mm,z_mm, LPS) to carry: points.csv in DIR, each with its error.
    #[arg(long, value_name = "FILE")]
    pub(crate) points: Option<PathBuf>,
    /// Cut the values of both images to LOW,HIGH first (default: -150,250 for CT, also for a file of such values that states no unit, else 1st to 99.9th percentile).
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
    /// Labels whose pieces are one lesion, comma-separated; pieces that do not touch are otherwise lesions of their own.
    #[arg(long, value_delimiter = ',')]
    pub(crate) as_one: Vec<u16>,
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
    /// Preset whose rule of technical success holds; by it the tumour is covered, or the margin more than --threshold-mm.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) preset: String,
    /// Distances between border voxels as the public QAM tool has them, to compare with published series; the masks must lie on one
    /// grid, and there is no interval and no verdict.
    #[arg(long)]
    pub(crate) qam_compat: bool,
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
    /// SDTM laboratory results (LB); its tumour markers enter the rule of complete response.
    #[arg(long)]
    pub(crate) lb: Option<PathBuf>,
    /// Criterion.
    #[arg(long, default_value = "recist_1_1")]
    pub(crate) criterion: String,
    /// Set an option of the criterion, such as post_cr_reappearance=sum; `criterion show ID` lists them.
    #[arg(long, value_name = "NAME=WORD")]
    pub(crate) option: Vec<String>,
    /// Write SDTM responses (RS) to this file.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Write ADaM responses (ADRS) to this file.
    #[arg(long)]
    pub(crate) adrs: Option<PathBuf>,
    /// Write ADaM sums of diameters (ADTR) to this file.
    #[arg(long)]
    pub(crate) adtr: Option<PathBuf>,
    /// Only the accepted readings (TRACPTFL of each visit, else TUACPTFL of the reader); those of one role are one sequence.
    #[arg(long)]
    pub(crate) accepted_only: bool,
    /// Write the agreement of two readers, and who decides where they differ, to this file (JSON).
    #[arg(long)]
    pub(crate) agreement: Option<PathBuf>,
    /// Role (TUEVAL) of the two readers compared.
    #[arg(long, default_value = "INDEPENDENT ASSESSOR", requires = "agreement")]
    pub(crate) readers: String,
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
pub(crate) struct Model {
    /// What to do.
    #[command(subcommand)]
    pub(crate) action: ModelAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelAction {
    /// Lists the models of a folder.
    #[command(after_help = "Example: lesiontrace model list models")]
    List {
        /// Folder of model folders.
        #[arg(default_value = "models")]
        folder: PathBuf,
        /// One JSON document on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Checks one model folder: card, digest, and that it runs.
    #[command(after_help = "Example: lesiontrace model check models/phantom-liver-0.2.2")]
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
    #[command(after_help = "Example: lesiontrace criterion list")]
    List,
    /// Prints one criterion with its sources.
    #[command(after_help = "Example: lesiontrace criterion show recist_1_1 > my_criterion.toml")]
    Show {
        /// Criterion, such as recist_1_1.
        id: String,
    },
}
