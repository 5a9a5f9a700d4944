//! A box cut out of a volume, reaching beyond its edge where asked, so that work on a lesion costs what the lesion costs.

use std::ops::Range;

use nalgebra::{Matrix3, Vector3};

use crate::grid::{Grid, GridError, Index3, Shape};
use crate::mask::Mask;
use crate::space::{Affine, Voxel};
use crate::volume::Volume;

/// A box of voxels; its first voxel may lie before the first voxel of the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The volume's index of the window's first voxel, along i, j, k.
    pub low: [i64; 3],
    /// Number of voxels.
    pub shape: Shape,
}

impl Window {
    /// The box around a mask with a rim of so many voxels along i, j, k; `None` when the mask is empty.
    pub fn around(mask: &Mask, rim: [usize; 3]) -> Option<Self> {
        mask.bounding_box().map(|ends| Self::of_box(ends, rim))
    }

    /// The box from a smallest to a largest index, both inclusive, with a rim of so many voxels along i, j, k.
    pub fn of_box((low, high): (Index3, Index3), rim: [usize; 3]) -> Self {
        let n = |low: usize, high: usize, rim: usize| high - low + 1 + 2 * rim;
        Self {
            low: [low.i as i64 - rim[0] as i64, low.j as i64 - rim[1] as i64, low.k as i64 - rim[2] as i64],
            shape: Shape { ni: n(low.i, high.i, rim[0]), nj: n(low.j, high.j, rim[1]), nk: n(low.k, high.k, rim[2]) },
        }
    }

    /// The part of the window that lies inside a volume of this shape; `None` when they do not meet.
    pub fn within(&self, shape: Shape) -> Option<Self> {
        let (n, limit) =
            ([self.shape.ni, self.shape.nj, self.shape.nk], [shape.ni as i64, shape.nj as i64, shape.nk as i64]);
        let low: [i64; 3] = std::array::from_fn(|a| self.low[a].max(0));
        let size: [i64; 3] = std::array::from_fn(|a| (self.low[a] + n[a] as i64).min(limit[a]) - low[a]);
        let [ni, nj, nk] = size.map(|n| usize::try_from(n).unwrap_or(0));
        (ni > 0 && nj > 0 && nk > 0).then_some(Self { low, shape: Shape { ni, nj, nk } })
    }

    /// The index in the volume of a voxel of the window, if the volume has it.
    pub fn to_volume(&self, at: Index3, volume: Shape) -> Option<Index3> {
        let index = |low: i64, at: usize, n: usize| usize::try_from(low + at as i64).ok().filter(|v| *v < n);
        Some(Index3 {
            i: index(self.low[0], at.i, volume.ni)?,
            j: index(self.low[1], at.j, volume.nj)?,
            k: index(self.low[2], at.k, volume.nk)?,
        })
    }

    /// The grid of the window: the volume's own voxels, shifted, in the same frame.
    pub fn grid(&self, volume: &Grid) -> Result<Grid, GridError> {
        let shift = Vector3::from(self.low.map(|v| v as f64));
        let to_volume = Affine::<Voxel, Voxel>::from_parts(Matrix3::identity(), shift);
        Grid::new(self.shape, to_volume.then(volume.voxel_to_patient()), volume.frame().clone())
    }

    /// Copies the window out of a volume; voxels beyond the volume get `outside`.
    pub fn cut<T: Copy>(&self, volume: &Volume<T>, outside: T) -> Result<Volume<T>, GridError> {
        let mut cut = Volume::filled(self.grid(volume.grid())?, outside);
        for [own, of_volume] in self.rows(volume.shape()) {
            cut.values_mut()[own].copy_from_slice(&volume.values()[of_volume]);
        }
        Ok(cut)
    }

    /// Writes a volume of the window's shape back into the volume it was cut from; what lies beyond is dropped.
    pub fn paste<T: Copy>(&self, window: &Volume<T>, volume: &mut Volume<T>) {
        for [own, of_volume] in self.rows(volume.shape()) {
            volume.values_mut()[of_volume].copy_from_slice(&window.values()[own]);
        }
    }

    /// The rows that window and volume share: where each lies in the memory of the window and in that of the volume.
    fn rows(&self, volume: Shape) -> Vec<[Range<usize>; 2]> {
        let Some(shared) = self.within(volume) else { return Vec::new() };
        let first: [usize; 3] = shared.low.map(|low| usize::try_from(low).unwrap_or(0));
        let own_first: [usize; 3] = std::array::from_fn(|a| usize::try_from(shared.low[a] - self.low[a]).unwrap_or(0));
        let Shape { ni, nj, nk } = shared.shape;
        let row = |shape: Shape, [i, j, k]: [usize; 3], (dj, dk): (usize, usize)| {
            let start = ((k + dk) * shape.nj + j + dj) * shape.ni + i;
            start..start + ni
        };
        let steps = (0..nk).flat_map(|dk| (0..nj).map(move |dj| (dj, dk)));
        steps.map(|step| [row(self.shape, own_first, step), row(volume, first, step)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Point};

    #[test]
    fn a_window_beyond_the_edge_keeps_positions_and_comes_back() {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        let shape = Shape { ni: 6, nj: 5, nk: 4 };
        let grid =
            Grid::from_directions(shape, Point::new(1.0, 2.0, 3.0), [0.8, 0.7, 5.0], rotation, FrameId::new("f"))
                .unwrap();
        let mask = Mask::from_fn(grid.clone(), |at| at.i <= 1 && at.j == 2 && at.k == 3);
        let window = Window::around(&mask, [1, 1, 1]).unwrap();
        assert_eq!((window.low, window.shape), ([-1, 1, 2], Shape { ni: 4, nj: 3, nk: 3 }));
        let cut = window.cut(&mask, false).unwrap();
        assert_eq!(cut.n_voxels_set(), 2);
        let inside = Index3 { i: 2, j: 1, k: 1 };
        assert!(*cut.at(inside));
        assert!(cut.grid().center(inside).distance(grid.center(Index3 { i: 1, j: 2, k: 3 })) < 1e-12);
        let mut back = Mask::filled(grid, false);
        window.paste(&cut, &mut back);
        assert_eq!(back, mask);
        let beyond = Window { low: [9, 0, 0], shape: Shape { ni: 2, nj: 2, nk: 2 } };
        assert!(beyond.cut(&mask, false).unwrap().is_empty_mask());
        let inner = window.within(shape).unwrap();
        assert_eq!((inner.low, inner.shape), ([0, 1, 2], Shape { ni: 3, nj: 3, nk: 2 }));
    }
}
