//! Carries what was seen in the moving image onto the fixed image's grid, frames checked.

use super::result::Registration;
use crate::resample::{resample, resample_labels, resample_mask};
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
    Ok(resample(moving, like, &map, interpolation, outside))
}

/// A mask of the moving frame on a grid of the fixed frame; background where it was not seen.
pub fn warp_mask(registration: &Registration, moving: &Mask, like: &Grid) -> Result<Mask, GridError> {
    Ok(resample_mask(moving, like, &map_between(registration, moving.grid(), like)?))
}

/// A label map of the moving frame on a grid of the fixed frame; background where it was not seen.
pub fn warp_labels(registration: &Registration, moving: &LabelMap, like: &Grid) -> Result<LabelMap, GridError> {
    Ok(resample_labels(moving, like, &map_between(registration, moving.grid(), like)?))
}

fn map_between(registration: &Registration, source: &Grid, like: &Grid) -> Result<Affine<Patient, Patient>, GridError> {
    for (expected, found) in [(&registration.moving_frame, source.frame()), (&registration.fixed_frame, like.frame())] {
        if expected != found {
            return Err(GridError::OtherFrame { expected: expected.clone(), found: found.clone() });
        }
    }
    registration.fixed_to_moving()
}
