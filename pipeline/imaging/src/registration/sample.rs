//! Where two images are compared: random points of the fixed image, drawn once per level from a seed.

use nalgebra::{Matrix3, Vector3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::level::Level;
use crate::{Affine, FrameId, Grid, Index3, Mask, Patient, Point, Shape};

/// A point of the fixed image and the value there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Position in the fixed frame.
    pub(super) at: Vector3<f64>,
    /// Value of the fixed level.
    pub(super) value: f64,
}

/// Part of the range of values above its lower end from which on a voxel counts as body. Origin: with CT cut to −200…300 HU it is
/// −150 HU, below fat.
pub(super) const BODY_ABOVE: f32 = 0.1;

/// The voxels of a level where `inside` holds of the centre, in memory order.
pub(super) fn eligible(level: &Level, inside: impl Fn(Point<Patient>) -> bool + Sync) -> Vec<u32> {
    let shape = level.shape();
    let (first, row) = (level.voxel_to_patient(), level.voxel_to_patient().linear().column(0).into_owned());
    let rows: Vec<Vec<u32>> = (0..shape.nj * shape.nk)
        .into_par_iter()
        .map(|line| {
            let start = first.apply(Point::new(0.0, (line % shape.nj) as f64, (line / shape.nj) as f64)).coords;
            let center = |i: usize| Point::from_coords(start + row * i as f64);
            (0..shape.ni).filter(|i| inside(center(*i))).map(|i| (line * shape.ni + i) as u32).collect()
        })
        .collect();
    rows.concat()
}

/// Draws at most about `n_max` of the eligible voxels of a level, each point placed at random within its voxel, so that fixed and
/// moving image are interpolated alike and no placement is favoured because voxels fall on voxels.
pub(super) fn draw(level: &Level, eligible: &[u32], n_max: usize, seed: u64) -> Vec<Sample> {
    let shape = level.shape();
    let keep = (n_max as f64 / eligible.len().max(1) as f64).min(1.0);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut samples = Vec::with_capacity(n_max.min(eligible.len()));
    for at in eligible {
        if random.random::<f64>() >= keep {
            continue;
        }
        let center = shape.index(*at as usize).center().coords;
        let jitter = Vector3::from_fn(|_, _| random.random::<f64>() - 0.5);
        let at = level.voxel_to_patient().apply(Point::from_coords(center + jitter)).coords;
        if let Some(value) = level.value(at) {
            samples.push(Sample { at, value: f64::from(value) });
        }
    }
    samples
}

/// The body on a coarse level, grown by one voxel so that the skin counts.
pub(super) fn body(level: &Level, range: (f32, f32), frame: FrameId) -> Mask {
    let shape = level.shape();
    let floor = range.0 + BODY_ABOVE * (range.1 - range.0);
    let grid = Grid::new(shape, *level.voxel_to_patient(), frame).expect("a level has voxels and an invertible map");
    Mask::from_fn(grid, |at| neighbours(shape, at).any(|n| level.at(n) > floor))
}

fn neighbours(shape: Shape, at: Index3) -> impl Iterator<Item = Index3> {
    let span = |x: usize, n: usize| x.saturating_sub(1)..(x + 2).min(n);
    span(at.k, shape.nk).flat_map(move |k| {
        span(at.j, shape.nj).flat_map(move |j| span(at.i, shape.ni).map(move |i| Index3 { i, j, k }))
    })
}

/// A mask that is asked point by point, with its map at hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inside<'a> {
    mask: &'a [bool],
    shape: Shape,
    to_voxel: Matrix3<f64>,
    to_voxel_shift: Vector3<f64>,
}

impl<'a> Inside<'a> {
    /// Of a mask whose frame is that of `from_other`'s target.
    pub(super) fn new(mask: &'a Mask, from_other: &Affine<Patient, Patient>) -> Self {
        let map = from_other.then(mask.grid().patient_to_voxel());
        Self {
            mask: mask.values(),
            shape: mask.shape(),
            to_voxel: map.linear(),
            to_voxel_shift: map.translation() + Vector3::repeat(0.5),
        }
    }

    /// Whether the voxel nearest to a point of the other frame is set.
    #[inline]
    pub(super) fn holds(&self, p: Point<Patient>) -> bool {
        let v = self.to_voxel * p.coords + self.to_voxel_shift;
        let Shape { ni, nj, nk } = self.shape;
        let within = |x: f64, n: usize| x >= 0.0 && x < n as f64;
        // Not negative, so cutting the fraction off is rounding down.
        within(v.x, ni)
            && within(v.y, nj)
            && within(v.z, nk)
            && self.mask[((v.z as u32 as usize) * nj + v.y as u32 as usize) * ni + v.x as u32 as usize]
    }
}

/// Mean position weighted by the value above the lower end of the range: air weighs nothing.
pub(super) fn center_of_mass(level: &Level, low: f32) -> Option<Vector3<f64>> {
    let shape = level.shape();
    let (mut mass, mut moment) = (0.0, Vector3::zeros());
    for at in (0..shape.n_voxels()).map(|n| shape.index(n)) {
        let weight = f64::from(level.at(at) - low).max(0.0);
        mass += weight;
        moment += weight * at.center().coords;
    }
    (mass > 0.0).then(|| level.voxel_to_patient().apply(Point::from_coords(moment / mass)).coords)
}

/// Mean position of a mask's voxels.
pub(super) fn centroid(mask: &Mask) -> Option<Vector3<f64>> {
    let (mut n, mut sum) = (0_usize, Vector3::zeros());
    for at in mask.indices_set() {
        n += 1;
        sum += at.center().coords;
    }
    (n > 0).then(|| mask.grid().voxel_to_patient().apply(Point::from_coords(sum / n as f64)).coords)
}
