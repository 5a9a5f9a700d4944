//! Round places of even brightness beside the spine, in one slice.

use rayon::prelude::*;

use crate::grid::{Index3, Shape};
use crate::volume::Volume;

/// Directions in which the rim is looked at.
const N_DIRECTIONS: usize = 16;
/// Radii tried, in pixels of the search (2 mm).
const RADII: std::ops::RangeInclusive<usize> = 3..=8;
/// The rim is judged one pixel outside the disc.
const N_RADII: usize = *RADII.end() + 2;
/// A difference to the rim from which it is an edge, HU. Origin: blood without contrast against fat is 140, against muscle 10;
/// smoothed noise stays below 8.
const EDGE_HU: f64 = 20.0;
/// What an edge to something brighter counts. A vertebra touches the aorta on one side only; the spinal canal lies in bone.
const BRIGHTER_RIM: f64 = 0.5;
/// Blood with any amount of contrast medium, after smoothing: not fat, not cortical bone.
const BLOOD_HU: std::ops::RangeInclusive<f32> = 0.0..=700.0;
/// A disc this uneven (standard deviation) is no blood, HU.
const UNEVEN_HU: f64 = 25.0;
/// Middle of the aorta from the spine's, in pixels of 2 mm: towards the patient's left, where the vena cava is not, and back.
const LEFT: std::ops::RangeInclusive<isize> = -2..=26;
const BACK: std::ops::RangeInclusive<isize> = -38..=8;
/// So many discs of a slice are kept, at least so many pixels apart.
const N_KEPT: usize = 8;
const APART_PIXELS: f64 = 3.0;

/// A round place in one slice of the search's grid.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Disc {
    /// Column of its middle.
    pub(super) i: usize,
    /// Row of its middle.
    pub(super) j: usize,
    /// Pixels.
    pub(super) radius: f64,
    /// Inside, HU.
    pub(super) mean_hu: f64,
    /// Share of the rim with an edge, less unevenness.
    pub(super) score: f64,
}

/// The best discs of every slice, the best first.
pub(super) fn candidates(thin: &Volume<f32>, spine: (usize, usize)) -> Vec<Vec<Disc>> {
    (0..thin.shape().nk).into_par_iter().map(|k| in_slice(thin, k, spine)).collect()
}

fn in_slice(thin: &Volume<f32>, k: usize, (spine_i, spine_j): (usize, usize)) -> Vec<Disc> {
    let Shape { ni, nj, .. } = thin.shape();
    let rim = N_RADII as isize;
    let mut discs = Vec::new();
    for dj in BACK {
        for di in LEFT {
            let (i, j) = (spine_i as isize + di, spine_j as isize + dj);
            if i < rim || j < rim || i + rim >= ni as isize || j + rim >= nj as isize {
                continue;
            }
            let at = Index3 { i: i as usize, j: j as usize, k };
            if BLOOD_HU.contains(thin.at(at)) {
                discs.push(best_radius(thin, at));
            }
        }
    }
    // Equal scores keep their order, which is the place in the slice.
    discs.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Disc> = Vec::with_capacity(N_KEPT);
    for disc in discs {
        if kept.iter().all(|other| apart(&disc, other) > APART_PIXELS) {
            kept.push(disc);
        }
        if kept.len() == N_KEPT {
            break;
        }
    }
    kept
}

/// Distance of two middles in pixels.
pub(super) fn apart(a: &Disc, b: &Disc) -> f64 {
    (a.i as f64 - b.i as f64).hypot(a.j as f64 - b.j as f64)
}

fn best_radius(thin: &Volume<f32>, at: Index3) -> Disc {
    let rays = rays(thin, at);
    let mut best = Disc { i: at.i, j: at.j, radius: 0.0, mean_hu: 0.0, score: f64::NEG_INFINITY };
    for radius in RADII {
        let n = (radius * N_DIRECTIONS) as f64;
        let inside = || rays.iter().flat_map(|ray| ray[..radius].iter());
        let mean = inside().sum::<f64>() / n;
        let spread = (inside().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        let edge = |ray: &[f64; N_RADII]| match mean - ray[radius + 1] {
            darker if darker > EDGE_HU => 1.0,
            brighter if brighter < -EDGE_HU => BRIGHTER_RIM,
            _ => 0.0,
        };
        let edges = rays.iter().map(edge).sum::<f64>() / N_DIRECTIONS as f64;
        let score = edges - (spread / UNEVEN_HU).min(2.0);
        if score > best.score {
            best = Disc { radius: radius as f64, mean_hu: mean, score, ..best };
        }
    }
    best
}

/// Values along each direction, a pixel apart, the middle first.
fn rays(thin: &Volume<f32>, at: Index3) -> [[f64; N_RADII]; N_DIRECTIONS] {
    let Shape { ni, nj, .. } = thin.shape();
    let slice = &thin.values()[at.k * ni * nj..(at.k + 1) * ni * nj];
    std::array::from_fn(|direction| {
        let (sin, cos) = (direction as f64 * std::f64::consts::TAU / N_DIRECTIONS as f64).sin_cos();
        std::array::from_fn(|r| {
            let (x, y) = (at.i as f64 + r as f64 * cos, at.j as f64 + r as f64 * sin);
            let (i, j) = (x.floor() as usize, y.floor() as usize);
            let (fx, fy) = (x - i as f64, y - j as f64);
            let value = |i: usize, j: usize| f64::from(slice[j.min(nj - 1) * ni + i.min(ni - 1)]);
            let row = |j: usize| value(i, j) * (1.0 - fx) + value(i + 1, j) * fx;
            row(j) * (1.0 - fy) + row(j + 1) * fy
        })
    })
}
