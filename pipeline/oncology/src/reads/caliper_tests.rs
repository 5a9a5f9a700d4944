//! Calipers that are no diameter of the lesion, and diameters that do not fit each other; a lesion of 14 × 11 mm on two slices.

use std::collections::BTreeSet;

use imaging::Chord;

use super::tests::*;
use super::*;
use crate::lesion::LesionId;

/// A caliper between two voxels of a slice.
fn line(from: [f64; 2], to: [f64; 2], k: f64) -> String {
    let at = |[i, j]: [f64; 2]| grid().voxel_to_patient().apply(imaging::Point::new(i, j, k)).to_array();
    let text = |p: [f64; 3]| p.map(|v| format!("{v:.3}")).join(" ");
    format!("{}; {}", text(at(from)), text(at(to)))
}

#[test]
fn a_caliper_elsewhere_is_refused_with_the_figures() {
    let of = |value: String| read("L1", "2024-03-13", "long_axis", &value);
    for (value, why) in [
        (line([20.0, 30.0], [40.0, 30.0], 4.0), "slice 5, and L1 is outlined on slices 3 to 4"),
        (line([1.0, 50.0], [12.0, 60.0], 2.0), "mm beside it, expected at most 5 mm"),
        (line([30.0, 30.0], [63.0, 63.0], 2.0), "expected at most 20.0 mm"),
    ] {
        let said = refused(of(value));
        assert!(said.contains(why), "{said}");
    }
    // An outline that is too small does not bind the reader to it.
    assert_eq!(only(of(line([12.0, 20.0], [48.0, 40.0], 3.0))).1.outcome, Outcome::Applied);
}

#[test]
fn a_short_axis_is_not_longer_than_the_long_one_whoever_drew_them() {
    let [long, short] = ["long_axis", "short_axis"].map(|item| move |value| read("L1", "2024-03-13", item, value));
    let (wide, tall) = (line([22.0, 30.0], [38.0, 30.0], 2.0), line([30.0, 25.0], [30.0, 35.0], 2.0));
    let applied = put(&[long(&wide), short(&tall)]);
    assert!(applied.reads.iter().all(|row| row.outcome == Outcome::Applied && row.reason.is_empty()));
    let applied = put(&[long(&tall), short(&wide)]);
    assert!(applied.reads.iter().all(|row| row.outcome == Outcome::Refused), "{:?}", applied.reads);
    assert!(applied.reads[0].reason.contains("drawn) is longer than the long axis"), "{}", applied.reads[0].reason);
    assert!(applied.followed.reviewed.axes.is_empty());
    // Against the program's own long axis of 8 mm.
    let before = followed();
    let mut state = state(&before);
    let ends = [22.0, 32.0].map(|i| grid().voxel_to_patient().apply(imaging::Point::new(i, 30.0, 2.0)));
    let program = Chord { start: ends[0], end: ends[1] };
    state.lesions[0].at.get_mut(&1).unwrap().found.long = Some(program);
    let applied = apply(&[short(&line([30.0, 24.0], [30.0, 36.0], 2.0))], &state, before, &BTreeSet::new());
    assert!(applied.reads[0].reason.contains("8.06 mm, the program's"), "{}", applied.reads[0].reason);
}

#[test]
fn a_skew_pair_and_a_pair_on_two_slices_are_in_force_with_a_doubt() {
    let [long, short] = ["long_axis", "short_axis"].map(|item| move |value| read("L1", "2024-03-13", item, value));
    let applied = put(&[long(&line([22.0, 30.0], [38.0, 30.0], 2.0)), short(&line([26.0, 26.0], [34.0, 34.0], 3.0))]);
    assert!(applied.followed.reviewed.axes[&(1, LesionId::new("L1"))].short.is_some());
    for row in &applied.reads {
        assert_eq!(row.outcome, Outcome::Applied);
        assert!(
            row.reason.contains("45 degrees") && row.reason.contains("slice 3, the short axis on slice 4"),
            "{}",
            row.reason
        );
    }
}
