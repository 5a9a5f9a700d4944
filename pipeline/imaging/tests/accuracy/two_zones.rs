//! The margin to two ablations that overlap: the surface of the two together has a furrow where they meet, and is smooth elsewhere.

use super::margin::measured;
use super::solid::{Errors, Family, Solid, direction, directions, rng, rotation};
use lesiontrace_imaging::surface::triangle_centroid;
use lesiontrace_imaging::{Mask, Point, TriangleTree};
use nalgebra::Vector3;
use rand::Rng;
use rayon::prelude::*;

/// In-plane and slice spacing, and the bounds on |bias|, median and 95th percentile, mm. Measured over 48 poses: 0.08, 0.09, 0.55; 0.03,
/// 0.12, 0.70; 0.08, 0.15, 0.62 (worst 0.61, 0.84, 0.84): the furrow is filled where it is narrow. With the stiffest function alone, whatever
/// it misses, 0.89, 0.95 and 1.37 at the 95th percentile.
const BOUNDS: [([f64; 3], [f64; 3]); 3] =
    [([1.0, 1.0, 1.0], [0.1, 0.15, 0.6]), ([0.8, 0.8, 2.5], [0.15, 0.2, 0.75]), ([1.6, 1.6, 3.0], [0.15, 0.2, 0.7])];

/// A tumour of 6–10 mm radius in a zone 3–9 mm larger, and an earlier zone of 12–18 mm radius half beside it.
fn scene(rng: &mut rand_chacha::ChaCha8Rng) -> (Solid, [Solid; 2]) {
    let radius = rng.random_range(6.0..10.0);
    let mut tumour = Solid::random(rng, Family::Ellipsoid, radius);
    tumour.centre = Vector3::new(31.0, -17.0, 210.0);
    let radii = [radius + rng.random_range(4.0..9.0), rng.random_range(12.0..18.0)];
    let [mut zone, mut earlier] = radii.map(|radius| Solid::random(rng, Family::Ellipsoid, radius));
    zone.centre = tumour.centre + direction(rng) * rng.random_range(0.0..2.0);
    earlier.centre = zone.centre + direction(rng) * rng.random_range(10.0..20.0);
    (tumour, [zone, earlier])
}

/// Smallest signed distance from the tumour's surface to that of both zones together.
fn truth(tumour: &Solid, zones: &[Solid; 2]) -> f64 {
    let outer = |own: &Solid, other: &Solid| {
        let mut triangles = own.triangles();
        triangles.retain(|t| other.level(triangle_centroid(t).coords) < 0.0);
        triangles
    };
    let [a, b] = zones;
    let tree = TriangleTree::new([outer(a, b), outer(b, a)].concat()).unwrap();
    let signed = |d: Vector3<f64>| {
        let p = tumour.centre + d * tumour.radius(d);
        let distance = tree.distance(Point::from_coords(p));
        if zones.iter().any(|z| z.level(p) >= 0.0) { distance } else { -distance }
    };
    directions(3000).map(signed).fold(f64::INFINITY, f64::min)
}

fn both(zones: &[Solid; 2], spacing_mm: [f64; 3], pose: &nalgebra::Matrix3<f64>, shift: Vector3<f64>) -> Mask {
    let mut around = zones[0].clone();
    around.centre = (zones[0].centre + zones[1].centre) / 2.0;
    around.semi_mm = Vector3::repeat(zones.iter().map(Solid::reach_mm).fold(0.0, f64::max) + 10.0);
    let grid = around.mask(spacing_mm, pose, shift).grid().clone();
    Mask::from_fn(grid.clone(), |at| zones.iter().any(|z| z.level(grid.center(at).coords) >= 0.0))
}

fn errors(spacing_mm: [f64; 3], n: usize) -> Errors {
    let error = |m: usize| {
        let mut rng = rng(90_000 + m as u64);
        let (tumour, zones) = scene(&mut rng);
        let pose = rotation(&mut rng);
        let mut shift = || Vector3::from_fn(|_, _| rng.random_range(-0.5..0.5));
        let (a, b) = (tumour.mask(spacing_mm, &pose, shift()), both(&zones, spacing_mm, &pose, shift()));
        measured(&a, &b) - truth(&tumour, &zones)
    };
    Errors((0..n).into_par_iter().map(error).collect())
}

fn hold(spacing_mm: [f64; 3], bounds: [f64; 3], n: usize) {
    let errors = errors(spacing_mm, n);
    let found = [errors.bias().abs(), errors.size_percentile(50.0), errors.size_percentile(95.0)];
    println!("{spacing_mm:?} n {n} bias, median, p95 {found:.3?} worst {:.3}", errors.size_percentile(100.0));
    assert!(
        found.iter().zip(bounds).all(|(found, bound)| *found <= bound),
        "{spacing_mm:?}: {found:?}, at most {bounds:?}"
    );
}

#[test]
fn a_furrow_between_two_zones_is_no_reason_for_a_wrong_margin() {
    let (spacing_mm, bounds) = BOUNDS[2];
    hold(spacing_mm, bounds, 24);
}

#[test]
#[ignore = "many poses; takes minutes"]
fn margins_to_two_zones() {
    for (spacing_mm, bounds) in BOUNDS {
        hold(spacing_mm, bounds, 48);
    }
}
