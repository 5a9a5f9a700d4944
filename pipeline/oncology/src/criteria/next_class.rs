//! How far the sum of the targets lies from the next response, in mm, and whether the error of measurement reaches that far.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.1 for the limits; errors of single diameters are independent, so that the
//! half-width of the sum is the root of the sum of their squares.

use super::response::TargetResponse;
use super::settings::Thresholds;
use super::table::{CriterionTable, PostCrReappearance};
use super::target::TargetHistory;
use crate::exact::Exact;

/// The response on the other side of the nearest limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NextClass {
    /// Which response.
    pub response: TargetResponse,
    /// By how much the sum would have to change, mm; negative: shrink.
    pub change_mm: f64,
}

impl NextClass {
    /// Whether an error of the sum of this half-width (95 %, mm) reaches the limit.
    pub fn is_within(&self, half_width_mm: f64) -> bool {
        self.change_mm.abs() <= half_width_mm
    }
}

/// Smallest sum that is progression, mm; for sentences and distances only, never for a rule.
pub(super) fn progression_from(nadir: Exact, thresholds: &Thresholds) -> f64 {
    let relative = nadir.to_f64() * (1.0 + f64::from(thresholds.pd_increase_percent.value) / 100.0);
    let absolute = nadir.to_f64() + thresholds.pd_abs_mm.value.to_f64();
    let from_zero = if nadir == Exact::ZERO { thresholds.nadir_zero_min_mm.value.to_f64() } else { 0.0 };
    relative.max(absolute).max(from_zero)
}

/// Largest sum that is a partial response, mm; for sentences and distances only.
pub(super) fn partial_up_to(baseline: Exact, thresholds: &Thresholds) -> f64 {
    baseline.to_f64() * (1.0 - f64::from(thresholds.pr_decrease_percent.value) / 100.0)
}

/// The nearest other response by the sum; `None` where no length decides (CR, NE, disease after a complete response).
pub(super) fn next_class(
    response: TargetResponse,
    sum: Exact,
    history: &TargetHistory,
    table: &CriterionTable,
) -> Option<NextClass> {
    use TargetResponse::{Partial, Progressive, Stable};
    let sum = sum.to_f64();
    let after_complete =
        history.overall_complete_reached && table.options.post_cr_reappearance.value == PostCrReappearance::Pd;
    let partial_limit = history.baseline.map(|baseline| partial_up_to(baseline, &table.thresholds));
    let progression_limit = progression_from(history.nadir.or(history.baseline)?, &table.thresholds);
    let partial_below = history.partial_established || partial_limit.is_some_and(|limit| progression_limit <= limit);
    let to = |response, limit: f64| NextClass { response, change_mm: limit - sum };
    match response {
        // Seen again after a complete response: no size changes that.
        Progressive if after_complete => None,
        Progressive if sum < progression_limit => None,
        Progressive => Some(to(if partial_below { Partial } else { Stable }, progression_limit)),
        Partial if partial_below => Some(to(Progressive, progression_limit)),
        Partial => Some(to(Stable, partial_limit?)),
        Stable => {
            let (up, down) = (to(Progressive, progression_limit), to(Partial, partial_limit?));
            Some(if up.change_mm <= -down.change_mm { up } else { down })
        }
        _ => None,
    }
}

/// Half-width of a sum from those of its parts (95 %, mm).
pub fn half_width_of_sum(half_widths_mm: &[f64]) -> f64 {
    half_widths_mm.iter().map(|half| half * half).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(response: TargetResponse, sum: i32, baseline: i32, nadir: i32) -> Option<(TargetResponse, f64)> {
        let history = TargetHistory {
            baseline: Some(Exact::whole(baseline)),
            nadir: Some(Exact::whole(nadir)),
            partial_established: false,
            overall_complete_reached: false,
        };
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        next_class(response, Exact::whole(sum), &history, &table).map(|next| (next.response, next.change_mm))
    }

    #[test]
    fn the_nearer_limit_is_named_with_its_sign() {
        use TargetResponse::{Complete, Partial, Progressive, Stable};
        assert_eq!(next(Stable, 80, 100, 75), Some((Progressive, 10.0)));
        assert_eq!(next(Stable, 73, 100, 73), Some((Partial, -3.0)));
        assert_eq!(next(Partial, 66, 100, 66), Some((Stable, 4.0)));
        assert_eq!(next(Progressive, 96, 100, 75), Some((Stable, -6.0)));
        // PD already at 60 mm: a partial response turns into it directly.
        assert_eq!(next(Partial, 55, 100, 50), Some((Progressive, 5.0)));
        assert_eq!(next(Complete, 0, 100, 50), None);
    }

    #[test]
    fn after_a_complete_response_no_sum_would_change_progression() {
        let history = TargetHistory {
            baseline: Some(Exact::whole(100)),
            nadir: Some(Exact::ZERO),
            partial_established: true,
            overall_complete_reached: true,
        };
        let table = CriterionTable::built_in("recist_1_1").unwrap();
        assert_eq!(next_class(TargetResponse::Progressive, Exact::whole(14), &history, &table), None);
    }

    #[test]
    fn errors_add_up_as_squares() {
        assert_eq!(half_width_of_sum(&[3.0, 4.0]), 5.0);
        let next = NextClass { response: TargetResponse::Stable, change_mm: -3.0 };
        assert!(next.is_within(3.0) && !next.is_within(2.9));
    }
}
