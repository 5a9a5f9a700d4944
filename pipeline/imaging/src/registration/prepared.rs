//! Both images made ready: values cut, pyramids built, and the voxels known at which they are compared.

use std::sync::{Arc, OnceLock};

use nalgebra::Vector3;

use super::evaluate::{EXCLUDED_SHARE, Problem};
use super::level::{Level, N_LEVELS, SPACINGS_MM, pyramid};
use super::options::{Metric, RegistrationError, RegistrationOptions};
use super::pair::Pyramids;
use super::sample::{Inside, Sample, body, draw, eligible};
use crate::{Affine, Grid, Index3, Mask, Patient, Point, Shape, Volume};

/// Both images, prepared.
pub(super) struct Prepared<'a> {
    pub(super) fixed: Arc<[Level; N_LEVELS]>,
    pub(super) moving: Arc<[Level; N_LEVELS]>,
    fixed_excluded: Option<Arc<[Level; N_LEVELS]>>,
    moving_excluded: Option<Arc<[Level; N_LEVELS]>>,
    body: Mask,
    /// Voxels of each level of the fixed image in the region to compare, once they were asked for.
    region: [OnceLock<Vec<u32>>; N_LEVELS],
    pub(super) fixed_range: (f32, f32),
    pub(super) moving_range: (f32, f32),
    pub(super) options: RegistrationOptions<'a>,
    /// Fixed and moving image freed of local contrast, on all levels but the finest, once a bend asked for them.
    pub(super) freed: [Freed; 2],
}

/// An image freed of local contrast, level by level.
pub(super) type Freed = Arc<[OnceLock<Arc<Level>>; N_LEVELS - 1]>;

/// Where samples are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Region {
    /// In the organ named, or in the body when none is.
    Compared,
    /// In the body although an organ is named.
    Body,
}

impl<'a> Prepared<'a> {
    /// Refuses what cannot be registered.
    pub(super) fn new(
        fixed: &Volume<f32>,
        moving: &Volume<f32>,
        options: &RegistrationOptions<'a>,
    ) -> Result<Self, RegistrationError> {
        Ok(Self::on(&Pyramids::new(fixed, moving, options)?, options))
    }

    /// The same of pyramids that were made before.
    pub(super) fn on(pyramids: &Pyramids, options: &RegistrationOptions<'a>) -> Self {
        Self::made(pyramids, options, |excluded| excluded)
    }

    /// The same for a bend: what is excluded takes the layer of voxels round it along.
    pub(super) fn for_bending(pyramids: &Pyramids, options: &RegistrationOptions<'a>) -> Self {
        Self::made(pyramids, options, with_rim)
    }

    fn made(pyramids: &Pyramids, options: &RegistrationOptions<'a>, rim: fn(Volume<f32>) -> Volume<f32>) -> Self {
        let excluded =
            |mask: Option<&Mask>| Some(Arc::new(pyramid(&rim(share(mask?)?), (0.0, 1.0), &pyramids.resolution)));
        let excluded = [excluded(options.fixed_exclusion), excluded(options.moving_exclusion)];
        Self::with_exclusions(pyramids.clone(), excluded, *options, [(); 2].map(|()| Arc::default()))
    }

    /// The other way round, the options turned by the caller; nothing that was made is made again.
    pub(super) fn turned<'b>(&self, pyramids: &Pyramids, options: RegistrationOptions<'b>) -> Prepared<'b> {
        let excluded = [self.moving_excluded.clone(), self.fixed_excluded.clone()];
        let [fixed, moving] = self.freed.clone();
        Prepared::with_exclusions(pyramids.turned(), excluded, options, [moving, fixed])
    }

    fn with_exclusions(
        pyramids: Pyramids,
        [fixed_excluded, moving_excluded]: [Option<Arc<[Level; N_LEVELS]>>; 2],
        options: RegistrationOptions<'a>,
        freed: [Freed; 2],
    ) -> Self {
        let Pyramids { fixed, moving, fixed_range, moving_range, frames: [frame, _], .. } = pyramids;
        Self {
            body: body(&fixed[0], fixed_range, frame),
            fixed,
            moving,
            fixed_excluded,
            moving_excluded,
            region: [const { OnceLock::new() }; N_LEVELS],
            fixed_range,
            moving_range,
            options,
            freed,
        }
    }

    fn voxels(&self, level: usize, region: Region) -> Vec<u32> {
        let mask = match region {
            Region::Compared => self.options.fixed_mask.unwrap_or(&self.body),
            Region::Body => &self.body,
        };
        let inside = Inside::new(mask, &Affine::identity());
        eligible(&self.fixed[level], |p| inside.holds(p) && !is_excluded(self.fixed_excluded(level), p))
    }

    /// Points of the fixed image on a level, drawn with a seed of their own.
    pub(super) fn samples_drawn(&self, level: usize, n_max: usize, draw_number: u64) -> Vec<Sample> {
        draw(&self.fixed[level], self.region(level), n_max, self.options.seed ^ draw_number)
    }

    /// Points of the fixed image on a level which are compared with the moving image where a map puts them.
    pub(super) fn samples_seen(
        &self,
        level: usize,
        n_max: usize,
        draw_number: u64,
        fixed_to_moving: &Affine<Patient, Patient>,
    ) -> Vec<Sample> {
        let [_, seen] = self.region_and_seen(level, fixed_to_moving);
        draw(&self.fixed[level], &seen, n_max, self.options.seed ^ draw_number)
    }

    /// Points of the fixed image on a level.
    pub(super) fn samples(&self, level: usize, n_max: usize) -> Vec<Sample> {
        self.samples_drawn(level, n_max, 0)
    }

    /// Points of the body on the coarsest level, whether or not an organ is named.
    pub(super) fn body_samples(&self, n_max: usize) -> Vec<Sample> {
        draw(&self.fixed[0], &self.voxels(0, Region::Body), n_max, self.options.seed)
    }

    /// What is excluded of the fixed image on a level, as a share of each voxel.
    pub(super) fn fixed_excluded(&self, level: usize) -> Option<&Level> {
        self.fixed_excluded.as_ref().map(|levels| &levels[level])
    }

    /// What is excluded of the moving image on a level, as a share of each voxel.
    pub(super) fn moving_excluded(&self, level: usize) -> Option<&Level> {
        self.moving_excluded.as_ref().map(|levels| &levels[level])
    }

    /// Voxels of a level of the fixed image in the region to compare.
    pub(super) fn region(&self, level: usize) -> &[u32] {
        self.region[level].get_or_init(|| self.voxels(level, Region::Compared))
    }

    /// Voxels of a level of the fixed image in the region whether or not they are excluded, and those of them that are compared with the
    /// moving image.
    pub(super) fn region_and_seen(&self, level: usize, fixed_to_moving: &Affine<Patient, Patient>) -> [Vec<u32>; 2] {
        let inside = Inside::new(self.options.fixed_mask.unwrap_or(&self.body), &Affine::identity());
        let is_seen = |p: Point<Patient>| {
            let there = fixed_to_moving.apply(p);
            self.moving[level].holds(there.coords, 0.0)
                && !is_excluded(self.fixed_excluded(level), p)
                && !is_excluded(self.moving_excluded(level), there)
        };
        let region = eligible(&self.fixed[level], |p| inside.holds(p));
        let seen = eligible(&self.fixed[level], |p| inside.holds(p) && is_seen(p));
        [region, seen]
    }

    /// Centres of the voxels of a level in the region to compare, in the fixed frame.
    pub(super) fn region_centers(&self, level: usize) -> impl Iterator<Item = Vector3<f64>> + '_ {
        let fixed = &self.fixed[level];
        let center = |at: &u32| fixed.voxel_to_patient().apply(fixed.shape().index(*at as usize).center()).coords;
        self.region(level).iter().map(center)
    }

    /// The body of the fixed image.
    pub(super) fn body(&self) -> &Mask {
        &self.body
    }

    /// Volume of the region to compare, mm³, to the coarsest level's voxels.
    pub(super) fn region_mm3(&self) -> f64 {
        self.region(0).len() as f64 * self.fixed[0].voxel_to_patient().linear().determinant().abs()
    }

    /// The problem of placing the moving image on a level.
    pub(super) fn problem<'b>(&'b self, level: usize, samples: &'b [Sample]) -> Problem<'b> {
        let wide = |(low, high): (f32, f32)| (f64::from(low), f64::from(high));
        Problem {
            samples,
            moving: &self.moving[level],
            moving_excluded: self.moving_excluded(level),
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
            moving_excluded: self.fixed_excluded(level),
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
        let inside = Inside::new(self.options.fixed_mask.unwrap_or(&self.body), to_fixed);
        let voxels = eligible(&self.moving[level], |p| {
            inside.holds(p)
                && !is_excluded(self.fixed_excluded(level), to_fixed.apply(p))
                && !is_excluded(self.moving_excluded(level), p)
        });
        draw(&self.moving[level], &voxels, n_max, self.options.seed ^ 1)
    }

    /// Whether likeness is correlation of values of one kind.
    pub(super) fn one_modality(&self) -> bool {
        self.options.metric == Metric::NormalizedCorrelation
    }
}

fn is_excluded(excluded: Option<&Level>, p: Point<Patient>) -> bool {
    excluded.and_then(|level| level.value(p.coords)).is_some_and(|share| share > EXCLUDED_SHARE)
}

/// A mask as 0 and 1, cut to its box with room for the smoothing of the coarsest level; `None` when it is empty.
fn share(mask: &Mask) -> Option<Volume<f32>> {
    let (low, high) = mask.indices_set().fold(None, |found: Option<(Index3, Index3)>, at| {
        let (low, high) = found.unwrap_or((at, at));
        let pick =
            |f: fn(usize, usize) -> usize, b: Index3| Index3 { i: f(b.i, at.i), j: f(b.j, at.j), k: f(b.k, at.k) };
        Some((pick(usize::min, low), pick(usize::max, high)))
    })?;
    let (spacing, shape) = (mask.grid().spacing_mm(), mask.shape());
    let room = spacing.map(|mm| (3.0 * SPACINGS_MM[0] / mm).ceil() as usize);
    let cut = |low: usize, high: usize, n: usize, room: usize| {
        let first = low.saturating_sub(room);
        (first, (high + room + 1).min(n) - first)
    };
    let (i, ni) = cut(low.i, high.i, shape.ni, room[0]);
    let (j, nj) = cut(low.j, high.j, shape.nj, room[1]);
    let (k, nk) = cut(low.k, high.k, shape.nk, room[2]);
    let to_patient = mask.grid().voxel_to_patient();
    let origin = to_patient.apply(Point::new(i as f64, j as f64, k as f64)).coords;
    let map = Affine::from_parts(to_patient.linear(), origin);
    let grid = Grid::new(Shape { ni, nj, nk }, map, mask.grid().frame().clone())
        .expect("the box holds the voxels of a mask, whose grid has an inverse");
    let share = |at: Index3| f32::from(u8::from(*mask.at(Index3 { i: i + at.i, j: j + at.j, k: k + at.k })));
    Some(Volume::from_fn(grid, share))
}

/// A share with the layer of voxels round it: they hold a part of what is excluded, whatever the outline says. Of slices 5 mm apart they
/// reach so far that a bend would follow them (a lesion in an unmoved liver was carried 2.8 mm off; with the layer left out, 0.3 mm).
fn with_rim(mut share: Volume<f32>) -> Volume<f32> {
    let shape = share.shape();
    for (stride, n) in [(1, shape.ni), (shape.ni, shape.nj), (shape.ni * shape.nj, shape.nk)] {
        let before = share.values().to_vec();
        for (at, v) in share.values_mut().iter_mut().enumerate() {
            let along = at / stride % n;
            let low = if along > 0 { before[at - stride] } else { 0.0 };
            let high = if along + 1 < n { before[at + stride] } else { 0.0 };
            *v = v.max(low).max(high);
        }
    }
    share
}

/// The range of values compared: the one named, or the 1st to 99.9th percentile of at most about 200 000 voxels.
pub(super) fn range(
    image: &'static str,
    volume: &Volume<f32>,
    clamp: Option<(f32, f32)>,
) -> Result<(f32, f32), RegistrationError> {
    let (low, high) = clamp.unwrap_or_else(|| {
        let stride = volume.values().len() / 200_000 + 1;
        let mut values: Vec<f32> = volume.values().iter().step_by(stride).copied().collect();
        values.sort_by(f32::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
        (at(0.01), at(0.999))
    });
    let first = volume.values()[0].clamp(low, high.max(low));
    if low >= high || volume.values().iter().all(|v| v.clamp(low, high) == first) {
        return Err(RegistrationError::Constant { image, low, high });
    }
    Ok((low, high))
}
