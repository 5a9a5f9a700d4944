//! The pyramid of an image: smoothed, thinned copies that can be read between their voxels, with their gradient.
//!
//! The two images of a pair are brought to one resolution, direction by direction: were one of them blurrier, its organs would
//! look smaller (the half-height contour of a blurred sphere moves inwards by about σ²/R), and an affine map would enlarge them.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use super::blur::{Thinning, convolve, gaussian};
use crate::{Affine, Grid, Index3, Patient, Point, Shape, Volume, Voxel};

/// Spacings of the pyramid, mm, coarse to fine: 8 mm carries a body, 2 mm the finest that abdominal CT resolves along z.
pub(super) const SPACINGS_MM: [f64; 3] = [8.0, 4.0, 2.0];
/// Number of levels.
pub(super) const N_LEVELS: usize = SPACINGS_MM.len();
/// Width of the Gaussian (standard deviation) relative to the level's spacing: keeps what the thinned grid can carry.
const BLUR_PER_SPACING: f64 = 0.6;
/// Variance an image already has, in squared voxel edges: a box of one voxel has 1/12.
const VOXEL_VARIANCE: f64 = 1.0 / 12.0;
/// Variance that reading between voxels adds, in squared edges: linear interpolation, averaged over the positions in a voxel.
const INTERPOLATION_VARIANCE: f64 = 1.0 / 6.0;
/// Part of a stride by which a level may be coarser than its name.
const STRIDE_SLACK: f64 = 0.2;

/// A smoothed image on a thinned grid.
#[derive(Debug, Clone)]
pub(super) struct Level {
    /// With one voxel more on each side, equal to the border, so that no reading within the grid needs a case of its own.
    padded: Vec<f32>,
    shape: Shape,
    voxel_to_patient: Affine<Voxel, Patient>,
    /// Patient to padded voxel coordinates.
    to_padded: Matrix3<f64>,
    to_padded_shift: Vector3<f64>,
    /// Transposed map of gradients from voxel to patient directions.
    gradient_to_patient: Matrix3<f64>,
}

/// How far the levels of a pair are smoothed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolution {
    /// Variance per direction that each image cannot go below on a level, as a matrix in patient space, mm².
    floors: [[Matrix3<f64>; 2]; N_LEVELS],
}

impl Resolution {
    /// Of the two images of a pair.
    pub(super) fn of_pair(fixed: &Grid, moving: &Grid) -> Self {
        let floor = |grid: &Grid, level: usize| {
            let own = grid.spacing_mm();
            let strides = strides(own)[level];
            let variance = Vector3::from_fn(|a, _| {
                own[a].powi(2) * (VOXEL_VARIANCE + INTERPOLATION_VARIANCE * (strides[a] as f64).powi(2))
            });
            let axes = directions(grid);
            axes * Matrix3::from_diagonal(&variance) * axes.transpose()
        };
        Self { floors: std::array::from_fn(|level| [floor(fixed, level), floor(moving, level)]) }
    }

    /// Variance a level shall have along a direction once it is read between voxels, mm².
    fn variance_mm2(&self, level: usize, along: Vector3<f64>) -> f64 {
        let wanted = SPACINGS_MM[level].powi(2) * (BLUR_PER_SPACING.powi(2) + INTERPOLATION_VARIANCE);
        self.floors[level].iter().map(|floor| along.dot(&(floor * along))).fold(wanted, f64::max)
    }
}

fn directions(grid: &Grid) -> Matrix3<f64> {
    let linear = grid.voxel_to_patient().linear();
    Matrix3::from_columns(&[0, 1, 2].map(|a| linear.column(a).normalize()))
}

/// Strides of all levels against the image, coarse to fine; each a multiple of the next finer one.
fn strides(own_mm: [f64; 3]) -> [[usize; 3]; N_LEVELS] {
    let mut strides = [[1; 3]; N_LEVELS];
    for a in 0..3 {
        let mut stride = 1;
        for level in (0..N_LEVELS).rev() {
            let spacing_mm = own_mm[a] * stride as f64;
            stride *= ((SPACINGS_MM[level] / spacing_mm + STRIDE_SLACK).floor() as usize).max(1);
            strides[level][a] = stride;
        }
    }
    strides
}

/// The levels of an image, coarse to fine, its values cut to `range` first. Each level is made from the next finer one.
pub(super) fn pyramid(image: &Volume<f32>, range: (f32, f32), resolution: &Resolution) -> [Level; N_LEVELS] {
    let grid = image.grid();
    let (own, axes, strides) = (grid.spacing_mm(), directions(grid), strides(grid.spacing_mm()));
    let mut values: Vec<f32> = image.values().par_iter().map(|v| v.clamp(range.0, range.1)).collect();
    let mut n = [image.shape().ni, image.shape().nj, image.shape().nk];
    let mut spacing = own;
    let mut variance = own.map(|mm| mm * mm * VOXEL_VARIANCE);
    let mut voxel_to_patient = *grid.voxel_to_patient();
    let mut levels = Vec::with_capacity(N_LEVELS);
    for level in (0..N_LEVELS).rev() {
        let (mut first, mut stride) = (Vector3::zeros(), Vector3::repeat(1.0));
        for a in 0..3 {
            let step = own[a] * strides[level][a] as f64;
            let every = ((step / spacing[a]).round() as usize).min(n[a]);
            let thinning = Thinning::centered(n[a], every);
            let wanted = resolution.variance_mm2(level, axes.column(a).into()) - INTERPOLATION_VARIANCE * step * step;
            let kernel = gaussian((wanted - variance[a]).max(0.0) / (spacing[a] * spacing[a]));
            variance[a] = variance[a].max(wanted);
            values = convolve(values, n, a, &kernel, thinning);
            (n[a], spacing[a]) = (thinning.kept, step);
            (first[a], stride[a]) = (thinning.first as f64, thinning.stride as f64);
        }
        let thinning = Affine::<Voxel, Voxel>::from_parts(Matrix3::from_diagonal(&stride), first);
        voxel_to_patient = thinning.then(&voxel_to_patient);
        levels.push(Level::new(&values, Shape { ni: n[0], nj: n[1], nk: n[2] }, voxel_to_patient));
    }
    levels.reverse();
    levels.try_into().expect("one level was pushed for each spacing")
}

impl Level {
    /// From values in memory order and their map, which must have an inverse.
    pub(super) fn new(values: &[f32], shape: Shape, voxel_to_patient: Affine<Voxel, Patient>) -> Self {
        let inverse = voxel_to_patient.inverse().expect("a grid's map has an inverse and strides are at least 1");
        Self {
            padded: pad(values, shape),
            shape,
            voxel_to_patient,
            to_padded: inverse.linear(),
            to_padded_shift: inverse.translation() + Vector3::repeat(1.0),
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
    /// The value of a voxel.
    pub(super) fn at(&self, Index3 { i, j, k }: Index3) -> f32 {
        self.padded[((k + 1) * (self.shape.nj + 2) + j + 1) * (self.shape.ni + 2) + i + 1]
    }
    /// Centre of the grid in patient space.
    pub(super) fn center(&self) -> Vector3<f64> {
        let Shape { ni, nj, nk } = self.shape;
        let middle = Point::new((ni - 1) as f64 / 2.0, (nj - 1) as f64 / 2.0, (nk - 1) as f64 / 2.0);
        self.voxel_to_patient.apply(middle).coords
    }

    /// Whether a point lies in the grid, and at least so many mm from its faces.
    pub(super) fn holds(&self, p: Vector3<f64>, margin_mm: f64) -> bool {
        let v = self.to_padded * p + self.to_padded_shift;
        let n = [self.shape.ni, self.shape.nj, self.shape.nk];
        (0..3).all(|a| {
            let margin = margin_mm / self.voxel_to_patient.linear().column(a).norm();
            v[a] >= 0.5 + margin && v[a] <= n[a] as f64 + 0.5 - margin
        })
    }

    /// Trilinear value at a point; `None` beyond the outer faces of the border voxels.
    #[inline]
    pub(super) fn value(&self, p: Vector3<f64>) -> Option<f32> {
        let (c, [x, y, z]) = self.read(p)?;
        let along = |a: usize| c[a] + (c[a + 1] - c[a]) * x;
        let near = along(0) + (along(2) - along(0)) * y;
        let far = along(4) + (along(6) - along(4)) * y;
        Some(near + (far - near) * z)
    }

    /// Trilinear value and its gradient in patient space (per mm); `None` beyond the outer faces of the border voxels.
    #[inline]
    pub(super) fn value_and_gradient(&self, p: Vector3<f64>) -> Option<(f64, Vector3<f64>)> {
        let (c, [x, y, z]) = self.read(p)?;
        let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
        let (x00, x10) = (mix(c[0], c[1], x), mix(c[2], c[3], x));
        let (x01, x11) = (mix(c[4], c[5], x), mix(c[6], c[7], x));
        let (near, far) = (mix(x00, x10, y), mix(x01, x11, y));
        let dx = mix(mix(c[1] - c[0], c[3] - c[2], y), mix(c[5] - c[4], c[7] - c[6], y), z);
        let dy = mix(x10 - x00, x11 - x01, z);
        let in_voxels = Vector3::new(f64::from(dx), f64::from(dy), f64::from(far - near));
        Some((f64::from(mix(near, far, z)), self.gradient_to_patient * in_voxels))
    }

    /// The eight neighbours (i fastest) and the position between them along the three axes, 0 to 1.
    #[inline]
    fn read(&self, p: Vector3<f64>) -> Option<([f32; 8], [f32; 3])> {
        let v = self.to_padded * p + self.to_padded_shift;
        let Shape { ni, nj, nk } = self.shape;
        let within = |x: f64, n: usize| x >= 0.5 && x <= n as f64 + 0.5;
        if !(within(v.x, ni) && within(v.y, nj) && within(v.z, nk)) {
            return None;
        }
        // Positive, so cutting the fraction off is rounding down.
        let (i, j, k) = (v.x as u32, v.y as u32, v.z as u32);
        let (row, slice) = (ni + 2, (ni + 2) * (nj + 2));
        let first = k as usize * slice + j as usize * row + i as usize;
        let [a, b, c, d] = [first, first + row, first + slice, first + slice + row].map(|at| &self.padded[at..at + 2]);
        let part = |x: f64, low: u32| (x - f64::from(low)) as f32;
        Some(([a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]], [part(v.x, i), part(v.y, j), part(v.z, k)]))
    }
}

/// The values with the border repeated once on each side.
fn pad(values: &[f32], Shape { ni, nj, nk }: Shape) -> Vec<f32> {
    let mut padded = Vec::with_capacity((ni + 2) * (nj + 2) * (nk + 2));
    let inner = |at: usize, n: usize| at.saturating_sub(1).min(n - 1);
    for k in 0..nk + 2 {
        for j in 0..nj + 2 {
            let row = &values[(inner(k, nk) * nj + inner(j, nj)) * ni..][..ni];
            padded.push(row[0]);
            padded.extend_from_slice(row);
            padded.push(row[ni - 1]);
        }
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrameId;

    /// A field that is linear in patient space, on an oblique anisotropic grid.
    fn ramp() -> Volume<f32> {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.3, 0.4).matrix();
        let shape = Shape { ni: 60, nj: 56, nk: 27 };
        let origin = Point::new(-40.0, 12.0, 90.0);
        let grid = Grid::from_directions(shape, origin, [1.0, 1.2, 3.0], rotation, FrameId::new("f")).unwrap();
        Volume::from_fn(grid.clone(), |at| {
            let p = grid.center(at);
            (2.0 * p.coords.x - 3.0 * p.coords.y + 0.5 * p.coords.z) as f32
        })
    }

    fn levels(image: &Volume<f32>) -> [Level; N_LEVELS] {
        pyramid(image, (-1e6, 1e6), &Resolution::of_pair(image.grid(), image.grid()))
    }

    #[test]
    fn a_ramp_keeps_value_and_gradient_on_every_level() {
        let image = ramp();
        let p = image.grid().center(Index3 { i: 29, j: 28, k: 13 }).coords + Vector3::new(0.3, 0.2, -0.4);
        let want = 2.0 * p.x - 3.0 * p.y + 0.5 * p.z;
        for level in levels(&image) {
            let (value, gradient) = level.value_and_gradient(p).unwrap();
            assert!((value - want).abs() < 0.05, "{value} {want}");
            assert!((f64::from(level.value(p).unwrap()) - want).abs() < 0.05);
            assert!((gradient - Vector3::new(2.0, -3.0, 0.5)).norm() < 0.01, "{gradient}");
        }
        let shapes = levels(&image).map(|level| [level.shape().ni, level.shape().nj, level.shape().nk]);
        assert_eq!(shapes, [[8, 10, 14], [15, 19, 27], [30, 56, 27]]);
    }

    #[test]
    fn nothing_is_read_outside_the_grid() {
        let image = ramp();
        let level = &levels(&image)[2];
        let at = |i: f64| level.voxel_to_patient().apply(Point::new(i, 5.0, 5.0)).coords;
        assert!(level.value(at(-0.6)).is_none() && level.value(at(-0.4)).is_some());
        assert!(level.value(at(29.6)).is_none() && level.value(at(29.4)).is_some());
        assert_eq!(level.value(at(-0.4)), level.value(at(0.0)));
        // Voxels of this level are 2 mm wide along i.
        assert!(level.holds(at(1.6), 4.0) && !level.holds(at(1.4), 4.0));
    }

    #[test]
    fn a_thin_and_a_thick_sliced_image_of_one_edge_look_alike_on_every_level() {
        // A step across z, each voxel holding the mean over its thickness.
        let image = |mm: f64| {
            let shape = Shape { ni: 4, nj: 4, nk: (120.0 / mm) as usize };
            let grid = Grid::from_directions(
                shape,
                Point::new(0.0, 0.0, mm / 2.0),
                [2.0, 2.0, mm],
                Matrix3::identity(),
                FrameId::new("f"),
            );
            Volume::from_fn(grid.unwrap(), |at| ((at.k as f64 + 1.0 - 61.0 / mm).clamp(0.0, 1.0) * 100.0) as f32)
        };
        let (thin, thick) = (image(1.0), image(5.0));
        let resolution = Resolution::of_pair(thin.grid(), thick.grid());
        let [thin, thick] = [thin, thick].map(|image| pyramid(&image, (0.0, 100.0), &resolution));
        for (a, b) in thin.iter().zip(&thick) {
            // The second moment of the edge's slope about its middle: its blur.
            let variance = |level: &Level| {
                let slopes = (0..1200).map(|n| n as f64 * 0.1).filter_map(|z| {
                    let (_, gradient) = level.value_and_gradient(Vector3::new(3.0, 3.0, z))?;
                    Some((z - 61.0, gradient.z))
                });
                let (mut mass, mut moment) = (0.0, 0.0);
                for (z, slope) in slopes {
                    mass += slope;
                    moment += slope * z * z;
                }
                moment / mass
            };
            assert!((variance(a) / variance(b) - 1.0).abs() < 0.06, "{} {}", variance(a), variance(b));
        }
    }
}
