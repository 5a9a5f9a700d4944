//! Where lesions may lie: random places with enough room around them, the roomiest one found when space is short. Each place
//! comes with its room to spare in mm; negative means that something touches or sticks out.

use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;

use crate::anatomy::Anatomy;
use crate::random::{between, direction};
use crate::star::directions;
use crate::tissue::Tissue;

type V3 = Vector3<f64>;

/// Draws before the best place so far is taken.
const TRIES: usize = 3000;
/// Directions in which a sphere's surface is checked.
const CHECKED: usize = 120;

/// A sphere that something occupies already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) centre: V3,
    pub(crate) radius_mm: f64,
}

/// A place in the liver for a sphere of `radius_mm`, at least `apart_mm` (edge to edge) from what is taken.
pub(crate) fn in_liver(
    rng: &mut ChaCha8Rng,
    anatomy: &Anatomy,
    radius_mm: f64,
    taken: &[Taken],
    apart_mm: f64,
) -> (f64, V3) {
    let low = V3::new(-105.0, -60.0, -66.0);
    let high = V3::new(50.0, 58.0, 55.0);
    roomiest(rng, low, high, |c| {
        let depth = -anatomy.liver_distance(c) - radius_mm;
        let room = clearance(c, radius_mm, taken) - apart_mm;
        let first = depth.min(room);
        if first < 2.0 { first } else { first.min(sphere_inside(c, radius_mm + 1.5, |p| anatomy.in_liver(p))) }
    })
}

/// A direction from `centre` in which a sphere of `radius_mm` at `distance_mm` lies deepest in the liver, and how deep (mm).
pub(crate) fn direction_in_liver(
    rng: &mut ChaCha8Rng,
    anatomy: &Anatomy,
    centre: V3,
    distance_mm: f64,
    radius_mm: f64,
) -> (f64, V3) {
    let mut best = (f64::NEG_INFINITY, V3::x());
    for _ in 0..200 {
        let d = direction(rng);
        // A focus that sits beside the zone rather than above or below it is seen whole in one slice.
        if d.z.abs() > 0.5 {
            continue;
        }
        let depth = -anatomy.liver_distance(centre + d * distance_mm) - radius_mm;
        if depth > best.0 {
            best = (depth, d);
        }
    }
    best
}

/// A place in the lung for a sphere, well inside the field of view.
pub(crate) fn in_lung(rng: &mut ChaCha8Rng, anatomy: &Anatomy, radius_mm: f64, taken: &[Taken]) -> (f64, V3) {
    let low = V3::new(-95.0, -45.0, 30.0);
    let high = V3::new(95.0, 62.0, 84.0 - radius_mm);
    roomiest(rng, low, high, |c| {
        let air = |p| matches!(anatomy.tissue(p), Tissue::Lung | Tissue::LungVessel);
        if air(c) { clearance(c, radius_mm, taken).min(sphere_inside(c, radius_mm + 2.5, air)) } else { -100.0 }
    })
}

/// A place beside the aorta, in the retroperitoneal fat, for a node.
pub(crate) fn retroperitoneal(rng: &mut ChaCha8Rng, anatomy: &Anatomy, radius_mm: f64, taken: &[Taken]) -> (f64, V3) {
    let low = V3::new(24.0, 5.0, -72.0);
    let high = V3::new(46.0, 34.0, -36.0);
    roomiest(rng, low, high, |c| {
        let soft = |p| {
            let tissue = anatomy.tissue(p);
            matches!(tissue, Tissue::Fat | Tissue::RenalPelvis | Tissue::Bowel | Tissue::Pancreas | Tissue::Muscle)
        };
        clearance(c, radius_mm, taken).min(sphere_inside(c, radius_mm, soft))
    })
}

fn roomiest(rng: &mut ChaCha8Rng, low: V3, high: V3, room: impl Fn(V3) -> f64) -> (f64, V3) {
    const ENOUGH: f64 = 2.0;
    let mut best = (f64::NEG_INFINITY, 0.5 * (low + high));
    for _ in 0..TRIES {
        let c = V3::from_fn(|axis, _| between(rng, low[axis], high[axis]));
        let found = room(c);
        if found > best.0 {
            best = (found, c);
        }
        if found >= ENOUGH {
            break;
        }
    }
    best
}

/// Smallest gap between a sphere and what is taken; large when nothing is.
fn clearance(c: V3, radius_mm: f64, taken: &[Taken]) -> f64 {
    taken.iter().map(|t| (t.centre - c).norm() - t.radius_mm - radius_mm).fold(1000.0, f64::min)
}

/// 1000 when the whole sphere is inside, else minus the number of directions that are not.
fn sphere_inside(c: V3, radius_mm: f64, inside: impl Fn(V3) -> bool) -> f64 {
    let out = directions(CHECKED).filter(|d| !inside(c + d * radius_mm)).count();
    if out == 0 { 1000.0 } else { -(out as f64) }
}
