//! Binary masks and label maps.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::grid::{Grid, Index3};
use crate::volume::Volume;

/// Which voxels belong to one structure.
pub type Mask = Volume<bool>;

/// Which structure a voxel belongs to; 0 is background.
pub type LabelMap = Volume<u16>;

impl Volume<bool> {
    /// Number of voxels in the mask.
    pub fn n_voxels_set(&self) -> usize {
        self.values().iter().filter(|v| **v).count()
    }
    /// Whether no voxel is set.
    pub fn is_empty_mask(&self) -> bool {
        !self.values().contains(&true)
    }
    /// The voxels in the mask, in memory order.
    pub fn indices_set(&self) -> impl Iterator<Item = Index3> + '_ {
        let shape = self.shape();
        self.values().iter().enumerate().filter(|(_, v)| **v).map(move |(n, _)| shape.index(n))
    }
    /// The share of its voxels whose centres lie outside another grid of the same frame of reference; 0 for an empty mask.
    pub fn share_outside(&self, grid: &Grid) -> f64 {
        let is_outside = |at: &Index3| grid.nearest(self.grid().center(*at)).is_none();
        let n_outside = self.indices_set().filter(is_outside).count();
        n_outside as f64 / self.n_voxels_set().max(1) as f64
    }
    /// Smallest and largest index of the mask along each axis, both inclusive; `None` when empty.
    pub fn bounding_box(&self) -> Option<(Index3, Index3)> {
        // Most rows hold nothing, which is seen many voxels at a time.
        let is_empty = |row: &[bool]| row.iter().filter(|v| **v).count() == 0;
        let row_ends = |row: &[bool]| {
            if is_empty(row) { None } else { row.iter().position(|v| *v).zip(row.iter().rposition(|v| *v)) }
        };
        let of_slice = |(k, slice): (usize, &[bool])| {
            let mut found: Option<Box3> = None;
            for (j, row) in slice.chunks_exact(self.shape().ni.max(1)).enumerate() {
                let Some((first, last)) = row_ends(row) else { continue };
                let ends = (Index3 { i: first, j, k }, Index3 { i: last, j, k });
                found = Some(found.map_or(ends, |found| around_both(found, ends)));
            }
            found
        };
        let n_in_slice = (self.shape().ni * self.shape().nj).max(1);
        self.values().par_chunks(n_in_slice).enumerate().filter_map(of_slice).reduce_with(around_both)
    }
}

/// Smallest and largest index along each axis, both inclusive.
type Box3 = (Index3, Index3);

/// The smallest box round two.
fn around_both(a: Box3, b: Box3) -> Box3 {
    let low = Index3 { i: a.0.i.min(b.0.i), j: a.0.j.min(b.0.j), k: a.0.k.min(b.0.k) };
    let high = Index3 { i: a.1.i.max(b.1.i), j: a.1.j.max(b.1.j), k: a.1.k.max(b.1.k) };
    (low, high)
}

impl Volume<u16> {
    /// The mask of one label.
    pub fn label_mask(&self, label: u16) -> Mask {
        self.map(|v| *v == label)
    }
    /// The labels present, ascending, without background.
    pub fn labels_present(&self) -> Vec<u16> {
        self.label_boxes().into_keys().collect()
    }
    /// Smallest and largest index of every label along each axis, both inclusive, in one pass over the map; without background.
    pub fn label_boxes(&self) -> BTreeMap<u16, (Index3, Index3)> {
        let n_in_slice = (self.shape().ni * self.shape().nj).max(1);
        let of_slice = |(k, slice): (usize, &[u16])| {
            let mut boxes = BTreeMap::new();
            for (j, row) in slice.chunks_exact(self.shape().ni.max(1)).enumerate() {
                runs_of_labels(row, |label, first, last| {
                    let ends = (Index3 { i: first, j, k }, Index3 { i: last, j, k });
                    boxes.entry(label).and_modify(|found| *found = around_both(*found, ends)).or_insert(ends);
                });
            }
            boxes
        };
        let joined = |mut all: BTreeMap<u16, Box3>, more: BTreeMap<u16, Box3>| {
            for (label, ends) in more {
                all.entry(label).and_modify(|found| *found = around_both(*found, ends)).or_insert(ends);
            }
            all
        };
        self.values().par_chunks(n_in_slice).enumerate().map(of_slice).reduce(BTreeMap::new, joined)
    }
}

/// Calls `each` with label, first and last voxel of every run of one label in a row; background has none.
fn runs_of_labels(row: &[u16], mut each: impl FnMut(u16, usize, usize)) {
    // Most rows hold nothing, which is seen many voxels at a time.
    if row.iter().fold(0, |any, v| any | *v) == 0 {
        return;
    }
    let mut start = 0;
    for run in row.chunk_by(|a, b| a == b) {
        if run[0] != 0 {
            each(run[0], start, start + run.len() - 1);
        }
        start += run.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, FrameId, Shape};
    use nalgebra::{Matrix3, Vector3};

    #[test]
    fn bounding_box_and_labels_of_a_map_of_three_voxels() {
        let shape = Shape { ni: 4, nj: 3, nk: 2 };
        let grid =
            Grid::new(shape, Affine::from_parts(Matrix3::identity(), Vector3::zeros()), FrameId::new("f")).unwrap();
        let mut map = LabelMap::filled(grid, 0);
        map.data_mut()[[1, 2, 3]] = 7;
        map.data_mut()[[0, 1, 1]] = 2;
        map.data_mut()[[0, 2, 0]] = 7;
        assert_eq!(map.labels_present(), vec![2, 7]);
        let (low, high) = map.label_mask(7).bounding_box().unwrap();
        assert_eq!((low, high), (Index3 { i: 0, j: 2, k: 0 }, Index3 { i: 3, j: 2, k: 1 }));
        assert_eq!(map.label_mask(7).n_voxels_set(), 2);
        assert!(map.label_mask(3).bounding_box().is_none());
        let boxes = map.label_boxes();
        assert_eq!(boxes.keys().copied().collect::<Vec<_>>(), map.labels_present());
        for (label, ends) in boxes {
            assert_eq!(Some(ends), map.label_mask(label).bounding_box(), "label {label}");
        }
    }
}
