//! What is read at one visit: the series to measure, the arterial phase and PET beside it, masks and marks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use formats::archive::{SeriesEntry, TimepointImages};
use formats::clinical::SeedRecord;
use formats::dicom::derived_uid;
use formats::dicom::role::not_for_measuring;
use formats::image_file::ENDINGS;
use formats::nifti_archive::derivatives::Derived;
use formats::stored;
use imaging::{FrameId, Note};
use oncology::VisitId;
use oncology::visit_window::VisitLabel;

use super::outlines::{Days, DicomOutlines};
use super::treatment_day::DayImages;
use super::{
    CriticalPlan, MaskFolder, MaskPlan, Purpose, SeriesPlan, VisitPlan, critical, doses, given_map, label_maps,
    reports, segmentations, structures,
};
use crate::config::series::NiftiFrame;
use crate::config::{MaskSource, Study};
use crate::out;

/// Where a patient's visits come from.
pub(super) struct Source<'a> {
    pub(super) archive: &'a Path,
    pub(super) id: &'a str,
    pub(super) study: &'a Study,
    /// The patient's marks.
    pub(super) seeds: Vec<&'a SeedRecord>,
    /// The patient's time points.
    pub(super) timepoints: &'a [TimepointImages],
    /// The patient's label maps and masks in `derivatives/` of a BIDS tree.
    pub(super) derived: Vec<&'a Derived>,
    /// What the index said of the whole archive.
    pub(super) archive_notes: &'a [Note],
}

/// The visit; nothing where the time point holds nothing that is meant for measuring.
///
/// # Errors
/// The images meant for measuring cannot be used. Leaving the visit out would change response and survival without a word, so
/// the patient has to wait until they are mended or removed.
pub(super) fn plan_visit(
    source: &Source<'_>,
    day: &DayImages,
    notes: &mut Vec<Note>,
) -> Result<Option<VisitPlan>, Vec<String>> {
    let (study, timepoint) = (source.study, &day.images);
    for series in timepoint.series.iter().filter(|s| !s.row.usable && !says_of_images(s)) {
        let message = format!("{} is not used: {}", describe(series), series.row.reasons.join("; "));
        notes.push(Note::warning("series_not_usable", series.row.series_uid.clone(), message));
    }
    let left_out = left_out_beside(source, timepoint);
    notes.extend(left_out.iter().map(|n| (*n).clone()));
    let Some(id) = day.id else {
        notes.push(Note::error(
            "no_study_date",
            source.id,
            "images without a Study Date (0008,0020) cannot be placed in time; set it",
        ));
        return Ok(None);
    };
    let Some(mut measure) = best_of(timepoint, &study.series.measure) else {
        let Some(series) = broken_series(timepoint, &study.series.measure) else { return Ok(None) };
        let fault = format!(
            "{id}: no series of this visit can be measured: {series}; send the series from the archive again, or remove it"
        );
        return Err([vec![fault], left_out.iter().map(|n| n.message.clone()).collect()].concat());
    };
    let mut arterial = best_of(timepoint, &study.series.arterial);
    let mut pet = best_of(timepoint, &study.series.pet);
    let mut adc = best_of(timepoint, &study.series.adc);
    if study.series.nifti_frame == NiftiFrame::Visit {
        for series in [Some(&mut measure), arterial.as_mut(), pet.as_mut(), adc.as_mut()].into_iter().flatten() {
            share_frame(series, source.id, id);
        }
    }
    let second_choice = second_choice(timepoint, &study.series.measure, &measure);
    if let Some(reason) = &second_choice {
        notes.push(Note::error("second_choice", id.to_string(), reason.clone()));
    }
    Ok(Some(VisitPlan {
        id,
        label: VisitLabel::NoTreatment(0),
        purpose: Purpose::Response,
        side: day.side,
        shortened: shortened(source, &measure, &left_out),
        second_choice: second_choice.or_else(|| day.not_evaluable.clone()),
        arterial,
        pet,
        adc,
        masks: masks(source, timepoint, id, &measure, notes)?,
        critical: critical(source, id, notes),
        given_map: given_map::of_visit(&patient_folder(source).join(id.to_string()), id, notes),
        doses: doses::of_visit(source.timepoints, &measure),
        marks: marks(source, timepoint, id, &measure, notes),
        measure,
    }))
}

/// Where what was outlined of the patient elsewhere lies, a folder for each visit.
fn patient_folder(source: &Source<'_>) -> PathBuf {
    source.archive.join(&source.study.models.masks).join(out::safe_name(source.id))
}

/// The critical structures beside the visit's masks, whoever outlines its lesions.
fn critical(source: &Source<'_>, id: VisitId, notes: &mut Vec<Note>) -> Vec<CriticalPlan> {
    let patient = patient_folder(source);
    critical::of_visit(&patient, &patient.join(id.to_string()), notes)
}

/// Whether a series holds an image, and is no outline, report or dose.
pub(crate) fn is_image(series: &SeriesEntry) -> bool {
    matches!(series.row.modality.as_str(), "CT" | "MR" | "PT")
}

/// Structure sets, segmentations, reports and doses hold no image; what became of them is said where they are read.
fn says_of_images(series: &SeriesEntry) -> bool {
    [DicomOutlines::StructureSets.modality(), DicomOutlines::Segmentations.modality(), reports::SR, doses::RTDOSE]
        .contains(&series.row.modality.as_str())
}

/// What a reader marked: in `lesions.csv`, then in structured reports.
fn marks(
    source: &Source<'_>,
    timepoint: &TimepointImages,
    id: VisitId,
    measure: &SeriesPlan,
    notes: &mut Vec<Note>,
) -> Vec<SeedRecord> {
    let mut marks: Vec<SeedRecord> = source.seeds.iter().filter(|s| s.visit == id).map(|s| (*s).clone()).collect();
    let visit = reports::Visit { archive: source.archive, patient_id: source.id, id, timepoint, measure };
    let of_reports = reports::marks(&visit, &marks, notes);
    marks.extend(of_reports);
    marks
}

/// Told that the files of a visit share a frame of reference, those without a stated one do.
fn share_frame(series: &mut SeriesPlan, id: &str, visit: VisitId) {
    if let Some(file) = series.entry.nifti.as_mut().filter(|file| !file.frame_is_stated) {
        file.frame = FrameId::new(derived_uid(&["nifti visit", id, &visit.to_string()]));
    }
}

/// What the index said of files that lie beside a time point's slices and could not be read: they may belong to its series.
fn left_out_beside<'a>(source: &Source<'a>, timepoint: &TimepointImages) -> Vec<&'a Note> {
    let left_out: Vec<&Note> = source.archive_notes.iter().filter(|note| is_of_file(note)).collect();
    if left_out.is_empty() {
        return left_out;
    }
    let folders = folders(&timepoint.series);
    left_out.into_iter().filter(|note| lies_in(source.archive, note, &folders)).collect()
}

/// The folders that the slices of some series lie in.
fn folders<'a>(series: impl IntoIterator<Item = &'a SeriesEntry>) -> BTreeSet<PathBuf> {
    let headers = series.into_iter().flat_map(|s| s.headers.unpack());
    headers.filter_map(|h| h.path.parent().map(Path::to_owned)).collect()
}

/// Whether a note says of a DICOM file that it is left out.
fn is_of_file(note: &Note) -> bool {
    matches!(note.code.as_ref(), "unreadable_file" | "truncated_file" | "missing_attribute")
}

fn lies_in(archive: &Path, note: &Note, folders: &BTreeSet<PathBuf>) -> bool {
    archive.join(&note.subject).parent().is_some_and(|folder| folders.contains(folder))
}

/// A file that could not be read beside the measured slices may have been its first or last: in the middle it would be missed.
fn shortened(source: &Source<'_>, measure: &SeriesPlan, left_out: &[&Note]) -> Option<String> {
    if left_out.is_empty() {
        return None;
    }
    let folders = folders([&measure.entry]);
    let files: Vec<&str> =
        left_out.iter().filter(|n| lies_in(source.archive, n, &folders)).map(|n| n.subject.as_str()).collect();
    (!files.is_empty()).then(|| {
        format!(
            "the image may lack its first or last slice ({} beside it cannot be read); send the series from the archive again",
            files.join(", ")
        )
    })
}

/// The series that were made for measuring and cannot be used, with the reasons; `None` when there is none.
fn broken_series(timepoint: &TimepointImages, roles: &[String]) -> Option<String> {
    let made_for_it = |s: &&SeriesEntry| {
        let of_role = roles.iter().any(|role| s.row.role.as_str() == role);
        let is_image = s.headers.first().is_some_and(|header| not_for_measuring(header).is_none());
        of_role && !s.row.usable && (is_image || s.nifti.is_some())
    };
    let text = |s: &SeriesEntry| format!("{} ({}): {}", describe(s), s.row.series_uid, s.row.reasons.join("; "));
    let broken: Vec<String> = timepoint.series.iter().filter(made_for_it).map(text).collect();
    (!broken.is_empty()).then(|| broken.join("; "))
}

/// Why the series measured is not the one that should have been: one of a role before it is there and cannot be used.
///
/// Criteria compare a visit with baseline on the same technique (Eisenhauer et al. 2009, §3.2); another phase shows other borders.
fn second_choice(timepoint: &TimepointImages, roles: &[String], measure: &SeriesPlan) -> Option<String> {
    let before: Vec<String> = roles.iter().take_while(|role| **role != measure.role).cloned().collect();
    let broken = broken_series(timepoint, &before)?;
    Some(format!(
        "measured on {} because the series before it in [series] measure cannot be used ({broken}); its sizes are listed, response is not evaluable at this visit: send the series again, or remove it from the archive to have the visit assessed on {}",
        measure.role, measure.role
    ))
}

pub(super) fn describe(series: &SeriesEntry) -> String {
    format!("{} series {:?} of {} slices", series.row.modality, series.row.description, series.row.n_slices)
}

/// The best-ranked usable series of the first role that the time point has.
fn best_of(timepoint: &TimepointImages, roles: &[String]) -> Option<SeriesPlan> {
    roles.iter().find_map(|role| {
        let of_role = timepoint.series.iter().filter(|s| s.row.usable && s.row.role.as_str() == role);
        of_role.min_by_key(|s| s.row.rank).map(|entry| SeriesPlan { role: role.clone(), entry: entry.clone() })
    })
}

/// The mask folder of the visit, or the structure sets, or the segmentations that refer to the measured series.
fn masks(
    source: &Source<'_>,
    timepoint: &TimepointImages,
    id: VisitId,
    measure: &SeriesPlan,
    notes: &mut Vec<Note>,
) -> Result<Option<MaskPlan>, Vec<String>> {
    if source.study.models.source == MaskSource::Model {
        return Ok(None);
    }
    let folder = patient_folder(source).join(id.to_string());
    let days = Days { archive: source.archive, visit: timepoint, all: source.timepoints };
    let sets = structures::of_visit(days, measure, &source.study.structures, notes)
        .map_err(|fault| vec![format!("{id}: {fault}")])?;
    let segmentations = segmentations::of_visit(days, measure, &source.study.structures, notes)
        .map_err(|fault| vec![format!("{id}: {fault}")])?;
    if !sets.is_empty() && !segmentations.is_empty() {
        let message = "the visit has a structure set and a segmentation; the structure set is used";
        notes.push(Note::warning("masks_twice", id.to_string(), message));
    }
    let sets = if sets.is_empty() { segmentations } else { sets };
    let maps = label_maps::of_visit(source.archive, &source.derived, measure, &source.study.structures, notes)
        .map_err(|fault| vec![format!("{id}: {fault}")])?;
    let sets = if sets.is_empty() { maps } else { sets };
    match (mask_folder(&folder), sets.is_empty()) {
        (Some(masks), true) => Ok(Some(MaskPlan::Folder(masks))),
        (Some(masks), false) => {
            let message =
                "the visit has a mask folder and a structure set, segmentation or derivative; the mask folder is used";
            notes.push(Note::warning("masks_twice", id.to_string(), message));
            Ok(Some(MaskPlan::Folder(masks)))
        }
        (None, false) => Ok(Some(MaskPlan::Structures(sets))),
        (None, true) => Ok(None),
    }
}

fn mask_folder(folder: &Path) -> Option<MaskFolder> {
    let file = |name: String| Some(folder.join(name)).filter(|path| stored::is_file(path));
    let image = |stem: &str| ENDINGS.into_iter().find_map(|ending| file(format!("{stem}{ending}")));
    Some(MaskFolder {
        lesions: image("lesions")?,
        organ: image("organ"),
        ablation_zone: image("ablation_zone"),
        rows: file("lesions.csv".to_owned()),
    })
}
