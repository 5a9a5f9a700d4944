//! One patient's objects, visit by visit.

use std::path::Path;

use anyhow::Context as _;
use formats::dicom::write::encapsulated_pdf::encapsulated_pdf;
use formats::dicom::write::{DocumentToWrite, ObjectToWrite, WrittenObject};
use imaging::Note;

use super::pictures::{KeyObject, pictures};
use super::visit::{self, Made, Visit};
use super::{Outcome, Refused, Request, Written};
use crate::browser::Browser;
use crate::cli::DicomKind;
use crate::exported::{self, Exported};
use crate::ledger::Entry;
use crate::out;
use crate::patient::PatientResult;
use crate::source_record::{self, SourceRecord, VisitSource};

/// Series Number of documents.
const DOC_SERIES: u32 = 9703;

/// Writes what was asked for; objects of those kinds from an earlier export go first.
pub(super) fn export(request: &Request<'_>, entry: &Entry) -> anyhow::Result<Outcome> {
    let id = entry.id.as_str();
    let mut outcome = Outcome::default();
    let folder = out::patient_folder(request.out, id);
    let refuse = |visit: &str, reason: String| Refused { patient_id: id.to_owned(), visit: visit.to_owned(), reason };
    let path = folder.join(source_record::FILE);
    if !path.is_file() {
        let reason = format!(
            "expected {}, found none: an older version of the program wrote these results; run again with --force",
            path.display()
        );
        outcome.refused.push(refuse("", reason));
        return Ok(outcome);
    }
    let record: SourceRecord = read_json(&path)?;
    let result: PatientResult = read_json(&folder.join("result.json"))?;
    let dicom = folder.join("dicom");
    let mut exported = Exported::read(&folder)?;
    remove_earlier(&dicom, request)?;
    for (n, source) in record.visits.iter().enumerate() {
        let mut notes = Vec::new();
        let visit = Visit { folder: &folder, result: &result, source, number: n, baseline: &record.visits[0] };
        let named = |modality| file_name(&source.visit.to_string(), &source.series_role, modality);
        let earlier = exported.objects.get(&named("SR")).cloned();
        match visit::objects(request, &visit, earlier.as_ref(), &mut notes) {
            Ok(objects) => {
                for made in objects {
                    let name = named(made.modality);
                    exported.objects.insert(name.clone(), listed(&made, exported::basis(&folder, false)?));
                    outcome.objects.push(keep(request, &dicom.join(name), id, source, &made)?);
                }
            }
            Err(reason) => outcome.refused.push(refuse(&source.visit.to_string(), reason)),
        }
        outcome.notes.extend(
            notes
                .into_iter()
                .map(|note| Note { message: format!("patient {id}, {}: {}", source.visit, note.message), ..note }),
        );
    }
    if request.kinds.contains(&DicomKind::Key) {
        let (objects, refused) = pictures(request, entry, (&record, &result), &mut outcome.notes)?;
        outcome.refused.extend(refused);
        for KeyObject { source, name, made } in objects {
            exported.objects.insert(name.clone(), listed(&made, exported::basis(&folder, false)?));
            outcome.objects.push(keep(request, &dicom.join(name), id, source, &made)?);
        }
    }
    if request.kinds.contains(&DicomKind::Pdf) {
        let mut notes = Vec::new();
        let printed = print_anew(&folder, &mut exported);
        match printed.and_then(|()| document(request, &folder, &result, &record, &mut notes)) {
            Ok((source, object)) => {
                let (made, name) = (Made::new("DOC", object), format!("{}_report_doc.dcm", source.visit));
                exported.objects.insert(name.clone(), listed(&made, exported::basis(&folder, true)?));
                outcome.objects.push(keep(request, &dicom.join(name), id, source, &made)?);
            }
            Err(reason) => outcome.refused.push(refuse("", reason)),
        }
        outcome.notes.extend(notes);
    }
    if !outcome.objects.is_empty() {
        exported.write(&folder)?;
    }
    Ok(outcome)
}

fn listed(made: &Made, of: String) -> exported::Object {
    exported::Object {
        of,
        sop_instance_uid: made.object.sop_instance_uid.clone(),
        content_uid: made.content_uid.clone(),
        predecessor: made.predecessor.clone(),
    }
}

/// Prints the page again where it says something else than the PDF beside it. `Err` is a reason for a message.
fn print_anew(folder: &Path, exported: &mut Exported) -> Result<(), String> {
    let pdf = folder.join(exported::PDF);
    let is_missing = !pdf.is_file();
    if is_missing || exported.pdf_is_of_the_page(folder).map_err(|error| format!("{error:#}"))? {
        return Ok(());
    }
    let printed = Browser::find().and_then(|browser| {
        browser.print(&folder.join("report.html"), &pdf)?;
        exported.printed(folder)
    });
    printed.map_err(|error| {
        format!(
            "{} is older than the report it was printed of, and could not be printed again: {error:#}",
            pdf.display()
        )
    })
}

/// The patient's report as a document of the last visit's study. `Err` is a reason for a message.
fn document<'a>(
    request: &Request<'_>,
    folder: &Path,
    result: &PatientResult,
    record: &'a SourceRecord,
    notes: &mut Vec<Note>,
) -> Result<(&'a VisitSource, WrittenObject), String> {
    let path = folder.join(exported::PDF);
    let pdf = std::fs::read(&path).map_err(|error| {
        format!(
            "there is no PDF to encapsulate: expected {} ({error}), which `lesiontrace report OUT --pdf` writes; call that first, or leave pdf out of --dicom",
            path.display()
        )
    })?;
    let last = record.visits.iter().rev().find(|visit| !visit.slices.is_empty());
    let last = last.ok_or("no visit was measured on DICOM: there is no study for a document to belong to")?;
    let source = request.images.source(&result.patient_id, last, notes)?;
    let object = ObjectToWrite {
        source: &source,
        series_number: DOC_SERIES,
        series_description: "lesiontrace report",
        version: env!("CARGO_PKG_VERSION"),
    };
    let document = DocumentToWrite { object, title: "Report of lesions over time", pdf: &pdf };
    encapsulated_pdf(&document).map(|written| (last, written)).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("reading {}; run the patient again with --force", path.display()))?;
    serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is not a result of this version; run again with --force", path.display()))
}

fn file_name(visit: &str, series_role: &str, modality: &str) -> String {
    format!("{visit}_{series_role}_{}.dcm", modality.to_lowercase())
}

fn keep(request: &Request<'_>, path: &Path, id: &str, source: &VisitSource, made: &Made) -> anyhow::Result<Written> {
    let object = &made.object;
    out::write_atomic(path, &object.bytes)?;
    Ok(Written {
        patient_id: id.to_owned(),
        visit: source.visit.to_string(),
        modality: made.modality,
        file: path.strip_prefix(request.out).unwrap_or(path).display().to_string(),
        series_uid: object.series_uid.clone(),
        sop_instance_uid: object.sop_instance_uid.clone(),
    })
}

/// Objects of an earlier export whose visit may be gone.
fn remove_earlier(dicom: &Path, request: &Request<'_>) -> anyhow::Result<()> {
    let Ok(entries) = std::fs::read_dir(dicom) else { return Ok(()) };
    let ending = |kind: &DicomKind| match kind {
        DicomKind::Seg => "_seg.dcm",
        DicomKind::Sr => "_sr.dcm",
        DicomKind::Pdf => "_doc.dcm",
        DicomKind::Key => "_key.dcm",
    };
    for path in entries.filter_map(|entry| entry.ok().map(|e| e.path())) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if request.kinds.iter().any(|kind| name.ends_with(ending(kind))) {
            std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}
