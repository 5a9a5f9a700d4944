//! The way of a registration: pyramid, start, descent level by level, verdict.

use nalgebra::Vector3;

use super::descent::{Limits, descend};
use super::evaluate::Problem;
use super::level::Level;
use super::motion::Motion;
use super::options::{Metric, RegistrationError, RegistrationOptions, TransformKind};
use super::quality::{MIN_OVERLAP, verdict};
use super::result::Registration;
use super::sample::{Sample, body, center_of_mass, centroid, contains, draw};
use super::start;
use crate::{Affine, Mask, Patient, Point, Volume};

/// Spacings of the pyramid, mm, coarse to fine: 8 mm carries a body, 2 mm the finest that abdominal CT resolves along z.
pub(super) const SPACINGS_MM: [f64; 3] = [8.0, 4.0, 2.0];
/// Samples on each level. Origin: with these the mean error on the textured phantom of the tests stays below 0.1 mm.
const N_SAMPLES: [usize; 3] = [12_000, 40_000, 80_000];
/// Samples for the many placements of the search for a start.
const N_SEARCH: usize = 1500;
/// Fewest samples in the region from which a registration is tried.
const MIN_SAMPLES: usize = 500;

/// Both images, prepared: values cut, pyramids built, region known.
pub(super) struct Prepared<'a> {
    pub(super) fixed: Vec<Level>,
    pub(super) moving: Vec<Level>,
    fixed_excluded: Option<Vec<Level>>,
    moving_excluded: Option<Vec<Level>>,
    body: Mask,
    pub(super) fixed_range: (f32, f32),
    pub(super) moving_range: (f32, f32),
    pub(super) options: RegistrationOptions<'a>,
}

/// Registers with the family of maps named in the options.
pub fn register(
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    options: &RegistrationOptions<'_>,
) -> Result<Registration, RegistrationError> {
    match options.transform {
        TransformKind::Rigid => register_rigid(fixed, moving, options),
        TransformKind::Affine => register_affine(fixed, moving, options),
    }
}

/// Finds the rotation and translation that carry the moving image onto the fixed one, and judges them. Values are in the images'
/// unit (HU for CT), positions in mm LPS. The same input gives the same bits at any number of threads.
pub fn register_rigid(
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    options: &RegistrationOptions<'_>,
) -> Result<Registration, RegistrationError> {
    let prepared = Prepared::new(fixed, moving, options)?;
    let start = prepared.start()?;
    let found = prepared.refine(start, Motion::Rigid)?;
    verdict(&prepared, fixed, moving, &found, Motion::Rigid)
}

/// Finds the affine map that carries the moving image onto the fixed one, from the rigid one on, and judges it.
pub fn register_affine(
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    options: &RegistrationOptions<'_>,
) -> Result<Registration, RegistrationError> {
    let prepared = Prepared::new(fixed, moving, options)?;
    let start = prepared.start()?;
    let rigid = prepared.refine(start, Motion::Rigid)?;
    let found = prepared.refine(rigid, Motion::Affine)?;
    verdict(&prepared, fixed, moving, &found, Motion::Affine)
}

/// Judges a map made elsewhere (another program, a hand) as if it had been found here.
pub fn judge(
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    moving_to_fixed: &Affine<Patient, Patient>,
    options: &RegistrationOptions<'_>,
) -> Result<Registration, RegistrationError> {
    let prepared = Prepared::new(fixed, moving, options)?;
    let fixed_to_moving = moving_to_fixed.inverse().ok_or(crate::GridError::Singular)?;
    let motion = match options.transform {
        TransformKind::Rigid => Motion::Rigid,
        TransformKind::Affine => Motion::Affine,
    };
    verdict(&prepared, fixed, moving, &fixed_to_moving, motion)
}

impl<'a> Prepared<'a> {
    fn new(
        fixed: &Volume<f32>,
        moving: &Volume<f32>,
        options: &RegistrationOptions<'a>,
    ) -> Result<Self, RegistrationError> {
        options.check(fixed, moving)?;
        let fixed_range = range("fixed", fixed, options.fixed_clamp)?;
        let moving_range = range("moving", moving, options.moving_clamp)?;
        let pyramid = |image: &Volume<f32>, range| SPACINGS_MM.map(|mm| Level::new(image, range, mm)).to_vec();
        let excluded = |mask: Option<&Mask>| mask.map(|m| pyramid(&m.map(|set| f32::from(u8::from(*set))), (0.0, 1.0)));
        let levels = pyramid(fixed, fixed_range);
        Ok(Self {
            body: body(&levels[0], fixed_range, fixed.grid()),
            fixed: levels,
            moving: pyramid(moving, moving_range),
            fixed_excluded: excluded(options.fixed_exclusion),
            moving_excluded: excluded(options.moving_exclusion),
            fixed_range,
            moving_range,
            options: *options,
        })
    }

    /// Whether a point of the fixed frame belongs to the region to compare on a level; `whole` means the body although an organ
    /// is named.
    pub(super) fn in_region(&self, level: usize, p: Point<Patient>, whole: bool) -> bool {
        let mask = if whole { &self.body } else { self.options.fixed_mask.unwrap_or(&self.body) };
        let excluded = |levels: &Vec<Level>| {
            levels[level].value(p.coords).is_some_and(|share| share > super::evaluate::EXCLUDED_SHARE)
        };
        contains(mask, p) && !self.fixed_excluded.as_ref().is_some_and(excluded)
    }

    /// Points of the fixed image on a level.
    pub(super) fn samples(&self, level: usize, n_max: usize, whole: bool) -> Vec<Sample> {
        draw(&self.fixed[level], |p| self.in_region(level, p, whole), n_max, self.options.seed)
    }

    /// The problem of placing the moving image on a level.
    pub(super) fn problem<'b>(&'b self, level: usize, samples: &'b [Sample]) -> Problem<'b> {
        let wide = |(low, high): (f32, f32)| (f64::from(low), f64::from(high));
        Problem {
            samples,
            moving: &self.moving[level],
            moving_excluded: self.moving_excluded.as_ref().map(|levels| &levels[level]),
            metric: self.options.metric,
            fixed_range: wide(self.fixed_range),
            moving_range: wide(self.moving_range),
        }
    }

    /// The problem the other way round: the fixed image placed on samples of the moving one.
    pub(super) fn problem_reversed<'b>(&'b self, level: usize, samples: &'b [Sample]) -> Problem<'b> {
        let forward = self.problem(level, samples);
        Problem {
            moving: &self.fixed[level],
            moving_excluded: self.fixed_excluded.as_ref().map(|levels| &levels[level]),
            fixed_range: forward.moving_range,
            moving_range: forward.fixed_range,
            ..forward
        }
    }

    /// Points of the moving image on a level that a placement puts into the region.
    pub(super) fn samples_reversed(
        &self,
        level: usize,
        n_max: usize,
        to_fixed: &Affine<Patient, Patient>,
    ) -> Vec<Sample> {
        let excluded = |p: Point<Patient>| {
            let share = self.moving_excluded.as_ref().and_then(|levels| levels[level].value(p.coords));
            share.is_some_and(|share| share > super::evaluate::EXCLUDED_SHARE)
        };
        let inside = |p: Point<Patient>| self.in_region(level, to_fixed.apply(p), false) && !excluded(p);
        draw(&self.moving[level], inside, n_max, self.options.seed ^ 1)
    }

    /// The placement on the coarsest level.
    fn start(&self) -> Result<Affine<Patient, Patient>, RegistrationError> {
        let (few, many) = (self.samples(0, N_SEARCH, true), self.samples(0, N_SAMPLES[0], true));
        Self::enough(&many)?;
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
        let organ = self.samples(0, N_SAMPLES[0], false);
        Ok(start::nudge(&self.problem(0, &organ), found))
    }

    /// Descends through the levels; the coarsest only for a motion the start did not know.
    fn refine(
        &self,
        start: Affine<Patient, Patient>,
        motion: Motion,
    ) -> Result<Affine<Patient, Patient>, RegistrationError> {
        let mut placement = start;
        for (level, n_max) in N_SAMPLES.into_iter().enumerate() {
            let samples = self.samples(level, n_max, false);
            Self::enough(&samples)?;
            placement = descend(&self.problem(level, &samples), placement, motion, limits(level))
                .ok_or(RegistrationError::NoOverlap { needed_percent: 100.0 * MIN_OVERLAP })?
                .fixed_to_moving;
        }
        Ok(placement)
    }

    fn enough(samples: &[Sample]) -> Result<(), RegistrationError> {
        if samples.len() < MIN_SAMPLES {
            return Err(RegistrationError::TooFewSamples { n_samples: samples.len(), needed: MIN_SAMPLES });
        }
        Ok(())
    }

    /// Whether likeness is correlation of values of one kind.
    pub(super) fn one_modality(&self) -> bool {
        self.options.metric == Metric::NormalizedCorrelation
    }
}

/// How far a descent on a level may go.
pub(super) fn limits(level: usize) -> Limits {
    Limits { step_mm: 2.0 * SPACINGS_MM[level], stop_mm: 0.005 * SPACINGS_MM[level], min_overlap: MIN_OVERLAP }
}

/// The range of values compared: the one named, or the 1st to 99.9th percentile of at most about 200 000 voxels.
fn range(
    image: &'static str,
    volume: &Volume<f32>,
    clamp: Option<(f32, f32)>,
) -> Result<(f32, f32), RegistrationError> {
    let stride = volume.values().len() / 200_000 + 1;
    let mut values: Vec<f32> = volume.values().iter().step_by(stride).copied().collect();
    values.sort_by(f32::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
    let (low, high) = clamp.unwrap_or((at(0.01), at(0.999)));
    let constant = values[values.len() - 1] <= low || values[0] >= high || values[0] == values[values.len() - 1];
    if constant || low >= high {
        return Err(RegistrationError::Constant { image, low, high });
    }
    Ok((low, high))
}
