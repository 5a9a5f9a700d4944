//! Arguments of `review`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Review {
    /// What to do with readers' decisions.
    #[command(subcommand)]
    pub(crate) action: ReviewAction,
}

/// What to do with readers' decisions.
#[derive(Debug, Subcommand)]
pub(crate) enum ReviewAction {
    /// Checks a reader's file, puts it into force and makes anew what depends on it; needs no images. Refused as a whole where one
    /// read does not fit what the run found.
    #[command(after_help = "Example: lesiontrace review apply results --reads reads.json")]
    Apply {
        /// Folder of a run.
        out: PathBuf,
        /// Decisions saved from a patient's page (.json) or as a table (.csv); may be given several times.
        #[arg(long, required = true, value_name = "FILE")]
        reads: Vec<PathBuf>,
        /// One JSON document on stdout.
        #[arg(long)]
        json: bool,
    },
}
