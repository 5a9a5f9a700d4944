//! An image cut to an organ, and where in it tissue may be compared.

use crate::{Grid, Index3, Mask, Patient, Point, Shape, Volume};

/// Room round the organ, voxels: outlines at its border reach beyond it.
const ROOM: usize = 4;

/// An organ of an image, cut out.
#[derive(Debug, Clone)]
pub struct Scene {
    pub(super) grid: Grid,
    pub(super) values: Vec<f32>,
    /// Organ, less what is set apart.
    pub(super) is_open: Vec<bool>,
}

impl Scene {
    /// Cuts an organ (a mask of any grid in the image's frame) out of an image. `apart` are lesions and zones known there: nothing is
    /// compared with them. `None` where the image holds nothing of the organ.
    pub fn new<'a>(image: &Volume<f32>, organ: &Mask, apart: impl IntoIterator<Item = &'a Mask>) -> Option<Self> {
        let (low, high) = bounds(image.grid(), organ)?;
        let shape = Shape { ni: high.i - low.i + 1, nj: high.j - low.j + 1, nk: high.k - low.k + 1 };
        let at = |n: usize| {
            let at = shape.index(n);
            Index3 { i: low.i + at.i, j: low.j + at.j, k: low.k + at.k }
        };
        let origin = image.grid().center(at(0)).coords;
        let map = crate::Affine::from_parts(image.grid().voxel_to_patient().linear(), origin);
        let grid = Grid::new(shape, map, image.grid().frame().clone()).ok()?;
        let holds = |mask: &Mask, p: Point<Patient>| mask.grid().nearest(p).is_some_and(|at| *mask.at(at));
        let mut is_open: Vec<bool> = (0..shape.n_voxels()).map(|n| holds(organ, grid.center(shape.index(n)))).collect();
        for mask in apart {
            close(&mut is_open, &grid, mask);
        }
        let values = (0..shape.n_voxels()).map(|n| *image.at(at(n))).collect();
        is_open.contains(&true).then_some(Self { grid, values, is_open })
    }

    /// The value at a voxel counted from another; `None` beyond what was cut out.
    pub(super) fn linear(&self, from: [i32; 3], offset: [i32; 3]) -> Option<usize> {
        let Shape { ni, nj, nk } = self.grid.shape();
        let within = |x: i32, n: usize| (x >= 0 && (x as usize) < n).then_some(x as usize);
        let i = within(from[0] + offset[0], ni)?;
        let j = within(from[1] + offset[1], nj)?;
        let k = within(from[2] + offset[2], nk)?;
        Some((k * nj + j) * ni + i)
    }

    /// Column, row and slice of a voxel.
    pub(super) fn place(&self, linear: usize) -> [i32; 3] {
        let at = self.grid.shape().index(linear);
        [at.i as i32, at.j as i32, at.k as i32]
    }
}

/// Box of a mask's voxels on an image's grid, with room; `None` where they do not meet.
fn bounds(image: &Grid, organ: &Mask) -> Option<(Index3, Index3)> {
    let (a, b) = organ.bounding_box()?;
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    for corner in 0..8 {
        let pick = |bit: usize, a: usize, b: usize| if corner >> bit & 1 == 0 { a } else { b };
        let at = Index3 { i: pick(0, a.i, b.i), j: pick(1, a.j, b.j), k: pick(2, a.k, b.k) };
        let v = image.patient_to_voxel().apply(organ.grid().center(at)).coords;
        for axis in 0..3 {
            (low[axis], high[axis]) = (low[axis].min(v[axis]), high[axis].max(v[axis]));
        }
    }
    let shape = image.shape();
    let clip = |axis: usize, n: usize| {
        let first = (low[axis].floor() - ROOM as f64).max(0.0);
        let last = (high[axis].ceil() + ROOM as f64).min(n as f64 - 1.0);
        (first <= last).then_some((first as usize, last as usize))
    };
    let ((i0, i1), (j0, j1), (k0, k1)) = (clip(0, shape.ni)?, clip(1, shape.nj)?, clip(2, shape.nk)?);
    Some((Index3 { i: i0, j: j0, k: k0 }, Index3 { i: i1, j: j1, k: k1 }))
}

/// Closes the voxels of a grid that lie in a mask.
fn close(is_open: &mut [bool], grid: &Grid, mask: &Mask) {
    let Some((low, high)) = bounds(grid, mask) else { return };
    for k in low.k..=high.k {
        for j in low.j..=high.j {
            for i in low.i..=high.i {
                let at = Index3 { i, j, k };
                if mask.grid().nearest(grid.center(at)).is_some_and(|at| *mask.at(at)) {
                    is_open[grid.shape().linear(at)] = false;
                }
            }
        }
    }
}
