//! The expected responses, by a rule written for these stories alone and independent of the program's criteria.
//!
//! RECIST 1.1 (Eisenhauer 2009) and mRECIST (Lencioni 2010) on complete sums of diameters, an ablated lesion counting 0 while
//! nothing of it is alive; partial response once reached is kept until progression.

use crate::truth::{Expected, NonTarget, Response};

/// What decides the response at one visit.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// Diameter of each target, mm; 0 when nothing is there.
    pub(crate) targets_mm: Vec<f64>,
    /// Whether each target counts as gone (a node may be gone and still have a diameter).
    pub(crate) targets_gone: Vec<bool>,
    /// Whether each non-target is there.
    pub(crate) non_targets_there: Vec<bool>,
    /// Whether a lesion is there that was not at baseline.
    pub(crate) new_lesion: bool,
}

/// Growth from the nadir that makes a sum progressive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Growth {
    /// Smallest absolute growth, mm.
    pub(crate) at_least_mm: f64,
}

/// RECIST 1.1: 20 % and 5 mm.
pub(crate) const RECIST_1_1: Growth = Growth { at_least_mm: 5.0 };
/// mRECIST: 20 %.
pub(crate) const MRECIST: Growth = Growth { at_least_mm: 0.0 };

/// The expected response at every visit, the first of which is baseline.
pub(crate) fn assess(readings: &[Reading], growth: Growth) -> Vec<Expected> {
    let sums: Vec<f64> = readings.iter().map(|r| r.targets_mm.iter().sum()).collect();
    let Some(baseline_mm) = sums.first().copied() else { return Vec::new() };
    let (mut was_partial, mut was_complete) = (false, false);
    let mut rows = Vec::new();
    for (visit, reading) in readings.iter().enumerate() {
        let sum_mm = sums[visit];
        let row = Expected {
            sum_mm,
            baseline_mm,
            nadir_mm: None,
            target: None,
            non_target: None,
            new_lesion: false,
            overall: None,
        };
        if visit == 0 {
            rows.push(row);
            continue;
        }
        let nadir_mm = sums[..visit].iter().copied().fold(f64::INFINITY, f64::min);
        let gone = reading.targets_gone.iter().all(|g| *g);
        let grown = sum_mm > 0.0 && sum_mm - nadir_mm >= 0.2 * nadir_mm && sum_mm - nadir_mm >= growth.at_least_mm;
        let target = match () {
            () if gone => Response::Complete,
            () if was_complete || grown => Response::Progressive,
            () if sum_mm <= 0.7 * baseline_mm || was_partial => Response::Partial,
            () => Response::Stable,
        };
        let non_target = non_target(&readings[0], reading);
        let overall = overall(target, non_target, reading.new_lesion);
        was_partial |= target == Response::Partial;
        was_complete |= overall == Response::Complete;
        rows.push(Expected {
            nadir_mm: Some(nadir_mm),
            target: Some(target),
            non_target: Some(non_target),
            new_lesion: reading.new_lesion,
            overall: Some(overall),
            ..row
        });
    }
    rows
}

fn non_target(baseline: &Reading, reading: &Reading) -> NonTarget {
    if baseline.non_targets_there.is_empty() {
        NonTarget::NotApplicable
    } else if reading.non_targets_there.contains(&true) {
        NonTarget::Persisting
    } else {
        NonTarget::Complete
    }
}

fn overall(target: Response, non_target: NonTarget, new_lesion: bool) -> Response {
    match (target, non_target) {
        _ if new_lesion => Response::Progressive,
        (Response::Complete, NonTarget::Persisting) => Response::Partial,
        (target, _) => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Response::{Complete, Partial, Progressive, Stable};

    fn targets(sums: &[f64]) -> Vec<Option<Response>> {
        let readings: Vec<Reading> = sums
            .iter()
            .map(|s| Reading {
                targets_mm: vec![*s],
                targets_gone: vec![*s == 0.0],
                non_targets_there: Vec::new(),
                new_lesion: false,
            })
            .collect();
        assess(&readings, RECIST_1_1).iter().map(|e| e.target).collect()
    }

    #[test]
    fn the_published_example_of_a_kept_partial_response() {
        // EORTC RECIST frequently asked questions: 100, 70, 70, 80, 80, 80.
        assert_eq!(targets(&[100.0, 70.0, 70.0, 80.0])[1..], [Some(Partial), Some(Partial), Some(Partial)]);
    }

    #[test]
    fn progression_needs_a_fifth_and_five_millimetres() {
        assert_eq!(targets(&[20.0, 24.5])[1], Some(Stable));
        assert_eq!(targets(&[50.0, 59.0])[1], Some(Stable));
        assert_eq!(targets(&[50.0, 60.0])[1], Some(Progressive));
        assert_eq!(targets(&[50.0, 0.0, 3.0])[1..], [Some(Complete), Some(Progressive)]);
    }
}
