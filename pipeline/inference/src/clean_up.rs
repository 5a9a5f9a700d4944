//! What a card asks for after the labels are found: nothing far from its organ, the largest component, no tiny ones, no holes.
//!
//! Components hang together over faces, edges and corners (26 neighbours); a hole is background from which no path over faces
//! (6 neighbours) leads round the label.

use imaging::components::{Connectivity, components};
use imaging::distance::distance_to;
use imaging::morphology;
use imaging::{Index3, LabelMap, Mask, Note, Window};

use crate::card::{Card, Label, OnlyNear};

/// A voxel centre this little beyond the distance, in mm, is still near: the rounding of a spacing times a count.
const DISTANCE_TOLERANCE_MM: f64 = 1e-6;

/// Applies the rules of every label in ascending order and notes what was changed.
pub(crate) fn clean_up(labels: &mut LabelMap, card: &Card, notes: &mut Vec<Note>) {
    for label in &card.labels {
        if let Some(near) = &label.only_near {
            drop_far(labels, label, near, notes);
        }
        if label.keep_largest || label.min_volume_mm3.is_some() {
            drop_components(labels, label, notes);
        }
        if label.fill_holes {
            fill_holes(labels, label, notes);
        }
    }
}

/// A finding is judged by its nearest voxel and stays or goes whole: cut at the distance it would be left hollow.
fn drop_far(labels: &mut LabelMap, label: &Label, near: &OnlyNear, notes: &mut Vec<Note>) {
    let Some((window, mask)) = surroundings(labels, label) else { return };
    let anchor = labels.map(|v| near.labels.contains(v));
    let limit = near.within_mm + DISTANCE_TOLERANCE_MM;
    // Without an anchor there is no distance: nothing of the label is near it.
    let distance = distance_to(&anchor).ok();
    let found = components(&mask, Connectivity::Corners);
    let finding = found.labels.values();
    let mut is_near = vec![false; found.list.len() + 1];
    for (n, finding) in finding.iter().enumerate().filter(|(_, finding)| **finding > 0) {
        let at = window.to_volume(window.shape.index(n), labels.shape());
        is_near[*finding as usize] |= distance.as_ref().zip(at).is_some_and(|(mm, at)| *mm.at(at) <= limit);
    }
    let n_dropped = is_near[1..].iter().filter(|near| !**near).count();
    if n_dropped == 0 {
        return;
    }
    change_where(labels, &window, label.dropped_becomes, |n, _| finding[n] > 0 && !is_near[finding[n] as usize]);
    let names: Vec<String> = near.labels.iter().map(u16::to_string).collect();
    let message = format!(
        "{n_dropped} of {} findings farther than {} mm from labels {} dropped as the card asks",
        found.list.len(),
        near.within_mm,
        names.join(", ")
    );
    notes.push(Note::info("far_findings_dropped", &label.name, message));
}

/// A label's surroundings, one voxel more than it reaches: what is done to a label costs what the label costs.
fn surroundings(labels: &LabelMap, label: &Label) -> Option<(Window, Mask)> {
    let mask = labels.label_mask(label.index);
    let window = Window::around(&mask, [1; 3])?.within(labels.shape())?;
    Some((window, window.cut(&mask, false).ok()?))
}

/// Changes the voxels of a window for which `change` says so; returns how many those are.
fn change_where(labels: &mut LabelMap, window: &Window, to: u16, change: impl Fn(usize, u16) -> bool) -> usize {
    let shape = labels.shape();
    let mut n_changed = 0;
    for n in 0..window.shape.n_voxels() {
        let Some(Index3 { i, j, k }) = window.to_volume(window.shape.index(n), shape) else { continue };
        let voxel = &mut labels.data_mut()[[k, j, i]];
        if change(n, *voxel) {
            *voxel = to;
            n_changed += 1;
        }
    }
    n_changed
}

fn drop_components(labels: &mut LabelMap, label: &Label, notes: &mut Vec<Note>) {
    let Some((window, mask)) = surroundings(labels, label) else { return };
    let found = components(&mask, Connectivity::Corners);
    let largest = found.largest().map(|component| component.label);
    let voxel_mm3 = labels.grid().voxel_volume_mm3();
    let mut dropped = vec![false; found.list.len() + 1];
    let mut dropped_mm3 = 0.0;
    for component in &found.list {
        let mm3 = component.n_voxels as f64 * voxel_mm3;
        let beaten = label.keep_largest && Some(component.label) != largest;
        if beaten || label.min_volume_mm3.is_some_and(|least| mm3 < least) {
            dropped[component.label as usize] = true;
            dropped_mm3 += mm3;
        }
    }
    let n_dropped = dropped.iter().filter(|d| **d).count();
    if n_dropped == 0 {
        return;
    }
    let component = found.labels.values();
    change_where(labels, &window, label.dropped_becomes, |n, _| dropped[component[n] as usize]);
    let message =
        format!("{n_dropped} of {} components ({dropped_mm3:.1} mm³) dropped as the card asks", found.list.len());
    notes.push(Note::info("components_dropped", &label.name, message));
}

fn fill_holes(labels: &mut LabelMap, label: &Label, notes: &mut Vec<Note>) {
    let Some((window, mask)) = surroundings(labels, label) else { return };
    let filled = morphology::fill_holes(&mask);
    let n_filled = change_where(labels, &window, label.index, |n, voxel| voxel == 0 && filled.values()[n]);
    if n_filled > 0 {
        let message = format!("{n_filled} enclosed background voxels filled as the card asks");
        notes.push(Note::info("holes_filled", &label.name, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{Affine, FrameId, Grid, Index3, Shape};
    use nalgebra::{Matrix3, Vector3};

    fn card() -> Card {
        Card::parse(include_str!("../../../test_data/models/shifted-0.1.0/card.toml")).unwrap()
    }

    /// One slice from rows of digits, voxels of 2 mm³.
    fn map(rows: &[&str]) -> LabelMap {
        let shape = Shape { ni: rows[0].len(), nj: rows.len(), nk: 1 };
        let linear = Matrix3::from_diagonal(&Vector3::new(1.0, 1.0, 2.0));
        let grid = Grid::new(shape, Affine::from_parts(linear, Vector3::zeros()), FrameId::new("f")).unwrap();
        LabelMap::from_fn(grid, |at| u16::from(rows[at.j].as_bytes()[at.i] - b'0'))
    }

    #[test]
    fn only_the_largest_component_stays_and_corners_hold_together() {
        let mut card = card();
        card.labels[1].keep_largest = true;
        let mut notes = Vec::new();
        let mut labels = map(&["1100001", "0010000", "0000110"]);
        clean_up(&mut labels, &card, &mut notes);
        assert_eq!(labels, map(&["1100000", "0010000", "0000000"]));
        assert_eq!(notes.len(), 1);
        assert!(notes[0].message.starts_with("2 of 3 components (6.0 mm³)"));
        let mut equal = map(&["1100110"]);
        clean_up(&mut equal, &card, &mut notes);
        assert_eq!(equal, map(&["1100000"]));
    }

    #[test]
    fn small_components_become_the_label_named_for_them() {
        let mut card = card();
        card.labels[2].min_volume_mm3 = Some(4.0);
        card.labels[2].dropped_becomes = 1;
        let mut notes = Vec::new();
        let mut labels = map(&["1211220", "1111110"]);
        clean_up(&mut labels, &card, &mut notes);
        assert_eq!(labels, map(&["1111220", "1111110"]));
        clean_up(&mut labels, &card, &mut Vec::new());
        assert_eq!(labels, map(&["1111220", "1111110"]));
    }

    #[test]
    fn a_finding_far_from_its_organ_is_dropped_and_a_thick_one_at_it_stays_whole() {
        let mut card = card();
        card.labels[2].only_near = Some(OnlyNear { labels: vec![1], within_mm: 2.0 });
        let mut notes = Vec::new();
        // The map's voxels are 1 mm apart along a row: the first finding begins 1 mm from label 1 and ends 5 mm from it.
        let mut labels = map(&["11222220002"]);
        clean_up(&mut labels, &card, &mut notes);
        assert_eq!(labels, map(&["11222220000"]));
        assert!(notes[0].message.starts_with("1 of 2 findings farther than 2 mm"), "{}", notes[0].message);
        let mut at_the_limit = map(&["1102200022"]);
        clean_up(&mut at_the_limit, &card, &mut notes);
        assert_eq!(at_the_limit, map(&["1102200000"]));
        let mut alone = map(&["0022000"]);
        clean_up(&mut alone, &card, &mut notes);
        assert_eq!(alone, map(&["0000000"]));
    }

    #[test]
    fn enclosed_background_is_filled_and_other_labels_stay() {
        let mut card = card();
        card.labels[1].fill_holes = true;
        let mut labels = map(&["11111000", "10121010", "11111000"]);
        // A slice alone is open above and below: three slices close it.
        let mut notes = Vec::new();
        clean_up(&mut labels, &card, &mut notes);
        assert_eq!(labels, map(&["11111000", "10121010", "11111000"]));
        let shape = Shape { ni: 8, nj: 3, nk: 3 };
        let grid = Grid::new(shape, *labels.grid().voxel_to_patient(), FrameId::new("f")).unwrap();
        let middle = map(&["11111000", "10121010", "11111000"]);
        let mut closed =
            LabelMap::from_fn(
                grid,
                |at| {
                    if at.k == 1 { *middle.at(Index3 { k: 0, ..at }) } else { u16::from(at.i < 5) }
                },
            );
        clean_up(&mut closed, &card, &mut notes);
        let row: Vec<u16> = (0..8).map(|i| *closed.at(Index3 { i, j: 1, k: 1 })).collect();
        assert_eq!(row, [1, 1, 1, 2, 1, 0, 1, 0]);
        assert!(notes.iter().any(|n| n.code == "holes_filled" && n.message.starts_with("1 enclosed")));
    }
}
