//! One patient from images to page: the stages in order.

use std::path::Path;

use imaging::registration::Registration;
use imaging::{Mask, Note, Window};
use oncology::{AssessmentRow, EndpointRow, EventRow, LesionRow, MarginRow, MeasurementRow, VisitId};
use serde::{Deserialize, Serialize};

use crate::config::MaskSource;
use crate::manifest::Equipment;
use crate::out;
use crate::plan::{PatientPlan, VisitPlan};
use crate::stages::find::{SeriesFacts, VisitFacts};
use crate::stages::import::import;
use crate::stages::load::{LoadedSeries, load};
use crate::stages::margin::MeasuredMargin;
use crate::stages::marks::{Marked, lay};
use crate::stages::register::{Side, to_fixed};
use crate::stages::segment::{Found, StageError, infer};
use crate::stages::track::{Tracked, track};
use crate::stages::{
    assess, bare_scans, dose, history, key_images, margin, measure, overlay, page, phase, registration_view, rows,
};

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

/// Images of a visit, in memory only while they are needed.
struct Loaded {
    measured: LoadedSeries,
    found: Found,
}

/// Does one patient and writes everything below `patients/<id>/` except the ledger entry. `reached` hears each stage's name and may end the patient.
pub(crate) fn process(
    patient: &PatientPlan,
    equipment: &Equipment,
    out: &Path,
    reached: Reached<'_>,
) -> Result<PatientResult, StageError> {
    if !patient.faults.is_empty() {
        return Err(StageError::new("plan", "patient_input", patient.faults.join("; ")));
    }
    let study = &equipment.study.study;
    let folder = out::patient_folder(out, &patient.id);
    let mut notes = patient.notes.clone();
    let patient = &bare_scans::leave_out(patient, equipment, &mut notes);
    let visits = read_visits(patient, equipment, &folder, reached)?;
    reached("track")?;
    let tracked = track(&visits, &patient.treatments, &study.tracking)?;
    reached("margin")?;
    for visit in &visits {
        notes.extend(visit.notes.iter().cloned());
    }
    notes.extend(tracked.notes.iter().cloned());
    let earlier = history::earlier_visits(&patient.history, study, &mut notes);
    let margins = margins(patient, equipment, &visits, &tracked, &mut notes)?;
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
    write_results(&result, &folder)?;
    Ok(result)
}

/// Load, segment, register and measure, visit by visit; only baseline and the present visit are in memory.
fn read_visits(
    patient: &PatientPlan,
    equipment: &Equipment,
    folder: &Path,
    reached: Reached<'_>,
) -> Result<Vec<VisitFacts>, StageError> {
    let mut baseline: Option<Loaded> = None;
    let mut visits = Vec::with_capacity(patient.visits.len());
    for plan in &patient.visits {
        let mut notes = Vec::new();
        reached("load")?;
        let measured = load(&plan.measure, &mut notes)?;
        reached("segment")?;
        let mut found = find(plan, &measured, equipment, &mut notes)?;
        let max_distance_mm = equipment.study.study.tracking.mark_distance_mm;
        let marked = lay(&plan.marks, &mut found, max_distance_mm, &mut notes);
        let loaded = Loaded { measured, found };
        reached("register")?;
        let to_baseline = match &baseline {
            None => Registration::identity_same_frame(loaded.measured.image.grid().frame().clone()),
            Some(fixed) => to_fixed(side(fixed), side(&loaded), &equipment.study.study.registration, &mut notes)?,
        };
        reached("measure")?;
        visits.push(VisitFacts { marked, ..facts(plan, &loaded, to_baseline, notes)? });
        keep_masks(equipment, &folder.join(plan.id.to_string()).join(&plan.measure.role), &loaded)?;
        baseline.get_or_insert(loaded);
    }
    Ok(visits)
}

fn side(loaded: &Loaded) -> Side<'_> {
    Side { series: &loaded.measured, found: &loaded.found }
}

fn find(
    plan: &VisitPlan,
    measured: &LoadedSeries,
    equipment: &Equipment,
    notes: &mut Vec<Note>,
) -> Result<Found, StageError> {
    let study = &equipment.study.study;
    let keys = &study.models;
    match (&plan.masks, keys.source, &equipment.segmenter) {
        (Some(masks), MaskSource::Imported | MaskSource::ImportedOrModel, _) => {
            import(masks, &measured.image, study, notes)
        }
        (_, _, Some(segmenter)) => infer(segmenter, measured, keys.min_lesion_volume_mm3, notes),
        (_, MaskSource::Imported, _) if !plan.marks.is_empty() => {
            Ok(Found::nothing(measured.image.grid(), "reader_marks"))
        }
        (_, _, None) => Err(StageError::new(
            "segment",
            "no_masks",
            format!("{}: no masks and no model: {}", plan.id, equipment.no_model),
        )),
    }
}

/// Measures what needs the images and lets them go.
fn facts(
    plan: &VisitPlan,
    loaded: &Loaded,
    to_baseline: Registration,
    mut notes: Vec<Note>,
) -> Result<VisitFacts, StageError> {
    let Loaded { measured, found } = loaded;
    let arterial_series = plan.arterial.as_ref().map(|series| load(series, &mut notes)).transpose()?;
    let pet_series = plan.pet.as_ref().map(|series| load(series, &mut notes)).transpose()?;
    phase::check(measured, &measure::healthy_liver(measured, measured, found), found, &mut notes);
    let arterial = arterial_series.as_ref().map(|series| measure::arterial(series, measured, found, &mut notes));
    let mut sizes = measure::measure(measured, found, arterial.as_ref(), pet_series.as_ref(), &mut notes);
    dose::add(&plan.doses, &found.lesions, &mut sizes, &mut notes);
    measure::mark_cut(&mut sizes, found, plan.shortened.as_deref(), &mut notes);
    for note in &mut notes {
        note.message = format!("{}: {}", plan.id, note.message);
    }
    let cut = |mask: &Mask| {
        Window::around(mask, [2; 3]).and_then(|w| w.within(mask.shape())).and_then(|w| w.cut(mask, false).ok())
    };
    Ok(VisitFacts {
        id: plan.id,
        purpose: plan.purpose,
        measured: SeriesFacts::of(measured),
        arterial: arterial_series.as_ref().map(SeriesFacts::of),
        pet: pet_series.as_ref().map(SeriesFacts::of),
        lesions: found.lesions.clone(),
        zones: found.zones.clone(),
        sizes,
        organ: found.organ.as_ref().and_then(cut),
        to_baseline,
        source: found.source.clone(),
        marked: Marked::default(),
        side: plan.side,
        second_choice: plan.second_choice.clone(),
        notes,
    })
}

fn keep_masks(equipment: &Equipment, folder: &Path, loaded: &Loaded) -> Result<(), StageError> {
    use formats::nifti;
    let wanted = |name: &str| equipment.study.study.outputs.keep.iter().any(|kept| kept == name);
    let written = |result: Result<(), nifti::NiftiError>| result.map_err(|error| write_error(&error.into()));
    if wanted("image") {
        written(nifti::write_image(&folder.join("image.nii.gz"), &loaded.measured.image))?;
    }
    if wanted("lesions") {
        written(nifti::write_labels(&folder.join("lesions.nii.gz"), &loaded.found.lesion_map))?;
    }
    if wanted("ablation_zone") {
        written(nifti::write_labels(&folder.join("ablation_zone.nii.gz"), &loaded.found.zone_map))?;
    }
    if let Some(organ) = loaded.found.organ.as_ref().filter(|_| wanted("organ")) {
        written(nifti::write_mask(&folder.join("organ.nii.gz"), organ))?;
    }
    if wanted("overlay") {
        let png = overlay::sheet(&loaded.measured, &loaded.found)?;
        out::write_atomic(&folder.join("overlay.png"), &png).map_err(|error| write_error(&error))?;
    }
    Ok(())
}

fn write_error(error: &anyhow::Error) -> StageError {
    let transient = crate::exit::is_transient(error);
    StageError { stage: "report", code: "write".to_owned(), message: format!("{error:#}"), transient }
}

fn margins(
    patient: &PatientPlan,
    equipment: &Equipment,
    visits: &[VisitFacts],
    tracked: &Tracked,
    notes: &mut Vec<Note>,
) -> Result<Vec<MeasuredMargin>, StageError> {
    let mut rows = Vec::new();
    for pair in margin::pairs(visits, tracked) {
        let registration = if pair.before == 0 {
            visits[pair.after].to_baseline.clone()
        } else {
            register_pair(patient, equipment, pair.before, pair.after, notes)?
        };
        let threshold = equipment.study.study.endpoints.margin_threshold_mm;
        rows.push(margin::measure(&patient.id, &pair, visits, tracked, &registration, threshold, notes)?);
    }
    Ok(rows)
}

/// A study after ablation registered directly to the one before it, where that is not baseline.
fn register_pair(
    patient: &PatientPlan,
    equipment: &Equipment,
    before: usize,
    after: usize,
    notes: &mut Vec<Note>,
) -> Result<Registration, StageError> {
    let read = |n: usize, notes: &mut Vec<Note>| {
        let plan = &patient.visits[n];
        let measured = load(&plan.measure, notes)?;
        let found = find(plan, &measured, equipment, notes)?;
        Ok::<_, StageError>(Loaded { measured, found })
    };
    // What was noted on the first reading of these images stands already.
    let (fixed, moving) = (read(before, &mut Vec::new())?, read(after, &mut Vec::new())?);
    to_fixed(side(&fixed), side(&moving), &equipment.study.study.registration, notes)
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
