//! Writes a synthetic cohort as an archive: DICOM series, clinical tables, the true masks in importable form, and `truth.json`.
//!
//! The masks' `lesions.csv` says organ and kind of each label but not which lesion it is: following a lesion through time is the
//! program's task, and only `truth.json` knows the answer.

use std::path::Path;

use anyhow::Context as _;
use formats::dicom::write::{Contrast, ModalityToWrite, PetToWrite, SeriesToWrite, write_series};
use formats::nifti;
use imaging::Volume;
use indicatif::ProgressBar;
use jiff::ToSpan as _;
use phantom::{CohortSpec, CohortTruth, Image, PatientPlan, PetInfo, Phase, Series, Visit};
use rayon::prelude::*;
use serde::Serialize;

use crate::out;

/// Tube voltage of every synthetic CT, kV.
const TUBE_VOLTAGE_KV: f64 = 120.0;

/// Writes the archive; patients one after the other, one visit in memory at a time, its files in parallel.
///
/// The folder must be new or empty, or hold the same cohort: left-over images of another one would be taken for patients.
pub(crate) fn write(spec: &CohortSpec, out: &Path, progress: &ProgressBar) -> anyhow::Result<CohortTruth> {
    write_patients(&phantom::cohort(spec), None, out, progress)
}

/// The same of patients planned elsewhere; `study_file` is written as `study.toml`.
pub(crate) fn write_patients(
    patients: &[PatientPlan],
    study_file: Option<&str>,
    out: &Path,
    progress: &ProgressBar,
) -> anyhow::Result<CohortTruth> {
    let truth = phantom::cohort_truth(patients);
    let mut truth_bytes = serde_json::to_vec_pretty(&truth).context("turning the truth into JSON")?;
    truth_bytes.push(b'\n');
    check_folder(out, &truth_bytes)?;
    out::write_atomic(&out.join("truth.json"), &truth_bytes)?;
    let tables = phantom::clinical_tables(patients);
    for (name, text) in [
        ("clinical/patients.csv", tables.patients_csv.as_str()),
        ("clinical/treatments.csv", &tables.treatments_csv),
        ("clinical/markers.csv", &tables.markers_csv),
        ("clinical/lesions.csv", &tables.lesions_csv),
        ("study.toml", study_file.unwrap_or_default()),
    ] {
        if !text.is_empty() {
            out::write_atomic(&out.join(name), text.as_bytes())?;
        }
    }
    progress.set_length(patients.iter().map(PatientPlan::n_visits).sum::<usize>() as u64);
    for (patient, known) in patients.iter().zip(&truth.patients) {
        for (n, visit_truth) in known.visits.iter().enumerate() {
            progress.set_message(format!("{} {}", patient.patient_id(), visit_truth.visit));
            let visit = patient.visit(n).context("a planned visit has no images")?;
            write_images(patient, &visit, out)?;
            write_masks(&visit, &visit_truth.masks, out)?;
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    Ok(truth)
}

fn check_folder(out: &Path, truth: &[u8]) -> anyhow::Result<()> {
    let holds_something = std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if !holds_something || std::fs::read(out.join("truth.json")).is_ok_and(|found| found == truth) {
        return Ok(());
    }
    anyhow::bail!(
        "expected a new or empty folder, found files of something else in {}; delete it or name another folder",
        out.display()
    )
}

fn write_images(patient: &PatientPlan, visit: &Visit, out: &Path) -> anyhow::Result<()> {
    let folder = out.join(patient.patient_id()).join(&visit.name);
    visit.series.par_iter().try_for_each(|series| {
        let folder = folder.join(&series.description);
        let volume = match &series.image {
            Image::Ct(hu) => hu.to_values(),
            Image::Mr(signal) => signal.clone(),
            Image::Pet(activity) => activity.to_values(),
        };
        write_series(&folder, &to_write(patient, visit, series, &volume))
            .map(drop)
            .with_context(|| format!("writing {}", folder.display()))
    })
}

fn to_write<'a>(patient: &PatientPlan, visit: &Visit, series: &Series, volume: &'a Volume<f32>) -> SeriesToWrite<'a> {
    let person = patient.person();
    let (modality, image_type) = modality_of(series);
    SeriesToWrite {
        volume,
        modality,
        patient_id: patient.patient_id().to_owned(),
        patient_sex: Some(person.sex.to_string()),
        patient_weight_kg: Some(person.weight_kg),
        patient_height_m: Some(person.height_m),
        study_uid: visit.study_uid.clone(),
        series_uid: series.series_uid.clone(),
        sop_instance_uids: (0..volume.shape().nk).map(|k| series.sop_instance_uid(k)).collect(),
        study_datetime: visit.series.first().map_or(series.acquisition, |first| first.acquisition),
        acquisition_datetime: series.acquisition,
        study_description: "Synthetic follow-up of the liver".to_owned(),
        series_description: series.description.clone(),
        series_number: series.number,
        slice_thickness_mm: series.slice_thickness_mm,
        image_type: ["ORIGINAL", "PRIMARY", image_type].map(str::to_owned).to_vec(),
        manufacturer: "lesiontrace phantom".to_owned(),
    }
}

fn modality_of(series: &Series) -> (ModalityToWrite, &'static str) {
    match (&series.image, &series.pet) {
        (Image::Ct(_), _) => {
            let contrast = series.phase.filter(|phase| *phase != Phase::Native).map(|phase| contrast(series, phase));
            (ModalityToWrite::Ct { kvp: TUBE_VOLTAGE_KV, contrast }, "AXIAL")
        }
        (Image::Pet(_), Some(pet)) => (ModalityToWrite::Pet(Box::new(pet_of(pet))), "AXIAL"),
        (Image::Mr(_) | Image::Pet(_), _) => {
            let t2 = series.description.contains("T2");
            let (sequence, repetition_time_ms, echo_time_ms) = if t2 { ("SE", 4000.0, 90.0) } else { ("GR", 4.5, 2.1) };
            let scanning_sequence = sequence.to_owned();
            (ModalityToWrite::Mr { scanning_sequence, repetition_time_ms, echo_time_ms, contrast: None }, "M")
        }
    }
}

fn contrast(series: &Series, phase: Phase) -> Contrast {
    let injection = series.acquisition.checked_sub(i64::from(phase.delay_s()).seconds()).ok();
    Contrast {
        agent: "iodinated contrast medium".to_owned(),
        route: "IV".to_owned(),
        start_time: injection.map(jiff::civil::DateTime::time),
    }
}

fn pet_of(pet: &PetInfo) -> PetToWrite {
    PetToWrite {
        units: "BQML".to_owned(),
        decay_correction: pet.decay_correction.to_owned(),
        corrected_image: ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"].map(str::to_owned).to_vec(),
        suv_type: None,
        radiopharmaceutical: "Fluorodeoxyglucose".to_owned(),
        total_dose_bq: pet.injected_dose_bq,
        half_life_s: pet.half_life_s,
        injection: pet.injection,
    }
}

/// A row of a mask folder's `lesions.csv`.
#[derive(Serialize)]
struct MaskRow {
    label: u16,
    organ: phantom::truth::Organ,
    kind: phantom::truth::Kind,
}

fn write_masks(visit: &Visit, files: &phantom::truth::MaskFiles, out: &Path) -> anyhow::Result<()> {
    let lesions = out.join(&files.lesions);
    nifti::write_labels(&lesions, &visit.lesions)?;
    nifti::write_mask(&out.join(&files.organ), &visit.organ)?;
    nifti::write_labels(&out.join(&files.ablation_zone), &visit.zones)?;
    let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    table.write_record(["label", "organ", "kind"])?;
    for row in &visit.lesion_rows {
        table.serialize(MaskRow { label: row.label, organ: row.organ, kind: row.kind })?;
    }
    let bytes = table.into_inner().context("writing lesions.csv")?;
    out::write_atomic(&lesions.with_file_name("lesions.csv"), &bytes)
}
