//! The crude share still followed, which is no survival rate.
//!
//! Source: reports that print it beside or instead of a Kaplan–Meier estimate; offered to reproduce them, never as a rate.

/// Percent of `n` still followed; `None` without patients.
pub fn crude_follow_up_percent(still_followed: u32, n: u32) -> Option<f64> {
    (n > 0).then(|| 100.0 * f64::from(still_followed) / f64::from(n))
}
