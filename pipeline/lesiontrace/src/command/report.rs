//! `report`: the pages of a finished run, written anew from what it stored, and printed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rayon::prelude::*;

use crate::browser::Browser;
use crate::cli::Report;
use crate::collect::collect;
use crate::exit::{self, Failure};
use crate::exported::Exported;
use crate::finished::Finished;
use crate::ledger::{self, Entry, Ledger, State};
use crate::{artifacts, out, patient_locks, viewer_file};

/// Writes the pages; exit code 1 when a patient's page could not be made.
pub(crate) fn run(args: &Report) -> Result<u8, Failure> {
    let browser = args.pdf.then(Browser::find).transpose().map_err(Failure::bad_input)?;
    let finished = Finished::read(&args.out).map_err(Failure::bad_input)?;
    let ledger = ledger::read(&args.out).map_err(Failure::io)?;
    if args.viewer {
        need_volumes(&args.out, &ledger).map_err(Failure::usage)?;
    }
    let finished = finished.with_niivue(&args.out, &ledger.patients).map_err(Failure::usage)?;
    let written: Vec<Option<PathBuf>> =
        ledger.patients.par_iter().map(|entry| said(entry, page(&finished, &args.out, entry))).collect();
    let mut pages: Vec<PathBuf> = written.iter().flatten().cloned().collect();
    let n_missing = written.len() - pages.len();
    collect(&args.out).map_err(Failure::io)?;
    pages.push(args.out.join("cohort/report.html"));
    if let Some(browser) = &browser {
        pages.par_iter().try_for_each(|page| print(browser, page)).map_err(Failure::io)?;
    }
    let kind = if args.pdf { "html and report.pdf" } else { "html" };
    let text = format!(
        "{} reports of patients and that of the cohort written (report.{kind}) below {}; {n_missing} patients without one\n",
        pages.len() - 1,
        args.out.display()
    );
    out::print(&text).map_err(Failure::io)?;
    Ok(if n_missing == 0 { exit::DONE } else { exit::SOME_FAILED })
}

/// Refuses where a patient has no volumes for the viewer: they are made of images, which this command does not read.
fn need_volumes(folder: &Path, ledger: &Ledger) -> anyhow::Result<()> {
    let done = ledger.patients.iter().filter(|entry| entry.state == State::Done);
    let without = done.filter(|entry| !viewer_file::is_there(&out::patient_folder(folder, &entry.id)));
    let without: Vec<&str> = without.map(|entry| entry.id.as_str()).collect();
    anyhow::ensure!(
        without.is_empty(),
        "--viewer: the run made no volumes for the viewer of {} patients ({} first), and no image is read here; run again with --resume --viewer, which makes them and leaves the results as they are",
        without.len(),
        without.first().unwrap_or(&"")
    );
    Ok(())
}

/// Prints a page, unless what lies beside it was printed of the same: the same page then stays the same document.
fn print(browser: &Browser, page: &Path) -> anyhow::Result<()> {
    let pdf = page.with_extension("pdf");
    let folder = page.parent().unwrap_or(Path::new("."));
    if folder.ends_with("cohort") {
        return browser.print(page, &pdf);
    }
    let mut exported = Exported::read(folder)?;
    if pdf.is_file() && exported.is_printed(folder)? {
        return Ok(());
    }
    browser.print(page, &pdf)?;
    exported.printed(folder)?;
    exported.write(folder)
}

/// A patient without a page is named with the reason.
fn said(entry: &Entry, page: anyhow::Result<PathBuf>) -> Option<PathBuf> {
    let complaint = |error: anyhow::Error| {
        tracing::error!("{}", out::plain_line(&format!("patient {}: no report: {error:#}", entry.id)));
    };
    page.map_err(complaint).ok()
}

/// Writes one patient's page. What readers decide meanwhile is not undone: what is written was made while nobody else could write.
fn page(finished: &Finished, folder: &Path, entry: &Entry) -> anyhow::Result<PathBuf> {
    let own = out::patient_folder(folder, &entry.id);
    let path = own.join("report.html");
    let is_there = |html: &str| std::fs::read(&path).is_ok_and(|before| before == html.as_bytes());
    if is_there(&finished.conclude(folder, entry, &[])?.html()?) {
        return Ok(path);
    }
    let _locks = patient_locks::hold(folder, &BTreeSet::from([entry.id.as_str()]))?;
    let entry = ledger::read_entry(folder, &entry.id)?.unwrap_or_else(|| entry.clone());
    let html = finished.conclude(folder, &entry, &[])?.html()?;
    if is_there(&html) {
        return Ok(path);
    }
    out::write_atomic(&path, html.as_bytes())?;
    let files = artifacts::seal(&own).context("listing what was written")?;
    ledger::write_entry(folder, &Entry { files, ..entry })?;
    Ok(path)
}
