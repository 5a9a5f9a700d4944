//! Segmentations (DICOM SEG) as imported masks: which of them were drawn on the measured series, and what their segments are.
//!
//! A segmentation is used where it names the measured series as the one it refers to (DICOM PS3.3 C.8.20.2, Referenced Series). A
//! segment is a lesion, a node, an organ or an ablation zone by its label, after `[structures]` of the study file, else by its coded
//! property type. One that neither names is not used and said.

use std::collections::BTreeMap;

use formats::dicom::{Segment, read_segmentation};
use imaging::Note;

use super::SeriesPlan;
use super::outlines::{Days, DicomOutlines, OutlineFile, Region, RegionKind, StructurePlan, drawn_on};
use super::reports::is_lesion;
use super::structures::{fits_any, kind_of};
use crate::config::Structures;

/// The segmentations of a patient that were drawn on the measured series and hold something known, by path.
///
/// # Errors
/// One of the visit's day cannot be read.
pub(super) fn of_visit(
    days: Days<'_>,
    measure: &SeriesPlan,
    rules: &Structures,
    notes: &mut Vec<Note>,
) -> Result<Vec<StructurePlan>, String> {
    let mut plans = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let kind = DicomOutlines::Segmentations;
    let drawn = drawn_on(
        measure,
        kind,
        days,
        read_segmentation,
        |s, uid| s.referenced_series_uid.as_ref() == Some(uid),
        notes,
    )?;
    for (path, file, segmentation) in drawn {
        let regions = regions(&segmentation.segments, rules, &file, &mut names, notes);
        if !regions.is_empty() {
            plans.push(StructurePlan { path, file: OutlineFile::Segmentation, regions });
        }
    }
    Ok(plans)
}

/// The segments that are something; the others are said. Segments of one label are told apart by a number.
fn regions(
    segments: &[Segment],
    rules: &Structures,
    file: &str,
    names: &mut BTreeMap<String, usize>,
    notes: &mut Vec<Note>,
) -> Vec<Region> {
    let mut regions = Vec::new();
    let mut unknown = Vec::new();
    for segment in segments {
        let label = segment.tracking_id.as_ref().unwrap_or(&segment.label);
        match kind_of(&segment.label, rules).or_else(|| coded_kind(segment, rules)) {
            _ if fits_any(&rules.ignore, &segment.label) => {}
            Some(kind) => {
                let n = names.entry(label.clone()).or_default();
                *n += 1;
                let name = if *n == 1 { label.clone() } else { format!("{label} ({n})") };
                regions.push(Region { number: i64::from(segment.number), name, kind });
            }
            None => unknown.push(format!("{:?}", segment.label)),
        }
    }
    if !unknown.is_empty() {
        let message = format!(
            "segments whose label and type say nothing to this study are not used: {}; add the labels to a list of [structures] (or to its ignore list)",
            unknown.join(", ")
        );
        notes.push(Note::warning("unknown_segment", file.to_owned(), message));
    }
    regions
}

/// By the meaning of the coded property type.
fn coded_kind(segment: &Segment, rules: &Structures) -> Option<RegionKind> {
    let meaning = segment.property_type.as_ref()?.to_lowercase();
    if meaning.contains("lymph node") {
        return Some(RegionKind::Node);
    }
    if meaning.contains("ablat") {
        return Some(RegionKind::AblationZone);
    }
    if is_lesion(&meaning) { Some(RegionKind::Lesion) } else { kind_of(&meaning, rules) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn segment(number: u16, label: &str, property_type: &str) -> Segment {
        Segment {
            number,
            label: label.to_owned(),
            category: None,
            property_type: Some(property_type.to_owned()),
            tracking_id: None,
            tracking_uid: None,
        }
    }

    #[test]
    fn segments_are_something_by_label_then_by_type_and_the_rest_is_said() {
        let rules = config::load(None).unwrap().study.structures;
        let segments = [
            segment(1, "Segment 1", "Neoplasm"),
            segment(2, "Segment 1", "Metastasis"),
            segment(3, "x", "Liver"),
            segment(4, "y", "Lymph node"),
            segment(5, "Ablation zone 1", "Lesion"),
            segment(6, "BODY", "Lesion"),
            segment(7, "blob", "Spleen"),
        ];
        let mut notes = Vec::new();
        let found = regions(&segments, &rules, "seg.dcm", &mut BTreeMap::new(), &mut notes);
        let told: Vec<(i64, &str, RegionKind)> = found.iter().map(|r| (r.number, r.name.as_str(), r.kind)).collect();
        assert_eq!(
            told,
            [
                (1, "Segment 1", RegionKind::Lesion),
                (2, "Segment 1 (2)", RegionKind::Lesion),
                (3, "x", RegionKind::Organ),
                (4, "y", RegionKind::Node),
                (5, "Ablation zone 1", RegionKind::AblationZone),
            ]
        );
        assert!(notes.len() == 1 && notes[0].message.contains("\"blob\""), "{notes:?}");
    }
}
