//! Arguments of `report`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Folder of a run.
    pub(crate) out: PathBuf,
    /// Print every report to report.pdf beside it, by a Chromium of this machine ($CHROMIUM, else chromium, chromium-browser,
    /// google-chrome on the PATH).
    #[arg(long)]
    pub(crate) pdf: bool,
    /// Refuse a run whose pages have no viewer, rather than write them without it as they were.
    #[arg(long)]
    pub(crate) viewer: bool,
}
