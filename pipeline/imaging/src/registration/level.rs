//! One level of the pyramid: a smoothed, thinned copy of an image that can be read between its voxels, with its gradient.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use crate::{Affine, Patient, Point, Shape, Volume, Voxel};

/// Width of the Gaussian (standard deviation) relative to the level's spacing: keeps what the thinned grid can carry.
const BLUR_PER_SPACING: f64 = 0.6;
/// Blur an image already has relative to its own voxels: a box of one voxel has a standard deviation of 0.29, its
/// reconstruction kernel adds about as much.
const OWN_BLUR_PER_VOXEL: f64 = 0.4;

/// A smoothed image on a thinned grid.
#[derive(Debug, Clone)]
pub(super) struct Level {
    values: Vec<f32>,
    shape: Shape,
    voxel_to_patient: Affine<Voxel, Patient>,
    to_voxel: Matrix3<f64>,
    to_voxel_shift: Vector3<f64>,
    /// Transposed map of gradients from voxel to patient directions.
    gradient_to_patient: Matrix3<f64>,
}

/// The two voxels an axis is read from: first, second, weight of the second, and whether the value changes along the axis.
type Bracket = (usize, usize, f64, f64);

impl Level {
    /// Cuts values to `range`, smooths for a spacing of `spacing_mm` and keeps every n-th voxel along each axis.
    pub(super) fn new(image: &Volume<f32>, range: (f32, f32), spacing_mm: f64) -> Self {
        let own = image.grid().spacing_mm();
        let mut values: Vec<f32> = image.values().par_iter().map(|v| v.clamp(range.0, range.1)).collect();
        let mut n = [image.shape().ni, image.shape().nj, image.shape().nk];
        let (mut strides, mut firsts) = ([1; 3], [0; 3]);
        for axis in 0..3 {
            strides[axis] = ((spacing_mm / own[axis] + 0.01).floor() as usize).clamp(1, n[axis]);
            let kept = (n[axis] - 1) / strides[axis] + 1;
            firsts[axis] = (n[axis] - 1 - (kept - 1) * strides[axis]) / 2;
            let blur_mm2 = (BLUR_PER_SPACING * spacing_mm).powi(2) - (OWN_BLUR_PER_VOXEL * own[axis]).powi(2);
            let kernel = gaussian(blur_mm2.max(0.0).sqrt() / own[axis]);
            values = convolve(&values, n, axis, &kernel, (firsts[axis], strides[axis], kept));
            n[axis] = kept;
        }
        let thinning = Affine::<Voxel, Voxel>::from_parts(
            Matrix3::from_diagonal(&Vector3::from_fn(|a, _| strides[a] as f64)),
            Vector3::from_fn(|a, _| firsts[a] as f64),
        );
        let voxel_to_patient = thinning.then(image.grid().voxel_to_patient());
        let inverse = voxel_to_patient.inverse().expect("a grid's map has an inverse and strides are at least 1");
        Self {
            values,
            shape: Shape { ni: n[0], nj: n[1], nk: n[2] },
            voxel_to_patient,
            to_voxel: inverse.linear(),
            to_voxel_shift: inverse.translation(),
            gradient_to_patient: inverse.linear().transpose(),
        }
    }

    /// Number of voxels along each axis.
    pub(super) fn shape(&self) -> Shape {
        self.shape
    }
    /// Voxel to patient coordinates of this level.
    pub(super) fn voxel_to_patient(&self) -> &Affine<Voxel, Patient> {
        &self.voxel_to_patient
    }
    /// The values in memory order.
    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }
    /// Centre of the grid in patient space.
    pub(super) fn center(&self) -> Vector3<f64> {
        let Shape { ni, nj, nk } = self.shape;
        let middle = Point::new((ni - 1) as f64 / 2.0, (nj - 1) as f64 / 2.0, (nk - 1) as f64 / 2.0);
        self.voxel_to_patient.apply(middle).coords
    }

    /// Trilinear value at a point; `None` beyond the outer faces of the border voxels.
    pub(super) fn value(&self, p: Vector3<f64>) -> Option<f32> {
        let (corners, [x, y, z]) = self.read(p)?;
        let along = |a: usize| corners[a] + (corners[a + 1] - corners[a]) * x.2 as f32;
        let (y, z) = (y.2 as f32, z.2 as f32);
        let near = along(0) + (along(2) - along(0)) * y;
        let far = along(4) + (along(6) - along(4)) * y;
        Some(near + (far - near) * z)
    }

    /// Trilinear value and its gradient in patient space (per mm); `None` beyond the outer faces of the border voxels.
    pub(super) fn value_and_gradient(&self, p: Vector3<f64>) -> Option<(f64, Vector3<f64>)> {
        let (corners, [x, y, z]) = self.read(p)?;
        let c = corners.map(f64::from);
        let mix = |a: f64, b: f64, t: f64| a + (b - a) * t;
        let (x00, x10) = (mix(c[0], c[1], x.2), mix(c[2], c[3], x.2));
        let (x01, x11) = (mix(c[4], c[5], x.2), mix(c[6], c[7], x.2));
        let (near, far) = (mix(x00, x10, y.2), mix(x01, x11, y.2));
        let dx = mix(mix(c[1] - c[0], c[3] - c[2], y.2), mix(c[5] - c[4], c[7] - c[6], y.2), z.2);
        let dy = mix(x10 - x00, x11 - x01, z.2);
        let in_voxels = Vector3::new(dx * x.3, dy * y.3, (far - near) * z.3);
        Some((mix(near, far, z.2), self.gradient_to_patient * in_voxels))
    }

    /// The eight neighbours (i fastest) and the brackets of the three axes.
    fn read(&self, p: Vector3<f64>) -> Option<([f32; 8], [Bracket; 3])> {
        let v = self.to_voxel * p + self.to_voxel_shift;
        let Shape { ni, nj, nk } = self.shape;
        let (i, j, k) = (bracket(v.x, ni)?, bracket(v.y, nj)?, bracket(v.z, nk)?);
        let row = |k: usize, j: usize| (k * nj + j) * ni;
        let (a, b, c, d) = (row(k.0, j.0), row(k.0, j.1), row(k.1, j.0), row(k.1, j.1));
        let corners =
            [a + i.0, a + i.1, b + i.0, b + i.1, c + i.0, c + i.1, d + i.0, d + i.1].map(|at| self.values[at]);
        Some((corners, [i, j, k]))
    }
}

fn bracket(v: f64, n: usize) -> Option<Bracket> {
    let last = (n - 1) as f64;
    if !(v >= -0.5 && v <= last + 0.5) {
        return None;
    }
    if v <= 0.0 {
        return Some((0, 0, 0.0, 0.0));
    }
    if v >= last {
        return Some((n - 1, n - 1, 0.0, 0.0));
    }
    let low = v.floor();
    Some((low as usize, low as usize + 1, v - low, 1.0))
}

/// Half a Gaussian kernel, centre first, cut at three standard deviations and normalised over both halves.
fn gaussian(sigma_voxels: f64) -> Vec<f32> {
    if sigma_voxels < 0.2 {
        return vec![1.0];
    }
    let radius = (3.0 * sigma_voxels).ceil() as usize;
    let weight = |d: usize| (-0.5 * (d as f64 / sigma_voxels).powi(2)).exp();
    let total = weight(0) + 2.0 * (1..=radius).map(weight).sum::<f64>();
    (0..=radius).map(|d| (weight(d) / total) as f32).collect()
}

/// Convolves along one axis, border values repeated, and keeps `kept` positions from `first` on, `stride` apart.
fn convolve(
    values: &[f32],
    n: [usize; 3],
    axis: usize,
    kernel: &[f32],
    (first, stride, kept): (usize, usize, usize),
) -> Vec<f32> {
    let inner: usize = n[..axis].iter().product();
    let mut out_n = n;
    out_n[axis] = kept;
    let mut out = vec![0.0_f32; out_n.iter().product()];
    let last = n[axis] - 1;
    out.par_chunks_mut(inner * kept).enumerate().for_each(|(outer, block)| {
        let source = &values[outer * inner * n[axis]..(outer + 1) * inner * n[axis]];
        for (at, line) in block.chunks_mut(inner).enumerate() {
            let center = first + at * stride;
            for (d, weight) in kernel.iter().enumerate() {
                let (low, high) = (center.saturating_sub(d), (center + d).min(last));
                let below = &source[low * inner..(low + 1) * inner];
                let above = &source[high * inner..(high + 1) * inner];
                let weight = if d == 0 { 0.5 * weight } else { *weight };
                for ((o, a), b) in line.iter_mut().zip(below).zip(above) {
                    *o += weight * (a + b);
                }
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Grid};

    /// A field that is linear in patient space, on an oblique anisotropic grid.
    fn ramp() -> Volume<f32> {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.3, 0.4).matrix();
        let shape = Shape { ni: 40, nj: 36, nk: 17 };
        let origin = Point::new(-40.0, 12.0, 90.0);
        let grid = Grid::from_directions(shape, origin, [1.0, 1.2, 3.0], rotation, FrameId::new("f")).unwrap();
        Volume::from_fn(grid.clone(), |at| {
            let p = grid.center(at);
            (2.0 * p.coords.x - 3.0 * p.coords.y + 0.5 * p.coords.z) as f32
        })
    }

    #[test]
    fn a_ramp_keeps_value_and_gradient_on_every_level() {
        let image = ramp();
        let p = image.grid().center(crate::Index3 { i: 19, j: 18, k: 8 }).coords + Vector3::new(0.3, 0.2, -0.4);
        let want = 2.0 * p.x - 3.0 * p.y + 0.5 * p.z;
        for spacing_mm in [1.0, 2.0, 4.0] {
            let level = Level::new(&image, (-1e6, 1e6), spacing_mm);
            let (value, gradient) = level.value_and_gradient(p).unwrap();
            assert!((value - want).abs() < 0.05, "{spacing_mm}: {value} {want}");
            assert!((f64::from(level.value(p).unwrap()) - want).abs() < 0.05);
            assert!((gradient - Vector3::new(2.0, -3.0, 0.5)).norm() < 0.01, "{gradient}");
        }
        let level = Level::new(&image, (-1e6, 1e6), 4.0);
        assert_eq!((level.shape().ni, level.shape().nj, level.shape().nk), (10, 12, 17));
    }

    #[test]
    fn nothing_is_read_outside_the_grid() {
        let image = ramp();
        let level = Level::new(&image, (-1e6, 1e6), 1.0);
        let outside = image.grid().voxel_to_patient().apply(Point::new(-0.6, 5.0, 5.0)).coords;
        let inside = image.grid().voxel_to_patient().apply(Point::new(-0.4, 5.0, 5.0)).coords;
        assert!(level.value(outside).is_none() && level.value(inside).is_some());
    }
}
