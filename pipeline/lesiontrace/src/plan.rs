//! Who is to be done with what: the archive's patients with the series, masks, marks and clinical rows each visit will use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use formats::archive::{self, ArchiveIndex, PatientImages, SeriesEntry};
use formats::clinical::{ClinicalTables, PatientRecord, SeedRecord, TreatmentRecord};
use formats::nifti_archive::derivatives::{self, Derived};
use imaging::Note;
use oncology::marker::MarkerReading;
use oncology::reads::ReadRow;
use oncology::visit_window::{VisitLabel, label_visits};
use oncology::{Date, VisitId};
use serde::{Deserialize, Serialize};

use crate::config::{LoadedStudy, Study};
use crate::reading;

mod critical;
mod digest;
mod doses;
mod given_map;
mod label_maps;
mod outlines;
mod packed;
mod reports;
mod segmentations;
mod structures;
pub(crate) mod treatment_day;
mod unread_masks;
mod visit;

pub(crate) use critical::CriticalPlan;
pub(crate) use outlines::{OutlineFile, Region, RegionKind, StructurePlan};
pub(crate) use packed::PackedPatient;
pub(crate) use treatment_day::DaySide;

/// One imaging series to be read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SeriesPlan {
    /// Its role, such as `ct_portal_venous`.
    pub(crate) role: String,
    /// What the index knows of it.
    pub(crate) entry: SeriesEntry,
}

/// Imported masks of one visit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum MaskPlan {
    /// Label maps in the visit's mask folder.
    Folder(MaskFolder),
    /// Regions of structure sets or segmentations that refer to the measured series.
    Structures(Vec<StructurePlan>),
}

/// Label maps in a visit's mask folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MaskFolder {
    /// Instances of lesions, one label each.
    pub(crate) lesions: PathBuf,
    /// The organ, if there is such a file.
    pub(crate) organ: Option<PathBuf>,
    /// Ablation zones, one label each, if there is such a file.
    pub(crate) ablation_zone: Option<PathBuf>,
    /// What the labels are, if there is such a file.
    pub(crate) rows: Option<PathBuf>,
}

/// What a visit is read for.
///
/// A scan round a treatment on its day tells where tumour and zone lie (margin). It is no response time point: from the first study
/// *after* the ablation on a zone is judged (criteria conventions §5.0), and whether all was ablated is read on a later study than the
/// control at the end of the procedure (Ahmed et al. 2014: technical success is not technique efficacy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// Baseline, and every visit at which response is judged.
    Response,
    /// Before the first treatment on its day, where an earlier visit is the baseline.
    Planning,
    /// After a local treatment on its day.
    Control,
}

impl Purpose {
    /// Why response is not judged at the visit; `None` where it is.
    pub(crate) const fn no_response(self) -> Option<&'static str> {
        match self {
            Self::Response => None,
            Self::Planning => {
                Some("planning scan before the treatment of the day: read for the margin, no response time point")
            }
            Self::Control => {
                Some("control scan after the treatment of the day: read for the margin, no response time point")
            }
        }
    }
}

/// One visit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VisitPlan {
    /// Its name.
    pub(crate) id: VisitId,
    /// Where it stands round the treatments, by `[timeline]`.
    pub(crate) label: VisitLabel,
    /// What it is read for.
    pub(crate) purpose: Purpose,
    /// Where it stands on the day of a local treatment, where that is known.
    pub(crate) side: Option<DaySide>,
    /// The series lesions are measured on.
    pub(crate) measure: SeriesPlan,
    /// The arterial phase, if there is one.
    pub(crate) arterial: Option<SeriesPlan>,
    /// The PET, if there is one.
    pub(crate) pet: Option<SeriesPlan>,
    /// The map of the apparent diffusion coefficient, if there is one.
    pub(crate) adc: Option<SeriesPlan>,
    /// Imported masks; `None` leaves the visit to the model.
    pub(crate) masks: Option<MaskPlan>,
    /// A map from baseline to this visit that was made elsewhere.
    pub(crate) given_map: Option<PathBuf>,
    /// Radiotherapy doses (RTDOSE) in the measured series' frame of reference, by path.
    pub(crate) doses: Vec<PathBuf>,
    /// Masks of structures whose distance is measured, by name.
    pub(crate) critical: Vec<CriticalPlan>,
    /// Lesions a reader marked at this visit.
    pub(crate) marks: Vec<SeedRecord>,
    /// Why slices may be missing at the measured series' ends; `None` when nothing speaks for it.
    pub(crate) shortened: Option<String>,
    /// Why response is not evaluable at this visit: the measured series is not the one that was made for measuring, or may be from
    /// before or after the day's treatment.
    pub(crate) second_choice: Option<String>,
}

/// One patient.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PatientPlan {
    /// Identifier as in the images.
    pub(crate) id: String,
    /// Visits with something to measure, from baseline on, earliest first.
    pub(crate) visits: Vec<VisitPlan>,
    /// Visits before the baseline of the study's windows, earliest first; no criterion uses them.
    pub(crate) history: Vec<VisitPlan>,
    /// Row of `patients.csv`, if there is one.
    pub(crate) record: Option<PatientRecord>,
    /// Treatments, earliest first.
    pub(crate) treatments: Vec<TreatmentRecord>,
    /// Tumour markers, in the order of the table.
    pub(crate) markers: Vec<MarkerReading>,
    /// What readers decided: of `reads.csv`, and what the run was given.
    pub(crate) reads: Vec<ReadRow>,
    /// What to doubt already.
    pub(crate) notes: Vec<Note>,
    /// Why the patient cannot be done; empty when it can.
    pub(crate) faults: Vec<String>,
    /// Digest of everything that decides the result, but for program and study.
    pub(crate) input_digest: String,
}

/// The whole cohort.
#[derive(Debug, Clone)]
pub(crate) struct CohortPlan {
    /// Patients, by identifier.
    pub(crate) patients: Vec<PackedPatient>,
    /// What to doubt about the archive and its tables.
    pub(crate) notes: Vec<Note>,
}

/// Indexes the archive and puts every visit's images, masks and clinical rows together; `files_read` is told of files as they are read.
pub(crate) fn plan(archive: &Path, loaded: &LoadedStudy, files_read: &dyn Fn(usize)) -> anyhow::Result<CohortPlan> {
    let study = &loaded.study;
    let indexed = archive::index_by(archive, &loaded.rules, files_read)?;
    let (mut index, mut notes) = (indexed.value, indexed.notes);
    let mut clinical = ClinicalTables::read(&archive.join(&study.clinical.folder))?;
    clinical.add_participants(archive)?;
    let known: BTreeSet<String> = index.patients.iter().map(|p| p.patient_id.clone()).collect();
    note_rows_of_nobody(&clinical, &index, &known, &mut notes);
    let reads = reading::clinical(&archive.join(&study.clinical.folder))?;
    notes.extend(reading::of_nobody(&reads, &known));
    let wanted: BTreeSet<&String> = study.cohort.patients.iter().collect();
    for id in wanted.iter().filter(|id| !known.contains(id.as_str())) {
        notes.push(Note::error("unknown_patient", id.as_str(), "[cohort] patients names a patient without images"));
    }
    let of_visits = index.series();
    let images = of_visits.filter_map(|s| Some((s.nifti.as_ref()?.file.as_str(), s.row.study_date?)));
    let derived = derivatives::find(archive, &index.nifti_files, images).note_into(&mut notes);
    let mut patients = Vec::new();
    let mut masks = unread_masks::Unread::new(archive, &index.nifti_files, &known, study);
    // Images are given up as plans are made of them.
    for images in std::mem::take(&mut index.patients) {
        if wanted.is_empty() || wanted.contains(&images.patient_id) {
            let sources =
                Sources { index: &index, clinical: &clinical, derived: &derived, reads: &reads, notes: &notes };
            let patient = plan_patient(archive, &images, sources, study)?;
            masks.are_read_by(&patient);
            patients.push(PackedPatient::of(patient));
        }
    }
    warn_about_bare_nifti(&index, &derived, archive, study, &mut notes);
    notes.extend(masks.note());
    Ok(CohortPlan { patients, notes })
}

/// Rows of tables that belong to no patient with images.
fn note_rows_of_nobody(
    clinical: &ClinicalTables,
    index: &ArchiveIndex,
    known: &BTreeSet<String>,
    notes: &mut Vec<Note>,
) {
    for problem in clinical.unknown_patients(known) {
        notes.push(Note::error("unknown_patient", problem.file.clone(), problem.to_string()));
    }
    let of_nobody = clinical.problems.iter().chain(&index.problems);
    for problem in of_nobody.filter(|p| p.patient_id.as_ref().is_none_or(|id| !known.contains(id))) {
        notes.push(Note::error("clinical_row", problem.file.clone(), problem.to_string()));
    }
}

/// NIfTI files outside the mask folder that nobody placed: the main job cannot use them.
fn warn_about_bare_nifti(
    index: &ArchiveIndex,
    derived: &[Derived],
    archive: &Path,
    study: &Study,
    notes: &mut Vec<Note>,
) {
    let masks = archive.join(&study.models.masks);
    let is_used = |path: &Path| path.starts_with(&masks) || derived.iter().any(|d| d.path == path);
    let bare: Vec<&PathBuf> = index.nifti_files.iter().filter(|path| !is_used(path)).collect();
    if let Some(first) = bare.first() {
        let first = first.strip_prefix(archive).unwrap_or(first).display();
        let message = format!(
            "{} NIfTI or NRRD files outside {} (the first: {first}) have neither patient nor date and are left out: name them <patient>/<YYYY-MM-DD>/<role>.nii.gz, or list them in series.csv",
            bare.len(),
            study.models.masks.display()
        );
        notes.push(Note::warning("bare_nifti", "archive", message));
    }
}

/// What an archive says beside a patient's images.
#[derive(Clone, Copy)]
struct Sources<'a> {
    index: &'a ArchiveIndex,
    clinical: &'a ClinicalTables,
    derived: &'a [Derived],
    reads: &'a [ReadRow],
    notes: &'a [Note],
}

fn plan_patient(
    archive: &Path,
    images: &PatientImages,
    sources: Sources<'_>,
    study: &Study,
) -> anyhow::Result<PatientPlan> {
    let Sources { index, clinical, derived, notes: archive_notes, .. } = sources;
    let id = &images.patient_id;
    let mut notes: Vec<Note> = archive_notes.iter().filter(|n| n.subject == *id).cloned().collect();
    let source = visit::Source {
        archive,
        id,
        study,
        seeds: clinical.seeds_of(id),
        timepoints: &images.timepoints,
        derived: derived.iter().filter(|d| d.patient_id == *id).collect(),
        archive_notes,
    };
    let treatments: Vec<TreatmentRecord> = clinical.treatments_of(id).into_iter().cloned().collect();
    let mut visits: Vec<VisitPlan> = Vec::new();
    let mut broken = Vec::new();
    for timepoint in &images.timepoints {
        let days = treatment_day::of_day(&source, timepoint, &treatments, &mut notes);
        let said_before = notes.len();
        for day in &days {
            match visit::plan_visit(&source, day, &mut notes) {
                Ok(visit) => visits.extend(visit),
                Err(faults) => broken.extend(faults),
            }
        }
        forget_remarks_of_one_side(days.len(), said_before, &mut notes);
    }
    note_marks_without_visit(&source.seeds, &visits, &mut notes);
    doses::note_without_visit(archive, &images.timepoints, &visits, &mut notes);
    let mut faults: Vec<String> = clinical.problems_of(id).iter().map(ToString::to_string).collect();
    let of_patient = index.problems.iter().filter(|p| p.patient_id.as_ref() == Some(id));
    faults.extend(of_patient.map(ToString::to_string));
    if visits.is_empty() && broken.is_empty() {
        faults.push(format!(
            "no series can be measured: expected at least one usable series with a role of [series] measure {:?}; see `lesiontrace index` for what each series is and why it is not usable",
            study.series.measure
        ));
    }
    faults.extend(broken);
    label(&mut visits, &treatments, study, &mut notes);
    let history = leave_out_before_baseline(&mut visits, &mut notes);
    name_purposes(&mut visits);
    let record = clinical.patients.get(id).cloned();
    let markers = clinical.markers.get(id).cloned().unwrap_or_default();
    let all: Vec<&VisitPlan> = history.iter().chain(&visits).collect();
    let input_digest = digest::digest(&all, record.as_ref(), &treatments, &markers)?;
    let reads = sources.reads.iter().filter(|row| row.patient_id == *id).cloned().collect();
    Ok(PatientPlan { id: id.clone(), visits, history, record, treatments, markers, reads, notes, faults, input_digest })
}

/// Takes the visits before the baseline of the study's windows out of those that are used: criteria compare with baseline, and what lies
/// before it is history (Eisenhauer et al. 2009, §3.2).
fn leave_out_before_baseline(visits: &mut Vec<VisitPlan>, notes: &mut Vec<Note>) -> Vec<VisitPlan> {
    let Some(baseline) = visits.iter().position(|v| v.label == VisitLabel::Baseline) else { return Vec::new() };
    let baseline_id = visits[baseline].id;
    let history: Vec<VisitPlan> = visits.drain(..baseline).collect();
    for visit in &history {
        let marks = match visit.marks.len() {
            0 => String::new(),
            n => format!("; its {n} marks of lesions are not used either"),
        };
        let message = format!(
            "{}: pre-baseline, not used: by [timeline] it is \"{}\", and baseline is {baseline_id}{marks}",
            visit.id, visit.label
        );
        notes.push(Note::warning("pre_baseline_visit", visit.id.to_string(), message));
    }
    history
}

/// What each visit from baseline on is read for.
fn name_purposes(visits: &mut [VisitPlan]) {
    for visit in visits.iter_mut().skip(1) {
        visit.purpose = match (visit.side, &visit.label) {
            (Some(DaySide::After), _) => Purpose::Control,
            (Some(DaySide::Before), VisitLabel::TreatmentSession(1)) => Purpose::Planning,
            _ => Purpose::Response,
        };
    }
}

/// Names each visit by the study's windows, and says where none is the baseline they ask for.
fn label(visits: &mut [VisitPlan], treatments: &[TreatmentRecord], study: &Study, notes: &mut Vec<Note>) {
    let dates: Vec<Date> = visits.iter().map(|v| v.id.date()).collect();
    let treated: Vec<Date> = treatments.iter().map(|t| t.date).collect();
    for (visit, label) in visits.iter_mut().zip(label_visits(&dates, &treated, &study.timeline)) {
        visit.label = label;
    }
    let is_named = visits.iter().any(|v| v.label == VisitLabel::Baseline);
    let planning = |v: &&mut VisitPlan| v.label == VisitLabel::TreatmentSession(1) && v.side == Some(DaySide::Before);
    if let Some(planning) = visits.iter_mut().find(planning).filter(|_| !is_named) {
        planning.label = VisitLabel::Baseline;
    }
    if visits.iter().any(|v| v.label == VisitLabel::Baseline) {
        return;
    }
    let Some(first) = visits.first().filter(|v| !matches!(v.label, VisitLabel::NoTreatment(_))) else { return };
    let message = format!(
        "no visit is a baseline by [timeline]; the first one, {}, is what later ones are compared with, and by the windows it is \"{}\"",
        first.id, first.label
    );
    notes.push(Note::warning("baseline_outside_window", first.id.to_string(), message));
}

/// Every visit of a day sees the day's files that are no images: what one says of a file that another one uses is forgotten, and what
/// all of them say stands once.
fn forget_remarks_of_one_side(n_visits: usize, said_before: usize, notes: &mut Vec<Note>) {
    const OF_OTHERS: [&str; 3] =
        ["structure_set_of_other_series", "segmentation_of_other_series", "report_of_other_series"];
    if n_visits < 2 {
        return;
    }
    let said = notes.split_off(said_before);
    let said_by_all = |note: &Note| {
        said.iter().filter(|other| other.code == note.code && other.subject == note.subject).count() == n_visits
    };
    for note in &said {
        let is_of_others = OF_OTHERS.contains(&note.code.as_str());
        if !is_of_others || said_by_all(note) && !notes[said_before..].contains(note) {
            notes.push(note.clone());
        }
    }
}

/// A mark on a date without images to measure names nothing.
fn note_marks_without_visit(seeds: &[&SeedRecord], visits: &[VisitPlan], notes: &mut Vec<Note>) {
    for seed in seeds.iter().filter(|seed| !visits.iter().any(|v| v.id == seed.visit)) {
        let message = format!(
            "lesions.csv, line {}: {} is marked on {}, a visit without a series to measure; correct the date, or add the images",
            seed.line, seed.lesion_id, seed.visit
        );
        notes.push(Note::error("mark_without_visit", seed.lesion_id.clone(), message));
    }
}
