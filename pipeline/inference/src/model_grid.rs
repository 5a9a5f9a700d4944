//! The grid a network sees: the image's axes in the card's order, at the card's spacing.

use imaging::resample::regrid;
use imaging::{Affine, Grid, GridError, Shape};
use nalgebra::{Matrix3, Vector3};
use ndarray::{Array3, ArrayView3, Axis};

use crate::card::{Input, Orientation, Spacing};

/// The grid a network sees, and how the image's axes become its axes x, y, z.
///
/// Everything here is in the order x, y, z; arrays are `[z, y, x]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelGrid {
    image_axis: [usize; 3],
    flipped: [bool; 3],
    n_image: [usize; 3],
    grid: Grid,
    ratio: [f64; 3],
}

impl ModelGrid {
    /// Lays the grid over an image. Errors: a spacing that would need more voxels than any image has.
    pub fn over(image: &Grid, input: &Input) -> Result<Self, GridError> {
        let (image_axis, flipped) = match input.orientation {
            Orientation::Native => ([0, 1, 2], [false; 3]),
            Orientation::Lps => nearest_lps(&image.directions()),
        };
        let oriented = oriented_grid(image, image_axis, flipped)?;
        let own = oriented.spacing_mm();
        let (grid, ratio) = match input.spacing_mm {
            Spacing::Native(_) => (oriented.clone(), [1.0; 3]),
            Spacing::Mm(mm) => (regrid(&oriented, mm)?, std::array::from_fn(|a| mm[a] / own[a])),
        };
        let Shape { ni, nj, nk } = oriented.shape();
        Ok(Self { image_axis, flipped, n_image: [ni, nj, nk], grid, ratio })
    }

    /// Where the network's voxels lie; i, j, k of this grid are x, y, z.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }
    /// Number of the network's voxels along x, y, z.
    pub fn size(&self) -> [usize; 3] {
        let Shape { ni, nj, nk } = self.grid.shape();
        [ni, nj, nk]
    }
    /// Number of the image's voxels along x, y, z.
    pub fn image_size(&self) -> [usize; 3] {
        self.n_image
    }
    /// Model spacing over image spacing along x, y, z.
    pub fn ratio(&self) -> [f64; 3] {
        self.ratio
    }

    /// The image's array `[k, j, i]` seen as `[z, y, x]`; nothing is copied.
    pub fn orient<'a, T>(&self, image: &'a Array3<T>) -> ArrayView3<'a, T> {
        let [x, y, z] = self.image_axis.map(|axis| 2 - axis);
        let mut view = image.view().permuted_axes([z, y, x]);
        for (axis, _) in self.flipped.iter().enumerate().filter(|(_, flipped)| **flipped) {
            view.invert_axis(Axis(2 - axis));
        }
        view
    }

    /// The other way: an array `[z, y, x]` of the image's size in the image's own order `[k, j, i]`.
    pub fn back<T: Clone>(&self, mut oriented: Array3<T>) -> Array3<T> {
        for (axis, _) in self.flipped.iter().enumerate().filter(|(_, flipped)| **flipped) {
            oriented.invert_axis(Axis(2 - axis));
        }
        let mut from = [0; 3];
        for (model, image) in self.image_axis.into_iter().enumerate() {
            from[2 - image] = 2 - model;
        }
        let view = oriented.permuted_axes(from);
        if view.is_standard_layout() { view } else { view.as_standard_layout().into_owned() }
    }
}

/// Which image axis runs nearest to left, posterior and superior, and whether against it; the permutation with the largest sum
/// of cosines, the first of equals.
fn nearest_lps(directions: &Matrix3<f64>) -> ([usize; 3], [bool; 3]) {
    const PERMUTATIONS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let sum = |p: &[usize; 3]| (0..3).map(|patient| directions[(patient, p[patient])].abs()).sum::<f64>();
    let mut best = PERMUTATIONS[0];
    for p in PERMUTATIONS {
        if sum(&p) > sum(&best) {
            best = p;
        }
    }
    (best, std::array::from_fn(|patient| directions[(patient, best[patient])] < 0.0))
}

fn oriented_grid(image: &Grid, image_axis: [usize; 3], flipped: [bool; 3]) -> Result<Grid, GridError> {
    let Shape { ni, nj, nk } = image.shape();
    let n = image_axis.map(|axis| [ni, nj, nk][axis]);
    let map = image.voxel_to_patient();
    let mut linear = Matrix3::zeros();
    let mut first = Vector3::zeros();
    for axis in 0..3 {
        let step = map.linear().column(image_axis[axis]).into_owned();
        linear.set_column(axis, &if flipped[axis] { -step } else { step });
        if flipped[axis] {
            first += step * (n[axis] - 1) as f64;
        }
    }
    let shape = Shape { ni: n[0], nj: n[1], nk: n[2] };
    Grid::new(shape, Affine::from_parts(linear, map.translation() + first), image.frame().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Card;
    use imaging::{FrameId, Index3, Point, Volume};

    /// Columns run to the right of the patient and a little up, rows to superior, slices to anterior.
    fn coronal(input: &Input) -> (Volume<f32>, ModelGrid) {
        let tilt = *nalgebra::Rotation3::from_euler_angles(0.1, 0.2, -0.15).matrix();
        let directions = tilt * Matrix3::new(-1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0);
        let shape = Shape { ni: 4, nj: 6, nk: 3 };
        let origin = Point::new(50.0, -20.0, 7.0);
        let grid = Grid::from_directions(shape, origin, [1.0, 2.0, 5.0], directions, FrameId::new("f")).unwrap();
        let volume = Volume::from_fn(grid.clone(), |at| grid.shape().linear(at) as f32);
        let model = ModelGrid::over(volume.grid(), input).unwrap();
        (volume, model)
    }

    fn input() -> Input {
        Card::parse(include_str!("../../../test_data/models/shifted-0.1.0/card.toml")).unwrap().input
    }

    #[test]
    fn every_voxel_keeps_its_place_in_the_patient() {
        let (volume, model) = coronal(&input());
        assert_eq!(model.size(), [4, 3, 6]);
        let seen = model.orient(volume.data());
        for linear in 0..model.grid().shape().n_voxels() {
            let at = model.grid().shape().index(linear);
            let here = volume.grid().nearest(model.grid().center(at)).unwrap();
            assert!(volume.grid().center(here).distance(model.grid().center(at)) < 1e-9);
            assert_eq!(seen[[at.k, at.j, at.i]], *volume.at(here));
        }
        let directions = model.grid().directions();
        assert!((0..3).all(|axis| directions[(axis, axis)] > 0.9));
        assert_eq!(model.back(seen.to_owned()), *volume.data());
    }

    #[test]
    fn native_keeps_columns_rows_and_slices() {
        let (volume, model) = coronal(&Input { orientation: Orientation::Native, ..input() });
        assert_eq!(model.grid(), volume.grid());
        assert_eq!(model.orient(volume.data()), volume.data().view());
    }

    #[test]
    fn a_coarser_grid_covers_the_same_field_of_view() {
        let (volume, model) = coronal(&Input { spacing_mm: Spacing::Mm([2.0, 2.5, 1.0]), ..input() });
        assert_eq!(model.size(), [2, 6, 12]);
        assert_eq!(model.image_size(), [4, 3, 6]);
        let corner = |grid: &Grid| grid.voxel_to_patient().apply(Point::new(-0.5, -0.5, -0.5));
        let (_, native) = coronal(&input());
        assert!(corner(model.grid()).distance(corner(native.grid())) < 1e-9);
        assert_eq!(volume.grid().frame(), model.grid().frame());
        assert!(model.grid().center(Index3 { i: 1, j: 5, k: 11 }).to_array().iter().all(|v| v.is_finite()));
    }
}
