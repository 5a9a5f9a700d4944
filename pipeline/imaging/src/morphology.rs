//! Erosion, dilation, opening and closing of a mask by a ball with a radius in mm, and filling of holes.
//!
//! Source: Serra 1982, by thresholding the exact distance transform. Voxels beyond the grid are unknown: a mask cut by the field
//! of view is not eroded along the cut.

use crate::components::{Connectivity, components};
use crate::distance::{DistanceError, squared_distance_to};
use crate::mask::Mask;
use crate::units::Mm;
use crate::window::Window;

/// A voxel centre this little beyond the radius, in mm, still lies in the ball: the rounding of a spacing times a count.
const RADIUS_TOLERANCE_MM: f64 = 1e-6;

/// Every voxel whose centre lies within the radius of a voxel of the mask.
pub fn dilate(mask: &Mask, radius: Mm) -> Result<Mask, DistanceError> {
    in_window(mask, radius, |mask| {
        let squared = squared_distance_to(mask)?;
        Ok(squared.map(|d| *d <= ball(radius)))
    })
}

/// Every voxel of the mask with no background voxel within the radius.
pub fn erode(mask: &Mask, radius: Mm) -> Result<Mask, DistanceError> {
    in_window(mask, radius, |mask| {
        let squared = squared_distance_to(&mask.map(|v| !v))?;
        Ok(squared.map(|d| *d > ball(radius)))
    })
}

/// Erosion, then dilation: removes what is thinner than the ball.
pub fn open(mask: &Mask, radius: Mm) -> Result<Mask, DistanceError> {
    dilate(&erode(mask, radius)?, radius)
}

/// Dilation, then erosion: closes gaps narrower than the ball.
pub fn close(mask: &Mask, radius: Mm) -> Result<Mask, DistanceError> {
    in_window(mask, radius, |mask| erode(&dilate(mask, radius)?, radius))
}

/// The mask together with every background region that it encloses on all sides (6-connected, in three dimensions). A region
/// that touches the border of the grid is not enclosed.
#[must_use]
pub fn fill_holes(mask: &Mask) -> Mask {
    let background = components(&mask.map(|v| !v), Connectivity::Faces);
    let shape = mask.shape();
    let last = [shape.ni - 1, shape.nj - 1, shape.nk - 1];
    let mut hole = vec![true];
    hole.extend(background.list.iter().map(|c| {
        let inside = [c.low.i, c.low.j, c.low.k].iter().all(|n| *n > 0);
        inside && c.high.i < last[0] && c.high.j < last[1] && c.high.k < last[2]
    }));
    background.labels.map(|label| hole[*label as usize])
}

fn ball(radius: Mm) -> f64 {
    (radius.0.max(0.0) + RADIUS_TOLERANCE_MM).powi(2)
}

/// Works on the mask's surroundings only, one voxel more than the radius reaches, and puts the result back.
fn in_window(
    mask: &Mask,
    radius: Mm,
    work: impl Fn(&Mask) -> Result<Mask, DistanceError>,
) -> Result<Mask, DistanceError> {
    let rim = mask.grid().spacing_mm().map(|s| (radius.0.max(0.0) / s).ceil() as usize + 1);
    let Some(window) = Window::around(mask, rim).and_then(|w| w.within(mask.shape())) else {
        return Ok(mask.clone());
    };
    let Ok(cut) = window.cut(mask, false) else { return work(mask) };
    let mut out = Mask::filled(mask.grid().clone(), false);
    window.paste(&work(&cut)?, &mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Grid, Index3, Point, Shape};

    fn grid() -> Grid {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        let shape = Shape { ni: 21, nj: 19, nk: 9 };
        Grid::from_directions(shape, Point::new(-40.0, 12.0, 90.0), [0.7, 1.0, 2.0], rotation, FrameId::new("f"))
            .unwrap()
    }

    fn boxed(low: [usize; 3], high: [usize; 3]) -> Mask {
        Mask::from_fn(grid(), |at| {
            let at = [at.i, at.j, at.k];
            (0..3).all(|a| at[a] >= low[a] && at[a] <= high[a])
        })
    }

    #[test]
    fn a_point_dilated_by_two_millimetres() {
        let point = boxed([10, 9, 4], [10, 9, 4]);
        let ball = dilate(&point, Mm(2.1)).unwrap();
        let (low, high) = ball.bounding_box().unwrap();
        // 3 × 0.7 mm lies exactly on the radius and belongs to it; 2 × 1.0 and 1 × 2.0 mm lie within.
        assert_eq!((low, high), (Index3 { i: 7, j: 7, k: 3 }, Index3 { i: 13, j: 11, k: 5 }));
        assert_eq!(erode(&ball, Mm(2.1)).unwrap().n_voxels_set(), 1, "the ball fits exactly once");
        assert_eq!(dilate(&point, Mm(0.0)).unwrap(), point);
    }

    #[test]
    fn opening_removes_a_thread_and_closing_keeps_all_and_fills_a_gap() {
        let mut mask = boxed([3, 3, 2], [12, 12, 6]);
        for i in 13..18 {
            mask.data_mut()[[4, 8, i]] = true;
        }
        let opened = open(&mask, Mm(2.0)).unwrap();
        assert!(!*opened.at(Index3 { i: 16, j: 8, k: 4 }) && *opened.at(Index3 { i: 7, j: 8, k: 4 }));
        let mut split = boxed([3, 3, 2], [12, 12, 6]);
        for k in 0..9 {
            for j in 0..19 {
                split.data_mut()[[k, j, 8]] = false;
            }
        }
        let closed = close(&split, Mm(1.0)).unwrap();
        assert!(*closed.at(Index3 { i: 8, j: 8, k: 4 }));
        assert!(split.values().iter().zip(closed.values()).all(|(before, after)| !before || *after));
    }

    #[test]
    fn a_mask_cut_by_the_field_of_view_is_not_eroded_there() {
        let cut = boxed([0, 3, 0], [9, 12, 8]);
        let eroded = erode(&cut, Mm(1.5)).unwrap();
        assert!(*eroded.at(Index3 { i: 0, j: 8, k: 0 }) && !*eroded.at(Index3 { i: 9, j: 8, k: 4 }));
        let full = Mask::filled(grid(), true);
        assert_eq!(erode(&full, Mm(3.0)).unwrap(), full);
        assert!(dilate(&Mask::filled(grid(), false), Mm(3.0)).unwrap().is_empty_mask());
    }

    #[test]
    fn a_hole_is_filled_and_a_bay_is_not() {
        let mut mask = boxed([3, 3, 2], [12, 12, 6]);
        mask.data_mut()[[4, 8, 8]] = false;
        mask.data_mut()[[4, 8, 12]] = false;
        let filled = fill_holes(&mask);
        assert!(*filled.at(Index3 { i: 8, j: 8, k: 4 }) && !*filled.at(Index3 { i: 12, j: 8, k: 4 }));
    }
}
