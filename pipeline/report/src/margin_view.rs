//! Ablative margins as the template reads them.

use oncology::MarginRow;
use serde::Serialize;

use crate::error::{ReportError, finite};
use crate::figure::{MarginHistogram, margin_histogram, margin_map};
use crate::margin_map::MarginMap;
use crate::numerals::{millilitres, mm, share};
use crate::wording::words;

/// One margin.
#[derive(Serialize)]
pub(crate) struct MarginView {
    lesion_id: String,
    treatment_date: String,
    /// Empty where neither tumour nor zone was seen on the day of the ablation: the dates say enough.
    tumour_visit: String,
    zone_visit: String,
    minimum: String,
    interval: String,
    p5: String,
    bands: Vec<Band>,
    coverage: String,
    /// Volume, share and place of what lies outside; empty below 1 % of the tumour.
    residual: String,
    excluded: String,
    verdict: String,
    class: &'static str,
    reasons: String,
    histogram_svg: Option<String>,
    map_svg: Option<String>,
    thinnest: String,
}

#[derive(Serialize)]
struct Band {
    name: &'static str,
    share: String,
    class: &'static str,
}

/// A row in words, with its histogram and its map.
pub(crate) fn margin(
    row: &MarginRow,
    maps: &[MarginMap],
    threshold_mm: Option<f64>,
) -> Result<MarginView, ReportError> {
    let map = maps.iter().find(|map| map.lesion_id == row.lesion_id && map.treatment_date == row.treatment_date);
    let of_the_day = [row.tumour_visit, row.zone_visit].iter().any(|visit| visit.date() == row.treatment_date);
    let subject = format!("{} treated on {}", row.lesion_id, row.treatment_date);
    let lengths = [row.min_margin_mm, row.low_mm, row.high_mm, row.p5_mm, threshold_mm];
    for value in lengths.into_iter().chain([row.residual_mm3]).flatten() {
        finite(value, "margin", &subject)?;
    }
    let fractions =
        [row.frac_lt0, row.frac_0_5, row.frac_5_10, row.frac_ge10, row.excluded_capsule_fraction, row.tumour_coverage];
    for value in fractions.into_iter().chain([row.residual_fraction]).flatten() {
        finite(value, "share of the surface", &subject)?;
    }
    let none = || "not evaluable".to_owned();
    // A verdict that its own reasons doubt does not look as sure as one that stands.
    let unverifiable = row.verdict == "adequate" && row.reasons.contains(UNVERIFIABLE);
    let bands = [
        ("below 0 mm", row.frac_lt0, "lt0"),
        ("0 to 5 mm", row.frac_0_5, "m0to5"),
        ("5 to 10 mm", row.frac_5_10, "m5to10"),
        ("10 mm and more", row.frac_ge10, "ge10"),
    ];
    Ok(MarginView {
        lesion_id: row.lesion_id.clone(),
        treatment_date: row.treatment_date.to_string(),
        tumour_visit: if of_the_day { row.tumour_visit.to_string() } else { String::new() },
        zone_visit: row.zone_visit.to_string(),
        minimum: row.min_margin_mm.map_or_else(none, |value| format!("{} mm", mm(value))),
        interval: row
            .low_mm
            .zip(row.high_mm)
            .map_or_else(|| "interval unknown".to_owned(), |(low, high)| format!("{} to {} mm", mm(low), mm(high))),
        p5: row.p5_mm.map_or_else(none, |value| format!("{} mm", mm(value))),
        bands: bands
            .map(|(name, fraction, class)| Band { name, share: fraction.map_or_else(none, share), class })
            .into(),
        coverage: row.tumour_coverage.map_or_else(none, share),
        residual: residual(row),
        excluded: row.excluded_capsule_fraction.map_or_else(none, share),
        verdict: if unverifiable { format!("{}, unverifiable", words(&row.verdict)) } else { words(&row.verdict) },
        class: if unverifiable { "unconfirmed" } else { margin_class(&row.verdict) },
        reasons: row.reasons.replace(UNVERIFIABLE, "margin unverifiable"),
        histogram_svg: histogram(row, threshold_mm)?,
        map_svg: map.map(margin_map).transpose()?,
        thinnest: map.map_or_else(String::new, |map| map.thinnest_words.clone()),
    })
}

/// Less of the tumour than this outside the zone is not told: cells at a surface are counted in part.
const LEAST_RESIDUAL: f64 = 0.01;

/// What of the tumour lies outside: `1.24 mL, 12 %, left anterior`.
fn residual(row: &MarginRow) -> String {
    let outside = row.residual_mm3.zip(row.residual_fraction.filter(|part| *part >= LEAST_RESIDUAL));
    let Some((volume, part)) = outside else { return String::new() };
    let place = Some(row.residual_direction.as_str()).filter(|place| !place.is_empty());
    let place = place.map_or_else(String::new, |place| format!(", {place}"));
    format!("{} mL, {}{place}", millilitres(volume), share(part))
}

/// Reason of a verdict from voxels too coarse for the margin.
const UNVERIFIABLE: &str = "margin_unverifiable";

pub(crate) fn margin_class(verdict: &str) -> &'static str {
    match verdict {
        "adequate" => "response",
        "inadequate" => "progression",
        "borderline" => "unconfirmed",
        _ => "not-evaluable",
    }
}

/// The row's counts: 1 mm bins from −15 mm, as the column says.
fn histogram(row: &MarginRow, threshold_mm: Option<f64>) -> Result<Option<String>, ReportError> {
    let counts: Option<Vec<u64>> = row.histogram_counts.split_whitespace().map(|word| word.parse().ok()).collect();
    let Some(counts) = counts else {
        let subject = format!("{} treated on {}", row.lesion_id, row.treatment_date);
        return Err(ReportError::Histogram { subject, found: row.histogram_counts.clone() });
    };
    let label = format!("Histogram of the margin around {}; the table beside it has the shares", row.lesion_id);
    let input =
        MarginHistogram { label, from_mm: -15.0, bin_mm: 1.0, counts, min_margin_mm: row.min_margin_mm, threshold_mm };
    Ok((input.counts.iter().sum::<u64>() > 0).then(|| margin_histogram(&input)))
}
