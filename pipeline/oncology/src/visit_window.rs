//! Names visits by windows round the treatment: baseline, treatment session, follow-up at 6 weeks, outside all windows.
//!
//! A label says where a visit stands; it decides no measurement. The windows are the study's own: RECIST 1.1 asks for a baseline at
//! most 4 weeks before treatment (Eisenhauer et al. 2009, §3.2), and trials of local treatment often allow more.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::{Date, Days};

/// From which treatment follow-up is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowUpFrom {
    /// The patient's first treatment.
    #[default]
    FirstTreatment,
    /// The latest treatment before the visit.
    LatestTreatment,
}

/// A follow-up visit as it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowUpWindow {
    /// Its name, such as `6 weeks`.
    pub name: String,
    /// Days after the treatment.
    pub day: i64,
    /// Most days earlier or later.
    pub plus_minus_days: i64,
}

/// The windows of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisitWindows {
    /// Most days between baseline and the first treatment.
    pub baseline_days: i64,
    /// Most days between an ablation and the study that shows its zone, for a margin to be expected.
    pub margin_days: i64,
    /// From which treatment follow-up is counted.
    pub follow_up_from: FollowUpFrom,
    /// Planned follow-ups, in order of time.
    pub follow_up: Vec<FollowUpWindow>,
}

/// Windows that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// A number of days that is none.
    #[error("{name}: expected a day after treatment and a width of 0 days or more, found day {day}, {width} days")]
    Negative {
        /// The window.
        name: String,
        /// Its day.
        day: i64,
        /// Its half-width.
        width: i64,
    },
    /// Two windows share a day.
    #[error("the windows {first:?} and {second:?} overlap or are not in order of time: a visit would be both")]
    Overlap {
        /// The earlier one.
        first: String,
        /// The later one.
        second: String,
    },
}

impl VisitWindows {
    /// Checks that no visit can have two labels.
    pub fn check(&self) -> Result<(), WindowError> {
        let negative = |name: &str, day, width| WindowError::Negative { name: name.to_owned(), day, width };
        for (name, days) in [("baseline_days", self.baseline_days), ("margin_days", self.margin_days)] {
            if days < 0 {
                return Err(negative(name, days, 0));
            }
        }
        for window in &self.follow_up {
            if window.plus_minus_days < 0 || window.day - window.plus_minus_days <= 0 {
                return Err(negative(&window.name, window.day, window.plus_minus_days));
            }
        }
        for pair in self.follow_up.windows(2) {
            if pair[0].day + pair[0].plus_minus_days >= pair[1].day - pair[1].plus_minus_days {
                return Err(WindowError::Overlap { first: pair[0].name.clone(), second: pair[1].name.clone() });
            }
        }
        Ok(())
    }
}

/// Where a visit stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitLabel {
    /// The last visit before the first treatment, within the window.
    Baseline,
    /// An earlier visit before the first treatment; days before it.
    BeforeBaseline(i64),
    /// The last visit before the first treatment, too early for baseline; days before it.
    TooEarly(i64),
    /// On the day of a treatment: before or after it is not known. Its number, from 1.
    TreatmentSession(usize),
    /// In the window of this name.
    FollowUp(String),
    /// In the window of this name, which another visit is nearer to; days after the treatment.
    FartherIn(String, i64),
    /// Outside all windows; days after the treatment.
    Outside(i64),
    /// No treatment is known; days after the first visit.
    NoTreatment(i64),
}

impl fmt::Display for VisitLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Baseline => f.write_str("baseline"),
            Self::BeforeBaseline(days) => write!(f, "before baseline ({days} days before treatment)"),
            Self::TooEarly(days) => write!(f, "too early for baseline ({days} days before treatment)"),
            Self::TreatmentSession(n) => write!(f, "treatment session {n}"),
            Self::FollowUp(name) => f.write_str(name),
            Self::FartherIn(name, day) => write!(f, "outside windows (day {day}: another visit is nearer to {name})"),
            Self::Outside(day) => write!(f, "outside windows (day {day})"),
            Self::NoTreatment(0) => f.write_str("first visit (no treatment known)"),
            Self::NoTreatment(day) => write!(f, "day {day} (no treatment known)"),
        }
    }
}

/// The label of each visit. Both lists are in order of time; treatments of one day are one session.
#[must_use]
pub fn label_visits(visits: &[Date], treatments: &[Date], windows: &VisitWindows) -> Vec<VisitLabel> {
    let mut sessions = treatments.to_vec();
    sessions.dedup();
    let Some(&first_treatment) = sessions.first() else {
        let first = visits.first().copied();
        return visits
            .iter()
            .map(|v| VisitLabel::NoTreatment(first.map_or(0, |first| Days::between(first, *v).0)))
            .collect();
    };
    let last_before = visits.iter().rposition(|v| *v < first_treatment);
    let labels = visits.iter().enumerate().map(|(n, visit)| {
        if let Some(session) = sessions.iter().position(|s| s == visit) {
            return VisitLabel::TreatmentSession(session + 1);
        }
        if *visit < first_treatment {
            let days = Days::between(*visit, first_treatment).0;
            return match (Some(n) == last_before, days <= windows.baseline_days) {
                (true, true) => VisitLabel::Baseline,
                (true, false) => VisitLabel::TooEarly(days),
                (false, _) => VisitLabel::BeforeBaseline(days),
            };
        }
        let day = follow_up_day(*visit, &sessions, windows.follow_up_from);
        let fits = |w: &&FollowUpWindow| (day - w.day).abs() <= w.plus_minus_days;
        windows.follow_up.iter().find(fits).map_or(VisitLabel::Outside(day), |w| VisitLabel::FollowUp(w.name.clone()))
    });
    nearest_only(labels.collect(), visits, &sessions, windows)
}

fn follow_up_day(visit: Date, sessions: &[Date], from: FollowUpFrom) -> i64 {
    let origin = match from {
        FollowUpFrom::FirstTreatment => sessions.first(),
        FollowUpFrom::LatestTreatment => sessions.iter().rev().find(|s| **s <= visit),
    };
    origin.map_or(0, |origin| Days::between(*origin, visit).0)
}

/// Of several visits in one window after one treatment the nearest to its day keeps the name, the earlier one of two equally near.
fn nearest_only(
    mut labels: Vec<VisitLabel>,
    visits: &[Date],
    sessions: &[Date],
    windows: &VisitWindows,
) -> Vec<VisitLabel> {
    let day = |n: usize| follow_up_day(visits[n], sessions, windows.follow_up_from);
    let origin = |n: usize| visits[n].duration_since(visits[0]).as_hours() / 24 - day(n);
    for window in &windows.follow_up {
        let named: Vec<usize> =
            (0..labels.len()).filter(|n| labels[*n] == VisitLabel::FollowUp(window.name.clone())).collect();
        for &n in &named {
            let rivals = named.iter().filter(|other| origin(**other) == origin(n));
            let nearest = rivals.min_by_key(|other| (day(**other) - window.day).abs());
            if nearest != Some(&n) {
                labels[n] = VisitLabel::FartherIn(window.name.clone(), day(n));
            }
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn windows(from: FollowUpFrom) -> VisitWindows {
        let window = |name: &str, day, plus_minus_days| FollowUpWindow { name: name.to_owned(), day, plus_minus_days };
        let follow_up = vec![window("6 weeks", 42, 14), window("3 months", 91, 21)];
        VisitWindows { baseline_days: 42, margin_days: 56, follow_up_from: from, follow_up }
    }

    fn labels(visits: &[Date], treatments: &[Date], from: FollowUpFrom) -> Vec<String> {
        label_visits(visits, treatments, &windows(from)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn visits_are_named_by_the_windows_they_fall_into() {
        let treated = [date(2024, 3, 1), date(2024, 3, 1)];
        let visits = [
            date(2023, 12, 1),
            date(2024, 1, 19),
            date(2024, 3, 1),
            date(2024, 3, 28),
            date(2024, 4, 11),
            date(2024, 4, 27),
            date(2024, 5, 10),
        ];
        let expected = [
            "before baseline (91 days before treatment)",
            "baseline",
            "treatment session 1",
            "outside windows (day 27)",
            "6 weeks",
            "outside windows (day 57)",
            "3 months",
        ];
        assert_eq!(labels(&visits, &treated, FollowUpFrom::FirstTreatment), expected);
        let early = labels(&[date(2024, 1, 18)], &treated, FollowUpFrom::FirstTreatment);
        assert_eq!(early, ["too early for baseline (43 days before treatment)"]);
    }

    #[test]
    fn one_visit_a_window_and_days_from_the_latest_session_where_asked() {
        let visits = [date(2024, 4, 10), date(2024, 4, 16), date(2024, 6, 20)];
        let treated = [date(2024, 3, 1), date(2024, 5, 10)];
        let first = labels(&visits, &treated, FollowUpFrom::FirstTreatment);
        assert_eq!(first, ["6 weeks", "outside windows (day 46: another visit is nearer to 6 weeks)", "3 months"]);
        let latest = labels(&visits, &treated, FollowUpFrom::LatestTreatment);
        assert_eq!(latest[2], "6 weeks", "day 41 after the second session is a window of its own");
        assert_eq!(latest[0], "6 weeks");
    }

    #[test]
    fn without_a_treatment_nothing_is_called_baseline() {
        let found = labels(&[date(2024, 1, 1), date(2024, 2, 1)], &[], FollowUpFrom::FirstTreatment);
        assert_eq!(found, ["first visit (no treatment known)", "day 31 (no treatment known)"]);
    }

    #[test]
    fn windows_that_share_a_day_are_refused() {
        let mut wrong = windows(FollowUpFrom::FirstTreatment);
        assert_eq!(wrong.check(), Ok(()));
        wrong.follow_up[1].plus_minus_days = 35;
        assert!(matches!(wrong.check(), Err(WindowError::Overlap { .. })));
        wrong.follow_up[0].plus_minus_days = 42;
        assert!(matches!(wrong.check(), Err(WindowError::Negative { .. })));
    }
}
