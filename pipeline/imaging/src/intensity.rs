//! Image values: Gaussian smoothing, pyramids, percentiles, and mean and spread inside a mask.
//!
//! Source: sampled, normalised Gaussian truncated at four standard deviations with the outermost voxels repeated, the
//! convention of scipy.ndimage (`gaussian_filter`, mode nearest); percentiles after Hyndman and Fan 1996, type 7.

use rayon::prelude::*;

use crate::grid::{Aligned, GridError, Shape};
use crate::resample::{Interpolation, resample, scaled};
use crate::space::Affine;
use crate::units::Mm;
use crate::volume::Volume;

/// A Gaussian is cut off at this many standard deviations.
const TRUNCATION_SIGMAS: f64 = 4.0;

/// Gaussian smoothing with one width in mm along every axis, whatever the spacing.
#[must_use]
pub fn smooth(volume: &Volume<f32>, sigma: Mm) -> Volume<f32> {
    smooth_voxels(volume, volume.grid().spacing_mm().map(|s| sigma.0 / s))
}

/// Gaussian smoothing with a width in voxels along i, j, k; an axis of width 0 is left alone.
#[must_use]
pub fn smooth_voxels(volume: &Volume<f32>, sigma_voxels: [f64; 3]) -> Volume<f32> {
    let mut out = volume.clone();
    let Shape { ni, nj, nk } = volume.shape();
    if let Some(kernel) = Kernel::new(sigma_voxels[0]) {
        out.values_mut().par_chunks_mut(ni).for_each(|row| kernel.along_row(row));
    }
    if let Some(kernel) = Kernel::new(sigma_voxels[1]) {
        out.values_mut().par_chunks_mut(ni * nj).for_each(|slice| {
            let source = slice.to_vec();
            for (j, row) in slice.chunks_mut(ni).enumerate() {
                kernel.across(row, j, nj, |j| &source[j * ni..(j + 1) * ni]);
            }
        });
    }
    if let Some(kernel) = Kernel::new(sigma_voxels[2]) {
        let source = out.values().to_vec();
        let n_slice = ni * nj;
        out.values_mut().par_chunks_mut(n_slice).enumerate().for_each(|(k, slice)| {
            kernel.across(slice, k, nk, |k| &source[k * n_slice..(k + 1) * n_slice]);
        });
    }
    out
}

/// One level of a pyramid: voxels `factors` times as large along i, j, k, smoothed with half a new voxel first. The outer corner
/// of the first voxel stays; voxels that do not fill a whole new one are dropped. A factor is at most the number of voxels.
pub fn shrink(volume: &Volume<f32>, factors: [usize; 3]) -> Result<Volume<f32>, GridError> {
    let Shape { ni, nj, nk } = volume.shape();
    let n = [ni, nj, nk];
    let factors: [usize; 3] = std::array::from_fn(|a| factors[a].clamp(1, n[a]));
    let shape = Shape { ni: ni / factors[0], nj: nj / factors[1], nk: nk / factors[2] };
    let target = scaled(volume.grid(), shape, factors.map(|f| f as f64))?;
    let sigma = factors.map(|f| if f == 1 { 0.0 } else { 0.5 * f as f64 });
    let smoothed = smooth_voxels(volume, sigma);
    Ok(resample(&smoothed, &target, &Affine::identity(), Interpolation::Linear, 0.0))
}

/// Percentiles (0…100) of values, interpolated between order statistics (type 7, as numpy and R). `None` when there is no value,
/// one is not a number, or a percentile lies outside 0…100.
#[must_use]
pub fn percentiles(values: &[f32], percents: &[f64]) -> Option<Vec<f64>> {
    if values.is_empty() || values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    percents
        .iter()
        .map(|p| {
            if !(0.0..=100.0).contains(p) {
                return None;
            }
            let position = p / 100.0 * (sorted.len() - 1) as f64;
            let low = position.floor() as usize;
            let high = (low + 1).min(sorted.len() - 1);
            let (a, b) = (f64::from(sorted[low]), f64::from(sorted[high]));
            Some(if a == b { a } else { a + (b - a) * (position - low as f64) })
        })
        .collect()
}

/// Values inside a mask, summed up in the volume's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Number of voxels.
    pub n_voxels: usize,
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation (n − 1); `None` for one voxel.
    pub sd: Option<f64>,
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
}

/// Mean, spread and range of the values under a mask; `None` when the mask is empty or a value is not a number.
#[must_use]
pub fn statistics(image_and_mask: &Aligned<'_, f32, bool>) -> Option<Statistics> {
    let (image, mask) = (image_and_mask.first().values(), image_and_mask.second().values());
    let values: Vec<f32> = image.par_iter().zip(mask).filter(|(_, set)| **set).map(|(value, _)| *value).collect();
    if values.is_empty() || values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let n_voxels = values.len();
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n_voxels as f64;
    let squares: f64 = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum();
    let sd = (n_voxels > 1).then(|| (squares / (n_voxels - 1) as f64).sqrt());
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    Some(Statistics { n_voxels, mean, sd, min, max })
}

/// A normalised, symmetric Gaussian; `half[0]` is the centre.
struct Kernel {
    half: Vec<f32>,
}

impl Kernel {
    /// `None` where nothing is to be done.
    fn new(sigma: f64) -> Option<Self> {
        if !(sigma.is_finite() && sigma > 0.0) {
            return None;
        }
        let radius = (TRUNCATION_SIGMAS * sigma + 0.5) as usize;
        let weights: Vec<f64> = (0..=radius).map(|t| (-0.5 * (t as f64 / sigma).powi(2)).exp()).collect();
        let sum = 2.0 * weights.iter().sum::<f64>() - weights[0];
        Some(Self { half: weights.iter().map(|w| (w / sum) as f32).collect() })
    }

    fn along_row(&self, row: &mut [f32]) {
        let radius = self.half.len() - 1;
        let (first, last) = (row[0], row[row.len() - 1]);
        let mut padded = vec![first; radius];
        padded.extend_from_slice(row);
        padded.resize(row.len() + 2 * radius, last);
        for (i, value) in row.iter_mut().enumerate() {
            let mut sum = self.half[0] * padded[i + radius];
            for (t, w) in self.half.iter().enumerate().skip(1) {
                sum += w * (padded[i + radius - t] + padded[i + radius + t]);
            }
            *value = sum;
        }
    }

    /// `out` = the weighted sum of the lines around position `at` of `n`, where a line is fetched by its position.
    fn across<'a>(&self, out: &mut [f32], at: usize, n: usize, line: impl Fn(usize) -> &'a [f32]) {
        for (value, centre) in out.iter_mut().zip(line(at)) {
            *value = self.half[0] * centre;
        }
        for (t, w) in self.half.iter().enumerate().skip(1) {
            let (before, after) = (line(at.saturating_sub(t)), line((at + t).min(n - 1)));
            for ((value, a), b) in out.iter_mut().zip(before).zip(after) {
                *value += w * (a + b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Grid, Index3, Mask, Point};
    use nalgebra::Matrix3;

    fn grid(shape: Shape, spacing_mm: [f64; 3]) -> Grid {
        Grid::from_directions(shape, Point::new(3.0, -4.0, 5.0), spacing_mm, Matrix3::identity(), FrameId::new("f"))
            .unwrap()
    }

    #[test]
    fn smoothing_agrees_with_scipy() {
        let v = Volume::from_fn(grid(Shape { ni: 6, nj: 5, nk: 4 }, [0.8, 1.0, 2.5]), |at| {
            ((at.i * 7 + at.j * 13 + at.k * 29) % 17) as f32
        });
        let got = smooth(&v, Mm(1.2));
        for (at, want) in SCIPY {
            let value = got.at(Index3 { i: at[0], j: at[1], k: at[2] });
            assert!((f64::from(*value) - want).abs() < 2e-5, "{at:?}: {value} {want}");
        }
    }

    #[test]
    fn a_constant_stays_and_a_point_spreads_equally_in_mm() {
        let mut v = Volume::filled(grid(Shape { ni: 41, nj: 21, nk: 21 }, [0.5, 1.0, 1.0]), 0.0);
        v.data_mut()[[10, 10, 20]] = 1.0;
        let s = smooth(&v, Mm(2.0));
        assert!((s.data()[[10, 10, 24]] - s.data()[[10, 12, 20]]).abs() < 1e-6, "2 mm along i and along j");
        let flat = smooth(&Volume::filled(grid(Shape { ni: 9, nj: 3, nk: 1 }, [1.0; 3]), 4.0), Mm(3.0));
        assert!(flat.values().iter().all(|v| (v - 4.0).abs() < 1e-5));
    }

    #[test]
    fn shrinking_a_ramp_keeps_it_in_place() {
        let fine = grid(Shape { ni: 33, nj: 20, nk: 3 }, [0.8, 1.0, 5.0]);
        let ramp = |g: &Grid| Volume::from_fn(g.clone(), |at| g.center(at).coords.x as f32);
        let small = shrink(&ramp(&fine), [2, 2, 1]).unwrap();
        assert_eq!(small.shape(), Shape { ni: 16, nj: 10, nk: 3 });
        let want = ramp(small.grid());
        for i in 4..12 {
            assert!((small.data()[[1, 5, i]] - want.data()[[1, 5, i]]).abs() < 1e-4);
        }
        assert_eq!(shrink(&ramp(&fine), [1, 1, 8]).unwrap().shape().nk, 1);
    }

    #[test]
    fn percentiles_and_statistics_by_hand() {
        assert_eq!(percentiles(&[4.0, 1.0, 3.0, 2.0], &[0.0, 50.0, 90.0, 100.0]), Some(vec![1.0, 2.5, 3.7, 4.0]));
        assert_eq!(percentiles(&[], &[50.0]), None);
        assert_eq!(percentiles(&[1.0, f32::NAN], &[50.0]), None);
        let image =
            Volume::from_values(vec![1.0, 2.0, 6.0, 100.0], grid(Shape { ni: 4, nj: 1, nk: 1 }, [1.0; 3])).unwrap();
        let mask = Mask::from_fn(image.grid().clone(), |at| at.i < 3);
        let got = statistics(&Aligned::new(&image, &mask).unwrap()).unwrap();
        assert_eq!((got.n_voxels, got.mean, got.sd, got.min, got.max), (3, 3.0, Some(7.0_f64.sqrt()), 1.0, 6.0));
        let none = Mask::filled(image.grid().clone(), false);
        assert!(statistics(&Aligned::new(&image, &none).unwrap()).is_none());
    }

    /// scipy.ndimage.gaussian_filter 1.17.1, sigma 1.2 mm at spacing 0.8, 1.0, 2.5 mm, mode nearest, truncate 4, double precision.
    const SCIPY: [([usize; 3], f64); 5] = [
        ([0, 0, 0], 5.809_615_166_632_82),
        ([5, 4, 3], 7.017_265_785_807_019_5),
        ([2, 1, 1], 8.256_064_795_480_285),
        ([3, 4, 0], 8.295_708_038_850_378),
        ([1, 2, 2], 8.515_462_827_324_987),
    ];
}
