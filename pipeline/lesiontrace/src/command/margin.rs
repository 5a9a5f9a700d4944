//! `margin`: the ablative margin between a tumour and an ablation zone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use formats::nifti;
use imaging::margin::verdict::{Evidence, RegistrationEvidence, TechnicalSuccess, judge, measurement_sigma};
use imaging::margin::{CAPSULE_EXCLUSION, MarginInput, ablation_margin};
use imaging::surface::SurfaceMethod;
use imaging::{AblationMargin, FrameId, MarginDistribution, Mask, Mm};
use oncology::Evaluable;
use oncology::endpoint::Preset;
use oncology::study::reporting::Success;
use serde::Serialize;

use crate::cli::Margin;
use crate::exit::{self, Failure};
use crate::image_input::{self, or_reason};
use crate::out;
use crate::patient_axes::anatomical;

mod qam;

/// Percentiles of the surface reported.
const PERCENTS: [&str; 4] = ["1", "5", "10", "50"];

/// Shares of the tumour's surface by margin.
#[derive(Serialize)]
struct AreaFraction {
    lt0: f64,
    #[serde(rename = "0_5")]
    from_0_to_5: f64,
    #[serde(rename = "5_10")]
    from_5_to_10: f64,
    ge10: f64,
}

/// Surface by margin; `counts` are mm² of surface.
#[derive(Serialize)]
struct Histogram {
    bin_mm: f64,
    from_mm: f64,
    counts: Vec<f64>,
}

/// The margin, how sure it is, and what follows.
#[derive(Serialize)]
struct Document {
    /// `sub_voxel`, `blurred` or `qam_compat`.
    method: &'static str,
    min_margin_mm: Evaluable<f64>,
    percentile_mm: Evaluable<BTreeMap<&'static str, f64>>,
    area_fraction: Evaluable<AreaFraction>,
    histogram: Evaluable<Histogram>,
    tumour_coverage: f64,
    coverage_of_5mm_shell: Evaluable<f64>,
    coverage_of_10mm_shell: Evaluable<f64>,
    residual_volume_mm3: f64,
    residual_fraction: f64,
    residual_direction: Evaluable<String>,
    thinnest_direction: Evaluable<String>,
    excluded_capsule_fraction: Evaluable<f64>,
    resolution_mm: f64,
    measurement_sigma_mm: Evaluable<f64>,
    registration_sigma_mm: Evaluable<f64>,
    threshold_mm: f64,
    interval_mm: Evaluable<[f64; 2]>,
    verdict: &'static str,
    technical_success: Evaluable<bool>,
    reasons: Vec<String>,
}

/// Measures and judges.
pub(crate) fn run(args: &Margin) -> Result<u8, Failure> {
    if args.registration_error_mm.is_some_and(|mm| !(mm.is_finite() && mm >= 0.0)) || !args.threshold_mm.is_finite() {
        return Err(Failure::usage(anyhow::anyhow!(
            "--threshold-mm and --registration-error-mm: expected a length in mm"
        )));
    }
    let read = |path: &Path| mask(path).map_err(|error| image_input::refuse(args.json, error));
    let (tumour, ablation) = (read(&args.tumour)?, read(&args.ablation)?);
    let organ = args.organ.as_deref().map(read).transpose()?;
    let success = success_rule(args)?;
    if args.qam_compat {
        let document = qam::document(args, success, [&tumour, &ablation], organ.as_ref());
        return print(args, &document.map_err(|error| image_input::refuse(args.json, error))?);
    }
    let input = MarginInput {
        tumour: &tumour,
        ablation: &ablation,
        ablation_to_tumour: None,
        organ: organ.as_ref(),
        capsule_exclusion: CAPSULE_EXCLUSION,
    };
    let margin = ablation_margin(&input).map_err(|error| image_input::refuse(args.json, error))?;
    print(args, &document(args, success, &margin))
}

fn print(args: &Margin, document: &Document) -> Result<u8, Failure> {
    if args.json {
        out::print_json(document).map_err(Failure::io)?;
    } else {
        out::print(&as_text(document)).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

/// What a preset calls technical success.
fn success_rule(args: &Margin) -> Result<TechnicalSuccess, Failure> {
    let preset =
        Preset::built_in(&args.preset).map_err(|error| Failure::usage(anyhow::anyhow!("--preset: {error}")))?;
    Ok(match preset.reporting.technical_success {
        Success::Coverage => TechnicalSuccess::CompleteCoverage,
        Success::MarginMoreThanThreshold => TechnicalSuccess::MoreThan(Mm(args.threshold_mm)),
    })
}

/// All masks are the caller's word to lie in one space.
fn mask(path: &Path) -> anyhow::Result<Mask> {
    Ok(nifti::read_mask(path, FrameId::new("registered"))?)
}

fn document(args: &Margin, success: TechnicalSuccess, margin: &AblationMargin) -> Document {
    let sigma = args.registration_error_mm.map(Mm);
    let evidence = Evidence {
        threshold: Mm(args.threshold_mm),
        registration: sigma.map_or(RegistrationEvidence::Unknown, RegistrationEvidence::Sigma),
        measurement_sigma: measurement_sigma(margin.resolution, margin.method),
    };
    let verdict = judge(margin, &evidence);
    let surface = margin.distribution.as_ref();
    let no_surface = "no tumour surface is left outside the capsule exclusion";
    let no_organ = "no organ mask was given";
    let empty_shell = "the shell holds no point inside the organ";
    let minimal = surface.map(MarginDistribution::min);
    let success = success.is_reached(margin);
    let around = "it lies all around, or is less than 1 % of the tumour";
    Document {
        method: match margin.method {
            SurfaceMethod::SubVoxel => "sub_voxel",
            SurfaceMethod::Blurred => "blurred",
        },
        min_margin_mm: or_reason(minimal.map(|mm| mm.0), no_surface),
        percentile_mm: or_reason(surface.map(percentiles), no_surface),
        area_fraction: or_reason(surface.map(area_fraction), no_surface),
        histogram: or_reason(surface.map(histogram), no_surface),
        tumour_coverage: margin.tumour_coverage,
        coverage_of_5mm_shell: or_reason(margin.coverage_of_5mm_shell, empty_shell),
        coverage_of_10mm_shell: or_reason(margin.coverage_of_10mm_shell, empty_shell),
        residual_volume_mm3: margin.residual_volume.0,
        residual_fraction: 1.0 - margin.tumour_coverage,
        residual_direction: or_reason(margin.residual_direction.map(anatomical), around),
        thinnest_direction: or_reason(margin.thinnest_direction().map(anatomical), "the margin is as thin all around"),
        excluded_capsule_fraction: or_reason(margin.excluded_capsule_fraction, no_organ),
        resolution_mm: margin.resolution.0,
        measurement_sigma_mm: or_reason(evidence.measurement_sigma.map(|mm| mm.0), "never measured at this spacing"),
        registration_sigma_mm: or_reason(sigma.map(|mm| mm.0), "not stated; give it with --registration-error-mm"),
        threshold_mm: args.threshold_mm,
        interval_mm: or_reason(
            verdict.interval.map(|interval| interval.map(|mm| mm.0)),
            "an error is unknown, so the margin has no interval; the reasons say which",
        ),
        verdict: verdict.verdict.label(),
        technical_success: or_reason(success, no_surface),
        reasons: verdict.reasons.iter().map(ToString::to_string).collect(),
    }
}

fn percentiles(surface: &MarginDistribution) -> BTreeMap<&'static str, f64> {
    PERCENTS.into_iter().filter_map(|text| Some((text, surface.percentile(text.parse().ok()?).0))).collect()
}

fn area_fraction(surface: &MarginDistribution) -> AreaFraction {
    let shares = surface.fractions();
    AreaFraction {
        lt0: shares.lt0,
        from_0_to_5: shares.from_0_to_5,
        from_5_to_10: shares.from_5_to_10,
        ge10: shares.ge10,
    }
}

fn histogram(surface: &MarginDistribution) -> Histogram {
    let bins = surface.histogram();
    Histogram { bin_mm: bins.bin_mm, from_mm: bins.from_mm, counts: bins.weights }
}

fn as_text(document: &Document) -> String {
    let minimal = match (&document.min_margin_mm, &document.interval_mm) {
        (Evaluable::Value(mm), Evaluable::Value([low, high])) => {
            format!("{mm:.2} mm (95 % interval {low:.2} to {high:.2})")
        }
        (Evaluable::Value(mm), Evaluable::NotEvaluable(_)) => format!("{mm:.2} mm"),
        (Evaluable::NotEvaluable(reason), _) => format!("not evaluable: {reason}"),
    };
    let mut text =
        format!("minimal margin {minimal}\nverdict against {} mm: {}\n", document.threshold_mm, document.verdict);
    if let Evaluable::Value(direction) = &document.thinnest_direction {
        let _ = writeln!(text, "thinnest: {direction}");
    }
    let _ = writeln!(text, "tumour covered: {:.1} %", 100.0 * document.tumour_coverage);
    if let Evaluable::Value(direction) = &document.residual_direction {
        let _ = writeln!(text, "tumour outside the zone: {:.0} mm³, {direction}", document.residual_volume_mm3);
    }
    for reason in &document.reasons {
        let _ = writeln!(text, "- {reason}");
    }
    text
}
