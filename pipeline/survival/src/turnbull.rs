//! The survival curve of events known only to lie between two visits: the nonparametric maximum likelihood estimate.
//!
//! Source: Peto 1973 for the intervals that carry mass; Turnbull 1976 for the self-consistent estimate; Wellner and Zhan
//! 1997 for the hybrid of EM and iterative convex minorant steps; Lindsay 1983 for the bound on what is left to gain.

mod innermost;
mod likelihood;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use innermost::innermost;
use likelihood::maximise;

/// When one subject had the event, in the caller's unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum EventWindow {
    /// At exactly this time (a death).
    Exact(f64),
    /// After the first and at or before the second: the last visit without and the first with the event.
    Between(f64, f64),
    /// After this time, if ever: censored.
    After(f64),
}

/// A stretch of time that carries probability; where inside it the curve falls is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fall {
    /// The curve is still at its former level up to and including this time (for an exact time: just before it).
    pub after: f64,
    /// The curve has fallen by `mass` from this time on; `None`: beyond the last observed time.
    pub by: Option<f64>,
    /// The probability of the event in the stretch.
    pub mass: f64,
    /// S from `by` on.
    pub surv: f64,
}

/// The estimated curve. It is not determined inside a fall, and has no pointwise interval here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turnbull {
    /// Subjects.
    pub n: usize,
    /// Subjects with an exact time.
    pub n_exact: usize,
    /// Subjects with an interval.
    pub n_between: usize,
    /// The stretches with mass, ascending.
    pub falls: Vec<Fall>,
    /// The median lies after the first and at or before the second; `None`: not reached. Equal for an exact time.
    pub median_between: Option<[f64; 2]>,
    /// Log likelihood.
    pub loglik: f64,
    /// No other curve has a log likelihood higher by more than this.
    pub gain_left: f64,
}

/// Data from which no curve can be estimated.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TurnbullError {
    /// Nothing was given.
    #[error("expected at least one subject, found none: check the filter that selects the subjects")]
    NoObservations,
    /// A time is negative, infinite or not a number.
    #[error("expected times of 0 or more, found {found} at row {row} (counted from 0): check the dates of that row")]
    BadTime {
        /// Position in the input, from 0.
        row: usize,
        /// What stood there.
        found: f64,
    },
    /// The interval ends before or where it begins.
    #[error(
        "expected a last visit without the event before the first with it, found {after} and {by} at row {row} (counted from 0)"
    )]
    EmptyWindow {
        /// Position in the input, from 0.
        row: usize,
        /// Last time without the event.
        after: f64,
        /// First time with the event.
        by: f64,
    },
    /// Nobody had the event.
    #[error("no events: there is nothing to estimate")]
    NoEvents,
    /// The iteration did not settle.
    #[error("the estimate did not settle: log likelihood {loglik} can still rise by {gain_left}")]
    NotSettled {
        /// Log likelihood reached.
        loglik: f64,
        /// Bound on what is left to gain.
        gain_left: f64,
    },
}

/// Mass below this is none: it is what is left of a stretch on its way to 0.
const NO_MASS: f64 = 1e-9;

/// Estimates the curve.
///
/// Only stretches that begin where some window begins and end where some window ends, with no other bound inside, can carry
/// mass. Their masses maximise the likelihood, to a log likelihood within 1e-7 of the highest.
pub fn turnbull(windows: &[EventWindow]) -> Result<Turnbull, TurnbullError> {
    check(windows)?;
    let (stretches, covered) = innermost(windows);
    let found = maximise(&covered, stretches.len())?;
    let mut surv = 1.0;
    let mut falls = Vec::new();
    for (stretch, &mass) in stretches.iter().zip(&found.mass).filter(|(_, mass)| **mass > NO_MASS) {
        surv = f64::max(0.0, surv - mass);
        falls.push(Fall {
            after: stretch.after,
            by: stretch.by,
            mass,
            surv: if stretch.by.is_some() { surv } else { 0.0 },
        });
    }
    let count = |exact: bool| windows.iter().filter(|window| matches!(window, EventWindow::Exact(_)) == exact).count();
    let censored = windows.iter().filter(|window| matches!(window, EventWindow::After(_))).count();
    Ok(Turnbull {
        n: windows.len(),
        n_exact: count(true),
        n_between: count(false) - censored,
        median_between: median_between(&falls),
        falls,
        loglik: found.loglik,
        gain_left: found.gain_left,
    })
}

/// The fall on which S passes one half.
fn median_between(falls: &[Fall]) -> Option<[f64; 2]> {
    let fall = falls.iter().find(|fall| fall.surv <= 0.5 + NO_MASS)?;
    Some([fall.after, fall.by?])
}

fn check(windows: &[EventWindow]) -> Result<(), TurnbullError> {
    for (row, window) in windows.iter().enumerate() {
        let times = match *window {
            EventWindow::Exact(time) | EventWindow::After(time) => [time, time],
            EventWindow::Between(after, by) => [after, by],
        };
        if let Some(&found) = times.iter().find(|time| !time.is_finite() || **time < 0.0) {
            return Err(TurnbullError::BadTime { row, found });
        }
        if let EventWindow::Between(after, by) = *window
            && after >= by
        {
            return Err(TurnbullError::EmptyWindow { row, after, by });
        }
    }
    match windows.iter().all(|window| matches!(window, EventWindow::After(_))) {
        true if windows.is_empty() => Err(TurnbullError::NoObservations),
        true => Err(TurnbullError::NoEvents),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventWindow::{After, Between, Exact};

    fn masses(found: &Turnbull) -> Vec<(f64, Option<f64>, f64)> {
        found.falls.iter().map(|fall| (fall.after, fall.by, (fall.mass * 1e6).round() / 1e6)).collect()
    }

    #[test]
    fn separate_windows_share_the_mass_by_their_numbers() {
        let found = turnbull(&[Between(0.0, 2.0), Between(1.0, 3.0), Between(4.0, 6.0), Between(5.0, 7.0)]).unwrap();
        assert_eq!(masses(&found), [(1.0, Some(2.0), 0.5), (5.0, Some(6.0), 0.5)]);
        assert_eq!(found.median_between, Some([1.0, 2.0]));
        assert!((found.loglik - 4.0 * 0.5_f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn exact_and_censored_times_alone_give_kaplan_meier() {
        // Deaths at 1 and 3, censored at 2 and 4: S = 3/4, then 3/8, the rest beyond 4.
        let found = turnbull(&[Exact(1.0), After(2.0), Exact(3.0), After(4.0)]).unwrap();
        assert_eq!(masses(&found), [(1.0, Some(1.0), 0.25), (3.0, Some(3.0), 0.375), (4.0, None, 0.375)]);
        assert_eq!(found.median_between, Some([3.0, 3.0]));
        assert_eq!((found.n, found.n_exact, found.n_between), (4, 2, 0));
    }

    #[test]
    fn a_window_closed_on_the_right_shares_its_end_with_an_exact_time() {
        // (1, 2] holds the death at 2; (2, 3] begins after it.
        let found = turnbull(&[Between(1.0, 2.0), Exact(2.0), Between(2.0, 3.0)]).unwrap();
        assert_eq!(masses(&found), [(2.0, Some(2.0), 0.666_667), (2.0, Some(3.0), 0.333_333)]);
    }

    #[test]
    fn censoring_at_the_time_of_an_event_comes_after_it() {
        let found = turnbull(&[Exact(2.0), After(2.0)]).unwrap();
        assert_eq!(masses(&found), [(2.0, Some(2.0), 0.5), (2.0, None, 0.5)]);
    }

    #[test]
    fn what_cannot_be_estimated_is_refused() {
        assert_eq!(turnbull(&[]), Err(TurnbullError::NoObservations));
        assert_eq!(turnbull(&[After(3.0)]), Err(TurnbullError::NoEvents));
        let refused = turnbull(&[Exact(1.0), Between(3.0, 3.0)]);
        assert_eq!(refused, Err(TurnbullError::EmptyWindow { row: 1, after: 3.0, by: 3.0 }));
        assert!(matches!(turnbull(&[Exact(f64::NAN)]), Err(TurnbullError::BadTime { row: 0, .. })));
    }
}
