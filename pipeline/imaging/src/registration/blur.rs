//! Gaussian smoothing along one axis, thinned on the way: only the positions that are kept are computed.

use rayon::prelude::*;

/// Which positions of an axis are kept: `kept` of them from `first` on, `stride` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thinning {
    pub(super) first: usize,
    pub(super) stride: usize,
    pub(super) kept: usize,
}

impl Thinning {
    /// Every `stride`-th of `n` positions, as far from one end as from the other.
    pub(super) fn centered(n: usize, stride: usize) -> Self {
        let kept = (n - 1) / stride + 1;
        Self { first: (n - 1 - (kept - 1) * stride) / 2, stride, kept }
    }
}

/// Standard deviation in voxels below which sampling a Gaussian loses variance (2 % here, nearly all at 0.3).
const SAMPLED_FROM: f64 = 0.6;
/// Variance in squared voxels that is left out: it moves no contour by a hundredth of a voxel.
const NO_VARIANCE: f64 = 0.005;

/// Half a Gaussian kernel of this variance (squared voxels), centre first, cut at three standard deviations and normalised over
/// both halves; a narrow one has three weights of exactly this variance.
pub(super) fn gaussian(variance: f64) -> Vec<f32> {
    if variance < NO_VARIANCE {
        return vec![1.0];
    }
    if variance < SAMPLED_FROM * SAMPLED_FROM {
        return vec![1.0 - variance as f32, 0.5 * variance as f32];
    }
    let radius = (3.0 * variance.sqrt()).ceil() as usize;
    let weight = |d: usize| (-0.5 * (d * d) as f64 / variance).exp();
    let total = weight(0) + 2.0 * (1..=radius).map(weight).sum::<f64>();
    (0..=radius).map(|d| (weight(d) / total) as f32).collect()
}

/// Convolves values of shape `n` (axis 0 fastest) along one axis with a symmetric kernel, border values repeated.
pub(super) fn convolve(values: Vec<f32>, n: [usize; 3], axis: usize, kernel: &[f32], thinning: Thinning) -> Vec<f32> {
    if kernel.len() == 1 && thinning.stride == 1 {
        return values;
    }
    if axis == 0 { along_rows(&values, n, kernel, thinning) } else { across_rows(&values, n, axis, kernel, thinning) }
}

fn along_rows(values: &[f32], n: [usize; 3], kernel: &[f32], thinning: Thinning) -> Vec<f32> {
    let Thinning { first, stride, kept } = thinning;
    let (ni, radius) = (n[0], kernel.len() - 1);
    let mut out = vec![0.0_f32; kept * n[1] * n[2]];
    out.par_chunks_mut(kept * n[1]).zip(values.par_chunks(ni * n[1])).for_each(|(out, slice)| {
        let mut row = vec![0.0_f32; ni + 2 * radius];
        for (out, source) in out.chunks_mut(kept).zip(slice.chunks(ni)) {
            row[..radius].fill(source[0]);
            row[radius..radius + ni].copy_from_slice(source);
            row[radius + ni..].fill(source[ni - 1]);
            let middle = &row[radius + first..];
            for (o, v) in out.iter_mut().zip(middle.iter().step_by(stride)) {
                *o = kernel[0] * v;
            }
            for (d, weight) in kernel.iter().enumerate().skip(1) {
                let (below, above) = (&row[radius + first - d..], &row[radius + first + d..]);
                if stride == 1 {
                    for ((o, a), b) in out.iter_mut().zip(below).zip(above) {
                        *o += weight * (a + b);
                    }
                } else {
                    for ((o, a), b) in
                        out.iter_mut().zip(below.iter().step_by(stride)).zip(above.iter().step_by(stride))
                    {
                        *o += weight * (a + b);
                    }
                }
            }
        }
    });
    out
}

fn across_rows(values: &[f32], n: [usize; 3], axis: usize, kernel: &[f32], thinning: Thinning) -> Vec<f32> {
    let Thinning { first, stride, kept } = thinning;
    let inner: usize = n[..axis].iter().product();
    let outer = n[axis + 1..].iter().product::<usize>();
    let mut out = vec![0.0_f32; inner * kept * outer];
    let last = n[axis] - 1;
    out.par_chunks_mut(inner).enumerate().for_each(|(line, out)| {
        let source = &values[line / kept * inner * n[axis]..];
        let center = first + line % kept * stride;
        let at = |position: usize| &source[position * inner..(position + 1) * inner];
        for (o, v) in out.iter_mut().zip(at(center)) {
            *o = kernel[0] * v;
        }
        for (d, weight) in kernel.iter().enumerate().skip(1) {
            let (below, above) = (at(center.saturating_sub(d)), at((center + d).min(last)));
            for ((o, a), b) in out.iter_mut().zip(below).zip(above) {
                *o += weight * (a + b);
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bright_voxel_spreads_as_the_kernel_says_along_each_axis() {
        let kernel = gaussian(0.4);
        for axis in 0..3 {
            let n = [5, 5, 5];
            let mut values = vec![0.0; 125];
            values[2 * 31] = 1.0;
            let all = Thinning::centered(5, 1);
            let out = convolve(values, n, axis, &kernel, all);
            let step = [1, 5, 25][axis];
            assert_eq!(
                [out[62 - 2 * step], out[62 - step], out[62], out[62 + step]],
                [kernel[2], kernel[1], kernel[0], kernel[1]]
            );
            assert!((out.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn kernels_narrow_and_wide_have_their_variance() {
        for variance in [0.01, 0.1, 0.3, 0.4, 1.0, 4.0] {
            let kernel = gaussian(variance);
            let second_moment: f64 = kernel.iter().enumerate().map(|(d, w)| 2.0 * (d * d) as f64 * f64::from(*w)).sum();
            assert!((second_moment / variance - 1.0).abs() < 0.05, "{variance} {second_moment}");
        }
    }

    #[test]
    fn the_border_repeats_and_thinning_keeps_the_middle() {
        let n = [4, 1, 1];
        let thinning = Thinning::centered(4, 2);
        assert_eq!((thinning.first, thinning.kept), (0, 2));
        let out = convolve(vec![1.0, 2.0, 4.0, 8.0], n, 0, &[0.5, 0.25], thinning);
        assert_eq!(out, [0.5 + 0.25 * (1.0 + 2.0), 2.0 + 0.25 * (2.0 + 8.0)]);
        let across = convolve(vec![1.0, 2.0, 4.0, 8.0], [1, 1, 4], 2, &[0.5, 0.25], thinning);
        assert_eq!(across, out);
    }
}
