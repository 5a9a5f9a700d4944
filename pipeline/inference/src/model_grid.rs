//! The grid a network sees: the image's axes in the card's order, at the card's spacing.

use std::ops::Range;

use imaging::resample::regrid;
use imaging::{Affine, Grid, GridError, Shape, Voxel};
use nalgebra::{Matrix3, Vector3};
use ndarray::{Array3, ArrayBase, ArrayView3, ArrayViewMut3, Axis, Ix3, RawData, s};

use crate::axis_operator::{Alignment, AxisOperator, Placement};
use crate::card::{CarriedBack, Convention, Input, Orientation, Resampling};

/// Two spacings whose ratio differs from 1 by less are equal: the rounding of a length along oblique axes.
const SAME_SPACING: f64 = 1e-9;

/// The grid a network sees, and how the image's axes become its axes x, y, z.
///
/// Everything here is in the order x, y, z; arrays are `[z, y, x]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelGrid {
    image_axis: [usize; 3],
    flipped: [bool; 3],
    whole: [usize; 3],
    part: [Range<usize>; 3],
    grid: Grid,
    ratio: [f64; 3],
    alignment: [Alignment; 3],
    nearest_in: Option<usize>,
    nearest_back: Option<usize>,
}

impl ModelGrid {
    /// Lays the grid over an image. Errors: a spacing that would need more voxels than any image has.
    pub fn over(image: &Grid, input: &Input) -> Result<Self, GridError> {
        Self::over_part(image, input, None)
    }

    /// Lays the grid over the part of an image: a range of voxels along i, j, k.
    pub(crate) fn over_part(image: &Grid, input: &Input, part: Option<[Range<usize>; 3]>) -> Result<Self, GridError> {
        let (image_axis, flipped) = match input.orientation {
            Orientation::Native => ([0, 1, 2], [false; 3]),
            Orientation::Towards(towards) => nearest(&image.directions(), towards),
        };
        let Shape { ni, nj, nk } = image.shape();
        let whole = image_axis.map(|axis| [ni, nj, nk][axis]);
        let part: [Range<usize>; 3] = part.map_or_else(
            || whole.map(|n| 0..n),
            |part| {
                std::array::from_fn(|axis| {
                    let Range { start, end } = part[image_axis[axis]].clone();
                    if flipped[axis] { whole[axis] - end..whole[axis] - start } else { start..end }
                })
            },
        );
        let seen = shifted(&oriented_grid(image, image_axis, flipped)?, &part)?;
        let own = seen.spacing_mm();
        let wanted = input.spacing_mm.over(own);
        let (grid, ratio, alignment) = laid_over(&seen, wanted, input.convention)?;
        // Of two grids the first one that is coarse decides, and only with one coarse axis.
        let coarse = |first, second| {
            let limit = input.nearest_along_axis_coarser_than?;
            let axes = [first, second].map(|mm| coarse_axes(mm, limit)).into_iter().find(|axes| !axes.is_empty())?;
            if let [axis] = axes[..] { Some(axis) } else { None }
        };
        let (nearest_in, nearest_back) = (coarse(own, wanted), coarse(wanted, own));
        Ok(Self { image_axis, flipped, whole, part, grid, ratio, alignment, nearest_in, nearest_back })
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
    /// Number of voxels of the image, or of the part of it that counts, along x, y, z.
    pub fn image_size(&self) -> [usize; 3] {
        std::array::from_fn(|axis| self.part[axis].len())
    }
    /// Model spacing over image spacing along x, y, z.
    pub fn ratio(&self) -> [f64; 3] {
        self.ratio
    }
    /// The axis along which the nearest voxel of the image counts, not an interpolated one.
    pub(crate) fn nearest_in(&self) -> Option<usize> {
        self.nearest_in
    }

    /// From the image onto the network's grid, along x, y, z.
    pub(crate) fn to_model(&self, resampling: Resampling) -> [AxisOperator; 3] {
        std::array::from_fn(|axis| {
            let (ratio, alignment) = (self.ratio[axis], self.alignment[axis]);
            let placement = Placement { n_in: self.image_size()[axis], n_out: self.size()[axis], ratio, alignment };
            match resampling {
                _ if self.nearest_in == Some(axis) => AxisOperator::nearest(placement),
                Resampling::Linear => AxisOperator::triangle(placement, 1.0),
                Resampling::LinearAntialiased => AxisOperator::triangle(placement, ratio.max(1.0)),
                Resampling::CubicSpline => AxisOperator::cubic_spline(placement),
            }
        })
    }

    /// The nearest voxel of the image for each voxel of the network's grid, along x, y, z.
    pub(crate) fn nearest_to_model(&self) -> [AxisOperator; 3] {
        std::array::from_fn(|axis| {
            let (n_in, n_out) = (self.image_size()[axis], self.size()[axis]);
            AxisOperator::nearest(Placement { n_in, n_out, ratio: self.ratio[axis], alignment: self.alignment[axis] })
        })
    }

    /// From the network's grid back onto the image, along x, y, z; labels cannot be interpolated.
    pub(crate) fn to_image(&self, carried: CarriedBack) -> [AxisOperator; 3] {
        std::array::from_fn(|axis| {
            let alignment = self.alignment[axis].inverse(self.ratio[axis]);
            let ratio = 1.0 / self.ratio[axis];
            let placement = Placement { n_in: self.size()[axis], n_out: self.image_size()[axis], ratio, alignment };
            if carried == CarriedBack::Labels || self.nearest_back == Some(axis) {
                AxisOperator::nearest(placement)
            } else {
                AxisOperator::triangle(placement, 1.0)
            }
        })
    }

    /// The image's array `[k, j, i]` seen as `[z, y, x]`; nothing is copied.
    pub fn orient<'a, T>(&self, image: &'a Array3<T>) -> ArrayView3<'a, T> {
        self.turned(image.view())
    }

    /// The same to write into.
    pub(crate) fn orient_mut<'a, T>(&self, image: &'a mut Array3<T>) -> ArrayViewMut3<'a, T> {
        self.turned(image.view_mut())
    }

    fn turned<S: RawData>(&self, image: ArrayBase<S, Ix3>) -> ArrayBase<S, Ix3> {
        let [x, y, z] = self.image_axis.map(|axis| 2 - axis);
        let mut view = image.permuted_axes([z, y, x]);
        for (axis, _) in self.flipped.iter().enumerate().filter(|(_, flipped)| **flipped) {
            view.invert_axis(Axis(2 - axis));
        }
        let [x, y, z] = self.part.clone();
        view.slice_move(s![z, y, x])
    }

    /// The other way: an array `[z, y, x]` of [`ModelGrid::image_size`] in the image's own order `[k, j, i]`; what lies outside
    /// the part that counts is the default (background).
    pub fn back<T: Clone + Default>(&self, part: Array3<T>) -> Array3<T> {
        let [nx, ny, nz] = self.whole;
        let mut oriented = if self.image_size() == self.whole {
            part
        } else {
            let mut whole = Array3::from_elem((nz, ny, nx), T::default());
            let [x, y, z] = self.part.clone();
            whole.slice_mut(s![z, y, x]).assign(&part);
            whole
        };
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

/// The grid of the wanted spacing over `seen`, how many of its voxels one of the new ones spans, and how the two lie.
fn laid_over(
    seen: &Grid,
    wanted: [f64; 3],
    convention: Convention,
) -> Result<(Grid, [f64; 3], [Alignment; 3]), GridError> {
    let own = seen.spacing_mm();
    if wanted == own {
        return Ok((seen.clone(), [1.0; 3], [Alignment::Corners; 3]));
    }
    let Shape { ni, nj, nk } = seen.shape();
    let n = [ni, nj, nk].map(|n| n as f64);
    match convention {
        Convention::Lesiontrace => {
            let ratio = std::array::from_fn(|a| wanted[a] / own[a]);
            Ok((regrid(seen, wanted)?, ratio, [Alignment::Corners; 3]))
        }
        Convention::Nnunet => {
            let m: [f64; 3] =
                std::array::from_fn(|a| (as_in_header(own[a]) / wanted[a] * n[a]).round_ties_even().max(1.0));
            let ratio: [f64; 3] = std::array::from_fn(|a| n[a] / m[a]);
            let first = ratio.map(|r| 0.5 * r - 0.5);
            Ok((rescaled(seen, m, ratio, first)?, ratio, [Alignment::Corners; 3]))
        }
        Convention::Monai => {
            let ratio: [f64; 3] = std::array::from_fn(|a| {
                let ratio = wanted[a] / own[a];
                if (ratio - 1.0).abs() < SAME_SPACING { 1.0 } else { ratio }
            });
            let m: [f64; 3] = std::array::from_fn(|a| ((n[a] - 1.0) / ratio[a] + 1.0).round_ties_even());
            let middle = || std::array::from_fn(|a| n[a] / 2.0 - ratio[a] * m[a] / 2.0);
            let first = if monai_keeps_first_voxel(seen, wanted) { [0.0; 3] } else { middle() };
            Ok((rescaled(seen, m, ratio, first)?, ratio, first.map(Alignment::First)))
        }
    }
}

/// A spacing as nnU-Net reads it from a NIfTI header: the decimal fraction that was meant, in single precision. Where the new number
/// of voxels lies halfway between two, its last digit decides; the length of a step in an oblique image has another one.
fn as_in_header(mm: f64) -> f64 {
    // Six decimals are the micrometre's thousandth; lengths from single precision are wrong by less than their tenth.
    const DECIMALS: f64 = 1e6;
    let meant = (mm * DECIMALS).round() / DECIMALS;
    f64::from(if (meant / mm - 1.0).abs() < SINGLE_PRECISION { meant as f32 } else { mm as f32 })
}

/// Two lengths whose ratio differs from 1 by less may be one number, rounded to single precision (2⁻²⁴) in each of its parts.
const SINGLE_PRECISION: f64 = 2e-7;

/// MONAI (`compute_shape_offset`) keeps the first voxel's place where no corner of the image has a smaller index on the new grid; by
/// the rounding of an oblique image's header one can be smaller by some 10⁻⁷, and then the middles (n/2) coincide instead.
fn monai_keeps_first_voxel(seen: &Grid, wanted: [f64; 3]) -> bool {
    // The absolute tolerance of numpy.allclose.
    const SAME_INDEX: f64 = 1e-8;
    let linear = seen.voxel_to_patient().linear();
    // The new axes are those of the image after Gram and Schmidt; the image's own on them are the Cholesky factor of their products.
    let Some(factor) = (linear.transpose() * linear).cholesky() else { return true };
    let on_new = factor.l().transpose();
    let Shape { ni, nj, nk } = seen.shape();
    let last = [ni, nj, nk].map(|n| n as f64 - 1.0);
    (0..3).all(|row| {
        // The smallest index of a corner: the sum of all negative steps along this row.
        let smallest: f64 = (0..3).map(|axis| (on_new[(row, axis)] / wanted[row] * last[axis]).min(0.0)).sum();
        smallest >= -SAME_INDEX
    })
}

/// More voxels than this are a mistaken spacing rather than an image: 32 GiB of single precision.
const MAX_VOXELS: f64 = 8_589_934_592.0;

/// A grid of n voxels, each `ratio` voxels of `seen` large, the first one at `first`.
fn rescaled(seen: &Grid, n: [f64; 3], ratio: [f64; 3], first: [f64; 3]) -> Result<Grid, GridError> {
    let n_voxels = n.iter().product::<f64>();
    if n_voxels.is_nan() || n_voxels > MAX_VOXELS {
        let own = seen.spacing_mm();
        let spacing_mm = std::array::from_fn(|a| own[a] * ratio[a]);
        return Err(GridError::TooLarge { spacing_mm, n_voxels });
    }
    let shape = Shape { ni: n[0] as usize, nj: n[1] as usize, nk: n[2] as usize };
    let linear = Matrix3::from_diagonal(&Vector3::from(ratio));
    let new_to_seen = Affine::<Voxel, Voxel>::from_parts(linear, Vector3::from(first));
    Grid::new(shape, new_to_seen.then(seen.voxel_to_patient()), seen.frame().clone())
}

/// The axes as coarse as the coarsest, where that is more than `limit` times as coarse as the finest; else none.
fn coarse_axes(spacing_mm: [f64; 3], limit: f64) -> Vec<usize> {
    let coarsest = spacing_mm.into_iter().fold(0.0, f64::max);
    let finest = spacing_mm.into_iter().fold(f64::INFINITY, f64::min);
    let of_all = if coarsest / finest > limit { 0..3 } else { 0..0 };
    of_all.filter(|axis| coarsest / spacing_mm[*axis] == 1.0).collect()
}

/// Which image axis runs nearest to each wanted patient axis, and whether against it; the permutation with the largest sum of
/// cosines, the first of equals.
fn nearest(directions: &Matrix3<f64>, towards: [(usize, bool); 3]) -> ([usize; 3], [bool; 3]) {
    const PERMUTATIONS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let sum = |p: &[usize; 3]| (0..3).map(|patient| directions[(patient, p[patient])].abs()).sum::<f64>();
    let mut best = PERMUTATIONS[0];
    for p in PERMUTATIONS {
        if sum(&p) > sum(&best) {
            best = p;
        }
    }
    let axis = |model: usize| best[towards[model].0];
    let flipped = |model: usize| {
        let (patient, against) = towards[model];
        (directions[(patient, best[patient])] < 0.0) != against
    };
    (std::array::from_fn(axis), std::array::from_fn(flipped))
}

fn shifted(grid: &Grid, part: &[Range<usize>; 3]) -> Result<Grid, GridError> {
    let [x, y, z] = part;
    let shape = Shape { ni: x.len(), nj: y.len(), nk: z.len() };
    if shape == grid.shape() {
        return Ok(grid.clone());
    }
    let first = Vector3::new(x.start as f64, y.start as f64, z.start as f64);
    let part_to_whole = Affine::<Voxel, Voxel>::from_parts(Matrix3::identity(), first);
    Grid::new(shape, part_to_whole.then(grid.voxel_to_patient()), grid.frame().clone())
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
    use crate::card::{Card, Spacing};
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
    fn towards_right_anterior_superior_two_axes_run_the_other_way() {
        let ras = Input { orientation: "ras".to_owned().try_into().unwrap(), ..input() };
        let (volume, model) = coronal(&ras);
        let directions = model.grid().directions();
        assert!(directions[(0, 0)] < -0.9 && directions[(1, 1)] < -0.9 && directions[(2, 2)] > 0.9);
        assert_eq!(model.back(model.orient(volume.data()).to_owned()), *volume.data());
    }

    #[test]
    fn a_part_keeps_its_place_and_comes_back_amid_background() {
        let (volume, _) = coronal(&input());
        let model = ModelGrid::over_part(volume.grid(), &input(), Some([1..3, 2..6, 0..2])).unwrap();
        assert_eq!((model.size(), model.image_size()), ([2, 2, 4], [2, 2, 4]));
        let seen = model.orient(volume.data());
        for linear in 0..model.grid().shape().n_voxels() {
            let at = model.grid().shape().index(linear);
            let here = volume.grid().nearest(model.grid().center(at)).unwrap();
            assert_eq!(seen[[at.k, at.j, at.i]], *volume.at(here));
        }
        let back = model.back(seen.to_owned());
        for ((k, j, i), value) in back.indexed_iter() {
            let inside = (1..3).contains(&i) && (2..6).contains(&j) && k < 2;
            assert_eq!(*value, if inside { volume.data()[[k, j, i]] } else { 0.0 });
        }
    }

    #[test]
    fn sizes_and_first_voxels_by_each_convention() {
        // Own spacing 1, 5, 2 along x, y, z; 4, 3, 6 voxels.
        let spacing_mm = Spacing::Mm([1.6, 2.0, 1.0]);
        let of = |convention| coronal(&Input { convention, spacing_mm, ..input() }).1;
        let native = coronal(&input()).1;
        let own = of(Convention::Lesiontrace);
        assert_eq!(own.size(), [3, 8, 12]);
        // 4 / 1.6 = 2.5 and 15 / 2 = 7.5: halves go to the even number, as in Python.
        let nnunet = of(Convention::Nnunet);
        assert_eq!(nnunet.size(), [2, 8, 12]);
        assert_eq!(nnunet.ratio(), [2.0, 3.0 / 8.0, 0.5]);
        // 3 / 1.6 + 1 = 2.875, 10 / 2 + 1 = 6, 10 / 1 + 1 = 11.
        let monai = of(Convention::Monai);
        assert_eq!(monai.size(), [3, 6, 11]);
        let origin = |grid: &Grid| grid.center(Index3 { i: 0, j: 0, k: 0 });
        assert!(origin(monai.grid()).distance(origin(native.grid())) < 1e-9);
        assert_eq!(monai.alignment, [Alignment::First(0.0); 3]);
        let corner = |grid: &Grid| grid.voxel_to_patient().apply(Point::new(-0.5, -0.5, -0.5));
        assert!(corner(nnunet.grid()).distance(corner(native.grid())) < 1e-9);
    }

    /// MONAI 1.6.1, `Spacingd` with pixdim (1.5, 1.2, 2.0) over a volume of 48, 50, 24 voxels with this header in single precision:
    /// 39, 38, 25 voxels, the first of which lies at (30.7014, −52.4886, 17.0676) in RAS.
    #[test]
    fn an_oblique_header_in_single_precision_moves_monais_grid() {
        let ras: [[f32; 4]; 3] = [
            [1.092_862_1, -0.368_100_97, -0.120_818_22, 31.0],
            [0.462_054_7, 0.802_025_8, -0.504_043_1, -52.0],
            [0.179_325_76, 0.176_794_63, 2.035_029_2, 17.0],
        ];
        let linear = Matrix3::from_fn(|r, c| f64::from(ras[r][c]) * if r < 2 { -1.0 } else { 1.0 });
        let grid = Grid::new(
            Shape { ni: 48, nj: 50, nk: 24 },
            Affine::from_parts(linear, Vector3::new(-31.0, 52.0, 17.0)),
            FrameId::new("f"),
        )
        .unwrap();
        let orientation = "ras".to_owned().try_into().unwrap();
        let spacing_mm = Spacing::Mm([1.5, 1.2, 2.0]);
        let card = Input { convention: Convention::Monai, orientation, spacing_mm, ..input() };
        let model = ModelGrid::over(&grid, &card).unwrap();
        assert_eq!(model.size(), [39, 38, 25]);
        let first = model.grid().center(Index3 { i: 0, j: 0, k: 0 });
        assert!(first.distance(Point::new(-30.7014, 52.4886, 17.0676)) < 1e-3, "{first:?}");
    }

    #[test]
    fn the_coarse_axis_is_the_images_else_the_models_and_never_one_of_two() {
        assert_eq!(coarse_axes([1.0, 5.0, 2.0], 3.0), [1]);
        assert!(coarse_axes([1.0, 3.0, 2.0], 3.0).is_empty());
        assert_eq!(coarse_axes([5.0, 5.0, 1.0], 3.0), [0, 1]);
        let with = |mm| Input { spacing_mm: Spacing::Mm(mm), nearest_along_axis_coarser_than: Some(3.0), ..input() };
        let (_, model) = coronal(&with([1.0, 1.0, 1.0]));
        assert_eq!((model.nearest_in, model.nearest_back), (Some(1), Some(1)));
        let (_, model) = coronal(&with([8.0, 2.0, 2.0]));
        assert_eq!((model.nearest_in, model.nearest_back), (Some(1), Some(0)));
    }

    /// nnU-Net 2.8.1 lays 22 voxels of 2 mm over 50 of 0.9 mm, where the steps of an oblique header are 0.900 000 024 mm long and its
    /// `pixdim` is 0.9 in single precision: 22.499 999, not 22.500 001.
    #[test]
    fn the_last_digit_of_a_headers_spacing_decides_between_two_sizes() {
        for (mm, wanted) in [(0.9_f64, 0.899_999_976_158_142), (0.900_000_024, 0.899_999_976_158_142), (1.0, 1.0)] {
            assert!((as_in_header(mm) - wanted).abs() < 1e-14, "{mm}: {}", as_in_header(mm));
        }
        // Not a short decimal fraction: only its own last digit is lost.
        let third = 1.0 / 3.0;
        assert_eq!(as_in_header(third), f64::from(third as f32));
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
