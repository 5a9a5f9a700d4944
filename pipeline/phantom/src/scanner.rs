//! The grids of a visit's images: other spacing, origin and tilt at every visit, as on other scanners and other days.

use imaging::{FrameId, Grid, Point, Shape};
use nalgebra::{Matrix3, Rotation3, Vector3};
use rand_chacha::ChaCha8Rng;

use crate::random::{between, jitter, whole};

/// Extent of the CT along i, j, k, mm.
const FIELD_MM: [f64; 3] = [300.0, 222.0, 204.0];

/// How fine a CT is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// 1.3–1.7 mm in-plane, slices of 2, 2.5 or 3 mm.
    Full,
    /// 2.6–3.0 mm in-plane, slices of 4 mm: a sixth of the voxels, for cohorts of hundreds.
    Coarse,
}

/// A CT grid round the middle of the body, turned by at most 3° about z.
pub(crate) fn ct_grid(rng: &mut ChaCha8Rng, middle: Vector3<f64>, frame: &str, detail: Detail) -> Grid {
    let (finest, coarsest) = if detail == Detail::Full { (1.3, 1.7) } else { (2.6, 3.0) };
    let in_plane = (between(rng, finest, coarsest) * 1000.0).round() / 1000.0;
    let slice = [2.0, 2.5, 3.0][whole(rng, 0, 2) as usize];
    let slice = if detail == Detail::Full { slice } else { 4.0 };
    let directions = *Rotation3::from_axis_angle(&Vector3::z_axis(), jitter(rng, 3.0_f64.to_radians())).matrix();
    let middle = middle + Vector3::new(jitter(rng, 3.0), jitter(rng, 3.0), jitter(rng, 3.0));
    covering(middle, [in_plane, in_plane, slice], directions, frame)
}

/// A grid of another modality round the same place, with axes along the patient's.
pub(crate) fn straight_grid(rng: &mut ChaCha8Rng, middle: Vector3<f64>, spacing_mm: [f64; 3], frame: &str) -> Grid {
    let middle = middle + Vector3::new(jitter(rng, 6.0), jitter(rng, 6.0), jitter(rng, 4.0));
    covering(middle, spacing_mm, Matrix3::identity(), frame)
}

/// A grid `factor` times finer that covers the same space, so that blocks of its voxels average to the given one.
pub(crate) fn finer(grid: &Grid, factor: usize) -> Grid {
    let Shape { ni, nj, nk } = grid.shape();
    let shape = Shape { ni: ni * factor, nj: nj * factor, nk: nk * factor };
    let shift = 0.5 / factor as f64 - 0.5;
    let origin = grid.voxel_to_patient().apply(Point::new(shift, shift, shift));
    let spacing = grid.spacing_mm().map(|s| s / factor as f64);
    Grid::from_directions(shape, origin, spacing, grid.directions(), grid.frame().clone())
        .expect("a grid cut finer is a grid")
}

fn covering(middle: Vector3<f64>, spacing_mm: [f64; 3], directions: Matrix3<f64>, frame: &str) -> Grid {
    let n = |axis: usize| (FIELD_MM[axis] / spacing_mm[axis]).round() as usize;
    let shape = Shape { ni: n(0), nj: n(1), nk: n(2) };
    let half = Vector3::new(shape.ni as f64 - 1.0, shape.nj as f64 - 1.0, shape.nk as f64 - 1.0) * 0.5;
    let origin = middle - directions * half.component_mul(&Vector3::from(spacing_mm));
    let origin = origin.map(|x| (x * 1000.0).round() / 1000.0);
    Grid::from_directions(shape, Point::from_coords(origin), spacing_mm, directions, FrameId::new(frame))
        .expect("positive spacings and a rotation make a grid")
}
