//! Margins over a surface as a weighted distribution: extremes, percentiles, the four classes and a histogram.
//!
//! Source: bins of Narayanan et al. 2024 and Sandu et al. 2021, half-open: <0, [0, 5), [5, 10), ≥10 mm.

use crate::space::{Patient, Point};
use crate::units::{Mm, Mm3};

/// A point of a surface and the area it stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: Point<Patient>,
    pub(crate) weight: f64,
}

/// The class of one margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarginBin {
    /// Below 0 mm: not covered.
    Below0,
    /// From 0 to under 5 mm.
    From0To5,
    /// From 5 to under 10 mm.
    From5To10,
    /// 10 mm and more.
    AtLeast10,
}

impl MarginBin {
    /// The class of a margin, half-open towards the larger.
    pub fn of(margin: Mm) -> Self {
        match margin.0 {
            m if m < 0.0 => Self::Below0,
            m if m < 5.0 => Self::From0To5,
            m if m < 10.0 => Self::From5To10,
            _ => Self::AtLeast10,
        }
    }
    /// As written in tables: `<0`, `0-5`, `5-10`, `>=10`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Below0 => "<0",
            Self::From0To5 => "0-5",
            Self::From5To10 => "5-10",
            Self::AtLeast10 => ">=10",
        }
    }
}

/// Share of the surface in each class; the four add up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarginFractions {
    /// Below 0 mm.
    pub lt0: f64,
    /// [0, 5) mm.
    pub from_0_to_5: f64,
    /// [5, 10) mm.
    pub from_5_to_10: f64,
    /// 10 mm and more.
    pub ge10: f64,
}

/// Share of the surface by margin in bins of equal width.
#[derive(Debug, Clone, PartialEq)]
pub struct MarginHistogram {
    /// Width of a bin, mm.
    pub bin_mm: f64,
    /// Lower edge of the first bin, mm; the first bin also holds everything below.
    pub from_mm: f64,
    /// Weight per bin (mm² of surface, or voxels), the last with everything above.
    pub weights: Vec<f64>,
}

/// Lower edge of the histogram's first bin, mm.
const HISTOGRAM_FROM_MM: f64 = -15.0;

/// Number of 1 mm bins: from −15 to 30 mm.
const N_BINS: usize = 45;

/// Margins and their weights, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct MarginDistribution {
    sorted: Vec<(f64, f64)>,
    total_weight: f64,
}

impl MarginDistribution {
    /// From (margin in mm, weight) pairs; `None` when there is none, a margin is not finite, or a weight is not positive.
    #[must_use]
    pub fn new(mut margins: Vec<(f64, f64)>) -> Option<Self> {
        if margins.is_empty() || !margins.iter().all(|(m, w)| m.is_finite() && w.is_finite() && *w > 0.0) {
            return None;
        }
        margins.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let total_weight = margins.iter().map(|(_, w)| w).sum();
        Some(Self { sorted: margins, total_weight })
    }

    /// The minimal margin.
    pub fn min(&self) -> Mm {
        Mm(self.sorted[0].0)
    }
    /// The largest margin.
    pub fn max(&self) -> Mm {
        Mm(self.sorted[self.sorted.len() - 1].0)
    }
    /// The mean margin.
    pub fn mean(&self) -> Mm {
        Mm(self.sorted.iter().map(|(m, w)| m * w).sum::<f64>() / self.total_weight)
    }
    /// How far the surface lies outside the zone, summed over its area: what of the tumour is uncovered by reaching out of the zone fills
    /// no more than this, mm³. Surface left out at the capsule is not in it.
    pub fn beyond_zone(&self) -> Mm3 {
        Mm3(self.sorted.iter().map(|(margin, area)| (-margin).max(0.0) * area).sum())
    }
    /// Number of surface points.
    pub fn n_samples(&self) -> usize {
        self.sorted.len()
    }
    /// The smallest margin up to which at least `percent` (0…100) of the surface lies.
    pub fn percentile(&self, percent: f64) -> Mm {
        let wanted = (percent / 100.0).clamp(0.0, 1.0) * self.total_weight;
        let mut below = 0.0;
        for (margin, weight) in &self.sorted {
            below += weight;
            if below >= wanted {
                return Mm(*margin);
            }
        }
        self.max()
    }
    /// Share of the surface in each class.
    pub fn fractions(&self) -> MarginFractions {
        let share = |bin: MarginBin| {
            let weights = self.sorted.iter().filter(|(m, _)| MarginBin::of(Mm(*m)) == bin).map(|(_, w)| w);
            // Adding 0 turns the −0 of an empty sum into 0.
            weights.sum::<f64>() / self.total_weight + 0.0
        };
        MarginFractions {
            lt0: share(MarginBin::Below0),
            from_0_to_5: share(MarginBin::From0To5),
            from_5_to_10: share(MarginBin::From5To10),
            ge10: share(MarginBin::AtLeast10),
        }
    }
    /// The histogram in bins of 1 mm from −15 mm.
    pub fn histogram(&self) -> MarginHistogram {
        let mut weights = vec![0.0; N_BINS];
        for (margin, weight) in &self.sorted {
            let bin = (margin - HISTOGRAM_FROM_MM).floor().clamp(0.0, (N_BINS - 1) as f64);
            weights[bin as usize] += weight;
        }
        MarginHistogram { bin_mm: 1.0, from_mm: HISTOGRAM_FROM_MM, weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_weighted_margins_by_hand() {
        let d = MarginDistribution::new(vec![(5.0, 2.0), (-1.0, 1.0), (12.0, 1.0), (4.999, 4.0)]).unwrap();
        assert_eq!((d.min(), d.max(), d.n_samples()), (Mm(-1.0), Mm(12.0), 4));
        assert!((d.mean().0 - (10.0 - 1.0 + 12.0 + 19.996) / 8.0).abs() < 1e-12);
        let f = d.fractions();
        assert_eq!((f.lt0, f.from_0_to_5, f.from_5_to_10, f.ge10), (0.125, 0.5, 0.25, 0.125));
        assert_eq!((d.percentile(1.0), d.percentile(12.5), d.percentile(50.0)), (Mm(-1.0), Mm(-1.0), Mm(4.999)));
        assert_eq!((d.percentile(75.0), d.percentile(100.0)), (Mm(5.0), Mm(12.0)));
        let h = d.histogram();
        assert_eq!((h.weights[14], h.weights[19], h.weights[20], h.weights[27]), (1.0, 4.0, 2.0, 1.0));
        assert_eq!(h.weights.iter().sum::<f64>(), 8.0);
        assert!(MarginDistribution::new(Vec::new()).is_none());
        assert!(MarginDistribution::new(vec![(f64::NAN, 1.0)]).is_none());
    }
}
