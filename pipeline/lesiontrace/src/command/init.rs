//! `init`: a commented study file to start from, and the schema by which editors complete and check it.

use anyhow::Context as _;

use crate::cli::Init;
use crate::exit::{self, Failure};
use crate::schema::{self, Document};
use crate::{config, out};

/// Name of the schema beside the study file.
const SCHEMA: &str = "study.schema.json";

/// Writes `study.toml` and its schema; an existing study file is never overwritten.
pub(crate) fn run(args: &Init) -> Result<u8, Failure> {
    let path = args.folder.join("study.toml");
    if path.exists() {
        return Err(Failure::usage(anyhow::anyhow!("{} exists; delete it or name another folder", path.display())));
    }
    let schema = schema::schema(Document::Study).map_err(Failure::internal)?;
    out::write_json(&args.folder.join(SCHEMA), &schema).map_err(Failure::io)?;
    // Read by Taplo and by editors that use it (Even Better TOML); a comment for everybody else.
    let text = format!("#:schema ./{SCHEMA}\n\n{}", config::DEFAULT);
    out::write_atomic(&path, text.as_bytes()).context("writing the study file").map_err(Failure::io)?;
    out::print(&format!("{}\n", path.display())).map_err(Failure::io)?;
    Ok(exit::DONE)
}
