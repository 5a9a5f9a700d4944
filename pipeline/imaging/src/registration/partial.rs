//! A moving image that shows a small part of the fixed body: a start that asks for a quarter of the body to be covered finds none,
//! though the other way round the fixed image covers all of the moving one.

use super::options::RegistrationOptions;
use super::prepared::Prepared;
use crate::{Affine, Mask, Patient, Volume};

/// How far the part compared reaches beyond the moving image, mm: a start is off by less.
const RIM_MM: f64 = 8.0;
/// Said of a registration that compared such a part.
pub(super) const SMALL_PART: &str =
    "the moving image shows less than a quarter of the fixed body: the images were compared in that part alone";

/// The start, from the fixed to the moving image, found the other way round.
pub(super) fn start(
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    options: &RegistrationOptions<'_>,
) -> Option<Affine<Patient, Patient>> {
    let turned = RegistrationOptions {
        fixed_clamp: options.moving_clamp,
        moving_clamp: options.fixed_clamp,
        fixed_mask: None,
        moving_mask: None,
        fixed_exclusion: options.moving_exclusion,
        moving_exclusion: options.fixed_exclusion,
        ..*options
    };
    Prepared::new(moving, fixed, &turned).ok()?.start().ok()?.inverse()
}

/// The part of the fixed body in which a placement puts the moving image.
pub(super) fn covered(prepared: &Prepared<'_>, fixed_to_moving: &Affine<Patient, Patient>) -> Mask {
    let (body, moving) = (prepared.body(), &prepared.moving[0]);
    Mask::from_fn(body.grid().clone(), |at| {
        *body.at(at) && moving.holds(fixed_to_moving.apply(body.grid().center(at)).coords, -RIM_MM)
    })
}
