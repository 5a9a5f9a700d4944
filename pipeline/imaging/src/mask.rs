//! Binary masks and label maps.

use crate::grid::Index3;
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
    /// Smallest and largest index of the mask along each axis, both inclusive; `None` when empty.
    pub fn bounding_box(&self) -> Option<(Index3, Index3)> {
        let mut found: Option<(Index3, Index3)> = None;
        for at in self.indices_set() {
            let (low, high) = found.get_or_insert((at, at));
            *low = Index3 { i: low.i.min(at.i), j: low.j.min(at.j), k: low.k.min(at.k) };
            *high = Index3 { i: high.i.max(at.i), j: high.j.max(at.j), k: high.k.max(at.k) };
        }
        found
    }
}

impl Volume<u16> {
    /// The mask of one label.
    pub fn label_mask(&self, label: u16) -> Mask {
        self.map(|v| *v == label)
    }
    /// The labels present, ascending, without background.
    pub fn labels_present(&self) -> Vec<u16> {
        let mut seen = vec![false; usize::from(u16::MAX) + 1];
        for v in self.values() {
            seen[usize::from(*v)] = true;
        }
        (1..=u16::MAX).filter(|v| seen[usize::from(*v)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, FrameId, Grid, Shape};
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
    }
}
