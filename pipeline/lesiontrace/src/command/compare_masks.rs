//! `compare-masks`: how well a candidate's mask agrees with a reference, label by label.

use std::fmt::Write as _;

use formats::nifti;
use imaging::agreement::Overlap;
use imaging::agreement::lesions::{Detection, detection};
use imaging::agreement::surfaces::SurfaceDistances;
use imaging::{FrameId, LabelMap, Mask, Mm};
use oncology::Evaluable;
use serde::Serialize;

use crate::cli::CompareMasks;
use crate::exit::{self, Failure};
use crate::image_input::{self, or_reason};
use crate::out;

/// The share of a surface's area that HD95 covers, percent.
const HD_PERCENT: f64 = 95.0;

const NO_VOXELS: &str = "the label is in neither mask";
const ONE_EMPTY: &str = "the label is missing in one of the masks";
const NO_REFERENCE: &str = "the label is not in the reference";

/// Whose HD95 it is: other programs take the percentile of other points, and differ by millimetres.
const HD95_DEFINITION: &str = "surface-distance 0.1 (Nikolov et al. 2021): the distance that 95 % of each surface's area does not \
                               exceed, of the two the larger; MetricsReloaded and MONAI take the percentile over border voxels";

/// All labels of two masks.
#[derive(Serialize)]
struct Document {
    min_iou: f64,
    hd95_definition: &'static str,
    labels: Vec<Agreement>,
}

/// How one label agrees.
#[derive(Serialize)]
struct Agreement {
    /// The label, or `any` for all labels together.
    label: String,
    reference_voxels: usize,
    candidate_voxels: usize,
    dice: Evaluable<f64>,
    iou: Evaluable<f64>,
    volume_error_mm3: f64,
    volume_error_fraction: Evaluable<f64>,
    surface_dice: Vec<SurfaceDice>,
    hd95_mm: Evaluable<f64>,
    hausdorff_mm: Evaluable<f64>,
    mean_distance_of_reference_mm: Evaluable<f64>,
    mean_distance_of_candidate_mm: Evaluable<f64>,
    lesions: Lesions,
}

/// The part of both surfaces within a distance of the other one.
#[derive(Serialize)]
struct SurfaceDice {
    tolerance_mm: f64,
    value: Evaluable<f64>,
}

/// Lesions found, missed and made up in this scan.
#[derive(Serialize)]
struct Lesions {
    reference: usize,
    candidate: usize,
    found: usize,
    missed: usize,
    false_positives_per_scan: usize,
    sensitivity: Evaluable<f64>,
    precision: Evaluable<f64>,
    f1: Evaluable<f64>,
    pairs: Vec<Pair>,
}

/// A lesion of the reference and the one taken for it.
#[derive(Serialize)]
struct Pair {
    reference_component: u32,
    candidate_component: u32,
    iou: f64,
    dice: f64,
}

/// Compares every label that one of the masks has, then all of them together.
pub(crate) fn run(args: &CompareMasks) -> Result<u8, Failure> {
    let usable = |v: &f64| v.is_finite() && *v >= 0.0;
    if !args.tolerance_mm.iter().all(usable) || !(0.0..=1.0).contains(&args.min_iou) {
        let message = "expected --tolerance-mm in mm from 0 and --min-iou between 0 and 1";
        return Err(Failure::usage(anyhow::anyhow!(message)));
    }
    let document = compare(args).map_err(|error| image_input::refuse(args.json, error))?;
    if args.json {
        out::print_json(&document).map_err(Failure::io)?;
    } else {
        out::print(&as_text(&document)).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

fn compare(args: &CompareMasks) -> anyhow::Result<Document> {
    let reference = nifti::read_labels(&args.reference, FrameId::new("masks"))?;
    let candidate = nifti::read_labels(&args.candidate, FrameId::new("masks"))?;
    // Two headers differ in the last digit: both masks are taken to lie on the reference's grid within the grid's own tolerance.
    imaging::Aligned::new(&reference, &candidate)?;
    let candidate = candidate.with_grid(reference.grid().clone())?;
    let mut present = [reference.labels_present(), candidate.labels_present()].concat();
    present.sort_unstable();
    present.dedup();
    let mut labels = Vec::new();
    for label in &present {
        let of = |map: &LabelMap| map.label_mask(*label);
        labels.push(agreement(label.to_string(), &of(&reference), &of(&candidate), args)?);
    }
    if present.len() != 1 {
        let any = |map: &LabelMap| map.map(|label| *label != 0);
        labels.push(agreement("any".to_owned(), &any(&reference), &any(&candidate), args)?);
    }
    Ok(Document { min_iou: args.min_iou, hd95_definition: HD95_DEFINITION, labels })
}

fn agreement(label: String, reference: &Mask, candidate: &Mask, args: &CompareMasks) -> anyhow::Result<Agreement> {
    let overlap = Overlap::of(reference, candidate)?;
    let surfaces = SurfaceDistances::between(reference, candidate)?;
    let surface_dice = args.tolerance_mm.iter().map(|tolerance| SurfaceDice {
        tolerance_mm: *tolerance,
        // The sum of no pieces is -0.0 in Rust.
        value: or_reason(surfaces.surface_dice(Mm(*tolerance)).map(|dice| dice + 0.0), NO_VOXELS),
    });
    let hausdorff = |percent| or_reason(surfaces.hausdorff(percent).map(|mm| mm.0), ONE_EMPTY);
    let mean = |n: usize| or_reason(surfaces.mean().map(|mm| mm[n].0), ONE_EMPTY);
    Ok(Agreement {
        label,
        reference_voxels: overlap.n_reference,
        candidate_voxels: overlap.n_candidate,
        dice: or_reason(overlap.dice(), NO_VOXELS),
        iou: or_reason(overlap.intersection_over_union(), NO_VOXELS),
        volume_error_mm3: overlap.volume_error().0,
        volume_error_fraction: or_reason(overlap.volume_error_fraction(), NO_REFERENCE),
        surface_dice: surface_dice.collect(),
        hd95_mm: hausdorff(HD_PERCENT),
        hausdorff_mm: hausdorff(100.0),
        mean_distance_of_reference_mm: mean(0),
        mean_distance_of_candidate_mm: mean(1),
        lesions: lesions(&detection(reference, candidate, args.min_iou)?),
    })
}

fn lesions(found: &Detection) -> Lesions {
    let pairs = found.pairs.iter().map(|pair| Pair {
        reference_component: pair.reference,
        candidate_component: pair.candidate,
        iou: pair.iou,
        dice: pair.dice,
    });
    Lesions {
        reference: found.n_reference,
        candidate: found.n_candidate,
        found: found.pairs.len(),
        missed: found.n_missed(),
        false_positives_per_scan: found.n_false_positive(),
        sensitivity: or_reason(found.sensitivity(), NO_REFERENCE),
        precision: or_reason(found.precision(), "the label is not in the candidate"),
        f1: or_reason(found.f1(), NO_VOXELS),
        pairs: pairs.collect(),
    }
}

fn as_text(document: &Document) -> String {
    let number = |value: &Evaluable<f64>, decimals: usize| match value {
        Evaluable::Value(value) => format!("{value:.decimals$}"),
        Evaluable::NotEvaluable(_) => "-".to_owned(),
    };
    let mut text = String::from("label   Dice  HD95 mm  volume error mm³  found/missed/false  surface Dice\n");
    for row in &document.labels {
        let surface: Vec<String> = row
            .surface_dice
            .iter()
            .map(|surface| format!("{} at {} mm", number(&surface.value, 3), surface.tolerance_mm))
            .collect();
        let lesions = format!("{}/{}/{}", row.lesions.found, row.lesions.missed, row.lesions.false_positives_per_scan);
        let _ = writeln!(
            text,
            "{:<6} {:>5}  {:>7}  {:>16.1}  {lesions:>18}  {}",
            row.label,
            number(&row.dice, 3),
            number(&row.hd95_mm, 2),
            row.volume_error_mm3,
            surface.join(", ")
        );
    }
    text
}
