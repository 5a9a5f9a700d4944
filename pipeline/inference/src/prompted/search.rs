//! The spacing at which the lesion under the click fills its share of the cube.

use imaging::{Affine, FrameId, Grid, GridError, Mask, Shape};
use nalgebra::{Matrix3, Vector3};
use ndarray::Array3;

use crate::card::{Prompting, Spacing};
use crate::prompted::cube::{Lie, Source, cube};
use crate::prompted::part::{Part, part_at};
use crate::prompted::prompt::Placed;
use crate::prompted::views::{Looks, mean};
use crate::segmenter::SegmentError;

/// Looks at most; where the spacing does not settle by then, the last one wanted is taken.
pub(crate) const MOST_LOOKS: usize = 5;
/// Where nothing is found under the click the lesion is smaller than one voxel can show: so much finer.
const FINER: f64 = 1.6;
/// Where the lesion reaches the cube's end it goes on beyond it: at least so much coarser.
const COARSER: f64 = 1.4;
/// Spacings whose logarithms differ by less show the lesion alike: the networks are trained on scales that vary more.
const SETTLED: f64 = 0.2;
/// A voxel is the lesion's where its probability exceeds this.
pub(crate) const HALF: f32 = 0.5;

/// The spacing to look at a lesion with, mm: from the box where there is one, else by looking.
pub(crate) fn search(
    source: &Source<'_>,
    placed: &Placed,
    (first, prompting): (&Spacing, &Prompting),
    looks: &mut Looks<'_>,
) -> Result<f64, SegmentError> {
    let [finest, coarsest] = prompting.spacing_range_mm;
    let share = prompting.fill * source.side as f64;
    if let Some([low, high]) = placed.boxed {
        let side = (0..3).map(|a| (high[a] - low[a]) * source.spacing_mm[a]).fold(0.0, f64::max);
        return Ok((side / share).clamp(finest, coarsest));
    }
    let [mut spacing_mm, ..] = first.over(source.spacing_mm);
    for _ in 0..MOST_LOOKS {
        let lie = Lie::of(source, placed.click, spacing_mm, [0; 3]);
        let answers = looks.by_network(&cube(source, placed, &lie, [0; 3]), "")?;
        let wanted = match part_in_cube(&mean(&answers), [0; 3])? {
            None => spacing_mm / FINER,
            Some(part) => wanted(&part, spacing_mm, source.side, share),
        };
        let wanted = wanted.clamp(finest, coarsest);
        if (wanted / spacing_mm).ln().abs() < SETTLED {
            break;
        }
        spacing_mm = wanted;
    }
    Ok(spacing_mm)
}

fn wanted(part: &Part, spacing_mm: f64, side: usize, share: f64) -> f64 {
    let extent = (0..3).map(|a| part.high[a] - part.low[a] + 1).max().unwrap_or(1);
    let wanted = extent as f64 * spacing_mm / share;
    let at_end = part.low.contains(&0) || part.high.contains(&(side - 1));
    if at_end { wanted.max(spacing_mm * COARSER) } else { wanted }
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

    fn ball(side: usize, radius: f64, shift: [f64; 3]) -> Array3<f32> {
        let middle = (side / 2) as f64;
        Array3::from_shape_fn((side, side, side), |(z, y, x)| {
            let far = [x, y, z].iter().zip(shift).map(|(v, s)| (*v as f64 - middle - s).powi(2)).sum::<f64>();
            if far.sqrt() <= radius { 0.9 } else { 0.1 }
        })
    }

    #[test]
    fn the_lesion_is_to_take_its_share_and_one_cut_by_the_cube_asks_for_more() {
        let part = part_in_cube(&ball(48, 6.0, [0.0; 3]), [0; 3]).unwrap().unwrap();
        // 13 voxels of 4 mm are 52 mm, to be shown by 24 voxels.
        assert!((wanted(&part, 4.0, 48, 24.0) - 52.0 / 24.0).abs() < 1e-12);
        let cut = part_in_cube(&ball(48, 8.0, [18.0, 0.0, 0.0]), [18, 0, 0]).unwrap().unwrap();
        assert_eq!((cut.low[0], cut.high[0]), (34, 47));
        assert!((wanted(&cut, 4.0, 48, 24.0) - 4.0 * COARSER).abs() < 1e-12);
        assert!(part_in_cube(&ball(48, 6.0, [12.0, 0.0, 0.0]), [0; 3]).unwrap().is_none());
    }
}
