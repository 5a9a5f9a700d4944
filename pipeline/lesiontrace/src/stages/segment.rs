//! Stage *segment*: which voxels are liver, lesions and ablation zones, by a model; imported ones are in [`super::import`].

use std::collections::{BTreeMap, BTreeSet};

use imaging::{Connectivity, Grid, Index3, LabelMap, Mask, Note, Volume, Window, components};
use inference::{Card, Role, Segmentation, Segmenter};
use oncology::{LesionKind, Organ};
use serde::{Deserialize, Serialize};

use crate::stages::load::LoadedSeries;

/// Why a stage has no result for a patient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct StageError {
    /// Stage.
    pub(crate) stage: &'static str,
    /// Machine-readable reason.
    pub(crate) code: String,
    /// What was expected, found, where, and what to do.
    pub(crate) message: String,
    /// Whether the same command may succeed later (disk full, file vanished).
    pub(crate) transient: bool,
}

impl StageError {
    /// A fault in the patient's data.
    pub(crate) fn new(stage: &'static str, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { stage, code: code.into(), message: message.into(), transient: false }
    }
}

/// One lesion or zone on the grid of its visit, cut to its own box.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Instance {
    /// Label in the visit's map.
    pub(crate) label: u16,
    /// Its voxels, with a rim of background voxels.
    #[serde(with = "crate::observed::mask")]
    pub(crate) mask: Mask,
    /// Organ it lies in (lesions).
    pub(crate) organ: Organ,
    /// Lymph node or not (lesions).
    pub(crate) kind: LesionKind,
}

/// What was found on one visit's measured series.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The organ with everything in it, on the series' grid.
    pub(crate) organ: Option<Mask>,
    /// Lesions, ascending by label.
    pub(crate) lesions: Vec<Instance>,
    /// Ablation zones, ascending by label.
    pub(crate) zones: Vec<Instance>,
    /// The lesions as one map, on the series' grid.
    pub(crate) lesion_map: LabelMap,
    /// The zones as one map, on the series' grid.
    pub(crate) zone_map: LabelMap,
    /// `imported_mask` or `model:<name>-<version>`.
    pub(crate) source: String,
    /// Who outlined a lesion, by label, where it was not `source`.
    pub(crate) outlined_by: BTreeMap<u16, String>,
    /// Why a lesion may be none, by label: it lies where the model was not made to look.
    pub(crate) in_doubt: BTreeMap<u16, String>,
    /// The organ whose lesions the model looks for; `None` where it looks everywhere, or where no model looked.
    pub(crate) looked_in: Option<String>,
}

/// Background voxels kept round an instance, so that outlines and distances have room.
const RIM: usize = 4;

impl Found {
    /// Nothing outlined on a grid.
    pub(crate) fn nothing(grid: &Grid, source: &str) -> Self {
        let empty = LabelMap::filled(grid.clone(), 0);
        Self {
            organ: None,
            lesions: Vec::new(),
            zones: Vec::new(),
            lesion_map: empty.clone(),
            zone_map: empty,
            source: source.to_owned(),
            outlined_by: BTreeMap::new(),
            in_doubt: BTreeMap::new(),
            looked_in: None,
        }
    }
}

/// Cuts every label of a map out.
pub(crate) fn instances(map: &LabelMap, mut describe: impl FnMut(u16) -> (Organ, LesionKind)) -> Vec<Instance> {
    let cut = |(label, ends)| {
        let mask = Window::of_box(ends, [RIM; 3]).cut(map, 0).ok()?.map(|v| *v == label);
        let (organ, kind) = describe(label);
        Some(Instance { label, mask, organ, kind })
    };
    map.label_boxes().into_iter().filter_map(cut).collect()
}

/// One instance cut to its box; `None` for an empty mask.
pub(crate) fn instance(label: u16, mask: &Mask, (organ, kind): (Organ, LesionKind)) -> Option<Instance> {
    let window = Window::around(mask, [RIM; 3])?;
    Some(Instance { label, mask: window.cut(mask, false).ok()?, organ, kind })
}

/// Below this mean the tissue round a finding is lung. Origin: aerated lung lies near −800 HU, fat near −100 HU.
const LUNG_BELOW_HU: f32 = -350.0;
/// Half-width of the shell looked at round a finding, voxels.
const SHELL: usize = 2;
/// What lies farther from the organ and from every zone than this is apart from it, mm along each axis of the grid, and a voxel at least.
/// Origin: a lesion under the capsule of an organ that is outlined too small lies beside it, bowel in fat farther off.
const NEAR_MM: f64 = 3.0;

/// Runs the model; every connected finding becomes one instance.
pub(crate) fn infer(
    segmenter: &Segmenter,
    series: &LoadedSeries,
    min_volume_mm3: f64,
    notes: &mut Vec<Note>,
) -> Result<Found, StageError> {
    check_made_for(segmenter.card(), series, notes)?;
    let image = &series.image;
    let segmentation = segmenter
        .segment(image)
        .map_err(|error| StageError::new("segment", "model", error.to_string()))?
        .note_into(notes);
    let provenance = &segmentation.provenance;
    let source = format!("model:{}-{}", provenance.model, provenance.model_version);
    let lesion_map = separate(&segmentation, Role::Lesion, min_volume_mm3, notes);
    let zone_map = separate(&segmentation, Role::AblationZone, min_volume_mm3, notes);
    let organ_labels = labels_of(&segmentation, Role::Organ);
    let in_organ = segmentation.labels.map(|v| organ_labels.contains(v));
    let looked_in = looked_in(segmenter.card());
    let boxes = lesion_map.label_boxes();
    let mut in_doubt = BTreeMap::new();
    let has_organ = !in_organ.is_empty_mask();
    let lesions = instances(&lesion_map, |label| {
        let around = Around::of((&lesion_map, label, boxes[&label]), &in_organ, &zone_map, image);
        let is_near = || is_near((&lesion_map, label, boxes[&label]), &in_organ, &zone_map);
        if let Some(looked_in) = looked_in.as_ref().filter(|_| !is_near()) {
            let apart = format!("it lies more than {NEAR_MM} mm from the {looked_in}");
            let why = if has_organ { apart } else { format!("no {looked_in} was found in this image") };
            in_doubt.insert(label, format!("{why}, and {source} looks for lesions of the {looked_in}"));
        }
        (if has_organ { around.place() } else { Organ::Unknown }, LesionKind::Lesion)
    });
    let zones = instances(&zone_map, |_| (Organ::Liver, LesionKind::Lesion));
    let mut organ = in_organ;
    for (set, (lesion, zone)) in organ.values_mut().iter_mut().zip(lesion_map.values().iter().zip(zone_map.values())) {
        let in_liver = lesions.iter().any(|l| l.label == *lesion && l.organ == Organ::Liver);
        *set |= *zone != 0 || (*lesion != 0 && in_liver);
    }
    let organ = (!organ.is_empty_mask()).then_some(organ);
    if organ.is_none() {
        notes.push(Note::warning(
            "no_organ",
            source.clone(),
            "the model found no liver in this image; margins have no capsule and registration no organ to fit",
        ));
    }
    let outlined_by = BTreeMap::new();
    Ok(Found { organ, lesions, zones, lesion_map, zone_map, source, outlined_by, in_doubt, looked_in })
}

/// The one organ whose lesions a model looks for, where it outlines that organ, too: elsewhere what it finds is in doubt.
fn looked_in(card: &Card) -> Option<String> {
    const ANYWHERE: [&str; 5] = ["", "unspecified", "any", "body", "whole_body"];
    let of_role = |role: Role| card.labels.iter().filter(move |label| label.role == role);
    let organs: BTreeSet<&str> =
        of_role(Role::Lesion).map(|label| label.organ.as_deref().unwrap_or_default()).collect();
    let organ = organs.first().filter(|organ| organs.len() == 1 && !ANYWHERE.contains(organ))?;
    let is_outlined = of_role(Role::Organ).any(|label| label.organ.as_deref() == Some(organ));
    is_outlined.then(|| organ.replace('_', " "))
}

/// A model sees only what its card names: another modality or unit is refused, another role of the same modality is noted.
pub(super) fn check_made_for(card: &Card, series: &LoadedSeries, notes: &mut Vec<Note>) -> Result<(), StageError> {
    let model = format!("{}-{}", card.name, card.version);
    let input = &card.input;
    if input.modality != series.modality || (!input.unit.is_empty() && input.unit != series.unit) {
        let message = format!(
            "the model {model} was made for {} in {}, the measured series {:?} is {} in {}; import masks ([models] masks) or name a model made for it ([models] segmentation)",
            input.modality, input.unit, series.description, series.modality, series.unit
        );
        return Err(StageError::new("segment", "model_other_modality", message));
    }
    if input.series_role != series.role {
        let message = format!(
            "the model {model} was made for {}, the measured series {:?} is {}: what it finds there was never measured",
            input.series_role, series.description, series.role
        );
        notes.push(Note::warning("model_other_role", series.role.clone(), message));
    }
    Ok(())
}

fn labels_of(segmentation: &Segmentation, role: Role) -> Vec<u16> {
    segmentation.structures.iter().filter(|s| s.role == role).map(|s| s.index).collect()
}

/// One label per finding, in the order of their first voxel: a connected component, or, where the card splits findings that touch,
/// a part of one. Small ones are noted and dropped.
fn separate(segmentation: &Segmentation, role: Role, min_volume_mm3: f64, notes: &mut Vec<Note>) -> LabelMap {
    let labels = labels_of(segmentation, role);
    let mask = segmentation.labels.map(|v| labels.contains(v));
    let mut numbers = components(&mask, Connectivity::Corners).labels;
    drop(mask);
    let n_findings = split(&mut numbers, segmentation.findings.as_ref());
    let mut n_voxels = vec![0_usize; n_findings + 1];
    numbers.values().iter().for_each(|number| n_voxels[*number as usize] += 1);
    let voxel_mm3 = numbers.grid().voxel_volume_mm3();
    let mut new_label = vec![0_u16; n_findings + 1];
    let (mut n_kept, mut n_dropped) = (0_u16, 0_usize);
    for number in 1..=n_findings {
        if n_voxels[number] as f64 * voxel_mm3 >= min_volume_mm3 && n_kept < u16::MAX {
            n_kept += 1;
            new_label[number] = n_kept;
        } else {
            n_dropped += 1;
        }
    }
    if n_dropped > 0 {
        let message = format!(
            "{n_dropped} findings below {min_volume_mm3} mm³ are not followed ([models] min_lesion_volume_mm3)"
        );
        notes.push(Note::info("small_findings", "model", message));
    }
    numbers.map(|v| new_label[*v as usize])
}

/// Numbers findings anew, from 1 in the order of their first voxel: voxels of one component with one number of the card's splitting
/// belong together. Returns how many there are.
fn split(numbers: &mut Volume<u32>, findings: Option<&LabelMap>) -> usize {
    let mut number_of: BTreeMap<(u32, u16), u32> = BTreeMap::new();
    for (n, number) in numbers.values_mut().iter_mut().enumerate().filter(|(_, number)| **number != 0) {
        let part = findings.map_or(0, |findings| findings.values()[n]);
        let next = number_of.len() as u32 + 1;
        *number = *number_of.entry((*number, part)).or_insert(next);
    }
    number_of.len()
}

/// What lies in the shell round a model's finding.
struct Around {
    /// Voxels of the shell.
    n: usize,
    /// Those of the organ or of a zone.
    n_organ: usize,
    /// Sum of their values.
    sum: f64,
}

impl Around {
    fn of(
        (map, label, ends): (&LabelMap, u16, (Index3, Index3)),
        in_organ: &Mask,
        zones: &LabelMap,
        image: &Volume<f32>,
    ) -> Self {
        let mut around = Self { n: 0, n_organ: 0, sum: 0.0 };
        let Some(window) = Window::of_box(ends, [SHELL; 3]).within(map.shape()) else { return around };
        for linear in 0..window.shape.n_voxels() {
            let Some(at) = window.to_volume(window.shape.index(linear), map.shape()) else { continue };
            if *map.at(at) == label || !touches(map, label, at) {
                continue;
            }
            around.n += 1;
            around.n_organ += usize::from(*in_organ.at(at) || *zones.at(at) != 0);
            around.sum += f64::from(*image.at(at));
        }
        around
    }

    /// Where the finding lies: liver or zone, aerated lung, or elsewhere.
    fn place(&self) -> Organ {
        match self.n {
            0 => Organ::Unknown,
            n if self.n_organ * 3 >= n => Organ::Liver,
            n if self.sum / (n as f64) < f64::from(LUNG_BELOW_HU) => Organ::Lung,
            _ => Organ::Other("extrahepatic_soft_tissue".to_owned()),
        }
    }
}

/// Whether the organ or a zone lies within [`NEAR_MM`] of a finding.
fn is_near((map, label, ends): (&LabelMap, u16, (Index3, Index3)), in_organ: &Mask, zones: &LabelMap) -> bool {
    let half = map.grid().spacing_mm().map(|mm| ((NEAR_MM / mm) as usize).max(1));
    let Some(window) = Window::of_box(ends, half).within(map.shape()) else { return false };
    let mut voxels = (0..window.shape.n_voxels())
        .filter_map(|linear| window.to_volume(window.shape.index(linear), map.shape()))
        .filter(|at| *in_organ.at(*at) || *zones.at(*at) != 0);
    voxels.any(|at| has_within(map, label, at, half))
}

/// Whether a voxel within the shell's half-width has the label.
fn touches(map: &LabelMap, label: u16, at: Index3) -> bool {
    has_within(map, label, at, [SHELL; 3])
}

/// Whether a voxel at most so many voxels away along each axis has the label.
fn has_within(map: &LabelMap, label: u16, at: Index3, [di, dj, dk]: [usize; 3]) -> bool {
    let range = |x: usize, d: usize, n: usize| x.saturating_sub(d)..(x + d + 1).min(n);
    let shape = map.shape();
    range(at.k, dk, shape.nk).any(|k| {
        range(at.j, dj, shape.nj).any(|j| range(at.i, di, shape.ni).any(|i| *map.at(Index3 { i, j, k }) == label))
    })
}

#[cfg(test)]
mod tests {
    use imaging::{Affine, FrameId, Shape};

    use super::*;

    fn card() -> Card {
        Card::parse(include_str!("../../../../models/phantom-liver-0.2.2/card.toml")).unwrap()
    }

    fn series(modality: &str, unit: &'static str, role: &str) -> LoadedSeries {
        let shape = Shape { ni: 1, nj: 1, nk: 1 };
        let rows = [[0.8, 0.0, 0.0, -7.0], [0.0, 0.8, 0.0, 3.0], [0.0, 0.0, 5.0, 40.0], [0.0, 0.0, 0.0, 1.0]];
        let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("1.2.3")).unwrap();
        LoadedSeries {
            image: Volume::filled(grid, 0.0),
            unit,
            sop_instance_uids: vec!["1.2.3.4".to_owned()],
            role: role.to_owned(),
            description: "abdomen".to_owned(),
            modality: modality.to_owned(),
        }
    }

    #[test]
    fn a_network_for_ct_is_not_shown_mr() {
        let mut notes = Vec::new();
        let error = check_made_for(&card(), &series("MR", "stored", "mr_t1"), &mut notes).unwrap_err();
        assert_eq!(error.code, "model_other_modality");
        assert!(error.message.contains("CT in HU") && error.message.contains("MR in stored"), "{}", error.message);
    }

    #[test]
    fn another_phase_is_noted_and_the_right_one_is_not() {
        let mut notes = Vec::new();
        check_made_for(&card(), &series("CT", "HU", "ct_portal_venous"), &mut notes).unwrap();
        assert_eq!(notes, []);
        check_made_for(&card(), &series("CT", "HU", "ct"), &mut notes).unwrap();
        assert_eq!(notes[0].code, "model_other_role");
    }

    #[test]
    fn a_model_of_one_organ_that_it_outlines_looks_there_and_any_other_everywhere() {
        let with = |lesion: Option<&str>, organ: &str| {
            let mut card = card();
            for label in &mut card.labels {
                match label.role {
                    Role::Lesion => label.organ = lesion.map(str::to_owned),
                    Role::Organ => label.organ = Some(organ.to_owned()),
                    _ => {}
                }
            }
            looked_in(&card)
        };
        assert_eq!(looked_in(&card()).as_deref(), Some("liver"));
        assert_eq!(with(Some("adrenal_gland"), "adrenal_gland").as_deref(), Some("adrenal gland"));
        for anywhere in [None, Some("whole_body"), Some("unspecified"), Some("lung")] {
            assert_eq!(with(anywhere, "liver"), None, "{anywhere:?}");
        }
    }

    #[test]
    fn a_finding_3_mm_from_the_organ_is_in_it_or_beside_it_and_a_farther_one_apart() {
        let rows = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        let shape = Shape { ni: 20, nj: 7, nk: 7 };
        let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
        let organ = Mask::from_fn(grid.clone(), |at| at.i < 8);
        let zones = LabelMap::filled(grid.clone(), 0);
        let around = |first: usize, hu: f32| {
            let box_of =
                |at: Index3| (first..first + 3).contains(&at.i) && (2..5).contains(&at.j) && (2..5).contains(&at.k);
            let map = LabelMap::from_fn(grid.clone(), |at| u16::from(box_of(at)));
            let image = Volume::filled(grid.clone(), hu);
            let label = (&map, 1, map.label_boxes()[&1]);
            (Around::of(label, &organ, &zones, &image).place(), !is_near(label, &organ, &zones))
        };
        let told = |first, hu| around(first, hu);
        let elsewhere = Organ::Other("extrahepatic_soft_tissue".to_owned());
        assert_eq!(told(3, 60.0), (Organ::Liver, false));
        assert_eq!(told(10, 60.0), (elsewhere.clone(), false), "3 mm from the last voxel of the organ");
        assert_eq!(told(11, 60.0), (elsewhere, true));
        assert_eq!(told(12, -800.0), (Organ::Lung, true));
    }
}
