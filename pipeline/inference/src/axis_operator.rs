//! Interpolation of one axis at a time, as weights that are worked out once.
//!
//! Kept beside `imaging::resample` because a network's input repeats the image's edge instead of ending there, is averaged where
//! it is made coarser, and its answer comes back plane by plane, so that the probabilities of all labels never stand in memory
//! at the image's own resolution.

#![expect(clippy::needless_pass_by_value, reason = "an array view is a reference already")]

use std::ops::Range;

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis};

use crate::cubic_spline::{MARGIN, coefficients, kernel};

/// Where output voxels lie among input voxels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placement {
    /// Number of input voxels.
    pub(crate) n_in: usize,
    /// Number of output voxels.
    pub(crate) n_out: usize,
    /// Output spacing over input spacing.
    pub(crate) ratio: f64,
    /// What coincides.
    pub(crate) alignment: Alignment,
}

/// How two grids lie to each other along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Alignment {
    /// The outer corners of their first voxels coincide: output voxel q lies at (q + 0.5)·ratio − 0.5.
    Corners,
    /// The first output voxel lies at this input voxel: output voxel q lies at first + q·ratio.
    First(f64),
}

impl Alignment {
    /// The same two grids, output taken for input.
    pub(crate) fn inverse(self, ratio: f64) -> Self {
        match self {
            Self::Corners => Self::Corners,
            Self::First(first) => Self::First(-first / ratio),
        }
    }
}

impl Placement {
    fn position(&self, q: usize) -> f64 {
        match self.alignment {
            Alignment::Corners => (q as f64 + 0.5) * self.ratio - 0.5,
            Alignment::First(first) => first + q as f64 * self.ratio,
        }
    }

    fn is_identity(&self) -> bool {
        self.n_in == self.n_out && (0..self.n_out).all(|q| self.position(q) == q as f64)
    }
}

/// For every output voxel the first input voxel and the weights from there on; no weights where nothing reaches it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AxisOperator {
    n_in: usize,
    /// Whether taps count coefficients of the cubic spline instead of voxels.
    spline: bool,
    taps: Vec<(usize, Vec<f32>)>,
}

impl AxisOperator {
    /// A triangle of `half_width` input voxels round the position clamped to the input; 1 for the two neighbours.
    pub(crate) fn triangle(placement: Placement, half_width: f64) -> Self {
        let Placement { n_in, n_out, .. } = placement;
        let taps = (0..n_out)
            .map(|q| {
                let at = placement.position(q).clamp(0.0, (n_in - 1) as f64);
                let low = (at - half_width).floor().max(0.0) as usize;
                let high = ((at + half_width).ceil() as usize).min(n_in - 1);
                let weight = |i: usize| (1.0 - (i as f64 - at).abs() / half_width).max(0.0);
                let first = (low..=high).find(|i| weight(*i) > 0.0).unwrap_or(low);
                let weights: Vec<f64> = (first..=high).map(weight).take_while(|w| *w > 0.0).collect();
                let sum: f64 = weights.iter().sum();
                (first, weights.iter().map(|w| (w / sum) as f32).collect())
            })
            .collect();
        Self { n_in, spline: false, taps }
    }

    /// The nearest input voxel; a tie goes to the higher index.
    pub(crate) fn nearest(placement: Placement) -> Self {
        let last = (placement.n_in - 1) as f64;
        let nearest = |q| ((placement.position(q) + 0.5).floor().clamp(0.0, last) as usize, vec![1.0]);
        Self { n_in: placement.n_in, spline: false, taps: (0..placement.n_out).map(nearest).collect() }
    }

    /// The interpolating cubic B-spline; the input continues with its first and last value.
    pub(crate) fn cubic_spline(placement: Placement) -> Self {
        if placement.is_identity() {
            return Self::triangle(placement, 1.0);
        }
        let n_in = placement.n_in;
        let taps = (0..placement.n_out)
            .map(|q| {
                // Half a voxel beyond the ends at most: what lies farther out equals the ends.
                let at = placement.position(q).clamp(-0.5, n_in as f64 - 0.5);
                let low = at.floor();
                let weights = (-1..=2).map(|step| kernel(low + f64::from(step) - at) as f32).collect();
                ((low as i64 - 1 + MARGIN as i64) as usize, weights)
            })
            .collect();
        Self { n_in, spline: true, taps }
    }

    /// The same where only `part` of the input exists and is all that is handed over, everything else counting as 0.
    pub(crate) fn of_part(&self, part: Range<usize>) -> Self {
        let taps = self
            .taps
            .iter()
            .map(|(first, weights)| {
                let inside = |t: &usize| part.contains(&(first + t));
                let kept: Vec<usize> = (0..weights.len()).filter(inside).collect();
                let start = kept.first().map_or(0, |t| first + t - part.start);
                (start, kept.iter().map(|t| weights[*t]).collect())
            })
            .collect();
        Self { n_in: part.len(), spline: false, taps }
    }

    /// Number of output voxels.
    pub(crate) fn n_out(&self) -> usize {
        self.taps.len()
    }

    /// The input voxels that output voxel `q` is made of; empty where nothing reaches it. Not for a spline.
    pub(crate) fn reach(&self, q: usize) -> Range<usize> {
        let (first, weights) = &self.taps[q];
        *first..first + weights.len()
    }

    /// The input voxels that any output voxel is made of; all of them where nothing reaches any. Not for a spline.
    pub(crate) fn reached(&self) -> Range<usize> {
        let each = (0..self.n_out()).map(|q| self.reach(q));
        each.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..self.n_in)
    }

    /// Weight of input voxel `reach(q).start + t`.
    pub(crate) fn weight(&self, q: usize, t: usize) -> f32 {
        self.taps[q].1[t]
    }

    fn is_identity(&self) -> bool {
        let own = |(q, (first, w)): (usize, &(usize, Vec<f32>))| *first == q && w.len() == 1;
        self.n_in == self.taps.len() && self.taps.iter().enumerate().all(own)
    }

    /// The rows of a plane carried over: `[n_in, width]` to `[n_out, width]`.
    pub(crate) fn rows(&self, plane: ArrayView2<'_, f32>) -> Array2<f32> {
        if self.is_identity() {
            return plane.to_owned();
        }
        if self.spline {
            return self.combined_rows(coefficients(&plane).view());
        }
        self.combined_rows(plane)
    }

    fn combined_rows(&self, plane: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut out = Array2::zeros((self.n_out(), plane.ncols()));
        for (mut row, (first, weights)) in out.rows_mut().into_iter().zip(&self.taps) {
            for (t, weight) in weights.iter().enumerate() {
                row.scaled_add(*weight, &plane.row(first + t));
            }
        }
        out
    }

    /// The columns of a plane carried over: `[height, n_in]` to `[height, n_out]`.
    pub(crate) fn columns(&self, plane: ArrayView2<'_, f32>) -> Array2<f32> {
        if self.is_identity() {
            return plane.to_owned();
        }
        if self.spline {
            let mut standing = Array2::zeros((plane.ncols(), plane.nrows()));
            standing.assign(&plane.t());
            return self.combined_rows(coefficients(&standing.view()).view()).reversed_axes();
        }
        let plane = plane.as_standard_layout();
        let mut out = Array2::zeros((plane.nrows(), self.n_out()));
        for (mut to, from) in out.rows_mut().into_iter().zip(plane.rows()) {
            let from = from.to_slice().expect("a row in standard layout is contiguous");
            for (value, (first, weights)) in to.iter_mut().zip(&self.taps) {
                *value = weights.iter().zip(&from[*first..]).map(|(weight, v)| weight * v).sum();
            }
        }
        out
    }
}

/// An array `[z, y, x]` carried over axis by axis: x, then y, then z.
pub(crate) fn carry(volume: ArrayView3<'_, f32>, [x, y, z]: &[AxisOperator; 3]) -> Array3<f32> {
    let mut in_plane = Array3::zeros((volume.dim().0, y.n_out(), x.n_out()));
    in_plane.axis_iter_mut(Axis(0)).into_par_iter().zip(volume.axis_iter(Axis(0)).into_par_iter()).for_each(
        |(mut out, plane)| {
            out.assign(&y.rows(x.columns(plane).view()));
        },
    );
    if z.is_identity() {
        return in_plane;
    }
    let mut out = Array3::zeros((z.n_out(), y.n_out(), x.n_out()));
    out.axis_iter_mut(Axis(1)).into_par_iter().zip(in_plane.axis_iter(Axis(1)).into_par_iter()).for_each(
        |(mut out, standing)| {
            out.assign(&z.rows(standing));
        },
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn corners(n_in: usize, n_out: usize, ratio: f64) -> Placement {
        Placement { n_in, n_out, ratio, alignment: Alignment::Corners }
    }

    #[test]
    fn halving_the_spacing_takes_quarters_and_repeats_the_edge() {
        let operator = AxisOperator::triangle(corners(3, 6, 0.5), 1.0);
        let out = operator.columns(array![[0.0, 4.0, 8.0]].view());
        assert_eq!(out, array![[0.0, 1.0, 3.0, 5.0, 7.0, 8.0]]);
        let first = |first| Placement { alignment: Alignment::First(first), ..corners(3, 6, 0.5) };
        let out = AxisOperator::triangle(first(0.0), 1.0).columns(array![[0.0, 4.0, 8.0]].view());
        assert_eq!(out, array![[0.0, 2.0, 4.0, 6.0, 8.0, 8.0]]);
        let out = AxisOperator::triangle(first(-0.25), 1.0).columns(array![[0.0, 4.0, 8.0]].view());
        assert_eq!(out, array![[0.0, 1.0, 3.0, 5.0, 7.0, 8.0]]);
        assert_eq!(Alignment::First(-0.25).inverse(0.5), Alignment::First(0.5));
        let out = AxisOperator::nearest(corners(3, 6, 0.5)).columns(array![[0.0, 4.0, 8.0]].view());
        assert_eq!(out, array![[0.0, 0.0, 4.0, 4.0, 8.0, 8.0]]);
    }

    #[test]
    fn doubling_it_takes_the_two_in_the_middle_or_their_weighted_surroundings() {
        let row = array![[0.0, 2.0, 4.0, 6.0, 8.0, 100.0]];
        let sharp = AxisOperator::triangle(corners(6, 3, 2.0), 1.0).columns(row.view());
        assert_eq!(sharp, array![[1.0, 5.0, 54.0]]);
        // Half-width 2 round 2.5: weights 1/4, 3/4, 3/4, 1/4 over their sum 2 on voxels 1, 2, 3, 4.
        let smooth = AxisOperator::triangle(corners(6, 3, 2.0), 2.0).columns(row.view());
        assert!((smooth[[0, 1]] - 5.0).abs() < 1e-6);
        // Round 0.5 the left-most weight falls outside: 3/4, 3/4, 1/4 over 7/4 on voxels 0, 1, 2.
        assert!((smooth[[0, 0]] - (1.5 + 1.0) / 1.75).abs() < 1e-6);
    }

    #[test]
    fn equal_spacing_changes_no_bit() {
        let operator = AxisOperator::triangle(corners(5, 5, 1.0), 1.0);
        assert!(operator.is_identity());
        let plane = array![[0.1, 0.2, 0.3, 0.4, 0.5]];
        assert_eq!(operator.columns(plane.view()), plane);
        assert_eq!(operator.rows(plane.t()), plane.t());
        assert_eq!(AxisOperator::cubic_spline(corners(5, 5, 1.0)).columns(plane.view()), plane);
    }

    #[test]
    fn a_linear_ramp_over_three_axes_stays_a_ramp() {
        let ramp = Array3::from_shape_fn((4, 6, 8), |(z, y, x)| (100 * z + 10 * y + x) as f32);
        let operators = [corners(8, 4, 2.0), corners(6, 12, 0.5), corners(4, 2, 2.0)]
            .map(|placement| AxisOperator::triangle(placement, 1.0));
        let out = carry(ramp.view(), &operators);
        assert_eq!(out.dim(), (2, 12, 4));
        // z = 0.5, y = (3 + 0.5)/2 − 0.5 = 1.25, x = 2.5
        assert!((out[[0, 3, 1]] - (50.0 + 12.5 + 2.5)).abs() < 1e-4);
        assert!((out[[1, 8, 3]] - (250.0 + 37.5 + 6.5)).abs() < 1e-4);
    }

    /// scipy 1.17.1: `ndimage.zoom(v, (4 / 3, 5 / 4, 9 / 6), order=3, mode="nearest", grid_mode=True)` with
    /// v[z][y][x] = (7x + 13y + 29z) mod 31.
    const SCIPY: [([usize; 3], f32); 4] =
        [([0, 0, 0], -2.941_138), ([3, 4, 8], 7.942_843_5), ([1, 2, 3], 16.576_285), ([2, 0, 8], -1.477_991_8)];

    #[test]
    fn the_cubic_spline_is_that_of_scipy() {
        let volume = Array3::from_shape_fn((3, 4, 6), |(z, y, x)| ((7 * x + 13 * y + 29 * z) % 31) as f32);
        let operators =
            [corners(6, 9, 6.0 / 9.0), corners(4, 5, 0.8), corners(3, 4, 0.75)].map(AxisOperator::cubic_spline);
        let out = carry(volume.view(), &operators);
        for (at, wanted) in SCIPY {
            assert!((out[at] - wanted).abs() < 1e-4, "{at:?}: {} is {wanted} in scipy", out[at]);
        }
    }

    #[test]
    fn beyond_the_part_that_exists_there_is_nothing() {
        let whole = AxisOperator::triangle(corners(4, 8, 0.5), 1.0);
        let part = whole.of_part(1..3);
        let out = part.columns(array![[4.0, 8.0]].view());
        assert_eq!(out, array![[0.0, 1.0, 3.0, 5.0, 7.0, 6.0, 2.0, 0.0]]);
        assert_eq!(part.reach(0), 0..0);
        assert_eq!(part.reach(3), 0..2);
    }
}
