//! Coefficients of the interpolating cubic B-spline along one axis, the signal continued by its first and last value.
//!
//! Source: M. Unser, "Splines: a perfect fit for signal and image processing", IEEE Signal Processing Magazine 16 (1999): the
//! recursive filter with the pole √3 − 2. The continuation beyond the ends is that of scipy.ndimage with mode "nearest".

use ndarray::{Array2, ArrayView2, Axis};

/// The filter's pole, √3 − 2.
const POLE: f32 = -0.267_949_2;
/// The filter's gain, (1 − z)(1 − 1/z) = 6.
const GAIN: f32 = 6.0;
/// Coefficients wanted beyond each end, for the four taps of a position half a voxel outside.
pub(crate) const MARGIN: usize = 2;
/// Values by which the signal is continued before it is filtered: 0.268¹² is 10⁻⁷, the last digit of f32.
const CONTINUED: usize = 12;

/// Coefficients along the first axis of `[n, width]`: `[n + 2·MARGIN, width]`, coefficient 0 being that of position −[`MARGIN`].
pub(crate) fn coefficients(signal: &ArrayView2<'_, f32>) -> Array2<f32> {
    let n = signal.nrows();
    let n_long = n + 2 * CONTINUED;
    let mut long = Array2::<f32>::zeros((n_long, signal.ncols()));
    for (at, mut row) in long.outer_iter_mut().enumerate() {
        row.assign(&signal.row(at.saturating_sub(CONTINUED).min(n - 1)));
        row *= GAIN;
    }
    // The first value, repeated for ever, has passed the causal filter: x / (1 − z).
    long.row_mut(0).mapv_inplace(|v| v / (1.0 - POLE));
    for at in 1..n_long {
        let (before, mut from) = long.view_mut().split_at(Axis(0), at);
        from.row_mut(0).scaled_add(POLE, &before.row(at - 1));
    }
    // The same the other way: the last value has been repeated for ever, and the causal result has come to rest at x / (1 − z).
    let scale = -POLE / (1.0 - POLE);
    let rest = long.row(n_long - 1).mapv(|v| v * scale);
    long.row_mut(n_long - 1).assign(&rest);
    for at in (0..n_long - 1).rev() {
        let (mut from, after) = long.view_mut().split_at(Axis(0), at + 1);
        let mut row = from.row_mut(at);
        row.zip_mut_with(&after.row(0), |v, after| *v = POLE * (after - *v));
    }
    let first = CONTINUED - MARGIN;
    long.slice_move(ndarray::s![first..first + n + 2 * MARGIN, ..])
}

/// The cubic B-spline at a distance of `t` knots.
pub(crate) fn kernel(t: f64) -> f64 {
    let t = t.abs();
    if t < 1.0 {
        2.0 / 3.0 - t * t + t.powi(3) / 2.0
    } else if t < 2.0 {
        (2.0 - t).powi(3) / 6.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_spline_goes_through_its_knots_and_rests_beyond_the_ends() {
        let signal = array![[3.0], [-1.0], [4.0], [1.0], [5.0], [9.0_f32]];
        let c = coefficients(&signal.view());
        assert_eq!(c.nrows(), 10);
        for (at, wanted) in signal.column(0).iter().enumerate() {
            let k = at + MARGIN;
            let got = (c[[k - 1, 0]] + 4.0 * c[[k, 0]] + c[[k + 1, 0]]) / 6.0;
            assert!((got - wanted).abs() < 1e-5, "{at}: {got}");
        }
        // Position −1 is continued with the first value.
        let got = (c[[0, 0]] + 4.0 * c[[1, 0]] + c[[2, 0]]) / 6.0;
        assert!((got - 3.0).abs() < 1e-5, "{got}");
        assert!(coefficients(&array![[7.0_f32]].view()).iter().all(|v| (v - 7.0).abs() < 1e-5));
    }
}
