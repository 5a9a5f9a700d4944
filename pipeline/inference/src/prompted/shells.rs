//! The image round a click along rays, at radii that grow by a constant factor, smoothed in proportion to the radius: what is larger
//! looks the same, only farther out, so that one small network finds the extent of a lesion of any size.
//!
//! Directions: a Fibonacci lattice (González 2010, *Math. Geosci.* 42, 49).

use std::f64::consts::TAU;
use std::ops::Range;

use ndarray::{Array3, Array4, ArrayView3, s};

use crate::axis_operator::{Alignment, AxisOperator, Placement, carry};
use crate::card::{ExtentSearch, RelativeTo};
use crate::prompted::cube::Source;

/// What no smoothing counts as when the nearest σ is looked for, mm.
const LEAST_SIGMA_MM: f64 = 0.35;

/// Places of the smoothed grid for one σ.
const PLACES_PER_SIGMA: f64 = 1.5;

/// Directions x, y, z spread evenly over the sphere.
pub(crate) fn directions(n: usize) -> Vec<[f64; 3]> {
    let golden = f64::midpoint(1.0, 5.0_f64.sqrt());
    (0..n)
        .map(|k| {
            let k = k as f64 + 0.5;
            let (polar, turn) = ((1.0 - 2.0 * k / n as f64).acos(), TAU * golden * k);
            [polar.sin() * turn.cos(), polar.sin() * turn.sin(), polar.cos()]
        })
        .collect()
}

/// The eight mirror images of the directions: signs of x, y, z, z changing last.
pub(crate) fn mirrored(turn: usize, [x, y, z]: [f64; 3]) -> [f64; 3] {
    let sign = |bit: usize, v: f64| if turn >> bit & 1 == 0 { v } else { -v };
    [sign(0, x), sign(1, y), sign(2, z)]
}

/// What the networks are shown round a click (a position in the image's voxels): `[turn, value and inside, ray, shell]`; beyond the
/// image both are 0.
pub(crate) fn shells(source: &Source<'_>, click: [f64; 3], search: &ExtentSearch) -> Array4<f32> {
    let radii: Vec<f64> = (0..search.shells).map(|shell| search.radius_mm(shell as f64)).collect();
    let rays = directions(search.rays);
    let over = reference(&source.values, search.relative_to);
    let (size, spacing_mm) = (source.size(), source.spacing_mm);
    let place = |turn: usize, ray: usize, shell: usize| -> Option<[f64; 3]> {
        let direction = mirrored(turn, rays[ray]);
        let at: [f64; 3] = std::array::from_fn(|a| click[a] + direction[a] * radii[shell] / spacing_mm[a]);
        (0..3).all(|a| at[a] > -0.5 && at[a] < size[a] as f64 - 0.5).then_some(at)
    };
    let mut shown = Array4::zeros(search.input_shape());
    for (n, sigma_mm) in search.sigmas_mm.iter().enumerate() {
        let of_level = (0..search.shells).filter(|shell| level(radii[*shell], search) == n);
        let Some(farthest) = of_level.clone().next_back() else { continue };
        let grid = Smoothed::new(source, click, *sigma_mm, radii[farthest], search.clip);
        for shell in of_level {
            for (turn, ray) in (0..ExtentSearch::N_TURNS * search.rays).map(|n| (n / search.rays, n % search.rays)) {
                let Some(at) = place(turn, ray, shell) else { continue };
                shown[[turn, 0, ray, shell]] = (f64::from(grid.linear(at)) / over) as f32;
                shown[[turn, 1, ray, shell]] = 1.0;
            }
        }
    }
    shown
}

/// Which σ a radius is smoothed with: the nearest by ratio.
fn level(radius_mm: f64, search: &ExtentSearch) -> usize {
    let wanted = search.smoothing * radius_mm;
    let between = |pair: &[f64]| (pair[0].max(LEAST_SIGMA_MM) * pair[1]).sqrt();
    search.sigmas_mm.windows(2).filter(|pair| between(pair) < wanted).count()
}

/// What the values are divided by.
fn reference(values: &ArrayView3<'_, f32>, relative_to: Option<RelativeTo>) -> f64 {
    match relative_to {
        None => 1.0,
        Some(RelativeTo::MeanAboveMean) => {
            let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64;
            let above = values.iter().map(|v| f64::from(*v)).filter(|v| *v > mean);
            let (sum, n) = above.fold((0.0, 0_usize), |(sum, n), v| (sum + v, n + 1));
            // An image of one value has none above its mean.
            if n == 0 || sum <= 0.0 { 1.0 } else { sum / n as f64 }
        }
    }
}

/// The image smoothed by a triangle on a small grid round a click.
struct Smoothed {
    values: Array3<f32>,
    /// Position of the first place in the image, and from one to the next, along x, y, z.
    first: [f64; 3],
    step: [f64; 3],
}

impl Smoothed {
    /// One place beyond the image or the reach, whichever ends first.
    fn new(source: &Source<'_>, click: [f64; 3], sigma_mm: f64, reach_mm: f64, clip: Option<[f64; 2]>) -> Self {
        let (size, spacing_mm) = (source.size(), source.spacing_mm);
        let step: [f64; 3] = std::array::from_fn(|a| (sigma_mm / PLACES_PER_SIGMA / spacing_mm[a]).max(1.0));
        let lie: [(f64, usize); 3] = std::array::from_fn(|a| {
            let at = click[a].round_ties_even();
            let far = (reach_mm / (step[a] * spacing_mm[a])).ceil() + 1.0;
            let [below, above] = [at, (size[a] - 1) as f64 - at].map(|v| far.min(((v + 0.5) / step[a]).ceil() + 1.0));
            (at - below * step[a], (below + above) as usize + 1)
        });
        let whole: [AxisOperator; 3] = std::array::from_fn(|a| {
            let (first, n_out) = lie[a];
            let placement = Placement { n_in: size[a], n_out, ratio: step[a], alignment: Alignment::First(first) };
            // The variance of a triangle is a sixth of its half-width's square.
            AxisOperator::triangle(placement, (6.0_f64.sqrt() * sigma_mm / spacing_mm[a]).max(1.0))
        });
        let part: [Range<usize>; 3] = std::array::from_fn(|a| whole[a].reached());
        let operators: [AxisOperator; 3] = std::array::from_fn(|a| whole[a].of_part(part[a].clone()));
        let [x, y, z] = part;
        let values = source.values.slice(s![z, y, x]);
        let values = match clip {
            Some([low, high]) => carry(values.mapv(|v| v.clamp(low as f32, high as f32)).view(), &operators),
            None => carry(values, &operators),
        };
        Self { values, first: lie.map(|(first, _)| first), step }
    }

    /// The value at a position in the image, linear between the grid's places.
    fn linear(&self, at: [f64; 3]) -> f32 {
        let (nz, ny, nx) = self.values.dim();
        let size = [nx, ny, nz];
        let at: [f64; 3] = std::array::from_fn(|a| (at[a] - self.first[a]) / self.step[a]);
        let low: [usize; 3] = std::array::from_fn(|a| (at[a].max(0.0) as usize).min(size[a] - 2));
        let share: [f32; 3] = std::array::from_fn(|a| (at[a] - low[a] as f64) as f32);
        let mut sum = 0.0;
        for corner in 0..8_usize {
            let bit = [corner & 1, corner >> 1 & 1, corner >> 2 & 1];
            let weight: f32 = (0..3).map(|a| if bit[a] == 1 { share[a] } else { 1.0 - share[a] }).product();
            sum += weight * self.values[[low[2] + bit[2], low[1] + bit[1], low[0] + bit[0]]];
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search() -> ExtentSearch {
        ExtentSearch {
            networks: Vec::new(),
            rays: 6,
            shells: 12,
            first_mm: 1.0,
            growth: 1.5,
            smoothing: 0.2,
            sigmas_mm: vec![0.0, 0.7, 2.8, 11.0],
            clip: None,
            relative_to: None,
        }
    }

    /// v = x + 10 y + 100 z on 40 × 30 × 20 voxels of 1, 2 and 3 mm.
    fn ramp() -> Array3<f32> {
        Array3::from_shape_fn((20, 30, 40), |(z, y, x)| (x + 10 * y + 100 * z) as f32)
    }

    fn source(values: &Array3<f32>) -> Source<'_> {
        Source { values: values.view(), spacing_mm: [1.0, 2.0, 3.0], side: 8, click_sigma: 2.0 }
    }

    #[test]
    fn directions_are_spread_evenly_and_their_mirror_images_are_all_different() {
        let rays = directions(48);
        assert!(rays.iter().all(|[x, y, z]| (x * x + y * y + z * z - 1.0).abs() < 1e-12));
        let mean = (0..3).map(|a| rays.iter().map(|ray| ray[a]).sum::<f64>() / 48.0);
        assert!(mean.clone().all(|mean| mean.abs() < 0.02), "{:?}", mean.collect::<Vec<_>>());
        // Points of equal area lie 0.51 apart on a hexagonal grid; none comes nearer than half of that.
        let apart = |a: &[f64; 3], b: &[f64; 3]| (0..3).map(|n| (a[n] - b[n]).powi(2)).sum::<f64>().sqrt();
        let pairs = (0..48).flat_map(|a| (0..a).map(move |b| (a, b)));
        let nearest = pairs.map(|(a, b)| apart(&rays[a], &rays[b])).fold(f64::INFINITY, f64::min);
        assert!(nearest > 0.25, "{nearest}");
        let turns: Vec<[f64; 3]> = (0..8).map(|turn| mirrored(turn, [1.0, 2.0, 3.0])).collect();
        assert_eq!([turns[0], turns[1], turns[6]], [[1.0, 2.0, 3.0], [-1.0, 2.0, 3.0], [1.0, -2.0, -3.0]]);
        assert!((0..8).all(|a| (0..a).all(|b| turns[a] != turns[b])));
    }

    #[test]
    fn smoothing_keeps_a_ramp_and_beyond_the_image_there_is_nothing() {
        let (values, search, click) = (ramp(), search(), [17.3, 14.8, 9.6]);
        let shown = shells(&source(&values), click, &search);
        let rays = directions(search.rays);
        let (mut n_inside, mut n_outside) = (0, 0);
        for ((turn, ray), shell) in
            (0..8).flat_map(|t| (0..6).map(move |r| (t, r))).flat_map(|p| (0..12).map(move |s| (p, s)))
        {
            let (direction, radius) = (mirrored(turn, rays[ray]), search.radius_mm(shell as f64));
            let at: [f64; 3] = std::array::from_fn(|a| click[a] + direction[a] * radius / [1.0, 2.0, 3.0][a]);
            let [value, inside] = [0, 1].map(|channel| f64::from(shown[[turn, channel, ray, shell]]));
            let within = at.iter().zip([40.0, 30.0, 20.0]).all(|(v, n)| *v > -0.5 && *v < n - 0.5);
            assert_eq!(inside, f64::from(u8::from(within)));
            if !within {
                assert_eq!(value, 0.0);
                n_outside += 1;
            } else if radius < 8.0 {
                // Far from the edges: a triangle round any place has the ramp's own value.
                let wanted = at[0] + 10.0 * at[1] + 100.0 * at[2];
                assert!((value - wanted).abs() < 0.02, "shell {shell}: {value} {wanted}");
                n_inside += 1;
            }
        }
        assert!(n_inside > 200 && n_outside > 50, "{n_inside} {n_outside}");
    }

    #[test]
    fn the_nearest_sigma_by_ratio_is_taken() {
        // Between 0.35 (for none) and 0.7 the change is at σ = 0.495, which is a radius of 2.475 mm; between 0.7 and 2.8 at 1.4.
        let level = |radius_mm| level(radius_mm, &search());
        assert_eq!([2.47, 2.48, 6.99, 7.01, 1000.0].map(level), [0, 1, 1, 2, 3]);
    }

    #[test]
    fn values_are_cut_and_divided_as_the_card_says() {
        let values = Array3::from_shape_fn((9, 9, 9), |(z, _, _)| if z < 6 { 10.0 } else { 40.0 });
        let click = [4.0, 4.0, 4.0];
        let shown = |search: &ExtentSearch| shells(&source(&values), click, search)[[0, 0, 0, 0]];
        // The first ray points towards z, where 1 mm is a third of a voxel: still 10.
        let plain = shown(&search());
        assert!((plain - 10.0).abs() < 1e-5);
        let cut = ExtentSearch { clip: Some([0.0, 4.0]), ..search() };
        assert!((shown(&cut) - 4.0).abs() < 1e-5);
        // The mean is 20, and of what lies above it 40.
        let over = ExtentSearch { relative_to: Some(RelativeTo::MeanAboveMean), ..search() };
        assert!((shown(&over) - 0.25).abs() < 1e-6);
        assert_eq!(reference(&Array3::from_elem((2, 2, 2), 3.0).view(), over.relative_to), 1.0);
    }
}
