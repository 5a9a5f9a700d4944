//! Mutual information of the two images: their joint distribution with Mattes' Parzen windows, and its derivatives.
//!
//! Mattes et al., *IEEE Transactions on Medical Imaging* 2003;22:120, equations 3–6 and 9.

use nalgebra::{DVector, Vector3};
use rayon::prelude::*;

use super::evaluate::{CHUNK, Pair};
use super::moments::{Derivatives, Moments};
use super::motion::{MAX_PARAMETERS, Motion};

/// Joint distribution of fixed (box window) and moving (cubic B-spline window) values, as in Mattes et al. 2003, eq. 3–6.
pub(super) struct Joint {
    n_bins: usize,
    fixed: (f64, f64),
    moving: (f64, f64),
    probability: Vec<f64>,
    fixed_marginal: Vec<f64>,
    moving_marginal: Vec<f64>,
}

impl Joint {
    /// From the pairs; two bins at each end stay free for the B-spline's feet.
    pub(super) fn of(pairs: &[Pair], n_bins: usize, fixed_range: (f64, f64), moving_range: (f64, f64)) -> Self {
        let scale = |(low, high): (f64, f64)| (low, (n_bins - 5) as f64 / (high - low));
        let mut joint = Self {
            n_bins,
            fixed: scale(fixed_range),
            moving: scale(moving_range),
            probability: Vec::new(),
            fixed_marginal: vec![0.0; n_bins],
            moving_marginal: vec![0.0; n_bins],
        };
        let pieces: Vec<Vec<f64>> = pairs.par_chunks(CHUNK).map(|chunk| joint.count(chunk)).collect();
        let mut probability = vec![0.0; n_bins * n_bins];
        for piece in &pieces {
            for (sum, v) in probability.iter_mut().zip(piece) {
                *sum += v / pairs.len() as f64;
            }
        }
        for (at, p) in probability.iter().enumerate() {
            joint.fixed_marginal[at / n_bins] += p;
            joint.moving_marginal[at % n_bins] += p;
        }
        joint.probability = probability;
        joint
    }

    fn count(&self, pairs: &[Pair]) -> Vec<f64> {
        let mut table = vec![0.0; self.n_bins * self.n_bins];
        for pair in pairs {
            let (row, u) = (self.row(pair.fixed), self.position(pair.moving));
            let first = u as usize - 1;
            for k in first..first + 4 {
                table[row * self.n_bins + k] += cubic(k as f64 - u);
            }
        }
        table
    }

    fn position(&self, moving: f64) -> f64 {
        ((moving - self.moving.0) * self.moving.1).clamp(0.0, (self.n_bins - 5) as f64) + 2.0
    }
    fn row(&self, fixed: f64) -> usize {
        (((fixed - self.fixed.0) * self.fixed.1).clamp(0.0, (self.n_bins - 5) as f64) + 2.0).round() as usize
    }

    /// Mutual information, nats.
    pub(super) fn value(&self) -> f64 {
        let mut sum = 0.0;
        for (at, p) in self.probability.iter().enumerate() {
            let independent = self.fixed_marginal[at / self.n_bins] * self.moving_marginal[at % self.n_bins];
            if *p > 0.0 && independent > 0.0 {
                sum += p * (p / independent).ln();
            }
        }
        sum
    }

    /// Mean moving value for each bin of fixed values; empty bins take the nearest filled one.
    pub(super) fn mean_moving(&self) -> Vec<f64> {
        let mean = |row: usize| {
            let mass = self.fixed_marginal[row];
            let columns = &self.probability[row * self.n_bins..(row + 1) * self.n_bins];
            let moment: f64 = columns.iter().enumerate().map(|(k, p)| p * (k as f64 - 2.0)).sum();
            (mass > 1e-4).then(|| self.moving.0 + moment / mass / self.moving.1)
        };
        let means: Vec<Option<f64>> = (0..self.n_bins).map(mean).collect();
        let filled = |row: usize| {
            (0..self.n_bins).find_map(|d| {
                let below = row.checked_sub(d).and_then(|r| means[r]);
                below.or_else(|| means.get(row + d).copied().flatten())
            })
        };
        (0..self.n_bins).map(|row| filled(row).unwrap_or(self.moving.0)).collect()
    }

    /// The moving value to be expected where the fixed image has this value, from [`Self::mean_moving`].
    pub(super) fn translate(&self, means: &[f64], fixed: f64) -> f64 {
        let u = ((fixed - self.fixed.0) * self.fixed.1).clamp(0.0, (self.n_bins - 5) as f64) + 2.0;
        let low = u.floor() as usize;
        means[low] + (means[low + 1] - means[low]) * (u - low as f64)
    }

    /// Cost −MI. The second derivative takes the moving values as Gaussian round their mean given the fixed value, for which
    /// MI = −½ ln(residual variance) + constant.
    pub(super) fn information(
        &self,
        pairs: &[Pair],
        motion: Motion,
        center: Vector3<f64>,
        moments: &Moments,
    ) -> Option<Derivatives> {
        let table: Vec<f64> = self
            .probability
            .iter()
            .enumerate()
            .map(|(at, p)| if *p > 0.0 { (p / self.moving_marginal[at % self.n_bins]).ln() } else { 0.0 })
            .collect();
        let means = self.mean_moving();
        let (sum, residual) = self.weighted_slopes(pairs, motion, center, &table, &means);
        let floor = moments.mm * 1e-3;
        if moments.mm <= 0.0 {
            return None;
        }
        let gradient = sum * (-self.moving.1 / moments.n);
        let hessian = &moments.gg / (residual / moments.n).max(floor);
        Some((-self.value(), gradient, hessian))
    }

    /// Sums over all pairs, in fixed pieces: derivatives weighted by what they change in the table, and squared distance from the
    /// mean moving value.
    fn weighted_slopes(
        &self,
        pairs: &[Pair],
        motion: Motion,
        center: Vector3<f64>,
        table: &[f64],
        means: &[f64],
    ) -> (DVector<f64>, f64) {
        let n = motion.n_parameters();
        let of_chunk = |chunk: &[Pair]| {
            let (mut sum, mut residual) = ([0.0; MAX_PARAMETERS], 0.0);
            for pair in chunk {
                let (row, u) = (self.row(pair.fixed), self.position(pair.moving));
                let first = u as usize - 1;
                let columns = &table[row * self.n_bins..(row + 1) * self.n_bins];
                let weight: f64 = (first..first + 4).map(|k| -cubic_slope(k as f64 - u) * columns[k]).sum();
                let g = motion.derivative(pair.gradient, pair.at - center);
                for a in 0..n {
                    sum[a] += weight * g[a];
                }
                residual += (pair.moving - means[row]).powi(2);
            }
            (sum, residual)
        };
        let pieces: Vec<([f64; MAX_PARAMETERS], f64)> = pairs.par_chunks(CHUNK).map(of_chunk).collect();
        let (mut sum, mut residual) = (DVector::zeros(n), 0.0);
        for (piece, r) in &pieces {
            for a in 0..n {
                sum[a] += piece[a];
            }
            residual += r;
        }
        (sum, residual)
    }
}

/// Cubic B-spline.
fn cubic(x: f64) -> f64 {
    let a = x.abs();
    if a < 1.0 {
        (4.0 - 6.0 * a * a + 3.0 * a * a * a) / 6.0
    } else if a < 2.0 {
        (2.0 - a).powi(3) / 6.0
    } else {
        0.0
    }
}

/// Derivative of the cubic B-spline.
fn cubic_slope(x: f64) -> f64 {
    let a = x.abs();
    let slope = if a < 1.0 {
        -2.0 * a + 1.5 * a * a
    } else if a < 2.0 {
        -0.5 * (2.0 - a).powi(2)
    } else {
        0.0
    };
    slope * x.signum()
}
