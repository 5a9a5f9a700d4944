//! One level of the search: the points compared, and the steps until a displacement of one stiffness has settled.

use std::sync::Arc;

use nalgebra::Vector3;
use rayon::prelude::*;

use super::bending::Bending;
use super::cells::Term;
use super::lattice::{Lattice, weights};
use super::lesion_core::Core;
use super::likeness::Likeness;
use super::normalised::{excluded_at, normalised};
use super::solve::Displacement;
use super::step::{Exactness, System};
use crate::registration::level::{Level, N_LEVELS, SPACINGS_MM};
use crate::registration::prepared::Prepared;
use crate::{Affine, Patient, Point};

/// Points compared on each level at most.
const N_POINTS: [usize; N_LEVELS] = [60_000, 300_000, 1_200_000];
/// Steps on each level at most.
const N_STEPS: [usize; N_LEVELS] = [16, 12, 8];
/// Standard deviation of the neighbourhood whose mean and contrast are taken out, mm.
const WINDOW_MM: [f64; N_LEVELS] = [12.0, 7.0, 5.0];
/// Standard deviation in an even organ that counts as noise, as part of the range of values (20 HU of −150…250).
const FLOOR: f32 = 0.05;
/// Normalised difference at which a point has lost three quarters of its weight.
const LARGE_DIFFERENCE: f32 = 1.0;
/// A step whose nodes move less than this on average, relative to the level's spacing, is the last of its level.
const SMALL_STEP: f64 = 0.01;
/// Longest step of a node, relative to the level's spacing: linearisation does not reach further.
const LONGEST_STEP: f64 = 1.5;

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

/// A level made ready for a search.
pub(super) struct OnLevel<'a> {
    level: usize,
    affine: &'a Affine<Patient, Patient>,
    cores: &'a [Core],
    exactness: Exactness,
    moving: Arc<Level>,
    moving_excluded: Option<&'a Level>,
    seen: SeenByCell,
    likeness: Likeness,
    bending: Bending,
    spacing_mm: f64,
}

impl<'a> OnLevel<'a> {
    pub(super) fn new(
        prepared: &'a Prepared<'_>,
        level: usize,
        affine: &'a Affine<Patient, Patient>,
        cores: &'a [Core],
        (lattice, exactness): (&Lattice, Exactness),
    ) -> Self {
        let seen = of_fixed(prepared, level, affine, lattice);
        Self {
            level,
            affine,
            cores,
            exactness,
            moving: freed(prepared, 1, level),
            moving_excluded: prepared.moving_excluded(level),
            likeness: Likeness::new(lattice, &seen.firsts),
            bending: Bending::of(lattice),
            seen,
            spacing_mm: lattice.spacing_mm,
        }
    }

    /// Steps with a weight of bending in mm² until the displacement moves no more.
    pub(super) fn settle(&mut self, found: &mut Displacement, stiffness: f64) {
        for _ in 0..N_STEPS[self.level] {
            self.compare(found);
            let step = self.system(stiffness).step(&found.values, self.exactness);
            let moved = apply(&mut found.values, &step, LONGEST_STEP * SPACINGS_MM[self.level]);
            for core in self.cores {
                core.stiffen(found);
            }
            if moved < SMALL_STEP * SPACINGS_MM[self.level] {
                break;
            }
        }
    }

    /// What a displacement leaves over, noise of one unit being 1, how many degrees of freedom it spent on that, and how many there are
    /// to compare with.
    pub(super) fn account(&mut self, found: &Displacement, stiffness: f64) -> (f64, f64, f64) {
        self.compare(found);
        let spent = self.system(stiffness).determined();
        (self.likeness.left_over(), spent, 3.0 * self.likeness.n_cells() as f64)
    }

    /// Second differences of a field u on nodes of distance h weigh stiffness/h · Σ (δ²u)² = stiffness · ∫ |∇∇u|².
    fn system(&self, stiffness: f64) -> System<'_> {
        System::new(&self.likeness, &self.bending, stiffness / self.spacing_mm)
    }

    /// The differences at the present displacement, summed.
    fn compare(&mut self, found: &Displacement) {
        let Self { affine, seen, moving, moving_excluded, likeness, .. } = self;
        let (linear, to_fixed) = (affine.linear(), affine.linear().transpose());
        let term = |s: &Seen, moved: &[Vector3<f64>; 8]| {
            let phi = weights(s.fraction.map(f64::from));
            let there = moved.iter().zip(phi).fold(s.there, |sum, (u, w)| sum + u * w);
            if excluded_at(*moving_excluded, Point::from_coords(there)) {
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
