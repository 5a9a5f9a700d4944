//! `cache gc`: removes what no present result rests on.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::cache::{Cleaned, clean};
use crate::cli::{Cache, CacheAction};
use crate::exit::{self, Failure};
use crate::lock::{self, Asked};
use crate::{artifacts, out};

/// What was removed.
#[derive(Debug, Default, Serialize)]
struct Report {
    schema_version: u32,
    patients: usize,
    patients_at_work: usize,
    entries_removed: usize,
    bytes_removed: u64,
    entries_kept: usize,
    half_files_removed: usize,
}

/// Calls the action.
pub(crate) fn run(args: &Cache) -> Result<u8, Failure> {
    let CacheAction::Gc { out: folder, json } = &args.action;
    let report = gc(folder).map_err(Failure::io)?;
    if *json {
        out::print_json(&report).map_err(Failure::io)?;
    } else {
        let text = format!(
            "{} entries removed ({:.1} MiB), {} kept, {} half-written files removed; {} patients, {} of them at work and left alone\n",
            report.entries_removed,
            report.bytes_removed as f64 / f64::from(1 << 20),
            report.entries_kept,
            report.half_files_removed,
            report.patients,
            report.patients_at_work,
        );
        out::print(&text).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

fn gc(folder: &Path) -> anyhow::Result<Report> {
    crate::ledger::read_roster(folder)?;
    let mut report = Report { schema_version: 1, ..Report::default() };
    let patients = folder.join("patients");
    let reading = || format!("listing {}", patients.display());
    for entry in std::fs::read_dir(&patients).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        if !path.is_dir() {
            continue;
        }
        report.patients += 1;
        match lock::ask(&path)? {
            Asked::Taken(_) => report.patients_at_work += 1,
            Asked::Held(_lock) => {
                let Cleaned { n_removed, bytes, n_kept } =
                    clean(&path).with_context(|| format!("cleaning {}", path.display()))?;
                report.entries_removed += n_removed;
                report.bytes_removed += bytes;
                report.entries_kept += n_kept;
                report.half_files_removed += artifacts::sweep(&path);
            }
        }
    }
    Ok(report)
}
