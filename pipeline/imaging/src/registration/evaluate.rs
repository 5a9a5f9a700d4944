//! Likeness of the two images for one placement, with its first and an approximate second derivative.
//!
//! For both metrics the cost falls when the images become more alike. Sums are taken over fixed chunks and added in order, so the
//! number of threads changes no bit.

use nalgebra::{DMatrix, DVector, Vector3};
use rayon::prelude::*;

use super::level::Level;
use super::motion::{MAX_PARAMETERS, Motion};
use super::options::Metric;
use super::sample::Sample;
use crate::{Affine, Patient, Point};

/// Samples summed as one piece, at any number of threads.
const CHUNK: usize = 2048;
/// Smoothed share of excluded tissue above which a point of the moving image is not compared.
pub(super) const EXCLUDED_SHARE: f32 = 0.05;

/// What a placement is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Problem<'a> {
    /// Points of the fixed image.
    pub(super) samples: &'a [Sample],
    /// The moving image.
    pub(super) moving: &'a Level,
    /// Smoothed share of excluded tissue in the moving image.
    pub(super) moving_excluded: Option<&'a Level>,
    /// The likeness.
    pub(super) metric: Metric,
    /// Range of the fixed values.
    pub(super) fixed_range: (f64, f64),
    /// Range of the moving values.
    pub(super) moving_range: (f64, f64),
}

/// Cost and derivatives of one placement.
#[derive(Debug, Clone)]
pub(super) struct Evaluation {
    /// 1 − correlation, or minus mutual information.
    pub(super) cost: f64,
    /// Part of the samples that lands in the moving image, 0 to 1.
    pub(super) overlap: f64,
    /// Derivative of the cost.
    pub(super) gradient: DVector<f64>,
    /// Gauss–Newton approximation of the second derivative.
    pub(super) hessian: DMatrix<f64>,
    /// Samples that took part.
    pub(super) n: usize,
}

/// A sample that landed in the moving image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// Value of the fixed image.
    pub(super) fixed: f64,
    /// Value of the moving image.
    pub(super) moving: f64,
    gradient: Vector3<f64>,
    at: Vector3<f64>,
}

impl Problem<'_> {
    /// The likeness itself: correlation, or mutual information in nats.
    pub(super) fn likeness(&self, cost: f64) -> f64 {
        match self.metric {
            Metric::NormalizedCorrelation => 1.0 - cost,
            Metric::MattesMutualInformation { .. } => -cost,
        }
    }

    fn land(&self, sample: &Sample, fixed_to_moving: &Affine<Patient, Patient>) -> Landing {
        let at = fixed_to_moving.apply(Point::from_coords(sample.at)).coords;
        if let Some(excluded) = self.moving_excluded
            && excluded.value(at).is_some_and(|share| share > EXCLUDED_SHARE)
        {
            return Landing::Excluded;
        }
        match self.moving.value_and_gradient(at) {
            Some((moving, gradient)) => Landing::Pair(Pair { fixed: sample.value, moving, gradient, at }),
            None => Landing::Outside,
        }
    }

    /// The samples that land, in order, and the part of the samples that does (those in excluded tissue left aside).
    pub(super) fn pairs(&self, fixed_to_moving: &Affine<Patient, Patient>) -> (Vec<Pair>, f64) {
        let landings: Vec<Landing> = self.samples.par_iter().map(|s| self.land(s, fixed_to_moving)).collect();
        let outside = landings.iter().filter(|l| matches!(l, Landing::Outside)).count();
        let pairs: Vec<Pair> =
            landings.into_iter().filter_map(|l| if let Landing::Pair(pair) = l { Some(pair) } else { None }).collect();
        let overlap = pairs.len() as f64 / (pairs.len() + outside).max(1) as f64;
        (pairs, overlap)
    }

    /// Cost and derivatives; `None` when too few samples land or one of the images is constant there.
    pub(super) fn evaluate(
        &self,
        fixed_to_moving: &Affine<Patient, Patient>,
        motion: Motion,
        center: Vector3<f64>,
    ) -> Option<Evaluation> {
        let (pairs, overlap) = self.pairs(fixed_to_moving);
        let moments = Moments::of(&pairs, motion, center)?;
        let (cost, gradient, hessian) = match self.metric {
            Metric::NormalizedCorrelation => moments.correlation()?,
            Metric::MattesMutualInformation { n_bins } => {
                let joint = Joint::of(&pairs, n_bins, self.fixed_range, self.moving_range);
                joint.information(&pairs, motion, center, &moments)?
            }
        };
        Some(Evaluation { cost, overlap, gradient, hessian, n: pairs.len() })
    }

    /// Cost and overlap alone, in one thread: for the many placements of the search for a start.
    pub(super) fn cost(&self, fixed_to_moving: &Affine<Patient, Patient>) -> Option<(f64, f64)> {
        let (mut n, mut outside) = (0.0_f64, 0.0_f64);
        let (mut f, mut m, mut ff, mut mm, mut fm) = (0.0, 0.0, 0.0_f64, 0.0_f64, 0.0);
        let mut pairs = Vec::new();
        let (linear, shift) = (fixed_to_moving.linear(), fixed_to_moving.translation());
        let keep_pairs = self.metric != Metric::NormalizedCorrelation;
        for sample in self.samples {
            let at = linear * sample.at + shift;
            if self.moving_excluded.and_then(|e| e.value(at)).is_some_and(|share| share > EXCLUDED_SHARE) {
                continue;
            }
            let Some(moving) = self.moving.value(at).map(f64::from) else {
                outside += 1.0;
                continue;
            };
            let fixed = sample.value;
            n += 1.0;
            f += fixed;
            m += moving;
            ff += fixed * fixed;
            mm += moving * moving;
            fm += fixed * moving;
            if keep_pairs {
                pairs.push(Pair { fixed, moving, gradient: Vector3::zeros(), at });
            }
        }
        let overlap = n / (n + outside).max(1.0);
        let cost = match self.metric {
            Metric::NormalizedCorrelation => {
                let spread = ((ff - f * f / n) * (mm - m * m / n)).sqrt();
                (spread > 0.0).then(|| 1.0 - (fm - f * m / n) / spread)
            }
            // Few samples fill few bins: a coarse table keeps the estimate from rewarding chance.
            Metric::MattesMutualInformation { n_bins } => (!pairs.is_empty())
                .then(|| -Joint::of(&pairs, n_bins.min(16), self.fixed_range, self.moving_range).value()),
        }?;
        Some((cost, overlap))
    }
}

enum Landing {
    Pair(Pair),
    Excluded,
    Outside,
}

type Derivatives = (f64, DVector<f64>, DMatrix<f64>);

/// Means, variances and covariances of the two values and of the derivatives of the moving one.
pub(super) struct Moments {
    n: f64,
    f: f64,
    m: f64,
    ff: f64,
    mm: f64,
    fm: f64,
    gf: DVector<f64>,
    gm: DVector<f64>,
    gg: DMatrix<f64>,
}

#[derive(Clone)]
struct Sums {
    values: [f64; 5],
    g: [f64; MAX_PARAMETERS],
    gf: [f64; MAX_PARAMETERS],
    gm: [f64; MAX_PARAMETERS],
    gg: [[f64; MAX_PARAMETERS]; MAX_PARAMETERS],
}

impl Sums {
    const ZERO: Self = Self {
        values: [0.0; 5],
        g: [0.0; MAX_PARAMETERS],
        gf: [0.0; MAX_PARAMETERS],
        gm: [0.0; MAX_PARAMETERS],
        gg: [[0.0; MAX_PARAMETERS]; MAX_PARAMETERS],
    };

    fn of(pairs: &[Pair], motion: Motion, center: Vector3<f64>) -> Self {
        let (mut s, n) = (Self::ZERO, motion.n_parameters());
        for pair in pairs {
            let (f, m) = (pair.fixed, pair.moving);
            let g = motion.derivative(pair.gradient, pair.at - center);
            for (sum, v) in s.values.iter_mut().zip([f, m, f * f, m * m, f * m]) {
                *sum += v;
            }
            for a in 0..n {
                s.g[a] += g[a];
                s.gf[a] += g[a] * f;
                s.gm[a] += g[a] * m;
                for b in a..n {
                    s.gg[a][b] += g[a] * g[b];
                }
            }
        }
        s
    }

    fn add(&mut self, other: &Self) {
        for (a, b) in self.values.iter_mut().zip(other.values) {
            *a += b;
        }
        for a in 0..MAX_PARAMETERS {
            self.g[a] += other.g[a];
            self.gf[a] += other.gf[a];
            self.gm[a] += other.gm[a];
            for b in a..MAX_PARAMETERS {
                self.gg[a][b] += other.gg[a][b];
            }
        }
    }
}

impl Moments {
    fn of(pairs: &[Pair], motion: Motion, center: Vector3<f64>) -> Option<Self> {
        if pairs.len() < 8 {
            return None;
        }
        let pieces: Vec<Sums> = pairs.par_chunks(CHUNK).map(|chunk| Sums::of(chunk, motion, center)).collect();
        let mut s = Sums::ZERO;
        for piece in &pieces {
            s.add(piece);
        }
        let n = pairs.len() as f64;
        let p = motion.n_parameters();
        let [f, m, ff, mm, fm] = s.values.map(|v| v / n);
        let g = DVector::from_fn(p, |a, _| s.g[a] / n);
        Some(Self {
            n,
            f,
            m,
            ff: ff - f * f,
            mm: mm - m * m,
            fm: fm - f * m,
            gf: DVector::from_fn(p, |a, _| s.gf[a] / n - g[a] * f),
            gm: DVector::from_fn(p, |a, _| s.gm[a] / n - g[a] * m),
            gg: DMatrix::from_fn(p, p, |a, b| s.gg[a.min(b)][a.max(b)] / n - g[a] * g[b]),
        })
    }

    /// Cost 1 − r of the correlation r. With unit-norm images the cost is half the squared difference; its Gauss–Newton matrix is
    /// the covariance of the derivatives, less their part along the image itself, over the image's variance.
    fn correlation(&self) -> Option<Derivatives> {
        let spread = (self.ff * self.mm).sqrt();
        if spread <= f64::EPSILON * (self.f * self.f + self.m * self.m + 1.0) {
            return None;
        }
        let gradient = -(&self.gf - &self.gm * (self.fm / self.mm)) / spread;
        let hessian = (&self.gg - &self.gm * self.gm.transpose() / self.mm) / self.mm;
        Some((1.0 - self.fm / spread, gradient, hessian))
    }
}

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
            let first = u.floor() as usize - 1;
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
    fn value(&self) -> f64 {
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
    fn information(
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
        let n = motion.n_parameters();
        let pieces: Vec<([f64; MAX_PARAMETERS], f64)> = pairs
            .par_chunks(CHUNK)
            .map(|chunk| {
                let (mut sum, mut residual) = ([0.0; MAX_PARAMETERS], 0.0);
                for pair in chunk {
                    let (row, u) = (self.row(pair.fixed), self.position(pair.moving));
                    let first = u.floor() as usize - 1;
                    let weight: f64 =
                        (first..first + 4).map(|k| -cubic_slope(k as f64 - u) * table[row * self.n_bins + k]).sum();
                    let g = motion.derivative(pair.gradient, pair.at - center);
                    for a in 0..n {
                        sum[a] += weight * g[a];
                    }
                    residual += (pair.moving - means[row]).powi(2);
                }
                (sum, residual)
            })
            .collect();
        let (mut sum, mut residual) = (DVector::zeros(n), 0.0);
        for (piece, r) in &pieces {
            for a in 0..n {
                sum[a] += piece[a];
            }
            residual += r;
        }
        let floor = moments.mm * 1e-3;
        if moments.mm <= 0.0 {
            return None;
        }
        let gradient = sum * (-self.moving.1 / moments.n);
        let hessian = &moments.gg / (residual / moments.n).max(floor);
        Some((-self.value(), gradient, hessian))
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
