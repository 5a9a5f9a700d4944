//! The kept masks of a visit as segments: lesions first, then ablation zones, then the organ.

use std::path::{Path, PathBuf};

use formats::dicom::sr::Code;
use formats::dicom::write::{OutlineMethod, SegmentToWrite, SegmentVoxels, Tracking};
use formats::nifti;
use imaging::grid::GRID_TOLERANCE_MM;
use imaging::{Grid, LabelMap, Mask, Note};

use super::visit::Visit;
use crate::source_record::LabelRecord;
use crate::stages::rows::tracking_uid;

/// The masks of a visit, on the measured series' grid.
pub(super) struct Outlines {
    /// The grid.
    pub(super) grid: Grid,
    lesions: Option<LabelMap>,
    zones: Option<LabelMap>,
    organ: Option<Mask>,
}

impl Outlines {
    /// Reads what was kept. Lesions must be there; a zone or organ that was found and not kept is noted.
    pub(super) fn read(visit: &Visit<'_>, notes: &mut Vec<Note>) -> Result<Self, String> {
        let source = visit.source;
        let grid = source.grid.grid().ok_or("sources.json is damaged; run the patient again with --force")?;
        let folder = visit.folder.join(source.visit.to_string()).join(&source.series_role);
        let lesions = if source.lesions.is_empty() {
            None
        } else {
            Some(kept(&folder, "lesions")?.ok_or_else(|| not_kept(&folder, "lesions"))?)
        };
        let mut optional = |name: &str, is_wanted: bool| -> Result<Option<PathBuf>, String> {
            let found = if is_wanted { kept(&folder, name)? } else { None };
            if is_wanted && found.is_none() {
                let message = format!("{}; the segmentation is written without it", not_kept(&folder, name));
                notes.push(Note::warning("mask_not_kept", source.visit.to_string(), message));
            }
            Ok(found)
        };
        let zones = optional("ablation_zone", !source.ablation_zones.is_empty())?;
        let organ = optional("organ", source.organ)?;
        Ok(Self {
            lesions: lesions.map(|path| labels(&path, &grid)).transpose()?,
            zones: zones.map(|path| labels(&path, &grid)).transpose()?,
            organ: organ.map(|path| labels(&path, &grid)).transpose()?.map(|map| map.map(|label| *label != 0)),
            grid,
        })
    }
}

fn kept(folder: &Path, name: &str) -> Result<Option<PathBuf>, String> {
    let path = folder.join(format!("{name}.nii.gz"));
    path.try_exists().map(|exists| exists.then_some(path)).map_err(|error| error.to_string())
}

fn not_kept(folder: &Path, name: &str) -> String {
    format!(
        "expected {name}.nii.gz in {}, found none: the run did not keep its masks; add {name:?} to [outputs] keep in the study file and run again with --force",
        folder.display()
    )
}

fn labels(path: &Path, grid: &Grid) -> Result<LabelMap, String> {
    let map = nifti::read_labels(path, grid.frame().clone()).map_err(|error| error.to_string())?;
    let distance = grid.max_distance_mm(map.grid());
    if distance > GRID_TOLERANCE_MM {
        return Err(format!(
            "{} lies {distance:.3} mm off the grid of the measured series; it is not the file the run wrote: run again with --force",
            path.display()
        ));
    }
    map.with_grid(grid.clone()).map_err(|error| error.to_string())
}

/// A code of SNOMED CT.
pub(super) fn snomed(value: &str, meaning: &str) -> Code {
    Code::new(value, "SCT", meaning)
}

/// What a lesion is, as category and type.
fn lesion_codes(kind: &str) -> (Code, Code) {
    if kind == "node" {
        return (snomed("91723000", "Anatomical Structure"), snomed("59441001", "Lymph node"));
    }
    (snomed("49755003", "Morphologically Abnormal Structure"), finding(kind))
}

/// The finding of a lesion.
pub(super) fn finding(kind: &str) -> Code {
    if kind == "node" { snomed("59441001", "Lymph node") } else { snomed("108369006", "Neoplasm") }
}

/// Organs by the words of `lesions.csv`; one that is not known here has no code.
pub(super) fn organ_code(organ: &str) -> Option<Code> {
    let (value, meaning) = match organ {
        "liver" => ("10200004", "Liver"),
        "lung" => ("39607008", "Lung"),
        "lymph_node" => ("59441001", "Lymph node"),
        "kidney" => ("64033007", "Kidney"),
        "spleen" => ("78961009", "Spleen"),
        "pancreas" => ("15776009", "Pancreas"),
        "adrenal" | "adrenal_gland" => ("23451007", "Adrenal gland"),
        "brain" => ("12738006", "Brain"),
        "bone" => ("272673000", "Bone"),
        "prostate" => ("41216001", "Prostate"),
        "stomach" => ("69695003", "Stomach"),
        _ => return None,
    };
    Some(snomed(value, meaning))
}

/// Who followed a lesion: its identifier with the one of the tables.
pub(super) fn tracking(visit: &Visit<'_>, lesion_id: &str) -> Tracking {
    let row = visit.result.lesions.iter().find(|row| row.lesion_id == lesion_id);
    let uid = row.map_or_else(|| tracking_uid(&visit.result.patient_id, lesion_id), |row| row.tracking_uid.clone());
    Tracking { identifier: lesion_id.to_owned(), uid }
}

/// A zone is followed as what it was made for.
fn zone_tracking(visit: &Visit<'_>, lesion_id: &str) -> Tracking {
    let lesion = tracking(visit, lesion_id).uid;
    let uid = tracking_uid(&visit.result.patient_id, &format!("ablation zone of {lesion}"));
    Tracking { identifier: format!("ablation zone of {lesion_id}"), uid }
}

/// How the outlines of a visit came about.
fn method(outlines_from: &str) -> OutlineMethod {
    match outlines_from.strip_prefix("model:") {
        Some(model) => OutlineMethod::Automatic(model.to_owned()),
        None => OutlineMethod::SemiAutomatic("imported outline; how it was drawn is not known".to_owned()),
    }
}

/// The segments of a visit. The first ones are its lesions, in the order of the record of its sources.
pub(super) fn segments<'a>(visit: &Visit<'_>, outlines: &'a Outlines) -> Vec<SegmentToWrite<'a>> {
    let method = method(&visit.source.outlines_from);
    let mut segments = Vec::new();
    if let Some(map) = &outlines.lesions {
        segments.extend(visit.source.lesions.iter().map(|label| lesion(visit, label, map, method.clone())));
    }
    if let Some(map) = &outlines.zones {
        segments.extend(visit.source.ablation_zones.iter().map(|label| zone(visit, label, map, method.clone())));
    }
    if let Some(organ) = &outlines.organ {
        segments.push(SegmentToWrite {
            label: "liver".to_owned(),
            description: Some("The organ with everything in it".to_owned()),
            category: snomed("91723000", "Anatomical Structure"),
            property_type: snomed("10200004", "Liver"),
            region: None,
            tracking: None,
            method,
            voxels: SegmentVoxels::Mask(organ),
        });
    }
    segments
}

fn lesion<'a>(visit: &Visit<'_>, label: &LabelRecord, map: &'a LabelMap, method: OutlineMethod) -> SegmentToWrite<'a> {
    let id = label.lesion_ids.first();
    let row = id.and_then(|id| visit.result.lesions.iter().find(|row| row.lesion_id == *id));
    let (category, property_type) = lesion_codes(row.map_or("lesion", |row| row.kind.as_str()));
    SegmentToWrite {
        label: id.cloned().unwrap_or_else(|| format!("lesion label {}", label.label)),
        description: Some(format!("label {} of lesions.nii.gz", label.label)),
        category,
        property_type,
        region: row.and_then(|row| organ_code(&row.organ)),
        tracking: id.map(|id| tracking(visit, id)),
        method,
        voxels: SegmentVoxels::Label(map, label.label),
    }
}

fn zone<'a>(visit: &Visit<'_>, label: &LabelRecord, map: &'a LabelMap, method: OutlineMethod) -> SegmentToWrite<'a> {
    let name = match label.lesion_ids.join(", ") {
        of if of.is_empty() => format!("Ablation zone {}", label.label),
        of => format!("Ablation zone of {of}"),
    };
    SegmentToWrite {
        label: name,
        description: Some(format!("label {} of ablation_zone.nii.gz", label.label)),
        category: snomed("49755003", "Morphologically Abnormal Structure"),
        property_type: snomed("52988006", "Lesion"),
        region: None,
        tracking: label.lesion_ids.first().map(|id| zone_tracking(visit, id)),
        method,
        voxels: SegmentVoxels::Label(map, label.label),
    }
}
