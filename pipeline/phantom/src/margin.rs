//! The true minimal ablative margin: how far the tumour's surface lies inside the ablation zone, in the reference anatomy.
//!
//! m(p) = +distance(p, zone surface) for p of the tumour's surface inside the zone, minus that distance outside; the margin is
//! the smallest m. Found on sampled directions and refined by a pattern search on directions.

use nalgebra::Vector3;

use crate::star::{Star, directions};

type V3 = Vector3<f64>;

/// Sampled directions of tumour and zone before refinement.
const TUMOUR_DIRECTIONS: usize = 600;
const ZONE_DIRECTIONS: usize = 1500;
/// Best samples that are refined.
const REFINED: usize = 6;
/// Samples where nothing is refined because the zone is no star shape any more.
const DENSE: usize = 12_000;

/// The minimal margin in mm, exact to about 0.001 mm; negative when part of the tumour lies outside the zone.
pub(crate) fn minimal_margin(tumour: &Star, zone: &Star) -> f64 {
    let zone_dirs: Vec<V3> = directions(ZONE_DIRECTIONS).collect();
    let surface: Vec<V3> = zone_dirs.iter().map(|d| zone.surface(*d)).collect();
    let mut sampled: Vec<(f64, V3, V3)> = directions(TUMOUR_DIRECTIONS)
        .map(|d| {
            let p = tumour.surface(d);
            let (n, squared) = nearest(p, &surface);
            (signed(zone, p, squared.sqrt()), d, zone_dirs[n])
        })
        .collect();
    sampled.sort_by(|a, b| a.0.total_cmp(&b.0));
    let refined = sampled.iter().take(REFINED).map(|(_, tumour_dir, zone_dir)| {
        let mut zone_start = *zone_dir;
        search(*tumour_dir, |d| {
            let p = tumour.surface(d);
            let (distance, found) = search(zone_start, |z| (zone.surface(z) - p).norm());
            zone_start = found;
            signed(zone, p, distance)
        })
        .0
    });
    refined.fold(f64::INFINITY, f64::min)
}

/// The minimal margin, in mm (to about 0.1 mm), of a zone into which living tissue has grown: zone without `living`.
pub(crate) fn minimal_margin_carved(tumour: &Star, zone: &Star, living: &Star) -> f64 {
    let own = directions(DENSE).map(|d| zone.surface(d)).filter(|p| !living.contains(*p));
    let carved = directions(DENSE).map(|d| living.surface(d)).filter(|p| zone.contains(*p));
    let surface: Vec<V3> = own.chain(carved).collect();
    directions(2 * TUMOUR_DIRECTIONS)
        .map(|d| {
            let p = tumour.surface(d);
            let distance = nearest(p, &surface).1.sqrt();
            if zone.contains(p) && !living.contains(p) { distance } else { -distance }
        })
        .fold(f64::INFINITY, f64::min)
}

fn signed(zone: &Star, p: V3, distance: f64) -> f64 {
    if zone.contains(p) { distance } else { -distance }
}

fn nearest(p: V3, surface: &[V3]) -> (usize, f64) {
    surface.iter().enumerate().fold((0, f64::INFINITY), |best, (n, q)| {
        let d = (q - p).norm_squared();
        if d < best.1 { (n, d) } else { best }
    })
}

/// The direction near `start` where `value` is smallest (pattern search on the tangent plane).
fn search(start: V3, mut value: impl FnMut(V3) -> f64) -> (f64, V3) {
    let (mut best, mut at) = (value(start), start);
    let mut step = 0.06;
    while step > 2e-4 {
        let aside = if at.x.abs() < 0.7 { V3::x() } else { V3::y() };
        let (e, f) = (at.cross(&aside).normalize(), at.cross(&at.cross(&aside)).normalize());
        let around = [e, -e, f, -f].map(|t| (at + t * step).normalize());
        let values = around.map(&mut value);
        let n = (0..4).fold(0, |b, n| if values[n] < values[b] { n } else { b });
        if values[n] < best {
            (best, at) = (values[n], around[n]);
        } else {
            step *= 0.5;
        }
    }
    (best, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concentric_and_shifted_spheres_have_the_margins_of_arithmetic() {
        let c = V3::new(-50.0, 7.0, 3.0);
        let (tumour, zone) = (Star::sphere(c, 10.0), Star::sphere(c, 17.0));
        assert!((minimal_margin(&tumour, &zone) - 7.0).abs() < 1e-3);
        let shifted = zone.at(c + V3::new(3.0, -4.0, 0.0));
        assert!((minimal_margin(&tumour, &shifted) - 2.0).abs() < 1e-3);
        let outside = zone.at(c + V3::new(6.0, 0.0, 8.0));
        assert!((minimal_margin(&tumour, &outside) + 3.0).abs() < 1e-3);
    }

    #[test]
    fn living_tissue_in_the_zone_takes_from_the_margin() {
        let c = V3::new(-50.0, 7.0, 3.0);
        let (tumour, zone) = (Star::sphere(c, 10.0), Star::sphere(c, 15.0));
        let living = Star::sphere(c + V3::new(20.0, 0.0, 0.0), 7.0);
        assert!((minimal_margin_carved(&tumour, &zone, &living) - 3.0).abs() < 0.15);
    }
}
