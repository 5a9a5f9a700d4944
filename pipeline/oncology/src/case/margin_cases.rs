//! Worked cases of ablative margins: analytic balls through the default method, exact margins, doses of voxels.
//!
//! Source: closed forms for two balls; Narayanan et al. 2024 (> 5 mm, strict); Xu et al. 2021 (20 Gy).

use imaging::dose::DoseVolume;
use imaging::margin::CAPSULE_EXCLUSION;
use imaging::margin::distribution::MarginBin;
use imaging::margin::verdict::TechnicalSuccess;
use imaging::{Affine, FrameId, Grid, MarginInput, Mask, Mm, Patient, Point, Shape, Vector, ablation_margin};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::response_cases::{bad, object, read};
use super::{CaseError, CaseInput};

const CATEGORY: &str = "margin";

/// Spacing at which the balls are drawn, mm: at most 1 mm, and anisotropic, so that swapped axes show.
const SPACING_MM: [f64; 3] = [0.6, 0.6, 0.8];

/// Off every voxel centre, mm.
const CENTRE_MM: [f64; 3] = [0.31, -0.23, 0.17];

/// Direction in which the zone is moved: along no axis.
const DIRECTION: [f64; 3] = [0.5, -0.7, 0.6];

/// The grid is turned by this much about the patient's long axis.
const GRID_ANGLE_RAD: f64 = 0.3;

/// Room round a ball, mm.
const ROOM_MM: f64 = 8.0;

/// Share of the volume that must receive 20 Gy for a lesion to count as completed, percent (Xu 2021: irradiated completely).
const COMPLETED_PERCENT: f64 = 99.5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
/// In mm.
struct Balls {
    #[serde(rename = "tumour_radius_mm")]
    tumour_radius: f64,
    #[serde(rename = "ablation_radius_mm")]
    ablation_radius: f64,
    #[serde(rename = "offset_mm")]
    offset: f64,
}

pub(super) fn margin(case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    if let Some(doses) = case.input.get("doses_gy") {
        return doses_of(&read::<Vec<f64>>(CATEGORY, doses)?);
    }
    if case.input["level"] == "function" {
        return Ok(exact(&read::<Vec<f64>>(CATEGORY, &case.input["mam_mm"])?));
    }
    let balls: Balls = read(CATEGORY, case.input)?;
    let sizes = [balls.tumour_radius, balls.ablation_radius, balls.offset];
    if !sizes.iter().all(|size| (0.0..=100.0).contains(size)) {
        return Err(bad(CATEGORY, &format!("expected radii and offset from 0 to 100 mm, found {sizes:?}")));
    }
    two_balls(&balls)
}

fn two_balls(balls: &Balls) -> Result<Map<String, Value>, CaseError> {
    let fail = |error: &dyn std::fmt::Display| bad(CATEGORY, &error.to_string());
    let centre = Point::new(CENTRE_MM[0], CENTRE_MM[1], CENTRE_MM[2]);
    let direction: Vector<Patient> = Vector::new(DIRECTION[0], DIRECTION[1], DIRECTION[2]);
    let shifted = centre + direction * (balls.offset / direction.norm());
    let tumour = ball(balls.tumour_radius, centre).map_err(|error| fail(&error))?;
    let ablation = ball(balls.ablation_radius, shifted).map_err(|error| fail(&error))?;
    let input = MarginInput {
        tumour: &tumour,
        ablation: &ablation,
        ablation_to_tumour: None,
        organ: None,
        capsule_exclusion: CAPSULE_EXCLUSION,
    };
    let found = ablation_margin(&input).map_err(|error| fail(&error))?;
    let Some(distribution) = &found.distribution else {
        return Err(bad(CATEGORY, "no surface of the tumour is left"));
    };
    let minimal = distribution.min();
    let fractions = distribution.fractions();
    Ok(object(json!({
        "mam_mm": minimal.0,
        "max_margin_mm": distribution.max().0,
        "mean_margin_mm": distribution.mean().0,
        "p5_mm": distribution.percentile(5.0).0,
        "tumour_volume_coverage": found.tumour_coverage,
        "coverage_of_5mm_shell": found.coverage_of_5mm_shell,
        "coverage_of_10mm_shell": found.coverage_of_10mm_shell,
        "residual_volume_mm3": found.residual_volume.0,
        "frac_lt0": fractions.lt0,
        "frac_0_5": fractions.from_0_to_5,
        "frac_5_10": fractions.from_5_to_10,
        "frac_ge10": fractions.ge10,
        "technical_success_gt5mm": TechnicalSuccess::MoreThan(Mm(5.0)).is_met(minimal),
        "technical_success_ge5mm": TechnicalSuccess::AtLeast(Mm(5.0)).is_met(minimal),
        "complete_coverage": TechnicalSuccess::CompleteCoverage.is_met(minimal),
        "bin": MarginBin::of(minimal).label(),
    })))
}

/// A ball on a grid turned about the patient's long axis, its corner off the centre by half the box less a fraction of a voxel.
fn ball(radius_mm: f64, centre: Point<Patient>) -> Result<Mask, imaging::GridError> {
    let half = radius_mm + ROOM_MM;
    let [di, dj, dk] = SPACING_MM;
    let n = |spacing: f64| (2.0 * half / spacing).ceil() as usize + 1;
    let (sine, cosine) = GRID_ANGLE_RAD.sin_cos();
    let at = centre.to_array();
    let corner = [at[0] - (cosine - sine) * half, at[1] - (sine + cosine) * half, at[2] - half];
    let [x, y, z] = std::array::from_fn(|axis| corner[axis] + CENTRE_MM[axis]);
    let rows =
        [[cosine * di, -sine * dj, 0.0, x], [sine * di, cosine * dj, 0.0, y], [0.0, 0.0, dk, z], [0.0, 0.0, 0.0, 1.0]];
    let voxel_to_patient = Affine::from_rows(rows).expect("a rotation with positive spacing can be inverted");
    let shape = Shape { ni: n(di), nj: n(dj), nk: n(dk) };
    let grid = Grid::new(shape, voxel_to_patient, FrameId::new("worked case"))?;
    Ok(Mask::from_fn(grid.clone(), |at| grid.center(at).distance(centre) <= radius_mm))
}

fn exact(margins: &[f64]) -> Map<String, Value> {
    let each = |rule: TechnicalSuccess| margins.iter().map(|margin| rule.is_met(Mm(*margin))).collect::<Vec<bool>>();
    object(json!({
        "technical_success_gt5mm": each(TechnicalSuccess::MoreThan(Mm(5.0))),
        "technical_success_ge5mm": each(TechnicalSuccess::AtLeast(Mm(5.0))),
        "technical_success_ge10mm": each(TechnicalSuccess::AtLeast(Mm(10.0))),
        "complete_coverage": each(TechnicalSuccess::CompleteCoverage),
        "bin": margins.iter().map(|margin| MarginBin::of(Mm(*margin)).label()).collect::<Vec<_>>(),
    }))
}

fn doses_of(doses_gy: &[f64]) -> Result<Map<String, Value>, CaseError> {
    let dose = DoseVolume::new(doses_gy.to_vec()).ok_or_else(|| bad(CATEGORY, "expected doses in Gy"))?;
    let v20 = dose.percent_receiving(20.0);
    Ok(object(json!({
        "d100_gy": dose.dose_to_percent_gy(100.0),
        "d98_gy": dose.dose_to_percent_gy(98.0),
        "d90_gy": dose.dose_to_percent_gy(90.0),
        "d50_gy": dose.dose_to_percent_gy(50.0),
        "dmean_gy": dose.mean_gy(),
        "v20gy_pct": v20,
        "completed_20gy": v20 >= COMPLETED_PERCENT,
    })))
}
