//! The evidence for a registration: likeness, repetition from other starts and the other way round, and blocks.

use nalgebra::{Rotation3, Vector3};

use super::block::blocks;
use super::descent::descend;
use super::level::N_LEVELS;
use super::motion::{Motion, about};
use super::options::{RegistrationError, TransformKind};
use super::point_error::LocalEvidence;
use super::prepared::Prepared;
use super::quality::{MIN_BLOCKS, MIN_OVERLAP, conclude};
use super::register::{N_SAMPLES, limits};
use super::result::{Quality, Registration, Spread};
use super::sample::Sample;
use super::unseen::unseen;
use crate::{Affine, Patient, Point, Volume};

/// Samples for repeated registrations.
const N_REPEATED: usize = 8000;
/// Level on which repeated registrations end: the middle one tells a second optimum from the first at a quarter of the effort,
/// and its own scatter makes the estimate err on the large side.
const LAST_REPEATED: usize = 1;
/// Points of the region at which repeated registrations are compared.
const N_LANDMARKS: usize = 500;
/// Other starts: shift in mm and turn in degrees about each axis.
const OTHER_STARTS: [([f64; 3], [f64; 3]); 3] = [
    ([6.0, -5.0, 4.0], [3.0, -2.0, 2.0]),
    ([-5.0, 6.0, -6.0], [-2.0, 3.0, 3.0]),
    ([-4.0, -6.0, 6.0], [2.0, 2.0, -3.0]),
];

/// Gathers the evidence for a placement and judges it. `coverage` is the part of the region that the moving image covers, where that
/// is known from before (an image already carried onto the fixed one cannot tell).
pub(super) fn verdict(
    prepared: &Prepared<'_>,
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    fixed_to_moving: &Affine<Patient, Patient>,
    motion: Motion,
    coverage: Option<f64>,
) -> Result<Registration, RegistrationError> {
    let moving_to_fixed = fixed_to_moving.inverse().ok_or(crate::GridError::Singular)?;
    let samples = prepared.samples(N_LEVELS - 1, N_SAMPLES[N_LEVELS - 1]);
    let after = likeness(prepared, &samples, fixed_to_moving);
    let stride = samples.len() / N_LANDMARKS + 1;
    let landmarks: Vec<Sample> = samples.iter().step_by(stride).copied().collect();
    let returned = there_and_back(prepared, fixed_to_moving, &moving_to_fixed, motion, &landmarks);
    let mut repeats = other_starts(prepared, fixed_to_moving, &moving_to_fixed, motion, &landmarks);
    repeats.extend(returned);
    let missed = |map: &Affine<Patient, Patient>| -> Vec<f64> {
        landmarks.iter().map(|l| (map.apply(Point::from_coords(l.at)).coords - l.at).norm()).collect()
    };
    let disagreement: Vec<f64> = repeats.iter().flat_map(missed).collect();
    let blocks = blocks(prepared, fixed_to_moving);
    let told: Vec<f64> =
        blocks.iter().filter(|b| b.matched && b.n_directions >= 2).map(|b| b.displacement.norm()).collect();
    let matched = blocks.iter().filter(|b| b.matched).count();
    let mut registration = Registration {
        moving_to_fixed,
        bend: None,
        fixed_frame: fixed.grid().frame().clone(),
        moving_frame: moving.grid().frame().clone(),
        transform: Some(if motion == Motion::Affine { TransformKind::Affine } else { TransformKind::Rigid }),
        metric: Some(prepared.options.metric),
        quality: Quality::Pass,
        reasons: Vec::new(),
        metric_before: likeness(prepared, &samples, &Affine::identity()).map(|l| l.0),
        metric_after: after.map(|l| l.0),
        overlap: after.map(|l| coverage.unwrap_or(l.1)),
        inverse_consistency_mm: returned.and_then(|map| Spread::of(&missed(&map))).map(|s| s.mean_mm),
        estimated_error: Spread::of(&disagreement),
        residual: if told.len() < MIN_BLOCKS { None } else { Spread::of(&told) },
        matched_blocks: (blocks.len() >= MIN_BLOCKS).then(|| matched as f64 / blocks.len() as f64),
        blocks,
        local: LocalEvidence { repeats, unseen: unseen(prepared, fixed_to_moving), ..LocalEvidence::default() },
        links: Vec::new(),
    };
    conclude(&mut registration, prepared.correlation(fixed_to_moving));
    Ok(registration)
}

/// Likeness on the finest level and the part of the region covered.
fn likeness(prepared: &Prepared<'_>, samples: &[Sample], placement: &Affine<Patient, Patient>) -> Option<(f64, f64)> {
    let problem = prepared.problem(N_LEVELS - 1, samples);
    let center = placement.apply(problem.middle()).coords;
    let evaluation = problem.evaluate(placement, Motion::Translation, center)?;
    (evaluation.overlap >= MIN_OVERLAP).then(|| (problem.likeness(evaluation.cost), evaluation.overlap))
}

/// The map found here followed by one found the other way round, within the fixed frame.
fn there_and_back(
    prepared: &Prepared<'_>,
    fixed_to_moving: &Affine<Patient, Patient>,
    moving_to_fixed: &Affine<Patient, Patient>,
    motion: Motion,
    landmarks: &[Sample],
) -> Option<Affine<Patient, Patient>> {
    let mut placement = moving_to_fixed.then(&disturbed(landmarks, OTHER_STARTS[0]));
    for level in 0..=LAST_REPEATED {
        let samples = prepared.samples_reversed(level, N_REPEATED, moving_to_fixed);
        let problem = prepared.problem_reversed(level, &samples);
        placement = descend(&problem, placement, motion, limits(level))?.fixed_to_moving;
    }
    Some(fixed_to_moving.then(&placement))
}

/// Maps found from other starts at points drawn anew, followed by the way back of the map found here.
fn other_starts(
    prepared: &Prepared<'_>,
    fixed_to_moving: &Affine<Patient, Patient>,
    moving_to_fixed: &Affine<Patient, Patient>,
    motion: Motion,
    landmarks: &[Sample],
) -> Vec<Affine<Patient, Patient>> {
    let from = |(n, start): (usize, &([f64; 3], [f64; 3]))| {
        let mut placement = disturbed(landmarks, *start).then(fixed_to_moving);
        for level in 0..=LAST_REPEATED {
            let samples = prepared.samples_drawn(level, N_REPEATED, 2 + n as u64);
            if let Some(descent) = descend(&prepared.problem(level, &samples), placement, motion, limits(level)) {
                placement = descent.fixed_to_moving;
            }
        }
        placement.then(moving_to_fixed)
    };
    OTHER_STARTS.iter().enumerate().map(from).collect()
}

/// A small motion of the fixed frame about the centre of the landmarks.
fn disturbed(landmarks: &[Sample], (shift_mm, turn_degrees): ([f64; 3], [f64; 3])) -> Affine<Patient, Patient> {
    let center = landmarks.iter().fold(Vector3::zeros(), |sum, s| sum + s.at) / landmarks.len().max(1) as f64;
    let turn = Rotation3::new(Vector3::from(turn_degrees).map(f64::to_radians));
    about(*turn.matrix(), center, Vector3::from(shift_mm))
}
