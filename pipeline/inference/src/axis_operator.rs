//! Linear interpolation of one axis at a time, as weights that are worked out once.
//!
//! Kept beside `imaging::resample` because a network's input repeats the image's edge instead of ending there, is averaged where
//! it is made coarser, and its answer comes back plane by plane, so that the probabilities of all labels never stand in memory
//! at the image's own resolution.

#![expect(clippy::needless_pass_by_value, reason = "an array view is a reference already")]

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, s};

/// For every output voxel the first input voxel and the weights from there on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AxisOperator {
    n_in: usize,
    taps: Vec<(usize, Vec<f32>)>,
}

impl AxisOperator {
    /// From `n_in` to `n_out` voxels whose outer corners coincide, output spacing over input spacing being `ratio`: output voxel q
    /// lies at (q + 0.5)·ratio − 0.5, clamped to the input. `half_width` is that of the triangle in input voxels, 1 for the two
    /// neighbours.
    pub(crate) fn new(n_in: usize, n_out: usize, ratio: f64, half_width: f64) -> Self {
        let last = (n_in - 1) as f64;
        let taps = (0..n_out)
            .map(|q| {
                let at = ((q as f64 + 0.5) * ratio - 0.5).clamp(0.0, last);
                let low = (at - half_width).floor().max(0.0) as usize;
                let high = ((at + half_width).ceil() as usize).min(n_in - 1);
                let weight = |i: usize| (1.0 - (i as f64 - at).abs() / half_width).max(0.0);
                let first = (low..=high).find(|i| weight(*i) > 0.0).unwrap_or(low);
                let weights: Vec<f64> = (first..=high).map(weight).take_while(|w| *w > 0.0).collect();
                let sum: f64 = weights.iter().sum();
                (first, weights.iter().map(|w| (w / sum) as f32).collect())
            })
            .collect();
        Self { n_in, taps }
    }

    /// Number of output voxels.
    pub(crate) fn n_out(&self) -> usize {
        self.taps.len()
    }

    fn is_identity(&self) -> bool {
        self.n_in == self.taps.len() && self.taps.iter().enumerate().all(|(q, (first, w))| *first == q && w.len() == 1)
    }

    /// Output plane `q` of an array along its first axis.
    pub(crate) fn plane(&self, volume: ArrayView3<'_, f32>, q: usize) -> Array2<f32> {
        let (first, weights) = &self.taps[q];
        let mut plane = volume.index_axis(Axis(0), *first).mapv(|v| v * weights[0]);
        for (t, weight) in weights.iter().enumerate().skip(1) {
            plane.scaled_add(*weight, &volume.index_axis(Axis(0), first + t));
        }
        plane
    }

    /// The rows of a plane carried over.
    pub(crate) fn rows(&self, plane: ArrayView2<'_, f32>) -> Array2<f32> {
        if self.is_identity() {
            return plane.to_owned();
        }
        let mut out = Array2::zeros((self.n_out(), plane.ncols()));
        for (mut row, (first, weights)) in out.rows_mut().into_iter().zip(&self.taps) {
            for (t, weight) in weights.iter().enumerate() {
                row.scaled_add(*weight, &plane.row(first + t));
            }
        }
        out
    }

    /// The columns of a plane carried over.
    pub(crate) fn columns(&self, plane: ArrayView2<'_, f32>) -> Array2<f32> {
        if self.is_identity() {
            return plane.to_owned();
        }
        let mut out = Array2::zeros((plane.nrows(), self.n_out()));
        for (mut to, from) in out.rows_mut().into_iter().zip(plane.rows()) {
            for (value, (first, weights)) in to.iter_mut().zip(&self.taps) {
                *value = weights.iter().enumerate().map(|(t, weight)| weight * from[first + t]).sum();
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
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(q, mut plane)| {
        plane.assign(&z.plane(in_plane.slice(s![.., .., ..]), q));
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn halving_the_spacing_takes_quarters_and_repeats_the_edge() {
        let operator = AxisOperator::new(3, 6, 0.5, 1.0);
        let out = operator.columns(array![[0.0, 4.0, 8.0]].view());
        assert_eq!(out, array![[0.0, 1.0, 3.0, 5.0, 7.0, 8.0]]);
    }

    #[test]
    fn doubling_it_takes_the_two_in_the_middle_or_their_weighted_surroundings() {
        let sharp = AxisOperator::new(6, 3, 2.0, 1.0).columns(array![[0.0, 2.0, 4.0, 6.0, 8.0, 100.0]].view());
        assert_eq!(sharp, array![[1.0, 5.0, 54.0]]);
        // Half-width 2 round 2.5: weights 1/4, 3/4, 3/4, 1/4 over their sum 2 on voxels 1, 2, 3, 4.
        let smooth = AxisOperator::new(6, 3, 2.0, 2.0).columns(array![[0.0, 2.0, 4.0, 6.0, 8.0, 100.0]].view());
        assert!((smooth[[0, 1]] - 5.0).abs() < 1e-6);
        // Round 0.5 the left-most weight falls outside: 3/4, 3/4, 1/4 over 7/4 on voxels 0, 1, 2.
        assert!((smooth[[0, 0]] - (1.5 + 1.0) / 1.75).abs() < 1e-6);
    }

    #[test]
    fn equal_spacing_changes_no_bit() {
        let operator = AxisOperator::new(5, 5, 1.0, 1.0);
        assert!(operator.is_identity());
        let plane = array![[0.1, 0.2, 0.3, 0.4, 0.5]];
        assert_eq!(operator.columns(plane.view()), plane);
        assert_eq!(operator.rows(plane.t()), plane.t());
    }

    #[test]
    fn a_linear_ramp_over_three_axes_stays_a_ramp() {
        let ramp = Array3::from_shape_fn((4, 6, 8), |(z, y, x)| (100 * z + 10 * y + x) as f32);
        let operators =
            [AxisOperator::new(8, 4, 2.0, 1.0), AxisOperator::new(6, 12, 0.5, 1.0), AxisOperator::new(4, 2, 2.0, 1.0)];
        let out = carry(ramp.view(), &operators);
        assert_eq!(out.dim(), (2, 12, 4));
        // z = 0.5, y = (3 + 0.5)/2 − 0.5 = 1.25, x = 2.5
        assert!((out[[0, 3, 1]] - (50.0 + 12.5 + 2.5)).abs() < 1e-4);
        assert!((out[[1, 8, 3]] - (250.0 + 37.5 + 6.5)).abs() < 1e-4);
    }
}
