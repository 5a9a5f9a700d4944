//! Whether a registration may be trusted: other starts, the other way round, and blocks.
//!
//! Every threshold is a named constant. What was measured for them stands at the tests of `registration/tests.rs`.

use nalgebra::{Rotation3, Vector3};

use super::block::blocks;
use super::descent::descend;
use super::motion::{Motion, about};
use super::options::{RegistrationError, TransformKind};
use super::register::{Prepared, SPACINGS_MM, limits};
use super::result::{Quality, Registration, Spread};
use super::sample::Sample;
use crate::{Affine, Patient, Point, Volume};

/// Least part of the region that the moving image must cover for any placement to be considered.
pub const MIN_OVERLAP: f64 = 0.25;
/// Part of the region from which coverage raises no doubt.
pub const OVERLAP_PASS: f64 = 0.6;
/// Up to this 95th percentile of block residuals, mm, the pair counts as rigid. Measured inside a liver with a smooth bulge of
/// 45 mm width (part of which the rigid map takes up): 3 mm peak leaves 1.0 mm on abdominal CT and 2.3 mm on the noisier phantom
/// of the tests, 10 mm peak leaves 2.9 and 4.6 mm. No deformation: 0.4 and 0.9 mm.
pub const RESIDUAL_PASS_MM: f64 = 2.5;
/// Beyond this 95th percentile of block residuals, mm, the blocks contradict one another. Measured: 11.5 mm for
/// another body.
pub const RESIDUAL_FAIL_MM: f64 = 10.0;
/// Part of the structured blocks that must match for a pass. Measured: every phantom and CT pair of one body, deformed or not, 1.0.
pub const MATCHED_PASS: f64 = 0.9;
/// Fewer matched blocks than this part: not the same anatomy. Measured: the liver of another body 0.57.
pub const MATCHED_FAIL: f64 = 0.7;
/// Up to this 95th percentile of disagreement between repeated registrations, mm.
pub const ERROR_PASS_MM: f64 = 2.0;
/// Beyond this 95th percentile of disagreement between repeated registrations, mm, the result is a matter of chance.
pub const ERROR_FAIL_MM: f64 = 10.0;
/// Correlation at 4 mm over the region below which the images have nothing in common.
const CORRELATION_FAIL: f64 = 0.4;
/// Fewest structured blocks from which a distribution of residuals is stated.
const MIN_BLOCKS: usize = 4;
/// Samples for repeated registrations.
const N_SAMPLES: usize = 20_000;
/// Points of the region at which repeated registrations are compared.
const N_LANDMARKS: usize = 500;
/// Other starts: shift in mm and turn in degrees about each axis.
const OTHER_STARTS: [([f64; 3], [f64; 3]); 3] = [
    ([6.0, -5.0, 4.0], [3.0, -2.0, 2.0]),
    ([-5.0, 6.0, -6.0], [-2.0, 3.0, 3.0]),
    ([-4.0, -6.0, 6.0], [2.0, 2.0, -3.0]),
];

/// Gathers the evidence for a placement and judges it.
pub(super) fn verdict(
    prepared: &Prepared<'_>,
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    fixed_to_moving: &Affine<Patient, Patient>,
    motion: Motion,
) -> Result<Registration, RegistrationError> {
    let moving_to_fixed = fixed_to_moving.inverse().ok_or(crate::GridError::Singular)?;
    let finest = SPACINGS_MM.len() - 1;
    let samples = prepared.samples(finest, 80_000, false);
    let problem = prepared.problem(finest, &samples);
    let likeness = |placement: &Affine<Patient, Patient>| {
        let center = placement.apply(Point::from_coords(prepared.fixed[0].center())).coords;
        let evaluation = problem.evaluate(placement, Motion::Translation, center)?;
        (evaluation.overlap >= MIN_OVERLAP).then(|| (problem.likeness(evaluation.cost), evaluation.overlap))
    };
    let after = likeness(fixed_to_moving);
    let stride = samples.len() / N_LANDMARKS + 1;
    let landmarks: Vec<Sample> = samples.iter().step_by(stride).copied().collect();
    let back = there_and_back(prepared, fixed_to_moving, &moving_to_fixed, motion, &landmarks);
    let mut disagreement = other_starts(prepared, fixed_to_moving, motion, &landmarks);
    disagreement.extend(&back);
    let blocks = blocks(prepared, fixed_to_moving);
    let told: Vec<f64> =
        blocks.iter().filter(|b| b.matched && b.n_directions >= 2).map(|b| b.displacement.norm()).collect();
    let matched = blocks.iter().filter(|b| b.matched).count();
    let mut registration = Registration {
        moving_to_fixed,
        fixed_frame: fixed.grid().frame().clone(),
        moving_frame: moving.grid().frame().clone(),
        transform: Some(if motion == Motion::Affine { TransformKind::Affine } else { TransformKind::Rigid }),
        metric: Some(prepared.options.metric),
        quality: Quality::Pass,
        reasons: Vec::new(),
        metric_before: likeness(&Affine::identity()).map(|l| l.0),
        metric_after: after.map(|l| l.0),
        overlap: after.map(|l| l.1),
        inverse_consistency_mm: Spread::of(&back).map(|s| s.mean_mm),
        estimated_error: Spread::of(&disagreement),
        residual: if told.len() < MIN_BLOCKS { None } else { Spread::of(&told) },
        matched_blocks: (blocks.len() >= MIN_BLOCKS).then(|| matched as f64 / blocks.len() as f64),
        blocks,
    };
    conclude(&mut registration, prepared.correlation(fixed_to_moving));
    Ok(registration)
}

/// Distances by which landmarks miss themselves after the map found here and one found the other way round.
fn there_and_back(
    prepared: &Prepared<'_>,
    fixed_to_moving: &Affine<Patient, Patient>,
    moving_to_fixed: &Affine<Patient, Patient>,
    motion: Motion,
    landmarks: &[Sample],
) -> Vec<f64> {
    let mut placement = moving_to_fixed.then(&disturbed(prepared, OTHER_STARTS[0]));
    for level in 0..SPACINGS_MM.len() {
        let samples = prepared.samples_reversed(level, N_SAMPLES, moving_to_fixed);
        let problem = prepared.problem_reversed(level, &samples);
        match descend(&problem, placement, motion, limits(level)) {
            Some(descent) => placement = descent.fixed_to_moving,
            None => return Vec::new(),
        }
    }
    let round = fixed_to_moving.then(&placement);
    landmarks.iter().map(|l| (round.apply(Point::from_coords(l.at)).coords - l.at).norm()).collect()
}

/// Distances between landmarks carried by the map found here and by maps found from other starts.
fn other_starts(
    prepared: &Prepared<'_>,
    fixed_to_moving: &Affine<Patient, Patient>,
    motion: Motion,
    landmarks: &[Sample],
) -> Vec<f64> {
    let levels: Vec<Vec<Sample>> =
        (0..SPACINGS_MM.len()).map(|level| prepared.samples(level, N_SAMPLES, false)).collect();
    let mut distances = Vec::new();
    for start in OTHER_STARTS {
        let mut placement = disturbed(prepared, start).then(fixed_to_moving);
        for (level, samples) in levels.iter().enumerate() {
            if let Some(descent) = descend(&prepared.problem(level, samples), placement, motion, limits(level)) {
                placement = descent.fixed_to_moving;
            }
        }
        distances.extend(landmarks.iter().map(|l| {
            let p = Point::from_coords(l.at);
            placement.apply(p).distance(fixed_to_moving.apply(p))
        }));
    }
    distances
}

/// A small motion of the fixed frame about the centre of the region.
fn disturbed(prepared: &Prepared<'_>, (shift_mm, turn_degrees): ([f64; 3], [f64; 3])) -> Affine<Patient, Patient> {
    let region = prepared.samples(0, 2000, false);
    let center = region.iter().fold(Vector3::zeros(), |sum, s| sum + s.at) / region.len().max(1) as f64;
    let turn = Rotation3::new(Vector3::from(turn_degrees).map(f64::to_radians));
    about(*turn.matrix(), center, Vector3::from(shift_mm))
}

/// The verdict from the evidence: the worst of its findings, each with its sentence.
fn conclude(r: &mut Registration, correlation: Option<f64>) {
    let mut findings: Vec<(Quality, String)> = Vec::new();
    let mut grade = |value: Option<f64>, pass: bool, fail: bool, what: &str, unknown: &str| {
        let quality = match (value, pass, fail) {
            (_, _, true) => Quality::Fail,
            (Some(_), true, _) => Quality::Pass,
            _ => Quality::Review,
        };
        let sentence = value.map_or_else(|| unknown.to_owned(), |_| what.to_owned());
        findings.push((quality, sentence));
    };
    let c = correlation.unwrap_or(0.0);
    let text = format!("correlation of the region at 4 mm is {c:.2}, at least {CORRELATION_FAIL} is needed");
    grade(
        correlation,
        c >= CORRELATION_FAIL,
        c < CORRELATION_FAIL,
        &text,
        "the images cannot be compared after registration",
    );
    let o = r.overlap.unwrap_or(0.0);
    let text =
        format!("the moving image covers {:.0} % of the region (pass from {:.0} %)", 100.0 * o, 100.0 * OVERLAP_PASS);
    grade(r.overlap, o >= OVERLAP_PASS, o < MIN_OVERLAP, &text, "the images do not overlap enough after registration");
    let e = r.estimated_error.map(|s| s.p95_mm);
    let p = e.unwrap_or(f64::NAN);
    let text = format!(
        "repeated registrations differ by {p:.1} mm at the 95th percentile (pass up to {ERROR_PASS_MM} mm, fail above {ERROR_FAIL_MM} mm)"
    );
    grade(e, p <= ERROR_PASS_MM, p > ERROR_FAIL_MM, &text, "no repeated registration was possible");
    let m = r.matched_blocks.unwrap_or(f64::NAN);
    let n = r.blocks.len();
    let text = format!(
        "{:.0} % of {n} blocks with structure match (pass from {:.0} %, fail below {:.0} %)",
        100.0 * m,
        100.0 * MATCHED_PASS,
        100.0 * MATCHED_FAIL
    );
    grade(
        r.matched_blocks,
        m >= MATCHED_PASS,
        m < MATCHED_FAIL,
        &text,
        "too few blocks with structure to judge local agreement",
    );
    let d = r.residual.map(|s| s.p95_mm);
    let p = d.unwrap_or(f64::NAN);
    let text = format!(
        "local deformation left over is {p:.1} mm at the 95th percentile of blocks (pass up to {RESIDUAL_PASS_MM} mm, fail above {RESIDUAL_FAIL_MM} mm)"
    );
    grade(d, p <= RESIDUAL_PASS_MM, p > RESIDUAL_FAIL_MM, &text, "too few matched blocks to measure local deformation");
    if let (Some(before), Some(after)) = (r.metric_before, r.metric_after)
        && after < before
    {
        let text = format!("likeness fell from {before:.4} to {after:.4}: the headers' own position fits better");
        findings.push((Quality::Review, text));
    }
    r.quality = findings.iter().map(|f| f.0).max().unwrap_or(Quality::Review);
    let worst = r.quality;
    r.reasons = findings.into_iter().filter(|f| f.0 == worst || worst == Quality::Pass).map(|f| f.1).collect();
}
