//! Arguments of the commands that judge results.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct CompareMasks {
    /// Mask or label map taken for true (NIfTI).
    pub(crate) reference: PathBuf,
    /// Mask or label map to judge, on the same grid (NIfTI).
    pub(crate) candidate: PathBuf,
    /// Distances at which surfaces still agree, mm, comma-separated.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    pub(crate) tolerance_mm: Vec<f64>,
    /// Overlap (intersection over union) from which a lesion counts as found. A lesion is a connected component of a label;
    /// MetricsReloaded usually takes 0.5.
    #[arg(long, default_value_t = 0.1)]
    pub(crate) min_iou: f64,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Output folder of a run.
    pub(crate) out: PathBuf,
    /// The reader's own table (CSV): patient_id, date (or visit), optional reader; and in each row either overall with optional
    /// criterion, target, non_target, new_lesion and sum_mm, or lesion_id, quantity, value and optional unit.
    pub(crate) reads: PathBuf,
    /// Criterion of rows that name none.
    #[arg(long, default_value = "recist_1_1")]
    pub(crate) criterion: String,
    /// Writes every pair of sizes and responses as a table (CSV).
    #[arg(long, value_name = "FILE")]
    pub(crate) pairs: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}
