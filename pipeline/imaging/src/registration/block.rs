//! What a registration left over: blocks of the region are placed again by a shift each, which shows local deformation.
//!
//! Block matching after Ourselin et al., *Image and Vision Computing* 2001;19:25, here used to judge a result, not to find it.

use std::collections::BTreeMap;

use nalgebra::{Matrix3, SymmetricEigen, Vector3};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::descent::{Descent, Limits, descend};
use super::evaluate::Problem;
use super::joint::Joint;
use super::level::{Level, SPACINGS_MM};
use super::motion::Motion;
use super::options::Metric;
use super::prepared::Prepared;
use super::sample::Sample;
use super::start::cube;
use crate::{Affine, Patient, Point, Vector};

/// Edge of a block, mm: holds a liver segment's border and vessels, and is short against the range over which breathing deforms.
const BLOCK_MM: f64 = 40.0;
/// Samples aimed at in each full block.
const SAMPLES_PER_BLOCK: f64 = 1200.0;
/// Fewest samples of a block that is judged: a third of a full one.
const MIN_SAMPLES: usize = 400;
/// Shifts tried along each axis before the descent, mm.
const SHIFTS_MM: [f64; 3] = [-8.0, 0.0, 8.0];
/// Least standard deviation of the fixed image in a block at 4 mm, as a part of the range of values (5 HU of −200…300).
const MIN_CONTRAST: f64 = 0.01;
/// Least variance at 8 mm relative to 4 mm. Origin: white noise keeps (4/8)³ = 0.125 of its variance, structure of an organ's
/// size nearly all of it.
const MIN_STRUCTURE: f64 = 0.3;
/// Correlation at 4 mm from which a block counts as matched. Measured on synthetic livers (seeds 1–6, see
/// [`super::MATCHED_PASS`]): the lowest tenth of a pair's blocks reaches 0.96 and more for one patient, also with a large
/// deformation, and 0.80 at most for another patient's liver, whose border alone fits (0.82 on seeds 7–12).
const MATCHED_CORRELATION: f64 = 0.85;
/// A block that moved farther than this, mm, was not found again: the grid of shifts reaches 8 mm along each axis (14 mm across),
/// and what lies beyond is a chance likeness.
const MAX_SHIFT_MM: f64 = 16.0;
/// A direction is judged when its standard error is at most this, mm; along a smooth surface it is not (aperture problem).
const MAX_STANDARD_ERROR_MM: f64 = 1.0;
/// Samples that count as one independent observation when standard errors are computed (neighbours share blur and noise).
const SAMPLES_PER_OBSERVATION: f64 = 4.0;
/// Least part of a block that the moving image must cover.
const MIN_BLOCK_OVERLAP: f64 = 0.7;

/// Samples for what is said of the region as a whole.
const N_OVERALL: usize = 20_000;

/// One block of the region.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BlockResidual {
    /// Middle of the block's samples, fixed frame.
    pub center: Point<Patient>,
    /// How far the registration puts the block's tissue from where it belongs, fixed frame, mm; only along the directions in
    /// which the block has enough structure to tell.
    pub displacement: Vector<Patient>,
    /// Number of directions in which the block could tell, 0 to 3.
    pub n_directions: usize,
    /// Correlation of the block after its own shift, at 4 mm.
    pub correlation: f64,
    /// Whether the two images show the same structure here, within the reach of the search.
    pub matched: bool,
}

/// Judges every block of the region that has structure, in order of position.
pub(super) fn blocks(prepared: &Prepared<'_>, fixed_to_moving: &Affine<Patient, Patient>) -> Vec<BlockResidual> {
    let (middle, finest) = (1, SPACINGS_MM.len() - 1);
    let n_max = region_blocks(prepared) * SAMPLES_PER_BLOCK;
    let translations = [middle, finest].map(|level| Translation::new(prepared, level, fixed_to_moving));
    let mut samples = translations[1].apply(prepared.samples(finest, n_max as usize));
    samples.retain(|s| is_well_inside(prepared, finest, s, fixed_to_moving));
    let to_fixed = fixed_to_moving.linear().try_inverse().unwrap_or_else(Matrix3::identity);
    by_block(&samples)
        .into_par_iter()
        .filter(|block| block.len() >= MIN_SAMPLES && has_structure(prepared, block))
        .filter_map(|fine| {
            let coarse = translations[0].apply(reread(&prepared.fixed[middle], &fine));
            let coarse_problem = correlated(prepared.problem(middle, &coarse));
            let placed = place(&coarse_problem, &correlated(prepared.problem(finest, &fine)), fixed_to_moving)?;
            Some(residual(&fine, &placed, fixed_to_moving, &to_fixed))
        })
        .collect()
}

/// Number of blocks that would fill the region.
fn region_blocks(prepared: &Prepared<'_>) -> f64 {
    (prepared.region_mm3() / BLOCK_MM.powi(3)).clamp(1.0, 500.0)
}

/// Whether a sample stays in both images whatever the shift of its block within the search.
fn is_well_inside(
    prepared: &Prepared<'_>,
    level: usize,
    s: &Sample,
    fixed_to_moving: &Affine<Patient, Patient>,
) -> bool {
    let at = fixed_to_moving.apply(Point::from_coords(s.at)).coords;
    prepared.moving[level].holds(at, SHIFTS_MM[2]) && prepared.fixed[level].holds(s.at, SPACINGS_MM[1])
}

fn by_block(samples: &[Sample]) -> Vec<Vec<Sample>> {
    let low = samples.iter().fold(Vector3::repeat(f64::INFINITY), |low, s| low.inf(&s.at));
    let mut blocks: BTreeMap<[i64; 3], Vec<Sample>> = BTreeMap::new();
    for sample in samples {
        let at = ((sample.at - low) / BLOCK_MM).map(|x| x.floor() as i64);
        blocks.entry([at.z, at.y, at.x]).or_default().push(*sample);
    }
    blocks.into_values().collect()
}

fn reread(level: &Level, samples: &[Sample]) -> Vec<Sample> {
    samples.iter().filter_map(|s| Some(Sample { value: f64::from(level.value(s.at)?), ..*s })).collect()
}

/// Of two modalities, the fixed values are replaced by the moving values expected there, so that correlation applies.
struct Translation(Option<(Joint, Vec<f64>)>);

impl Translation {
    fn new(prepared: &Prepared<'_>, level: usize, fixed_to_moving: &Affine<Patient, Patient>) -> Self {
        if prepared.one_modality() {
            return Self(None);
        }
        let joint = prepared.joint(level, fixed_to_moving);
        let means = joint.mean_moving();
        Self(Some((joint, means)))
    }

    fn apply(&self, mut samples: Vec<Sample>) -> Vec<Sample> {
        if let Some((joint, means)) = &self.0 {
            for sample in &mut samples {
                sample.value = joint.translate(means, sample.value);
            }
        }
        samples
    }
}

fn correlated(problem: Problem<'_>) -> Problem<'_> {
    Problem { metric: Metric::NormalizedCorrelation, ..problem }
}

fn has_structure(prepared: &Prepared<'_>, block: &[Sample]) -> bool {
    let variance = |level: usize| {
        let values: Vec<f64> = reread(&prepared.fixed[level], block).iter().map(|s| s.value).collect();
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len().max(1) as f64
    };
    let (at_8_mm, at_4_mm) = (variance(0), variance(1));
    let contrast = MIN_CONTRAST * f64::from(prepared.fixed_range.1 - prepared.fixed_range.0);
    at_4_mm.sqrt() >= contrast && at_8_mm >= MIN_STRUCTURE * at_4_mm
}

/// The block's own placement, found at 4 mm and refined on the finest level, and its correlation at 4 mm.
fn place(
    coarse: &Problem<'_>,
    fine: &Problem<'_>,
    fixed_to_moving: &Affine<Patient, Patient>,
) -> Option<(Descent, f64)> {
    let limits = |mm: f64| Limits { step_mm: mm, stop_mm: 0.01 * mm, min_overlap: MIN_BLOCK_OVERLAP };
    let start = cube(&SHIFTS_MM)
        .into_iter()
        .map(|shift| fixed_to_moving.then(&Affine::from_parts(Matrix3::identity(), shift)))
        .filter_map(|placement| Some((coarse.cost(&placement)?, placement)))
        .filter(|((_, overlap), _)| *overlap >= MIN_BLOCK_OVERLAP)
        .min_by(|a, b| a.0.0.total_cmp(&b.0.0))?
        .1;
    let coarse = descend(coarse, start, Motion::Translation, limits(SPACINGS_MM[1]))?;
    let correlation = 1.0 - coarse.at.cost;
    let fine = descend(fine, coarse.fixed_to_moving, Motion::Translation, limits(SPACINGS_MM[2]))?;
    Some((fine, correlation))
}

fn residual(
    samples: &[Sample],
    (placed, correlation): &(Descent, f64),
    fixed_to_moving: &Affine<Patient, Patient>,
    to_fixed: &Matrix3<f64>,
) -> BlockResidual {
    let center = samples.iter().fold(Vector3::zeros(), |sum, s| sum + s.at) / samples.len() as f64;
    let at = Point::from_coords(center);
    let shift = placed.fixed_to_moving.apply(at).coords - fixed_to_moving.apply(at).coords;
    let hessian = Matrix3::from_fn(|r, c| placed.at.hessian[(r, c)]);
    let noise = 2.0 * placed.at.cost * SAMPLES_PER_OBSERVATION / placed.at.n as f64;
    let eigen = SymmetricEigen::new(hessian);
    let (mut told, mut n_directions) = (Vector3::zeros(), 0);
    for n in 0..3 {
        let curvature = eigen.eigenvalues[n];
        if curvature > 0.0 && (noise / curvature).sqrt() <= MAX_STANDARD_ERROR_MM {
            let direction = eigen.eigenvectors.column(n);
            told += direction * direction.dot(&shift);
            n_directions += 1;
        }
    }
    BlockResidual {
        center: at,
        displacement: Vector::from_coords(to_fixed * told),
        n_directions,
        correlation: *correlation,
        matched: *correlation >= MATCHED_CORRELATION && told.norm() <= MAX_SHIFT_MM,
    }
}

/// Mid-level joint distribution and overall correlation, for the verdict.
impl Prepared<'_> {
    /// Joint distribution of the two images on a level for one placement.
    pub(super) fn joint(&self, level: usize, fixed_to_moving: &Affine<Patient, Patient>) -> Joint {
        let samples = self.samples(level, N_OVERALL);
        let problem = self.problem(level, &samples);
        Joint::of(&problem.pairs(fixed_to_moving).0, 32, problem.fixed_range, problem.moving_range)
    }

    /// Correlation at 4 mm over the whole region, of two modalities after translation of the values.
    pub(super) fn correlation(&self, fixed_to_moving: &Affine<Patient, Patient>) -> Option<f64> {
        let samples = Translation::new(self, 1, fixed_to_moving).apply(self.samples(1, N_OVERALL));
        correlated(self.problem(1, &samples)).cost(fixed_to_moving).map(|(cost, _)| 1.0 - cost)
    }
}
