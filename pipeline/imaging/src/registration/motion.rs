//! Small motions about a centre: the directions in which a registration may step, and the map of a step.

use nalgebra::{DVector, Matrix3, Rotation3, Vector3};

use crate::{Affine, Patient};

/// The kinds of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Motion {
    /// Three translations, mm.
    Translation,
    /// Three translations in mm, then a rotation vector in radians.
    Rigid,
    /// Three translations in mm, then the nine entries of a linear part minus the identity, row by row.
    Affine,
}

/// Largest number of parameters of any motion.
pub(super) const MAX_PARAMETERS: usize = 12;

impl Motion {
    /// Number of parameters.
    pub(super) fn n_parameters(self) -> usize {
        match self {
            Self::Translation => 3,
            Self::Rigid => 6,
            Self::Affine => MAX_PARAMETERS,
        }
    }

    /// How an image value with this gradient, at offset `r` from the centre, changes with each parameter.
    pub(super) fn derivative(self, gradient: Vector3<f64>, r: Vector3<f64>) -> [f64; MAX_PARAMETERS] {
        let mut out = [0.0; MAX_PARAMETERS];
        out[..3].copy_from_slice(gradient.as_slice());
        match self {
            Self::Translation => {}
            Self::Rigid => out[3..6].copy_from_slice(r.cross(&gradient).as_slice()),
            Self::Affine => {
                for row in 0..3 {
                    for column in 0..3 {
                        out[3 + 3 * row + column] = gradient[row] * r[column];
                    }
                }
            }
        }
        out
    }

    /// The map of a step about `center`.
    pub(super) fn step(self, parameters: &DVector<f64>, center: Vector3<f64>) -> Affine<Patient, Patient> {
        let shift = Vector3::new(parameters[0], parameters[1], parameters[2]);
        let linear = match self {
            Self::Translation => Matrix3::identity(),
            Self::Rigid => *Rotation3::new(Vector3::new(parameters[3], parameters[4], parameters[5])).matrix(),
            Self::Affine => Matrix3::identity() + Matrix3::from_fn(|r, c| parameters[3 + 3 * r + c]),
        };
        about(linear, center, shift)
    }

    /// How far a step moves points at this distance from the centre at most, mm (first order).
    pub(super) fn reach_mm(self, parameters: &DVector<f64>, radius_mm: f64) -> f64 {
        let shift = parameters.rows(0, 3).norm();
        shift + radius_mm * parameters.rows(3, self.n_parameters() - 3).norm()
    }
}

/// The map x → linear (x − center) + center + shift.
pub(super) fn about(linear: Matrix3<f64>, center: Vector3<f64>, shift: Vector3<f64>) -> Affine<Patient, Patient> {
    Affine::from_parts(linear, center - linear * center + shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Point;

    #[test]
    fn the_derivative_predicts_a_small_step() {
        let (gradient, center) = (Vector3::new(2.0, -3.0, 0.5), Vector3::new(10.0, -20.0, 5.0));
        let p = Vector3::new(17.0, -26.0, 9.0);
        for motion in [Motion::Translation, Motion::Rigid, Motion::Affine] {
            let derivative = motion.derivative(gradient, p - center);
            for n in 0..motion.n_parameters() {
                let mut parameters = DVector::zeros(motion.n_parameters());
                parameters[n] = 1e-6;
                let moved = motion.step(&parameters, center).apply(Point::from_coords(p)).coords - p;
                assert!((gradient.dot(&moved) / 1e-6 - derivative[n]).abs() < 1e-4, "{motion:?} {n}");
            }
        }
    }
}
