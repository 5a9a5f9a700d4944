//! `register`: carries a moving image onto a fixed one and says how well that went.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use formats::nifti;
use imaging::registration::deformable::Stretch;
use imaging::registration::{
    Metric, Pair, Quality, Registration, RegistrationError, RegistrationOptions, TransformKind, WITHIN_95,
};
use imaging::{Mask, Note};
use oncology::Evaluable;
use serde::Serialize;

use crate::cli::{Likeness, Register, Transform};
use crate::exit::{self, Failure};
use crate::found_map::{FoundMap, family};
use crate::image_input::{self, InputImage, or_reason};
use crate::out;
use crate::transform_file::TransformFile;

mod points;

/// CT intensities outside are clamped: table and air carry no anatomy.
const CLAMP_HU: (f32, f32) = (-150.0, 250.0);
/// Bins of mutual information.
const N_BINS: usize = 32;
/// Seed of the sampled positions: results depend on it by less than the registration's own estimated error.
const SEED: u64 = 20_090_101;

impl Jacobian {
    fn of(stretch: Stretch) -> Self {
        Self { min: stretch.min, max: stretch.max }
    }

    /// Volume change of tissue from the fixed to the moving image for a bent map, of the map's matrix otherwise.
    fn of_map(found: &FoundMap) -> Evaluable<Self> {
        let Some(bent) = &found.bent else {
            let determinant = found.registration.jacobian();
            return Evaluable::Value(Self { min: determinant, max: determinant });
        };
        or_reason(bent.stretch.map(Self::of), "no point of the region to look at")
    }
}

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
    #[serde(skip_serializing_if = "Option::is_none")]
    moving_to_fixed: Option<[[f64; 4]; 4]>,
    inverse_consistency_mm: Evaluable<f64>,
    jacobian: Evaluable<Jacobian>,
    /// The same inside the lesions of the fixed image: 1 where they moved as rigid bodies.
    #[serde(skip_serializing_if = "Option::is_none")]
    lesion_jacobian: Option<Jacobian>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_p95_mm: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field_error_mm: Option<f64>,
    metric_before: Evaluable<f64>,
    metric_after: Evaluable<f64>,
    overlap: Evaluable<f64>,
    estimated_error_mm: Evaluable<f64>,
    /// Within this distance the true place of a point of the region lies in 95 of 100 cases: the middle of all points.
    error_95_mm: Evaluable<f64>,
    /// Standard deviation along each axis at the lesions of the fixed image, for `margin --registration-error-mm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    lesion_error_sd_mm: Option<f64>,
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
    let found = Pair::new(&fixed.image, &moving.image, &options)
        .map_err(anyhow::Error::from)
        .and_then(|pair| match &args.given {
            Some(path) => judged(&pair, path, [&fixed, &moving]),
            None => Ok(find(&pair, args.transform)?),
        })
        .map_err(|error| image_input::refuse(args.json, error))?;
    let outside_value = moving.outside_value();
    let warped = found.warp(&moving.image, fixed.image.grid(), outside_value).map_err(Failure::internal)?;
    nifti::write_image(&args.out.join("warped.nii.gz"), &warped).map_err(Failure::io)?;
    let field_error_mm = found.write(&args.out, fixed.image.grid()).map_err(Failure::io)?;
    let mut notes: Vec<Note> = fixed.notes.iter().chain(&moving.notes).cloned().collect();
    notes.extend(taken_for_hu(args, &[("fixed", &fixed), ("moving", &moving)]));
    image_input::say(&notes);
    let registration = &found.registration;
    let carried = found.carried();
    let lesion_error = masks.fixed_lesion.as_ref().and_then(|lesion| carried.error_near(lesion));
    if let Some(points) = &args.points {
        points::carry(points, &args.out.join("points.csv"), &carried)
            .map_err(|error| image_input::refuse(args.json, error))?;
    }
    let document = Document {
        field_error_mm,
        lesion_error_sd_mm: lesion_error.map(|error| error.sigma().0),
        ..document(&found, options.metric, outside_value, &notes, started.elapsed().as_secs_f64())
    };
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

/// The map of the family asked for.
fn find(pair: &Pair<'_>, transform: Transform) -> Result<FoundMap, RegistrationError> {
    let mut registration = pair.register()?;
    if transform != Transform::Deformable {
        pair.tell_local_motion(&mut registration)?;
        return Ok(FoundMap { registration, bent: None });
    }
    let bent = pair.register_deformable(&registration)?;
    Ok(FoundMap { registration: bent.evidence.clone(), bent: Some(bent) })
}

/// A map made elsewhere, with the same evidence as one found here.
fn judged(pair: &Pair<'_>, path: &Path, [fixed, moving]: [&InputImage; 2]) -> anyhow::Result<FoundMap> {
    let file = TransformFile::read(path)?;
    file.check_frames(fixed.image.grid().frame(), moving.image.grid().frame())?;
    FoundMap::judged(pair, &file).with_context(|| path.display().to_string())
}

/// Images whose files state no unit and that were compared as CT.
fn taken_for_hu(args: &Register, images: &[(&str, &InputImage)]) -> Vec<Note> {
    let taken = images.iter().filter(|(_, image)| args.clamp.is_empty() && image.looks_like_hu());
    let note = |(which, _): &(&str, &InputImage)| {
        let message = format!(
            "the file states no unit, but its values are those of a CT in HU: they are compared between {} and {} HU; state --clamp where that is wrong",
            CLAMP_HU.0, CLAMP_HU.1
        );
        Note::info("taken_for_hu", (*which).to_owned(), message)
    };
    taken.map(note).collect()
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
    let is_ct = |image: &InputImage| image.unit == Some("HU") || image.looks_like_hu();
    let clamp = |image: &InputImage| stated.or_else(|| is_ct(image).then_some(CLAMP_HU));
    let two_modalities = matches!((&fixed.modality, &moving.modality), (Some(a), Some(b)) if a != b);
    let metric = match args.metric {
        Some(Likeness::MutualInformation) => Metric::MattesMutualInformation { n_bins: N_BINS },
        None if two_modalities => Metric::MattesMutualInformation { n_bins: N_BINS },
        Some(Likeness::Correlation) | None => Metric::NormalizedCorrelation,
    };
    RegistrationOptions {
        transform: match args.transform {
            // The bending starts where the rigid registration ends.
            Transform::Rigid | Transform::Deformable => TransformKind::Rigid,
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

fn document<'a>(
    found: &'a FoundMap,
    metric: Metric,
    outside_value: f32,
    notes: &'a [Note],
    seconds: f64,
) -> Document<'a> {
    let FoundMap { registration, bent } = found;
    let no_blocks = "no block of the region has enough structure to compare";
    Document {
        transform: family(registration),
        metric: match metric {
            Metric::NormalizedCorrelation => "normalized_correlation",
            Metric::MattesMutualInformation { .. } => "mattes_mutual_information",
        },
        moving_to_fixed: bent.is_none().then(|| registration.moving_to_fixed.to_rows()),
        inverse_consistency_mm: or_reason(registration.inverse_consistency_mm, "the way back could not be registered"),
        jacobian: Jacobian::of_map(found),
        lesion_jacobian: bent.as_ref().and_then(|b| b.lesion_stretch).map(Jacobian::of),
        round_trip_p95_mm: bent.as_ref().and_then(|b| b.round_trip).map(|trip| trip.p95_mm),
        field_error_mm: None,
        metric_before: or_reason(registration.metric_before, "as they lie, the images do not overlap enough"),
        metric_after: or_reason(registration.metric_after, "not measured"),
        overlap: or_reason(registration.overlap, "not measured"),
        estimated_error_mm: or_reason(registration.estimated_error.map(|s| s.mean_mm), "not measured"),
        error_95_mm: or_reason(error_95(registration), "the registration failed, or nothing tells its error"),
        lesion_error_sd_mm: None,
        residual_p95_mm: or_reason(registration.residual.map(|s| s.p95_mm), no_blocks),
        matched_blocks: or_reason(registration.matched_blocks, no_blocks),
        quality: registration.quality,
        reasons: &registration.reasons,
        outside_value,
        notes,
        seconds,
    }
}

/// The middle of what is stated at the middles of the region's blocks.
fn error_95(registration: &Registration) -> Option<f64> {
    let at = registration.blocks.iter().filter_map(|block| registration.error_at(block.center));
    let mut stated: Vec<f64> = at.map(|error| WITHIN_95 * error.sigma().0).collect();
    stated.sort_by(f64::total_cmp);
    stated.get(stated.len() / 2).copied()
}

fn word(quality: Quality) -> &'static str {
    match quality {
        Quality::Pass => "pass",
        Quality::Review => "review",
        Quality::Fail => "fail",
    }
}
