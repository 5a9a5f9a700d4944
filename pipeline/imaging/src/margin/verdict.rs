//! What a margin allows to say: its interval, the verdict against a threshold, and technical success.
//!
//! Interval = margin ∓ z·√(σ_registration² + σ_measurement²) with z = 1.959963984540054; adequate when all of it lies above the
//! threshold, inadequate when none does. Source of the strict 5 mm rule: Narayanan et al. 2024.

use std::fmt;

use super::AblationMargin;
use crate::surface::SurfaceMethod;
use crate::units::Mm;

/// Normal quantile of 0.975.
const Z: f64 = 1.959_963_984_540_054;

/// More of the surface than this left out at the capsule makes a margin not reportable.
const MAX_EXCLUDED: f64 = 0.5;

/// Largest spacing, in mm, up to which a margin can be called verified at all (a warning, not a refusal).
pub const VERIFIABLE_RESOLUTION: Mm = Mm(1.5);

/// How well tumour and zone are known to lie in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RegistrationEvidence {
    /// Standard deviation of the registration error near the tumour; 0 where both were drawn on one image.
    Sigma(Mm),
    /// Never measured.
    Unknown,
    /// The registration was judged to have failed.
    Failed,
}

/// What the verdict weighs beside the geometry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// Margin that must be exceeded.
    pub threshold: Mm,
    /// Registration error.
    pub registration: RegistrationEvidence,
    /// The method's own error at this spacing ([`measurement_sigma`]); `None` where it was never measured.
    pub measurement_sigma: Option<Mm>,
}

/// The conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval lies above the threshold.
    Adequate,
    /// The whole interval lies at or below the threshold.
    Inadequate,
    /// The interval holds the threshold.
    Borderline,
    /// The margin must not be reported as a finding; the reasons say why.
    NotReportable,
}

impl Verdict {
    /// As written in tables: `adequate`, `inadequate`, `borderline`, `not_reportable`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Adequate => "adequate",
            Self::Inadequate => "inadequate",
            Self::Borderline => "borderline",
            Self::NotReportable => "not_reportable",
        }
    }
}

/// Why a verdict is withheld or to be doubted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// Withheld: the registration failed.
    RegistrationFailed,
    /// Withheld: the registration error is unknown.
    RegistrationErrorUnknown,
    /// Withheld: the measurement error is unknown at this spacing.
    MeasurementErrorUnknown(Mm),
    /// Withheld: so much of the surface (0…1) is left out at the capsule.
    MostlySubcapsular(f64),
    /// Withheld: no surface point is left.
    NothingToMeasure,
    /// Withheld: the tumour is cut by the field of view.
    TumourCut,
    /// Withheld: the zone is cut by the field of view.
    AblationCut,
    /// Withheld: so much of the tumour (0…1) lies outside the zone although its surface lies inside.
    HollowZone(f64),
    /// Doubt: spacing too coarse to verify a margin.
    CoarseResolution(Mm),
    /// Doubt: a mask with more detail than the sub-voxel surface can follow; margins read too small.
    Blurred,
    /// Doubt: no organ mask, so nothing was excluded at the capsule.
    NoOrganMask,
}

impl Reason {
    /// Whether this reason alone withholds the verdict.
    pub fn withholds(self) -> bool {
        !matches!(self, Self::CoarseResolution(_) | Self::Blurred | Self::NoOrganMask)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RegistrationFailed => f.write_str("the registration failed; register again or have it reviewed"),
            Self::RegistrationErrorUnknown => {
                f.write_str("the registration error is unknown; state it in mm or measure it on landmarks")
            }
            Self::MeasurementErrorUnknown(resolution) => {
                write!(f, "the error of the method was never measured at a spacing of {:.2} mm", resolution.0)
            }
            Self::MostlySubcapsular(share) => {
                write!(f, "{:.0} % of the tumour surface is excluded at the organ capsule", 100.0 * share)
            }
            Self::NothingToMeasure => f.write_str("no tumour surface is left outside the capsule exclusion"),
            Self::TumourCut => f.write_str("the tumour is cut by the field of view"),
            Self::AblationCut => f.write_str("the ablation zone is cut by the field of view"),
            Self::HollowZone(share) => write!(
                f,
                "{:.0} % of the tumour lies outside the zone although the tumour's surface lies inside it: the zone has a cavity there, or was outlined as a ring round the tumour; fill it",
                100.0 * share
            ),
            Self::CoarseResolution(resolution) => write!(
                f,
                "margin_unverifiable: the largest spacing is {:.2} mm, above {} mm",
                resolution.0, VERIFIABLE_RESOLUTION.0
            ),
            Self::Blurred => f.write_str(
                "tumour or zone has more detail than its voxels can carry: its surface is blurred and margins read too small",
            ),
            Self::NoOrganMask => f.write_str("no organ mask: nothing was excluded at the capsule"),
        }
    }
}

/// Verdict, interval and reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct MarginVerdict {
    /// The conclusion.
    pub verdict: Verdict,
    /// Lower and upper end of the 95 % interval of the minimal margin; `None` where an error is unknown or there is no margin.
    pub interval: Option<[Mm; 2]>,
    /// Withholding reasons first, in a fixed order, then doubts.
    pub reasons: Vec<Reason>,
}

/// Concludes from geometry and evidence.
#[must_use]
pub fn judge(margin: &AblationMargin, evidence: &Evidence) -> MarginVerdict {
    let minimal = margin.distribution.as_ref().map(super::distribution::MarginDistribution::min);
    let interval = minimal.and_then(|m| interval(m, evidence));
    let reasons = reasons(margin, evidence);
    let withheld = reasons.iter().any(|r| r.withholds());
    let verdict = match interval {
        Some(interval) if !withheld => compare(interval, evidence.threshold),
        _ => Verdict::NotReportable,
    };
    MarginVerdict { verdict, interval, reasons }
}

/// The 95 % interval of a minimal margin; `None` where one of the errors is unknown or the registration failed.
pub fn interval(margin: Mm, evidence: &Evidence) -> Option<[Mm; 2]> {
    let RegistrationEvidence::Sigma(registration) = evidence.registration else { return None };
    let reach = Z * registration.0.hypot(evidence.measurement_sigma?.0);
    Some([Mm(margin.0 - reach), Mm(margin.0 + reach)])
}

/// An interval against a threshold that must be exceeded.
pub fn compare(interval: [Mm; 2], threshold: Mm) -> Verdict {
    let [low, high] = interval;
    if low > threshold {
        Verdict::Adequate
    } else if high <= threshold {
        Verdict::Inadequate
    } else {
        Verdict::Borderline
    }
}

fn reasons(margin: &AblationMargin, evidence: &Evidence) -> Vec<Reason> {
    let mut reasons = Vec::new();
    match evidence.registration {
        RegistrationEvidence::Failed => reasons.push(Reason::RegistrationFailed),
        RegistrationEvidence::Unknown => reasons.push(Reason::RegistrationErrorUnknown),
        RegistrationEvidence::Sigma(_) => {}
    }
    if evidence.measurement_sigma.is_none() {
        reasons.push(Reason::MeasurementErrorUnknown(margin.resolution));
    }
    if let Some(share) = margin.excluded_capsule_fraction.filter(|share| *share > MAX_EXCLUDED) {
        reasons.push(Reason::MostlySubcapsular(share));
    }
    if let Some(share) = hollow(margin) {
        reasons.push(Reason::HollowZone(share));
    }
    let stated = [
        (margin.distribution.is_none(), Reason::NothingToMeasure),
        (margin.tumour_cut, Reason::TumourCut),
        (margin.ablation_cut, Reason::AblationCut),
        (margin.resolution > VERIFIABLE_RESOLUTION, Reason::CoarseResolution(margin.resolution)),
        (margin.method == SurfaceMethod::Blurred, Reason::Blurred),
        (margin.excluded_capsule_fraction.is_none(), Reason::NoOrganMask),
    ];
    reasons.extend(stated.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason));
    reasons
}

/// Of a tumour whose surface lies inside the zone no more than this share may lie outside it: cells at a surface are counted in part.
const MAX_UNCOVERED: f64 = 0.02;

/// The share of the tumour outside the zone, where that contradicts its margin: more than its surface reaches out of the zone. Where a
/// cavity begins at the tumour's own surface the two run alike, and their margin is 0 to within half a voxel.
fn hollow(margin: &AblationMargin) -> Option<f64> {
    let distribution = margin.distribution.as_ref()?;
    let uncovered = 1.0 - margin.tumour_coverage;
    if uncovered <= MAX_UNCOVERED {
        return None;
    }
    let tumour_mm3 = margin.residual_volume.0 / uncovered;
    let explained = distribution.beyond_zone().0 / tumour_mm3;
    let is_at_zone = distribution.min().0 >= -own_error(margin).0.max(0.5 * margin.resolution.0);
    // Where the capsule is left out, the tumour may reach beyond the zone there.
    let is_whole = margin.excluded_capsule_fraction.unwrap_or(0.0) == 0.0;
    (is_at_zone && is_whole && uncovered > MAX_UNCOVERED + explained).then_some(uncovered)
}

/// What the method cannot tell of a minimal margin, with 95 % certainty; 0 where its error was never measured.
fn own_error(margin: &AblationMargin) -> Mm {
    Mm(measurement_sigma(margin.resolution, margin.method).map_or(0.0, |sigma| Z * sigma.0))
}

/// What counts as technical success, given the minimal margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TechnicalSuccess {
    /// The tumour is completely covered: minimal margin ≥ 0 (Puijk 2021 and most protocols; the default).
    CompleteCoverage,
    /// The minimal margin exceeds a length (Narayanan 2024: 5 mm, strict).
    MoreThan(Mm),
    /// The minimal margin reaches a length.
    AtLeast(Mm),
}

impl TechnicalSuccess {
    /// Whether a measured margin meets the rule: the tumour is covered but for what the method cannot tell from it, and the minimal
    /// margin is long enough. Of complete coverage a margin may miss 0 by the method's own 95 % error.
    pub fn is_reached(self, margin: &AblationMargin) -> Option<bool> {
        let minimal = margin.distribution.as_ref()?.min();
        let length_is_met = match self {
            Self::CompleteCoverage => minimal.0 >= -own_error(margin).0,
            rule => rule.is_met(minimal),
        };
        Some(length_is_met && hollow(margin).is_none())
    }

    /// Whether a minimal margin meets the rule.
    pub fn is_met(self, minimal_margin: Mm) -> bool {
        match self {
            Self::CompleteCoverage => minimal_margin.0 >= 0.0,
            Self::MoreThan(length) => minimal_margin > length,
            Self::AtLeast(length) => minimal_margin >= length,
        }
    }
}

/// Standard deviation of the minimal margin by largest spacing (mm, mm): the larger of the root mean square of its error, bias included
/// (−0.005, −0.006, −0.005, 0.034 mm), and its 95th percentile over 1.96, rounded up. Measured on 48 pairs of balls, ellipsoids and
/// lobulated solids per row at random poses: tumour radius 6–14 mm, zone 1–8 mm larger, up to 4 mm off its centre, in-plane spacing
/// 0.8 mm, oblique, tumour and zone on grids of their own. It is the method's error for masks that hold exactly the voxels whose centres
/// lie inside; what a reader or a model gets wrong in a mask is not in it.
/// `cargo test -p lesiontrace-imaging --test accuracy -- --ignored --nocapture error_by_spacing` prints it.
pub const MEASUREMENT_SIGMA_MM: [(f64, f64); 4] = [(1.0, 0.050), (2.0, 0.070), (3.0, 0.085), (5.0, 0.220)];

/// The same for masks with more detail than the sub-voxel surface can follow, which are blurred: root mean square error, bias included
/// (−0.23, −0.25, −0.44, −0.47, −0.79, −1.69 mm), over 24 pairs of balls per row.
pub const BLURRED_SIGMA_MM: [(f64, f64); 6] =
    [(0.8, 0.267), (1.0, 0.294), (1.5, 0.540), (2.0, 0.582), (3.0, 0.923), (5.0, 1.918)];

/// The method's own error at a resolution: the row's, linear between rows, the finest row's below it; `None` above the coarsest.
pub fn measurement_sigma(resolution: Mm, method: SurfaceMethod) -> Option<Mm> {
    let table: &[(f64, f64)] = match method {
        SurfaceMethod::SubVoxel => &MEASUREMENT_SIGMA_MM,
        SurfaceMethod::Blurred => &BLURRED_SIGMA_MM,
    };
    if resolution.0 <= table[0].0 {
        return Some(Mm(table[0].1));
    }
    // A spacing stored in single precision may lie just above a row.
    let spacing = resolution.0 - 1e-4;
    table.windows(2).find(|rows| spacing <= rows[1].0).map(|rows| {
        let ((a, at_a), (b, at_b)) = (rows[0], rows[1]);
        Mm(at_a + (at_b - at_a) * ((spacing - a) / (b - a)).clamp(0.0, 1.0))
    })
}
