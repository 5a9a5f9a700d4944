//! The chain of discs that are good and lie on each other, by dynamic programming over the slices.

use super::disc::{Disc, apart};

/// Price of a step aside per pixel beyond the first half, of a change in brightness per HU beyond 5, and in radius per pixel;
/// in units of a disc's score. An aorta bends by less than a pixel (2 mm) in 4 mm.
const ASIDE: f64 = 0.16;
const BRIGHTNESS: f64 = 0.01;
const RADIUS: f64 = 0.05;
const FREE_PIXELS: f64 = 0.5;
const FREE_HU: f64 = 5.0;
/// A step costs no more than this: a new start.
const DEAREST: f64 = 2.5;

/// One disc a slice, or none where a slice has none.
pub(super) fn best(candidates: &[Vec<Disc>]) -> Vec<Option<Disc>> {
    let mut gains: Vec<Vec<f64>> = Vec::with_capacity(candidates.len());
    let mut from: Vec<Vec<usize>> = Vec::with_capacity(candidates.len());
    for (k, discs) in candidates.iter().enumerate() {
        let before = k.checked_sub(1).map(|b| (&candidates[b], &gains[b])).filter(|(discs, _)| !discs.is_empty());
        let (gain, origin) = discs
            .iter()
            .map(|disc| match before {
                None => (disc.score, 0),
                Some((others, gain)) => {
                    let (n, best) = others
                        .iter()
                        .zip(gain)
                        .map(|(other, gain)| gain - price(other, disc))
                        .enumerate()
                        .max_by(|(_, a), (_, b)| a.total_cmp(b))
                        .expect("empty slices were filtered out");
                    (disc.score + best, n)
                }
            })
            .unzip();
        gains.push(gain);
        from.push(origin);
    }
    follow_back(candidates, &gains, &from)
}

fn follow_back(candidates: &[Vec<Disc>], gains: &[Vec<f64>], from: &[Vec<usize>]) -> Vec<Option<Disc>> {
    let mut path = vec![None; candidates.len()];
    let mut next: Option<usize> = None;
    for k in (0..candidates.len()).rev() {
        let best = || gains[k].iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(n, _)| n);
        let Some(n) = next.or_else(best) else { continue };
        path[k] = Some(candidates[k][n].clone());
        next = (k > 0 && !candidates[k - 1].is_empty()).then(|| from[k][n]);
    }
    path
}

fn price(a: &Disc, b: &Disc) -> f64 {
    let aside = ASIDE * (apart(a, b) - FREE_PIXELS).max(0.0);
    let brightness = BRIGHTNESS * ((a.mean_hu - b.mean_hu).abs() - FREE_HU).max(0.0);
    (aside + brightness + RADIUS * (a.radius - b.radius).abs()).min(DEAREST)
}
