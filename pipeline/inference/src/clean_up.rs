//! What a card asks for after the labels are found: the largest component, no tiny ones, no holes.
//!
//! Components hang together over faces, edges and corners (26 neighbours); a hole is background from which no path over faces
//! (6 neighbours) leads round the label.

use imaging::{Index3, LabelMap, Note, Shape};

use crate::card::{Card, Label};

/// Applies the rules of every label in ascending order and notes what was changed.
pub(crate) fn clean_up(labels: &mut LabelMap, card: &Card, notes: &mut Vec<Note>) {
    for label in &card.labels {
        if label.keep_largest || label.min_volume_mm3.is_some() {
            drop_components(labels, label, notes);
        }
        if label.fill_holes {
            fill_holes(labels, label, notes);
        }
    }
}

/// A box of voxels, both ends inclusive.
#[derive(Clone, Copy)]
struct Bounds {
    low: Index3,
    high: Index3,
}

impl Bounds {
    fn of(labels: &LabelMap, label: u16) -> Option<Self> {
        let (low, high) = labels.label_mask(label).bounding_box()?;
        Some(Self { low, high })
    }
    fn shape(self) -> Shape {
        let n = |low: usize, high: usize| high - low + 1;
        Shape { ni: n(self.low.i, self.high.i), nj: n(self.low.j, self.high.j), nk: n(self.low.k, self.high.k) }
    }
    /// The whole image's voxel for one counted in the box.
    fn outside(self, inside: Index3) -> Index3 {
        Index3 { i: inside.i + self.low.i, j: inside.j + self.low.j, k: inside.k + self.low.k }
    }
}

/// The voxels of a box that hang together with `seed`, in the order they are found; `open` is cleared on the way. A neighbour is
/// one step away along at most `n_axes` axes: 1 for faces, 3 for faces, edges and corners.
fn flood(open: &mut [bool], shape: Shape, seed: usize, n_axes: usize) -> Vec<usize> {
    open[seed] = false;
    let mut found = vec![seed];
    let mut next = 0;
    let around = |at: usize, n: usize| at.saturating_sub(1)..=(at + 1).min(n - 1);
    while next < found.len() {
        let at = shape.index(found[next]);
        next += 1;
        for k in around(at.k, shape.nk) {
            for j in around(at.j, shape.nj) {
                for i in around(at.i, shape.ni) {
                    let steps = usize::from(k != at.k) + usize::from(j != at.j) + usize::from(i != at.i);
                    let neighbour = shape.linear(Index3 { i, j, k });
                    if steps <= n_axes && open[neighbour] {
                        open[neighbour] = false;
                        found.push(neighbour);
                    }
                }
            }
        }
    }
    found
}

fn in_box(labels: &LabelMap, bounds: Bounds, wanted: impl Fn(u16) -> bool) -> Vec<bool> {
    let shape = bounds.shape();
    (0..shape.n_voxels()).map(|n| wanted(*labels.at(bounds.outside(shape.index(n))))).collect()
}

fn drop_components(labels: &mut LabelMap, label: &Label, notes: &mut Vec<Note>) {
    let Some(bounds) = Bounds::of(labels, label.index) else { return };
    let shape = bounds.shape();
    let mut open = in_box(labels, bounds, |v| v == label.index);
    let mut components = Vec::new();
    for seed in 0..open.len() {
        if open[seed] {
            components.push(flood(&mut open, shape, seed, 3));
        }
    }
    let largest = components.iter().map(Vec::len).max().unwrap_or(0);
    let first_largest = components.iter().position(|c| c.len() == largest);
    let voxel_mm3 = labels.grid().voxel_volume_mm3();
    let (mut n_dropped, mut dropped_mm3) = (0, 0.0);
    for (n, component) in components.iter().enumerate() {
        let mm3 = component.len() as f64 * voxel_mm3;
        let beaten = label.keep_largest && Some(n) != first_largest;
        if beaten || label.min_volume_mm3.is_some_and(|least| mm3 < least) {
            n_dropped += 1;
            dropped_mm3 += mm3;
            for voxel in component {
                let Index3 { i, j, k } = bounds.outside(shape.index(*voxel));
                labels.data_mut()[[k, j, i]] = label.dropped_becomes;
            }
        }
    }
    if n_dropped > 0 {
        let message =
            format!("{n_dropped} of {} components ({dropped_mm3:.1} mm³) dropped as the card asks", components.len());
        notes.push(Note::info("components_dropped", &label.name, message));
    }
}

fn fill_holes(labels: &mut LabelMap, label: &Label, notes: &mut Vec<Note>) {
    let Some(bounds) = Bounds::of(labels, label.index) else { return };
    let shape = bounds.shape();
    let mut open = in_box(labels, bounds, |v| v != label.index);
    for seed in 0..open.len() {
        let Index3 { i, j, k } = shape.index(seed);
        let on_face = |at: usize, n: usize| at == 0 || at + 1 == n;
        if open[seed] && (on_face(i, shape.ni) || on_face(j, shape.nj) || on_face(k, shape.nk)) {
            flood(&mut open, shape, seed, 1);
        }
    }
    let mut n_filled = 0;
    for enclosed in (0..open.len()).filter(|n| open[*n]) {
        let Index3 { i, j, k } = bounds.outside(shape.index(enclosed));
        let voxel = &mut labels.data_mut()[[k, j, i]];
        if *voxel == 0 {
            *voxel = label.index;
            n_filled += 1;
        }
    }
    if n_filled > 0 {
        let message = format!("{n_filled} enclosed background voxels filled as the card asks");
        notes.push(Note::info("holes_filled", &label.name, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{Affine, FrameId, Grid};
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
