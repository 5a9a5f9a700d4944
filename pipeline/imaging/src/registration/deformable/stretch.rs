//! How much a deformation stretches tissue, over every cell of its field.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::deformation::Deformation;
use crate::{Patient, Point};

/// Where a cell is looked at along each axis, 0 to 1: just inside its corners, as its neighbours have slopes of their own, and in its
/// middle.
const PLACES: [f64; 3] = [1e-6, 0.5, 1.0 - 1e-6];

/// How many times its volume tissue of the fixed image has in the moving one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// Smallest; 0 or less is a fold.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Number of places looked at.
    pub n: usize,
}

impl Stretch {
    pub(super) fn over(points: impl Iterator<Item = Vector3<f64>>, deformation: &Deformation) -> Option<Self> {
        let at = |p| Self::of(deformation.jacobian(Point::from_coords(p)));
        points.map(at).reduce(Self::with)
    }

    /// Over 27 places of each cell of the field that is wanted: its corners, the middles of its edges and faces, and its own.
    pub(super) fn over_cells(deformation: &Deformation, is_wanted: impl Fn(usize) -> bool + Sync) -> Option<Self> {
        let wanted = (0..n_cells(deformation)).into_par_iter().filter(|cell| is_wanted(*cell));
        wanted.map(|cell| Self::within(deformation, cell)).reduce_with(Self::with)
    }

    /// Over the places of a cell, whose eight nodes tell its slope along each axis.
    fn within(deformation: &Deformation, cell: usize) -> Self {
        let u = corners(deformation, cell);
        let to_voxel = deformation.grid().patient_to_voxel().linear();
        let whole = deformation.affine().linear().determinant();
        // The slope along an axis where the other two, in order, are at these places.
        let along = |axis: usize, at: [usize; 2]| {
            let [first, second] = [[1, 2], [0, 2], [0, 1]][axis];
            let edge = |corner: usize| u[corner | 1 << axis] - u[corner];
            let mix = |corner: usize| edge(corner).lerp(&edge(corner | 1 << first), PLACES[at[0]]);
            mix(0).lerp(&mix(1 << second), PLACES[at[1]])
        };
        let slopes: [[Vector3<f64>; 9]; 3] =
            std::array::from_fn(|axis| std::array::from_fn(|n| along(axis, [n % 3, n / 3])));
        let jacobian = |[i, j, k]: [usize; 3]| {
            let slope = Matrix3::from_columns(&[slopes[0][j + 3 * k], slopes[1][i + 3 * k], slopes[2][i + 3 * j]]);
            (Matrix3::identity() + slope * to_voxel).determinant() * whole
        };
        let places = (0..27).map(|n| Self::of(jacobian([n % 3, n / 3 % 3, n / 9])));
        places.reduce(Self::with).expect("a cell has places")
    }

    fn of(jacobian: f64) -> Self {
        Self { min: jacobian, max: jacobian, n: 1 }
    }

    fn with(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max), n: self.n + other.n }
    }
}

/// Cells along each axis; a cell has its first node's place among those that are not last.
fn cells(deformation: &Deformation) -> [usize; 3] {
    let shape = deformation.grid().shape();
    [shape.ni - 1, shape.nj - 1, shape.nk - 1]
}

fn n_cells(deformation: &Deformation) -> usize {
    cells(deformation).iter().product()
}

/// The displacement at the nodes of a cell, the first axis fastest.
fn corners(deformation: &Deformation, cell: usize) -> [Vector3<f64>; 8] {
    let [ni, nj, _] = cells(deformation);
    let strides = deformation.strides();
    let first = cell % ni + cell / ni % nj * strides[1] + cell / (ni * nj) * strides[2];
    std::array::from_fn(|c| {
        let at = first + (c & 1) + ((c >> 1) & 1) * strides[1] + (c >> 2) * strides[2];
        Vector3::from(deformation.displacement_mm()[at].map(f64::from))
    })
}

/// Which cells hold one of the points.
pub(super) fn cells_of(deformation: &Deformation, points: impl Iterator<Item = Vector3<f64>>) -> Vec<bool> {
    let n = cells(deformation);
    let mut touched = vec![false; n_cells(deformation)];
    for p in points {
        let v = deformation.grid().patient_to_voxel().apply(Point::<Patient>::from_coords(p)).coords;
        let at: [usize; 3] = std::array::from_fn(|a| (v[a].max(0.0) as usize).min(n[a] - 1));
        touched[at[0] + n[0] * (at[1] + n[1] * at[2])] = true;
    }
    touched
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, FrameId, Grid, Shape};

    #[test]
    fn one_folded_cell_among_many_is_found() {
        let shape = Shape { ni: 20, nj: 20, nk: 20 };
        let origin = Point::new(-30.0, 4.0, 100.0);
        let grid = Grid::from_directions(shape, origin, [3.0; 3], Matrix3::identity(), FrameId::new("f")).unwrap();
        let mut field = vec![[0.0_f32; 3]; shape.n_voxels()];
        let node = 7 + 20 * (11 + 20 * 5);
        field[node] = [3.5, 0.0, 0.0];
        let map = Deformation::new(grid.clone(), field, Affine::identity()).unwrap();
        let all = Stretch::over_cells(&map, |_| true).unwrap();
        assert!(all.min < -0.16 && all.max > 2.16 && all.n == 19 * 19 * 19 * 27, "{all:?}");
        let touched = cells_of(&map, [grid.center(shape.index(node)).coords + Vector3::repeat(0.1)].into_iter());
        assert_eq!(touched.iter().filter(|t| **t).count(), 1);
        let there = Stretch::over_cells(&map, |cell| touched[cell]).unwrap();
        let elsewhere = Stretch::over_cells(&map, |cell| !touched[cell]).unwrap();
        assert!(there.min < -0.16 && there.n == 27 && elsewhere.max > 2.16, "{there:?} {elsewhere:?}");
        assert_eq!(Stretch::over_cells(&map, |_| false), None);
    }
}
