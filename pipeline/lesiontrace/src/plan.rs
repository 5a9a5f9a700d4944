//! Who is to be done with what: the archive's patients with the series, masks and clinical rows each visit will use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use formats::archive::{self, ArchiveIndex, PatientImages, SeriesEntry, TimepointImages};
use formats::clinical::{ClinicalTables, PatientRecord, TreatmentRecord};
use formats::dicom::role::not_for_measuring;
use imaging::Note;
use oncology::Date;
use oncology::marker::MarkerReading;

use crate::config::{MaskSource, Study};
use crate::out;

/// One imaging series to be read.
#[derive(Debug, Clone)]
pub(crate) struct SeriesPlan {
    /// Its role, such as `ct_portal_venous`.
    pub(crate) role: String,
    /// What the index knows of it.
    pub(crate) entry: SeriesEntry,
}

/// Imported masks of one visit.
#[derive(Debug, Clone)]
pub(crate) struct MaskPlan {
    /// Instances of lesions, one label each.
    pub(crate) lesions: PathBuf,
    /// The organ, if there is such a file.
    pub(crate) organ: Option<PathBuf>,
    /// Ablation zones, one label each, if there is such a file.
    pub(crate) ablation_zone: Option<PathBuf>,
    /// What the labels are, if there is such a file.
    pub(crate) rows: Option<PathBuf>,
}

/// One visit.
#[derive(Debug, Clone)]
pub(crate) struct VisitPlan {
    /// Its date.
    pub(crate) date: Date,
    /// The series lesions are measured on.
    pub(crate) measure: SeriesPlan,
    /// The arterial phase, if there is one.
    pub(crate) arterial: Option<SeriesPlan>,
    /// The PET, if there is one.
    pub(crate) pet: Option<SeriesPlan>,
    /// Imported masks; `None` leaves the visit to the model.
    pub(crate) masks: Option<MaskPlan>,
}

/// One patient.
#[derive(Debug, Clone)]
pub(crate) struct PatientPlan {
    /// Identifier as in the images.
    pub(crate) id: String,
    /// Visits with something to measure, earliest first.
    pub(crate) visits: Vec<VisitPlan>,
    /// Row of `patients.csv`, if there is one.
    pub(crate) record: Option<PatientRecord>,
    /// Treatments, earliest first.
    pub(crate) treatments: Vec<TreatmentRecord>,
    /// Tumour markers, in the order of the table.
    pub(crate) markers: Vec<MarkerReading>,
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
    pub(crate) patients: Vec<PatientPlan>,
    /// What to doubt about the archive and its tables.
    pub(crate) notes: Vec<Note>,
}

/// Indexes the archive and puts every visit's images, masks and clinical rows together.
pub(crate) fn plan(archive: &Path, study: &Study) -> anyhow::Result<CohortPlan> {
    let indexed = archive::index(archive)?;
    let mut notes = indexed.notes;
    let clinical = ClinicalTables::read(&archive.join(&study.clinical.folder))?;
    let known: BTreeSet<String> = indexed.value.patients.iter().map(|p| p.patient_id.clone()).collect();
    for problem in clinical.unknown_patients(&known) {
        notes.push(Note::error("unknown_patient", problem.file.clone(), problem.to_string()));
    }
    for problem in clinical.problems.iter().filter(|p| p.patient_id.as_ref().is_none_or(|id| !known.contains(id))) {
        notes.push(Note::error("clinical_row", problem.file.clone(), problem.to_string()));
    }
    let wanted: BTreeSet<&String> = study.cohort.patients.iter().collect();
    for id in wanted.iter().filter(|id| !known.contains(id.as_str())) {
        notes.push(Note::error("unknown_patient", id.as_str(), "[cohort] patients names a patient without images"));
    }
    let mut patients = Vec::new();
    for images in indexed.value.patients.iter().filter(|p| wanted.is_empty() || wanted.contains(&p.patient_id)) {
        patients.push(plan_patient(archive, images, &clinical, study, &notes)?);
    }
    warn_about_bare_nifti(&indexed.value, archive, study, &mut notes);
    Ok(CohortPlan { patients, notes })
}

/// NIfTI files outside the mask folder carry neither patient nor date: the main job cannot place them.
fn warn_about_bare_nifti(index: &ArchiveIndex, archive: &Path, study: &Study, notes: &mut Vec<Note>) {
    let masks = archive.join(&study.models.masks);
    let n_bare = index.nifti_files.iter().filter(|path| !path.starts_with(&masks)).count();
    if n_bare > 0 {
        let message = format!(
            "{n_bare} NIfTI files lie outside {}; they carry neither patient nor date and are left out of this run: convert the DICOM series instead, or use the single-step commands",
            study.models.masks.display()
        );
        notes.push(Note::warning("bare_nifti", "archive", message));
    }
}

fn plan_patient(
    archive: &Path,
    images: &PatientImages,
    clinical: &ClinicalTables,
    study: &Study,
    archive_notes: &[Note],
) -> anyhow::Result<PatientPlan> {
    let id = &images.patient_id;
    let mut notes: Vec<Note> = archive_notes.iter().filter(|n| n.subject == *id).cloned().collect();
    let mut visits = Vec::new();
    let mut broken = Vec::new();
    for timepoint in &images.timepoints {
        let left_out = left_out_beside(archive, timepoint, archive_notes);
        match plan_visit(archive, id, timepoint, study, &mut notes) {
            Ok(visit) => visits.extend(visit),
            Err(fault) => broken.push([vec![fault], left_out.iter().map(|n| n.message.clone()).collect()].concat()),
        }
        notes.extend(left_out);
    }
    let mut faults: Vec<String> = clinical.problems_of(id).iter().map(ToString::to_string).collect();
    if visits.is_empty() && broken.is_empty() {
        faults.push(format!(
            "no series can be measured: expected at least one usable series with a role of [series] measure {:?}; see `lesiontrace index` for what each series is and why it is not usable",
            study.series.measure
        ));
    }
    faults.extend(broken.concat());
    let treatments: Vec<TreatmentRecord> = clinical.treatments_of(id).into_iter().cloned().collect();
    let record = clinical.patients.get(id).cloned();
    let markers = clinical.markers.get(id).cloned().unwrap_or_default();
    let input_digest = digest(&visits, record.as_ref(), &treatments, &markers)?;
    Ok(PatientPlan { id: id.clone(), visits, record, treatments, markers, notes, faults, input_digest })
}

/// What the index said of files that lie beside a time point's slices and could not be read: they may belong to its series.
fn left_out_beside(archive: &Path, timepoint: &TimepointImages, archive_notes: &[Note]) -> Vec<Note> {
    let headers = timepoint.series.iter().flat_map(|s| &s.headers);
    let folders: BTreeSet<&Path> = headers.filter_map(|h| h.path.parent()).collect();
    let of_file = |n: &&Note| matches!(n.code.as_ref(), "unreadable_file" | "truncated_file" | "missing_attribute");
    let beside = |n: &&Note| archive.join(&n.subject).parent().is_some_and(|folder| folders.contains(folder));
    archive_notes.iter().filter(of_file).filter(beside).cloned().collect()
}

/// The visit; nothing where the time point holds nothing that is meant for measuring.
///
/// # Errors
/// The images meant for measuring cannot be used. Leaving the visit out would change response and survival without a word, so
/// the patient has to wait until they are mended or removed.
fn plan_visit(
    archive: &Path,
    id: &str,
    timepoint: &TimepointImages,
    study: &Study,
    notes: &mut Vec<Note>,
) -> Result<Option<VisitPlan>, String> {
    for series in timepoint.series.iter().filter(|s| !s.row.usable) {
        let message = format!("{} is not used: {}", describe(series), series.row.reasons.join("; "));
        notes.push(Note::warning("series_not_usable", series.row.series_uid.clone(), message));
    }
    let Some(date) = timepoint.study_date else {
        notes.push(Note::error(
            "no_study_date",
            id,
            "images without a Study Date (0008,0020) cannot be placed in time; set it",
        ));
        return Ok(None);
    };
    let Some(measure) = best_of(timepoint, &study.series.measure) else {
        return broken_series(timepoint, &study.series.measure).map_or(Ok(None), |series| {
            Err(format!(
                "{date}: no series of this visit can be measured: {series}; send the series from the archive again, or remove it"
            ))
        });
    };
    Ok(Some(VisitPlan {
        date,
        measure,
        arterial: best_of(timepoint, &study.series.arterial),
        pet: best_of(timepoint, &study.series.pet),
        masks: (study.models.source != MaskSource::Model)
            .then(|| imported_masks(&archive.join(&study.models.masks), id, date))
            .flatten(),
    }))
}

/// The series that were made for measuring and cannot be used, with the reasons; `None` when there is none.
fn broken_series(timepoint: &TimepointImages, roles: &[String]) -> Option<String> {
    let made_for_it = |s: &&SeriesEntry| {
        let of_role = roles.iter().any(|role| s.row.role.as_str() == role);
        of_role && s.headers.first().is_some_and(|header| not_for_measuring(header).is_none())
    };
    let text = |s: &SeriesEntry| format!("{} ({}): {}", describe(s), s.row.series_uid, s.row.reasons.join("; "));
    let broken: Vec<String> = timepoint.series.iter().filter(made_for_it).map(text).collect();
    (!broken.is_empty()).then(|| broken.join("; "))
}

fn describe(series: &SeriesEntry) -> String {
    format!("{} series {:?} of {} slices", series.row.modality, series.row.description, series.row.n_slices)
}

/// The best-ranked usable series of the first role that the time point has.
fn best_of(timepoint: &TimepointImages, roles: &[String]) -> Option<SeriesPlan> {
    roles.iter().find_map(|role| {
        let of_role = timepoint.series.iter().filter(|s| s.row.usable && s.row.role.as_str() == role);
        of_role.min_by_key(|s| s.row.rank).map(|entry| SeriesPlan { role: role.clone(), entry: entry.clone() })
    })
}

fn imported_masks(masks: &Path, id: &str, date: Date) -> Option<MaskPlan> {
    let folder = masks.join(out::safe_name(id)).join(date.to_string());
    let file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
    Some(MaskPlan {
        lesions: file("lesions.nii.gz").or_else(|| file("lesions.nii"))?,
        organ: file("organ.nii.gz").or_else(|| file("organ.nii")),
        ablation_zone: file("ablation_zone.nii.gz").or_else(|| file("ablation_zone.nii")),
        rows: file("lesions.csv"),
    })
}

/// Images count by SOP instance and file size, masks and clinical rows by their content.
fn digest(
    visits: &[VisitPlan],
    record: Option<&PatientRecord>,
    treatments: &[TreatmentRecord],
    markers: &[MarkerReading],
) -> anyhow::Result<String> {
    let mut text = String::new();
    for visit in visits {
        let series = [Some(&visit.measure), visit.arterial.as_ref(), visit.pet.as_ref()];
        for header in series.into_iter().flatten().flat_map(|s| &s.entry.headers) {
            let size =
                std::fs::metadata(&header.path).with_context(|| format!("reading {}", header.path.display()))?.len();
            text.push_str(&format!("{} {} {size}\n", visit.date, header.sop_instance_uid));
        }
        for (name, path) in mask_files(visit) {
            let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            text.push_str(&format!("{} {name} {}\n", visit.date, out::sha256_hex(&bytes)));
        }
    }
    text.push_str(&format!("{record:?}\n{treatments:?}\n{markers:?}\n"));
    Ok(out::sha256_hex(text.as_bytes()))
}

fn mask_files(visit: &VisitPlan) -> BTreeMap<&'static str, &PathBuf> {
    let Some(masks) = &visit.masks else { return BTreeMap::new() };
    let files = [
        ("lesions", Some(&masks.lesions)),
        ("organ", masks.organ.as_ref()),
        ("ablation_zone", masks.ablation_zone.as_ref()),
        ("rows", masks.rows.as_ref()),
    ];
    files.into_iter().filter_map(|(name, path)| path.map(|path| (name, path))).collect()
}
