//! How unlikely it is that a finding is a known lesion, as a cost: minus the logarithm of a likelihood ratio, up to a constant.
//!
//! Distances are counted in units of their own error and have heavy tails (Student's t in three dimensions: Lange, Little and
//! Taylor 1989), as registrations fail more often than a normal law says; volumes change by a log-normal factor with heavy tails.
//! The constants were tuned on synthetic courses of seeds 1 and 2 (`test_data/oracles/tracking`), which no stored figure uses.

use imaging::{Patient, Point};

/// What a pair that must not be made costs: more than leaving everything alone.
pub(super) const FORBIDDEN: f64 = 1e4;
/// What it costs that a finding is new.
pub(super) const NEW: f64 = 5.0;
/// What it costs that a lesion, imaged and not treated, is seen no more.
pub(super) const ABSENT: f64 = 2.0;
/// What it costs that a lesion is seen in one more piece.
pub(super) const SPLIT: f64 = 4.0;
/// What it costs that one more lesion has grown together with its neighbour.
pub(super) const MERGED: f64 = 2.0;

/// Freedom of Student's t for distances: tails as of one visit in twenty that errs by far more than the rest.
const FREEDOM: f64 = 6.0;
/// One standard deviation of the natural logarithm of the volume from visit to visit.
const LOG_VOLUME: f64 = 0.9;
/// How much of a distance counts where one outline lies within the other: a leak, a cut or a fusion moves the centre.
const WITHIN: f64 = 0.35;

/// Error of a centre by the outline alone, mm per axis: half a slice, and a share of the lesion's reach.
pub(super) fn outline_error_mm(reach_mm: f64) -> f64 {
    1.2 + 0.12 * reach_mm
}

/// Cost of a distance with the error `sigma` per axis, both in mm.
pub(super) fn misplacement(distance: f64, sigma: f64) -> f64 {
    let x = distance / sigma.max(1e-6);
    0.5 * (FREEDOM + 3.0) * (x * x / FREEDOM).ln_1p()
}

/// Cost of a change of volume; nothing where one is not known.
pub(super) fn resizing(before: f64, now: f64) -> f64 {
    if before <= 0.0 || now <= 0.0 {
        return 0.0;
    }
    let x = (now / before).ln() / LOG_VOLUME;
    2.0 * (x * x / 4.0).ln_1p()
}

/// A distance as it counts where `share` of one outline lies within the other.
pub(super) fn counted_distance(a: Point<Patient>, b: Point<Patient>, share: f64) -> f64 {
    a.distance(b) * (1.0 - (1.0 - WITHIN) * share.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_grow_with_distance_slowly_in_the_tails_and_volumes_count_both_ways() {
        assert_eq!(misplacement(0.0, 2.0), 0.0);
        // x = 1 and 2 by hand: 4.5 · ln(1 + 1/6) and 4.5 · ln(1 + 4/6).
        assert!((misplacement(2.0, 2.0) - 0.693_680).abs() < 1e-5);
        assert!((misplacement(4.0, 2.0) - 2.298_715).abs() < 1e-5);
        assert!(misplacement(40.0, 2.0) < 0.5 * 20.0 * 20.0, "heavier than normal");
        assert!((resizing(100.0, 300.0) - resizing(300.0, 100.0)).abs() < 1e-12);
        assert_eq!(resizing(0.0, 300.0), 0.0);
        let (a, b) = (Point::new(0.0, 0.0, 0.0), Point::new(10.0, 0.0, 0.0));
        assert_eq!((counted_distance(a, b, 0.0), counted_distance(a, b, 1.0)), (10.0, 3.5));
    }
}
