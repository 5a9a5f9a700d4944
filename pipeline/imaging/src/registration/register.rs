//! The way of a registration: pyramid, start, descent level by level, verdict.

use nalgebra::Vector3;

use super::descent::{Limits, descend};
use super::level::{N_LEVELS, SPACINGS_MM};
use super::motion::Motion;
use super::options::{RegistrationError, RegistrationOptions, TransformKind};
use super::pair::Pair;
use super::prepared::Prepared;
use super::quality::{LIKENESS_TOLERANCE, MIN_OVERLAP};
use super::result::Registration;
use super::sample::{Sample, center_of_mass, centroid};
use super::{partial, start, verdict::verdict};
use crate::{Affine, Patient, Volume};

/// Samples on each level. Origin: doubling them changes the mean error at the landmarks of 48 synthetic livers by 0.014 mm in the
/// mean and by 0.07 mm at most.
pub(super) const N_SAMPLES: [usize; N_LEVELS] = [6000, 20_000, 40_000];
/// Samples for the many placements of the search for a start.
const N_SEARCH: usize = 800;
/// Fewest samples in the region from which a registration is tried.
const MIN_SAMPLES: usize = 500;

/// A map whose matrix turns lengths into others by no more than this part is a rotation, written with few digits.
const ROTATION_TOLERANCE: f64 = 1e-3;

/// Registers with the family of maps named in the options.
pub fn register(
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    options: &RegistrationOptions<'_>,
) -> Result<Registration, RegistrationError> {
    Pair::new(fixed, moving, options)?.register()
}

/// Finds the rotation and translation that carry the moving image onto the fixed one, and judges them. Values are in the images'
/// unit (HU for CT), positions in mm LPS. The same input gives the same bits at any number of threads.
pub fn register_rigid(
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    options: &RegistrationOptions<'_>,
) -> Result<Registration, RegistrationError> {
    Pair::new(fixed, moving, options)?.search(Motion::Rigid)
}

/// Finds the affine map that carries the moving image onto the fixed one, from the rigid one on, and judges it.
pub fn register_affine(
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    options: &RegistrationOptions<'_>,
) -> Result<Registration, RegistrationError> {
    Pair::new(fixed, moving, options)?.search(Motion::Affine)
}

/// Judges a map made elsewhere (another program, a hand) as if it had been found here.
pub fn judge(
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    moving_to_fixed: &Affine<Patient, Patient>,
    options: &RegistrationOptions<'_>,
) -> Result<Registration, RegistrationError> {
    Pair::new(fixed, moving, options)?.judge(moving_to_fixed)
}

impl Pair<'_> {
    /// Registers with the family of maps named in the options.
    pub fn register(&self) -> Result<Registration, RegistrationError> {
        self.search(self.motion()?)
    }

    /// Judges a map made elsewhere (another program, a hand) as if it had been found here: as an affine one where it is no rotation,
    /// whatever family the options name, so that what it does to sizes is looked at.
    pub fn judge(&self, moving_to_fixed: &Affine<Patient, Patient>) -> Result<Registration, RegistrationError> {
        let fixed_to_moving = moving_to_fixed.inverse().ok_or(crate::GridError::Singular)?;
        let motion = if keeps_lengths(&fixed_to_moving) { self.motion()? } else { Motion::Affine };
        let prepared = Prepared::on(&self.pyramids, &self.options);
        verdict(&prepared, &self.fixed, &self.moving, &fixed_to_moving, motion, None)
    }

    fn motion(&self) -> Result<Motion, RegistrationError> {
        match self.options.transform {
            TransformKind::Rigid => Ok(Motion::Rigid),
            TransformKind::Affine => Ok(Motion::Affine),
            TransformKind::Deformable => Err(no_single_matrix()),
        }
    }

    /// From the start down to the verdict. A moving image that shows less of the body than a start needs is compared where it lies.
    fn search(&self, motion: Motion) -> Result<Registration, RegistrationError> {
        let (images, options) = ((&*self.fixed, &*self.moving), &self.options);
        let prepared = Prepared::on(&self.pyramids, options);
        let refused = match prepared.start().and_then(|start| prepared.finish(images, start, motion)) {
            Err(no_overlap @ RegistrationError::NoOverlap { .. }) => no_overlap,
            found => return found,
        };
        let start = partial::start(images.0, images.1, options).ok_or(refused)?;
        if options.fixed_mask.is_some() {
            return prepared.finish(images, start, motion);
        }
        let part = partial::covered(&prepared, &start);
        let within = RegistrationOptions { fixed_mask: Some(&part), ..*options };
        let mut found = Prepared::on(&self.pyramids, &within).finish(images, start, motion)?;
        found.reasons.push(partial::SMALL_PART.to_owned());
        Ok(found)
    }
}

/// A rotation and a shift, no scaling, shear or reflection.
fn keeps_lengths(map: &Affine<Patient, Patient>) -> bool {
    let linear = map.linear();
    let longest_off = linear.singular_values().iter().map(|s| (s - 1.0).abs()).fold(0.0, f64::max);
    longest_off <= ROTATION_TOLERANCE && linear.determinant() > 0.0
}

impl Prepared<'_> {
    /// The placement on the coarsest level.
    pub(super) fn start(&self) -> Result<Affine<Patient, Patient>, RegistrationError> {
        let (few, many) = (self.body_samples(N_SEARCH), self.body_samples(N_SAMPLES[0]));
        enough(&many)?;
        let mass = center_of_mass(&self.fixed[0], self.fixed_range.0);
        let fixed_center = mass.unwrap_or_else(|| self.fixed[0].center());
        let mut shifts = vec![Vector3::zeros()];
        if let Some(center) = center_of_mass(&self.moving[0], self.moving_range.0) {
            shifts.push(center - fixed_center);
        }
        if let (Some(a), Some(b)) = (self.options.fixed_mask, self.options.moving_mask)
            && let (Some(a), Some(b)) = (centroid(a), centroid(b))
        {
            shifts.push(b - a);
        }
        let found = start::find(&self.problem(0, &few), &self.problem(0, &many), fixed_center, &shifts, SPACINGS_MM[0])
            .ok_or(RegistrationError::NoOverlap { needed_percent: 100.0 * MIN_OVERLAP })?
            .fixed_to_moving;
        if self.options.fixed_mask.is_none() {
            return Ok(found);
        }
        let organ = self.samples(0, N_SEARCH);
        Ok(start::nudge(&self.problem(0, &organ), found))
    }

    /// From the start on: the rigid map, the affine one where it is wanted, the verdict.
    fn finish(
        &self,
        (fixed, moving): (&Volume<f32>, &Volume<f32>),
        start: Affine<Patient, Patient>,
        motion: Motion,
    ) -> Result<Registration, RegistrationError> {
        let rigid = self.or_as_placed(self.refine(start, Motion::Rigid)?);
        let found = if motion == Motion::Affine { self.refine(rigid, motion)? } else { rigid };
        verdict(self, fixed, moving, &found, motion, None)
    }

    /// Descends through the levels; the coarsest only for a motion the start did not know.
    fn refine(
        &self,
        start: Affine<Patient, Patient>,
        motion: Motion,
    ) -> Result<Affine<Patient, Patient>, RegistrationError> {
        let mut placement = start;
        for (level, n_max) in N_SAMPLES.into_iter().enumerate() {
            let samples = self.samples(level, n_max);
            enough(&samples)?;
            placement = descend(&self.problem(level, &samples), placement, motion, limits(level))
                .ok_or(RegistrationError::NoOverlap { needed_percent: 100.0 * MIN_OVERLAP })?
                .fixed_to_moving;
        }
        Ok(placement)
    }
}

impl Prepared<'_> {
    /// The rigid map found, or where the images are more alike as their headers place them, the one found from there.
    fn or_as_placed(&self, found: Affine<Patient, Patient>) -> Affine<Patient, Patient> {
        let samples = self.samples(N_LEVELS - 1, N_SAMPLES[N_LEVELS - 1]);
        let problem = self.problem(N_LEVELS - 1, &samples);
        let cost = |map: &Affine<Patient, Patient>| {
            problem.cost(map).filter(|(_, overlap)| *overlap >= MIN_OVERLAP).map(|(cost, _)| cost)
        };
        let placed = Affine::identity();
        let Some(here) = cost(&found) else { return found };
        if cost(&placed).is_none_or(|cost| cost >= here - LIKENESS_TOLERANCE) {
            return found;
        }
        let other = self.refine(placed, Motion::Rigid).ok();
        other.filter(|map| cost(map).is_some_and(|cost| cost < here)).unwrap_or(found)
    }
}

fn no_single_matrix() -> RegistrationError {
    let text = "a deformable map is no single matrix: register rigidly first, then deformably from that start";
    RegistrationError::Options(text.to_owned())
}

fn enough(samples: &[Sample]) -> Result<(), RegistrationError> {
    if samples.len() < MIN_SAMPLES {
        return Err(RegistrationError::TooFewSamples { n_samples: samples.len(), needed: MIN_SAMPLES });
    }
    Ok(())
}

/// How far a descent on a level may go.
pub(super) fn limits(level: usize) -> Limits {
    Limits { step_mm: 2.0 * SPACINGS_MM[level], stop_mm: 0.005 * SPACINGS_MM[level], min_overlap: MIN_OVERLAP }
}
