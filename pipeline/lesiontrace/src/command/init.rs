//! `init`: a commented study file to start from.

use anyhow::Context as _;

use crate::cli::Init;
use crate::exit::{self, Failure};
use crate::{config, out};

/// Writes `study.toml`; an existing one is never overwritten.
pub(crate) fn run(args: &Init) -> Result<u8, Failure> {
    let path = args.folder.join("study.toml");
    if path.exists() {
        return Err(Failure::usage(anyhow::anyhow!("{} exists; delete it or name another folder", path.display())));
    }
    out::write_atomic(&path, config::DEFAULT.as_bytes()).context("writing the study file").map_err(Failure::io)?;
    out::print(&format!("{}\n", path.display())).map_err(Failure::io)?;
    Ok(exit::DONE)
}
