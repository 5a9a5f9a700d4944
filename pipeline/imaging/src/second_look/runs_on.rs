//! Whether the values of an outline run on beyond it, as those of a vessel do that was outlined at its end.

use super::places::Ring;
use super::scene::Scene;
use super::template::{Offset, Template};
use crate::Mm;

/// Shortest strand that counts, mm …
const LEAST_MM: f64 = 12.0;
/// … and as a multiple of the outline's radius: a lesion that was outlined too small reaches less far.
const LEAST_RADII: f64 = 3.0;
/// Strands fill at most this share of the tissue round an outline: what fills more is noise or another kind of tissue.
const MOST_FILLED: f64 = 0.15;
/// A value is the outline's if it lies beyond this part of the way from the surroundings to the outline's middle.
const ALIKE: f64 = 0.75;
/// Voxels from the organ's border in the slice that are not followed: its own half-filled voxels run along it.
const BORDER: i32 = 3;
/// Least contrast of the outline's middle, as a multiple of the spread of its surroundings: weaker values join into strands by chance.
const LEAST_SPREADS: f64 = 3.5;
/// Beyond the outline: farther from its middle than so many radii.
const BEYOND: f64 = 1.5;

/// Follows the values of the outline into open tissue, no farther than a strand must be long: the vessels it ends in are thicker. The
/// strand's length beyond the outline, if there is one.
pub(super) fn runs_on(scene: &Scene, template: &Template, ring: Ring, core: f64) -> Option<Mm> {
    let around = ring.median;
    if (core - around).abs() < LEAST_SPREADS * ring.sd {
        return None;
    }
    let is_alike = |n: usize| (smoothed(scene, n) - around) / (core - around) > ALIKE && is_within(scene, n);
    let radius = template.radius.0;
    let needed = LEAST_MM.max(LEAST_RADII * radius);
    let followed = radius + needed + scene.grid.spacing_mm().into_iter().fold(0.0, f64::max);
    let mut is_seen = vec![false; scene.grid.shape().n_voxels()];
    let mut next: Vec<usize> = template.inside.iter().filter_map(|o| scene.linear(template.at, *o)).collect();
    for n in &next {
        is_seen[*n] = true;
    }
    let (mut longest, mut n_beyond) = (0.0_f64, 0_usize);
    while let Some(at) = next.pop() {
        for neighbour in neighbours(scene, at) {
            let mm = far(scene, template, neighbour);
            if is_seen[neighbour] || mm > followed || !is_alike(neighbour) {
                continue;
            }
            is_seen[neighbour] = true;
            next.push(neighbour);
            if mm > BEYOND * radius {
                (longest, n_beyond) = (longest.max(mm - radius), n_beyond + 1);
            }
        }
    }
    let round = (BEYOND * radius, followed);
    (longest >= needed && n_beyond as f64 <= MOST_FILLED * n_open(scene, template, round) as f64).then_some(Mm(longest))
}

/// Open voxels at a distance from the outline's middle between two, mm.
fn n_open(scene: &Scene, template: &Template, (from, to): (f64, f64)) -> usize {
    let spacing = scene.grid.spacing_mm();
    let [i, j, k] = spacing.map(|mm| (to / mm).ceil() as i32);
    let offsets = (-k..=k).flat_map(|k| (-j..=j).flat_map(move |j| (-i..=i).map(move |i| [i, j, k])));
    let inside = offsets.filter_map(|offset| scene.linear(template.at, offset)).filter(|n| scene.is_open[*n]);
    inside.filter(|n| (from..=to).contains(&far(scene, template, *n))).count()
}

/// Distance of a voxel from the outline's middle, mm.
fn far(scene: &Scene, template: &Template, n: usize) -> f64 {
    let (at, spacing) = (scene.place(n), scene.grid.spacing_mm());
    (0..3).map(|a| (f64::from(at[a] - template.at[a]) * spacing[a]).powi(2)).sum::<f64>().sqrt()
}

/// Whether a voxel lies in open tissue, and not at its border.
fn is_within(scene: &Scene, n: usize) -> bool {
    const ASIDE: [Offset; 5] = [[0; 3], [-BORDER, 0, 0], [BORDER, 0, 0], [0, -BORDER, 0], [0, BORDER, 0]];
    let at = scene.place(n);
    ASIDE.iter().all(|offset| scene.linear(at, *offset).is_some_and(|n| scene.is_open[n]))
}

/// Mean of a voxel and its eight neighbours in the slice: noise alone would join voxels to strands.
fn smoothed(scene: &Scene, n: usize) -> f64 {
    let at = scene.place(n);
    let around = (-1..=1).flat_map(|j| (-1..=1).map(move |i| [i, j, 0]));
    let (mut count, mut sum) = (0.0, 0.0);
    for value in around.filter_map(|offset: Offset| scene.linear(at, offset)) {
        (count, sum) = (count + 1.0, sum + f64::from(scene.values[value]));
    }
    sum / f64::max(count, 1.0)
}

fn neighbours(scene: &Scene, n: usize) -> impl Iterator<Item = usize> {
    const SIX: [Offset; 6] = [[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]];
    let at = scene.place(n);
    SIX.map(|offset| scene.linear(at, offset)).into_iter().flatten()
}
