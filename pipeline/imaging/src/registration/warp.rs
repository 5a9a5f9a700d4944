//! Carries what was seen in the moving image onto the fixed image's grid, frames checked, resampled once.

use super::result::Registration;
use crate::resample::{
    resample, resample_labels, resample_labels_through, resample_mask, resample_mask_through, resample_through,
};
use crate::{Affine, Grid, GridError, Interpolation, LabelMap, Mask, Patient, Volume};

/// An image of the moving frame on a grid of the fixed frame; `outside` (the image's unit) fills what it does not cover.
pub fn warp_image(
    registration: &Registration,
    moving: &Volume<f32>,
    like: &Grid,
    interpolation: Interpolation,
    outside: f32,
) -> Result<Volume<f32>, GridError> {
    let map = map_between(registration, moving.grid(), like)?;
    Ok(match &registration.bend {
        Some(bend) => resample_through(moving, like, |p| bend.apply(p), interpolation, outside),
        None => resample(moving, like, &map, interpolation, outside),
    })
}

/// A mask of the moving frame on a grid of the fixed frame; background where it was not seen.
pub fn warp_mask(registration: &Registration, moving: &Mask, like: &Grid) -> Result<Mask, GridError> {
    let map = map_between(registration, moving.grid(), like)?;
    Ok(match &registration.bend {
        Some(bend) => resample_mask_through(moving, like, |p| bend.apply(p)),
        None => resample_mask(moving, like, &map),
    })
}

/// A label map of the moving frame on a grid of the fixed frame; background where it was not seen.
pub fn warp_labels(registration: &Registration, moving: &LabelMap, like: &Grid) -> Result<LabelMap, GridError> {
    let map = map_between(registration, moving.grid(), like)?;
    Ok(match &registration.bend {
        Some(bend) => resample_labels_through(moving, like, |p| bend.apply(p)),
        None => resample_labels(moving, like, &map),
    })
}

fn map_between(registration: &Registration, source: &Grid, like: &Grid) -> Result<Affine<Patient, Patient>, GridError> {
    for (expected, found) in [(&registration.moving_frame, source.frame()), (&registration.fixed_frame, like.frame())] {
        if expected != found {
            return Err(GridError::OtherFrame { expected: expected.clone(), found: found.clone() });
        }
    }
    registration.fixed_to_moving()
}
