//! What the costly steps made of a patient (a model's outlines, registrations), kept below `patients/<id>/cache/` under a name made
//! of everything that decides it: the step's name and version, its settings, and the content of images and outlines. A run after a
//! change elsewhere (another criterion, another clinical row) takes them from there.
//!
//! An entry is verified when it is read: its key in full and the SHA-256 of its content. What does not verify is made again.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use imaging::Note;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::out;
use crate::stages::segment::StageError;

pub(crate) mod content;
pub(crate) mod outlines;

/// Whether earlier entries may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// Entries are used.
    Yes,
    /// Everything is made anew.
    No,
}

/// The cache of one patient.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    reuse: Reuse,
    used: RefCell<BTreeSet<String>>,
}

/// The file of an entry.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    schema_version: u32,
    key: String,
    /// SHA-256 of `content`.
    sha256: String,
    /// A value with its notes, as JSON.
    content: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Content<T> {
    value: T,
    notes: Vec<Note>,
}

/// Name of the list of entries that a finished result rests on.
const USED: &str = "used.json";

impl Cache {
    /// The cache below a patient's folder.
    pub(crate) fn of(patient_folder: &Path, reuse: Reuse) -> Self {
        Self { folder: patient_folder.join("cache"), reuse, used: RefCell::default() }
    }

    /// The value kept under `parts`, or what `make` makes, which is then kept. Notes are kept with it.
    pub(crate) fn kept<T: Serialize + DeserializeOwned>(
        &self,
        step: &'static str,
        parts: &[&str],
        notes: &mut Vec<Note>,
        make: impl FnOnce(&mut Vec<Note>) -> Result<T, StageError>,
    ) -> Result<T, StageError> {
        let key = key(step, parts);
        let name = format!("{step}-{}.json", &key[..24]);
        let path = self.folder.join(&name);
        let is_made_already = !self.used.borrow_mut().insert(name);
        if (self.reuse == Reuse::Yes || is_made_already)
            && let Some(kept) = read::<T>(&path, &key)
        {
            notes.extend(kept.notes);
            return Ok(kept.value);
        }
        let mut own = Vec::new();
        let value = make(&mut own)?;
        let content = Content { value, notes: own };
        if let Err(error) = write(&path, key, &content) {
            // The value is there; what is lost is time in a later run. A full disk ends the patient where results are written.
            tracing::warn!(
                "{step}: what was made cannot be kept for later runs: {}",
                out::plain_line(&format!("{error:#}"))
            );
        }
        notes.extend(content.notes);
        Ok(content.value)
    }

    /// Writes down which entries the patient's present result rests on; the others are for `cache gc`.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        let used = self.used.borrow();
        if used.is_empty() { Ok(()) } else { out::write_json(&self.folder.join(USED), &*used) }
    }
}

/// What a clean-up of one patient's cache did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cleaned {
    /// Entries removed.
    pub(crate) n_removed: usize,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Entries the present result rests on.
    pub(crate) n_kept: usize,
}

/// Removes entries that the patient's present result does not rest on; a patient without a result keeps all for the next run.
pub(crate) fn clean(patient_folder: &Path) -> anyhow::Result<Cleaned> {
    let folder = patient_folder.join("cache");
    let mut cleaned = Cleaned::default();
    let used: Option<BTreeSet<String>> =
        std::fs::read(folder.join(USED)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(cleaned) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_kept = used.as_ref().is_none_or(|used| used.contains(&name));
        if name == USED || is_kept {
            cleaned.n_kept += usize::from(name != USED);
            continue;
        }
        let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
        std::fs::remove_file(entry.path())?;
        cleaned = Cleaned { n_removed: cleaned.n_removed + 1, bytes: cleaned.bytes + bytes, ..cleaned };
    }
    Ok(cleaned)
}

/// Each part is preceded by its length, so that `["ab", "c"]` and `["a", "bc"]` differ.
fn key(step: &str, parts: &[&str]) -> String {
    let program = env!("CARGO_PKG_VERSION");
    let text: String = [step, program].iter().chain(parts).map(|part| format!("{}:{part}\n", part.len())).collect();
    out::sha256_hex(text.as_bytes())
}

/// The content, if the entry is there and whole.
fn read<T: DeserializeOwned>(path: &Path, key: &str) -> Option<Content<T>> {
    let bytes = std::fs::read(path).ok()?;
    let file: Option<File> = serde_json::from_slice(&bytes).ok();
    let whole = file.filter(|file| file.key == key && file.sha256 == out::sha256_hex(file.content.as_bytes()));
    let content = whole.and_then(|file| serde_json::from_str(&file.content).ok());
    if content.is_none() {
        tracing::warn!("{} is damaged; its content is made again", path.display());
    }
    content
}

fn write<T: Serialize>(path: &Path, key: String, content: &Content<T>) -> anyhow::Result<()> {
    let content = serde_json::to_string(content)?;
    let file = File { schema_version: 1, key, sha256: out::sha256_hex(content.as_bytes()), content };
    out::write_json(path, &file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_used_again_a_damaged_one_is_made_again_and_an_unused_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let made = RefCell::new(0);
        let get = |reuse, part: &str| {
            let cache = Cache::of(folder.path(), reuse);
            let mut notes = Vec::new();
            for _ in 0..2 {
                let value: u32 = cache
                    .kept("register", &[part], &mut notes, |notes| {
                        *made.borrow_mut() += 1;
                        notes.push(Note::info("made", "x", "once"));
                        Ok(7)
                    })
                    .unwrap();
                assert_eq!(value, 7);
            }
            assert_eq!(notes.len(), 2);
            cache.finish().unwrap();
        };
        get(Reuse::Yes, "a");
        get(Reuse::Yes, "a");
        assert_eq!(*made.borrow(), 1);
        let entries = || {
            let paths = std::fs::read_dir(folder.path().join("cache")).unwrap().map(|entry| entry.unwrap().path());
            paths.filter(|path| !path.ends_with(USED)).collect::<Vec<_>>()
        };
        let text = std::fs::read_to_string(&entries()[0]).unwrap();
        std::fs::write(&entries()[0], text.replace(":7", ":8")).unwrap();
        get(Reuse::Yes, "a");
        assert_eq!(*made.borrow(), 2, "another content is not believed");
        std::fs::write(&entries()[0], &text[..text.len() / 2]).unwrap();
        get(Reuse::Yes, "a");
        assert_eq!(*made.borrow(), 3, "nor is half of it");
        get(Reuse::No, "a");
        assert_eq!(*made.borrow(), 4, "anew, but not twice");
        get(Reuse::Yes, "b");
        assert_eq!((*made.borrow(), entries().len()), (5, 2));
        let cleaned = clean(folder.path()).unwrap();
        assert_eq!((cleaned.n_removed, cleaned.n_kept, entries().len()), (1, 1, 1));
        assert!(cleaned.bytes > 100);
        get(Reuse::Yes, "b");
        assert_eq!(*made.borrow(), 5);
    }

    #[test]
    fn a_patient_without_a_result_keeps_what_was_made_for_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::of(folder.path(), Reuse::Yes);
        cache.kept("segment", &["a"], &mut Vec::new(), |_| Ok(1)).unwrap();
        assert_eq!(clean(folder.path()).unwrap(), Cleaned { n_kept: 1, ..Cleaned::default() });
        assert_eq!(clean(&folder.path().join("nobody")).unwrap(), Cleaned::default());
    }
}
