//! Stage *segment*, marks without an outline: lesions a reader marked and nobody outlined are outlined from the mark by a network
//! made for it (`[models.prompted]`). What is not to be trusted stays *seen, not measured*, with the reason.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use formats::clinical::SeedRecord;
use imaging::{LabelMap, Note};
use inference::{Card, Prompt, Segmenter};
use oncology::{LesionKind, Organ};
use serde::{Deserialize, Serialize};

use crate::cache::outlines::{from_runs, label_runs};
use crate::stages::load::LoadedSeries;
use crate::stages::marks::{Unmeasured, lay};
use crate::stages::segment::{Found, StageError, check_made_for, instance};

/// What a reader marked at a visit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks<'a> {
    /// The marks, in the order of their table.
    pub(crate) seeds: &'a [SeedRecord],
    /// A mark outside every outline names the nearest one within this distance.
    pub(crate) max_distance_mm: f64,
}

/// What a network said of several marks together; small enough to be kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Labels of the lesions as runs, on the series' grid.
    labels: Vec<u32>,
    /// One for each mark, in their order.
    lesions: Vec<Lesion>,
}

/// One lesion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Lesion {
    label: u16,
    spacing_mm: f64,
    agreement: Option<f64>,
    /// Why not to trust it; empty where nothing speaks against it.
    reasons: Vec<String>,
    n_voxels: usize,
}

/// Asks a network.
pub(crate) fn ask(network: &Segmenter, series: &LoadedSeries, prompts: &[Prompt]) -> Result<Answer, StageError> {
    // The engine numbers lesions; what it says of each is said again under the reader's name.
    let outlined = network
        .segment_prompted(&series.image, prompts, &|_, _| ControlFlow::Continue(()))
        .map_err(|error| StageError::new("segment", "prompted_model", error.to_string()))?
        .value;
    let of = |lesion: &inference::PromptedLesion| Lesion {
        label: lesion.label,
        spacing_mm: lesion.spacing_mm,
        agreement: lesion.agreement,
        reasons: if lesion.trusted { Vec::new() } else { lesion.reasons.clone() },
        n_voxels: lesion.n_voxels,
    };
    let lesions = outlined.lesions.iter().map(of).collect();
    Ok(Answer { labels: label_runs(&outlined.segmentation.labels), lesions })
}

/// Whoever answers for a network: itself, or what was kept of it.
type Ask<'a> = &'a dyn Fn(&[Prompt], &mut Vec<Note>) -> Result<Answer, StageError>;

/// Why an outline made from a mark is not measured, by the mark's name.
pub(crate) type Doubted = BTreeMap<String, String>;

/// Adds an outline for each mark that has none, where it can be trusted.
pub(crate) fn outline(
    marks: Marks<'_>,
    series: &LoadedSeries,
    (card, ask): (&Card, Ask<'_>),
    found: &mut Found,
    notes: &mut Vec<Note>,
) -> Result<Doubted, StageError> {
    let mut doubted = Doubted::new();
    let open = open_marks(marks, found);
    if open.is_empty() {
        return Ok(doubted);
    }
    let model = format!("{}-{}", card.name, card.version);
    if let Err(error) = check_made_for(card, series, notes) {
        doubted.extend(open.iter().map(|mark| (mark.mark.name.clone(), error.message.clone())));
        return Ok(doubted);
    }
    let prompts: Vec<Prompt> = open.iter().map(|mark| Prompt::Point(mark.point.to_array())).collect();
    let answer = ask(&prompts, notes)?;
    let labels = &from_runs(&answer.labels, series.image.grid()).ok_or_else(|| {
        StageError::new("segment", "cache", "the kept outlines are not those of this image; run again with --force")
    })?;
    for (mark, lesion) in open.iter().zip(&answer.lesions) {
        let name = &mark.mark.name;
        let other = open.iter().find(|other| other.mark.name != *name && label_at(labels, other) == Some(lesion.label));
        let reason = match other {
            Some(other) if lesion.reasons.is_empty() => Some(format!("it holds the mark {}, too", other.mark.name)),
            _ => refused(mark, lesion, labels, found),
        };
        if let Some(reason) = reason {
            let why = format!(
                "the outline that the network {model} made from the mark is not to be trusted ({reason}); outline it by hand"
            );
            doubted.insert(name.clone(), why);
        } else {
            let n_left = add(mark, lesion, labels, &model, found);
            notes.push(Note::info("outlined_from_mark", name.clone(), said(name, &model, lesion, n_left)));
        }
    }
    Ok(doubted)
}

/// The marks that would stay without an outline and lie in the image, in no outline.
fn open_marks(marks: Marks<'_>, found: &Found) -> Vec<Unmeasured> {
    if marks.seeds.is_empty() {
        return Vec::new();
    }
    let marked = lay(marks.seeds, &mut found.clone(), marks.max_distance_mm, &mut Vec::new());
    let is_open = |mark: &Unmeasured| label_at(&found.lesion_map, mark) == Some(0);
    marked.unmeasured.into_iter().filter(is_open).collect()
}

/// The label a mark lies in; `None` outside the image.
fn label_at(labels: &LabelMap, mark: &Unmeasured) -> Option<u16> {
    labels.grid().nearest(mark.point).map(|at| *labels.at(at))
}

/// Why an outline is not measured: the engine doubts it, it does not hold its mark, or it covers what is outlined already.
fn refused(mark: &Unmeasured, lesion: &Lesion, labels: &LabelMap, found: &Found) -> Option<String> {
    if !lesion.reasons.is_empty() {
        return Some(lesion.reasons.join("; "));
    }
    if label_at(labels, mark) != Some(lesion.label) {
        return Some("the mark itself lies outside it".to_owned());
    }
    let shared = |map: &LabelMap| {
        let both = labels.values().iter().zip(map.values());
        2 * both.filter(|(own, other)| **own == lesion.label && **other != 0).count() > lesion.n_voxels
    };
    if shared(&found.lesion_map) {
        return Some("more than half of it lies in outlines of other lesions".to_owned());
    }
    shared(&found.zone_map).then(|| "more than half of it lies in an ablation zone".to_owned())
}

/// Adds the lesion under the next free label, without what another outline holds; returns the number of those voxels.
fn add(mark: &Unmeasured, lesion: &Lesion, labels: &LabelMap, model: &str, found: &mut Found) -> usize {
    let label = found.lesions.iter().map(|l| l.label).max().unwrap_or(0).saturating_add(1);
    let mut mask = labels.label_mask(lesion.label);
    let mut n_left = 0;
    for (set, to) in mask.values_mut().iter_mut().zip(found.lesion_map.values_mut()).filter(|(set, _)| **set) {
        if *to == 0 {
            *to = label;
        } else {
            *set = false;
            n_left += 1;
        }
    }
    if let Some(organ) = found.organ.as_mut().filter(|_| mark.mark.organ == Organ::Liver) {
        organ.values_mut().iter_mut().zip(mask.values()).for_each(|(inside, set)| *inside |= *set);
    }
    let instance = instance(label, &mask, (Organ::Unknown, LesionKind::Lesion));
    found.lesions.push(instance.expect("the mark's own voxel is set, and no other outline holds it"));
    found.outlined_by.insert(label, format!("model:{model}"));
    n_left
}

fn said(name: &str, model: &str, lesion: &Lesion, n_left: usize) -> String {
    let agreement = lesion.agreement.unwrap_or_default();
    let left = match n_left {
        0 => String::new(),
        n => format!("; {n} of its {} voxels lie in other outlines and stay there", lesion.n_voxels),
    };
    format!(
        "{name}: outlined from the reader's mark by the network {model} at {:.2} mm; its views agree to {agreement:.2}{left}",
        lesion.spacing_mm
    )
}

#[cfg(test)]
mod tests;
