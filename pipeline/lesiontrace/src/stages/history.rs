//! Visits before baseline, for the patient's page alone: what is outlined there is measured, and nothing is made of it.

use std::path::PathBuf;

use imaging::{Chord, Note, PlanarDiameters, Severity};
use oncology::{Evaluable, Exact};
use report::{EarlierFinding, EarlierVisit};

use crate::config::Study;
use crate::plan::{MaskPlan, VisitPlan};
use crate::stages::import::import;
use crate::stages::load::{files_of, load, named_alone};
use crate::stages::marks::{Marked, lay};
use crate::stages::measure::{Beside, Sizes, mark_cut, measure};
use crate::stages::pieces;
use crate::stages::segment::{Instance, StageError};

/// The visits before baseline, each with its outlines or the reason why there are none. A visit that cannot be read stops nobody.
pub(crate) fn earlier_visits(history: &[VisitPlan], study: &Study, notes: &mut Vec<Note>) -> Vec<EarlierVisit> {
    history.iter().map(|plan| earlier_visit(plan, study, notes)).collect()
}

fn earlier_visit(plan: &VisitPlan, study: &Study, notes: &mut Vec<Note>) -> EarlierVisit {
    let mut said = Vec::new();
    let (findings, not_measured) = match findings(plan, study, &mut said) {
        Ok(found) => (found, String::new()),
        Err(reason) => (Vec::new(), without_places(reason, plan)),
    };
    // Nothing rests on these images, so that whatever is said of them is for completeness.
    notes.extend(said.into_iter().map(|note| Note {
        severity: Severity::Info,
        message: format!("{} (pre-baseline): {}", plan.id, note.message),
        ..note
    }));
    EarlierVisit {
        id: plan.id,
        label: plan.label.to_string(),
        series_role: plan.measure.role.clone(),
        findings,
        not_measured,
    }
}

/// The reason with the names of files alone: a page is the same wherever the archive lies.
fn without_places(reason: String, plan: &VisitPlan) -> String {
    let outlines: Vec<&PathBuf> = match &plan.masks {
        Some(MaskPlan::Folder(masks)) => {
            let further = [&masks.organ, &masks.ablation_zone, &masks.rows];
            std::iter::once(&masks.lesions).chain(further.into_iter().flatten()).collect()
        }
        Some(MaskPlan::Structures(sets)) => sets.iter().map(|set| &set.path).collect(),
        None => Vec::new(),
    };
    let images = files_of(&plan.measure);
    named_alone(reason, outlines.into_iter().chain(&images))
}

fn findings(plan: &VisitPlan, study: &Study, notes: &mut Vec<Note>) -> Result<Vec<EarlierFinding>, String> {
    let Some(masks) = &plan.masks else {
        return Err("no outlines of this visit were imported, and a model is not run before baseline".to_owned());
    };
    let said = |error: StageError| format!("{} ({})", error.message, error.code);
    let measured = load(&plan.measure, notes).map_err(said)?;
    let mut found = import(masks, &measured.image, study, notes).map_err(said)?;
    let marked = lay(&plan.marks, &mut found, study.tracking.mark_distance_mm, notes);
    let mut sizes = measure(&measured, &found, Beside::default(), notes);
    mark_cut(&mut sizes, &found, plan.shortened.as_deref(), notes);
    let of_lesion = |lesion: &Instance| {
        let own = sizes.iter().find(|sizes| sizes.label == lesion.label);
        own.map(|sizes| finding(lesion, sizes, &marked))
    };
    Ok(found.lesions.iter().filter_map(of_lesion).collect())
}

fn finding(lesion: &Instance, sizes: &Sizes, marked: &Marked) -> EarlierFinding {
    let name = marked.by_label.get(&lesion.label).map(|mark| mark.name.clone());
    let (axes, reason) = match (&sizes.cut, &sizes.planar) {
        (Some(reason), _) | (None, Evaluable::NotEvaluable(reason)) => (Vec::new(), reason.clone()),
        (None, Evaluable::Value(_)) => (sizes.pieces(), String::new()),
    };
    let together = |of: fn(&PlanarDiameters) -> Chord| {
        let pieces: Vec<Exact> = axes.iter().filter_map(|planar| Exact::from_image(of(planar).length().0)).collect();
        pieces::diameter(lesion.kind, &pieces).map(Exact::to_f64)
    };
    EarlierFinding {
        name: name.unwrap_or_else(|| format!("outline {}", lesion.label)),
        organ: lesion.organ.to_string(),
        long_axis_mm: together(|planar| planar.long_axis),
        short_axis_mm: together(|planar| planar.short_axis),
        volume_mm3: (!axes.is_empty()).then_some(sizes.volume.0),
        not_evaluable: reason,
    }
}
