//! Values of a volume between its voxel centres, and whole volumes carried onto another grid.
//!
//! Source: trilinear interpolation; cubic is Catmull and Rom 1974 (the interpolating cubic with a = −1/2, Keys 1981), which
//! needs no prefilter and may overshoot next to sharp edges. A volume reaches half a voxel beyond its outermost voxel centres;
//! in that rim the outermost value is continued, beyond it the caller's outside value stands.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use crate::grid::{Grid, GridError, Shape};
use crate::mask::{LabelMap, Mask};
use crate::space::{Affine, Patient, Point, Voxel};
use crate::volume::Volume;

/// A position this little beyond the rim of a volume, in voxels, still counts as inside: the rounding of two affine maps.
const RIM_TOLERANCE_VOXELS: f64 = 1e-6;

/// An interpolated mask is set from this value on; just under one half, so that rounding does not decide a tie.
const MASK_THRESHOLD: f32 = 0.5 - 1e-6;

/// A grid of more voxels than this is refused: 32 GiB of single precision, a mistaken spacing rather than an image.
const MAX_VOXELS: f64 = 8_589_934_592.0;

/// How a value between voxel centres is found. There is no default: the choice changes results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// The value of the nearest voxel; a tie goes to the higher index.
    Nearest,
    /// Trilinear.
    Linear,
    /// Catmull-Rom over 4×4×4 voxels, the outermost voxels repeated at the border.
    Cubic,
}

/// The value at a point in continuous voxel coordinates, or `outside` beyond half a voxel of the outermost centres.
pub fn sample(volume: &Volume<f32>, at: Point<Voxel>, interpolation: Interpolation, outside: f32) -> f32 {
    let lattice = Lattice { values: volume.values(), shape: volume.shape() };
    lattice.sample(at.coords, interpolation).unwrap_or(outside)
}

/// Carries a volume onto a target grid: the value at each target voxel is the source's value at `target_to_source` of that
/// voxel's patient position. The result lies in the target's frame. Smooth first when the target is coarser
/// ([`crate::intensity::smooth`]), else detail folds into noise.
#[must_use]
pub fn resample(
    source: &Volume<f32>,
    target: &Grid,
    target_to_source: &Affine<Patient, Patient>,
    interpolation: Interpolation,
    outside: f32,
) -> Volume<f32> {
    let lattice = Lattice { values: source.values(), shape: source.shape() };
    let target_to_source_voxel =
        target.voxel_to_patient().then(target_to_source).then(source.grid().patient_to_voxel());
    carried(target, &target_to_source_voxel, |at| lattice.sample(at, interpolation).unwrap_or(outside))
}

/// [`resample`] through any map (a deformation): `target_to_source` is asked once for every target voxel centre.
#[must_use]
pub fn resample_through(
    source: &Volume<f32>,
    target: &Grid,
    target_to_source: impl Fn(Point<Patient>) -> Point<Patient> + Sync,
    interpolation: Interpolation,
    outside: f32,
) -> Volume<f32> {
    let lattice = Lattice { values: source.values(), shape: source.shape() };
    let to_voxel = source.grid().patient_to_voxel();
    carried(target, target.voxel_to_patient(), |at| {
        let in_source = to_voxel.apply(target_to_source(Point::from_coords(at)));
        lattice.sample(in_source.coords, interpolation).unwrap_or(outside)
    })
}

/// Carries a label map; always by nearest voxel, because labels cannot be mixed. Outside is background (0).
#[must_use]
pub fn resample_labels(source: &LabelMap, target: &Grid, target_to_source: &Affine<Patient, Patient>) -> LabelMap {
    let lattice = Lattice { values: source.values(), shape: source.shape() };
    let target_to_source_voxel =
        target.voxel_to_patient().then(target_to_source).then(source.grid().patient_to_voxel());
    carried(target, &target_to_source_voxel, |at| lattice.nearest(at).unwrap_or(0))
}

/// [`resample_labels`] through any map (a deformation): `target_to_source` is asked once for every target voxel centre.
#[must_use]
pub fn resample_labels_through(
    source: &LabelMap,
    target: &Grid,
    target_to_source: impl Fn(Point<Patient>) -> Point<Patient> + Sync,
) -> LabelMap {
    let lattice = Lattice { values: source.values(), shape: source.shape() };
    let to_voxel = source.grid().patient_to_voxel();
    carried(target, target.voxel_to_patient(), |at| {
        lattice.nearest(to_voxel.apply(target_to_source(Point::from_coords(at))).coords).unwrap_or(0)
    })
}

/// Carries a mask without stair-steps: 0 and 1 are interpolated linearly, one half and more is inside. Outside is background.
#[must_use]
pub fn resample_mask(source: &Mask, target: &Grid, target_to_source: &Affine<Patient, Patient>) -> Mask {
    let soft = source.map(|v| f32::from(u8::from(*v)));
    resample(&soft, target, target_to_source, Interpolation::Linear, 0.0).map(|v| *v >= MASK_THRESHOLD)
}

/// [`resample_mask`] through any map (a deformation).
#[must_use]
pub fn resample_mask_through(
    source: &Mask,
    target: &Grid,
    target_to_source: impl Fn(Point<Patient>) -> Point<Patient> + Sync,
) -> Mask {
    let soft = source.map(|v| f32::from(u8::from(*v)));
    resample_through(&soft, target, target_to_source, Interpolation::Linear, 0.0).map(|v| *v >= MASK_THRESHOLD)
}

/// A grid of another spacing (mm along i, j, k) over the same field of view and in the same frame.
///
/// The outer corner of the first voxel stays where it is, so that the first centre moves by half the difference of the
/// spacings; as many voxels follow as cover the old field of view. Where the extent is no multiple of the new spacing, the last
/// voxel reaches beyond it. Errors: a spacing that is not positive and finite, or a result beyond any image.
pub fn regrid(grid: &Grid, spacing_mm: [f64; 3]) -> Result<Grid, GridError> {
    if !spacing_mm.iter().all(|s| s.is_finite() && *s > 0.0) {
        return Err(GridError::Singular);
    }
    let Shape { ni, nj, nk } = grid.shape();
    let old_mm = grid.spacing_mm();
    let ratio: [f64; 3] = std::array::from_fn(|a| spacing_mm[a] / old_mm[a]);
    let n: [f64; 3] =
        std::array::from_fn(|a| ([ni, nj, nk][a] as f64 / ratio[a] - RIM_TOLERANCE_VOXELS).ceil().max(1.0));
    if n.iter().product::<f64>() > MAX_VOXELS {
        return Err(GridError::TooLarge { spacing_mm, n_voxels: n.iter().product() });
    }
    let shape = Shape { ni: n[0] as usize, nj: n[1] as usize, nk: n[2] as usize };
    scaled(grid, shape, ratio)
}

/// The corner-aligned grid whose voxels are `ratio` times as large along i, j, k.
pub(crate) fn scaled(grid: &Grid, shape: Shape, ratio: [f64; 3]) -> Result<Grid, GridError> {
    let ratio = Vector3::from(ratio);
    let new_to_old = Affine::<Voxel, Voxel>::from_parts(Matrix3::from_diagonal(&ratio), ratio.map(|r| 0.5 * r - 0.5));
    Grid::new(shape, new_to_old.then(grid.voxel_to_patient()), grid.frame().clone())
}

/// Fills a target grid in parallel over rows; each voxel depends on its own position only, so threads change nothing.
fn carried<S, T: Copy + Default + Send>(
    target: &Grid,
    target_voxel_to: &Affine<Voxel, S>,
    value: impl Fn(Vector3<f64>) -> T + Sync,
) -> Volume<T> {
    let Shape { ni, nj, .. } = target.shape();
    let mut out = Volume::filled(target.clone(), T::default());
    let (linear, translation) = (target_voxel_to.linear(), target_voxel_to.translation());
    let step: Vector3<f64> = linear.column(0).into_owned();
    out.values_mut().par_chunks_mut(ni).enumerate().for_each(|(row, voxels)| {
        let start = linear.column(1) * (row % nj) as f64 + linear.column(2) * (row / nj) as f64 + translation;
        for (i, voxel) in voxels.iter_mut().enumerate() {
            *voxel = value(start + step * i as f64);
        }
    });
    out
}

/// Bare values with their shape: what the samplers walk.
struct Lattice<'a, T> {
    values: &'a [T],
    shape: Shape,
}

impl<T: Copy> Lattice<'_, T> {
    /// The point moved from the rim onto the outermost centres, or `None` beyond the rim (and for a point that is not a number).
    fn clamped(&self, at: Vector3<f64>) -> Option<[f64; 3]> {
        let n = [self.shape.ni, self.shape.nj, self.shape.nk];
        let mut inside = [0.0; 3];
        for a in 0..3 {
            let last = (n[a] - 1) as f64;
            let rim = 0.5 + RIM_TOLERANCE_VOXELS;
            if !(at[a] >= -rim && at[a] <= last + rim) {
                return None;
            }
            inside[a] = at[a].clamp(0.0, last);
        }
        Some(inside)
    }

    fn value(&self, i: usize, j: usize, k: usize) -> T {
        self.values[(k * self.shape.nj + j) * self.shape.ni + i]
    }

    fn nearest(&self, at: Vector3<f64>) -> Option<T> {
        let [x, y, z] = self.clamped(at)?.map(|v| (v + 0.5).floor() as usize);
        let Shape { ni, nj, nk } = self.shape;
        Some(self.value(x.min(ni - 1), y.min(nj - 1), z.min(nk - 1)))
    }
}

impl Lattice<'_, f32> {
    fn sample(&self, at: Vector3<f64>, interpolation: Interpolation) -> Option<f32> {
        match interpolation {
            Interpolation::Nearest => self.nearest(at),
            Interpolation::Linear => self.linear(at),
            Interpolation::Cubic => self.cubic(at),
        }
    }

    fn linear(&self, at: Vector3<f64>) -> Option<f32> {
        let at = self.clamped(at)?;
        let [i, j, k] = at.map(|v| v as usize);
        let [fx, fy, fz] = [(at[0] - i as f64) as f32, (at[1] - j as f64) as f32, (at[2] - k as f64) as f32];
        let Shape { ni, nj, nk } = self.shape;
        let (i2, j2, k2) = ((i + 1).min(ni - 1), (j + 1).min(nj - 1), (k + 1).min(nk - 1));
        let mix = |a: f32, b: f32, f: f32| if f == 0.0 { a } else { a + (b - a) * f };
        let row = |j: usize, k: usize| mix(self.value(i, j, k), self.value(i2, j, k), fx);
        let plane = |k: usize| mix(row(j, k), row(j2, k), fy);
        Some(mix(plane(k), plane(k2), fz))
    }

    fn cubic(&self, at: Vector3<f64>) -> Option<f32> {
        let at = self.clamped(at)?;
        let n = [self.shape.ni, self.shape.nj, self.shape.nk];
        let mut taps = [[0_usize; 4]; 3];
        let mut weights = [[0.0_f32; 4]; 3];
        for a in 0..3 {
            let base = at[a] as usize;
            weights[a] = catmull_rom(at[a] - base as f64);
            taps[a] = std::array::from_fn(|t| (base + t).saturating_sub(1).min(n[a] - 1));
        }
        let mut sum = 0.0;
        for (k, wk) in taps[2].iter().zip(weights[2]) {
            for (j, wj) in taps[1].iter().zip(weights[1]) {
                for (i, wi) in taps[0].iter().zip(weights[0]) {
                    sum += self.value(*i, *j, *k) * (wi * wj * wk);
                }
            }
        }
        Some(sum)
    }
}

/// Weights of the four neighbours for a fraction in [0, 1): Keys 1981 with a = −1/2.
fn catmull_rom(f: f64) -> [f32; 4] {
    let (f2, f3) = (f * f, f * f * f);
    [
        (-0.5 * f + f2 - 0.5 * f3) as f32,
        (1.0 - 2.5 * f2 + 1.5 * f3) as f32,
        (0.5 * f + 2.0 * f2 - 1.5 * f3) as f32,
        (-0.5 * f2 + 0.5 * f3) as f32,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Index3, Vector};

    fn oblique(shape: Shape, spacing_mm: [f64; 3], frame: &str) -> Grid {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        Grid::from_directions(shape, Point::new(-40.0, 12.0, 90.0), spacing_mm, rotation, FrameId::new(frame)).unwrap()
    }

    fn ramp(grid: &Grid) -> Volume<f32> {
        Volume::from_fn(grid.clone(), |at| {
            let p = grid.center(at).coords;
            (2.0 * p.x - 0.5 * p.y + 0.25 * p.z) as f32
        })
    }

    #[test]
    fn two_voxels_by_hand() {
        let grid = oblique(Shape { ni: 2, nj: 1, nk: 1 }, [1.0, 1.0, 5.0], "f");
        let v = Volume::from_values(vec![10.0, 20.0], grid).unwrap();
        let at = |x: f64, how| sample(&v, Point::new(x, 0.0, 0.0), how, -1.0);
        assert_eq!(at(0.25, Interpolation::Linear), 12.5);
        assert_eq!(at(0.5, Interpolation::Nearest), 20.0);
        assert_eq!(at(0.49, Interpolation::Nearest), 10.0);
        assert_eq!(at(-0.4, Interpolation::Linear), 10.0, "the rim continues the outermost value");
        assert_eq!(at(-0.51, Interpolation::Linear), -1.0);
        assert_eq!(at(1.51, Interpolation::Cubic), -1.0);
        assert_eq!(at(f64::NAN, Interpolation::Linear), -1.0);
    }

    #[test]
    fn cubic_is_exact_on_a_parabola_away_from_the_border() {
        let grid = oblique(Shape { ni: 7, nj: 6, nk: 5 }, [1.0, 1.0, 1.0], "f");
        let v = Volume::from_fn(grid, |at| (at.i * at.i) as f32 + 3.0 * at.j as f32 - 2.0 * at.k as f32);
        let got = sample(&v, Point::new(2.3, 2.6, 1.9), Interpolation::Cubic, 0.0);
        assert!((f64::from(got) - (2.3 * 2.3 + 3.0 * 2.6 - 2.0 * 1.9)).abs() < 1e-5, "{got}");
    }

    #[test]
    fn a_ramp_in_patient_space_survives_any_grid_and_map() {
        let source = ramp(&oblique(Shape { ni: 30, nj: 28, nk: 12 }, [0.8, 0.7, 2.5], "moving"));
        let inner = Grid::from_directions(
            Shape { ni: 5, nj: 4, nk: 3 },
            source.grid().center(Index3 { i: 12, j: 11, k: 5 }) + Vector::new(0.13, -0.2, 0.4),
            [0.5, 0.9, 1.1],
            *nalgebra::Rotation3::from_euler_angles(-0.3, 0.2, 0.1).matrix(),
            FrameId::new("fixed"),
        )
        .unwrap();
        let shift = Affine::from_parts(Matrix3::identity(), Vector3::new(1.0, -2.0, 0.5));
        for how in [Interpolation::Linear, Interpolation::Cubic] {
            let got = resample(&source, &inner, &shift, how, f32::NAN);
            assert_eq!(got.grid().frame().as_str(), "fixed");
            let through = resample_through(&source, &inner, |p| shift.apply(p), how, f32::NAN);
            let want = ramp(&inner);
            for ((g, t), w) in got.values().iter().zip(through.values()).zip(want.values()) {
                let moved = w + 2.0 * 1.0 + 0.5 * 2.0 + 0.25 * 0.5;
                assert!((g - moved).abs() < 2e-4 && (t - moved).abs() < 2e-4, "{g} {t} {moved}");
            }
        }
    }

    #[test]
    fn regrid_keeps_the_outer_corner_and_the_extent() {
        let grid = oblique(Shape { ni: 10, nj: 8, nk: 4 }, [0.8, 0.7, 5.0], "f");
        let fine = regrid(&grid, [0.4, 0.7, 1.0]).unwrap();
        assert_eq!(fine.shape(), Shape { ni: 20, nj: 8, nk: 20 });
        let corner = |g: &Grid, high: bool| {
            let Shape { ni, nj, nk } = g.shape();
            let at = if high { [ni, nj, nk].map(|n| n as f64 - 0.5) } else { [-0.5; 3] };
            g.voxel_to_patient().apply(Point::from(at))
        };
        assert!(corner(&grid, false).distance(corner(&fine, false)) < 1e-12);
        assert!(corner(&grid, true).distance(corner(&fine, true)) < 1e-12);
        // Centre-aligned regridding would put the first fine centre on the first coarse one.
        let first = Index3 { i: 0, j: 0, k: 0 };
        let want_mm = (0.2_f64.powi(2) + 2.0_f64.powi(2)).sqrt();
        assert!((grid.center(first).distance(fine.center(first)) - want_mm).abs() < 1e-12);
        assert_eq!(regrid(&grid, [3.0, 0.7, 5.0]).unwrap().shape().ni, 3);
        assert!(matches!(regrid(&grid, [0.0, 1.0, 1.0]), Err(GridError::Singular)));
        assert!(matches!(regrid(&grid, [1e-6, 1e-6, 1e-6]), Err(GridError::TooLarge { .. })));
    }

    #[test]
    fn a_mask_up_sampled_keeps_its_volume_and_its_place() {
        let grid = oblique(Shape { ni: 12, nj: 11, nk: 6 }, [1.0, 1.0, 4.0], "f");
        let mask = Mask::from_fn(grid.clone(), |at| {
            (3..8).contains(&at.i) && (2..9).contains(&at.j) && (1..4).contains(&at.k)
        });
        let fine = resample_mask(&mask, &regrid(&grid, [0.5, 0.5, 1.0]).unwrap(), &Affine::identity());
        let mm3 = |m: &Mask| m.n_voxels_set() as f64 * m.grid().voxel_volume_mm3();
        // The 12 edges of the box are rounded off: 5.7 % of so small a box.
        assert!((mm3(&fine) / mm3(&mask) - 1.0).abs() < 0.06, "{} {}", mm3(&fine), mm3(&mask));
        let labels = resample_labels(&mask.map(|v| u16::from(*v) * 7), fine.grid(), &Affine::identity());
        assert_eq!(labels.label_mask(7).n_voxels_set(), mask.n_voxels_set() * 16);
        assert_eq!(labels.labels_present(), vec![7]);
    }
}
