//! How large the lesion under the click is: looks at rising spacings, of which that counts which is surest of its part and whose
//! neighbours, finer and coarser, see the same.
//!
//! What is really there keeps its size when the cube grows; what a network guesses grows with the cube.

use imaging::{Affine, FrameId, Grid, GridError, Mask, Shape};
use nalgebra::{Matrix3, Vector3};
use ndarray::Array3;

use crate::axis_operator::{Alignment, AxisOperator, Placement, carry};
use crate::card::Prompting;
use crate::prompted::cube::{Lie, Source, cube};
use crate::prompted::extent::{Extent, extent};
use crate::prompted::part::{Part, dice, part_at};
use crate::prompted::prompt::Placed;
use crate::prompted::views::{Looks, Seen, mean};
use crate::segmenter::SegmentError;

/// A voxel is the lesion's where its probability exceeds this.
pub(crate) const HALF: f32 = 0.5;

/// Dice of two neighbouring looks from which one confirms the other. A guess that grows with the cube gives 2 / (1 + q³) where the
/// coarser voxels are q times as large: 0.39 for 1.6, and 0.49 for 1.45.
const CONFIRMS: f64 = 0.5;

/// How a lesion is to be shown.
pub(crate) struct Found {
    /// The cube's spacing, mm.
    pub(crate) spacing_mm: f64,
    /// How many voxels beyond the cube's middle the click must lie, along x, y, z, for the lesion's middle to lie there.
    pub(crate) shift: [i32; 3],
    /// The look that counted and the next coarser one.
    pub(crate) looks: Vec<Seen>,
    /// Whether a neighbouring look confirms the size, or a box states it.
    pub(crate) size_is_confirmed: bool,
}

/// The spacing and place to show a lesion with: from the box where there is one, else by looking.
pub(crate) fn search(
    source: &Source<'_>,
    placed: &Placed,
    prompting: &Prompting,
    looks: &mut Looks<'_>,
) -> Result<Found, SegmentError> {
    let [finest, coarsest] = prompting.spacing_range_mm;
    let share = prompting.fill * source.side as f64;
    if let Some([low, high]) = placed.boxed {
        let side = (0..3).map(|a| (high[a] - low[a]) * source.spacing_mm[a]).fold(0.0, f64::max);
        let spacing_mm = (side / share).clamp(finest, coarsest);
        return Ok(Found { spacing_mm, shift: [0; 3], looks: Vec::new(), size_is_confirmed: true });
    }
    if let Some(search) = &prompting.extent {
        let Extent { extent_mm, middle_mm } = extent(source, placed.click, search, looks)?;
        let spacing_mm = (extent_mm / share).clamp(finest, coarsest);
        let shift = shift_to(middle_mm, spacing_mm, source.side);
        return Ok(Found { spacing_mm, shift, looks: Vec::new(), size_is_confirmed: true });
    }
    let (mut seen, mut glances) = (Vec::new(), Vec::new());
    for spacing_mm in &prompting.looks_mm {
        let lie = Lie::of(source, placed.click, *spacing_mm, [0; 3]);
        let by_network = looks.by_network(&cube(source, placed, &lie, [0; 3]), "")?;
        glances.push(Glance::of(&mean(&by_network))?);
        seen.push(Seen { lie, shift: [0; 3], by_network });
    }
    let Some(Chosen { n, size_is_confirmed, beside }) = best_look(&glances, &prompting.looks_mm, source.side) else {
        let spacing_mm = prompting.looks_mm[prompting.looks_mm.len() / 2];
        return Ok(Found { spacing_mm, shift: [0; 3], looks: Vec::new(), size_is_confirmed: false });
    };
    let part = glances.swap_remove(n).part.expect("a look without a part does not count");
    let look_mm = prompting.looks_mm[n];
    let extent = (0..3).map(|a| part.high[a] - part.low[a] + 1).max().unwrap_or(1);
    let spacing_mm = (extent as f64 * look_mm / share).clamp(finest, coarsest);
    let middle = (source.side / 2) as f64;
    let middle_mm = std::array::from_fn(|a| ((part.low[a] + part.high[a]) as f64 / 2.0 - middle) * look_mm);
    let shift = shift_to(middle_mm, spacing_mm, source.side);
    Ok(Found { spacing_mm, shift, looks: seen.drain(n..=n + usize::from(beside)).collect(), size_is_confirmed })
}

/// How many voxels beyond the cube's middle the click must lie for a lesion's middle, in mm from the click, to lie there.
fn shift_to(middle_mm: [f64; 3], spacing_mm: f64, side: usize) -> [i32; 3] {
    let half = (side / 2) as i32;
    let within = |voxels: f64| voxels.round_ties_even().clamp(f64::from(3 - half), f64::from(half - 4));
    middle_mm.map(|mm| within(-mm / spacing_mm) as i32)
}

/// What one look saw under the click.
struct Glance {
    part: Option<Part>,
    /// Soft Dice of the probabilities with the part they make: 1 where the network leaves no doubt.
    sure: f64,
}

impl Glance {
    fn of(mean: &Array3<f32>) -> Result<Self, GridError> {
        let part = part_in_cube(mean, [0; 3])?;
        let all: f64 = mean.iter().map(|p| f64::from(*p)).sum();
        let sure = part.as_ref().map_or(0.0, |part| {
            let inside = mean.iter().zip(part.mask.values()).filter(|(_, set)| **set).map(|(p, _)| f64::from(*p));
            2.0 * inside.sum::<f64>() / (all + part.mask.n_voxels_set() as f64)
        });
        Ok(Self { part, sure })
    }
}

/// The look that counts.
#[derive(Debug, PartialEq)]
struct Chosen {
    n: usize,
    /// Whether a neighbour sees the same part.
    size_is_confirmed: bool,
    /// Whether the next coarser look has a part to be averaged with it.
    beside: bool,
}

/// The look with the highest mean of its sureness and the Dice of its part with those of the looks beside it, of equals the finer. A
/// part that reaches the cube's end does not count; where no other is left the coarsest look with a part is taken by itself.
fn best_look(glances: &[Glance], looks_mm: &[f64], side: usize) -> Option<Chosen> {
    let likeness = |(n, pair): (usize, &[Glance])| match pair {
        [Glance { part: Some(fine), .. }, Glance { part: Some(coarse), .. }] => {
            dice(&coarser(fine, looks_mm[n + 1] / looks_mm[n]), coarse.mask.values())
        }
        _ => 0.0,
    };
    let alike: Vec<f64> = glances.windows(2).enumerate().map(likeness).collect();
    let mut best: Option<(f64, usize)> = None;
    for (n, glance) in glances.iter().enumerate() {
        let Some(part) = &glance.part else { continue };
        if part.low.contains(&0) || part.high.contains(&(side - 1)) {
            continue;
        }
        let beside = beside(&alike, n);
        let score = (glance.sure + beside.iter().sum::<f64>()) / (1 + beside.len()) as f64;
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, n));
        }
    }
    let Some((_, n)) = best else {
        let n = glances.iter().rposition(|glance| glance.part.is_some())?;
        return Some(Chosen { n, size_is_confirmed: false, beside: false });
    };
    let size_is_confirmed = beside(&alike, n).iter().any(|alike| *alike >= CONFIRMS);
    Some(Chosen { n, size_is_confirmed, beside: glances.get(n + 1).is_some_and(|next| next.part.is_some()) })
}

/// Of the likenesses of each look with the next, those of look `n` with the looks beside it.
fn beside(alike: &[f64], n: usize) -> &[f64] {
    &alike[n.saturating_sub(1)..alike.len().min(n + 1)]
}

/// A part of one look on the voxels of another, `ratio` times as large, round the same middle; in memory order.
fn coarser(part: &Part, ratio: f64) -> Vec<bool> {
    let side = part.mask.shape().ni;
    let middle = (side / 2) as f64;
    let placement = Placement { n_in: side, n_out: side, ratio, alignment: Alignment::First(middle - middle * ratio) };
    let operator = || AxisOperator::triangle(placement, ratio.max(1.0));
    let values = part.mask.data().mapv(|set| f32::from(u8::from(set)));
    let carried = carry(values.view(), &[operator(), operator(), operator()]);
    let within = |q: usize| {
        let at = (q as f64 - middle) * ratio + middle;
        at > -0.5 && at < side as f64 - 0.5
    };
    carried.indexed_iter().map(|((k, j, i), v)| *v > HALF && within(k) && within(j) && within(i)).collect()
}

/// The part of a cube's answer under the click, which lies `shift` beyond its middle.
pub(crate) fn part_in_cube(probability: &Array3<f32>, shift: [i32; 3]) -> Result<Option<Part>, GridError> {
    let side = probability.dim().0;
    let at = shift.map(|shift| (side / 2) as f64 + f64::from(shift));
    // Parts are found in voxels: where the cube lies in the patient does not matter.
    let affine = Affine::from_parts(Matrix3::identity(), Vector3::zeros());
    let grid = Grid::new(Shape { ni: side, nj: side, nk: side }, affine, FrameId::new("cube"))?;
    part_at(&Mask::new(probability.mapv(|p| p > HALF), grid)?, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 48;
    const LOOKS_MM: [f64; 4] = [1.0, 1.6, 2.5, 4.0];

    fn seen(radius: f64, shift: [f64; 3]) -> Array3<f32> {
        let middle = (SIDE / 2) as f64;
        Array3::from_shape_fn((SIDE, SIDE, SIDE), |(z, y, x)| {
            let far = [x, y, z].iter().zip(shift).map(|(v, s)| (*v as f64 - middle - s).powi(2)).sum::<f64>();
            if far.sqrt() <= radius { 0.9 } else { 0.001 }
        })
    }

    fn glance(radius: f64) -> Glance {
        Glance::of(&seen(radius, [0.0; 3])).unwrap()
    }

    fn ball(radius: f64, shift: [f64; 3]) -> Part {
        part_in_cube(&seen(radius, shift), shift.map(|s| s as i32)).unwrap().unwrap()
    }

    #[test]
    fn what_keeps_its_size_counts_and_what_grows_with_the_cube_does_not() {
        // A ball of 15 mm is seen as such at 1.6, 2.5 and 4 mm; at 1 mm the network guesses its usual 10 voxels.
        let real: Vec<_> = [10.0, 15.0 / 1.6, 15.0 / 2.5, 15.0 / 4.0].map(glance).into();
        let chosen = best_look(&real, &LOOKS_MM, SIDE).unwrap();
        // The look between two that see the same goes before those beside it.
        assert_eq!(chosen, Chosen { n: 2, size_is_confirmed: true, beside: true });
        let alike = dice(&coarser(&ball(10.0, [0.0; 3]), 1.6), ball(10.0, [0.0; 3]).mask.values());
        // Balls of 1 and 1.6 times a radius: 2 / (1 + 1.6³) = 0.393.
        assert!((alike - 0.393).abs() < 0.02 && alike < CONFIRMS, "{alike}");
        let guessed: Vec<_> = [10.0; 4].map(glance).into();
        assert!(!best_look(&guessed, &LOOKS_MM, SIDE).unwrap().size_is_confirmed);
    }

    #[test]
    fn of_looks_alike_the_surest_counts() {
        for surest in [0, 2] {
            let mut looks: Vec<_> = [10.0, 10.0 / 1.6, 10.0 / 2.5, 10.0 / 4.0].map(glance).into();
            looks.iter_mut().enumerate().for_each(|(n, look)| look.sure = if n == surest { 0.95 } else { 0.3 });
            assert_eq!(best_look(&looks, &LOOKS_MM, SIDE).map(|chosen| chosen.n), Some(surest));
        }
    }

    #[test]
    fn a_part_at_the_cubes_end_is_taken_only_where_there_is_no_other() {
        let beyond: Vec<_> = [30.0; 4].map(glance).into();
        let last = Chosen { n: 3, size_is_confirmed: false, beside: false };
        assert_eq!(best_look(&beyond, &LOOKS_MM, SIDE), Some(last));
        let nothing: Vec<Glance> = (0..4).map(|_| Glance { part: None, sure: 0.0 }).collect();
        assert_eq!(best_look(&nothing, &LOOKS_MM, SIDE), None);
    }

    #[test]
    fn a_part_beside_the_click_stays_beside_it_on_coarser_voxels() {
        let part = ball(6.0, [12.0, 0.0, -6.0]);
        let wanted = ball(3.0, [6.0, 0.0, -3.0]);
        assert!(dice(&coarser(&part, 2.0), wanted.mask.values()) > 0.9);
    }
}
