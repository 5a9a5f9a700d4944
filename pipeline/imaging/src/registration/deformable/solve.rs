//! The search for the displacement: coarse to fine, linearise, step, hold the lesions stiff.

use nalgebra::Vector3;
use rayon::prelude::*;

use super::cells::{Likeness, Term};
use super::lattice::{InCell, Lattice};
use super::lesion_core::Core;
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
const LARGE_DIFFERENCE: f64 = 1.0;
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
struct Seen {
    at: Vector3<f64>,
    place: InCell,
    value: f64,
    gradient: Vector3<f64>,
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
        let moving = of_moving(prepared, level);
        let (seen, mm3_per_point) = of_fixed(prepared, level, &found.lattice);
        for _ in 0..N_STEPS[level] {
            let terms = compare(&seen, &found, affine, &moving, prepared.moving_excluded(level), mm3_per_point);
            let likeness = Likeness::of(&found.lattice, &terms);
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

fn of_moving(prepared: &Prepared<'_>, level: usize) -> Level {
    let floor = FLOOR * (prepared.moving_range.1 - prepared.moving_range.0);
    normalised(&prepared.moving[level], prepared.moving_excluded(level), WINDOW_MM[level], floor)
}

/// The points of the fixed image by cell of the lattice, and how many mm³ each stands for.
fn of_fixed(prepared: &Prepared<'_>, level: usize, lattice: &Lattice) -> (Vec<Vec<Seen>>, f64) {
    let floor = FLOOR * (prepared.fixed_range.1 - prepared.fixed_range.0);
    let fixed = normalised(&prepared.fixed[level], prepared.fixed_excluded(level), WINDOW_MM[level], floor);
    let mut seen: Vec<Seen> = prepared
        .samples(level, N_POINTS[level])
        .into_par_iter()
        .filter_map(|sample| {
            let (value, gradient) = fixed.value_and_gradient(sample.at)?;
            Some(Seen { at: sample.at, place: lattice.locate(sample.at), value, gradient })
        })
        .collect();
    let mm3 = prepared.region_mm3() / seen.len().max(1) as f64;
    seen.sort_by_key(|s| s.place.first);
    let mut by_cell: Vec<Vec<Seen>> = Vec::new();
    for s in seen {
        match by_cell.last_mut() {
            Some(cell) if cell[0].place.first == s.place.first => cell.push(s),
            _ => by_cell.push(vec![s]),
        }
    }
    (by_cell, mm3)
}

/// The differences at the present displacement.
fn compare(
    seen: &[Vec<Seen>],
    found: &Displacement,
    affine: &Affine<Patient, Patient>,
    moving: &Level,
    moving_excluded: Option<&Level>,
    mm3_per_point: f64,
) -> Vec<Vec<Term>> {
    let to_fixed = affine.linear().transpose();
    let term = |s: &Seen| {
        let there = affine.apply(Point::from_coords(s.at + found.at(s.at)));
        if excluded_at(moving_excluded, there) {
            return None;
        }
        let (value, gradient) = moving.value_and_gradient(there.coords)?;
        let difference = value - s.value;
        let trust = 1.0 / (1.0 + (difference / LARGE_DIFFERENCE).powi(2));
        let gradient = (s.gradient + to_fixed * gradient) / 2.0;
        Some(Term { place: s.place, difference, gradient, weight: mm3_per_point * trust * trust })
    };
    seen.par_iter().map(|cell| cell.iter().filter_map(term).collect()).collect()
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
