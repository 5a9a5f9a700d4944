//! What a run wrote into a finished patient's folder, with sizes and digests: `files.json`, whose own digest stands in the ledger.
//! By it a file that was cut or changed since is noticed, and the patient is done again.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::{exported, out};

/// Name of the list.
const LIST: &str = "files.json";
/// What is not a result: the ledger's entry and the list itself, what is kept for a later run, and what `export` and `report --pdf`
/// make of results.
const NO_RESULTS: [&str; 6] = ["status.json", LIST, "cache", "dicom", exported::PDF, exported::FILE];

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    bytes: u64,
    sha256: String,
}

/// The list.
#[derive(Debug, Serialize, Deserialize)]
struct Files {
    schema_version: u32,
    files: BTreeMap<String, Written>,
}

/// Brings everything in a patient's folder to the disk, lists it and returns the list's digest.
pub(crate) fn seal(folder: &Path) -> anyhow::Result<String> {
    let mut files = BTreeMap::new();
    list(folder, "", &mut files)?;
    let list = Files { schema_version: 1, files };
    out::write_json(&folder.join(LIST), &list)?;
    sync(folder)?;
    let written = std::fs::read(folder.join(LIST)).with_context(|| format!("reading {LIST} again"))?;
    Ok(out::sha256_hex(&written))
}

fn list(folder: &Path, below: &str, files: &mut BTreeMap<String, Written>) -> anyhow::Result<()> {
    let reading = || format!("listing {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || (below.is_empty() && NO_RESULTS.contains(&name.as_str())) {
            continue;
        }
        if path.is_dir() {
            list(&path, &format!("{below}{name}/"), files)?;
            sync(&path)?;
            continue;
        }
        let bytes = std::fs::read(&path).with_context(|| format!("reading {} again", path.display()))?;
        sync(&path)?;
        files.insert(format!("{below}{name}"), Written { bytes: bytes.len() as u64, sha256: out::sha256_hex(&bytes) });
    }
    Ok(())
}

/// After this the file or the folder's names outlive a loss of power.
fn sync(path: &Path) -> anyhow::Result<()> {
    let synced = std::fs::File::open(path).and_then(|file| file.sync_all());
    synced.with_context(|| format!("bringing {} to the disk", path.display()))
}

/// What is wrong with the files of a patient since they were listed; `None` when nothing is. Sizes are compared, and the digest of
/// what `collect` reads.
pub(crate) fn damage(folder: &Path, digest: &str) -> Option<String> {
    let list = match read_list(folder, digest) {
        Ok(list) => list,
        Err(error) => return Some(format!("{error:#}")),
    };
    for (name, written) in &list.files {
        match std::fs::metadata(folder.join(name)) {
            Ok(metadata) if metadata.len() == written.bytes => {}
            Ok(metadata) => {
                return Some(format!("{name} was written with {} bytes and has {}", written.bytes, metadata.len()));
            }
            Err(error) => return Some(format!("{name}: {error}")),
        }
    }
    read(folder, digest, RESULT).err().map(|error| format!("{error:#}"))
}

/// What `collect` reads.
pub(crate) const RESULT: &str = "result.json";

/// The content of a listed file, verified.
pub(crate) fn read(folder: &Path, digest: &str, name: &str) -> anyhow::Result<Vec<u8>> {
    let list = read_list(folder, digest)?;
    let written = list.files.get(name).with_context(|| format!("{LIST} does not list {name}"))?;
    let bytes = std::fs::read(folder.join(name)).with_context(|| format!("reading {name}"))?;
    anyhow::ensure!(written.sha256 == out::sha256_hex(&bytes), "{name} is not what was written (its SHA-256 differs)");
    Ok(bytes)
}

fn read_list(folder: &Path, digest: &str) -> anyhow::Result<Files> {
    let bytes = std::fs::read(folder.join(LIST)).with_context(|| format!("reading {LIST}"))?;
    anyhow::ensure!(out::sha256_hex(&bytes) == digest, "{LIST} is not what was written (its SHA-256 differs)");
    serde_json::from_slice(&bytes).with_context(|| format!("{LIST} is not a list of this version"))
}

/// Removes what a writer that was killed left half written in a folder and below; nobody else may be writing there.
pub(crate) fn sweep(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let below = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let n_below: usize = below.map(|entry| sweep(&entry.path())).sum();
    n_below + sweep_here(folder)
}

/// [`sweep`] of a folder without those in it.
pub(crate) fn sweep_here(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let is_half = |name: &str| name.starts_with(".part-") || name.starts_with(".lock-");
    let halves = entries.flatten().filter(|entry| is_half(&entry.file_name().to_string_lossy()));
    halves.filter(|entry| std::fs::remove_file(entry.path()).is_ok()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_a_changed_and_a_missing_file_are_noticed_and_a_foreign_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| out::write_atomic(&folder.path().join(name), text.as_bytes()).unwrap();
        write(RESULT, "{\"a\":1}");
        write("2020-03-02/ct/lesions.nii.gz", "voxels");
        write("status.json", "{}");
        write(".part-x", "half");
        let digest = seal(folder.path()).unwrap();
        assert_eq!(damage(folder.path(), &digest), None);
        write("status.json", "{\"state\":\"done\"}");
        write("dicom/a.dcm", "exported");
        assert_eq!(damage(folder.path(), &digest), None);
        assert_eq!(read(folder.path(), &digest, RESULT).unwrap(), b"{\"a\":1}");
        write("2020-03-02/ct/lesions.nii.gz", "vox");
        let said = damage(folder.path(), &digest).unwrap();
        assert!(said.contains("2020-03-02/ct/lesions.nii.gz") && said.contains("6 bytes and has 3"), "{said}");
        write("2020-03-02/ct/lesions.nii.gz", "voxels");
        write(RESULT, "{\"a\":2}");
        assert!(damage(folder.path(), &digest).unwrap().contains("SHA-256"));
        std::fs::remove_file(folder.path().join(RESULT)).unwrap();
        assert!(damage(folder.path(), &digest).unwrap().contains(RESULT));
        assert!(damage(folder.path(), "of an older version").is_some());
        write("2020-03-02/ct/.lock-y", "");
        assert_eq!(sweep(folder.path()), 2);
    }
}
