//! A number that is known as a range only, and how it is said.

use std::iter::Sum;
use std::ops::{Add, Mul};

/// From the least to the most that is to be expected.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Range {
    /// A range round one measured value: a machine or a patient may differ from those measured by these factors.
    pub(super) const fn about(value: f64, (least, most): (f64, f64)) -> Self {
        Self { low: value * least, high: value * most }
    }

    /// As a time: `20 s to 3 min`.
    pub(super) fn as_time(self) -> String {
        said(self, &[(1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "days")])
    }

    /// As bytes: `300 MB to 1.2 GB`, in powers of 1000, as file systems count.
    pub(super) fn as_size(self) -> String {
        said(self, &[(1e6, "MB"), (1e9, "GB"), (1e12, "TB")])
    }

    /// As memory: `300 MiB to 1.2 GiB`.
    pub(super) fn as_memory(self) -> String {
        let mib = f64::from(1 << 20);
        said(self, &[(mib, "MiB"), (mib * 1024.0, "GiB"), (mib * 1024.0 * 1024.0, "TiB")])
    }
}

impl Add for Range {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }
}

impl Mul<f64> for Range {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self { low: self.low * factor, high: self.high * factor }
    }
}

impl Sum for Range {
    fn sum<I: Iterator<Item = Self>>(ranges: I) -> Self {
        ranges.fold(Self::default(), Add::add)
    }
}

/// Both ends, each in the unit that fits it: the low one rounded down, the high one up, so that neither promises more than is known.
fn said(range: Range, units: &[(f64, &str)]) -> String {
    let (low, high) = (rounded(range.low, units, f64::floor), rounded(range.high, units, f64::ceil));
    match (low.split_once(' '), high.split_once(' ')) {
        _ if low == high => low,
        (Some((number, one)), Some((_, other))) if one == other => format!("{number} to {high}"),
        _ => format!("{low} to {high}"),
    }
}

/// To two figures, in the largest unit that leaves one before the point.
fn rounded(value: f64, units: &[(f64, &str)], to: fn(f64) -> f64) -> String {
    let (size, name) =
        units.iter().rev().find(|(size, _)| value >= *size).or(units.first()).copied().unwrap_or((1.0, ""));
    let number = value / size;
    let step = 10_f64.powf((number.max(1.0).log10().floor() - 1.0).max(0.0));
    let tenth = if number < 10.0 && size > units[0].0 { 10.0 } else { 1.0 };
    format!("{} {name}", to(number * tenth / step) / tenth * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_rounded_away_from_each_other_and_named_once_where_they_share_a_unit() {
        let time = |low: f64, high: f64| Range { low, high }.as_time();
        assert_eq!(time(21.7, 44.2), "21 to 45 s");
        assert_eq!(time(21.7, 131.0), "21 s to 2.2 min");
        assert_eq!(time(3700.0, 412_345.0), "1 h to 4.8 days");
        assert_eq!(time(0.0, 0.0), "0 s");
        let size = Range { low: 1_234e6, high: 123_456e6 };
        assert_eq!((size.as_size().as_str(), size.as_memory().as_str()), ("1.2 to 130 GB", "1.1 to 120 GiB"));
    }

    #[test]
    fn ranges_add_end_by_end() {
        let sum: Range = [Range::about(2.0, (0.5, 2.0)), Range::about(10.0, (0.5, 3.0)) * 2.0].into_iter().sum();
        assert_eq!(sum, Range { low: 11.0, high: 64.0 });
    }
}
