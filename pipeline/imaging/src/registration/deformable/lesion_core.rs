//! Lesions that keep their shape: the displacement inside is the rigid motion that fits it best, blended into its surroundings.
//!
//! A treated tumour and its ablation zone have no counterpart in the other image, so what likeness says there is wrong, and a
//! bent tumour has another margin. Source of the fit: Kabsch 1976.

use nalgebra::{Matrix3, Vector3};

use super::solve::Displacement;
use crate::components::{Connectivity, components};
use crate::distance::{DistanceError, distance_to};
use crate::window::Window;
use crate::{Mask, Point, Volume};

/// Up to this distance from the lesion, mm, the displacement is rigid: every cell that meets the lesion on a lattice of 3 mm has
/// all its nodes within 3·√3 mm.
const RIGID_MM: f64 = 5.5;
/// Over this distance more, mm, it passes into its surroundings.
const BLEND_MM: f64 = 10.0;
/// Points that tell the motion of a lesion, at most about so many.
const N_POINTS: usize = 4000;

/// One lesion and its surroundings.
#[derive(Debug, Clone)]
pub(super) struct Core {
    /// Distance to the lesion in mm, around it.
    distance: Volume<f64>,
    /// Points of the lesion and of a shell around it.
    points: Vec<Vector3<f64>>,
    /// Points of the lesion.
    pub(super) inside: Vec<Vector3<f64>>,
}

impl Core {
    /// One for each connected part of a mask.
    pub(super) fn of(mask: &Mask) -> Result<Vec<Self>, DistanceError> {
        let parts = components(mask, Connectivity::Corners);
        parts.list.iter().filter_map(|part| Self::around(&parts.labels.map(|l| *l == part.label)).transpose()).collect()
    }

    fn around(part: &Mask) -> Result<Option<Self>, DistanceError> {
        let reach = RIGID_MM + BLEND_MM;
        let rim = part.grid().spacing_mm().map(|s| (reach / s).ceil() as usize + 1);
        let Some(window) = Window::around(part, rim) else { return Ok(None) };
        let Ok(cut) = window.cut(part, false) else { return Ok(None) };
        let distance = distance_to(&cut)?;
        let within = |mm: f64| {
            let near = |n: &usize| distance.values()[*n] <= mm;
            let all: Vec<usize> = (0..distance.values().len()).filter(near).collect();
            let every = all.len() / N_POINTS + 1;
            let center = |n: &usize| distance.grid().center(distance.shape().index(*n)).coords;
            all.iter().step_by(every).map(center).collect::<Vec<_>>()
        };
        let (points, inside) = (within(RIGID_MM), within(0.0));
        Ok(Some(Self { distance, points, inside }))
    }

    /// Replaces the displacement in and near the lesion.
    pub(super) fn stiffen(&self, displacement: &mut Displacement) {
        let Some((rotation, shift)) = rigid_fit(&self.points, |p| p + displacement.at(p)) else { return };
        let lattice = displacement.lattice.clone();
        for node in 0..lattice.n_nodes() {
            let p = lattice.at(node);
            let weight = self.weight(p);
            if weight > 0.0 {
                let rigid = rotation * p + shift - p;
                let own = displacement.values[node];
                displacement.values[node] = own + (rigid - own) * weight;
            }
        }
    }

    /// 1 in the lesion and near it, falling smoothly to 0.
    fn weight(&self, p: Vector3<f64>) -> f64 {
        let v = self.distance.grid().patient_to_voxel().apply(Point::from_coords(p)).coords.map(f64::round);
        let shape = self.distance.shape();
        let n = [shape.ni, shape.nj, shape.nk];
        if (0..3).any(|a| v[a] < 0.0 || v[a] >= n[a] as f64) {
            return 0.0;
        }
        let at = crate::Index3 { i: v.x as usize, j: v.y as usize, k: v.z as usize };
        let t = ((self.distance.values()[shape.linear(at)] - RIGID_MM) / BLEND_MM).clamp(0.0, 1.0);
        1.0 - t * t * (3.0 - 2.0 * t)
    }
}

/// The rotation and shift that fit a map best at some points.
fn rigid_fit(
    points: &[Vector3<f64>],
    map: impl Fn(Vector3<f64>) -> Vector3<f64>,
) -> Option<(Matrix3<f64>, Vector3<f64>)> {
    let n = points.len() as f64;
    let there: Vec<_> = points.iter().map(|p| map(*p)).collect();
    let mean = |list: &[Vector3<f64>]| list.iter().sum::<Vector3<f64>>() / n;
    let (from, to) = (mean(points), mean(&there));
    let covariance: Matrix3<f64> = points.iter().zip(&there).map(|(p, q)| (q - to) * (p - from).transpose()).sum();
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
        let (rotation, found) = rigid_fit(&points, |p| turn * p + shift).unwrap();
        assert!((rotation - turn).norm() < 1e-10 && (found - shift).norm() < 1e-9);
    }
}
