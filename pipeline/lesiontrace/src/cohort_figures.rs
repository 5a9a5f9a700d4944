//! The figures of the cohort's page as files for papers: `cohort/figures/NAME.svg` and `.png`.

use std::path::Path;

use anyhow::Context as _;
use rayon::prelude::*;
use report::figure::{PRINT_SCALE, png};
use report::{CohortPage, cohort_figures};

use crate::out;

/// Writes every figure in both forms; those that are no longer drawn are removed.
pub(crate) fn write(folder: &Path, page: &CohortPage) -> anyhow::Result<()> {
    let figures = folder.join("cohort/figures");
    let files = cohort_figures(page).context("drawing the cohort's figures")?;
    files.par_iter().try_for_each(|file| {
        out::write_atomic(&figures.join(format!("{}.svg", file.name)), file.svg.as_bytes())?;
        let picture = png(&file.svg, PRINT_SCALE).with_context(|| format!("figure {}", file.name))?;
        out::write_atomic(&figures.join(format!("{}.png", file.name)), &picture)
    })?;
    out::keep_only(&figures, |name| {
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        !matches!(ending, "svg" | "png") || files.iter().any(|file| file.name == stem)
    })
}
