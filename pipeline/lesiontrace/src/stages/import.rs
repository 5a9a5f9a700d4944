//! Stage *segment* with outlines made elsewhere: label maps in a mask folder or a BIDS tree, or regions of structure sets and
//! segmentations.

use std::collections::BTreeMap;
use std::path::Path;

use formats::dicom::rtstruct::{Roi, RtStruct, read_rtstruct};
use formats::dicom::seg::placement::place;
use formats::dicom::{SegError, read_segmentation};
use formats::image_file;
use imaging::{Connectivity, LabelMap, Mask, Note, Volume, components};
use oncology::{LesionKind, Organ};
use serde::Deserialize;

use crate::config::{MaskGrid, Study};
use crate::plan::{MaskFolder, MaskPlan, OutlineFile, Region, RegionKind, StructurePlan};
use crate::stages::segment::{Found, StageError, instance, instances};

/// Reads imported masks and lays them on the measured series' grid.
pub(crate) fn import(
    masks: &MaskPlan,
    image: &Volume<f32>,
    study: &Study,
    notes: &mut Vec<Note>,
) -> Result<Found, StageError> {
    match masks {
        MaskPlan::Folder(masks) => folder(masks, image, study.models.mask_grid, notes),
        MaskPlan::Structures(sets) => {
            structures(sets, image, &Organ::from(study.structures.lesion_organ.clone()), notes)
        }
    }
}

/// One row of a mask folder's `lesions.csv`.
#[derive(Debug, Deserialize)]
struct MaskRow {
    label: u16,
    #[serde(default)]
    organ: String,
    #[serde(default)]
    kind: String,
}

/// Reads the label maps of a mask folder.
fn folder(masks: &MaskFolder, image: &Volume<f32>, grid: MaskGrid, notes: &mut Vec<Note>) -> Result<Found, StageError> {
    let LabelMaps { lesions: lesion_map, zones: zone_map, organ } = read_maps(masks, image, grid, notes)?;
    let rows = read_rows(masks.rows.as_deref())?;
    let describe = |label: u16| match rows.get(&label) {
        Some(row) => {
            let kind = if row.kind == "node" { LesionKind::Node } else { LesionKind::Lesion };
            (Organ::from(row.organ.clone()), kind)
        }
        None => (Organ::Unknown, LesionKind::Lesion),
    };
    for label in lesion_map.labels_present().iter().filter(|label| !rows.contains_key(label)) {
        let message = format!(
            "lesion label {label} has no row in lesions.csv: its organ is unknown and it is measured as non-nodal"
        );
        notes.push(Note::warning("lesion_without_row", masks.lesions.display().to_string(), message));
    }
    let lesions = instances(&lesion_map, describe);
    let zones = instances(&zone_map, |_| (Organ::Unknown, LesionKind::Lesion));
    let nothing = Found::nothing(image.grid(), "imported_mask");
    Ok(Found { organ, lesions, zones, lesion_map, zone_map, ..nothing })
}

/// The maps of a mask folder on the image's grid.
struct LabelMaps {
    lesions: LabelMap,
    zones: LabelMap,
    organ: Option<Mask>,
}

/// Reads the maps of a mask folder side by side; notes and the first fault come in the order of the maps.
fn read_maps(
    masks: &MaskFolder,
    image: &Volume<f32>,
    grid: MaskGrid,
    notes: &mut Vec<Note>,
) -> Result<LabelMaps, StageError> {
    let read = |path: &Path| {
        let mut own = Vec::new();
        read_labels(path, image, grid, &mut own).map(|map| (map, own))
    };
    let organ =
        || masks.organ.as_deref().map(read).transpose().map(|of| of.map(|(map, own)| (map.map(|v| *v != 0), own)));
    let zones = || masks.ablation_zone.as_deref().map(read).transpose();
    let (lesions, (zones, organ)) = rayon::join(|| read(&masks.lesions), || rayon::join(zones, organ));
    let mut told = |(map, own): (_, Vec<Note>)| {
        notes.extend(own);
        map
    };
    let lesions = told(lesions?);
    let zones = zones?.map_or_else(|| LabelMap::filled(image.grid().clone(), 0), told);
    let organ = organ?.map(|(mask, own)| {
        notes.extend(own);
        mask
    });
    Ok(LabelMaps { lesions, zones, organ })
}

/// A label map on the image's grid; one on other voxels only where the study says that it lies in the image's frame.
fn read_labels(
    path: &Path,
    image: &Volume<f32>,
    grid: MaskGrid,
    notes: &mut Vec<Note>,
) -> Result<LabelMap, StageError> {
    let wrong = |code: &str, message: String| StageError::new("segment", code, message);
    let map = image_file::read_labels(path, image.grid().frame().clone())
        .map_err(|e| wrong("imported_mask", e.to_string()))?;
    let distance = image.grid().max_distance_mm(map.grid());
    if distance <= imaging::grid::GRID_TOLERANCE_MM {
        return map.with_grid(image.grid().clone()).map_err(|e| wrong("imported_mask", e.to_string()));
    }
    if grid == MaskGrid::Frame {
        return on_image(&map, &path.display().to_string(), image, notes);
    }
    let message = format!(
        "{} lies {distance:.3} mm off the grid of the measured series (shapes {:?} and {:?}); resample the mask onto the series, measure the series it was drawn on, or, if it lies in that series' frame of reference, say [models] mask_grid = \"frame\"",
        path.display(),
        map.shape(),
        image.shape()
    );
    Err(wrong("mask_off_grid", message))
}

/// Every label of a map laid on the image's voxels; a voxel that two labels claim stays with the lower one.
fn on_image(map: &LabelMap, file: &str, image: &Volume<f32>, notes: &mut Vec<Note>) -> Result<LabelMap, StageError> {
    let mut laid = LabelMap::filled(image.grid().clone(), 0);
    for label in map.labels_present() {
        let mask = place_mask(&map.label_mask(label), &format!("{file} label {label}"), image, notes)?;
        paint(&mut laid, &mask, label);
    }
    Ok(laid)
}

/// A mask of the image's frame of reference on its voxels, with a note where it had to be resampled or does not lie inside whole.
fn place_mask(mask: &Mask, subject: &str, image: &Volume<f32>, notes: &mut Vec<Note>) -> Result<Mask, StageError> {
    let n_voxels = mask.n_voxels_set();
    let placed = place(mask, None, image.grid());
    if n_voxels > 0 && placed.mask.is_empty_mask() {
        let message = format!(
            "none of the {n_voxels} voxels of {subject} lies in the measured series; name the series it was drawn on"
        );
        return Err(StageError::new("segment", "mask_outside_image", message));
    }
    if placed.resampled {
        let ml = |m: &Mask| m.n_voxels_set() as f64 * m.grid().voxel_volume_mm3() / 1000.0;
        let message = format!(
            "its voxels are not the measured series'; it was resampled ({:.3} ml before, {:.3} ml after)",
            ml(mask),
            ml(&placed.mask)
        );
        notes.push(Note::warning("mask_resampled", subject, message));
    }
    if placed.n_outside > 0 {
        let message = format!("{} of its {n_voxels} voxels lie outside the image and are left out", placed.n_outside);
        notes.push(Note::warning("mask_outside_image", subject, message));
    }
    Ok(placed.mask)
}

fn read_rows(path: Option<&Path>) -> Result<BTreeMap<u16, MaskRow>, StageError> {
    let Some(path) = path else { return Ok(BTreeMap::new()) };
    let rows: Vec<MaskRow> = formats::tables::read_csv(path)
        .map_err(|e| StageError::new("segment", "mask_rows", format!("{e}; expected columns label,organ,kind")))?;
    Ok(rows.into_iter().map(|row| (row.label, row)).collect())
}

/// Turns regions into masks on the measured series' grid, one lesion or zone a region.
fn structures(
    sets: &[StructurePlan],
    image: &Volume<f32>,
    lesion_organ: &Organ,
    notes: &mut Vec<Note>,
) -> Result<Found, StageError> {
    let is_map = sets.iter().all(|plan| plan.file == OutlineFile::LabelMap);
    let mut found = Found::nothing(image.grid(), if is_map { "imported_mask" } else { "structure_set" });
    for plan in sets {
        let masks = match plan.file {
            OutlineFile::StructureSet => masks_of_structure_set(plan, image, notes)?,
            OutlineFile::Segmentation => masks_of_segmentation(plan, image, notes)?,
            OutlineFile::LabelMap => masks_of_label_map(plan, image, notes)?,
        };
        for (region, mask) in plan.regions.iter().zip(masks) {
            let Some(mask) = mask else { continue };
            add_region(&mut found, region, &mask, lesion_organ, notes);
        }
    }
    Ok(found)
}

/// The masks of a structure set's regions, in their order.
fn masks_of_structure_set(
    plan: &StructurePlan,
    image: &Volume<f32>,
    notes: &mut Vec<Note>,
) -> Result<Vec<Option<Mask>>, StageError> {
    let set = read_rtstruct(&plan.path).map_err(|e| StageError::new("segment", "structure_set", e.to_string()))?;
    let set = set.note_into(notes);
    plan.regions.iter().map(|region| region_mask(&set, region, image, notes)).collect()
}

/// The masks of a segmentation's segments, in their order; `None`, with a note, for one without a voxel.
fn masks_of_segmentation(
    plan: &StructurePlan,
    image: &Volume<f32>,
    notes: &mut Vec<Note>,
) -> Result<Vec<Option<Mask>>, StageError> {
    let wrong = |e: SegError| StageError::new("segment", "segmentation", e.to_string());
    let segmentation = read_segmentation(&plan.path).map_err(wrong)?.note_into(notes);
    let mask_of = |region: &Region| {
        let number = u16::try_from(region.number).unwrap_or(0);
        let mask = segmentation.mask_on(number, image.grid()).map_err(wrong)?.note_into(notes);
        if mask.is_empty_mask() {
            let message = format!("the segment {:?} has no voxel; nothing is measured of it", region.name);
            notes.push(Note::warning("empty_region", region.name.clone(), message));
            return Ok(None);
        }
        Ok(Some(mask))
    };
    plan.regions.iter().map(mask_of).collect()
}

/// The masks of a label map's regions, in their order; `None`, with a note, for one without a voxel. A map of a BIDS tree lies in
/// its image's frame of reference.
fn masks_of_label_map(
    plan: &StructurePlan,
    image: &Volume<f32>,
    notes: &mut Vec<Note>,
) -> Result<Vec<Option<Mask>>, StageError> {
    let map = image_file::read_labels(&plan.path, image.grid().frame().clone())
        .map_err(|e| StageError::new("segment", "imported_mask", e.to_string()))?;
    let mut masks = Vec::with_capacity(plan.regions.len());
    for region in &plan.regions {
        let number = u16::try_from(region.number).unwrap_or(0);
        let own = if number == 0 { map.map(|v| *v != 0) } else { map.label_mask(number) };
        if own.is_empty_mask() {
            let message = format!("the outline {:?} has no voxel; nothing is measured of it", region.name);
            notes.push(Note::warning("empty_region", region.name.clone(), message));
            masks.push(None);
        } else {
            masks.push(Some(place_mask(&own, &region.name, image, notes)?));
        }
    }
    Ok(masks)
}

/// The mask of a region; `None`, with a note, where it has no contour in the image.
fn region_mask(
    set: &RtStruct,
    region: &Region,
    image: &Volume<f32>,
    notes: &mut Vec<Note>,
) -> Result<Option<Mask>, StageError> {
    let wrong = |message: String| StageError::new("segment", "structure_set", message);
    let roi: &Roi =
        set.rois.iter().find(|roi| roi.number == region.number).ok_or_else(|| {
            wrong(format!("the structure set has lost its region {:?} since the run began", region.name))
        })?;
    let mask = roi.to_mask(image.grid()).map_err(|e| wrong(e.to_string()))?.note_into(notes);
    if mask.is_empty_mask() {
        let message =
            format!("the region {:?} has no contour within the image; nothing is measured of it", region.name);
        notes.push(Note::warning("empty_region", region.name.clone(), message));
        return Ok(None);
    }
    Ok(Some(mask))
}

fn add_region(found: &mut Found, region: &Region, mask: &Mask, lesion_organ: &Organ, notes: &mut Vec<Note>) {
    let (instances, map, organ, kind) = match region.kind {
        RegionKind::Organ => {
            let organ = found.organ.get_or_insert_with(|| mask.clone());
            organ.values_mut().iter_mut().zip(mask.values()).for_each(|(set, also)| *set |= *also);
            return;
        }
        RegionKind::Lesion => (&mut found.lesions, &mut found.lesion_map, lesion_organ.clone(), LesionKind::Lesion),
        RegionKind::Node => (&mut found.lesions, &mut found.lesion_map, Organ::LymphNode, LesionKind::Node),
        RegionKind::AblationZone => (&mut found.zones, &mut found.zone_map, Organ::Unknown, LesionKind::Lesion),
    };
    let label = instances.len() as u16 + 1;
    let n_shared = paint(map, mask, label);
    if n_shared > 0 {
        let message = format!(
            "{n_shared} voxels of the region {:?} belong to a region before it as well; each is measured whole, the saved label map shows the earlier one there",
            region.name
        );
        notes.push(Note::warning("regions_overlap", region.name.clone(), message));
    }
    let n_parts = components(mask, Connectivity::Corners).list.len();
    if n_parts > 1 {
        let message = format!("the region {:?} has {n_parts} separate parts; they are measured as one", region.name);
        notes.push(Note::warning("region_in_parts", region.name.clone(), message));
    }
    if organ == Organ::Unknown && region.kind == RegionKind::Lesion {
        let message =
            format!("the organ of the region {:?} is not known; name it in [structures] lesion_organ", region.name);
        notes.push(Note::info("region_without_organ", region.name.clone(), message));
    }
    instances.extend(instance(label, mask, (organ, kind)));
}

/// Writes a label where the map is still empty; the number of voxels where it was not.
fn paint(map: &mut LabelMap, mask: &Mask, label: u16) -> usize {
    let mut n_shared = 0;
    for (voxel, _) in map.values_mut().iter_mut().zip(mask.values()).filter(|(_, set)| **set) {
        if *voxel == 0 {
            *voxel = label;
        } else {
            n_shared += 1;
        }
    }
    n_shared
}
