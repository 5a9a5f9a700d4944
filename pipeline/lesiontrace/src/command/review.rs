//! `review apply`: readers' decisions are checked against what a run found, put into force, and what depends on them is made anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oncology::reads::{Outcome, ReadRow};
use serde::Serialize;

use crate::cli::{Review, ReviewAction};
use crate::collect::collect;
use crate::conclude::Concluded;
use crate::exit::{self, Failure};
use crate::finished::Finished;
use crate::ledger::{self, Entry, Ledger};
use crate::lock::{self, Asked, named};
use crate::{artifacts, out, reading};

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

/// Everything or nothing: a file of which one read is refused changes nothing.
fn apply(folder: &Path, files: &[PathBuf], json: bool) -> Result<u8, Failure> {
    let mut given: BTreeMap<String, Vec<ReadRow>> = BTreeMap::new();
    for file in files {
        for row in reading::load(file).map_err(Failure::bad_input)? {
            given.entry(row.patient_id.clone()).or_default().push(row);
        }
    }
    let finished = Finished::read(folder).map_err(Failure::bad_input)?;
    let ledger = ledger::read(folder).map_err(Failure::io)?;
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
    for (entry, concluded) in &made {
        write(folder, entry, concluded).map_err(Failure::io)?;
    }
    collect(folder).map_err(Failure::io)?;
    say(&told, made.len(), folder, json).map_err(Failure::io)?;
    Ok(exit::DONE)
}

fn concluded(
    finished: &Finished,
    folder: &Path,
    ledger: &Ledger,
    id: &str,
    rows: &[ReadRow],
) -> anyhow::Result<(Entry, Concluded)> {
    let entry = ledger.patients.iter().find(|entry| entry.id == id);
    let entry = entry.with_context(|| format!("is not in {}: the reads are of another cohort", folder.display()))?;
    Ok((entry.clone(), finished.conclude(folder, entry, rows)?))
}

/// The reads of a file that do not fit, each with its reason.
fn refused(concluded: &Concluded, rows: &[ReadRow]) -> Vec<String> {
    let given: Vec<ReadRow> = rows.iter().map(ReadRow::as_read).collect();
    let bad = concluded.result.reads.iter().filter(|row| row.outcome == Outcome::Refused);
    let bad = bad.filter(|row| given.contains(&row.as_read()));
    bad.map(|row| format!("patient {:?}, {}: {}", row.patient_id, row.subject(), row.reason)).collect()
}

/// Writes what was made anew of one patient and lists it.
fn write(folder: &Path, entry: &Entry, concluded: &Concluded) -> anyhow::Result<()> {
    let own = out::patient_folder(folder, &entry.id);
    let _lock = match lock::ask(&own)? {
        Asked::Held(lock) => lock,
        Asked::Taken(holder) => {
            anyhow::bail!("{} works on patient {}; try again later", named(holder.as_ref()), entry.id)
        }
    };
    concluded.write(&own)?;
    let files = artifacts::seal(&own).context("listing what was written")?;
    ledger::write_entry(folder, &Entry { files, ..entry.clone() })
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
