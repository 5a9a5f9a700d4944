//! Where two images are compared: random points of the fixed image, drawn once per level from a seed.

use nalgebra::Vector3;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::level::Level;
use crate::{Grid, Index3, Mask, Patient, Point, Shape};

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
const BODY_ABOVE: f32 = 0.1;

/// Draws at most about `n_max` points of a level where `inside` holds, each placed at random within its voxel, so that fixed and
/// moving image are interpolated alike and no placement is favoured because voxels fall on voxels.
pub(super) fn draw(
    level: &Level,
    inside: impl Fn(Point<Patient>) -> bool + Sync,
    n_max: usize,
    seed: u64,
) -> Vec<Sample> {
    let shape = level.shape();
    let eligible: Vec<usize> = (0..shape.n_voxels())
        .into_par_iter()
        .filter(|at| inside(level.voxel_to_patient().apply(shape.index(*at).center())))
        .collect();
    let keep = (n_max as f64 / eligible.len().max(1) as f64).min(1.0);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut samples = Vec::with_capacity(n_max.min(eligible.len()));
    for at in eligible {
        if random.random::<f64>() >= keep {
            continue;
        }
        let center = shape.index(at).center().coords;
        let jitter = Vector3::from_fn(|_, _| random.random::<f64>() - 0.5);
        let at = level.voxel_to_patient().apply(Point::from_coords(center + jitter)).coords;
        if let Some(value) = level.value(at) {
            samples.push(Sample { at, value: f64::from(value) });
        }
    }
    samples
}

/// The body on a coarse level, grown by one voxel so that the skin counts.
pub(super) fn body(level: &Level, range: (f32, f32), grid: &Grid) -> Mask {
    let shape = level.shape();
    let floor = range.0 + BODY_ABOVE * (range.1 - range.0);
    let above: Vec<bool> = level.values().iter().map(|v| *v > floor).collect();
    let grid = Grid::new(shape, *level.voxel_to_patient(), grid.frame().clone())
        .expect("a level has voxels and an invertible map");
    Mask::from_fn(grid, |at| neighbours(shape, at).any(|n| above[n]))
}

fn neighbours(shape: Shape, at: Index3) -> impl Iterator<Item = usize> {
    let span = |x: usize, n: usize| x.saturating_sub(1)..(x + 2).min(n);
    span(at.k, shape.nk).flat_map(move |k| {
        span(at.j, shape.nj).flat_map(move |j| span(at.i, shape.ni).map(move |i| shape.linear(Index3 { i, j, k })))
    })
}

/// Whether a point lies in a mask.
pub(super) fn contains(mask: &Mask, p: Point<Patient>) -> bool {
    mask.grid().nearest(p).is_some_and(|at| *mask.at(at))
}

/// Mean position weighted by the value above the lower end of the range: air weighs nothing.
pub(super) fn center_of_mass(level: &Level, low: f32) -> Option<Vector3<f64>> {
    let shape = level.shape();
    let (mut mass, mut moment) = (0.0, Vector3::zeros());
    for (at, value) in level.values().iter().enumerate() {
        let weight = f64::from(value - low).max(0.0);
        mass += weight;
        moment += weight * shape.index(at).center().coords;
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
