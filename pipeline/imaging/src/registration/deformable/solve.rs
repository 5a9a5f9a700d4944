//! The search for the displacement: coarse to fine, linearise, step, hold the lesions stiff.

use std::sync::Arc;

use nalgebra::Vector3;
use rayon::prelude::*;

use super::cells::Term;
use super::lattice::{Lattice, weights};
use super::lesion_core::Core;
use super::likeness::Likeness;
use super::normalised::{excluded_at, normalised};
use super::step::{Exactness, step};
use crate::registration::level::{Level, N_LEVELS, SPACINGS_MM};
use crate::registration::prepared::Prepared;
use crate::{Affine, Patient, Point};

/// Distance of the nodes on each level, mm.
const NODES_MM: [f64; N_LEVELS] = [16.0, 10.0, 6.0];
/// Points compared on each level at most.
const N_POINTS: [usize; N_LEVELS] = [60_000, 300_000, 1_200_000];
/// Steps on each level at most.
const N_STEPS: [usize; N_LEVELS] = [16, 12, 8];
/// Standard deviation of the neighbourhood whose mean and contrast are taken out, mm.
const WINDOW_MM: [f64; N_LEVELS] = [12.0, 7.0, 5.0];
/// Standard deviation in an even organ that counts as noise, as part of the range of values (20 HU of −150…250).
const FLOOR: f32 = 0.05;
/// Weight of bending against squared normalised differences, mm². On pairs with known maps (`scripts/compare_registration`; two
/// synthetic abdomens and the real CT with bends of 8 to 10 mm over 14 to 20 mm) the median and 95th percentile of the error were
/// 0.85/2.20 mm with 10 and a neighbourhood twice as wide, 0.59/1.35 mm with 2, 0.64/1.42 mm with 1.
const STIFFNESS: f64 = 2.0;
/// Normalised difference at which a point has lost three quarters of its weight.
const LARGE_DIFFERENCE: f32 = 1.0;
/// A step whose nodes move less than this on average, relative to the level's spacing, is the last of its level.
const SMALL_STEP: f64 = 0.01;
/// Longest step of a node, relative to the level's spacing: linearisation does not reach further.
const LONGEST_STEP: f64 = 1.5;
/// How far the lattice reaches beyond the region, mm.
const RIM_MM: f64 = 12.0;

/// A displacement of the fixed frame that precedes the affine map.
#[derive(Debug, Clone)]
pub(super) struct Displacement {
    pub(super) lattice: Lattice,
    pub(super) values: Vec<Vector3<f64>>,
}

impl Displacement {
    pub(super) fn at(&self, p: Vector3<f64>) -> Vector3<f64> {
        self.lattice.read(&self.values, p)
    }

    /// Read anew on another lattice.
    pub(super) fn on(&self, lattice: Lattice) -> Self {
        let values = (0..lattice.n_nodes()).map(|n| self.at(lattice.at(n))).collect();
        Self { lattice, values }
    }
}

/// A point of the fixed image and what is seen there.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Where the affine map puts it in the moving frame.
    there: Vector3<f64>,
    /// Where it lies in its cell.
    fraction: [f32; 3],
    value: f32,
    gradient: [f32; 3],
}

/// The points of the fixed image, cell by cell of the lattice.
struct SeenByCell {
    points: Vec<Seen>,
    /// The first node of each cell that holds points, ascending.
    firsts: Vec<usize>,
    /// Where each cell's points begin, and the end.
    starts: Vec<usize>,
    /// How many mm³ each point stands for.
    mm3: f64,
}

/// Finds the displacement u such that moving(affine(p + u(p))) looks like fixed(p), on the first `n_levels` levels.
pub(super) fn solve(
    prepared: &Prepared<'_>,
    affine: &Affine<Patient, Patient>,
    cores: &[Core],
    (n_levels, exactness): (usize, Exactness),
) -> Displacement {
    let bounds = bounds(prepared);
    let coarse = Lattice::around(bounds, NODES_MM[0], RIM_MM);
    let mut found = Displacement { values: vec![Vector3::zeros(); coarse.n_nodes()], lattice: coarse };
    for level in 0..n_levels {
        found = found.on(Lattice::around(bounds, NODES_MM[level], RIM_MM));
        let moving = freed(prepared, 1, level);
        let seen = of_fixed(prepared, level, affine, &found.lattice);
        let mut likeness = Likeness::new(&found.lattice, &seen.firsts);
        for _ in 0..N_STEPS[level] {
            compare(&mut likeness, &seen, &found, affine, (&moving, prepared.moving_excluded(level)));
            let stiffness = STIFFNESS / NODES_MM[level];
            let step = step(&found.lattice, &likeness, &found.values, stiffness, exactness);
            let moved = apply(&mut found.values, &step, LONGEST_STEP * SPACINGS_MM[level]);
            for core in cores {
                core.stiffen(&mut found);
            }
            if moved < SMALL_STEP * SPACINGS_MM[level] {
                break;
            }
        }
    }
    found
}

/// The box of the region.
fn bounds(prepared: &Prepared<'_>) -> [Vector3<f64>; 2] {
    let level = &prepared.fixed[0];
    let mut bounds = [Vector3::repeat(f64::INFINITY), Vector3::repeat(f64::NEG_INFINITY)];
    for n in prepared.region(0) {
        let p = level.voxel_to_patient().apply(level.shape().index(*n as usize).center()).coords;
        bounds = [bounds[0].inf(&p), bounds[1].sup(&p)];
    }
    bounds
}

/// The fixed (0) or the moving image (1) freed of local contrast; what a bend the other way round asks for again is kept.
fn freed(prepared: &Prepared<'_>, side: usize, level: usize) -> Arc<Level> {
    let (low, high) = [prepared.fixed_range, prepared.moving_range][side];
    let excluded = [prepared.fixed_excluded(level), prepared.moving_excluded(level)][side];
    let image = &[&prepared.fixed, &prepared.moving][side][level];
    let make = || Arc::new(normalised(image, excluded, WINDOW_MM[level], FLOOR * (high - low)));
    prepared.freed[side].get(level).map_or_else(make, |kept| kept.get_or_init(make).clone())
}

/// The points of the fixed image by cell of the lattice.
fn of_fixed(prepared: &Prepared<'_>, level: usize, affine: &Affine<Patient, Patient>, lattice: &Lattice) -> SeenByCell {
    let fixed = freed(prepared, 0, level);
    let seen: Vec<(usize, Seen)> = prepared
        .samples(level, N_POINTS[level])
        .into_par_iter()
        .filter_map(|sample| {
            let (value, gradient) = fixed.value_and_gradient(sample.at)?;
            let place = lattice.locate(sample.at);
            let seen = Seen {
                there: affine.apply(Point::from_coords(sample.at)).coords,
                fraction: place.fraction.map(|t| t as f32),
                value: value as f32,
                gradient: [0, 1, 2].map(|a| gradient[a] as f32),
            };
            Some((place.first, seen))
        })
        .collect();
    let mm3 = prepared.region_mm3() / seen.len().max(1) as f64;
    by_cell(&seen, lattice.n_nodes(), mm3)
}

/// Points sorted by the first node of their cell; those of one cell stay in order.
fn by_cell(seen: &[(usize, Seen)], n_nodes: usize, mm3: f64) -> SeenByCell {
    let mut n_of = vec![0_usize; n_nodes];
    for (first, _) in seen {
        n_of[*first] += 1;
    }
    let firsts: Vec<usize> = (0..n_nodes).filter(|first| n_of[*first] > 0).collect();
    let (mut starts, mut end) = (Vec::with_capacity(firsts.len() + 1), 0);
    for first in &firsts {
        starts.push(end);
        end += std::mem::replace(&mut n_of[*first], end);
    }
    starts.push(end);
    // From here on the place of the next point of each cell.
    let mut order = vec![0_u32; seen.len()];
    for (n, (first, _)) in seen.iter().enumerate() {
        order[n_of[*first]] = n as u32;
        n_of[*first] += 1;
    }
    let points = order.into_iter().map(|n| seen[n as usize].1).collect();
    SeenByCell { points, firsts, starts, mm3 }
}

/// The differences at the present displacement, summed.
fn compare(
    likeness: &mut Likeness,
    seen: &SeenByCell,
    found: &Displacement,
    affine: &Affine<Patient, Patient>,
    (moving, moving_excluded): (&Level, Option<&Level>),
) {
    let (linear, to_fixed) = (affine.linear(), affine.linear().transpose());
    let term = |s: &Seen, moved: &[Vector3<f64>; 8]| {
        let phi = weights(s.fraction.map(f64::from));
        let there = moved.iter().zip(phi).fold(s.there, |sum, (u, w)| sum + u * w);
        if excluded_at(moving_excluded, Point::from_coords(there)) {
            return None;
        }
        let (value, gradient) = moving.value_and_gradient(there)?;
        let (difference, gradient) = (value as f32 - s.value, to_fixed * gradient);
        let trust = 1.0 / (1.0 + (difference / LARGE_DIFFERENCE).powi(2));
        let gradient = [0, 1, 2].map(|a| 0.5 * (s.gradient[a] + gradient[a] as f32));
        Some(Term { fraction: s.fraction, difference, gradient, weight: seen.mm3 as f32 * trust * trust })
    };
    likeness.sum(|n, cell| {
        let moved = found.lattice.corners(cell.first).map(|node| linear * found.values[node]);
        seen.points[seen.starts[n]..seen.starts[n + 1]]
            .iter()
            .filter_map(|s| term(s, &moved))
            .for_each(|term| cell.take(&term));
    });
}

/// Adds a step, no node further than `longest_mm`; the mean length of what was added.
fn apply(values: &mut [Vector3<f64>], step: &[Vector3<f64>], longest_mm: f64) -> f64 {
    let mut total = 0.0;
    for (value, step) in values.iter_mut().zip(step) {
        let length = step.norm();
        let step = if length > longest_mm { step * (longest_mm / length) } else { *step };
        total += step.norm();
        *value += step;
    }
    total / values.len() as f64
}
