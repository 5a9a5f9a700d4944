//! Star-shaped solids: every lesion, necrotic core and ablation zone is a radius that depends on the direction from a centre.
//!
//! r(direction) = ellipsoid radius × (1 + low-order harmonics of the direction) + shell.

use std::f64::consts::{PI, TAU};

use nalgebra::{Matrix3, Vector3};
use rand_chacha::ChaCha8Rng;

use crate::random;

/// Directions used for surface integrals and extents; the radius functions have no structure below 10°.
const SURFACE_DIRECTIONS: usize = 4000;

/// A layer of varying thickness around a star shape: thinnest towards one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shell {
    /// Thickness towards `thin_direction`, mm along the radius.
    pub(crate) thin_mm: f64,
    /// What is added to it on the opposite side, mm.
    pub(crate) extra_mm: f64,
    /// Unit direction of the thinnest place.
    pub(crate) thin_direction: Vector3<f64>,
}

/// A solid that is star-shaped about its centre, in reference anatomy coordinates (LPS mm).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Star {
    pub(crate) centre: Vector3<f64>,
    /// Rows: the ellipsoid's axes.
    pub(crate) to_axes: Matrix3<f64>,
    pub(crate) semi_mm: Vector3<f64>,
    /// Coefficients of the harmonics of second and third order.
    pub(crate) bumps: [f64; 8],
    pub(crate) shell: Option<Shell>,
}

/// What a random star shape is drawn from.
pub(crate) struct StarDraw {
    pub(crate) centre: Vector3<f64>,
    /// Mean in-plane radius, mm.
    pub(crate) radius_mm: f64,
    /// Relative spread of the semi-axes.
    pub(crate) elongation: f64,
    /// Amplitude of each harmonic.
    pub(crate) bumpiness: f64,
}

impl Star {
    /// A sphere.
    #[cfg(test)]
    pub(crate) fn sphere(centre: Vector3<f64>, radius_mm: f64) -> Self {
        let semi_mm = Vector3::repeat(radius_mm);
        Self { centre, to_axes: Matrix3::identity(), semi_mm, bumps: [0.0; 8], shell: None }
    }

    /// A random bumpy ellipsoid, turned anyhow.
    pub(crate) fn random(rng: &mut ChaCha8Rng, draw: &StarDraw) -> Self {
        let e = draw.elongation;
        let semi_mm = Vector3::from_fn(|_, _| draw.radius_mm * (1.0 + random::jitter(rng, e)));
        let to_axes = *random::rotation(rng, PI).matrix();
        let bumps = std::array::from_fn(|_| random::jitter(rng, draw.bumpiness));
        Self { centre: draw.centre, to_axes, semi_mm, bumps, shell: None }
    }

    /// Radius towards a unit direction, mm.
    pub(crate) fn radius(&self, direction: Vector3<f64>) -> f64 {
        let l = self.to_axes * direction;
        let ellipsoid = 1.0 / l.component_div(&self.semi_mm).norm();
        let shell = self.shell.map_or(0.0, |s| s.thin_mm + s.extra_mm * 0.5 * (1.0 - direction.dot(&s.thin_direction)));
        ellipsoid * (1.0 + harmonics(&self.bumps, l)) + shell
    }

    /// Distance from the centre minus the radius in that direction: negative inside, 0 on the surface.
    pub(crate) fn level(&self, p: Vector3<f64>) -> f64 {
        let d = p - self.centre;
        let r = d.norm();
        if r < 1e-9 {
            return -self.semi_mm.min();
        }
        r - self.radius(d / r)
    }

    /// Whether a point lies inside.
    pub(crate) fn contains(&self, p: Vector3<f64>) -> bool {
        self.level(p) < 0.0
    }

    /// The surface point towards a unit direction.
    pub(crate) fn surface(&self, direction: Vector3<f64>) -> Vector3<f64> {
        self.centre + direction * self.radius(direction)
    }

    /// A radius that no surface point exceeds (with 3 % to spare), mm.
    pub(crate) fn reach_mm(&self) -> f64 {
        directions(200).map(|d| self.radius(d)).fold(0.0, f64::max) * 1.03
    }

    /// Volume in mm³: the integral of r³/3 over the sphere.
    pub(crate) fn volume_mm3(&self) -> f64 {
        let sum: f64 = directions(SURFACE_DIRECTIONS).map(|d| self.radius(d).powi(3)).sum();
        sum / 3.0 * 2.0 * TAU / SURFACE_DIRECTIONS as f64
    }

    /// The same shape, larger or smaller about its centre.
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        let shell = self.shell.map(|s| Shell { thin_mm: s.thin_mm * factor, extra_mm: s.extra_mm * factor, ..s });
        Self { semi_mm: self.semi_mm * factor, shell, ..*self }
    }

    /// The same shape about another centre.
    pub(crate) fn at(&self, centre: Vector3<f64>) -> Self {
        Self { centre, ..*self }
    }

    /// The same shape with a layer around it.
    pub(crate) fn with_shell(&self, shell: Shell) -> Self {
        Self { shell: Some(shell), ..*self }
    }
}

/// Polynomials of a unit direction, each within −1..1: the five of second order and three of third order.
fn harmonics(c: &[f64; 8], d: Vector3<f64>) -> f64 {
    let (x, y, z) = (d.x, d.y, d.z);
    2.0 * (c[0] * x * y + c[1] * y * z + c[2] * x * z)
        + c[3] * (x * x - y * y)
        + c[4] * 0.5 * (3.0 * z * z - 1.0)
        + c[5] * 5.0 * x * y * z
        + c[6] * x * (x * x - 3.0 * y * y)
        + c[7] * 0.5 * z * (5.0 * z * z - 3.0)
}

/// `n` directions spread evenly over the sphere (Fibonacci lattice).
pub(crate) fn directions(n: usize) -> impl Iterator<Item = Vector3<f64>> {
    let golden = PI * (3.0 - 5.0_f64.sqrt());
    (0..n).map(move |i| {
        let z = 1.0 - (2.0 * i as f64 + 1.0) / n as f64;
        let r = (1.0 - z * z).sqrt();
        let angle = golden * i as f64;
        Vector3::new(r * angle.cos(), r * angle.sin(), z)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsoid_has_its_volume_and_a_shell_adds_to_the_radius() {
        let mut star = Star::sphere(Vector3::new(1.0, 2.0, 3.0), 10.0);
        star.semi_mm = Vector3::new(8.0, 10.0, 15.0);
        assert!((star.volume_mm3() / (4.0 / 3.0 * PI * 1200.0) - 1.0).abs() < 1e-4);
        assert!((star.radius(Vector3::z()) - 15.0).abs() < 1e-12);
        let zone = star.with_shell(Shell { thin_mm: 2.0, extra_mm: 6.0, thin_direction: Vector3::x() });
        assert!((zone.radius(Vector3::x()) - 10.0).abs() < 1e-12);
        assert!((zone.radius(-Vector3::x()) - 16.0).abs() < 1e-12);
        assert!(zone.contains(star.surface(Vector3::y())));
    }

    #[test]
    fn volume_of_a_bumpy_shape_agrees_with_counting_points() {
        let mut rng = random::stream(5, "bumpy");
        let draw = StarDraw { centre: Vector3::new(3.0, -2.0, 1.0), radius_mm: 9.0, elongation: 0.2, bumpiness: 0.06 };
        let star = Star::random(&mut rng, &draw);
        let n = (-30..30).flat_map(|i| (-30..30).flat_map(move |j| (-30..30).map(move |k| (i, j, k)))).filter(
            |(i, j, k)| {
                star.contains(star.centre + (Vector3::new(*i as f64, *j as f64, *k as f64)).add_scalar(0.5) * 0.5)
            },
        );
        let counted = n.count() as f64 * 0.125;
        assert!((star.volume_mm3() / counted - 1.0).abs() < 0.003, "{} {counted}", star.volume_mm3());
    }
}
