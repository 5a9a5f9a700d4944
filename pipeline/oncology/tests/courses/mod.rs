//! Follows cohorts of synthetic courses and compares with the truth; shared by the test of the bars and the measurement.

mod follow;
mod score;

use phantom::courses::course;

pub(crate) use follow::Told;
pub(crate) use score::Score;

/// One cohort at one error of registration (mm per axis), followed with what the tracker is told.
pub(crate) fn measured(seed: u64, n_patients: usize, error_mm: f64, told: Told) -> Score {
    let mut score = Score::default();
    for patient in 0..n_patients {
        let course = course(seed, patient, error_mm);
        score.add(&course, &follow::followed(&course, told));
    }
    score
}
