//! One step of the displacement: likeness against bending, solved by preconditioned conjugate gradients.
//!
//! Source: Hestenes and Stiefel 1952; preconditioned by each node's own 3×3 block.

use nalgebra::{Matrix3, Vector3};

use super::bending::{DIAGONAL, bend};
use super::cells::Likeness;
use super::lattice::Lattice;

/// Most iterations; the coarser lattice has found the long waves already.
const MAX_ITERATIONS: usize = 60;
/// The residual's norm relative to the first from which on a step is exact enough for the next linearisation.
const RELATIVE_RESIDUAL: f64 = 0.1;

/// The step v that minimises Σ w (d + g·v)² + stiffness · bending(u + v).
pub(super) fn step(
    lattice: &Lattice,
    likeness: &Likeness,
    displacement: &[Vector3<f64>],
    stiffness: f64,
) -> Vec<Vector3<f64>> {
    let bent = bend(lattice, displacement);
    let mut residual: Vec<Vector3<f64>> =
        likeness.slope().iter().zip(&bent).map(|(slope, bent)| -slope - bent * stiffness).collect();
    let inverse: Vec<Matrix3<f64>> = likeness
        .diagonal()
        .iter()
        .map(|own| (own + Matrix3::identity() * (stiffness * DIAGONAL)).try_inverse().unwrap_or_else(Matrix3::identity))
        .collect();
    let product = |v: &[Vector3<f64>]| {
        let mut out: Vec<Vector3<f64>> = bend(lattice, v).iter().map(|b| b * stiffness).collect();
        likeness.add_product(v, &mut out);
        out
    };
    let mut step = vec![Vector3::zeros(); displacement.len()];
    let mut z: Vec<_> = residual.iter().zip(&inverse).map(|(r, m)| m * r).collect();
    let mut direction = z.clone();
    let mut rz = dot(&residual, &z);
    let enough = rz * RELATIVE_RESIDUAL * RELATIVE_RESIDUAL;
    for _ in 0..MAX_ITERATIONS {
        if rz <= enough || rz <= f64::MIN_POSITIVE {
            break;
        }
        let ahead = product(&direction);
        let length = rz / dot(&direction, &ahead);
        for n in 0..step.len() {
            step[n] += direction[n] * length;
            residual[n] -= ahead[n] * length;
            z[n] = inverse[n] * residual[n];
        }
        let next = dot(&residual, &z);
        let turn = next / rz;
        rz = next;
        for (d, z) in direction.iter_mut().zip(&z) {
            *d = z + *d * turn;
        }
    }
    step
}

fn dot(a: &[Vector3<f64>], b: &[Vector3<f64>]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.dot(b)).sum()
}
