//! Decimal strings (VR DS): numbers written in at most 16 characters with as many digits as fit.
//!
//! Source: DICOM PS3.5 section 6.2, value representation DS.

/// The longest decimal string DICOM allows.
pub const DECIMAL_STRING_MAX: usize = 16;

/// The number with as many significant digits as fit into 16 characters: the shortest exact form where that fits, else the
/// longest rounded one (fixed or scientific, whichever comes closer). `None` for infinities and NaN, which DS cannot hold.
#[must_use]
pub fn decimal_string(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    if value == 0.0 {
        return Some("0".to_owned());
    }
    let exact = format!("{value}");
    if exact.len() <= DECIMAL_STRING_MAX {
        return Some(exact);
    }
    let fixed = (0..DECIMAL_STRING_MAX).rev().map(|digits| format!("{value:.digits$}"));
    let scientific = (0..DECIMAL_STRING_MAX).rev().map(|digits| format!("{value:.digits$e}"));
    let fits = |text: &String| text.len() <= DECIMAL_STRING_MAX;
    [fixed.into_iter().find(fits), scientific.into_iter().find(fits)]
        .into_iter()
        .flatten()
        .map(|text| (distance(&text, value), text))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, text)| text)
}

/// What a reader makes of a number written as a decimal string.
#[must_use]
pub fn as_written(value: f64) -> Option<f64> {
    decimal_string(value)?.parse().ok()
}

fn distance(text: &str, value: f64) -> f64 {
    text.parse::<f64>().map_or(f64::INFINITY, |read| (read - value).abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_numbers() {
        assert_eq!(decimal_string(0.7).as_deref(), Some("0.7"));
        assert_eq!(decimal_string(-0.0).as_deref(), Some("0"));
        assert_eq!(decimal_string(1.0 / 3.0).as_deref(), Some("0.33333333333333"));
        assert_eq!(decimal_string(-1.0 / 3.0).as_deref(), Some("-0.3333333333333"));
        assert_eq!(decimal_string(-1.0 / 3.0 * 1e-9).as_deref(), Some("-3.333333333e-10"));
        assert_eq!(decimal_string(f64::NAN), None);
        assert_eq!(decimal_string(f64::NEG_INFINITY), None);
    }

    proptest! {
        #[test]
        fn fits_and_reads_back(value in -1e5_f64..1e5) {
            let text = decimal_string(value).unwrap();
            prop_assert!(text.len() <= DECIMAL_STRING_MAX);
            prop_assert!((text.parse::<f64>().unwrap() - value).abs() <= 1e-9);
        }
    }
}
