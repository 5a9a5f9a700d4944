//! How far the lesion under a click reaches, as the card's extent networks say.
//!
//! Their answers to eight mirror images of the rays are averaged. The extent read from it and the longest side of the box round the
//! rays' ends err to opposite sides on lumpy lesions, so that their geometric mean counts.

use ndarray::{Array3, ArrayD, ArrayView1, Axis, Ix3, s};

use crate::card::ExtentSearch;
use crate::network::NetworkError;
use crate::prompted::cube::Source;
use crate::prompted::shells::{directions, mirrored, shells};
use crate::prompted::views::Looks;
use crate::sliding_window::WindowError;

/// Shells round the likeliest that count.
const NEAR: usize = 3;

/// Of half the extent: no ray within a lesion is longer than its diagonal, but for lumps.
const LONGEST_RAY: f64 = 2.2;

/// Share of the rays' ends that the box leaves out on each side.
const OUTERMOST: f64 = 0.01;

/// How far a lesion reaches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Extent {
    /// Longest side of the box round it, mm.
    pub(crate) extent_mm: f64,
    /// Middle of that box, mm from the click along x, y, z.
    pub(crate) middle_mm: [f64; 3],
}

/// The extent of the lesion under a click, a position in the image's voxels.
pub(crate) fn extent(
    source: &Source<'_>,
    click: [f64; 3],
    search: &ExtentSearch,
    looks: &mut Looks<'_>,
) -> Result<Extent, WindowError> {
    Ok(reading(&looks.extent(shells(source, click, search), search)?, search))
}

/// An answer `[turn, extent then rays, shell]`. Errors: another shape, or a value that is no likelihood.
pub(crate) fn likelihood(answer: ArrayD<f32>, search: &ExtentSearch) -> Result<Array3<f32>, NetworkError> {
    let (expected, found) = (search.output_shape(), answer.shape().to_vec());
    if found != expected {
        let message = format!("expected an extent network's answer of shape {expected:?}, found {found:?}");
        return Err(NetworkError { message });
    }
    if let Some(value) = answer.iter().find(|v| !(0.0..=1.001).contains(*v)) {
        let message = format!("expected an extent network's likelihoods between 0 and 1, found {value}");
        return Err(NetworkError { message });
    }
    Ok(answer.into_dimensionality::<Ix3>().expect("the shape was compared above"))
}

fn reading(likelihood: &Array3<f32>, search: &ExtentSearch) -> Extent {
    let of_extent = likelihood.slice(s![.., 0, ..]);
    let over_turns = |shell: ArrayView1<'_, f32>| shell.iter().map(|p| f64::from(*p)).sum::<f64>();
    let sums: Vec<f64> = of_extent.columns().into_iter().map(over_turns).collect();
    let half = likeliest(&sums);
    let last = half + LONGEST_RAY.ln() / search.growth.ln();
    let (rays, mut tips) = (directions(search.rays), [const { Vec::new() }; 3]);
    for (turn, answer) in likelihood.axis_iter(Axis(0)).enumerate() {
        for (ray, direction) in rays.iter().enumerate() {
            let ends = answer.row(ray + 1);
            let reachable = |(shell, p): (usize, &f32)| if shell as f64 <= last { f64::from(*p) } else { 0.0 } + 1e-12;
            let ends: Vec<f64> = ends.iter().enumerate().map(reachable).collect();
            let radius_mm = search.radius_mm(likeliest(&ends));
            let direction = mirrored(turn, *direction);
            (0..3).for_each(|a| tips[a].push(direction[a] * radius_mm));
        }
    }
    let sides = tips.map(|mut along| {
        along.sort_by(f64::total_cmp);
        [percentile(&along, OUTERMOST), percentile(&along, 1.0 - OUTERMOST)]
    });
    let extent = 2.0 * search.radius_mm(half);
    let longest = sides.iter().map(|[low, high]| high - low).fold(0.0, f64::max);
    let boxed = longest.clamp(extent / 2.0, extent * 2.0);
    Extent { extent_mm: (extent * boxed).sqrt(), middle_mm: sides.map(|[low, high]| f64::midpoint(low, high)) }
}

/// The mean place within a few shells of the likeliest, of equals the first.
fn likeliest(p: &[f64]) -> f64 {
    let top = (0..p.len()).fold(0, |best, n| if p[n] > p[best] { n } else { best });
    let near = top.saturating_sub(NEAR)..(top + NEAR + 1).min(p.len());
    let total: f64 = p[near.clone()].iter().sum();
    near.map(|n| n as f64 * p[n]).sum::<f64>() / total
}

/// Of sorted values, linear between neighbours (numpy's default).
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let low = (at as usize).min(sorted.len() - 2);
    sorted[low] + (sorted[low + 1] - sorted[low]) * (at - low as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(rays: usize, shells: usize) -> ExtentSearch {
        let (first_mm, growth, smoothing) = (1.0, 1.25, 0.2);
        let sigmas_mm = vec![0.0, 1.0];
        ExtentSearch {
            networks: Vec::new(),
            rays,
            shells,
            first_mm,
            growth,
            smoothing,
            sigmas_mm,
            clip: None,
            relative_to: None,
        }
    }

    /// Sure of half the extent at one shell and of every ray's end at another.
    fn sure(search: &ExtentSearch, extent: usize, end: impl Fn(usize, usize) -> usize) -> Array3<f32> {
        let mut p = Array3::zeros(search.output_shape());
        for turn in 0..ExtentSearch::N_TURNS {
            p[[turn, 0, extent]] = 1.0;
            (0..search.rays).for_each(|ray| p[[turn, 1 + ray, end(turn, ray)]] = 1.0);
        }
        p
    }

    #[test]
    fn the_size_lies_between_what_the_whole_and_what_the_rays_say() {
        let search = search(200, 20);
        // Half the extent at shell 10 (9.31 mm) and all ends at shell 8 (5.96 mm), of whose box 1 % are left out on either side.
        let found = reading(&sure(&search, 10, |_, _| 8), &search);
        let (whole, ball) = (2.0 * 1.25_f64.powi(10), 2.0 * 1.25_f64.powi(8));
        let between = (whole * ball).sqrt();
        assert!(found.extent_mm < between && found.extent_mm > 0.97 * between, "{} {between}", found.extent_mm);
        assert!(found.middle_mm.iter().all(|mm| mm.abs() < 0.1), "{:?}", found.middle_mm);
    }

    #[test]
    fn rays_that_reach_farther_to_one_side_move_the_middle_there() {
        let search = search(200, 20);
        let rays = directions(search.rays);
        let towards = |turn: usize, ray: usize| if mirrored(turn, rays[ray])[0] > 0.0 { 10 } else { 5 };
        let [x, y, z] = reading(&sure(&search, 9, towards), &search).middle_mm;
        let wanted = (1.25_f64.powi(10) - 1.25_f64.powi(5)) / 2.0;
        assert!((x - wanted).abs() < 0.3 && y.abs() < 0.3 && z.abs() < 0.3, "{x} {y} {z}, {wanted}");
    }

    #[test]
    fn rays_longer_than_any_lesion_of_that_extent_do_not_count() {
        let search = search(50, 20);
        // Ends at shell 4 or, likelier, at 16, which 2.2 times the radius of shell 4 does not reach.
        let mut p = sure(&search, 4, |_, _| 16) * 0.7;
        p += &(sure(&search, 4, |_, _| 4) * 0.3);
        let found = reading(&p, &search);
        assert!(found.extent_mm < 2.0 * 1.25_f64.powi(4) * 1.01, "{}", found.extent_mm);
    }

    #[test]
    fn the_likeliest_place_is_a_mean_over_its_surroundings_and_of_two_the_first() {
        assert_eq!(likeliest(&[0.0, 0.0, 0.5, 0.5, 0.0]), 2.5);
        let two = [0.0, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.4, 0.0];
        assert_eq!(likeliest(&two), 1.0);
        assert_eq!([0.0, 0.25, 1.0].map(|share| percentile(&[1.0, 3.0, 9.0], share)), [1.0, 2.0, 9.0]);
    }

    #[test]
    fn an_answer_of_another_shape_or_without_likelihoods_is_refused() {
        let search = search(4, 5);
        let shape = search.output_shape();
        let said = |answer: ArrayD<f32>| likelihood(answer, &search).map(drop).map_err(|e| e.message);
        assert!(said(ArrayD::from_elem(&shape[..], 0.2)).is_ok());
        assert!(said(ArrayD::zeros(&shape[..2])).unwrap_err().contains("[8, 5, 5]"));
        for wrong in [f32::NAN, -0.1, 3.0] {
            assert!(said(ArrayD::from_elem(&shape[..], wrong)).unwrap_err().contains("between 0 and 1"));
        }
    }
}
