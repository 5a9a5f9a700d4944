//! One patient from images to page: the stages in order.

use std::path::Path;

use imaging::Note;
use imaging::registration::Registration;
use oncology::{AssessmentRow, EndpointRow, EventRow, LesionRow, MarginRow, MeasurementRow, VisitId};
use serde::{Deserialize, Serialize};

use crate::cache::{Cache, Reuse};
use crate::manifest::Equipment;
use crate::out;
use crate::plan::PatientPlan;
use crate::stages::find::VisitFacts;
use crate::stages::load::{LoadedSeries, load};
use crate::stages::segment::StageError;
use crate::stages::track::{Tracked, track};
use crate::stages::{assess, bare_scans, history, key_images, page, registration_view, rows};
use visits::{Setting, margins, read_visits, write_error};

mod visits;

/// The best responses of one patient by one criterion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Best {
    /// Criterion.
    pub(crate) criterion: String,
    /// Best overall response, not confirmed.
    pub(crate) unconfirmed: String,
    /// Best overall response where it must be seen twice.
    pub(crate) confirmed: String,
}

/// How one visit lies on baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct VisitRegistration {
    /// The visit.
    pub(crate) visit: VisitId,
    /// The registration.
    pub(crate) to_baseline: Registration,
}

/// Everything a patient adds to the cohort; `result.json` in the patient's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PatientResult {
    /// Version of this document's shape.
    pub(crate) schema_version: u32,
    /// Identifier or pseudonym.
    pub(crate) patient_id: String,
    /// Diagnosis in words.
    pub(crate) diagnosis: String,
    /// Imaging visits.
    pub(crate) visits: Vec<VisitId>,
    /// Date of death.
    pub(crate) death_date: Option<oncology::Date>,
    /// Last known alive.
    pub(crate) last_contact_date: Option<oncology::Date>,
    /// Rows of `lesions.csv`.
    pub(crate) lesions: Vec<LesionRow>,
    /// Rows of `measurements.csv`.
    pub(crate) measurements: Vec<MeasurementRow>,
    /// Rows of `margins.csv`.
    pub(crate) margins: Vec<MarginRow>,
    /// Rows of `assessments.csv`.
    pub(crate) assessments: Vec<AssessmentRow>,
    /// Rows of `events.csv`.
    pub(crate) events: Vec<EventRow>,
    /// Rows of `endpoints.csv`.
    pub(crate) endpoints: Vec<EndpointRow>,
    /// Best overall responses.
    pub(crate) best: Vec<Best>,
    /// How each follow-up lies on baseline.
    pub(crate) registrations: Vec<VisitRegistration>,
    /// What to doubt.
    pub(crate) notes: Vec<Note>,
}

/// Hears the name of each stage before it starts; an error ends the patient there.
pub(crate) type Reached<'a> = &'a dyn Fn(&'static str) -> Result<(), StageError>;

/// Does one patient and writes everything below `patients/<id>/` except the ledger entry. `reached` hears each stage's name and may end the patient.
pub(crate) fn process(
    patient: &PatientPlan,
    equipment: &Equipment,
    out: &Path,
    reuse: Reuse,
    reached: Reached<'_>,
) -> Result<PatientResult, StageError> {
    if !patient.faults.is_empty() {
        return Err(StageError::new("plan", "patient_input", patient.faults.join("; ")));
    }
    let study = &equipment.study.study;
    let folder = out::patient_folder(out, &patient.id);
    let mut notes = patient.notes.clone();
    let patient = &bare_scans::leave_out(patient, equipment, &mut notes);
    let cache = Cache::of(&folder, reuse);
    let setting = Setting { equipment, cache: &cache };
    let visits = read_visits(patient, setting, &folder, reached)?;
    reached("track")?;
    let tracked = track(&visits, &patient.treatments, &study.tracking)?;
    reached("margin")?;
    for visit in &visits {
        notes.extend(visit.notes.iter().cloned());
    }
    notes.extend(tracked.notes.iter().cloned());
    let earlier = history::earlier_visits(&patient.history, study, &mut notes);
    let margins = margins(patient, setting, &visits, &tracked, &mut notes)?;
    let (margins, maps): (Vec<MarginRow>, Vec<_>) = margins.into_iter().map(|m| (m.row, m.map)).unzip();
    reached("assess")?;
    let assessed = assess::assess_patient(patient, &visits, &tracked, &equipment.tables, &equipment.preset)?;
    notes.extend(assessed.notes.iter().cloned());
    let result = gather(patient, &visits, &tracked, assessed, margins, notes);
    reached("report")?;
    let threshold_mm = study.endpoints.margin_threshold_mm;
    let page = report::PatientPage {
        margin_maps: maps.into_iter().flatten().collect(),
        earlier_visits: earlier,
        ..page::page(patient, &visits, &tracked, &result, &equipment.tables, threshold_mm)
    };
    write_page(patient, equipment, &visits, &tracked, page, &folder)?;
    crate::source_record::write(patient, &visits, &tracked, &folder)?;
    write_results(&result, &folder)?;
    cache.finish().map_err(|error| write_error(&error))?;
    Ok(result)
}

fn gather(
    patient: &PatientPlan,
    visits: &[VisitFacts],
    tracked: &Tracked,
    assessed: assess::Assessed,
    margins: Vec<MarginRow>,
    mut notes: Vec<Note>,
) -> PatientResult {
    for visit in visits.iter().filter(|v| v.to_baseline.quality != imaging::registration::Quality::Pass) {
        let message = format!("{}: registration to baseline: {}", visit.id, visit.to_baseline.reasons.join("; "));
        notes.push(Note::warning("registration_quality", visit.id.to_string(), message));
    }
    for margin in margins.iter().filter(|m| matches!(m.verdict.as_str(), "borderline" | "not_reportable")) {
        let verdict = margin.verdict.replace('_', " ");
        let message = format!("ablation of {}: the margin is {verdict}: {}", margin.treatment_date, margin.reasons);
        notes.push(Note::warning("margin_in_doubt", margin.lesion_id.clone(), message));
    }
    let mut kept: Vec<Note> = Vec::with_capacity(notes.len());
    for note in notes {
        if !kept.contains(&note) {
            kept.push(note);
        }
    }
    let leading = assessed.criteria.first();
    PatientResult {
        schema_version: 1,
        patient_id: patient.id.clone(),
        diagnosis: patient.record.as_ref().map(|r| r.diagnosis.clone()).unwrap_or_default(),
        visits: visits.iter().map(|v| v.id).collect(),
        death_date: patient.record.as_ref().and_then(|r| r.death_date),
        last_contact_date: patient.record.as_ref().and_then(|r| r.last_contact_date),
        lesions: rows::lesions(&patient.id, visits, tracked, leading),
        measurements: rows::measurements(&patient.id, visits, tracked),
        margins,
        assessments: assessed.criteria.iter().flat_map(|c| c.rows.iter().cloned()).collect(),
        events: assessed.events,
        endpoints: assessed.endpoints,
        best: assessed
            .criteria
            .iter()
            .map(|c| {
                let (unconfirmed, confirmed) = c.best_words();
                Best {
                    criterion: c.criterion.clone(),
                    unconfirmed: unconfirmed.to_owned(),
                    confirmed: confirmed.to_owned(),
                }
            })
            .collect(),
        registrations: visits
            .iter()
            .map(|v| VisitRegistration { visit: v.id, to_baseline: v.to_baseline.clone() })
            .collect(),
        notes: kept,
    }
}

/// Reads each visit's images once more for the pictures and writes the page.
fn write_page(
    patient: &PatientPlan,
    equipment: &Equipment,
    visits: &[VisitFacts],
    tracked: &Tracked,
    mut page: report::PatientPage,
    folder: &Path,
) -> Result<(), StageError> {
    let study = &equipment.study.study;
    let mut baseline: Option<LoadedSeries> = None;
    for (n, plan) in patient.visits.iter().enumerate() {
        let series = load(&plan.measure, &mut Vec::new())?;
        page.key_images.extend(key_images::of_visit(&series, visits, n, tracked, study.reports.key_image_mm));
        if let (Some(fixed), Some(registration)) = (&baseline, page.visits[n].registration.as_mut()) {
            registration.pictures = registration_view::pictures(fixed, &visits[0], &series, &visits[n]);
        }
        baseline.get_or_insert(series);
    }
    page.provenance = page::provenance(&equipment.parts);
    let html = report::render_patient(&page).map_err(|e| StageError::new("report", "page", e.to_string()))?;
    out::write_atomic(&folder.join("report.html"), html.as_bytes()).map_err(|e| write_error(&e))
}

fn write_results(result: &PatientResult, folder: &Path) -> Result<(), StageError> {
    out::write_json(&folder.join("notes.json"), &result.notes).map_err(|e| write_error(&e))?;
    out::write_json(&folder.join("result.json"), result).map_err(|e| write_error(&e))
}
