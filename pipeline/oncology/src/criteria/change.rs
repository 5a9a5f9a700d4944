//! Whether a quantity rose or fell by a share, exactly.
//!
//! Source: criteria conventions of the project: comparisons are integer cross-multiplications, percentages are never rounded
//! before they are compared.

use std::cmp::Ordering;

use crate::exact::Exact;

pub(super) use super::settings::PdComparison as Limit;

/// Whether `now` lies above `reference` by the percentage, inclusive or not. From a reference of 0 any growth does.
pub(super) fn has_risen(now: Exact, reference: Exact, percent: Exact, limit: Limit) -> bool {
    now > reference && meets(now - reference, reference, percent, limit)
}

/// Whether `now` lies below `reference` by the percentage, inclusive or not.
pub(super) fn has_fallen(now: Exact, reference: Exact, percent: Exact, limit: Limit) -> bool {
    now < reference && meets(reference - now, reference, percent, limit)
}

fn meets(difference: Exact, reference: Exact, percent: Exact, limit: Limit) -> bool {
    let hundred = Exact::whole(100);
    match difference.cmp_scaled(hundred.millionths(), reference, percent.millionths()) {
        Ordering::Greater => true,
        Ordering::Equal => limit == Limit::AtLeast,
        Ordering::Less => false,
    }
}

/// The change for a sentence, signed: `+26.3 %`; `from 0` where there is no percentage.
pub(super) fn signed_percent(now: Exact, reference: Exact) -> String {
    match now.ratio(reference) {
        None => "from 0".to_owned(),
        Some(ratio) => {
            let change = (ratio - 1.0) * 100.0;
            let shown = format!("{change:+.1}");
            // One decimal would hide on which side of a whole limit the change lies.
            let hides = shown.ends_with(".0") && change.fract().abs() > 1e-9;
            if hides { format!("{change:+.4} %") } else { format!("{shown} %") }
        }
    }
}

/// `reference` raised by a percentage, rounded to six places, for sentences.
pub(super) fn raised(reference: Exact, percent: Exact) -> f64 {
    reference.to_f64() * (1.0 + percent.to_f64() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        text.parse().unwrap()
    }

    #[test]
    fn a_limit_met_exactly_counts_only_where_it_may() {
        let (percent, reference) = (exact("25"), exact("0.3"));
        assert!(has_risen(exact("0.375"), reference, percent, Limit::AtLeast));
        assert!(!has_risen(exact("0.375"), reference, percent, Limit::MoreThan));
        assert!(has_risen(exact("0.375001"), reference, percent, Limit::MoreThan));
        assert!(has_fallen(exact("0.225"), reference, percent, Limit::AtLeast));
        assert!(!has_fallen(exact("0.225"), reference, percent, Limit::MoreThan));
        assert!(!has_fallen(reference, reference, Exact::ZERO, Limit::AtLeast));
    }

    #[test]
    fn growth_from_nothing_is_growth() {
        assert!(has_risen(exact("1"), Exact::ZERO, exact("25"), Limit::MoreThan));
        assert!(!has_risen(Exact::ZERO, Exact::ZERO, exact("25"), Limit::AtLeast));
    }
}
