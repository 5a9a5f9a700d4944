//! The tracker's bars on synthetic courses: splits, merges, vanishing, new lesions, missing coverage, wrong outlines. The cohort of 200
//! patients and the curve over the error of the registration are stored in `test_data/oracles/tracking`.

mod courses;

use courses::{Told, measured};

/// A seed that the tracker's constants were not tuned on.
const SEED: u64 = 104;
const N_PATIENTS: usize = 40;

#[test]
fn links_are_right_and_new_lesions_are_told_from_known_ones() {
    let told = Told { error_mm: 1.0, second_look: true };
    let score = measured(SEED, N_PATIENTS, 1.0, told);
    println!("{score:?}");
    assert!(score.links_true > 400, "{} links", score.links_true);
    assert!(score.precision() >= 0.98, "precision {:.4}", score.precision());
    assert!(score.recall() >= 0.98, "recall {:.4}", score.recall());
    assert!(score.new_recall() >= 0.95, "{:.3} of the new lesions", score.new_recall());
    assert!(score.false_new_per_patient() <= 0.1, "{:.3} false new lesions a patient", score.false_new_per_patient());
    assert!(score.states.contains_key(&("not covered", "NotCovered".to_owned())));
    assert!(!score.states.contains_key(&("not covered", "New".to_owned())), "what was not imaged is never new");
}
