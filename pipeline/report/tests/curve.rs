//! A curve as the estimator gives it becomes a curve of the page.

use lesiontrace_report::KmCurve;
use oncology::Evaluable;
use survival::{IntervalScale, TimeToEvent, kaplan_meier};

#[test]
fn censoring_and_numbers_at_risk_come_from_the_estimate() {
    // Five subjects: event at 1, event and censoring at 2, censoring at 3 and 4. By hand: S = 4/5, then 4/5 · 3/4 = 3/5.
    let observed = [(1.0, true), (2.0, true), (2.0, false), (3.0, false), (4.0, false)];
    let observed: Vec<TimeToEvent> = observed.into_iter().map(|(time, event)| TimeToEvent { time, event }).collect();
    let estimate = kaplan_meier(&observed, IntervalScale::Log).unwrap();
    let curve = KmCurve::from_estimate("all", &estimate, &[0.0, 2.0, 2.5, 5.0]);
    assert_eq!(curve.n_risk, [5, 4, 2, 0]);
    assert_eq!(curve.censored, [2.0, 3.0, 4.0]);
    assert_eq!((curve.n, curve.events, curve.last_time), (5, 2, 4.0));
    assert!((curve.survival[1] - 0.6).abs() < 1e-12);
    let curve = curve.with_median(Evaluable::not("not reached"), [Some(1.0), None]);
    assert_eq!(curve.median.reason(), Some("not reached"));
}
