//! Stage *register*: every follow-up is carried into the frame of reference of baseline.

use std::path::Path;

use imaging::registration::deformable::DeformableRegistration;
use imaging::registration::{
    MOTION_PASS_MM, Metric, Pair, Quality, Registration, RegistrationError, RegistrationOptions, TransformKind,
};
use imaging::{Affine, Grid, Mask, Mm, Note, Patient, Volume, morphology};

use crate::config::{RegistrationKeys, VisitTransform};
use crate::stages::load::LoadedSeries;
use crate::stages::segment::{Found, StageError};
use crate::stages::{given_map, same_frame};

/// The organ is dilated by this much, so that its border counts. Origin: the registration's own advice (5–10 mm).
const ORGAN_RIM: Mm = Mm(8.0);

/// A rigid registration that passes is bent where more than a hundredth of what was compared moves by more than this, mm: as far as a
/// bend is known to better the map. Of 40 follow-ups of eight synthetic patients (voxels of 2.7 × 2.7 × 4 mm) 19 were bent; landmarks
/// of the liver, off by up to 1 mm before, were nearer in the median of 16 of them. In `lesiontrace demo` the look finds 1.2 mm.
const BENT_FROM_MM: f64 = 2.0;

/// One side of a pair: an image with what was found in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    /// The image.
    pub(crate) series: &'a LoadedSeries,
    /// What was found.
    pub(crate) found: &'a Found,
}

/// By what a pair is registered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How<'a> {
    /// The study's settings.
    pub(crate) keys: &'a RegistrationKeys,
    /// A map that was made elsewhere, to be taken instead.
    pub(crate) given: Option<&'a Path>,
}

/// Registers `moving` to `fixed`. Lesions and zones of both are taken out of the metric. A pair that cannot be registered gives
/// no error but quality *fail*, so that everything else of the patient goes on.
pub(crate) fn to_fixed(
    fixed: Side<'_>,
    moving: Side<'_>,
    How { keys, given }: How<'_>,
    notes: &mut Vec<Note>,
) -> Result<Registration, StageError> {
    let (fixed_image, moving_image) = (&fixed.series.image, &moving.series.image);
    let organ = |found: &Found| found.organ.as_ref().map(rim).transpose();
    let (fixed_organ, moving_organ) = (organ(fixed.found)?, organ(moving.found)?);
    let (fixed_out, moving_out) = (treated_or_ill(fixed.found), treated_or_ill(moving.found));
    let same_modality = fixed.series.modality == moving.series.modality;
    let clamp = |series: &LoadedSeries| (series.unit == "HU").then_some((keys.clamp_hu[0], keys.clamp_hu[1]));
    let options = RegistrationOptions {
        transform: match keys.transform {
            // The bending starts where the rigid registration ends.
            VisitTransform::Rigid | VisitTransform::Deformable => TransformKind::Rigid,
            VisitTransform::Affine => TransformKind::Affine,
        },
        metric: if same_modality {
            Metric::NormalizedCorrelation
        } else {
            Metric::MattesMutualInformation { n_bins: 32 }
        },
        fixed_clamp: clamp(fixed.series),
        moving_clamp: clamp(moving.series),
        fixed_mask: fixed_organ.as_ref(),
        moving_mask: moving_organ.as_ref(),
        fixed_exclusion: Some(&fixed_out).filter(|m| !m.is_empty_mask()),
        moving_exclusion: Some(&moving_out).filter(|m| !m.is_empty_mask()),
        seed: keys.seed,
    };
    let role = moving.series.role.as_str();
    let pair = Pair::new(fixed_image, moving_image, &options);
    if let Some(path) = given {
        return Ok(given_map::judged(path, &pair, (role, notes)).unwrap_or_else(|why| {
            notes.push(Note::error("registration_failed", role.to_owned(), why.clone()));
            failed(fixed_image, moving_image, why)
        }));
    }
    let straight = if fixed_image.grid().frame() == moving_image.grid().frame() {
        Ok(same_frame::placed(&pair, fixed_image.grid().frame(), (role, notes)))
    } else {
        pair.as_ref().map_err(Clone::clone).and_then(Pair::register)
    };
    match straight {
        Ok(straight) if keys.transform == VisitTransform::Deformable => {
            Ok(bent(straight, &pair, options.metric, (role, notes)))
        }
        Ok(straight) => {
            let told = left_straight(straight, &pair, (role, notes));
            notes.extend(left_behind(&told, role));
            Ok(told)
        }
        Err(error) => {
            notes.push(Note::error("registration_failed", role.to_owned(), error.to_string()));
            Ok(failed(fixed_image, moving_image, error.to_string()))
        }
    }
}

/// The bent map where two images of one modality are the better for it, else the straight one with a note of why.
fn bent(
    straight: Registration,
    pair: &Result<Pair<'_>, RegistrationError>,
    metric: Metric,
    (role, notes): (&str, &mut Vec<Note>),
) -> Registration {
    if straight.quality == Quality::Fail && !straight.may_be_bent() {
        return straight;
    }
    if metric != Metric::NormalizedCorrelation {
        let why = "two modalities are registered rigidly: bending compares images of one modality only";
        notes.push(Note::info("registration_not_bent", role.to_owned(), why.to_owned()));
        return straight;
    }
    // A bend alone costs a third of one that is proven.
    let straight =
        if straight.quality == Quality::Pass { left_straight(straight, pair, (role, notes)) } else { straight };
    let kept = |why: String| {
        Note::info("registration_not_bent", role.to_owned(), format!("the rigid registration is kept: {why}"))
    };
    if let Some(why) = needs_no_bend(&straight) {
        notes.push(kept(why));
        return straight;
    }
    let found = match pair.as_ref().map_err(Clone::clone).and_then(|pair| pair.register_deformable(&straight)) {
        Ok(found) => found,
        Err(error) => {
            notes.push(kept(format!("no bend could be found, {error}")));
            return straight;
        }
    };
    let Some(why) = against_bending(&straight, &found) else { return found.into_registration() };
    notes.push(kept(why));
    if found.quality() < Quality::Fail { found.told_of(straight) } else { straight }
}

/// A straight map that stays one, with what a bend would still move where that can be looked for.
fn left_straight(
    mut straight: Registration,
    pair: &Result<Pair<'_>, RegistrationError>,
    (role, notes): (&str, &mut Vec<Note>),
) -> Registration {
    if let Err(error) = pair.as_ref().map_err(Clone::clone).and_then(|pair| pair.tell_local_motion(&mut straight)) {
        let why = format!("whether a part of the region moved on its own could not be looked for: {error}");
        notes.push(Note::warning("local_motion_unknown", role.to_owned(), why));
    }
    straight
}

/// What to do about a part that a straight map leaves behind.
fn left_behind(straight: &Registration, role: &str) -> Option<Note> {
    let farthest = straight.left_over_farthest_mm().filter(|mm| *mm > MOTION_PASS_MM)?;
    let why = format!(
        "a part of the region lies {farthest:.1} mm off: `transform = \"deformable\"` under [registration] follows it"
    );
    Some(Note::warning("local_motion_left", role.to_owned(), why))
}

/// What speaks for the straight map although a bent one was found.
fn against_bending(straight: &Registration, bent: &DeformableRegistration) -> Option<String> {
    if bent.quality() > straight.quality {
        return Some(format!("the bent one is worse, {}", bent.reasons().join("; ")));
    }
    if let (Some(before), Some(after)) = (straight.metric_after, bent.evidence.metric_after)
        && after <= before
    {
        return Some(format!("bending makes the images no more alike ({before:.4} before, {after:.4} after)"));
    }
    None
}

/// Why a straight map that passes is not bent at all.
fn needs_no_bend(straight: &Registration) -> Option<String> {
    let farthest =
        straight.left_over_farthest_mm().filter(|mm| straight.quality == Quality::Pass && *mm <= BENT_FROM_MM)?;
    Some(format!(
        "bending would move no part of the region by more than {farthest:.1} mm (bent from {BENT_FROM_MM} mm); that much is left to the stated error"
    ))
}

fn rim(organ: &Mask) -> Result<Mask, StageError> {
    morphology::dilate(organ, ORGAN_RIM).map_err(|error| StageError::new("register", "organ_mask", error.to_string()))
}

fn treated_or_ill(found: &Found) -> Mask {
    let pairs = found.lesion_map.values().iter().zip(found.zone_map.values());
    Mask::from_values(pairs.map(|(lesion, zone)| *lesion != 0 || *zone != 0).collect(), found.lesion_map.grid().clone())
        .expect("lesion and zone maps lie on one grid")
}

/// The images as they lie, marked as not registered.
fn failed(fixed: &Volume<f32>, moving: &Volume<f32>, reason: String) -> Registration {
    let mut none = Registration::identity_same_frame(fixed.grid().frame().clone());
    none.moving_frame = moving.grid().frame().clone();
    none.quality = Quality::Fail;
    none.reasons = vec![reason];
    none
}

/// A mask in another frame, by an affine from its own frame to that one: where its voxels lie is restated, nothing is resampled.
pub(crate) fn restate(
    mask: &Mask,
    own_to_other: &Affine<Patient, Patient>,
    frame: imaging::FrameId,
) -> Result<Mask, StageError> {
    let grid = mask.grid();
    let restated = Grid::new(grid.shape(), grid.voxel_to_patient().then(own_to_other), frame);
    restated
        .and_then(|grid| mask.clone().with_grid(grid))
        .map_err(|error| StageError::new("register", "carry", error.to_string()))
}

/// Standard deviation of the position error, mm, from the registration's own figures: how far points move when it is started
/// again from elsewhere, and half of what blocks of the region still want to move. `None` for a registration that failed or of
/// which neither is known.
pub(crate) fn position_sigma(registration: &Registration) -> Option<Mm> {
    let is_silent = registration.estimated_error.is_none() && registration.residual.is_none();
    if registration.quality == Quality::Fail || is_silent {
        return None;
    }
    let spread = registration.estimated_error.as_ref().map_or(0.0, |s| s.mean_mm);
    let residual = registration.residual.as_ref().map_or(0.0, |s| s.mean_mm / 2.0);
    Some(Mm((spread * spread + residual * residual).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{FrameId, Point};

    #[test]
    fn only_what_moves_in_parts_is_bent() {
        let straight = |mm: f64, quality: Quality| {
            let mut straight = Registration::identity_same_frame(FrameId::new("f"));
            straight.quality = quality;
            straight.local.left_over = (0..300).map(|n| (Point::new(f64::from(n), 0.0, 0.0), mm)).collect();
            straight
        };
        assert!(needs_no_bend(&straight(1.2, Quality::Pass)).unwrap().contains("1.2 mm"));
        assert_eq!(needs_no_bend(&straight(5.4, Quality::Pass)), None);
        assert_eq!(needs_no_bend(&straight(1.2, Quality::Review)), None, "what does not pass may be mended");
        let unknown = Registration::identity_same_frame(FrameId::new("f"));
        assert_eq!(needs_no_bend(&unknown), None, "nothing looked for is nothing known");
    }
}
