//! `review apply`: readers' decisions are checked against what a run found, put into force, and what depends on them is made anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use oncology::reads::{Outcome, ReadRow};
use serde::Serialize;

use crate::cli::{Review, ReviewAction};
use crate::collect::collect;
use crate::conclude::Concluded;
use crate::exit::{self, Failure};
use crate::finished::Finished;
use crate::ledger::{self, Entry, Ledger};
use crate::{artifacts, lock, out, patient_locks, reading};

/// Calls the action.
pub(crate) fn run(args: &Review) -> Result<u8, Failure> {
    let ReviewAction::Apply { out, reads, json } = &args.action;
    apply(out, reads, *json)
}

/// What became of a file of reads.
#[derive(Serialize)]
struct Told {
    schema_version: u32,
    /// Reads of the patients named, with their outcome.
    reads: Vec<ReadRow>,
    /// Why reads were refused; with one of them nothing is put into force.
    refused: Vec<String>,
}

/// How long writing waits for a process that collects.
const PATIENCE: Duration = Duration::from_mins(10);

/// Everything or nothing: a file of which one read is refused changes nothing, nor does one of whose patients another process works
/// on. From before the stored reads are read until the new ones are kept nobody else decides about these patients: no read is lost.
fn apply(folder: &Path, files: &[PathBuf], json: bool) -> Result<u8, Failure> {
    let given = given(files).map_err(Failure::bad_input)?;
    let finished = Finished::read(folder).map_err(Failure::bad_input)?;
    let known = ledger::read_roster(folder).map_err(Failure::io)?;
    let ids = given.keys().map(String::as_str).filter(|id| known.patients.contains_key(*id)).collect();
    let locks = patient_locks::hold(folder, &ids).map_err(Failure::io)?;
    let ledger = ledger::read(folder).map_err(Failure::io)?;
    let finished = finished.with_niivue(folder, &ledger.patients).map_err(Failure::usage)?;
    let mut told = Told { schema_version: 1, reads: Vec::new(), refused: Vec::new() };
    let mut made = Vec::new();
    for (id, rows) in &given {
        match concluded(&finished, folder, &ledger, id, rows) {
            Ok((entry, concluded)) => {
                told.refused.extend(refused(&concluded, rows));
                told.reads.extend(concluded.result.reads.iter().cloned());
                made.push((entry, concluded));
            }
            Err(error) => told.refused.push(format!("patient {id:?}: {error:#}")),
        }
    }
    if !told.refused.is_empty() {
        return say_refused(&told, json).map_err(Failure::io);
    }
    write_all(folder, &made).map_err(Failure::io)?;
    drop(locks);
    collect(folder).map_err(Failure::io)?;
    say(&told, made.len(), folder, json).map_err(Failure::io)?;
    Ok(exit::DONE)
}

/// The reads of all files, by patient.
fn given(files: &[PathBuf]) -> anyhow::Result<BTreeMap<String, Vec<ReadRow>>> {
    let mut given: BTreeMap<String, Vec<ReadRow>> = BTreeMap::new();
    for file in files {
        for row in reading::load(file)? {
            given.entry(row.patient_id.clone()).or_default().push(row);
        }
    }
    Ok(given)
}

fn concluded<'a>(
    finished: &'a Finished,
    folder: &Path,
    ledger: &Ledger,
    id: &str,
    rows: &[ReadRow],
) -> anyhow::Result<(Entry, Concluded<'a>)> {
    let entry = ledger.patients.iter().find(|entry| entry.id == id);
    let entry = entry.with_context(|| format!("is not in {}: the reads are of another cohort", folder.display()))?;
    Ok((entry.clone(), finished.conclude(folder, entry, rows)?))
}

/// The reads of a file that do not fit, each with its reason.
fn refused(concluded: &Concluded<'_>, rows: &[ReadRow]) -> Vec<String> {
    let given: Vec<ReadRow> = rows.iter().map(ReadRow::as_read).collect();
    let bad = concluded.result.reads.iter().filter(|row| row.outcome == Outcome::Refused);
    let bad = bad.filter(|row| given.contains(&row.as_read()));
    bad.map(|row| format!("patient {:?}, {}: {}", row.patient_id, row.subject(), row.reason)).collect()
}

/// Writes what was made anew of all patients; where one cannot be written, those before it get back what they had. Nobody collects
/// meanwhile, so that no table is made of half of it.
fn write_all(folder: &Path, made: &[(Entry, Concluded<'_>)]) -> anyhow::Result<()> {
    let _nobody_collects = lock::wait(folder, PATIENCE)?;
    let mut before: Vec<Before> = Vec::with_capacity(made.len());
    for (entry, concluded) in made {
        let own = out::patient_folder(folder, &entry.id);
        before.push(Before::of(&own)?);
        if let Err(error) = write(folder, &own, entry, concluded) {
            for patient in &before {
                patient.restore().context("giving back what a patient had before")?;
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Writes what was made anew of one patient and lists it.
fn write(folder: &Path, own: &Path, entry: &Entry, concluded: &Concluded<'_>) -> anyhow::Result<()> {
    concluded.write(own)?;
    let files = artifacts::seal(own).context("listing what was written")?;
    ledger::write_entry(folder, &Entry { files, ..entry.clone() })
}

/// What a review writes into a patient's folder, in the order it is given back: the ledger's entry last.
const WRITTEN: [&str; 7] =
    ["report.html", "sources.json", "notes.json", "reads.json", "result.json", "files.json", "status.json"];

/// Those files as they were; `None` where there was none.
struct Before {
    files: Vec<(PathBuf, Option<Vec<u8>>)>,
}

impl Before {
    fn of(own: &Path) -> anyhow::Result<Self> {
        let bytes = |name: &&str| {
            let path = own.join(name);
            match std::fs::read(&path) {
                Ok(bytes) => Ok((path, Some(bytes))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((path, None)),
                Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
            }
        };
        Ok(Self { files: WRITTEN.iter().map(bytes).collect::<anyhow::Result<_>>()? })
    }

    fn restore(&self) -> anyhow::Result<()> {
        for (path, bytes) in &self.files {
            match bytes {
                Some(bytes) => out::write_atomic(path, bytes)?,
                None if path.exists() => {
                    std::fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
                }
                None => {}
            }
        }
        Ok(())
    }
}

fn say_refused(told: &Told, json: bool) -> anyhow::Result<u8> {
    for reason in &told.refused {
        tracing::error!("{}", out::plain_line(&format!("refused: {reason}")));
    }
    let n = told.refused.len();
    tracing::error!("nothing was put into force: {n} reads are refused; mend or remove them and apply the file again");
    if json {
        out::print_json(told)?;
    }
    Ok(exit::BAD_INPUT)
}

fn say(told: &Told, n_patients: usize, folder: &Path, json: bool) -> anyhow::Result<()> {
    if json {
        return out::print_json(told);
    }
    let n = |outcome: Outcome| told.reads.iter().filter(|row| row.outcome == outcome).count();
    out::print(&format!(
        "{} reads of {n_patients} patients in force, {} superseded, {} in disagreement, {} kept but refused; tables and reports in {} made anew\n",
        n(Outcome::Applied),
        n(Outcome::Superseded),
        n(Outcome::Disagreement),
        n(Outcome::Refused),
        folder.display()
    ))
}
