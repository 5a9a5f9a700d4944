//! One mask of several that were cut from one volume.

use crate::grid::{Grid, Index3, Shape};
use crate::mask::Mask;
use crate::window::Window;

/// Voxel centres of one lattice lie so near to each other, mm: what rounding in a header leaves.
const ONE_LATTICE_MM: f64 = 1e-3;

/// Every voxel of any of the masks, on a grid that holds them all; `None` without a mask, or where they lie on different lattices of
/// voxels or in different frames of reference.
#[must_use]
pub fn united(masks: &[&Mask]) -> Option<Mask> {
    let first = masks.first()?.grid();
    let placed: Option<Vec<Window>> = masks.iter().map(|mask| placed(mask.grid(), first)).collect();
    let placed = placed?;
    let low: [i64; 3] = std::array::from_fn(|a| placed.iter().map(|window| window.low[a]).min().unwrap_or(0));
    let end = |window: &Window, a: usize| window.low[a] + [window.shape.ni, window.shape.nj, window.shape.nk][a] as i64;
    let size: [usize; 3] =
        std::array::from_fn(|a| (placed.iter().map(|w| end(w, a)).max().unwrap_or(0) - low[a]).max(0) as usize);
    let whole = Window { low, shape: Shape { ni: size[0], nj: size[1], nk: size[2] } };
    let mut all = Mask::filled(whole.grid(first).ok()?, false);
    for (mask, window) in masks.iter().zip(&placed) {
        let inside = Window { low: std::array::from_fn(|a| window.low[a] - low[a]), shape: window.shape };
        let mut together = inside.cut(&all, false).ok()?;
        together.values_mut().iter_mut().zip(mask.values()).for_each(|(set, also)| *set |= *also);
        inside.paste(&together, &mut all);
    }
    Some(all)
}

/// Where a grid lies on the lattice of another.
fn placed(grid: &Grid, lattice: &Grid) -> Option<Window> {
    let shape = grid.shape();
    let last = Index3 { i: shape.ni.max(1) - 1, j: shape.nj.max(1) - 1, k: shape.nk.max(1) - 1 };
    let at = lattice.patient_to_voxel().apply(grid.center(Index3 { i: 0, j: 0, k: 0 })).coords.map(f64::round);
    let window = Window { low: [at.x as i64, at.y as i64, at.z as i64], shape };
    let own = window.grid(lattice).ok()?;
    let is_same = |n: Index3| own.center(n).distance(grid.center(n)) <= ONE_LATTICE_MM;
    let corners = [Index3 { i: 0, j: 0, k: 0 }, last, Index3 { i: 0, ..last }, Index3 { j: 0, ..last }];
    (grid.frame() == lattice.frame() && corners.into_iter().all(is_same)).then_some(window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Point};

    #[test]
    fn windows_of_one_volume_are_united_and_others_are_not() {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        let shape = Shape { ni: 20, nj: 18, nk: 9 };
        let grid = |frame: &str| {
            Grid::from_directions(shape, Point::new(-40.0, 12.0, 90.0), [0.7, 0.8, 2.5], rotation, FrameId::new(frame))
                .unwrap()
        };
        let whole = Mask::from_fn(grid("f"), |at| (3..9).contains(&at.i) && at.j > 4 && at.k < 5);
        let also = Mask::from_fn(grid("f"), |at| (8..15).contains(&at.i) && at.j < 7 && at.k > 3);
        let cut = |mask: &Mask, rim| Window::around(mask, rim).unwrap().cut(mask, false).unwrap();
        let (a, b) = (cut(&whole, [4; 3]), cut(&also, [1, 0, 2]));
        let all = united(&[&a, &b]).unwrap();
        for at in (0..shape.n_voxels()).map(|n| shape.index(n)) {
            let here = all.grid().nearest(grid("f").center(at)).is_some_and(|n| *all.at(n));
            assert_eq!(here, *whole.at(at) || *also.at(at), "{at:?}");
        }
        assert_eq!(united(&[&a]).unwrap().n_voxels_set(), whole.n_voxels_set());
        assert!(united(&[]).is_none());
        let elsewhere = Mask::from_fn(grid("g"), |at| at.i == 3);
        assert!(united(&[&a, &elsewhere]).is_none(), "another frame of reference");
        let other =
            Grid::from_directions(shape, Point::new(-40.3, 12.0, 90.0), [0.7, 0.8, 2.5], rotation, FrameId::new("f"));
        assert!(united(&[&a, &Mask::from_fn(other.unwrap(), |at| at.i == 3)]).is_none(), "between the voxels");
    }
}
