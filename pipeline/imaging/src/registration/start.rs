//! Where a registration starts, judged on the coarsest level: where a few plausible placements agree, else the best of a grid of
//! shifts and turns about them.

use nalgebra::{Matrix3, Rotation3, Vector3};
use rayon::prelude::*;

use super::descent::{Descent, Limits, descend};
use super::evaluate::Problem;
use super::motion::{Motion, about};
use super::options::Metric;
use super::quality::MIN_OVERLAP;
use crate::{Affine, Patient, Point};

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

/// Shifts along z of the first plausible placement that give further starts, mm: were the body matched to itself one vertebra
/// higher, one of them would find the better fit.
const PROBES_Z_MM: [f64; 2] = [-24.0, 24.0];
/// Correlation on the coarsest level from which agreement of starts is believed; below it the whole grid is searched. Origin: 48
/// pairs of one synthetic body reach 0.992 and more, with all starts agreeing; two bodies 0.85 to 0.93. It saves time and tells no
/// patients apart: that is for the blocks.
const BELIEVED_CORRELATION: f64 = 0.9;
/// Part of the body that must be covered for agreement of starts to be believed.
const BELIEVED_OVERLAP: f64 = 0.7;
/// Starts that must end at the best placement found.
const N_AGREEING: usize = 3;
/// Two placements are the same when no point at [`PROBE_MM`] from the centre is farther apart, mm.
const SAME_PLACEMENT_MM: f64 = 3.0;
/// Two placements of a ranking are neighbours below this distance, mm.
const NEIGHBOUR_MM: f64 = 25.0;
/// Distance from the centre at which placements are compared, mm: half an abdomen.
const PROBE_MM: f64 = 100.0;

/// The best placement found on the coarsest level; `coarse` holds few samples for the search, `problem` those for the descent.
pub(super) fn find(
    coarse: &Problem<'_>,
    problem: &Problem<'_>,
    fixed_center: Vector3<f64>,
    shifts: &[Vector3<f64>],
    spacing_mm: f64,
) -> Option<Descent> {
    let limits = Limits { step_mm: 2.0 * spacing_mm, stop_mm: 0.05 * spacing_mm, min_overlap: MIN_OVERLAP };
    let bases = apart_shifts(shifts);
    let believed = agreement(problem, fixed_center, &bases, limits);
    if believed.is_some() {
        return believed;
    }
    let mut ranked: Vec<(f64, Affine<Patient, Patient>)> = placements(fixed_center, &bases)
        .into_par_iter()
        .filter_map(|placement| Some((ranking_cost(coarse, &placement)?, placement)))
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    best(apart(&ranked, fixed_center).into_iter().filter_map(|start| descend(problem, start, Motion::Rigid, limits)))
}

/// Where the plausible placements lead, if enough of them lead to one place and the images are alike there.
fn agreement(problem: &Problem<'_>, center: Vector3<f64>, bases: &[Vector3<f64>], limits: Limits) -> Option<Descent> {
    if problem.metric != Metric::NormalizedCorrelation {
        return None;
    }
    let probes = PROBES_Z_MM.map(|z| bases[0] + Vector3::new(0.0, 0.0, z));
    let descents: Vec<Descent> = bases
        .iter()
        .chain(&probes)
        .filter_map(|shift| descend(problem, shifted(*shift), Motion::Rigid, limits))
        .collect();
    let best = best(descents.iter().cloned())?;
    let agreeing = descents
        .iter()
        .filter(|d| distance_mm(&d.fixed_to_moving, &best.fixed_to_moving, center) <= SAME_PLACEMENT_MM)
        .count();
    let alike = 1.0 - best.at.cost >= BELIEVED_CORRELATION && best.at.overlap >= BELIEVED_OVERLAP;
    (agreeing >= N_AGREEING && alike).then_some(best)
}

fn best(descents: impl Iterator<Item = Descent>) -> Option<Descent> {
    let cost = |d: &Descent| d.at.cost + MISSING_OVERLAP_COST * (1.0 - d.at.overlap);
    descents.min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

fn shifted(shift: Vector3<f64>) -> Affine<Patient, Patient> {
    Affine::from_parts(Matrix3::identity(), shift)
}

/// Shifts on a small grid round a placement, best first by cost: where an organ moved within the body.
pub(super) fn nudge(problem: &Problem<'_>, placement: Affine<Patient, Patient>) -> Affine<Patient, Patient> {
    let shifts: Vec<Vector3<f64>> = cube(&[-16.0, -8.0, 0.0, 8.0, 16.0]);
    let costs: Vec<Option<f64>> =
        shifts.par_iter().map(|shift| ranking_cost(problem, &placement.then(&shifted(*shift)))).collect();
    let best = costs
        .iter()
        .zip(&shifts)
        .filter_map(|(cost, shift)| Some(((*cost)?, *shift)))
        .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.norm().total_cmp(&b.1.norm())));
    best.map_or(placement, |(_, shift)| placement.then(&shifted(shift)))
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

/// The shifts that are not neighbours of an earlier one.
fn apart_shifts(shifts: &[Vector3<f64>]) -> Vec<Vector3<f64>> {
    let mut bases: Vec<Vector3<f64>> = Vec::new();
    for shift in shifts {
        if bases.iter().all(|base| (base - shift).norm() > SAME_CENTER_MM) {
            bases.push(*shift);
        }
    }
    bases
}

fn placements(center: Vector3<f64>, bases: &[Vector3<f64>]) -> Vec<Affine<Patient, Patient>> {
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
    let mut kept: Vec<Affine<Patient, Patient>> = Vec::new();
    for (_, placement) in ranked {
        if kept.iter().all(|k| distance_mm(k, placement, center) > NEIGHBOUR_MM) {
            kept.push(*placement);
            if kept.len() == N_DESCENTS {
                break;
            }
        }
    }
    kept
}

/// Largest distance between two placements of points at [`PROBE_MM`] from the centre.
fn distance_mm(a: &Affine<Patient, Patient>, b: &Affine<Patient, Patient>, center: Vector3<f64>) -> f64 {
    let probe = |d: Vector3<f64>| {
        let p = Point::from_coords(center + d * PROBE_MM);
        a.apply(p).distance(b.apply(p))
    };
    [Vector3::x(), Vector3::y(), Vector3::z()].into_iter().map(probe).fold(0.0, f64::max)
}
