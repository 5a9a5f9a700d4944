//! `index`: every series of an archive, its role, and whether it is usable or why not; per patient, what is missing for which
//! criterion.

use std::fmt::Write as _;

use formats::archive::{self, ArchiveIndex, IndexRow};
use formats::clinical::ClinicalTables;
use imaging::Note;
use serde::Serialize;

use crate::cli::{Global, Index};
use crate::config::LoadedStudy;
use crate::exit::{self, Failure};
use crate::index_table::{Form, form_of, write_patients, write_series};
use crate::triage::{PatientTriage, Readiness, VisitLabels, triage};
use crate::{image_input, out, rules, session, triage_page};

/// A row of `--json`: that of the index with the visit's name.
#[derive(Serialize)]
struct JsonRow<'a> {
    #[serde(flatten)]
    row: &'a IndexRow,
    visit: Option<&'a str>,
}

/// Prints one row a series; notes about files go to stderr.
pub(crate) fn run(args: &Index, global: &Global) -> Result<u8, Failure> {
    let out_form =
        args.out.as_deref().map(|p| form_of("--out", p, &[Form::Csv, Form::Parquet, Form::Html])).transpose()?;
    let patients_form =
        args.patients.as_deref().map(|p| form_of("--patients", p, &[Form::Csv, Form::Parquet])).transpose()?;
    let study = rules::load_study(args.study.as_deref()).map_err(Failure::usage)?;
    let mut notes = Vec::new();
    let counter = session::counter(global, "files read");
    let read = archive::index_by(&args.archive, &study.rules, &|n| counter.inc(n as u64));
    counter.finish_and_clear();
    let index = read.map_err(Failure::bad_input)?.note_into(&mut notes);
    let clinical = clinical(args, &study, &mut notes);
    image_input::say(&notes);
    if index.series().next().is_none() && index.nifti_files.is_empty() {
        return Err(Failure::bad_input(anyhow::anyhow!(
            "expected DICOM series under {}, found {} damaged files and none that can be read",
            args.archive.display(),
            notes.len()
        )));
    }
    let patients = triage(&index, &clinical, &study.study);
    let visits = VisitLabels::of_patients(&patients);
    match (&args.out, out_form) {
        (Some(path), Some(Form::Html)) => {
            let page = triage_page::page(&args.archive, &index, &patients, &study, notes.clone());
            let html = report::render_triage(&page).map_err(Failure::internal)?;
            out::write_atomic(path, html.as_bytes()).map_err(Failure::io)?;
        }
        (Some(path), Some(form)) => write_series(path, form, &index, &visits)?,
        _ => {}
    }
    if let (Some(path), Some(form)) = (&args.patients, patients_form) {
        write_patients(path, form, &patients)?;
    }
    if args.json {
        let rows = index.series().map(|s| JsonRow { row: &s.row, visit: visits.of(&s.row) });
        out::print_json(&rows.collect::<Vec<_>>()).map_err(Failure::io)?;
    } else {
        let text = as_text(&index, &visits, notes.len()) + &summary(&patients);
        out::print(&text).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

/// The clinical tables beside the images; without them the index still says what the images are.
fn clinical(args: &Index, study: &LoadedStudy, notes: &mut Vec<Note>) -> ClinicalTables {
    let read = ClinicalTables::read(&args.archive.join(&study.study.clinical.folder)).and_then(|mut tables| {
        tables.add_participants(&args.archive)?;
        Ok(tables)
    });
    match read {
        Ok(tables) => {
            let faults = tables.problems.iter().map(|p| Note::error("clinical_row", p.file.clone(), p.to_string()));
            notes.extend(faults);
            tables
        }
        Err(error) => {
            notes.push(Note::error("clinical_tables", "clinical", format!("{error}; no clinical table is used")));
            ClinicalTables::default()
        }
    }
}

fn as_text(index: &ArchiveIndex, visits: &VisitLabels<'_>, n_notes: usize) -> String {
    let mut text = String::new();
    let mut n_series = 0;
    for row in index.series().map(|s| &s.row) {
        n_series += 1;
        let date = row.study_date.map_or_else(|| "no date".to_owned(), |date| date.to_string());
        let visit = visits.of(row).unwrap_or("-");
        let spacing = row.spacing_mm.map_or_else(|| "-".to_owned(), |mm| mm.map(|v| format!("{v:.2}")).join("×"));
        let role = format!("{} {}", row.role, row.rank);
        let usable = if row.usable { "usable" } else { "not usable" };
        let volume = row.volume.as_ref().map_or_else(String::new, |volume| format!(" [{volume}]"));
        let reasons = if row.reasons.is_empty() { String::new() } else { format!(": {}", row.reasons.join("; ")) };
        let _ = writeln!(
            text,
            "{:<16} {date:<10} {visit:<12} {role:<19} {:>5} × {spacing:<15} \"{}\"{volume} {usable}{reasons}",
            row.patient_id, row.n_slices, row.description
        );
    }
    let _ = writeln!(text, "{n_series} series, {} NIfTI files, {n_notes} notes", index.nifti_files.len());
    text
}

/// One line a criterion: how many patients it can assess.
fn summary(patients: &[PatientTriage]) -> String {
    let Some(first) = patients.first() else { return String::new() };
    let mut text = String::new();
    for (n, need) in first.needs.iter().enumerate() {
        let count = |readiness| patients.iter().filter(|p| p.needs[n].readiness == readiness).count();
        let [ready, partly, missing] = [Readiness::Ready, Readiness::Partly, Readiness::Missing].map(count);
        let _ = writeln!(text, "{:<12} {ready} patients ready, {partly} partly, {missing} missing", need.criterion);
    }
    text.push_str("why: --patients FILE.csv, or --out FILE.html\n");
    text
}
