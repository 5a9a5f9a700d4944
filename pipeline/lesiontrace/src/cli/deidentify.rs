//! Arguments of `deidentify`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Deidentify {
    /// Archive: DICOM in any nesting, NIfTI or NRRD images or a BIDS tree, with clinical/*.csv and masks/ beside; zip archives in it are
    /// read, and it may be one.
    pub(crate) archive: PathBuf,
    /// Folder for the copy: new, empty, or of an earlier call.
    pub(crate) out: PathBuf,
    /// File with the key; made where there is none. Whoever holds it can tell who is who: keep it apart from both folders.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Write the report to FILE.json and FILE.csv (default: deidentification in the copy).
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Keep station names, serial numbers and the like (Retain Device Identity Option).
    #[arg(long)]
    pub(crate) retain_device_identity: bool,
    /// Keep files whose pixels may carry text (burned-in annotation, secondary capture, …), flagged in the report.
    #[arg(long)]
    pub(crate) keep_flagged: bool,
    /// Columns of clinical tables to keep although the program does not know them.
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub(crate) keep_columns: Vec<String>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}
