//! One patient from images to page: the stages in order.

use std::path::Path;

use imaging::Note;
use imaging::registration::{Quality, Registration, Spread};
use oncology::reads::ReadRow;
use oncology::study::{BestOf, StudyFacts};
use oncology::{AssessmentRow, EndpointRow, EventRow, LesionRow, MarginRow, MeasurementRow, PetReferenceRow, VisitId};
use serde::{Deserialize, Serialize};

use crate::cache::{Cache, Reuse};
use crate::conclude::{Means, conclude};
use crate::manifest::Equipment;
use crate::observed::{Observed, PatientFacts, Seen};
use crate::out;
use crate::plan::PatientPlan;
use crate::reading;
use crate::stages::segment::StageError;
use crate::stages::track::{Tracked, track};
use crate::stages::{bare_scans, history, pictures, second_look, viewer};
use crate::viewer_file;
pub(crate) use visits::write_error;
use visits::{Setting, read_visits, register_pairs};

mod chain;
mod visits;

/// How one visit lies on baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct VisitRegistration {
    /// The visit.
    pub(crate) visit: VisitId,
    /// The registration.
    pub(crate) to_baseline: Registration,
}

/// What the cohort wants to know of a [`VisitRegistration`]; the rest of it, two thirds of `result.json`, is skipped unread.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct JudgedRegistration {
    /// The visit.
    pub(crate) visit: VisitId,
    /// Its verdict.
    pub(crate) to_baseline: Judged,
}

/// The verdict on a registration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Judged {
    /// The verdict.
    pub(crate) quality: Quality,
    /// Why it did not pass.
    pub(crate) reasons: Vec<String>,
    /// Local deformation left, mm.
    pub(crate) residual: Option<Spread>,
}

/// A patient as [`crate::collect`] reads it: ten thousand of them lie in memory at once.
pub(crate) type CohortPatient = PatientResult<JudgedRegistration>;

/// Everything a patient adds to the cohort; `result.json` in the patient's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PatientResult<R = VisitRegistration> {
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
    /// Rows of `pet_references.csv`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) pet_references: Vec<PetReferenceRow>,
    /// Rows of `margins.csv`.
    pub(crate) margins: Vec<MarginRow>,
    /// Rows of `assessments.csv`.
    pub(crate) assessments: Vec<AssessmentRow>,
    /// Rows of `assessments.csv` by the criteria beside the leading ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) further_assessments: Vec<AssessmentRow>,
    /// Rows of `events.csv`.
    pub(crate) events: Vec<EventRow>,
    /// Rows of `endpoints.csv`.
    pub(crate) endpoints: Vec<EndpointRow>,
    /// Best overall responses.
    pub(crate) best: Vec<BestOf>,
    /// Rows of `endpoints` as the other class of an unsure distance would have them; only those that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) other_endpoints: Vec<EndpointRow>,
    /// How each follow-up lies on baseline.
    pub(crate) registrations: Vec<R>,
    /// What readers decided, with what became of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reads: Vec<ReadRow>,
    /// What the tables of the cohort need besides; results of earlier versions did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) study: Option<StudyFacts>,
    /// What to doubt.
    pub(crate) notes: Vec<Note>,
}

/// Hears the name of each stage before it starts; an error ends the patient there.
pub(crate) type Reached<'a> = &'a dyn Fn(&'static str) -> Result<(), StageError>;

/// What earlier runs left of a patient that may be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Earlier<'a> {
    /// Whether outlines of networks and registrations may.
    pub(crate) reuse: Reuse,
    /// Digest of the list of files, where everything that images gave is as this run would find it and the page alone is wanted
    /// otherwise.
    pub(crate) observed: Option<&'a str>,
}

/// Does one patient and writes everything below `patients/<id>/` except the ledger entry. `reached` hears each stage's name and may end the patient.
pub(crate) fn process(
    patient: &PatientPlan,
    equipment: &Equipment,
    out: &Path,
    earlier: Earlier<'_>,
    reached: Reached<'_>,
) -> Result<PatientResult, StageError> {
    if !patient.faults.is_empty() {
        return Err(StageError::new("plan", "patient_input", patient.faults.join("; ")));
    }
    let folder = out::patient_folder(out, &patient.id);
    let mut notes = patient.notes.clone();
    let patient = &bare_scans::leave_out(patient, equipment, &mut notes);
    let cache = Cache::of(&folder, earlier.reuse);
    // Where they are not what was written after all, the patient is done from the start.
    let kept = earlier.observed.and_then(|digest| Observed::read(&folder, digest).ok());
    let is_kept = kept.is_some();
    let (observed, tracked) = match kept {
        Some(observed) => {
            let tracked = track(&observed.visits, &patient.treatments, &equipment.study.study.tracking)?;
            (observed, tracked)
        }
        None => observe(patient, equipment, (&folder, &cache), notes, reached)?,
    };
    let volumes = match &equipment.viewer {
        Some(_) => {
            reached("report")?;
            Some(viewer::volumes(patient, &observed.visits)?)
        }
        None => None,
    };
    viewer_file::write(&folder, volumes.as_deref()).map_err(|error| write_error(&error))?;
    let reads = reading::wanted(&folder, &patient.reads).map_err(|error| write_error(&error))?;
    let concluded = conclude((&observed, volumes), &tracked, &reads, Means::of(equipment), reached)?;
    concluded.write(&folder)?;
    if !is_kept {
        cache.finish().map_err(|error| write_error(&error))?;
    }
    Ok(concluded.result)
}

/// All that needs images and networks, kept in the patient's folder, with the lesions as the program follows them.
fn observe(
    patient: &PatientPlan,
    equipment: &Equipment,
    (folder, cache): (&Path, &Cache),
    notes: Vec<Note>,
    reached: Reached<'_>,
) -> Result<(Observed, Tracked), StageError> {
    let study = &equipment.study.study;
    let setting = Setting { equipment, cache };
    let mut visits = read_visits(patient, setting, folder, reached)?;
    chain::try_through_others(patient, setting, &mut visits)?;
    reached("track")?;
    let mut tracked = track(&visits, &patient.treatments, &study.tracking)?;
    if study.tracking.second_look && second_look::look_again(patient, &mut visits, &tracked)? {
        tracked = track(&visits, &patient.treatments, &study.tracking)?;
    }
    reached("margin")?;
    let mut earlier_notes = Vec::new();
    let earlier = history::earlier_visits(&patient.history, study, &mut earlier_notes);
    let pairs = register_pairs(patient, setting, &visits, &tracked)?;
    let pictures = pictures::pictures(patient, &visits, &tracked, study.reports.key_image_mm)?;
    let facts = PatientFacts {
        id: patient.id.clone(),
        record: patient.record.clone(),
        treatments: patient.treatments.clone(),
        markers: patient.markers.clone(),
        notes,
    };
    let observed = Observed::new(facts, visits, Seen { earlier: (earlier, earlier_notes), pairs, pictures });
    observed.write(folder).map_err(|error| write_error(&error))?;
    Ok((observed, tracked))
}
