//! Label maps and masks in `derivatives/` of a BIDS tree as imported outlines: which of them were drawn on the measured image, and
//! what their labels are.
//!
//! A name (of the file's `label-` or `desc-` entity, or of the table beside a label map) is a lesion, a node, an organ or an ablation
//! zone after `[structures]` of the study file. One that no list fits is not used and said.

use std::collections::BTreeSet;
use std::path::Path;

use formats::image_file::read_labels;
use formats::nifti_archive::derivatives::Derived;
use imaging::{FrameId, Note};

use super::SeriesPlan;
use super::outlines::{OutlineFile, Region, RegionKind, StructurePlan};
use super::structures::regions;
use crate::config::Structures;

/// The maps of a patient that were drawn on the measured image and hold something known, by path.
///
/// # Errors
/// One of them cannot be read, or two of them hold a lesion of one name.
pub(super) fn of_visit(
    archive: &Path,
    derived: &[&Derived],
    measure: &SeriesPlan,
    rules: &Structures,
    notes: &mut Vec<Note>,
) -> Result<Vec<StructurePlan>, String> {
    let Some(image) = &measure.entry.nifti else { return Ok(Vec::new()) };
    let mut plans = Vec::new();
    let mut names = BTreeSet::new();
    for map in derived.iter().filter(|map| map.is_of(&image.file)) {
        let regions = regions_of(archive, map, rules, notes)?;
        for region in regions.iter().filter(|r| r.kind != RegionKind::Organ) {
            if !names.insert(region.name.clone()) {
                let (name, file) = (&region.name, &map.file);
                return Err(format!(
                    "two outlines are called {name:?}, one of them in {file}: keep the one that is right"
                ));
            }
        }
        if !regions.is_empty() {
            plans.push(StructurePlan { path: map.path.clone(), file: OutlineFile::LabelMap, regions });
        }
    }
    Ok(plans)
}

/// A mask is one region, an organ all labels of its map; every other label is a region of its own.
fn regions_of(archive: &Path, map: &Derived, rules: &Structures, notes: &mut Vec<Note>) -> Result<Vec<Region>, String> {
    if !map.names.is_empty() {
        let named = map.names.iter().map(|(number, name)| (i64::from(*number), name.as_str()));
        return Ok(regions(named, rules, &map.file, notes));
    }
    let whole = regions([(0, map.label.as_str())].into_iter(), rules, &map.file, notes);
    if !map.is_label_map || whole.iter().all(|region| region.kind == RegionKind::Organ) {
        return Ok(whole);
    }
    // Where it lies does not matter for its labels.
    let labels = read_labels(&map.path, FrameId::new("labels")).map_err(|error| {
        let message = error.to_string().replace(&*archive.to_string_lossy(), "");
        format!("the label map {} cannot be used: {message}", map.file)
    })?;
    let one = |region: &Region, label: u16| Region {
        number: i64::from(label),
        name: format!("{} {label}", region.name),
        kind: region.kind,
    };
    let present = labels.labels_present();
    Ok(whole.iter().flat_map(|region| present.iter().map(move |label| one(region, *label))).collect())
}
