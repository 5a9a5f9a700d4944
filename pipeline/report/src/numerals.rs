//! Numbers as text: a real minus sign, fixed decimals, and no rounding onto a threshold that was not reached.

/// Changes of a sum that criteria decide at, in percent. One decimal must not print them unless they were met.
const DECISIVE_PERCENT: [f64; 4] = [-30.0, -65.0, 20.0, 73.0];

/// `decimals` digits behind the point, with U+2212 as minus; never `−0`.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let text = rounded(value, decimals);
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) => format!("\u{2212}{digits}"),
        Some(digits) => digits.to_owned(),
        None => text,
    }
}

/// Rounds half away from zero in decimal, as a reader with a pencil does: 66.25 reads 66.3, whatever its binary form.
fn rounded(value: f64, decimals: usize) -> String {
    /// Far below the last digit printed, far above the error of a few binary operations on sizes in mm.
    const NUDGE: f64 = 1e-9;
    format!("{:.decimals$}", value + NUDGE.copysign(value))
}

/// Millimetres with one decimal, without the unit.
pub(crate) fn mm(value: f64) -> String {
    fixed(value, 1)
}

/// Millimetres with sign, `+1.2` or `−3.4`.
pub(crate) fn signed_mm(value: f64) -> String {
    signed(fixed(value, 1))
}

/// A volume in mm³ as mL: two decimals below 10 mL.
pub(crate) fn millilitres(mm3: f64) -> String {
    let ml = mm3 / 1000.0;
    fixed(ml, if ml.abs() < 10.0 { 2 } else { 1 })
}

/// A share in 0..=1 as whole percent; `< 1 %` and `> 99 %` at the ends.
pub(crate) fn share(fraction: f64) -> String {
    match fraction {
        f if f > 0.0 && f < 0.005 => "< 1\u{a0}%".to_owned(),
        f if (0.995..1.0).contains(&f) => "> 99\u{a0}%".to_owned(),
        f => format!("{}\u{a0}%", fixed(100.0 * f, 0)),
    }
}

/// A change in percent with its sign: one decimal, more where one decimal would print a threshold that was not met.
pub(crate) fn signed_percent(percent: f64) -> String {
    let decimals = (1..=6)
        .find(|&decimals| {
            let shown: f64 = rounded(percent, decimals).parse().unwrap_or(percent);
            !DECISIVE_PERCENT.iter().any(|&edge| shown == edge && (percent - edge).abs() > 1e-9)
        })
        .unwrap_or(6);
    format!("{}\u{a0}%", signed(fixed(percent, decimals)))
}

/// `value` against `reference` in percent, for printing; `None` without a reference above 0.
pub(crate) fn change_percent(value: f64, reference: f64) -> Option<f64> {
    (reference > 0.0).then(|| 100.0 * (value - reference) / reference)
}

/// A coordinate in a drawing: at most two decimals.
pub(crate) fn coordinate(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn signed(text: String) -> String {
    if text.starts_with('\u{2212}') || !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        text
    } else {
        format!("+{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_that_was_not_met_is_not_printed() {
        assert_eq!(signed_percent(19.96), "+19.96\u{a0}%");
        assert_eq!(signed_percent(20.0), "+20.0\u{a0}%");
        assert_eq!(signed_percent(-29.999), "\u{2212}29.999\u{a0}%");
        assert_eq!(signed_percent(-30.0), "\u{2212}30.0\u{a0}%");
        assert_eq!(signed_percent(0.0), "0.0\u{a0}%");
    }

    #[test]
    fn halves_round_away_from_zero() {
        assert_eq!(signed_percent(-66.25), "\u{2212}66.3\u{a0}%");
        assert_eq!(mm(0.25), "0.3");
        assert_eq!(mm(2.675 * 10.0), "26.8");
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(mm(-0.04), "0.0");
        assert_eq!(mm(-0.06), "\u{2212}0.1");
        assert_eq!(signed_mm(0.01), "0.0");
        assert_eq!(signed_mm(2.0), "+2.0");
        assert_eq!(coordinate(-0.001), "0");
        assert_eq!(coordinate(12.5), "12.5");
    }

    #[test]
    fn shares_near_the_ends_do_not_read_as_none_or_all() {
        assert_eq!(share(0.0), "0\u{a0}%");
        assert_eq!(share(0.004), "< 1\u{a0}%");
        assert_eq!(share(0.996), "> 99\u{a0}%");
        assert_eq!(share(1.0), "100\u{a0}%");
    }
}
