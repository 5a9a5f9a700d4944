//! Means, variances and covariances of the two images' values and of the derivatives of the moving one; correlation from them.
//!
//! Correlation follows Evangelidis and Psarakis, *IEEE TPAMI* 2008;30:1858 (enhanced correlation coefficient).

use nalgebra::{DMatrix, DVector, Vector3};

use super::evaluate::Pair;
use super::motion::{MAX_PARAMETERS, Motion};

/// Cost, its gradient, and the Gauss–Newton approximation of its second derivative.
pub(super) type Derivatives = (f64, DVector<f64>, DMatrix<f64>);

/// Fewest pairs from which moments are stated.
const MIN_PAIRS: usize = 8;

/// Moments of all pairs.
pub(super) struct Moments {
    /// Number of pairs.
    pub(super) n: f64,
    f: f64,
    m: f64,
    ff: f64,
    /// Variance of the moving values.
    pub(super) mm: f64,
    fm: f64,
    gf: DVector<f64>,
    gm: DVector<f64>,
    /// Covariance of the derivatives.
    pub(super) gg: DMatrix<f64>,
}

/// Plain sums over some pairs.
#[derive(Clone)]
pub(super) struct Sums {
    n: usize,
    values: [f64; 5],
    g: [f64; MAX_PARAMETERS],
    gf: [f64; MAX_PARAMETERS],
    gm: [f64; MAX_PARAMETERS],
    gg: [[f64; MAX_PARAMETERS]; MAX_PARAMETERS],
}

impl Sums {
    /// Nothing summed yet.
    pub(super) const ZERO: Self = Self {
        n: 0,
        values: [0.0; 5],
        g: [0.0; MAX_PARAMETERS],
        gf: [0.0; MAX_PARAMETERS],
        gm: [0.0; MAX_PARAMETERS],
        gg: [[0.0; MAX_PARAMETERS]; MAX_PARAMETERS],
    };

    /// Adds pairs, in order; the motion's number of parameters is fixed at compile time so that the inner loops unroll.
    pub(super) fn take(&mut self, pairs: impl Iterator<Item = Pair>, motion: Motion, center: Vector3<f64>) {
        match motion {
            Motion::Translation => self.take_n::<3>(pairs, motion, center),
            Motion::Rigid => self.take_n::<6>(pairs, motion, center),
            Motion::Affine => self.take_n::<MAX_PARAMETERS>(pairs, motion, center),
        }
    }

    fn take_n<const N: usize>(&mut self, pairs: impl Iterator<Item = Pair>, motion: Motion, center: Vector3<f64>) {
        for pair in pairs {
            let (f, m) = (pair.fixed, pair.moving);
            let g = motion.derivative(pair.gradient, pair.at - center);
            self.n += 1;
            for (sum, v) in self.values.iter_mut().zip([f, m, f * f, m * m, f * m]) {
                *sum += v;
            }
            for a in 0..N {
                self.g[a] += g[a];
                self.gf[a] += g[a] * f;
                self.gm[a] += g[a] * m;
                for b in a..N {
                    self.gg[a][b] += g[a] * g[b];
                }
            }
        }
    }

    /// Adds the sums over other pairs.
    pub(super) fn add(&mut self, other: &Self) {
        self.n += other.n;
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
    /// From sums; `None` for too few pairs.
    pub(super) fn of(s: &Sums, motion: Motion) -> Option<Self> {
        if s.n < MIN_PAIRS {
            return None;
        }
        let n = s.n as f64;
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

    /// Cost 1 − r of the correlation r; `None` when one of the images is constant. With unit-norm images the cost is half the
    /// squared difference; its Gauss–Newton matrix is the covariance of the derivatives, less their part along the image itself,
    /// over the image's variance.
    pub(super) fn correlation(&self) -> Option<Derivatives> {
        let spread = (self.ff * self.mm).sqrt();
        let constant = f64::EPSILON * (self.f * self.f + self.m * self.m + 1.0);
        if spread.is_nan() || spread <= constant {
            return None;
        }
        let gradient = -(&self.gf - &self.gm * (self.fm / self.mm)) / spread;
        let hessian = (&self.gg - &self.gm * self.gm.transpose() / self.mm) / self.mm;
        Some((1.0 - self.fm / spread, gradient, hessian))
    }
}
