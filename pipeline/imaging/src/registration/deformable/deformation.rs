//! A smooth map from the fixed to the moving frame, and how much it stretches tissue. Turned round in `inverse`.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::kept_field;
use super::lattice::Lattice;
use super::solve::Displacement;
use crate::{Affine, FrameId, Grid, GridError, Patient, Point, Shape, Vector, Voxel};

/// Half a cell, and the rounding of two affine maps.
const RIM: f64 = 0.5 + 1e-6;

/// p ↦ affine(p + u(p)); u is read trilinearly from a lattice in the fixed frame and held constant beyond it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Kept")]
pub struct Deformation {
    grid: Grid,
    #[serde(serialize_with = "kept_field::serialize")]
    displacement_mm: Vec<[f32; 3]>,
    fixed_to_moving: Affine<Patient, Patient>,
}

/// A deformation as it was kept, before its parts are held against each other.
#[derive(Deserialize)]
struct Kept {
    grid: Grid,
    #[serde(deserialize_with = "kept_field::deserialize")]
    displacement_mm: Vec<[f32; 3]>,
    fixed_to_moving: Affine<Patient, Patient>,
}

impl TryFrom<Kept> for Deformation {
    type Error = GridError;

    fn try_from(kept: Kept) -> Result<Self, GridError> {
        Self::new(kept.grid, kept.displacement_mm, kept.fixed_to_moving)
    }
}

impl Deformation {
    /// From a displacement in mm LPS at the voxel centres of a grid of the fixed frame (in memory order) and the affine map that
    /// follows it. Refused when the two do not fit together.
    pub fn new(
        grid: Grid,
        displacement_mm: Vec<[f32; 3]>,
        fixed_to_moving: Affine<Patient, Patient>,
    ) -> Result<Self, GridError> {
        let shape = grid.shape();
        let least = shape.ni.min(shape.nj).min(shape.nk);
        if displacement_mm.len() != shape.n_voxels() || least < 2 {
            return Err(GridError::ShapeMismatch { array: (displacement_mm.len(), 1, 1), grid: shape });
        }
        if fixed_to_moving.inverse().is_none() {
            return Err(GridError::Singular);
        }
        Ok(Self { grid, displacement_mm, fixed_to_moving })
    }

    /// From the lattice of the search.
    pub(super) fn of(found: &Displacement, fixed_to_moving: Affine<Patient, Patient>, frame: FrameId) -> Self {
        let Lattice { origin, spacing_mm, n: [ni, nj, nk] } = found.lattice;
        let map = Affine::from_parts(Matrix3::identity() * spacing_mm, origin);
        let grid = Grid::new(Shape { ni, nj, nk }, map, frame).expect("a lattice has nodes and a positive spacing");
        let displacement_mm = found.values.iter().map(|u| [u.x, u.y, u.z].map(kept_field::rounded)).collect();
        Self { grid, displacement_mm, fixed_to_moving }
    }

    /// The lattice of the displacement, in the fixed frame.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }
    /// The displacement at the lattice's voxel centres, mm LPS, in memory order.
    pub fn displacement_mm(&self) -> &[[f32; 3]] {
        &self.displacement_mm
    }
    /// The affine map that follows the displacement.
    pub fn affine(&self) -> &Affine<Patient, Patient> {
        &self.fixed_to_moving
    }

    /// The displacement at a point of the fixed frame, before the affine map.
    pub fn displacement(&self, p: Point<Patient>) -> Vector<Patient> {
        let (at, [x, y, z]) = self.place(p);
        let strides = self.strides();
        let row = |at: usize| {
            let [a, b] = [at, at + 1].map(|at| Vector3::from(self.displacement_mm[at].map(f64::from)));
            a + (b - a) * x
        };
        let slice = |at: usize| {
            let (a, b) = (row(at), row(at + strides[1]));
            a + (b - a) * y
        };
        let (a, b) = (slice(at), slice(at + strides[2]));
        Vector::from_coords(a + (b - a) * z)
    }

    /// Where a point of the fixed image lies in the moving image.
    pub fn apply(&self, p: Point<Patient>) -> Point<Patient> {
        self.fixed_to_moving.apply(p + self.displacement(p))
    }

    /// Whether a point of the fixed image lies on the lattice, or within half a cell of its outermost nodes.
    pub fn reaches(&self, p: Point<Patient>) -> bool {
        let shape = self.grid.shape();
        let v = self.grid.patient_to_voxel().apply(p).coords;
        [shape.ni, shape.nj, shape.nk].iter().enumerate().all(|(a, n)| v[a] >= -RIM && v[a] <= *n as f64 - 1.0 + RIM)
    }

    /// The lattice continued or cut so that it covers the voxels of a grid of the fixed frame: on its nodes the whole map is
    /// sampled without loss, for between nodes both are read trilinearly.
    pub fn lattice_over(&self, fixed: &Grid) -> Result<Grid, GridError> {
        let shape = fixed.shape();
        let ends = |n: usize| [-0.5, n as f64 - 0.5];
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for (i, j, k) in (0..8).map(|corner| (corner & 1, (corner >> 1) & 1, corner >> 2)) {
            let at = Point::new(ends(shape.ni)[i], ends(shape.nj)[j], ends(shape.nk)[k]);
            let v = self.grid.patient_to_voxel().apply(fixed.voxel_to_patient().apply(at)).coords;
            for a in 0..3 {
                (low[a], high[a]) = (low[a].min(v[a].floor()), high[a].max(v[a].ceil()));
            }
        }
        let n: [usize; 3] = std::array::from_fn(|a| (high[a] - low[a]) as usize + 1);
        let shift = Affine::<Voxel, Voxel>::from_parts(Matrix3::identity(), Vector3::from(low));
        let map = shift.then(self.grid.voxel_to_patient());
        Grid::new(Shape { ni: n[0], nj: n[1], nk: n[2] }, map, self.grid.frame().clone())
    }

    /// The whole map as displacements, mm LPS, at the voxel centres of a grid of the fixed frame, in memory order.
    pub fn displacement_on(&self, grid: &Grid) -> Vec<[f32; 3]> {
        let shape = grid.shape();
        let at = |n: usize| {
            let p = grid.center(shape.index(n));
            let u = self.apply(p) - p;
            [u.coords.x as f32, u.coords.y as f32, u.coords.z as f32]
        };
        (0..shape.n_voxels()).into_par_iter().map(at).collect()
    }

    /// How many times its volume tissue at a point of the fixed image has in the moving image; 0 or less where the map folds.
    pub fn jacobian(&self, p: Point<Patient>) -> f64 {
        (Matrix3::identity() + self.cell(p).1).determinant() * self.fixed_to_moving.linear().determinant()
    }

    /// Displacement and its derivative (per mm) at a point; the derivative is that of the nearest cell.
    pub(super) fn cell(&self, p: Point<Patient>) -> (Vector3<f64>, Matrix3<f64>) {
        let (at, t) = self.place(p);
        let strides = self.strides();
        let mut value = Vector3::zeros();
        let mut slope = Matrix3::zeros();
        for corner in 0..8 {
            let upper = [corner & 1, (corner >> 1) & 1, corner >> 2];
            let at = at + upper[0] + upper[1] * strides[1] + upper[2] * strides[2];
            let u = Vector3::from(self.displacement_mm[at].map(f64::from));
            let part: [f64; 3] = std::array::from_fn(|a| if upper[a] == 1 { t[a] } else { 1.0 - t[a] });
            let sign: [f64; 3] = std::array::from_fn(|a| if upper[a] == 1 { 1.0 } else { -1.0 });
            value += u * (part[0] * part[1] * part[2]);
            let d = Vector3::new(sign[0] * part[1] * part[2], part[0] * sign[1] * part[2], part[0] * part[1] * sign[2]);
            slope += u * d.transpose();
        }
        (value, slope * self.grid.patient_to_voxel().linear())
    }

    /// The first node of the cell nearest to a point, and where in it the point lies along each axis, 0 to 1.
    fn place(&self, p: Point<Patient>) -> (usize, [f64; 3]) {
        let shape = self.grid.shape();
        let v = self.grid.patient_to_voxel().apply(p).coords;
        let n = [shape.ni, shape.nj, shape.nk];
        let low: [usize; 3] = std::array::from_fn(|a| (v[a].max(0.0) as usize).min(n[a] - 2));
        let t = std::array::from_fn(|a| (v[a] - low[a] as f64).clamp(0.0, 1.0));
        (shape.linear(crate::Index3 { i: low[0], j: low[1], k: low[2] }), t)
    }

    /// Steps in memory to the next node along each axis.
    pub(super) fn strides(&self) -> [usize; 3] {
        let shape = self.grid.shape();
        [1, shape.ni, shape.ni * shape.nj]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Rotation3;

    /// A shear on an oblique lattice, followed by a turn.
    fn sheared() -> Deformation {
        let turn = *Rotation3::from_euler_angles(0.3, 0.1, -0.2).matrix();
        let shape = Shape { ni: 5, nj: 6, nk: 4 };
        let origin = Point::new(10.0, -20.0, 5.0);
        let grid = Grid::from_directions(shape, origin, [3.0, 4.0, 5.0], turn, FrameId::new("f")).unwrap();
        let displacement = (0..shape.n_voxels())
            .map(|n| {
                let p = grid.center(shape.index(n)).coords;
                [0.2 * p.x as f32, 0.1 * p.x as f32 - 0.3 * p.z as f32, 1.5]
            })
            .collect();
        Deformation::new(grid, displacement, Affine::from_parts(turn, Vector3::new(1.0, 2.0, 3.0))).unwrap()
    }

    #[test]
    fn a_linear_displacement_is_read_inverted_and_its_stretch_known() {
        let map = sheared();
        let p = map.grid().center(crate::Index3 { i: 2, j: 3, k: 1 }) + Vector::new(0.4, -0.7, 1.1);
        let u = map.displacement(p).coords;
        let want = Vector3::new(0.2 * p.coords.x, 0.1 * p.coords.x - 0.3 * p.coords.z, 1.5);
        assert!((u - want).norm() < 1e-5, "{u} {want}");
        assert!((map.jacobian(p) - 1.2).abs() < 1e-5);
        let back = map.apply_inverse(map.apply(p)).unwrap();
        assert!(back.distance(p) < 2e-3);
    }

    #[test]
    fn the_whole_map_is_one_field_and_ends_half_a_cell_beyond_its_nodes() {
        let map = sheared();
        // Another grid of the same frame, larger than the lattice on one side.
        let turn = *Rotation3::from_euler_angles(-0.2, 0.3, 0.1).matrix();
        let shape = Shape { ni: 9, nj: 4, nk: 7 };
        let origin = Point::new(2.0, -15.0, 4.0);
        let fixed = Grid::from_directions(shape, origin, [2.0, 1.5, 2.5], turn, FrameId::new("f")).unwrap();
        let over = map.lattice_over(&fixed).unwrap();
        let written = Deformation::new(over.clone(), map.displacement_on(&over), Affine::identity()).unwrap();
        for n in 0..shape.n_voxels() {
            let p = fixed.center(shape.index(n));
            assert!(written.reaches(p) && written.apply(p).distance(map.apply(p)) < 1e-4);
        }
        let grid = map.grid().clone();
        let whole = Deformation::new(grid.clone(), map.displacement_on(&grid), Affine::identity()).unwrap();
        let p = grid.center(crate::Index3 { i: 1, j: 2, k: 2 }) + Vector::new(0.4, -0.7, 1.1);
        assert!(whole.apply(p).distance(map.apply(p)) < 1e-4);
        let at = |i: f64| grid.voxel_to_patient().apply(Point::new(i, 1.0, 1.0));
        assert_eq!([-0.6, -0.4, 4.4, 4.6].map(|i| map.reaches(at(i))), [false, true, true, false]);
    }

    #[test]
    fn a_fold_has_a_negative_stretch() {
        let shape = Shape { ni: 4, nj: 2, nk: 2 };
        let grid =
            Grid::from_directions(shape, Point::new(0.0, 0.0, 0.0), [1.0; 3], Matrix3::identity(), FrameId::new("f"));
        let displacement = (0..16).map(|n| [-2.0 * (n % 4) as f32, 0.0, 0.0]).collect();
        let map = Deformation::new(grid.unwrap(), displacement, Affine::identity()).unwrap();
        assert!((map.jacobian(Point::new(1.5, 0.5, 0.5)) + 1.0).abs() < 1e-6);
    }
}
