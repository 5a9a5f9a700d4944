//! The name of a visit: the day of its images, and which time point of that day it is.
//!
//! `2024-03-01` is the only or first time point of a day, `2024-03-01-2` the second: on the day of an ablation the planning scan before
//! it and the control scan after it. Folders, tables and pages tell visits apart by this name.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::Date;

/// The name of one visit of a patient. In order of time: by day, then by place within the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VisitId {
    date: Date,
    ordinal: NonZeroU16,
}

/// A text that names no visit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a visit as YYYY-MM-DD, or YYYY-MM-DD-2, -3… for further time points of one day, found {found:?}")]
pub struct VisitIdError {
    /// What stood there.
    pub found: String,
}

impl VisitId {
    /// The only or first time point of a day.
    #[must_use]
    pub const fn first(date: Date) -> Self {
        Self { date, ordinal: NonZeroU16::MIN }
    }

    /// The time point of the same day that follows this one.
    #[must_use]
    pub const fn next_of_day(self) -> Self {
        Self { date: self.date, ordinal: self.ordinal.saturating_add(1) }
    }

    /// Its day.
    #[must_use]
    pub const fn date(self) -> Date {
        self.date
    }

    /// Which time point of its day it is, from 1.
    #[must_use]
    pub const fn ordinal(self) -> u16 {
        self.ordinal.get()
    }
}

impl fmt::Display for VisitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ordinal() {
            1 => write!(f, "{}", self.date),
            further => write!(f, "{}-{further}", self.date),
        }
    }
}

impl FromStr for VisitId {
    type Err = VisitIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (date, rest) = text.split_at_checked(10)?;
            let ordinal = match rest {
                "" => NonZeroU16::MIN,
                further => further.strip_prefix('-')?.parse().ok()?,
            };
            Some(Self { date: date.parse().ok()?, ordinal })
        };
        // One spelling each: what is written back otherwise (`-1`, `-02`, `+2`, another form of the date) is no name.
        read().filter(|id: &Self| id.to_string() == text).ok_or_else(|| VisitIdError { found: text.to_owned() })
    }
}

impl TryFrom<String> for VisitId {
    type Error = VisitIdError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<VisitId> for String {
    fn from(id: VisitId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_day_names_its_first_time_point_and_a_number_the_further_ones() {
        let planning = VisitId::first(date(2024, 3, 1));
        let control = planning.next_of_day();
        assert_eq!([planning.to_string(), control.to_string()], ["2024-03-01", "2024-03-01-2"]);
        assert_eq!((control.date(), control.ordinal(), planning.ordinal()), (date(2024, 3, 1), 2, 1));
        for id in [planning, control, control.next_of_day()] {
            assert_eq!(id.to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(json, format!("\"{id}\""));
            assert_eq!(serde_json::from_str::<VisitId>(&json).unwrap(), id);
        }
    }

    #[test]
    fn visits_are_in_order_of_day_then_of_time_point() {
        let sorted = ["2024-02-29-3", "2024-03-01", "2024-03-01-2", "2024-03-01-10", "2024-03-02"];
        let ids: Vec<VisitId> = sorted.iter().map(|text| text.parse().unwrap()).collect();
        assert!(ids.is_sorted(), "{ids:?}");
    }

    #[test]
    fn a_name_has_one_spelling() {
        let wrong = [
            "2024-03-01-1",
            "2024-03-01-02",
            "2024-03-01-0",
            "2024-03-01-",
            "2024-03-01--2",
            "2024-03-01-+2",
            "2024-03-01-x",
            "2024-03-01 2",
            "2024-03-01-2 ",
            "2024-3-1",
            "20240301",
            "2024-02-30",
            "2024-03-01T10",
            "",
            "2024-03-01-65536",
            "éééééééééé",
        ];
        for text in wrong {
            let error = text.parse::<VisitId>().unwrap_err();
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
