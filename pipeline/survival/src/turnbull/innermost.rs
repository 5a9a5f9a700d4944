//! The stretches of time that can carry mass, and which of them each window covers.
//!
//! Source: Peto 1973.

use super::EventWindow;

/// One stretch: from just after `after` to `by`, or the single time where both are equal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    pub(super) after: f64,
    /// `None`: without end.
    pub(super) by: Option<f64>,
}

/// A place on the time line: at a time (0) or just after it (1).
type Place = (f64, u8);

/// Where a window begins and where it ends, both included.
fn ends(window: &EventWindow) -> (Place, Place) {
    match *window {
        EventWindow::Exact(time) => ((time, 0), (time, 0)),
        EventWindow::Between(after, by) => ((after, 1), (by, 0)),
        EventWindow::After(time) => ((time, 1), (f64::INFINITY, 0)),
    }
}

fn compare(a: &Place, b: &Place) -> std::cmp::Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// The stretches in ascending order, and for each window the range of stretches inside it (never empty).
pub(super) fn innermost(windows: &[EventWindow]) -> (Vec<Stretch>, Vec<std::ops::Range<usize>>) {
    let mut begins: Vec<Place> = windows.iter().map(|window| ends(window).0).collect();
    let mut finishes: Vec<Place> = windows.iter().map(|window| ends(window).1).collect();
    begins.sort_by(compare);
    finishes.sort_by(compare);
    // For each end the last begin at or before it; of the ends that share one, the first makes the stretch.
    let mut found: Vec<(Place, Place)> = Vec::new();
    for finish in finishes {
        let n_begun = begins.partition_point(|begin| compare(begin, &finish).is_le());
        let begin = begins[n_begun - 1];
        if found.last().is_none_or(|(last, _)| compare(last, &begin).is_lt()) {
            found.push((begin, finish));
        }
    }
    let covered = windows
        .iter()
        .map(|window| {
            let (begin, finish) = ends(window);
            let first = found.partition_point(|(place, _)| compare(place, &begin).is_lt());
            let end = found.partition_point(|(_, place)| compare(place, &finish).is_le());
            first..end
        })
        .collect();
    let stretch =
        |&(begin, finish): &(Place, Place)| Stretch { after: begin.0, by: finish.0.is_finite().then_some(finish.0) };
    (found.iter().map(stretch).collect(), covered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventWindow::{After, Between, Exact};

    #[test]
    fn stretches_lie_between_a_begin_and_the_next_end() {
        let (stretches, covered) = innermost(&[Between(0.0, 4.0), Between(1.0, 3.0), After(2.0), Exact(5.0)]);
        let stretch = |after, by| Stretch { after, by };
        assert_eq!(stretches, [stretch(2.0, Some(3.0)), stretch(5.0, Some(5.0))]);
        assert_eq!(covered, [0..1, 0..1, 0..2, 1..2]);
    }

    #[test]
    fn the_last_censored_opens_a_stretch_without_end() {
        let (stretches, covered) = innermost(&[Exact(1.0), After(1.0)]);
        assert_eq!(stretches[1], Stretch { after: 1.0, by: None });
        assert_eq!(covered, [0..1, 1..2]);
    }
}
