//! Carries a mask from its own grid onto an image's: voxel by voxel where their centres coincide, else by resampling.

use imaging::{Affine, Grid, Index3, Mask, Volume, resample};
use nalgebra::Vector3;

/// Centres of two grids coincide when they are this near, in voxels of the image.
const COINCIDENCE_VOXELS: f64 = 0.05;

/// A thickness within this share of the image's slice distance is a slice of the image.
const SAME_THICKNESS: f64 = 0.2;

/// A mask on the image's grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// The mask.
    pub mask: Mask,
    /// Whether it had to be resampled.
    pub resampled: bool,
    /// How many of its voxels lie outside the image.
    pub n_outside: usize,
}

/// Places a mask; both grids must share their frame of reference. `thickness_mm` is the extent of its slices, where that is stated.
#[must_use]
pub fn place(own: &Mask, thickness_mm: Option<f64>, grid: &Grid) -> Placement {
    if coincide(own.grid(), thickness_mm, grid) {
        let mut mask = Volume::filled(grid.clone(), false);
        let mut n_outside = 0;
        for at in own.indices_set() {
            match grid.nearest(own.grid().center(at)) {
                Some(Index3 { i, j, k }) => mask.data_mut()[[k, j, i]] = true,
                None => n_outside += 1,
            }
        }
        return Placement { mask, resampled: false, n_outside };
    }
    let mask = resample::resample_mask(own, grid, &Affine::identity());
    let n_outside = own.indices_set().filter(|at| grid.nearest(own.grid().center(*at)).is_none()).count();
    Placement { mask, resampled: true, n_outside }
}

/// Whether every voxel centre of a mask's grid is one of the image's (flips and exchanged axes included), and its slices are the
/// image's slices and not thicker ones.
fn coincide(own: &Grid, thickness_mm: Option<f64>, grid: &Grid) -> bool {
    let map = own.voxel_to_patient().then(grid.patient_to_voxel());
    let shape = own.shape();
    let unit = |v: Vector3<f64>, n: usize| {
        let largest = v.amax();
        n < 2 || (largest - 1.0).abs() * n as f64 <= COINCIDENCE_VOXELS && (v.norm() - largest).abs() <= 1e-3
    };
    let linear = map.linear();
    let in_plane = unit(linear.column(0).into_owned(), shape.ni) && unit(linear.column(1).into_owned(), shape.nj);
    let across = linear.column(2).into_owned();
    let thin = unit(across, shape.nk)
        || thickness_mm.is_some_and(|t| {
            let image_mm = own.spacing_mm()[2] / across.norm();
            (t / image_mm - 1.0).abs() <= SAME_THICKNESS
        });
    let corner = |i: usize, j: usize, k: usize| {
        let at = map.apply(Index3 { i, j, k }.center()).coords;
        at.iter().all(|x| (x - x.round()).abs() <= COINCIDENCE_VOXELS)
    };
    let corners =
        |k: usize| [0, shape.ni - 1].into_iter().all(|i| [0, shape.nj - 1].into_iter().all(|j| corner(i, j, k)));
    in_plane && thin && (0..shape.nk).all(corners)
}
