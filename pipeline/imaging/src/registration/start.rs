//! Where a registration starts: a grid of shifts and turns about a few plausible placements, judged on the coarsest level.

use nalgebra::{Rotation3, Vector3};
use rayon::prelude::*;

use super::descent::{Descent, Limits, descend};
use super::evaluate::Problem;
use super::motion::{Motion, about};
use super::quality::MIN_OVERLAP;
use crate::{Affine, Patient};

/// Shifts tried along x and y, mm.
const SHIFTS_MM: [f64; 5] = [-40.0, -20.0, 0.0, 20.0, 40.0];
/// Shifts tried along z, mm: coverage differs most there, and pulls the centres of mass apart.
const SHIFTS_Z_MM: [f64; 9] = [-80.0, -60.0, -40.0, -20.0, 0.0, 20.0, 40.0, 60.0, 80.0];
/// Turns tried about each of the three axes, degrees: half their distance is well within reach of the descent at 8 mm.
const TURNS_DEGREES: [f64; 3] = [-12.0, 0.0, 12.0];
/// Cost of not covering the region, per unit of missing overlap: among like placements the fuller one is tried first.
const MISSING_OVERLAP_COST: f64 = 0.2;
/// Placements from which a descent is tried.
const N_DESCENTS: usize = 5;
/// Two centres closer than this give one start, mm.
const SAME_CENTER_MM: f64 = 5.0;

/// The best placement found on the coarsest level; `coarse` holds few samples for the search, `problem` those for the descent.
pub(super) fn find(
    coarse: &Problem<'_>,
    problem: &Problem<'_>,
    fixed_center: Vector3<f64>,
    shifts: &[Vector3<f64>],
    spacing_mm: f64,
) -> Option<Descent> {
    let limits = Limits { step_mm: 2.0 * spacing_mm, stop_mm: 0.05 * spacing_mm, min_overlap: MIN_OVERLAP };
    let mut ranked: Vec<(f64, Affine<Patient, Patient>)> = placements(fixed_center, shifts)
        .into_par_iter()
        .filter_map(|placement| Some((ranking_cost(coarse, &placement)?, placement)))
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let descents: Vec<Descent> = apart(&ranked, fixed_center)
        .into_iter()
        .filter_map(|start| descend(problem, start, Motion::Rigid, limits))
        .collect();
    let cost = |d: &Descent| d.at.cost + MISSING_OVERLAP_COST * (1.0 - d.at.overlap);
    descents.into_iter().min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

/// Shifts on a small grid round a placement, best first by cost: where an organ moved within the body.
pub(super) fn nudge(problem: &Problem<'_>, placement: Affine<Patient, Patient>) -> Affine<Patient, Patient> {
    let shifts: Vec<Vector3<f64>> = cube(&[-16.0, -8.0, 0.0, 8.0, 16.0]);
    let costs: Vec<Option<f64>> = shifts
        .par_iter()
        .map(|shift| ranking_cost(problem, &placement.then(&Affine::from_parts(nalgebra::Matrix3::identity(), *shift))))
        .collect();
    let best = costs
        .iter()
        .zip(&shifts)
        .filter_map(|(cost, shift)| Some(((*cost)?, *shift)))
        .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.norm().total_cmp(&b.1.norm())));
    best.map_or(placement, |(_, shift)| placement.then(&Affine::from_parts(nalgebra::Matrix3::identity(), shift)))
}

/// All combinations of three values of a list.
pub(super) fn cube(values: &[f64]) -> Vec<Vector3<f64>> {
    let mut out = Vec::with_capacity(values.len().pow(3));
    for x in values {
        for y in values {
            for z in values {
                out.push(Vector3::new(*x, *y, *z));
            }
        }
    }
    out
}

fn ranking_cost(problem: &Problem<'_>, placement: &Affine<Patient, Patient>) -> Option<f64> {
    let (cost, overlap) = problem.cost(placement)?;
    (overlap >= MIN_OVERLAP).then_some(cost + MISSING_OVERLAP_COST * (1.0 - overlap))
}

fn placements(center: Vector3<f64>, shifts: &[Vector3<f64>]) -> Vec<Affine<Patient, Patient>> {
    let mut bases: Vec<Vector3<f64>> = Vec::new();
    for shift in shifts {
        if bases.iter().all(|base| (base - shift).norm() > SAME_CENTER_MM) {
            bases.push(*shift);
        }
    }
    let turns: Vec<_> =
        cube(&TURNS_DEGREES.map(f64::to_radians)).into_iter().map(|turn| *Rotation3::new(turn).matrix()).collect();
    let mut out = Vec::new();
    for base in bases {
        for x in SHIFTS_MM {
            for y in SHIFTS_MM {
                for z in SHIFTS_Z_MM {
                    let shift = base + Vector3::new(x, y, z);
                    out.extend(turns.iter().map(|turn| about(*turn, center, shift)));
                }
            }
        }
    }
    out
}

/// The first few placements of a ranking that are not neighbours of a better one.
fn apart(ranked: &[(f64, Affine<Patient, Patient>)], center: Vector3<f64>) -> Vec<Affine<Patient, Patient>> {
    let distance = |a: &Affine<Patient, Patient>, b: &Affine<Patient, Patient>| {
        let probe = |d: Vector3<f64>| {
            let p = crate::Point::from_coords(center + d);
            a.apply(p).distance(b.apply(p))
        };
        [Vector3::x(), Vector3::y(), Vector3::z()].iter().map(|d| probe(d * 100.0)).fold(0.0, f64::max)
    };
    let mut kept: Vec<Affine<Patient, Patient>> = Vec::new();
    for (_, placement) in ranked {
        if kept.iter().all(|k| distance(k, placement) > 25.0) {
            kept.push(*placement);
            if kept.len() == N_DESCENTS {
                break;
            }
        }
    }
    kept
}
