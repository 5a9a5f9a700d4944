//! How large the lesion under the click is: looks at rising spacings, of which that counts whose part the next one confirms.
//!
//! What is really there keeps its size when the cube grows; what a network guesses grows with the cube.

use imaging::{Affine, FrameId, Grid, GridError, Mask, Shape};
use nalgebra::{Matrix3, Vector3};
use ndarray::Array3;

use crate::axis_operator::{Alignment, AxisOperator, Placement, carry};
use crate::card::Prompting;
use crate::prompted::cube::{Lie, Source, cube};
use crate::prompted::part::{Part, dice, part_at};
use crate::prompted::prompt::Placed;
use crate::prompted::views::{Looks, Seen, mean};
use crate::segmenter::SegmentError;

/// A voxel is the lesion's where its probability exceeds this.
pub(crate) const HALF: f32 = 0.5;

/// Dice of two looks from which the coarser confirms the finer. A guess that grows with the cube gives 2 / (1 + q³) where the
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
    /// Whether that one confirms the size, or a box states it.
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
    let (mut seen, mut parts) = (Vec::new(), Vec::new());
    for spacing_mm in &prompting.looks_mm {
        let lie = Lie::of(source, placed.click, *spacing_mm, [0; 3]);
        let by_network = looks.by_network(&cube(source, placed, &lie, [0; 3]), "")?;
        parts.push(part_in_cube(&mean(&by_network), [0; 3])?);
        seen.push(Seen { lie, shift: [0; 3], by_network });
    }
    let Some((n, alike)) = most_lasting(&parts, &prompting.looks_mm, source.side) else {
        let spacing_mm = prompting.looks_mm[prompting.looks_mm.len() / 2];
        return Ok(Found { spacing_mm, shift: [0; 3], looks: Vec::new(), size_is_confirmed: false });
    };
    let part = parts.swap_remove(n).expect("a look without a part does not count");
    let look_mm = prompting.looks_mm[n];
    let extent = (0..3).map(|a| part.high[a] - part.low[a] + 1).max().unwrap_or(1);
    let spacing_mm = (extent as f64 * look_mm / share).clamp(finest, coarsest);
    let half = (source.side / 2) as i32;
    let shift = std::array::from_fn(|a| {
        let middle = (part.low[a] + part.high[a]) as f64 / 2.0;
        let away = (middle - f64::from(half)) * look_mm / spacing_mm;
        (-away).round_ties_even().clamp(f64::from(3 - half), f64::from(half - 4)) as i32
    });
    let last = if alike.is_some() { n + 1 } else { n };
    let size_is_confirmed = alike.is_some_and(|alike| alike >= CONFIRMS);
    Ok(Found { spacing_mm, shift, looks: seen.drain(n..=last).collect(), size_is_confirmed })
}

/// The look whose part is most like that of the next coarser one, of equals the finer, and their Dice: a part that reaches the
/// cube's end does not count, and where no other is left the coarsest look with a part is taken by itself.
fn most_lasting(parts: &[Option<Part>], looks_mm: &[f64], side: usize) -> Option<(usize, Option<f64>)> {
    let mut best: Option<(usize, f64)> = None;
    for (n, pair) in parts.windows(2).enumerate() {
        let [Some(part), Some(next)] = pair else { continue };
        if part.low.contains(&0) || part.high.contains(&(side - 1)) {
            continue;
        }
        let alike = dice(&coarser(part, looks_mm[n + 1] / looks_mm[n]), next.mask.values());
        if best.is_none_or(|(_, most)| alike > most) {
            best = Some((n, alike));
        }
    }
    let by_itself = || parts.iter().rposition(Option::is_some).map(|n| (n, None));
    best.map(|(n, alike)| (n, Some(alike))).or_else(by_itself)
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

    fn ball(radius: f64, shift: [f64; 3]) -> Option<Part> {
        let middle = (SIDE / 2) as f64;
        let probability = Array3::from_shape_fn((SIDE, SIDE, SIDE), |(z, y, x)| {
            let far = [x, y, z].iter().zip(shift).map(|(v, s)| (*v as f64 - middle - s).powi(2)).sum::<f64>();
            if far.sqrt() <= radius { 0.9 } else { 0.1 }
        });
        part_in_cube(&probability, shift.map(|s| s as i32)).unwrap()
    }

    #[test]
    fn what_keeps_its_size_counts_and_what_grows_with_the_cube_does_not() {
        // A ball of 15 mm is seen as such at 1.6, 2.5 and 4 mm; at 1 mm the network guesses its usual 10 voxels.
        let real: Vec<_> = [10.0, 15.0 / 1.6, 15.0 / 2.5, 15.0 / 4.0].map(|r| ball(r, [0.0; 3])).into();
        let (n, alike) = most_lasting(&real, &LOOKS_MM, SIDE).unwrap();
        assert!(n == 1 && alike.unwrap() > 0.9, "{n}, {alike:?}");
        let guessed: Vec<_> = [10.0; 4].map(|r| ball(r, [0.0; 3])).into();
        let alike = dice(&coarser(guessed[0].as_ref().unwrap(), 1.6), guessed[1].as_ref().unwrap().mask.values());
        // Balls of 1 and 1.6 times a radius: 2 / (1 + 1.6³) = 0.393.
        assert!((alike - 0.393).abs() < 0.02 && alike < CONFIRMS, "{alike}");
    }

    #[test]
    fn a_part_at_the_cubes_end_is_taken_only_where_there_is_no_other() {
        let beyond: Vec<_> = [30.0; 4].map(|r| ball(r, [0.0; 3])).into();
        assert_eq!(most_lasting(&beyond, &LOOKS_MM, SIDE), Some((3, None)));
        let nothing: Vec<Option<Part>> = (0..4).map(|_| None).collect();
        assert_eq!(most_lasting(&nothing, &LOOKS_MM, SIDE), None);
    }

    #[test]
    fn a_part_beside_the_click_stays_beside_it_on_coarser_voxels() {
        let part = ball(6.0, [12.0, 0.0, -6.0]).unwrap();
        let wanted = ball(3.0, [6.0, 0.0, -3.0]).unwrap();
        assert!(dice(&coarser(&part, 2.0), wanted.mask.values()) > 0.9);
    }
}
