//! A deformation turned round: from the moving to the fixed frame.

use nalgebra::{Matrix3, Vector3};

use super::deformation::Deformation;
use crate::{Patient, Point};

/// The inverse is found when a point comes back this close, mm.
const TOLERANCE_MM: f64 = 1e-3;
/// Simple steps (each adds the miss) at most; each halves the miss at least where the map stretches by less than one half.
const SIMPLE_STEPS: usize = 60;
/// Newton's steps at most, tried where the simple ones do not settle: tissue stretched to more than twice its length.
const NEWTON_STEPS: usize = 40;
/// Halvings of one of Newton's steps that does not bring the point nearer.
const HALVINGS: usize = 12;

/// The nearest that the search came.
#[derive(Debug, Clone, Copy)]
struct Nearest {
    at: Vector3<f64>,
    miss_mm: f64,
}

impl Deformation {
    /// Where a point of the moving image lies in the fixed image; `None` where the search for it does not settle, as at a fold.
    /// Ask [`Self::jacobian`] whether the answer is the only one.
    pub fn apply_inverse(&self, moving: Point<Patient>) -> Option<Point<Patient>> {
        let found = self.nearest_inverse(moving)?;
        (found.miss_mm < TOLERANCE_MM).then(|| Point::from_coords(found.at))
    }

    /// The same, or, where the map folds, the point of the fixed image that is carried nearest to it as far as the search could
    /// tell; `None` only for a map whose affine part has no inverse.
    pub fn apply_inverse_or_nearest(&self, moving: Point<Patient>) -> Option<Point<Patient>> {
        Some(Point::from_coords(self.nearest_inverse(moving)?.at))
    }

    fn nearest_inverse(&self, moving: Point<Patient>) -> Option<Nearest> {
        let target = self.affine().inverse()?.apply(moving).coords;
        let mut nearest = Nearest { at: target, miss_mm: f64::INFINITY };
        let mut p = target;
        for _ in 0..SIMPLE_STEPS {
            let miss = self.miss(target, p);
            if miss.norm() < nearest.miss_mm {
                nearest = Nearest { at: p, miss_mm: miss.norm() };
            }
            if nearest.miss_mm < TOLERANCE_MM {
                return Some(nearest);
            }
            p += miss;
        }
        Some(self.by_newton(target, nearest))
    }

    fn miss(&self, target: Vector3<f64>, p: Vector3<f64>) -> Vector3<f64> {
        target - p - self.displacement(Point::from_coords(p)).coords
    }

    /// Newton's steps, each halved until it brings the point nearer.
    fn by_newton(&self, target: Vector3<f64>, mut nearest: Nearest) -> Nearest {
        for _ in 0..NEWTON_STEPS {
            let (u, slope) = self.cell(Point::from_coords(nearest.at));
            let Some(inverse) = (Matrix3::identity() + slope).try_inverse() else { break };
            let step = inverse * (target - nearest.at - u);
            let halved = (0..HALVINGS).map(|n| nearest.at + step * 0.5_f64.powi(n as i32));
            let better = halved.map(|at| Nearest { at, miss_mm: self.miss(target, at).norm() });
            match better.into_iter().find(|n| n.miss_mm < nearest.miss_mm) {
                Some(found) => nearest = found,
                None => break,
            }
            if nearest.miss_mm < TOLERANCE_MM {
                break;
            }
        }
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, FrameId, Grid, Shape};

    /// A displacement along x alone, at nodes of 1 mm.
    fn along_x(displacement: &[f32]) -> Deformation {
        let n = displacement.len();
        let shape = Shape { ni: n, nj: 2, nk: 2 };
        let origin = Point::new(0.0, 0.0, 0.0);
        let grid = Grid::from_directions(shape, origin, [1.0; 3], Matrix3::identity(), FrameId::new("f")).unwrap();
        let field = (0..shape.n_voxels()).map(|v| [displacement[v % n], 0.0, 0.0]).collect();
        Deformation::new(grid, field, Affine::from_parts(Matrix3::identity(), Vector3::new(0.0, 7.0, 0.0))).unwrap()
    }

    #[test]
    fn tissue_stretched_to_three_times_its_length_is_carried_back() {
        // 3x between 2 and 5, where simple steps swing ever wider.
        let map = along_x(&[0.0, 0.0, 0.0, 2.0, 4.0, 6.0, 6.0, 6.0]);
        for x in [0.5, 2.1, 2.9, 3.5, 4.9, 6.2] {
            let p = Point::new(x, 0.5, 0.5);
            let back = map.apply_inverse(map.apply(p)).unwrap();
            assert!(back.distance(p) < 2e-3, "{x}: {back:?}");
        }
    }

    #[test]
    fn in_a_fold_one_of_the_answers_is_found() {
        // 2 -> 2, 3 -> 0, 4 -> 1: three places are carried to each point between 0 and 2.
        let map = along_x(&[0.0, 0.0, 0.0, -3.0, -3.0, -3.0]);
        for x in [0.2, 1.5, 2.5, 3.2] {
            let there = Point::new(x, 7.5, 0.5);
            let near = map.apply_inverse_or_nearest(there).unwrap();
            assert!(map.apply(near).distance(there) < 2e-3, "{x}: {near:?}");
            assert_eq!(map.apply_inverse(there), Some(near));
        }
    }
}
