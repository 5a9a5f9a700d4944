//! `export`: a run's outlines, measurements and responses as DICOM objects beside the images they were made from.
//!
//! The objects are made from what the run wrote and from one image of each measured series, whose patient and study they carry.
//! The same results give the same bytes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cli::{DicomKind, Export};
use crate::exit::{self, Failure};
use crate::finished::Finished;
use crate::ledger::{self, Entry, State};
use crate::out;
use images::Images;

mod images;
mod lines;
mod observers;
mod patient;
mod pictures;
mod report;
mod segments;
mod visit;

/// One object written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Written {
    patient_id: String,
    visit: String,
    modality: &'static str,
    /// Below OUT.
    file: String,
    series_uid: String,
    sop_instance_uid: String,
}

/// Something asked for that is not there, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Refused {
    patient_id: String,
    /// Empty where all of the patient's visits are meant.
    visit: String,
    reason: String,
}

/// What an export did.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    schema_version: u32,
    objects: Vec<Written>,
    refused: Vec<Refused>,
    notes: Vec<imaging::Note>,
}

/// What one call is asked for.
struct Request<'a> {
    out: &'a Path,
    kinds: BTreeSet<DicomKind>,
    images: Images,
    /// What pages are made anew with, where key images are asked for.
    finished: Option<Finished>,
}

/// Writes the objects; exit code 1 when some of what was asked for could not be made.
pub(crate) fn run(args: &Export) -> Result<u8, Failure> {
    let ledger = ledger::read(&args.out).map_err(Failure::io)?;
    let root = match &args.archive {
        Some(folder) => folder.clone(),
        None => archive_of(&args.out).map_err(Failure::bad_input)?,
    };
    let images = Images::index(&root).map_err(Failure::bad_input)?;
    let mut kinds: BTreeSet<DicomKind> = args.dicom.iter().copied().collect();
    if kinds.contains(&DicomKind::Sr) {
        kinds.insert(DicomKind::Seg);
    }
    let finished = kinds.contains(&DicomKind::Key).then(|| Finished::read(&args.out));
    let finished = finished.transpose().map_err(Failure::bad_input)?;
    let request = Request { out: &args.out, kinds, images, finished };
    let of_patients: Vec<Result<Outcome, anyhow::Error>> =
        ledger.patients.par_iter().map(|entry| of_entry(&request, entry)).collect();
    let mut outcome = Outcome { schema_version: 1, ..Outcome::default() };
    for of_patient in of_patients {
        let of_patient = of_patient.map_err(Failure::io)?;
        outcome.objects.extend(of_patient.objects);
        outcome.refused.extend(of_patient.refused);
        outcome.notes.extend(of_patient.notes);
    }
    say(args, &outcome).map_err(Failure::io)?;
    Ok(match (outcome.objects.is_empty(), outcome.refused.is_empty()) {
        (_, true) => exit::DONE,
        (false, false) => exit::SOME_FAILED,
        (true, false) => exit::BAD_INPUT,
    })
}

fn of_entry(request: &Request<'_>, entry: &Entry) -> anyhow::Result<Outcome> {
    if matches!(entry.state, State::Done | State::Stale) {
        return patient::export(request, entry);
    }
    let reason = "the run did not finish this patient; `lesiontrace status` says why".to_owned();
    let refused = vec![Refused { patient_id: entry.id.clone(), visit: String::new(), reason }];
    Ok(Outcome { refused, ..Outcome::default() })
}

/// Where the archive lay at the run, as a manifest says (of any shard: all share the archive).
fn archive_of(out: &Path) -> anyhow::Result<PathBuf> {
    #[derive(Deserialize)]
    struct Manifest {
        archive: Option<PathBuf>,
    }
    let entries = std::fs::read_dir(out).with_context(|| format!("listing {}", out.display()))?;
    let mut names: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    names.sort();
    let is_manifest = |path: &&PathBuf| {
        path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name.starts_with("manifest") && name.ends_with(".json")
        })
    };
    for path in names.iter().filter(is_manifest) {
        let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let manifest: Manifest =
            serde_json::from_slice(&bytes).with_context(|| format!("{} is not a manifest", path.display()))?;
        if let Some(archive) = manifest.archive {
            return Ok(archive);
        }
    }
    anyhow::bail!(
        "no manifest in {} says where the archive lay (an older run wrote it, or it is gone); name the folder with --archive",
        out.display()
    )
}

fn say(args: &Export, outcome: &Outcome) -> anyhow::Result<()> {
    for note in &outcome.notes {
        tracing::warn!("{}", out::plain_line(&note.message));
    }
    for refused in &outcome.refused {
        let Refused { patient_id, visit, reason } = refused;
        let visit = if visit.is_empty() { String::new() } else { format!(", {visit}") };
        tracing::error!("{}", out::plain_line(&format!("patient {patient_id}{visit}: {reason}")));
    }
    if args.json {
        return out::print_json(outcome);
    }
    let n = |modality: &str| outcome.objects.iter().filter(|o| o.modality == modality).count();
    out::print(&format!(
        "{} segmentations, {} structured reports, {} documents, {} key images in {}; {} not written\n",
        n("SEG"),
        n("SR"),
        n("DOC"),
        n("OT"),
        args.out.join("patients/<id>/dicom").display(),
        outcome.refused.len()
    ))
}
