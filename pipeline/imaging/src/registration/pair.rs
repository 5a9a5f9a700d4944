//! Two images made ready once for whatever they are asked: registered, bent, or looked at for a part that moved on its own.

use std::borrow::Cow;
use std::sync::Arc;

use super::level::{Level, N_LEVELS, Resolution, pyramid};
use super::options::{RegistrationError, RegistrationOptions};
use super::padding::imaged_pair;
use super::prepared::range;
use crate::{FrameId, Volume};

/// Both images without what fills them beyond the part that was scanned, and their pyramids.
#[derive(Debug)]
pub struct Pair<'a> {
    pub(super) fixed: Cow<'a, Volume<f32>>,
    pub(super) moving: Cow<'a, Volume<f32>>,
    pub(super) pyramids: Pyramids,
    pub(super) options: RegistrationOptions<'a>,
}

impl<'a> Pair<'a> {
    /// Two images in the unit of the options' ranges. Refuses what cannot be registered: images without contrast, options that do not fit
    /// them.
    pub fn new(
        fixed: &'a Volume<f32>,
        moving: &'a Volume<f32>,
        options: &RegistrationOptions<'a>,
    ) -> Result<Self, RegistrationError> {
        let [fixed, moving] = imaged_pair(fixed, moving, options);
        let pyramids = Pyramids::new(&fixed, &moving, options)?;
        Ok(Self { fixed, moving, pyramids, options: *options })
    }
}

/// The pyramids of both images, and the ranges to which their values were cut.
#[derive(Debug, Clone)]
pub(super) struct Pyramids {
    pub(super) fixed: Arc<[Level; N_LEVELS]>,
    pub(super) moving: Arc<[Level; N_LEVELS]>,
    pub(super) fixed_range: (f32, f32),
    pub(super) moving_range: (f32, f32),
    pub(super) frames: [FrameId; 2],
    pub(super) resolution: Resolution,
}

impl Pyramids {
    /// Of two images as they are, checked with all that the options say of them.
    pub(super) fn new(
        fixed: &Volume<f32>,
        moving: &Volume<f32>,
        options: &RegistrationOptions<'_>,
    ) -> Result<Self, RegistrationError> {
        options.check(fixed, moving)?;
        let fixed_range = range("fixed", fixed, options.fixed_clamp)?;
        let moving_range = range("moving", moving, options.moving_clamp)?;
        let resolution = Resolution::of_pair(fixed.grid(), moving.grid());
        Ok(Self {
            fixed: Arc::new(pyramid(fixed, fixed_range, &resolution)),
            moving: Arc::new(pyramid(moving, moving_range, &resolution)),
            fixed_range,
            moving_range,
            frames: [fixed.grid().frame().clone(), moving.grid().frame().clone()],
            resolution,
        })
    }

    /// The other way round. The resolution of a pair is that of both.
    pub(super) fn turned(&self) -> Self {
        let [fixed, moving] = self.frames.clone();
        Self {
            fixed: self.moving.clone(),
            moving: self.fixed.clone(),
            fixed_range: self.moving_range,
            moving_range: self.fixed_range,
            frames: [moving, fixed],
            resolution: self.resolution,
        }
    }
}
