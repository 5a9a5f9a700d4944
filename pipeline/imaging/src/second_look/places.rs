//! The contrast of a stencil at a place, and the same at every other place of the organ.

use rayon::prelude::*;

use super::scene::Scene;
use super::template::{Offset, Template};
use super::{MAX_PLACES, MIN_PLACES, NotSeen};

/// Part of the inside that must lie in open tissue for a place to be compared.
const OPEN_INSIDE: f64 = 0.9;
/// The same where a place is only looked at.
pub(super) const OPEN_AT_ALL: f64 = 0.5;
/// Part of the ring that must be open, so that there is something to hold the inside against.
const OPEN_RING: f64 = 0.25;
/// Places tried for each one wanted.
const TRIES: usize = 12;
/// From one place to the next one tried, a prime: they are spread over the organ, the same ones every time.
const STEP: usize = 104_729;
/// Standard deviation of normal values over their median distance from the median.
const NORMAL_MAD: f64 = 1.482_6;

/// The surroundings of a place: middle and spread of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ring {
    pub(super) median: f64,
    pub(super) sd: f64,
}

impl Scene {
    fn open_share(&self, at: Offset, offsets: &[Offset]) -> f64 {
        let is_open = |offset: &&Offset| self.linear(at, **offset).is_some_and(|n| self.is_open[n]);
        offsets.iter().filter(is_open).count() as f64 / offsets.len().max(1) as f64
    }

    /// The surroundings of a place, of open tissue; `None` where there is too little of it.
    pub(super) fn ring(&self, at: Offset, template: &Template) -> Option<Ring> {
        let open = template.ring.iter().filter_map(|offset| self.linear(at, *offset)).filter(|n| self.is_open[*n]);
        let mut values: Vec<f64> = open.map(|n| f64::from(self.values[n])).collect();
        if (values.len() as f64) < OPEN_RING * template.ring.len() as f64 || values.is_empty() {
            return None;
        }
        let median = middle(&mut values);
        let mut far: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
        Some(Ring { median, sd: NORMAL_MAD * middle(&mut far) })
    }

    /// Mean of what of a stencil's inside is open; `None` where that is less than the share named.
    pub(super) fn mean(&self, at: Offset, shift: Offset, offsets: &[Offset], open: f64) -> Option<f64> {
        let from = [at[0] + shift[0], at[1] + shift[1], at[2] + shift[2]];
        let (mut n, mut sum) = (0_usize, 0.0);
        for value in offsets.iter().filter_map(|offset| self.linear(from, *offset)).filter(|n| self.is_open[*n]) {
            (n, sum) = (n + 1, sum + f64::from(self.values[value]));
        }
        (n as f64 >= open * offsets.len() as f64 && n > 0).then(|| sum / n as f64)
    }

    /// For each size the largest contrast, counted along `sign`, over its shifts.
    pub(super) fn contrasts(&self, at: Offset, template: &Template, sign: f64) -> Option<Vec<f64>> {
        let around = self.ring(at, template)?.median;
        let of_size = |size: &super::template::Size| {
            let shifted = size.shifts.iter().filter_map(|shift| self.mean(at, *shift, &size.inside, OPEN_INSIDE));
            let found = shifted.map(|mean| sign * (mean - around)).fold(f64::NEG_INFINITY, f64::max);
            // At the organ's border no place of the search lies wholly in it.
            let own = || self.mean(at, [0; 3], &size.inside, OPEN_AT_ALL).map(|mean| sign * (mean - around));
            if found.is_finite() { found } else { own().unwrap_or(f64::NEG_INFINITY) }
        };
        let found: Vec<f64> = template.sizes.iter().map(of_size).collect();
        found.iter().all(|c| c.is_finite()).then_some(found)
    }

    /// Whether a place is in the organ at all.
    pub(super) fn is_in_organ(&self, at: Offset, template: &Template) -> bool {
        self.open_share(at, &template.inside) >= OPEN_AT_ALL && self.ring(at, template).is_some()
    }

    /// Whether a place may be compared with another.
    pub(super) fn is_comparable(&self, at: Offset, template: &Template) -> bool {
        self.open_share(at, &template.inside) >= OPEN_INSIDE && self.ring(at, template).is_some()
    }

    /// Other places of the organ, the same ones every time, none of them within `apart_mm` of the stencil's own.
    pub(super) fn other_places(&self, template: &Template, apart_mm: f64) -> Result<Vec<Offset>, NotSeen> {
        let open: Vec<usize> = (0..self.is_open.len()).filter(|n| self.is_open[*n]).collect();
        let spacing = self.grid.spacing_mm();
        let step = STEP % open.len().max(1);
        let tried = (0..open.len().min(TRIES * MAX_PLACES)).map(|n| self.place(open[n * step.max(1) % open.len()]));
        let tried: Vec<Offset> = tried.collect();
        let is_wanted = |at: &Offset| {
            let mm: f64 = (0..3).map(|a| (f64::from(at[a] - template.at[a]) * spacing[a]).powi(2)).sum::<f64>().sqrt();
            mm > apart_mm && self.is_comparable(*at, template)
        };
        let mut places: Vec<Offset> = tried.into_par_iter().filter(is_wanted).collect();
        places.truncate(MAX_PLACES);
        if places.len() < MIN_PLACES { Err(NotSeen::TooFewPlaces { n: places.len() }) } else { Ok(places) }
    }
}

/// How a value stands among others: the share of them that is at least as large, itself counted.
pub(super) fn share_as_large(value: f64, others: &[f64]) -> f64 {
    let n = others.iter().filter(|other| **other >= value).count();
    (n + 1) as f64 / (others.len() + 1) as f64
}

/// Median and robust spread of one number over places.
pub(super) fn spread(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    let median = middle(&mut sorted);
    let mut far: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
    (median, (NORMAL_MAD * middle(&mut far)).max(f64::MIN_POSITIVE))
}

/// The median; the upper one of two. Not for an empty slice.
pub(super) fn middle(values: &mut [f64]) -> f64 {
    let at = values.len() / 2;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}
