//! The visits of one patient: load, segment, register and measure, and the margins between them.

use std::path::Path;

use imaging::registration::Registration;
use imaging::{Mask, Note, Window};

use super::Reached;
use crate::config::{MaskSource, Modality};
use crate::manifest::Equipment;
use crate::out;
use crate::plan::{PatientPlan, VisitPlan};
use crate::stages::find::{SeriesFacts, VisitFacts};
use crate::stages::import::import;
use crate::stages::load::{LoadedSeries, load};
use crate::stages::margin::MeasuredMargin;
use crate::stages::marks::{Marked, lay, say_why};
use crate::stages::prompted::{Doubted, Marks, outline};
use crate::stages::register::{Side, to_fixed};
use crate::stages::segment::{Found, StageError, infer};
use crate::stages::track::Tracked;
use crate::stages::{dose, margin, measure, overlay, phase};

/// Images of a visit, in memory only while they are needed.
struct Loaded {
    measured: LoadedSeries,
    found: Found,
}

/// Load, segment, register and measure, visit by visit; only baseline and the present visit are in memory.
pub(super) fn read_visits(
    patient: &PatientPlan,
    equipment: &Equipment,
    folder: &Path,
    reached: Reached<'_>,
) -> Result<Vec<VisitFacts>, StageError> {
    let mark_distance_mm = equipment.study.study.tracking.mark_distance_mm;
    let mut baseline: Option<Loaded> = None;
    let mut visits = Vec::with_capacity(patient.visits.len());
    for plan in &patient.visits {
        let mut notes = Vec::new();
        reached("load")?;
        let measured = load(&plan.measure, &mut notes)?;
        reached("segment")?;
        let (mut found, doubted) = find(plan, &measured, equipment, &mut notes)?;
        let mut marked = lay(&plan.marks, &mut found, mark_distance_mm, &mut notes);
        say_why(&doubted, &mut marked, &mut notes);
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

/// Everything outlined on a visit: imported or by the model, then what a reader marked and neither of them holds.
fn find(
    plan: &VisitPlan,
    measured: &LoadedSeries,
    equipment: &Equipment,
    notes: &mut Vec<Note>,
) -> Result<(Found, Doubted), StageError> {
    let mut found = find_unprompted(plan, measured, equipment, notes)?;
    let network = Modality::of(&measured.modality).and_then(|modality| equipment.prompted.get(&modality));
    let max_distance_mm = equipment.study.study.tracking.mark_distance_mm;
    let doubted = match network {
        Some(network) => outline(Marks { seeds: &plan.marks, max_distance_mm }, measured, network, &mut found, notes)?,
        None => Doubted::new(),
    };
    Ok((found, doubted))
}

fn find_unprompted(
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
        outlined_by: found.outlined_by.clone(),
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

pub(super) fn write_error(error: &anyhow::Error) -> StageError {
    let transient = crate::exit::is_transient(error);
    StageError { stage: "report", code: "write".to_owned(), message: format!("{error:#}"), transient }
}

pub(super) fn margins(
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
        let (found, _) = find(plan, &measured, equipment, notes)?;
        Ok::<_, StageError>(Loaded { measured, found })
    };
    // What was noted on the first reading of these images stands already.
    let (fixed, moving) = (read(before, &mut Vec::new())?, read(after, &mut Vec::new())?);
    to_fixed(side(&fixed), side(&moving), &equipment.study.study.registration, notes)
}
