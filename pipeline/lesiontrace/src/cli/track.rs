//! Arguments of `track`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Track {
    /// Output folders of a run, or folders of one patient: DATE/lesions.nii.gz, DATE/ROLE/lesions.nii.gz (with
    /// ablation_zone.nii.gz beside it) or DATE.nii.gz, each a label map with one label per lesion.
    #[arg(required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// Folder with treatments.csv; without it a zone counts as an ablation of unknown date.
    #[arg(long, value_name = "DIR")]
    pub(crate) clinical: Option<PathBuf>,
    /// Two findings farther apart than this, centre to centre in the baseline frame, are not the same lesion, mm.
    #[arg(long, default_value_t = 25.0)]
    pub(crate) max_distance_mm: f64,
    /// Best cost over the runner-up's above which a match is uncertain.
    #[arg(long, default_value_t = 0.8)]
    pub(crate) uncertain_ratio: f64,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}
