//! Damped Gauss–Newton descent (Levenberg 1944, Marquardt 1963) of the cost of a placement.

use nalgebra::{DMatrix, DVector};

use super::evaluate::{Evaluation, Problem};
use super::motion::Motion;
use crate::{Affine, Patient};

/// Steps tried at most on one level.
const MAX_STEPS: usize = 40;
/// Where the descent stops: damping beyond this means no direction lowers the cost any more.
const MAX_DAMPING: f64 = 1e3;

/// How far a descent may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Longest single step of any point, mm.
    pub(super) step_mm: f64,
    /// Stops when a step moves no point by more, mm.
    pub(super) stop_mm: f64,
    /// Placements that cover less of the samples are refused, 0 to 1.
    pub(super) min_overlap: f64,
}

/// Where a descent ended.
#[derive(Debug, Clone)]
pub(super) struct Descent {
    /// The placement, named as it is sampled.
    pub(super) fixed_to_moving: Affine<Patient, Patient>,
    /// Cost and derivatives there.
    pub(super) at: Evaluation,
}

/// Follows the cost downhill; `None` when the start itself cannot be judged.
pub(super) fn descend(
    problem: &Problem<'_>,
    start: Affine<Patient, Patient>,
    motion: Motion,
    limits: Limits,
) -> Option<Descent> {
    let n = problem.samples.len().max(1) as f64;
    let middle = problem.middle();
    let radius_mm = (problem.samples.iter().map(|s| (s.at - middle.coords).norm_squared()).sum::<f64>() / n).sqrt();
    let judge = |placement: &Affine<Patient, Patient>| {
        let center = placement.apply(middle).coords;
        problem.evaluate(placement, motion, center).filter(|e| e.overlap >= limits.min_overlap)
    };
    let mut placement = start;
    let mut here = judge(&placement)?;
    let mut damping = 1e-3;
    for _ in 0..MAX_STEPS {
        let Some(mut step) = solve(&here.hessian, &here.gradient, damping) else {
            damping *= 10.0;
            if damping > MAX_DAMPING {
                break;
            }
            continue;
        };
        let reach_mm = motion.reach_mm(&step, radius_mm);
        if reach_mm > limits.step_mm {
            step *= limits.step_mm / reach_mm;
        }
        let center = placement.apply(middle).coords;
        let next = placement.then(&motion.step(&step, center));
        match judge(&next).filter(|e| e.cost < here.cost) {
            Some(better) => {
                (placement, here) = (next, better);
                damping = (damping * 0.2).max(1e-6);
                if reach_mm < limits.stop_mm {
                    break;
                }
            }
            None if reach_mm < limits.stop_mm || damping > MAX_DAMPING => break,
            None => damping *= 8.0,
        }
    }
    Some(Descent { fixed_to_moving: placement, at: here })
}

/// The damped step −(H + λ diag H)⁻¹ gradient.
fn solve(hessian: &DMatrix<f64>, gradient: &DVector<f64>, damping: f64) -> Option<DVector<f64>> {
    let mut damped = hessian.clone();
    let largest = hessian.diagonal().max();
    if !(largest > 0.0 && largest.is_finite()) {
        return None;
    }
    for n in 0..damped.nrows() {
        damped[(n, n)] += damping * hessian[(n, n)] + 1e-12 * largest;
    }
    Some(-damped.cholesky()?.solve(gradient))
}
