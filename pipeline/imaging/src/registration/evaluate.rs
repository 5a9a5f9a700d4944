//! Likeness of the two images for one placement, with its first and an approximate second derivative.
//!
//! For both metrics the cost falls when the images become more alike. Sums are taken over fixed chunks and added in order, so the
//! number of threads changes no bit.

use nalgebra::{DMatrix, DVector, Vector3};
use rayon::prelude::*;

use super::joint::Joint;
use super::level::Level;
use super::moments::{Moments, Sums};
use super::motion::Motion;
use super::options::Metric;
use super::sample::Sample;
use crate::{Affine, Patient, Point};

/// Samples summed as one piece, at any number of threads.
pub(super) const CHUNK: usize = 2048;
/// Smoothed share of excluded tissue above which a point of the moving image is not compared.
pub(super) const EXCLUDED_SHARE: f32 = 0.05;
/// Bins for the few samples of a search: a coarse table keeps the estimate from rewarding chance.
const MAX_SEARCH_BINS: usize = 16;

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
    /// Gradient of the moving image, per mm.
    pub(super) gradient: Vector3<f64>,
    /// Where it landed.
    pub(super) at: Vector3<f64>,
}

/// How many samples landed, and how many fell beside the moving image; those in excluded tissue are neither.
#[derive(Debug, Clone, Copy, Default)]
struct Landed {
    inside: usize,
    outside: usize,
}

impl Landed {
    fn overlap(self) -> f64 {
        self.inside as f64 / (self.inside + self.outside).max(1) as f64
    }
}

impl Problem<'_> {
    /// The likeness itself: correlation, or mutual information in nats.
    pub(super) fn likeness(&self, cost: f64) -> f64 {
        match self.metric {
            Metric::NormalizedCorrelation => 1.0 - cost,
            Metric::MattesMutualInformation { .. } => -cost,
        }
    }

    /// The pairs of some samples, in order, counted on the way.
    fn land<'b>(
        &'b self,
        samples: &'b [Sample],
        fixed_to_moving: &Affine<Patient, Patient>,
        landed: &'b mut Landed,
    ) -> impl Iterator<Item = Pair> + 'b {
        let (linear, shift) = (fixed_to_moving.linear(), fixed_to_moving.translation());
        samples.iter().filter_map(move |sample| {
            let at = linear * sample.at + shift;
            if self.is_excluded(at) {
                return None;
            }
            let Some((moving, gradient)) = self.moving.value_and_gradient(at) else {
                landed.outside += 1;
                return None;
            };
            landed.inside += 1;
            Some(Pair { fixed: sample.value, moving, gradient, at })
        })
    }

    fn is_excluded(&self, at: Vector3<f64>) -> bool {
        self.moving_excluded.and_then(|level| level.value(at)).is_some_and(|share| share > EXCLUDED_SHARE)
    }

    /// The samples that land, in order, and the part of the samples that does (those in excluded tissue left aside).
    pub(super) fn pairs(&self, fixed_to_moving: &Affine<Patient, Patient>) -> (Vec<Pair>, f64) {
        let pieces: Vec<(Vec<Pair>, Landed)> = self
            .samples
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut landed = Landed::default();
                (self.land(chunk, fixed_to_moving, &mut landed).collect(), landed)
            })
            .collect();
        let mut all = Landed::default();
        for (_, landed) in &pieces {
            all.inside += landed.inside;
            all.outside += landed.outside;
        }
        (pieces.into_iter().flat_map(|(pairs, _)| pairs).collect(), all.overlap())
    }

    /// Cost and derivatives; `None` when too few samples land or one of the images is constant there.
    pub(super) fn evaluate(
        &self,
        fixed_to_moving: &Affine<Patient, Patient>,
        motion: Motion,
        center: Vector3<f64>,
    ) -> Option<Evaluation> {
        let (overlap, n, (cost, gradient, hessian)) = match self.metric {
            Metric::NormalizedCorrelation => {
                let (sums, landed) = self.sums(fixed_to_moving, motion, center);
                (landed.overlap(), landed.inside, Moments::of(&sums, motion)?.correlation()?)
            }
            Metric::MattesMutualInformation { n_bins } => {
                let (pairs, overlap) = self.pairs(fixed_to_moving);
                let moments = Moments::of(&sums_of(&pairs, motion, center), motion)?;
                let joint = Joint::of(&pairs, n_bins, self.fixed_range, self.moving_range);
                (overlap, pairs.len(), joint.information(&pairs, motion, center, &moments)?)
            }
        };
        Some(Evaluation { cost, overlap, gradient, hessian, n })
    }

    fn sums(&self, fixed_to_moving: &Affine<Patient, Patient>, motion: Motion, center: Vector3<f64>) -> (Sums, Landed) {
        let pieces: Vec<(Sums, Landed)> = self
            .samples
            .par_chunks(CHUNK)
            .map(|chunk| {
                let (mut sums, mut landed) = (Sums::ZERO, Landed::default());
                sums.take(self.land(chunk, fixed_to_moving, &mut landed), motion, center);
                (sums, landed)
            })
            .collect();
        let (mut sums, mut all) = (Sums::ZERO, Landed::default());
        for (piece, landed) in &pieces {
            sums.add(piece);
            all.inside += landed.inside;
            all.outside += landed.outside;
        }
        (sums, all)
    }

    /// Cost and overlap alone, in one thread: for the many placements of the search for a start.
    pub(super) fn cost(&self, fixed_to_moving: &Affine<Patient, Patient>) -> Option<(f64, f64)> {
        let (linear, shift) = (fixed_to_moving.linear(), fixed_to_moving.translation());
        let mut landed = Landed::default();
        let values = self.samples.iter().filter_map(|sample| {
            let at = linear * sample.at + shift;
            if self.is_excluded(at) {
                return None;
            }
            let Some(moving) = self.moving.value(at) else {
                landed.outside += 1;
                return None;
            };
            landed.inside += 1;
            Some((sample.value, f64::from(moving)))
        });
        let cost = match self.metric {
            Metric::NormalizedCorrelation => correlation(values).map(|r| 1.0 - r)?,
            Metric::MattesMutualInformation { n_bins } => {
                let pairs: Vec<Pair> = values
                    .map(|(fixed, moving)| Pair { fixed, moving, gradient: Vector3::zeros(), at: Vector3::zeros() })
                    .collect();
                if pairs.is_empty() {
                    return None;
                }
                let n_bins = n_bins.min(MAX_SEARCH_BINS);
                -Joint::of(&pairs, n_bins, self.fixed_range, self.moving_range).value()
            }
        };
        Some((cost, landed.overlap()))
    }

    /// Where the samples' middle is put.
    pub(super) fn middle(&self) -> Point<Patient> {
        let sum = self.samples.iter().fold(Vector3::zeros(), |sum, s| sum + s.at);
        Point::from_coords(sum / self.samples.len().max(1) as f64)
    }
}

fn sums_of(pairs: &[Pair], motion: Motion, center: Vector3<f64>) -> Sums {
    let pieces: Vec<Sums> = pairs
        .par_chunks(CHUNK)
        .map(|chunk| {
            let mut sums = Sums::ZERO;
            sums.take(chunk.iter().copied(), motion, center);
            sums
        })
        .collect();
    let mut sums = Sums::ZERO;
    for piece in &pieces {
        sums.add(piece);
    }
    sums
}

/// Pearson's correlation; `None` when one side is constant.
fn correlation(pairs: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (mut n, mut f, mut m, mut ff, mut mm, mut fm) = (0.0_f64, 0.0, 0.0, 0.0_f64, 0.0_f64, 0.0);
    for (fixed, moving) in pairs {
        n += 1.0;
        f += fixed;
        m += moving;
        ff += fixed * fixed;
        mm += moving * moving;
        fm += fixed * moving;
    }
    let spread = ((ff - f * f / n) * (mm - m * m / n)).sqrt();
    (spread > 0.0).then(|| (fm - f * m / n) / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_of_four_pairs_by_hand() {
        // Means 2.5 and 3; sums of squares 5 and 8; of products 6.
        let pairs = [(1.0, 1.0), (2.0, 3.0), (3.0, 3.0), (4.0, 5.0)];
        let want = 6.0 / (5.0_f64 * 8.0).sqrt();
        assert!((correlation(pairs.into_iter()).unwrap() - want).abs() < 1e-12);
        assert!(correlation([(1.0, 2.0), (2.0, 2.0)].into_iter()).is_none());
    }
}
