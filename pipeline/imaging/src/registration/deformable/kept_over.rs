//! Any map on the nodes of a field of our own, its linear part apart.

use nalgebra::{Matrix3, Vector3};

use super::deformation::Deformation;
use crate::{Affine, FrameId, Grid, GridError, Patient, Point, Shape};

/// Distance of the nodes, mm, as those of a map found here.
const KEPT_MM: f64 = 3.0;
/// Nodes at most; a map of a whole body is kept on wider ones.
const MOST_NODES: f64 = 1e6;

/// A map from the fixed to the moving frame, sampled in the box round some points of the fixed frame. `linear` is what is taken for its
/// linear part. Refused where there is no point, or the linear part cannot be turned round.
pub(crate) fn kept_over(
    points: &[Vector3<f64>],
    frame: FrameId,
    linear: Affine<Patient, Patient>,
    map: impl Fn(Point<Patient>) -> Point<Patient>,
) -> Result<Deformation, GridError> {
    let first = *points.first().ok_or(GridError::Singular)?;
    let (low, high) = points.iter().fold((first, first), |(low, high), p| (low.inf(p), high.sup(p)));
    let extent = high - low;
    let spacing_mm = KEPT_MM.max((extent.iter().map(|mm| mm + KEPT_MM).product::<f64>() / MOST_NODES).cbrt());
    let n = extent.map(|mm| ((mm / spacing_mm).ceil() as usize + 1).max(2));
    let to_patient = Affine::from_parts(Matrix3::identity() * spacing_mm, low);
    let grid = Grid::new(Shape { ni: n.x, nj: n.y, nk: n.z }, to_patient, frame)?;
    let back = linear.inverse().ok_or(GridError::Singular)?;
    let shape = grid.shape();
    let displacement = |node: usize| {
        let p = grid.center(shape.index(node));
        let u = back.apply(map(p)).coords - p.coords;
        [u.x as f32, u.y as f32, u.z as f32]
    };
    let displacement = (0..shape.n_voxels()).map(displacement).collect();
    Deformation::new(grid, displacement, linear)
}

/// The centres of a grid's corner voxels.
pub(crate) fn corners(grid: &Grid) -> Vec<Vector3<f64>> {
    let shape = grid.shape();
    let corner = |n: usize| {
        let last = |axis: usize, n_voxels: usize| if n >> axis & 1 == 1 { n_voxels - 1 } else { 0 };
        grid.center(crate::Index3 { i: last(0, shape.ni), j: last(1, shape.nj), k: last(2, shape.nk) }).coords
    };
    (0..8).map(corner).collect()
}
