//! Whole days and calendar dates. Every duration in the program is a difference of two dates; times of day play no part.

use serde::{Deserialize, Serialize};

/// A calendar date (ISO 8601 at every border).
pub use jiff::civil::Date;

/// A number of whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(pub i64);

impl Days {
    /// `end − start`, negative when `end` comes first.
    pub fn between(start: Date, end: Date) -> Self {
        // The difference of two civil dates in whole days is exact: both count days of the proleptic Gregorian calendar.
        Self(end.duration_since(start).as_hours() / 24)
    }

    /// Months of a stated length (criteria differ: 30.4375, 30.4, 30). Never calendar months.
    pub fn months(self, days_per_month: f64) -> f64 {
        self.0 as f64 / days_per_month
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn days_cross_leap_days_and_run_backwards() {
        assert_eq!(Days::between(date(2024, 2, 28), date(2024, 3, 1)), Days(2));
        assert_eq!(Days::between(date(2023, 2, 28), date(2023, 3, 1)), Days(1));
        assert_eq!(Days::between(date(2023, 3, 1), date(2022, 3, 1)), Days(-365));
        assert!((Days(365).months(30.4375) - 11.991_786_447).abs() < 1e-8);
    }
}
