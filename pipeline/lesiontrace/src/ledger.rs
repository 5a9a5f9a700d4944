//! Who is done, who failed and why: one `status.json` per patient, read together as the ledger of an output folder.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{lock, out};

/// Where a patient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Results are written.
    Done,
    /// Stopped with an error; the message says why.
    Failed,
    /// Being worked on; perhaps by a process of another host that is gone.
    Running,
    /// Listed in the archive, never started.
    Missing,
    /// Done with other settings or inputs than the manifest's.
    Stale,
    /// Ended by a signal, or left by a process that is gone without a word.
    Interrupted,
}

/// One patient's line in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Patient identifier or pseudonym.
    pub(crate) id: String,
    /// Where the patient stands.
    pub(crate) state: State,
    /// The stage reached, or the one that failed.
    pub(crate) stage: String,
    /// Machine-readable reason of a failure; empty when there is none.
    pub(crate) code: String,
    /// Why it failed; empty when it did not.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) remedy: String,
    /// How often the patient was started.
    pub(crate) attempt: u32,
    /// Wall-clock seconds of the last attempt.
    pub(crate) seconds: f64,
    /// Highest memory of the whole process up to the end of this patient, MiB.
    pub(crate) peak_mib: u64,
    /// Digest of program version, settings and input, by which `--resume` knows that nothing changed.
    #[serde(default)]
    pub(crate) key: String,
    /// Digest of the list of files that were written; empty unless done.
    #[serde(default)]
    pub(crate) files: String,
}

impl Entry {
    /// A patient nobody has started.
    pub(crate) fn missing(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: State::Missing,
            stage: String::new(),
            code: String::new(),
            message: String::new(),
            remedy: String::new(),
            attempt: 0,
            seconds: 0.0,
            peak_mib: 0,
            key: String::new(),
            files: String::new(),
        }
    }
}

/// All patients of an output folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Ledger {
    /// Version of this document's shape.
    pub(crate) schema_version: u32,
    /// The patients, by identifier.
    pub(crate) patients: Vec<Entry>,
    /// How many stand where.
    pub(crate) counts: BTreeMap<State, usize>,
}

impl Ledger {
    /// Counts anew who stands where.
    pub(crate) fn recount(&mut self) {
        self.counts.clear();
        for entry in &self.patients {
            *self.counts.entry(entry.state).or_insert(0) += 1;
        }
    }
}

/// The list of patients a run was asked to do, so that nobody is forgotten.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Roster {
    /// Version of this document's shape.
    pub(crate) schema_version: u32,
    /// Patient identifiers with the key of their present settings and input.
    pub(crate) patients: BTreeMap<String, String>,
}

/// Reads one patient's entry; `None` when there is none yet. One that is damaged is that of a patient to be done again.
pub(crate) fn read_entry(out: &Path, id: &str) -> anyhow::Result<Option<Entry>> {
    let path = out::patient_folder(out, id).join("status.json");
    match std::fs::read(&path) {
        Ok(bytes) => {
            let damaged = |error: serde_json::Error| Entry {
                state: State::Failed,
                stage: "ledger".to_owned(),
                code: "damaged_entry".to_owned(),
                message: format!("status.json is not a ledger entry: {error}"),
                remedy: "run again with --resume".to_owned(),
                ..Entry::missing(id)
            };
            Ok(Some(serde_json::from_slice(&bytes).unwrap_or_else(damaged)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// Writes one patient's entry.
pub(crate) fn write_entry(out: &Path, entry: &Entry) -> anyhow::Result<()> {
    out::write_json(&out::patient_folder(out, &entry.id).join("status.json"), entry)
}

/// Reads the roster of an output folder.
pub(crate) fn read_roster(out: &Path) -> anyhow::Result<Roster> {
    let path = out.join("roster.json");
    let bytes = std::fs::read(&path)
        .with_context(|| format!("expected a roster at {}; is this the --out folder of a run?", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not a roster", path.display()))
}

/// Puts roster and entries together.
pub(crate) fn read(out: &Path) -> anyhow::Result<Ledger> {
    let roster = read_roster(out)?;
    // In parallel: what costs time is opening ten thousand small files.
    let patients: Vec<Entry> =
        roster.patients.par_iter().map(|(id, key)| standing(out, id, key)).collect::<anyhow::Result<_>>()?;
    let mut ledger = Ledger { schema_version: 1, patients, counts: BTreeMap::new() };
    ledger.recount();
    Ok(ledger)
}

/// Where a patient stands against the key of the present settings and input.
fn standing(out: &Path, id: &str, key: &str) -> anyhow::Result<Entry> {
    let mut entry = read_entry(out, id)?.unwrap_or_else(|| Entry::missing(id));
    if entry.state == State::Running && lock::is_left(&out::patient_folder(out, id)) {
        // It may have ended between the two readings.
        entry = read_entry(out, id)?.unwrap_or_else(|| Entry::missing(id));
        if entry.state == State::Running {
            entry.state = State::Interrupted;
            "gone".clone_into(&mut entry.code);
            "the process at work on it is gone without a word: killed, or out of memory".clone_into(&mut entry.message);
            "run again with --resume; where memory was the reason, grant more".clone_into(&mut entry.remedy);
        }
    }
    if entry.state == State::Done && entry.key != key {
        entry.state = State::Stale;
        "the settings or the input changed since this result was written".clone_into(&mut entry.message);
        "run again with --resume".clone_into(&mut entry.remedy);
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_at_work_is_running_until_its_process_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let roster = Roster { schema_version: 1, patients: BTreeMap::from([("A".to_owned(), "k".to_owned())]) };
        out::write_json(&folder.path().join("roster.json"), &roster).unwrap();
        let lock = lock::ask(&out::patient_folder(folder.path(), "A")).unwrap();
        write_entry(folder.path(), &Entry { state: State::Running, ..Entry::missing("A") }).unwrap();
        let state = || read(folder.path()).unwrap().patients[0].clone();
        assert_eq!(state().state, State::Running);
        let path = out::patient_folder(folder.path(), "A").join(".lock");
        let held = std::fs::read_to_string(&path).unwrap();
        // The same number with another start is another process; one of another host may well be alive.
        let me = format!("\"pid\":{}", std::process::id());
        std::fs::write(&path, held.replace("\"start\":\"", "\"start\":\"1")).unwrap();
        assert_eq!((state().state, state().code.as_str()), (State::Interrupted, "gone"));
        std::fs::write(&path, held.replace("\"host\":\"", "\"host\":\"far-").replace(&me, "\"pid\":1")).unwrap();
        assert_eq!(state().state, State::Running);
        drop(lock);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(state().state, State::Interrupted);
    }

    #[test]
    fn a_patient_nobody_started_is_missing_and_a_changed_one_is_stale() {
        let folder = tempfile::tempdir().unwrap();
        let roster = Roster {
            schema_version: 1,
            patients: BTreeMap::from([("A".to_owned(), "k2".to_owned()), ("B".to_owned(), "k2".to_owned())]),
        };
        out::write_json(&folder.path().join("roster.json"), &roster).unwrap();
        let entry = Entry { state: State::Done, key: "k1".to_owned(), ..Entry::missing("A") };
        write_entry(folder.path(), &entry).unwrap();
        let ledger = read(folder.path()).unwrap();
        assert_eq!(ledger.patients[0].state, State::Stale);
        assert_eq!(ledger.patients[1].state, State::Missing);
        assert_eq!(ledger.counts[&State::Missing], 1);
        std::fs::write(out::patient_folder(folder.path(), "A").join("status.json"), "{\"id\": \"A\", \"sta").unwrap();
        let damaged = read(folder.path()).unwrap().patients.remove(0);
        assert_eq!((damaged.state, damaged.code.as_str()), (State::Failed, "damaged_entry"));
    }
}
