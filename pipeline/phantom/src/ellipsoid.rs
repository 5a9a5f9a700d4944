//! Ellipsoids and rounded unions: what the organs are built from.

use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;

use crate::random::{jitter, jitter3};

type V3 = Vector3<f64>;

/// An axis-parallel ellipsoid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ellipsoid {
    pub(crate) centre: V3,
    pub(crate) semi: V3,
}

impl Ellipsoid {
    /// Drawn round a typical one.
    pub(crate) fn varied(rng: &mut ChaCha8Rng, spread: f64, centre: [f64; 3], semi: [f64; 3]) -> Self {
        let scale = V3::from_fn(|_, _| 1.0 + jitter(rng, 0.06 * spread));
        Self { centre: V3::from(centre) + jitter3(rng, 3.0 * spread), semi: V3::from(semi).component_mul(&scale) }
    }
    /// 1 on the surface, less inside.
    pub(crate) fn level(&self, p: V3) -> f64 {
        (p - self.centre).component_div(&self.semi).norm()
    }
    /// Whether a point lies inside.
    pub(crate) fn contains(&self, p: V3) -> bool {
        (p - self.centre).component_div(&self.semi).norm_squared() < 1.0
    }
    /// Distance from the surface in mm, negative inside, to first order (Quilez, ellipsoid distance bound).
    pub(crate) fn distance(&self, p: V3) -> f64 {
        let q = (p - self.centre).component_div(&self.semi);
        let slope = q.component_div(&self.semi).norm();
        if slope < 1e-12 { -self.semi.min() } else { q.norm() * (q.norm() - 1.0) / slope }
    }
    /// Larger by a distance along each axis.
    pub(crate) fn grown(&self, mm: f64) -> Self {
        Self { semi: self.semi.add_scalar(mm), ..*self }
    }
}

/// The smaller of two distances, rounded off where they meet within `k` mm (Quilez, polynomial smooth minimum).
pub(crate) fn smooth_min(a: f64, b: f64, k: f64) -> f64 {
    let h = (0.5 + 0.5 * (b - a) / k).clamp(0.0, 1.0);
    b + (a - b) * h - k * h * (1.0 - h)
}

/// The larger of two distances, rounded off likewise.
pub(crate) fn smooth_max(a: f64, b: f64, k: f64) -> f64 {
    -smooth_min(-a, -b, k)
}
