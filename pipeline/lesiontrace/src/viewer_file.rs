//! The volumes that a run with `--viewer` made of a patient: `viewer.json` in the patient's folder. From there the page gets them,
//! also when it is made anew without images.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use report::ViewerVolume;
use serde::{Deserialize, Serialize};

use crate::{artifacts, out};

/// Name of the file.
pub(crate) const FILE: &str = "viewer.json";
/// Version of its shape.
const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct File<V> {
    schema_version: u32,
    volumes: V,
}

/// Whether a patient has volumes.
pub(crate) fn is_there(folder: &Path) -> bool {
    folder.join(FILE).is_file()
}

/// Writes them into the patient's folder; without volumes, takes away those that were there.
pub(crate) fn write(folder: &Path, volumes: Option<&[ViewerVolume]>) -> anyhow::Result<()> {
    let path = folder.join(FILE);
    match volumes {
        Some(volumes) => out::write_json(&path, &File { schema_version: SCHEMA_VERSION, volumes }),
        None => match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", path.display()))
            }
            _ => Ok(()),
        },
    }
}

/// Reads them, verified against the list of files with this digest; `None` where the run made none.
pub(crate) fn read(folder: &Path, files_digest: &str) -> anyhow::Result<Option<Vec<ViewerVolume>>> {
    if !is_there(folder) {
        return Ok(None);
    }
    let file: File<Vec<ViewerVolume>> = serde_json::from_slice(&artifacts::read(folder, files_digest, FILE)?)
        .with_context(|| format!("{FILE} was written by another version; do the patient again with `run --viewer`"))?;
    anyhow::ensure!(
        file.schema_version == SCHEMA_VERSION,
        "{FILE} has version {}, expected {SCHEMA_VERSION}; do the patient again with `run --viewer`",
        file.schema_version
    );
    Ok(Some(file.volumes))
}
