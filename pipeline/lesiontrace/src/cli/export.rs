//! Arguments of `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// A kind of DICOM object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum DicomKind {
    /// Segmentation: the outlines of each measured series.
    Seg,
    /// Structured report (TID 1500): the measurements and responses of each visit; writes the segmentation it refers to as well.
    Sr,
    /// The patient's report as an encapsulated PDF.
    Pdf,
    /// Key images with outlines and calipers burned in (secondary capture), and the same as PNG in OUT/patients/ID/key_images.
    Key,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Folder of a run.
    pub(crate) out: PathBuf,
    /// Which objects, separated by commas; they go to OUT/patients/ID/dicom.
    #[arg(long, value_enum, value_delimiter = ',', required = true, value_name = "KINDS")]
    pub(crate) dicom: Vec<DicomKind>,
    /// Where the images lie now (default: where they lay at the run).
    #[arg(long, value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}
