//! `margin --qam-compat`: distances between border voxels, as the public QAM tool has them.
//!
//! Source: Sandu et al. 2021; see [`imaging::margin::voxel_border`]. Everything else of the document is counted in voxels, too. Its
//! error is that of the voxels, up to a slice, and follows from no table: there is no interval and no verdict.

use imaging::margin::CAPSULE_EXCLUSION;
use imaging::margin::verdict::{TechnicalSuccess, Verdict};
use imaging::margin::voxel_border::qam_compat;
use imaging::{Aligned, MarginDistribution, Mask};
use oncology::Evaluable;

use super::{Document, area_fraction, histogram, percentiles};
use crate::cli::Margin;
use crate::image_input::or_reason;

/// What is not part of the method.
const NO_PART: &str = "not part of the QAM tool's method; leave out --qam-compat";

/// The margin of a tumour and a zone on one grid.
pub(super) fn document(
    args: &Margin,
    success: TechnicalSuccess,
    [tumour, ablation]: [&Mask; 2],
    organ: Option<&Mask>,
) -> anyhow::Result<Document> {
    let both = Aligned::new(tumour, ablation)?;
    let all = qam_compat(&both, None)?;
    let with_organ = organ.map(|organ| Aligned::new(tumour, organ)).transpose()?;
    let kept = match &with_organ {
        None => all.clone(),
        Some(pair) => qam_compat(&both, Some((pair, CAPSULE_EXCLUSION)))?,
    };
    let n = |found: Option<&MarginDistribution>| found.map_or(0, MarginDistribution::n_samples);
    let excluded = with_organ.map(|_| 1.0 - n(kept.as_ref()) as f64 / n(all.as_ref()).max(1) as f64);
    let covered = both.iter().filter(|(tumour, zone)| **tumour && **zone).count();
    let share = covered as f64 / tumour.n_voxels_set() as f64;
    let surface = kept.as_ref();
    let minimal = surface.map(MarginDistribution::min);
    let no_surface = "no border voxel of the tumour is left outside the capsule exclusion";
    Ok(Document {
        method: "qam_compat",
        min_margin_mm: or_reason(minimal.map(|mm| mm.0), no_surface),
        percentile_mm: or_reason(surface.map(percentiles), no_surface),
        area_fraction: or_reason(surface.map(area_fraction), no_surface),
        histogram: or_reason(surface.map(histogram), no_surface),
        tumour_coverage: share,
        coverage_of_5mm_shell: Evaluable::not(NO_PART),
        coverage_of_10mm_shell: Evaluable::not(NO_PART),
        residual_volume_mm3: (tumour.n_voxels_set() - covered) as f64 * tumour.grid().voxel_volume_mm3(),
        residual_fraction: 1.0 - share,
        residual_direction: Evaluable::not(NO_PART),
        thinnest_direction: Evaluable::not(NO_PART),
        excluded_capsule_fraction: or_reason(excluded, "no organ mask was given"),
        resolution_mm: tumour.grid().spacing_mm().into_iter().fold(0.0, f64::max),
        measurement_sigma_mm: Evaluable::not("the error of distances between voxels follows from no table"),
        registration_sigma_mm: or_reason(args.registration_error_mm, "not stated; give it with --registration-error-mm"),
        threshold_mm: args.threshold_mm,
        interval_mm: Evaluable::not("distances between voxels have no stated error"),
        verdict: Verdict::NotReportable.label(),
        technical_success: or_reason(minimal.map(|mm| success.is_met(mm)), no_surface),
        reasons: vec![
            "distances between border voxels, to compare with published series: they read up to 0.9 mm low at voxels of 1 mm, and 2.9 mm at slices of 3 mm".to_owned(),
        ],
    })
}
