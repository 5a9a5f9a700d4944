//! `index`: every series of an archive, its role, and whether it is usable or why not.

use std::fmt::Write as _;
use std::path::Path;

use formats::archive::{self, IndexRow};
use formats::tables::cells_to_csv;

use crate::cli::Index;
use crate::exit::{self, Failure};
use crate::{image_input, out};

/// Prints one row a series; notes about files go to stderr.
pub(crate) fn run(args: &Index) -> Result<u8, Failure> {
    let mut notes = Vec::new();
    let index = archive::index(&args.archive).map_err(Failure::bad_input)?.note_into(&mut notes);
    image_input::say(&notes);
    let rows = index.rows();
    if rows.is_empty() && index.nifti_files.is_empty() {
        return Err(Failure::bad_input(anyhow::anyhow!(
            "expected DICOM series under {}, found {} damaged files and none that can be read",
            args.archive.display(),
            notes.len()
        )));
    }
    if let Some(path) = &args.out {
        write_table(path, &rows)?;
    }
    if args.json {
        out::print_json(&rows).map_err(Failure::io)?;
    } else {
        out::print(&as_text(&rows, index.nifti_files.len(), notes.len())).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

fn as_text(rows: &[IndexRow], n_nifti: usize, n_notes: usize) -> String {
    let mut text = String::new();
    for row in rows {
        let date = row.study_date.map_or_else(|| "no date".to_owned(), |date| date.to_string());
        let spacing = row.spacing_mm.map_or_else(|| "-".to_owned(), |mm| mm.map(|v| format!("{v:.2}")).join("×"));
        let role = format!("{} {}", row.role, row.rank);
        let usable = if row.usable { "usable" } else { "not usable" };
        let volume = row.volume.as_ref().map_or_else(String::new, |volume| format!(" [{volume}]"));
        let reasons = if row.reasons.is_empty() { String::new() } else { format!(": {}", row.reasons.join("; ")) };
        let _ = writeln!(
            text,
            "{:<16} {date:<10} {role:<19} {:>5} × {spacing:<15} \"{}\"{volume} {usable}{reasons}",
            row.patient_id, row.n_slices, row.description
        );
    }
    let _ = writeln!(text, "{} series, {n_nifti} NIfTI files, {n_notes} notes", rows.len());
    text
}

fn write_table(path: &Path, rows: &[IndexRow]) -> Result<(), Failure> {
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("csv")) {
        return Err(Failure::usage(anyhow::anyhow!("--out: expected a file ending in .csv, found {}", path.display())));
    }
    let header = [
        "patient_id",
        "study_date",
        "series_uid",
        "modality",
        "description",
        "role",
        "rank",
        "n_slices",
        "spacing_i_mm",
        "spacing_j_mm",
        "spacing_k_mm",
        "usable",
        "reasons",
        "volume",
    ];
    let cells = rows.iter().map(|row| {
        let spacing = row.spacing_mm.map_or([const { String::new() }; 3], |mm| mm.map(|v| v.to_string()));
        let [i, j, k] = spacing;
        [
            row.patient_id.clone(),
            row.study_date.map_or_else(String::new, |date| date.to_string()),
            row.series_uid.clone(),
            row.modality.clone(),
            row.description.clone(),
            row.role.to_string(),
            row.rank.to_string(),
            row.n_slices.to_string(),
            i,
            j,
            k,
            row.usable.to_string(),
            row.reasons.join("; "),
            row.volume.clone().unwrap_or_default(),
        ]
    });
    let bytes = cells_to_csv(&header, cells).map_err(Failure::internal)?;
    out::write_atomic(path, &bytes).map_err(Failure::io)
}
