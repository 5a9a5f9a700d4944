//! The network's input: value, inside the image, click, box, on a cube at one spacing round a place in the image.

use std::ops::Range;

use ndarray::{Array3, Array4, ArrayView3, Axis, s};

use crate::axis_operator::{Alignment, AxisOperator, Placement, carry};
use crate::card::Prompting;
use crate::prompted::prompt::Placed;

/// A voxel this little beyond the edge of a box still lies in it, in voxels of the image: the rounding of coordinates in mm.
const BOX_TOLERANCE: f64 = 1e-6;

/// The image a cube is cut from, turned to the card's orientation, and how cubes are made.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// `[z, y, x]`.
    pub(crate) values: ArrayView3<'a, f32>,
    /// Distance of its voxels along x, y, z.
    pub(crate) spacing_mm: [f64; 3],
    /// Voxels along an edge of the cube.
    pub(crate) side: usize,
    /// σ of the click, voxels of the cube.
    pub(crate) click_sigma: f64,
}

impl Source<'_> {
    /// Voxels of the image along x, y, z.
    pub(crate) fn size(&self) -> [usize; 3] {
        let (nz, ny, nx) = self.values.dim();
        [nx, ny, nz]
    }
}

/// Where a cube lies among the image's voxels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Lie {
    /// Position of the cube's first voxel in the image, along x, y, z.
    pub(crate) first: [f64; 3],
    /// Voxels of the image that one of the cube's spans.
    pub(crate) step: [f64; 3],
}

impl Lie {
    /// A cube of this spacing whose voxel side/2 + shift lies at the click.
    pub(crate) fn of(source: &Source<'_>, click: [f64; 3], spacing_mm: f64, shift: [i32; 3]) -> Self {
        let step = source.spacing_mm.map(|mm| spacing_mm / mm);
        let middle = (source.side / 2) as f64;
        Self { first: std::array::from_fn(|a| click[a] - (middle + f64::from(shift[a])) * step[a]), step }
    }

    /// Position in the image of voxel `q` of the cube along an axis.
    pub(crate) fn at(&self, axis: usize, q: usize) -> f64 {
        self.first[axis] + q as f64 * self.step[axis]
    }

    /// For each of the cube's voxels along an axis whether the image, which has n, reaches there.
    pub(crate) fn inside(&self, axis: usize, side: usize, n: usize) -> Vec<bool> {
        (0..side).map(|q| self.at(axis, q)).map(|at| at > -0.5 && at < n as f64 - 0.5).collect()
    }
}

/// The four channels `[channel, z, y, x]` of a cube.
pub(crate) fn cube(source: &Source<'_>, placed: &Placed, lie: &Lie, shift: [i32; 3]) -> Array4<f32> {
    let (side, size) = (source.side, source.size());
    let inside: [Vec<bool>; 3] = std::array::from_fn(|a| lie.inside(a, side, size[a]));
    let inside = of_axes(&inside.map(|axis| axis.into_iter().map(|v| f64::from(u8::from(v))).collect()));
    let middle = (side / 2) as f64;
    let gaussian: [Vec<f64>; 3] = std::array::from_fn(|a| {
        let far = |q: usize| q as f64 - middle - f64::from(shift[a]);
        (0..side).map(|q| (-far(q).powi(2) / (2.0 * source.click_sigma.powi(2))).exp()).collect()
    });
    let mut shown = Array4::zeros((Prompting::N_CHANNELS, side, side, side));
    shown.index_axis_mut(Axis(0), 0).assign(&(values(source, lie) * &inside));
    shown.index_axis_mut(Axis(0), 1).assign(&inside);
    shown.index_axis_mut(Axis(0), 2).assign(&of_axes(&gaussian));
    if let Some([low, high]) = placed.boxed {
        let within: [Vec<f64>; 3] = std::array::from_fn(|a| {
            let range = low[a] - BOX_TOLERANCE..=high[a] + BOX_TOLERANCE;
            (0..side).map(|q| f64::from(u8::from(range.contains(&lie.at(a, q))))).collect()
        });
        shown.index_axis_mut(Axis(0), 3).assign(&of_axes(&within));
    }
    shown
}

/// The image's values on the cube: a triangle as wide as the coarser of the two spacings round each position, repeated at the edge.
/// Only the part of the image that it reaches is touched.
fn values(source: &Source<'_>, lie: &Lie) -> Array3<f32> {
    let size = source.size();
    let whole: [AxisOperator; 3] = std::array::from_fn(|a| {
        let alignment = Alignment::First(lie.first[a]);
        let placement = Placement { n_in: size[a], n_out: source.side, ratio: lie.step[a], alignment };
        AxisOperator::triangle(placement, lie.step[a].max(1.0))
    });
    let part: [Range<usize>; 3] = std::array::from_fn(|a| whole[a].reached());
    let operators: [AxisOperator; 3] = std::array::from_fn(|a| whole[a].of_part(part[a].clone()));
    let [x, y, z] = part;
    carry(source.values.slice(s![z, y, x]), &operators)
}

/// The product of three lists along x, y, z at every voxel `[z, y, x]`.
fn of_axes([x, y, z]: &[Vec<f64>; 3]) -> Array3<f32> {
    Array3::from_shape_fn((z.len(), y.len(), x.len()), |(k, j, i)| (z[k] * y[j] * x[i]) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// v = x + 10 y + 100 z on 30 × 20 × 12 voxels of 1, 2 and 3 mm.
    fn ramp() -> Array3<f32> {
        Array3::from_shape_fn((12, 20, 30), |(z, y, x)| (x + 10 * y + 100 * z) as f32)
    }

    #[test]
    fn the_cube_lies_round_the_click_and_knows_where_the_image_ends() {
        let values = ramp();
        let source = Source { values: values.view(), spacing_mm: [1.0, 2.0, 3.0], side: 8, click_sigma: 2.0 };
        let placed = Placed { click: [14.0, 9.0, 2.0], boxed: Some([[12.5, 8.0, 1.0], [14.0, 9.5, 3.0]]) };
        let shift = [1, -1, 0];
        let lie = Lie::of(&source, placed.click, 2.0, shift);
        let shown = cube(&source, &placed, &lie, shift);
        // Voxel (5, 3, 4) is the click; one voxel of the cube is 2, 1 and 2/3 of the image's.
        assert_eq!(shown[[2, 4, 3, 5]], 1.0);
        assert!((shown[[2, 4, 3, 7]] - (-0.5_f32).exp()).abs() < 1e-6);
        let ramp_at = |x: f64, y: f64, z: f64| (x + 10.0 * y + 100.0 * z) as f32;
        assert!((shown[[0, 4, 3, 5]] - ramp_at(14.0, 9.0, 2.0)).abs() < 1e-3);
        assert!((shown[[0, 5, 2, 7]] - ramp_at(18.0, 8.0, 2.0 + 2.0 / 3.0)).abs() < 1e-3);
        // z of the cube's voxel 0 is 2 − 8/3 = −2/3: beyond the image, where everything is 0; its voxel 1 lies at 0.
        assert_eq!([shown[[1, 0, 3, 5]], shown[[0, 0, 3, 5]], shown[[1, 1, 3, 5]]], [0.0, 0.0, 1.0]);
        // The box holds x 12.5 to 14 (voxel 5 alone, 4 lies at 12), y 8 to 9.5 (2 and 3), z 1 to 3 (3, 4, 5).
        let boxed = shown.index_axis(Axis(0), 3);
        assert_eq!(boxed.sum(), 6.0);
        assert_eq!([boxed[[3, 2, 5]], boxed[[5, 3, 5]], boxed[[5, 3, 4]]], [1.0, 1.0, 0.0]);
    }

    #[test]
    fn a_part_of_the_image_gives_what_the_whole_gives() {
        let values = ramp();
        let source = Source { values: values.view(), spacing_mm: [1.0, 2.0, 3.0], side: 8, click_sigma: 2.0 };
        let lie = Lie::of(&source, [4.3, 17.2, 10.4], 3.3, [0; 3]);
        let whole: [AxisOperator; 3] = std::array::from_fn(|a| {
            let placement = Placement {
                n_in: [30, 20, 12][a],
                n_out: 8,
                ratio: lie.step[a],
                alignment: Alignment::First(lie.first[a]),
            };
            AxisOperator::triangle(placement, lie.step[a].max(1.0))
        });
        assert_eq!(super::values(&source, &lie), carry(values.view(), &whole));
    }
}
