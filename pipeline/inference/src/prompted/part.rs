//! The connected part of a mask under a click, and the part with its holes filled.
//!
//! Parts hang together over faces (6 neighbours), as `scipy.ndimage.label` has them by default; a hole is background from which no
//! path over faces leads out (`binary_fill_holes`).

use imaging::{Connectivity, GridError, Index3, Mask, Shape, Window, components, morphology};

use crate::prompted::prompt::nearest_voxel;

/// Where the click's own voxel is not in the mask, the part nearest to it within so many voxels along each axis counts.
const REACH_VOXELS: usize = 3;

/// A connected part of a mask.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// On the mask's own grid.
    pub(crate) mask: Mask,
    /// Smallest index along i, j, k.
    pub(crate) low: [usize; 3],
    /// Largest index, inclusive.
    pub(crate) high: [usize; 3],
    /// Whether the click's own voxel belongs to it.
    pub(crate) under_click: bool,
}

/// The part at a position, or the one nearest to it; `None` when there is none within reach.
pub(crate) fn part_at(mask: &Mask, at: [f64; 3]) -> Result<Option<Part>, GridError> {
    let click = nearest_voxel(at, mask.shape());
    let Some(seed) = seed(mask, click) else { return Ok(None) };
    let Some(window) = Window::around(mask, [0; 3]) else { return Ok(None) };
    let found = components(&window.cut(mask, false)?, Connectivity::Faces);
    let [wi, wj, wk] = window.low.map(|low| low as usize);
    let in_window = Index3 { i: seed.i - wi, j: seed.j - wj, k: seed.k - wk };
    let label = *found.labels.at(in_window);
    let component = &found.list[label as usize - 1];
    let mut part = Mask::filled(mask.grid().clone(), false);
    window.paste(&found.mask(label), &mut part);
    let on_mask = |at: Index3| [at.i + wi, at.j + wj, at.k + wk];
    let (low, high) = (on_mask(component.low), on_mask(component.high));
    Ok(Some(Part { mask: part, low, high, under_click: seed == click }))
}

/// The click, if it is set, else the set voxel nearest to it, in voxels; of equals the first in memory order.
fn seed(mask: &Mask, click: Index3) -> Option<Index3> {
    if *mask.at(click) {
        return Some(click);
    }
    let Shape { ni, nj, nk } = mask.shape();
    let range = |at: usize, n: usize| at.saturating_sub(REACH_VOXELS)..(at + REACH_VOXELS + 1).min(n);
    let mut best: Option<(usize, Index3)> = None;
    for k in range(click.k, nk) {
        for j in range(click.j, nj) {
            for i in range(click.i, ni) {
                let at = Index3 { i, j, k };
                let far = i.abs_diff(click.i).pow(2) + j.abs_diff(click.j).pow(2) + k.abs_diff(click.k).pow(2);
                if *mask.at(at) && best.is_none_or(|(nearest, _)| far < nearest) {
                    best = Some((far, at));
                }
            }
        }
    }
    best.map(|(_, at)| at)
}

/// The mask together with what it encloses.
pub(crate) fn without_holes(mask: &Mask) -> Result<Mask, GridError> {
    let Some(window) = Window::around(mask, [1; 3]).and_then(|window| window.within(mask.shape())) else {
        return Ok(mask.clone());
    };
    let mut filled = mask.clone();
    window.paste(&morphology::fill_holes(&window.cut(mask, false)?), &mut filled);
    Ok(filled)
}

/// Dice's coefficient of two masks on one grid; 1 where both are empty.
pub(crate) fn dice(a: &[bool], b: &[bool]) -> f64 {
    let count = |mask: &[bool]| mask.iter().filter(|v| **v).count();
    let both = a.iter().zip(b).filter(|(a, b)| **a && **b).count();
    match count(a) + count(b) {
        0 => 1.0,
        sum => 2.0 * both as f64 / sum as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{Affine, FrameId, Grid};
    use nalgebra::{Matrix3, Vector3};

    /// Slices of rows of `#` and `.`.
    fn mask(slices: &[&[&str]]) -> Mask {
        let shape = Shape { ni: slices[0][0].len(), nj: slices[0].len(), nk: slices.len() };
        let affine = Affine::from_parts(Matrix3::identity(), Vector3::zeros());
        let grid = Grid::new(shape, affine, FrameId::new("f")).unwrap();
        Mask::from_fn(grid, |at| slices[at.k][at.j].as_bytes()[at.i] == b'#')
    }

    #[test]
    fn the_part_under_the_click_and_not_one_that_touches_it_at_a_corner() {
        let whole = mask(&[&["##...#", "..#..#", "......"]]);
        let part = part_at(&whole, [0.4, 0.0, 0.0]).unwrap().unwrap();
        assert_eq!(part.mask, mask(&[&["##....", "......", "......"]]));
        assert_eq!((part.low, part.high, part.under_click), ([0, 0, 0], [1, 0, 0], true));
        // The click's voxel is (4, 2): voxel (5, 1) is nearer than (2, 1).
        let part = part_at(&whole, [4.0, 2.0, 0.0]).unwrap().unwrap();
        assert_eq!((part.low, part.high, part.under_click), ([5, 0, 0], [5, 1, 0], false));
        let far = mask(&[&["#.....", "......"]]);
        assert_eq!(part_at(&far, [4.0, 0.0, 0.0]).unwrap(), None);
        assert!(part_at(&far, [3.0, 0.0, 0.0]).unwrap().is_some());
    }

    #[test]
    fn equally_near_the_first_in_memory_order_counts() {
        let two = mask(&[&["#...#"]]);
        let part = part_at(&two, [2.0, 0.0, 0.0]).unwrap().unwrap();
        assert_eq!(part.low, [0, 0, 0]);
    }

    #[test]
    fn a_hole_is_filled_and_a_bay_at_the_border_is_none() {
        let full: &[&str] = &["####.", "####.", "####.", "....."];
        let open: &[&str] = &["####.", "#.##.", "####.", "....."];
        assert_eq!(without_holes(&mask(&[full, open, full])).unwrap(), mask(&[full, full, full]));
        assert_eq!(without_holes(&mask(&[open, full, full])).unwrap(), mask(&[open, full, full]));
        assert_eq!(dice(&[true, true, false], &[true, false, false]), 2.0 / 3.0);
        assert_eq!(dice(&[false], &[false]), 1.0);
    }
}
