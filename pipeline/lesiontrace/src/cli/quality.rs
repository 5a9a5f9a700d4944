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
    /// Overlap (intersection over union) from which a lesion counts as found.
    #[arg(long, default_value_t = 0.1)]
    pub(crate) min_iou: f64,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}
