//! Exact decimals for thresholds: a number fixed once, when it is stored, so that −30 %, +20 % and +5 mm never flip on a
//! floating error.
//!
//! Source: criteria conventions of the project (diameters: half-even to 0.01 mm when derived from an image; as written, up
//! to six decimals, when imported). Comparisons are integer cross-multiplications.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A decimal number with six places, held as an integer of millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Exact(i64);

const SCALE: i64 = 1_000_000;

/// A text that is not a decimal number of at most six places.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a decimal number with at most 6 places and a magnitude below 1e12, found {0:?}")]
pub struct NotExact(pub String);

impl Exact {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// A whole number.
    pub const fn whole(value: i32) -> Self {
        Self(value as i64 * SCALE)
    }

    /// From millionths.
    pub const fn from_millionths(millionths: i64) -> Self {
        Self(millionths)
    }

    /// The number in millionths.
    pub const fn millionths(self) -> i64 {
        self.0
    }

    /// Fixes a number derived from an image, half-even to 0.01; `None` unless finite and below 1e12.
    pub fn from_image(value: f64) -> Option<Self> {
        if !value.is_finite() || value.abs() >= 1e12 {
            return None;
        }
        Some(Self((value * 100.0).round_ties_even() as i64 * (SCALE / 100)))
    }

    /// The nearest floating-point number, for printing and plotting only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / SCALE as f64
    }

    /// `self / other` as a floating-point number; `None` when `other` is zero. For printing only, never for a rule.
    pub fn ratio(self, other: Self) -> Option<f64> {
        (other.0 != 0).then(|| self.0 as f64 / other.0 as f64)
    }

    /// Compares `self × a` with `other × b` exactly (`PR: 10·current ≤ 7·baseline` is `current.cmp_scaled(10, baseline, 7)`).
    pub fn cmp_scaled(self, a: i64, other: Self, b: i64) -> std::cmp::Ordering {
        (i128::from(self.0) * i128::from(a)).cmp(&(i128::from(other.0) * i128::from(b)))
    }
}

impl Add for Exact {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}
impl Sub for Exact {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}
impl Sum for Exact {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Exact {
    /// Shortest decimal that reads back to the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.unsigned_abs() / SCALE as u64, self.0.unsigned_abs() % SCALE as u64);
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{part:06}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Exact {
    type Err = NotExact;
    fn from_str(text: &str) -> Result<Self, NotExact> {
        let bad = || NotExact(text.to_owned());
        let trimmed = text.trim();
        let (negative, digits) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let too_long = whole.len() > 12 || part.trim_end_matches('0').len() > 6;
        if (whole.is_empty() && part.is_empty()) || !all_digits(whole) || !all_digits(part) || too_long {
            return Err(bad());
        }
        let padded = format!("{:0<6}", part.trim_end_matches('0'));
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| bad())? };
        let millionths = whole * SCALE + padded.parse::<i64>().map_err(|_| bad())?;
        Ok(Self(if negative { -millionths } else { millionths }))
    }
}

impl Serialize for Exact {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.to_f64())
    }
}
impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A decimal of at most six places and below 1e9 survives the trip through a double: 15 significant digits do.
        let value = f64::deserialize(deserializer)?;
        let millionths = (value * SCALE as f64).round();
        if !millionths.is_finite() || millionths.abs() >= 1e18 {
            return Err(serde::de::Error::custom(format!("expected a decimal number below 1e12, found {value}")));
        }
        Ok(Self(millionths as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering;

    #[test]
    fn thirty_percent_less_is_exact() {
        let baseline: Exact = "30.1".parse().unwrap();
        let current: Exact = "21.07".parse().unwrap();
        assert_eq!(current.cmp_scaled(10, baseline, 7), Ordering::Equal);
        assert_eq!("21.070001".parse::<Exact>().unwrap().cmp_scaled(10, baseline, 7), Ordering::Greater);
    }

    #[test]
    fn image_values_round_half_to_even_at_a_hundredth() {
        assert_eq!(Exact::from_image(0.125).unwrap().to_string(), "0.12");
        assert_eq!(Exact::from_image(0.375).unwrap().to_string(), "0.38");
        assert_eq!(Exact::from_image(f64::NAN), None);
    }

    #[test]
    fn text_round_trips_and_garbage_is_refused() {
        for text in ["0", "-3.25", "12.000001", "999999999999"] {
            assert_eq!(text.parse::<Exact>().unwrap().to_string(), text);
        }
        for text in ["", ".", "1.0000001", "1e3", "NaN", "12,5", "--1"] {
            assert!(text.parse::<Exact>().is_err(), "{text}");
        }
        assert_eq!(
            serde_json::from_str::<Exact>(&serde_json::to_string(&"6.79".parse::<Exact>().unwrap()).unwrap())
                .unwrap()
                .to_string(),
            "6.79"
        );
    }
}
