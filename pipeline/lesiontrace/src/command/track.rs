//! `track`: lesion matching alone, from label maps of several dates.
//!
//! A folder of a run brings its registrations (`result.json`); label maps from elsewhere are taken to lie in one frame, and that is said.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use formats::clinical::{ClinicalTables, TreatmentRecord};
use formats::nifti;
use imaging::registration::Registration;
use imaging::{FrameId, LabelMap, Note};
use oncology::tracking::{LesionTrack, TrackEvent};
use oncology::visit_window::VisitLabel;
use oncology::{LesionKind, LesionState, Organ, VisitId};
use serde::{Deserialize, Serialize};

use crate::cli::Track;
use crate::config::Tracking;
use crate::exit::{self, Failure};
use crate::out;
use crate::plan::Purpose;
use crate::stages::find::{SeriesFacts, VisitFacts};
use crate::stages::marks::Marked;
use crate::stages::rows::lesion_uid;
use crate::stages::segment::instances;
use crate::stages::track::track;

/// The name of the label map within a visit's folder, as a run writes it.
const LESIONS: &str = "lesions.nii.gz";
/// The zones beside it.
const ZONES: &str = "ablation_zone.nii.gz";

/// What is printed.
#[derive(Serialize)]
struct Document {
    schema_version: u32,
    links: Vec<Link>,
    notes: Vec<Note>,
}

/// One lesion from one visit to the next, or its first sight.
#[derive(Serialize)]
struct Link {
    patient_id: String,
    lesion_id: String,
    tracking_uid: String,
    from: Option<Place>,
    to: Place,
    state: LesionState,
    event: Option<TrackEvent>,
    confidence: f64,
    runner_up: Option<String>,
    reason: String,
}

/// A label of a visit's map; no label where the lesion was not seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Place {
    date: VisitId,
    label: Option<u16>,
}

/// What of a patient's `result.json` is needed here.
#[derive(Deserialize)]
struct Recorded {
    patient_id: String,
    registrations: Vec<RecordedRegistration>,
}

#[derive(Deserialize)]
struct RecordedRegistration {
    visit: VisitId,
    to_baseline: Registration,
}

/// Follows the lesions of every folder given.
pub(crate) fn run(args: &Track) -> Result<u8, Failure> {
    let document = followed(args).map_err(Failure::io)?;
    if args.json {
        out::print_json(&document).map_err(Failure::io)?;
    } else {
        out::print(&as_text(&document)).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

fn followed(args: &Track) -> anyhow::Result<Document> {
    let keys = Tracking {
        max_distance_mm: args.max_distance_mm,
        uncertain_ratio: args.uncertain_ratio,
        mark_distance_mm: 0.0, // there are no marks
        second_look: false,    // and no images
    };
    let clinical = match &args.clinical {
        Some(folder) => ClinicalTables::read(folder)?,
        None => ClinicalTables::default(),
    };
    let mut document = Document { schema_version: 1, links: Vec::new(), notes: Vec::new() };
    for folder in patients(&args.folders)? {
        let (patient_id, visits) = visits(&folder, &mut document.notes)?;
        let treatments: Vec<TreatmentRecord> = clinical.treatments_of(&patient_id).into_iter().cloned().collect();
        let tracked =
            track(&visits, &treatments, &keys).map_err(|error| anyhow::anyhow!("{}: {error:?}", folder.display()))?;
        for lesion in &tracked.tracks {
            document.links.extend(links(&patient_id, &visits, lesion));
        }
        document.notes.extend(tracked.notes);
    }
    Ok(document)
}

/// The patients' folders below output folders, and the folders that are one patient's.
fn patients(folders: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders {
        let below = folder.join("patients");
        if below.is_dir() {
            found.extend(sorted(&below)?.into_iter().filter(|path| path.is_dir()));
        } else {
            found.push(folder.clone());
        }
    }
    Ok(found)
}

fn sorted(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// The label map of each visit of a folder, in order of time.
fn label_maps(folder: &Path) -> anyhow::Result<BTreeMap<VisitId, PathBuf>> {
    let mut maps = BTreeMap::new();
    for path in sorted(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let date = name.strip_suffix(".nii.gz").or_else(|| name.strip_suffix(".nii")).unwrap_or(&name);
        let Ok(visit) = date.parse::<VisitId>() else { continue };
        let map = if path.is_dir() { in_visit_folder(&path)? } else { path };
        if let Some(other) = maps.insert(visit, map) {
            bail!("{} has two label maps of {visit}, one of them {}: keep one", folder.display(), other.display());
        }
    }
    if maps.len() < 2 {
        bail!(
            "{}: expected label maps of at least two dates (<date>/{LESIONS}, <date>/<series role>/{LESIONS} or <date>.nii.gz), found {}",
            folder.display(),
            maps.len()
        );
    }
    Ok(maps)
}

fn in_visit_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    let below = sorted(folder)?.into_iter().map(|role| role.join(LESIONS));
    let maps: Vec<PathBuf> = std::iter::once(folder.join(LESIONS)).chain(below).filter(|path| path.is_file()).collect();
    match maps.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("{}: expected {LESIONS} in it or in one folder below it, found none", folder.display()),
        [one, other, ..] => {
            bail!("{} holds {} and {}: keep one", folder.display(), one.display(), other.display())
        }
    }
}

/// One patient's visits with what was outlined, and how each lies on the first.
fn visits(folder: &Path, notes: &mut Vec<Note>) -> anyhow::Result<(String, Vec<VisitFacts>)> {
    let recorded = folder.join("result.json");
    let recorded: Option<Recorded> = if recorded.is_file() {
        let bytes = std::fs::read(&recorded)?;
        Some(serde_json::from_slice(&bytes).with_context(|| format!("reading {}", recorded.display()))?)
    } else {
        None
    };
    let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let patient_id = recorded.as_ref().map(|r| r.patient_id.clone()).or(name).unwrap_or_default();
    if recorded.is_none() {
        let message = "no registration lies beside the label maps: all dates are taken to lie in one frame, in patient coordinates";
        notes.push(Note::warning("one_frame_assumed", patient_id.clone(), message));
    }
    let mut visits = Vec::new();
    for (id, path) in label_maps(folder)? {
        let found = recorded.as_ref().and_then(|r| r.registrations.iter().find(|one| one.visit == id));
        let to_baseline = match (found, &recorded) {
            (Some(one), _) => one.to_baseline.clone(),
            (None, None) => Registration::identity_same_frame(FrameId::new("patient")),
            (None, Some(_)) => bail!("{}: result.json has no registration of {id}", folder.display()),
        };
        visits.push(visit(id, &path, to_baseline)?);
    }
    Ok((patient_id, visits))
}

fn visit(id: VisitId, path: &Path, to_baseline: Registration) -> anyhow::Result<VisitFacts> {
    let frame = to_baseline.moving_frame.clone();
    let lesions: LabelMap = nifti::read_labels(path, frame.clone())?;
    let beside = path.with_file_name(ZONES);
    let nothing = |_| (Organ::Unknown, LesionKind::Lesion);
    let zones = if beside.is_file() { instances(&nifti::read_labels(&beside, frame)?, nothing) } else { Vec::new() };
    let measured = SeriesFacts {
        role: String::new(),
        description: String::new(),
        grid: lesions.grid().clone(),
        scanned: None,
        sop_instance_uids: Vec::new(),
    };
    Ok(VisitFacts {
        arterial_unfit: None,
        id,
        label: VisitLabel::NoTreatment(0),
        purpose: Purpose::Response,
        side: None,
        measured,
        slices: Vec::new(),
        arterial: None,
        pet: None,
        adc: None,
        adc_unread: None,
        pet_facts: None,
        lesions: instances(&lesions, nothing),
        zones,
        sizes: Vec::new(),
        critical: Vec::new(),
        organ: None,
        to_baseline,
        source: path.display().to_string(),
        outlined_by: BTreeMap::new(),
        marked: Marked::default(),
        doubts: BTreeMap::new(),
        in_doubt: BTreeMap::new(),
        looked_in: None,
        second_choice: None,
        notes: Vec::new(),
    })
}

/// The links of one lesion, from visit to visit.
fn links(patient_id: &str, visits: &[VisitFacts], lesion: &LesionTrack) -> Vec<Link> {
    let mut links = Vec::new();
    let mut from: Option<Place> = None;
    for (visit, sighting) in &lesion.sightings {
        let date = visits[*visit].id;
        let seen = sighting.labels.iter().map(|label| Some(*label));
        let places: Vec<Place> = if sighting.labels.is_empty() {
            vec![Place { date, label: None }]
        } else {
            seen.map(|label| Place { date, label }).collect()
        };
        links.extend(places.iter().map(|to| Link {
            patient_id: patient_id.to_owned(),
            lesion_id: lesion.id.to_string(),
            tracking_uid: lesion_uid(patient_id, lesion, visits),
            from: from.clone(),
            to: to.clone(),
            state: sighting.state,
            event: lesion.event_at(*visit),
            confidence: sighting.confidence,
            runner_up: sighting.runner_up.as_ref().map(ToString::to_string),
            reason: sighting.reason.clone(),
        }));
        // The next link starts where the lesion was last seen.
        from = places.into_iter().find(|place| place.label.is_some()).or(from);
    }
    links
}

fn as_text(document: &Document) -> String {
    let mut text = String::new();
    let place = |place: &Place| match place.label {
        Some(label) => format!("{} label {label}", place.date),
        None => place.date.to_string(),
    };
    for link in &document.links {
        let from = link.from.as_ref().map_or_else(|| "first seen".to_owned(), place);
        let _ = write!(text, "{} {}: {from} → {}: {}", link.patient_id, link.lesion_id, place(&link.to), link.state);
        let _ = write!(text, ", confidence {:.2}", link.confidence);
        if let Some(other) = &link.runner_up {
            let _ = write!(text, ", or {other}");
        }
        text.push('\n');
    }
    for note in &document.notes {
        let _ = writeln!(text, "{}: {}", note.subject, note.message);
    }
    text
}
