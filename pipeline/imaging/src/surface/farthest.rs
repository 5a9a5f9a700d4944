//! The farthest pair of points of a closed surface.
//!
//! The two ends of the longest chord are the outermost points along it. So the outermost points along many directions are found and
//! compared pair by pair; then the direction is turned along the best pair until no farther pair is met. Without the turning, half
//! the angle between neighbouring directions (0.06 rad) would leave 0.2 % of the length; with it, neighbouring ends of equal length
//! remain to be confused, which changes no length.

use nalgebra::Vector3;
use rayon::prelude::*;

use super::Triangle;
use crate::diameter::Chord;
use crate::space::Point;

/// Directions over half a sphere (a Fibonacci lattice).
const N_DIRECTIONS: usize = 500;

/// The direction is turned at most so often; two or three times are usual.
const MAX_TURNS: usize = 20;

/// The farthest two corners of triangles, of which there is at least one.
pub(super) fn farthest_pair(triangles: &[Triangle]) -> Chord {
    let corners: Vec<Vector3<f64>> = triangles.iter().flat_map(|t| t.iter().map(|p| p.coords)).collect();
    let mut ends: Vec<Vector3<f64>> =
        (0..N_DIRECTIONS).into_par_iter().flat_map_iter(|n| outermost(&corners, direction(n))).collect();
    ends.dedup();
    let mut best = (0.0, [corners[0]; 2]);
    for (n, a) in ends.iter().enumerate() {
        for b in &ends[n + 1..] {
            let squared = (a - b).norm_squared();
            if squared > best.0 {
                best = (squared, [*a, *b]);
            }
        }
    }
    for _ in 0..MAX_TURNS {
        let [a, b] = outermost(&corners, best.1[1] - best.1[0]);
        let squared = (b - a).norm_squared();
        if squared <= best.0 {
            break;
        }
        best = (squared, [a, b]);
    }
    let [start, end] = best.1.map(Point::from_coords);
    Chord { start, end }
}

/// The first and the last point along a direction.
fn outermost(corners: &[Vector3<f64>], along: Vector3<f64>) -> [Vector3<f64>; 2] {
    let mut ends = [(f64::INFINITY, corners[0]), (f64::NEG_INFINITY, corners[0])];
    for corner in corners {
        let height = corner.dot(&along);
        if height < ends[0].0 {
            ends[0] = (height, *corner);
        }
        if height > ends[1].0 {
            ends[1] = (height, *corner);
        }
    }
    ends.map(|(_, corner)| corner)
}

fn direction(n: usize) -> Vector3<f64> {
    let golden = std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
    let z = (n as f64 + 0.5) / N_DIRECTIONS as f64;
    let r = (1.0 - z * z).sqrt();
    Vector3::new(r * (golden * n as f64).cos(), r * (golden * n as f64).sin(), z)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farthest_pair_equals_brute_force() {
        for seed in 0..5_u32 {
            let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(17);
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(state) / f64::from(u32::MAX)
            };
            let triangles: Vec<Triangle> =
                (0..200).map(|_| [0, 1, 2].map(|_| Point::new(9.0 * next(), 20.0 * next(), 4.0 * next()))).collect();
            let corners: Vec<_> = triangles.iter().flatten().collect();
            let want = corners.iter().flat_map(|a| corners.iter().map(|b| a.distance(**b))).fold(0.0, f64::max);
            let got = farthest_pair(&triangles).length().0;
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
    }
}
