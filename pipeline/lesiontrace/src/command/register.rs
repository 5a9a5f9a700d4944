//! `register`: carries a moving image onto a fixed one and says how well that went.

use std::path::Path;
use std::time::Instant;

use formats::nifti;
use imaging::registration::{
    Metric, Quality, Registration, RegistrationOptions, TransformKind, register as register_images, warp_image,
    write_itk_transform,
};
use imaging::{Interpolation, Mask, Note};
use oncology::Evaluable;
use serde::Serialize;
use serde_json::json;

use crate::cli::{Likeness, Register, Transform};
use crate::exit::{self, Failure};
use crate::image_input::{self, InputImage, or_reason};
use crate::out;

/// CT intensities outside are clamped: table and air carry no anatomy.
const CLAMP_HU: (f32, f32) = (-150.0, 250.0);
/// Bins of mutual information.
const N_BINS: usize = 32;
/// Seed of the sampled positions: results depend on it by less than the registration's own estimated error.
const SEED: u64 = 20_090_101;

/// Smallest and largest volume change; one number for a linear map.
#[derive(Serialize)]
struct Jacobian {
    min: f64,
    max: f64,
}

/// The map and what is known about its error.
#[derive(Serialize)]
struct Document<'a> {
    transform: &'static str,
    metric: &'static str,
    moving_to_fixed: [[f64; 4]; 4],
    inverse_consistency_mm: Evaluable<f64>,
    jacobian: Jacobian,
    metric_before: Evaluable<f64>,
    metric_after: Evaluable<f64>,
    overlap: Evaluable<f64>,
    estimated_error_mm: Evaluable<f64>,
    residual_p95_mm: Evaluable<f64>,
    matched_blocks: Evaluable<f64>,
    quality: Quality,
    reasons: &'a [String],
    outside_value: f32,
    notes: &'a [Note],
    seconds: f64,
}

/// Masks of the four roles.
struct Masks {
    fixed: Option<Mask>,
    moving: Option<Mask>,
    fixed_lesion: Option<Mask>,
    moving_lesion: Option<Mask>,
}

/// Registers, writes the transform, the warped image and the quality.
pub(crate) fn run(args: &Register) -> Result<u8, Failure> {
    let started = Instant::now();
    if !matches!(args.clamp.len(), 0 | 2) {
        return Err(Failure::usage(anyhow::anyhow!("--clamp: expected LOW,HIGH, found {} numbers", args.clamp.len())));
    }
    let read = |path: &Path, role| image_input::read(path, role).map_err(|error| image_input::refuse(args.json, error));
    let (fixed, moving) = (read(&args.fixed, "fixed")?, read(&args.moving, "moving")?);
    let masks = read_masks(args, &fixed, &moving).map_err(|error| image_input::refuse(args.json, error))?;
    let options = options(args, &fixed, &moving, &masks);
    let registration = register_images(&fixed.image, &moving.image, &options)
        .map_err(|error| image_input::refuse(args.json, error))?;
    let outside_value = outside(&moving);
    let warped = warp_image(&registration, &moving.image, fixed.image.grid(), Interpolation::Linear, outside_value)
        .map_err(Failure::internal)?;
    nifti::write_image(&args.out.join("warped.nii.gz"), &warped).map_err(Failure::io)?;
    write_transform(args, &registration)?;
    let notes: Vec<Note> = fixed.notes.iter().chain(&moving.notes).cloned().collect();
    image_input::say(&notes);
    let document = document(&registration, options.metric, outside_value, &notes, started.elapsed().as_secs_f64());
    out::write_json(&args.out.join("quality.json"), &document).map_err(Failure::io)?;
    if args.json {
        out::print_json(&document).map_err(Failure::io)?;
    } else {
        let reasons = registration.reasons.join("; ");
        let text = format!("{}: quality {}: {reasons}\n", args.out.display(), word(registration.quality));
        out::print(&text).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

fn read_masks(args: &Register, fixed: &InputImage, moving: &InputImage) -> anyhow::Result<Masks> {
    let of = |path: Option<&Path>, image: &InputImage| {
        path.map(|path| image_input::read_mask_of(path, &image.image)).transpose()
    };
    Ok(Masks {
        fixed: of(args.fixed_mask.as_deref(), fixed)?,
        moving: of(args.moving_mask.as_deref(), moving)?,
        fixed_lesion: of(args.fixed_lesion.as_deref(), fixed)?,
        moving_lesion: of(args.moving_lesion.as_deref(), moving)?,
    })
}

fn options<'a>(args: &Register, fixed: &InputImage, moving: &InputImage, masks: &'a Masks) -> RegistrationOptions<'a> {
    let stated = match args.clamp.as_slice() {
        [low, high] => Some((*low, *high)),
        _ => None,
    };
    let clamp = |image: &InputImage| stated.or_else(|| (image.unit == Some("HU")).then_some(CLAMP_HU));
    let two_modalities = matches!((&fixed.modality, &moving.modality), (Some(a), Some(b)) if a != b);
    let metric = match args.metric {
        Some(Likeness::MutualInformation) => Metric::MattesMutualInformation { n_bins: N_BINS },
        None if two_modalities => Metric::MattesMutualInformation { n_bins: N_BINS },
        Some(Likeness::Correlation) | None => Metric::NormalizedCorrelation,
    };
    RegistrationOptions {
        transform: match args.transform {
            Transform::Rigid => TransformKind::Rigid,
            Transform::Affine => TransformKind::Affine,
        },
        metric,
        fixed_clamp: clamp(fixed),
        moving_clamp: clamp(moving),
        fixed_mask: masks.fixed.as_ref(),
        moving_mask: masks.moving.as_ref(),
        fixed_exclusion: masks.fixed_lesion.as_ref(),
        moving_exclusion: masks.moving_lesion.as_ref(),
        seed: SEED,
    }
}

/// What fills the fixed grid beyond the moving image: air for CT, else the moving image's smallest value.
fn outside(moving: &InputImage) -> f32 {
    if moving.unit == Some("HU") {
        return -1024.0;
    }
    moving.image.values().iter().copied().fold(f32::INFINITY, f32::min)
}

fn write_transform(args: &Register, registration: &Registration) -> Result<(), Failure> {
    let transform = json!({
        "schema_version": 1,
        "transform": kind(registration),
        "moving_to_fixed": registration.moving_to_fixed.to_rows(),
        "fixed_frame": registration.fixed_frame.as_str(),
        "moving_frame": registration.moving_frame.as_str(),
    });
    out::write_json(&args.out.join("moving_to_fixed.json"), &transform).map_err(Failure::io)?;
    let itk = write_itk_transform(&registration.moving_to_fixed).map_err(Failure::internal)?;
    out::write_atomic(&args.out.join("moving_to_fixed.tfm"), itk.as_bytes()).map_err(Failure::io)
}

fn document<'a>(
    registration: &'a Registration,
    metric: Metric,
    outside_value: f32,
    notes: &'a [Note],
    seconds: f64,
) -> Document<'a> {
    let determinant = registration.jacobian();
    let no_blocks = "no block of the region has enough structure to compare";
    Document {
        transform: kind(registration),
        metric: match metric {
            Metric::NormalizedCorrelation => "normalized_correlation",
            Metric::MattesMutualInformation { .. } => "mattes_mutual_information",
        },
        moving_to_fixed: registration.moving_to_fixed.to_rows(),
        inverse_consistency_mm: or_reason(registration.inverse_consistency_mm, "the way back could not be registered"),
        jacobian: Jacobian { min: determinant, max: determinant },
        metric_before: or_reason(registration.metric_before, "as they lie, the images do not overlap enough"),
        metric_after: or_reason(registration.metric_after, "not measured"),
        overlap: or_reason(registration.overlap, "not measured"),
        estimated_error_mm: or_reason(registration.estimated_error.map(|s| s.mean_mm), "not measured"),
        residual_p95_mm: or_reason(registration.residual.map(|s| s.p95_mm), no_blocks),
        matched_blocks: or_reason(registration.matched_blocks, no_blocks),
        quality: registration.quality,
        reasons: &registration.reasons,
        outside_value,
        notes,
        seconds,
    }
}

fn kind(registration: &Registration) -> &'static str {
    match registration.transform {
        Some(TransformKind::Rigid) => "rigid",
        Some(TransformKind::Affine) => "affine",
        Some(TransformKind::Deformable) => "deformable",
        None => "identity",
    }
}

fn word(quality: Quality) -> &'static str {
    match quality {
        Quality::Pass => "pass",
        Quality::Review => "review",
        Quality::Fail => "fail",
    }
}
