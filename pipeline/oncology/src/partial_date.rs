//! Dates that are not complete: the days they may stand for, and how many days lie between two of them.
//!
//! Source: ISO 8601 and CDISC SDTM-IG 3.4 §4.4.2 for what may be left out from the right. Nothing is ever imputed: a
//! rule that counts days holds where it holds for the shortest and the longest distance.

use serde::Serialize;

use crate::time::{Date, Days};

/// The days a date as written may stand for, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    /// Earliest day.
    pub earliest: Date,
    /// Latest day.
    pub latest: Date,
}

/// Days between two dates: the least and the most they may be; equal where both dates are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DayRange {
    /// Least number of days.
    pub shortest: i64,
    /// Largest number of days.
    pub longest: i64,
}

impl DayRange {
    /// A number of days that is known.
    pub const fn exactly(days: i64) -> Self {
        Self { shortest: days, longest: days }
    }

    /// The number of days, where it is known.
    pub fn known(self) -> Option<i64> {
        (self.shortest == self.longest).then_some(self.shortest)
    }
}

impl Period {
    /// A day that is known.
    pub const fn day(day: Date) -> Self {
        Self { earliest: day, latest: day }
    }

    /// The days of `2024-03-05`, `2024-03` or `2024`, a time of day left out; `None` for an empty or any other text.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let day = text.split_once('T').map_or(text, |(day, _)| day);
        let parts: Vec<&str> = day.split('-').collect();
        let digits =
            parts.iter().zip([4, 2, 2]).all(|(part, n)| part.len() == n && part.bytes().all(|b| b.is_ascii_digit()));
        if !digits || parts.len() > 3 {
            return None;
        }
        let number = |at: usize| parts.get(at).and_then(|part| part.parse::<i16>().ok());
        let (year, month) = (number(0)?, number(1));
        let in_month = |month: i16| Date::new(year, i8::try_from(month).ok()?, 1).ok();
        match (parts.len(), month) {
            (1, _) => Some(Self { earliest: Date::new(year, 1, 1).ok()?, latest: Date::new(year, 12, 31).ok()? }),
            (2, Some(month)) => {
                let first = in_month(month)?;
                Some(Self { earliest: first, latest: first.last_of_month() })
            }
            (3, _) => Some(Self::day(day.parse().ok()?)),
            _ => None,
        }
    }

    /// The day, where it is known.
    pub fn known(self) -> Option<Date> {
        (self.earliest == self.latest).then_some(self.earliest)
    }

    /// Days from this date to another one.
    pub fn days_to(self, later: Self) -> DayRange {
        DayRange {
            shortest: Days::between(self.latest, later.earliest).0,
            longest: Days::between(self.earliest, later.latest).0,
        }
    }
}

/// Days from one date as written to another one that is not before it. Without a date they may be any number.
pub fn days_between(earlier: &str, later: &str) -> DayRange {
    let range = Period::read(earlier).zip(Period::read(later)).map(|(earlier, later)| earlier.days_to(later));
    let range = range.unwrap_or(DayRange { shortest: 0, longest: i64::MAX });
    if range.known().is_some() { range } else { DayRange { shortest: range.shortest.max(0), ..range } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn what_is_left_out_is_a_period() {
        let period = |text| Period::read(text).map(|p| (p.earliest, p.latest));
        assert_eq!(period("2024-02"), Some((date(2024, 2, 1), date(2024, 2, 29))));
        assert_eq!(period("2023"), Some((date(2023, 1, 1), date(2023, 12, 31))));
        assert_eq!(period("2024-03-05T09:30"), Some((date(2024, 3, 5), date(2024, 3, 5))));
        for wrong in ["", "2024-13", "2024-02-30", "2024---05", "24-01-01", "UNK", "2024-03-05-06"] {
            assert_eq!(period(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn distances_have_two_ends() {
        assert_eq!(days_between("2024-03", "2024-05"), DayRange { shortest: 31, longest: 91 });
        assert_eq!(days_between("2024-03-10", "2024-03"), DayRange { shortest: 0, longest: 21 });
        assert_eq!(days_between("2024-03-10", "2024-03-11").known(), Some(1));
        assert_eq!(days_between("", "2024-03-11"), DayRange { shortest: 0, longest: i64::MAX });
    }
}
