//! `deidentify`: a copy of an archive without the attributes that name somebody, and a report of what was done.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use formats::deidentify::{
    DeidentifyError, DeviceIdentity, Flagged, KeyError, LeftOut, Report, Request, deidentify, open_or_make,
};
use formats::stored::is_zip;
use formats::tables::cells_to_csv;
use serde::Serialize;

use crate::cli::Deidentify;
use crate::exit::{self, Failure};
use crate::{config, out};

/// Writes the copy and its report; exits with "some failed" where files could not be read.
pub(crate) fn run(args: &Deidentify) -> Result<u8, Failure> {
    if !(args.archive.is_dir() || is_zip(&args.archive) && args.archive.is_file()) {
        let archive = args.archive.display();
        let message = format!("expected a folder or a zip archive with images, found none at {archive}");
        return Err(Failure::usage(anyhow::anyhow!(message)));
    }
    let (key, is_new) = open_or_make(&args.key, &[&args.archive, &args.out]).map_err(of_key)?;
    if is_new {
        tracing::warn!("a new key was made; keep it: without it later data of the same patients get other pseudonyms");
    }
    let study = config::load(None).map_err(Failure::internal)?.study;
    let request = Request {
        archive: &args.archive,
        out: &args.out,
        key: &key,
        device: if args.retain_device_identity { DeviceIdentity::Retained } else { DeviceIdentity::Removed },
        flagged: if args.keep_flagged { Flagged::Kept } else { Flagged::LeftOut },
        clinical: &study.clinical.folder,
        masks: &study.models.masks,
        keep_columns: &args.keep_columns,
    };
    let report = deidentify(&request).map_err(of_archive)?;
    let stem = args.report.clone().unwrap_or_else(|| args.out.join("deidentification"));
    out::write_json(&with_extension(&stem, "json"), &report).map_err(Failure::io)?;
    write_table(&with_extension(&stem, "csv"), &report)?;
    if args.json {
        out::print_json(&report).map_err(Failure::io)?;
    } else {
        out::print(&as_text(&report)).map_err(Failure::io)?;
    }
    let conflict = report.left_out.iter().any(|row| row.reason == LeftOut::Conflict);
    Ok(if report.n_failed > 0 || conflict { exit::SOME_FAILED } else { exit::DONE })
}

fn of_key(error: KeyError) -> Failure {
    match error {
        KeyError::Io { .. } => Failure::io(error),
        KeyError::BesideData { .. } | KeyError::ReadableByOthers { .. } | KeyError::Malformed { .. } => {
            Failure::usage(error)
        }
    }
}

fn of_archive(error: DeidentifyError) -> Failure {
    match error {
        DeidentifyError::Nested { .. } => Failure::usage(error),
        DeidentifyError::Io { .. } => Failure::io(error),
        _ => Failure::bad_input(error),
    }
}

/// `report`, `report.json` and `report.csv` all name the same pair of files.
fn with_extension(stem: &Path, extension: &str) -> PathBuf {
    let ends = stem.extension().is_some_and(|e| e == "json" || e == "csv");
    let name = if ends { stem.file_stem() } else { stem.file_name() }.unwrap_or_default();
    stem.with_file_name(format!("{}.{extension}", name.to_string_lossy()))
}

fn as_text(report: &Report) -> String {
    let mut text = String::new();
    for patient in &report.patients {
        let _ = writeln!(
            text,
            "{}  {} imaging studies, {} series, {} files",
            patient.patient_id, patient.n_studies, patient.n_series, patient.n_files
        );
    }
    for row in &report.left_out {
        let _ = writeln!(text, "left out: {} file(s) of {} {}: {}", row.n_files, row.modality, row.series, row.message);
    }
    for row in &report.failed {
        let _ = writeln!(text, "failed: number {}, SHA-256 {}: {}", row.number, row.sha256, row.message);
    }
    for table in &report.tables {
        let dropped = table.columns.iter().filter(|c| c.name.is_none()).count();
        let _ = writeln!(
            text,
            "{}: {} rows, {} left out, {dropped} columns dropped (--keep-columns keeps one by name)",
            table.name, table.n_rows, table.n_left_out
        );
    }
    let left_out = [
        ("masks", &report.masks.left_out),
        ("images", &report.images.left_out),
        ("zip archives", &report.zip_left_out),
    ];
    for (kind, reasons) in left_out {
        for (reason, n) in reasons {
            let _ = writeln!(text, "left out: {n} file(s) of {kind}: {reason}");
        }
    }
    let _ = writeln!(
        text,
        "{} DICOM files written, {} left out, {} failed, {} NIfTI or NRRD images, {} masks, {} other files not copied, {} of an earlier call",
        report.n_written,
        report.n_left_out,
        report.n_failed,
        report.images.n_written,
        report.masks.n_written,
        report.n_other_files,
        report.n_stale_files
    );
    if report.n_may_show_a_face > 0 {
        let _ = writeln!(text, "{} files may show a head: a face can be made from them", report.n_may_show_a_face);
    }
    let _ = writeln!(text, "{}", report.limits);
    text
}

/// One row a file of the copy, then what was left out and what failed, then attribute by attribute.
fn write_table(path: &Path, report: &Report) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for file in &report.files {
        let flag = file.flag.as_ref().map_or_else(String::new, word);
        for (done, n) in &file.done {
            rows.push(["file".to_owned(), file.path.clone(), flag.clone(), word(done), n.to_string()]);
        }
    }
    for row in &report.left_out {
        rows.push([
            "left_out".to_owned(),
            format!("{}/{}", row.patient_id, row.series),
            row.message.to_owned(),
            word(&row.reason),
            row.n_files.to_string(),
        ]);
    }
    for row in &report.failed {
        let (number, message) = (row.number.to_string(), row.message.to_owned());
        rows.push(["failed".to_owned(), number, message, row.sha256.clone(), "1".to_owned()]);
    }
    for row in &report.images.files {
        let flag = if row.may_show_a_face { "may_show_a_face" } else { "" };
        rows.push(["image", &row.path, flag, &row.role, "1"].map(str::to_owned));
    }
    for (kind, reasons) in
        [("mask", &report.masks.left_out), ("image", &report.images.left_out), ("zip", &report.zip_left_out)]
    {
        for (reason, n) in reasons {
            rows.push([format!("{kind}_left_out"), String::new(), (*reason).to_owned(), String::new(), n.to_string()]);
        }
    }
    for row in &report.attributes {
        let done = word(&row.done);
        rows.push(["attribute".to_owned(), row.tag.clone(), row.keyword.clone(), done, row.n.to_string()]);
    }
    let bytes = cells_to_csv(&["what", "name", "detail", "done", "n"], &rows).map_err(Failure::internal)?;
    out::write_atomic(path, &bytes).map_err(Failure::io)
}

/// A value as the word the JSON report writes.
fn word(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_named_with_or_without_its_extension() {
        for stem in ["a/report", "a/report.json", "a/report.csv"] {
            assert_eq!(with_extension(Path::new(stem), "json"), Path::new("a/report.json"));
        }
        assert_eq!(with_extension(Path::new("a/v1.2"), "csv"), Path::new("a/v1.2.csv"));
    }
}
