//! Solids with known surfaces, turned and shifted at random, and what a scanner's grid makes of them.

use lesiontrace_imaging::surface::Triangle;
use lesiontrace_imaging::{FrameId, Grid, Mask, Patient, Point, Shape, TriangleTree};
use nalgebra::{Matrix3, Rotation3, Unit, Vector3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The families of solids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Ball,
    Ellipsoid,
    Lobulated,
}

pub(crate) const FAMILIES: [Family; 3] = [Family::Ball, Family::Ellipsoid, Family::Lobulated];

/// A solid that is star-shaped about its centre: ellipsoid × (1 + low-order harmonics), plus a layer that is thinner on one side.
#[derive(Debug, Clone)]
pub(crate) struct Solid {
    pub(crate) centre: Vector3<f64>,
    pub(crate) to_axes: Matrix3<f64>,
    pub(crate) semi_mm: Vector3<f64>,
    pub(crate) bumps: [f64; 8],
    pub(crate) layer_mm: f64,
    pub(crate) layer_slant_mm: f64,
    pub(crate) layer_towards: Vector3<f64>,
}

pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub(crate) fn direction(rng: &mut ChaCha8Rng) -> Vector3<f64> {
    loop {
        let v = Vector3::from_fn(|_, _| rng.random_range(-1.0..1.0_f64));
        if v.norm() > 0.1 && v.norm() < 1.0 {
            return v.normalize();
        }
    }
}

pub(crate) fn rotation(rng: &mut ChaCha8Rng) -> Matrix3<f64> {
    let angle = rng.random_range(0.0..std::f64::consts::TAU);
    *Rotation3::from_axis_angle(&Unit::new_normalize(direction(rng)), angle).matrix()
}

impl Solid {
    pub(crate) fn random(rng: &mut ChaCha8Rng, family: Family, radius_mm: f64) -> Self {
        let (elongation, bumpiness) = match family {
            Family::Ball => (0.0, 0.0),
            Family::Ellipsoid => (0.3, 0.0),
            Family::Lobulated => (0.2, 0.06),
        };
        Self {
            centre: Vector3::zeros(),
            to_axes: rotation(rng),
            semi_mm: Vector3::from_fn(|_, _| radius_mm * (1.0 + elongation * rng.random_range(-1.0..1.0))),
            bumps: std::array::from_fn(|_| bumpiness * rng.random_range(-1.0..1.0)),
            layer_mm: 0.0,
            layer_slant_mm: 0.0,
            layer_towards: Vector3::x(),
        }
    }

    pub(crate) fn radius(&self, direction: Vector3<f64>) -> f64 {
        let l = self.to_axes * direction;
        let layer = self.layer_mm + self.layer_slant_mm * 0.5 * (1.0 - direction.dot(&self.layer_towards));
        (1.0 + harmonics(&self.bumps, l)) / l.component_div(&self.semi_mm).norm() + layer
    }

    /// Positive inside, mm along the radius.
    pub(crate) fn level(&self, p: Vector3<f64>) -> f64 {
        let d = p - self.centre;
        if d.norm() < 1e-9 { self.semi_mm.min() } else { self.radius(d.normalize()) - d.norm() }
    }

    pub(crate) fn reach_mm(&self) -> f64 {
        directions(400).map(|d| self.radius(d)).fold(0.0, f64::max) * 1.03
    }

    /// The surface as a fine mesh.
    pub(crate) fn triangles(&self) -> Vec<Triangle> {
        let (n_lat, n_lon) = (60, 120);
        let at = |a: usize, b: usize| {
            let (lat, lon) =
                (std::f64::consts::PI * a as f64 / n_lat as f64, std::f64::consts::TAU * b as f64 / n_lon as f64);
            let d = Vector3::new(lat.sin() * lon.cos(), lat.sin() * lon.sin(), lat.cos());
            Point::<Patient>::from_coords(self.centre + d * self.radius(d))
        };
        let mut triangles = Vec::new();
        for a in 0..n_lat {
            for b in 0..n_lon {
                let [p, q, r, s] = [at(a, b), at(a + 1, b), at(a + 1, b + 1), at(a, b + 1)];
                triangles.extend([[p, q, r], [p, r, s]]);
            }
        }
        triangles
    }

    /// The voxels whose centre lies inside, on an oblique grid of this spacing that holds the solid with room to spare.
    pub(crate) fn mask(&self, spacing_mm: [f64; 3], pose: &Matrix3<f64>, shift: Vector3<f64>) -> Mask {
        let reach = self.reach_mm() + 4.0;
        let half = spacing_mm.map(|s| (reach / s).ceil() as usize + 1);
        let shape = Shape { ni: 2 * half[0] + 1, nj: 2 * half[1] + 1, nk: 2 * half[2] + 1 };
        let steps = Vector3::from_fn(|a, _| spacing_mm[a] * (shift[a] - half[a] as f64));
        let origin = Point::from_coords(self.centre + pose * steps);
        let grid = Grid::from_directions(shape, origin, spacing_mm, *pose, FrameId::new("f")).unwrap();
        Mask::from_fn(grid.clone(), |at| self.level(grid.center(at).coords) >= 0.0)
    }
}

/// Smallest signed distance from the surface of one solid to that of another.
pub(crate) fn minimal_margin(tumour: &Solid, zone: &Solid) -> f64 {
    let tree = TriangleTree::new(zone.triangles()).unwrap();
    directions(3000)
        .map(|d| {
            let p = tumour.centre + d * tumour.radius(d);
            let distance = tree.distance(Point::from_coords(p));
            if zone.level(p) >= 0.0 { distance } else { -distance }
        })
        .fold(f64::INFINITY, f64::min)
}

/// `n` directions spread evenly (Fibonacci lattice).
pub(crate) fn directions(n: usize) -> impl Iterator<Item = Vector3<f64>> {
    let golden = std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
    (0..n).map(move |i| {
        let z = 1.0 - (2.0 * i as f64 + 1.0) / n as f64;
        let r = (1.0 - z * z).sqrt();
        Vector3::new(r * (golden * i as f64).cos(), r * (golden * i as f64).sin(), z)
    })
}

/// Five harmonics of second and three of third order, each within −1…1.
fn harmonics(c: &[f64; 8], d: Vector3<f64>) -> f64 {
    let (x, y, z) = (d.x, d.y, d.z);
    2.0 * (c[0] * x * y + c[1] * y * z + c[2] * x * z)
        + c[3] * (x * x - y * y)
        + c[4] * 0.5 * (3.0 * z * z - 1.0)
        + c[5] * 5.0 * x * y * z
        + c[6] * x * (x * x - 3.0 * y * y)
        + c[7] * 0.5 * z * (5.0 * z * z - 3.0)
}

/// Errors of one quantity.
#[derive(Debug, Default)]
pub(crate) struct Errors(pub(crate) Vec<f64>);

impl Errors {
    pub(crate) fn bias(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }
    pub(crate) fn mean_size(&self) -> f64 {
        self.0.iter().map(|e| e.abs()).sum::<f64>() / self.0.len() as f64
    }
    pub(crate) fn root_mean_square(&self) -> f64 {
        (self.0.iter().map(|e| e * e).sum::<f64>() / self.0.len() as f64).sqrt()
    }
    /// The size that `percent` of the errors do not exceed.
    pub(crate) fn size_percentile(&self, percent: f64) -> f64 {
        let mut sizes: Vec<f64> = self.0.iter().map(|e| e.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        sizes[((percent / 100.0 * sizes.len() as f64).ceil() as usize).clamp(1, sizes.len()) - 1]
    }
}
