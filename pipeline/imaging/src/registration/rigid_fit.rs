//! The rigid motion that comes nearest to a map at some points.
//!
//! Source: W. Kabsch, *Acta Cryst.* A 1976;32:922.

use nalgebra::{Matrix3, Vector3};

/// The rotation and shift that carry points nearest to where they should lie; `None` without points.
pub(super) fn rigid_fit(points: &[Vector3<f64>], there: &[Vector3<f64>]) -> Option<(Matrix3<f64>, Vector3<f64>)> {
    let mean = |list: &[Vector3<f64>]| list.iter().sum::<Vector3<f64>>() / list.len() as f64;
    let (from, to) = (mean(points), mean(there));
    let covariance: Matrix3<f64> = points.iter().zip(there).map(|(p, q)| (q - to) * (p - from).transpose()).sum();
    if points.is_empty() || !covariance.iter().all(|v| v.is_finite()) {
        return None;
    }
    let svd = covariance.svd(true, true);
    let (u, v_t) = (svd.u?, svd.v_t?);
    let sign = (u * v_t).determinant().signum();
    let rotation = u * Matrix3::from_diagonal(&Vector3::new(1.0, 1.0, sign)) * v_t;
    Some((rotation, to - rotation * from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Rotation3;

    #[test]
    fn a_rigid_motion_is_found_again() {
        let turn = *Rotation3::from_euler_angles(0.1, -0.2, 0.05).matrix();
        let shift = Vector3::new(3.0, -2.0, 5.0);
        let points: Vec<_> = (0..20).map(|n| Vector3::new(f64::from(n % 5), f64::from(n % 3), f64::from(n))).collect();
        let there: Vec<_> = points.iter().map(|p| turn * p + shift).collect();
        let (rotation, found) = rigid_fit(&points, &there).unwrap();
        assert!((rotation - turn).norm() < 1e-10 && (found - shift).norm() < 1e-9);
        assert!(rigid_fit(&[], &[]).is_none());
    }
}
