//! How the patient lies and breathes at one visit: the map from scanner space of the visit to the reference anatomy.
//!
//! x_ref = y + u(y) with y the visit's point after undoing shift and rotation, u a sum of long waves and Gaussian bells. This
//! direction is closed-form (images and masks are sampled through it); the other one is a fixed-point iteration.

use nalgebra::{Matrix3, Rotation3, Vector3};
use rand_chacha::ChaCha8Rng;

use crate::random::{self, between, jitter};

/// A displacement that varies like a sine along one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Wave {
    amplitude_mm: Vector3<f64>,
    radians_per_mm: Vector3<f64>,
    phase: f64,
}

/// A displacement that falls off like a Gaussian bell around a place.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bell {
    amplitude_mm: Vector3<f64>,
    centre: Vector3<f64>,
    sigma_mm: f64,
}

/// How far a visit's anatomy may be from the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Motion {
    /// Breathing and repositioning: at most about 3 mm beyond a rigid motion.
    Ordinary,
    /// 12–15 mm inside the liver, more than half of it beyond any rigid motion.
    Large,
}

/// The pose of one visit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pose {
    rotation: Matrix3<f64>,
    shift_mm: Vector3<f64>,
    waves: Vec<Wave>,
    bells: Vec<Bell>,
}

impl Pose {
    /// The reference itself.
    #[cfg(test)]
    pub(crate) fn identity() -> Self {
        Self { rotation: Matrix3::identity(), shift_mm: Vector3::zeros(), waves: Vec::new(), bells: Vec::new() }
    }

    /// A random pose: rotation below 5°, shift below 15 mm.
    pub(crate) fn random(rng: &mut ChaCha8Rng, motion: Motion) -> Self {
        let angles = [jitter(rng, 1.4), jitter(rng, 1.4), jitter(rng, 4.0)].map(f64::to_radians);
        let rotation = *Rotation3::from_euler_angles(angles[0], angles[1], angles[2]).matrix();
        let shift_mm = Vector3::new(jitter(rng, 8.0), jitter(rng, 7.0), jitter(rng, 9.0));
        let waves = (0..2)
            .map(|_| Wave {
                amplitude_mm: random::direction(rng) * between(rng, 0.3, 0.6),
                radians_per_mm: random::direction(rng) * std::f64::consts::TAU / between(rng, 130.0, 200.0),
                phase: between(rng, 0.0, std::f64::consts::TAU),
            })
            .collect();
        let breathing = Bell {
            amplitude_mm: Vector3::new(jitter(rng, 0.4), jitter(rng, 0.6), jitter(rng, 2.0)),
            centre: Vector3::new(-50.0, -20.0, 20.0),
            sigma_mm: 75.0,
        };
        let mut bells = vec![breathing];
        if motion == Motion::Large {
            bells.extend(large_bells(rng));
        }
        Self { rotation, shift_mm, waves, bells }
    }

    /// The visit's scanner coordinates of the middle of the reference anatomy, without the deformation.
    pub(crate) fn middle(&self) -> Vector3<f64> {
        self.shift_mm
    }

    fn displacement(&self, y: Vector3<f64>) -> Vector3<f64> {
        let mut u = Vector3::zeros();
        for w in &self.waves {
            u += w.amplitude_mm * (w.radians_per_mm.dot(&y) + w.phase).sin();
        }
        for b in &self.bells {
            u += b.amplitude_mm * (-(y - b.centre).norm_squared() / (2.0 * b.sigma_mm * b.sigma_mm)).exp();
        }
        u
    }

    /// Where in the reference anatomy a point of the visit lies.
    pub(crate) fn to_reference(&self, p: Vector3<f64>) -> Vector3<f64> {
        let y = self.rotation.tr_mul(&(p - self.shift_mm));
        y + self.displacement(y)
    }

    /// Where in the visit a point of the reference anatomy lies, to 1e-9 mm.
    pub(crate) fn to_visit(&self, x: Vector3<f64>) -> Vector3<f64> {
        let mut y = x;
        for _ in 0..200 {
            let next = x - self.displacement(y);
            let moved = (next - y).norm();
            y = next;
            if moved < 1e-10 {
                break;
            }
        }
        self.rotation * y + self.shift_mm
    }

    /// How much a small reference volume at `x` is enlarged in the visit.
    pub(crate) fn enlargement(&self, x: Vector3<f64>) -> f64 {
        const STEP_MM: f64 = 1e-3;
        let p = self.to_visit(x);
        let column = |axis: usize| {
            let mut step = Vector3::zeros();
            step[axis] = STEP_MM;
            (self.to_reference(p + step) - self.to_reference(p - step)) / (2.0 * STEP_MM)
        };
        1.0 / Matrix3::from_columns(&[column(0), column(1), column(2)]).determinant()
    }
}

/// Bells of opposite direction in the right and in the left and lower liver, so that no rigid motion can take them up.
fn large_bells(rng: &mut ChaCha8Rng) -> [Bell; 3] {
    let sign = if random::chance(rng, 0.5) { 1.0 } else { -1.0 };
    let bell = |rng: &mut ChaCha8Rng, centre: [f64; 3], direction: [f64; 3], size: f64| Bell {
        amplitude_mm: Vector3::from(direction).normalize() * (sign * size * between(rng, 0.97, 1.03)),
        centre: Vector3::from(centre) + random::jitter3(rng, 3.0),
        sigma_mm: 38.0,
    };
    [
        bell(rng, [-62.0, -5.0, -8.0], [0.2, -0.5, 1.0], 15.0),
        bell(rng, [5.0, -32.0, 12.0], [0.2, 0.3, -1.0], 11.0),
        bell(rng, [-60.0, 5.0, -75.0], [0.0, 0.3, -1.0], 8.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_directions_undo_each_other_even_for_large_deformations() {
        for seed in 0..20 {
            let pose = Pose::random(&mut random::stream(seed, "pose"), Motion::Large);
            for x in [Vector3::new(-60.0, 0.0, -5.0), Vector3::new(20.0, -30.0, 15.0), Vector3::new(-90.0, 30.0, -60.0)]
            {
                assert!((pose.to_reference(pose.to_visit(x)) - x).norm() < 1e-8);
                assert!(pose.enlargement(x) > 0.3 && pose.enlargement(x) < 3.0, "folds: {}", pose.enlargement(x));
            }
        }
    }

    #[test]
    fn shift_and_rotation_stay_in_their_limits() {
        for seed in 0..50 {
            let pose = Pose::random(&mut random::stream(seed, "pose"), Motion::Ordinary);
            assert!(pose.shift_mm.norm() <= 15.0);
            assert!(Rotation3::from_matrix_unchecked(pose.rotation).angle().to_degrees() <= 5.0);
        }
    }
}
