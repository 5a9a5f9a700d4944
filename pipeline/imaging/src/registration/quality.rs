//! Whether a registration may be trusted: the thresholds, and the verdict with its reasons.
//!
//! Every threshold is a named constant. What was measured for them stands at the tests of `registration/tests.rs`.

use super::options::TransformKind;
use super::result::{Quality, Registration};

/// Least part of the region that the moving image must cover for any placement to be considered.
pub const MIN_OVERLAP: f64 = 0.25;
/// Part of the region from which coverage raises no doubt.
pub const OVERLAP_PASS: f64 = 0.6;
/// Up to this 95th percentile of block residuals, mm, the pair counts as rigid.
///
/// The thresholds on blocks were set on synthetic patients of seeds 1–6 and checked on seeds 7–12 (`phantom::cohort` with one
/// patient per seed, scenarios local_progression, stable_then_progression, extrahepatic_lung and large_deformation; every
/// follow-up's portal venous CT to baseline; values cut to −150…250 HU; liver dilated by 8 mm; lesions and zones excluded).
/// Residuals at the 95th percentile on seeds 1–6: ordinary pairs 0.7–1.5 mm (deformed beyond rigid by 0.6–1.3 mm), large
/// deformations 5.3–7.4 mm (6–9 mm), another seed's liver 6.9–12.9 mm. On seeds 7–12 all 78 ordinary pairs pass (mean error at
/// the landmarks at most 0.9 mm) and all 18 large deformations come to review (3.9–5.3 mm).
pub const RESIDUAL_PASS_MM: f64 = 2.5;
/// Beyond this 95th percentile of block residuals, mm, the blocks contradict one another. Largest among large deformations: 8.2 mm.
pub const RESIDUAL_FAIL_MM: f64 = 10.0;
/// Part of the structured blocks that must match for a pass. Measured, on seeds 1–6 and 7–12: one patient 0.95 and more, another
/// seed's liver 0.63 to 0.84; with [`RESIDUAL_OTHER_MM`] all 12 and all 12 pairs of two livers fail.
pub const MATCHED_PASS: f64 = 0.9;
/// Fewer matched blocks than this part: not the same anatomy.
pub const MATCHED_FAIL: f64 = 0.7;
/// Beyond this 95th percentile of block residuals, mm, together with fewer matched blocks than [`MATCHED_PASS`]: not the same
/// anatomy. Another liver of like size matches in most of its border, but what matches there does not lie where it should.
pub const RESIDUAL_OTHER_MM: f64 = 5.0;
/// Up to this 95th percentile of disagreement between repeated registrations, mm.
pub const ERROR_PASS_MM: f64 = 2.0;
/// Beyond this 95th percentile of disagreement between repeated registrations, mm, the result is a matter of chance.
pub const ERROR_FAIL_MM: f64 = 10.0;
/// Tissue that a bend would move farther than this, mm, is a part of the region with a motion of its own, which the 95th percentile of
/// all blocks forgives.
pub const MOTION_PASS_MM: f64 = 5.0;
/// Correlation at 4 mm over the region below which the images have nothing in common.
const CORRELATION_FAIL: f64 = 0.4;
/// Between these times its volume an affine map may make of the body without doubt: a grown patient keeps his size. Chosen, not
/// measured: a spacing wrong by a tenth makes 1.33, by a thirtieth 1.1.
pub const SIZE_PASS: [f64; 2] = [0.9, 1.1];
/// Beyond these the map states a size that no body changes to: a spacing of one of the images is wrong, or slices are lost.
/// Chosen as [`SIZE_PASS`] was.
pub const SIZE_FAIL: [f64; 2] = [0.75, 1.33];
/// By so much likeness may fall without a word: the map and the headers' placement are compared at points of two draws. Chosen, not
/// measured.
pub(super) const LIKENESS_TOLERANCE: f64 = 1e-3;
/// Fewest structured blocks from which a distribution of residuals is stated.
pub(super) const MIN_BLOCKS: usize = 4;

/// The verdict from the evidence: the worst of its findings, each with its sentence. `correlation` is that of the region at 4 mm.
pub(super) fn conclude(r: &mut Registration, correlation: Option<f64>) {
    let mut findings = vec![alike(correlation), covered(r), repeatable(r), same_anatomy(r), rigid_enough(r)];
    findings.extend(size_kept(r));
    if let (Some(before), Some(after)) = (r.metric_before, r.metric_after)
        && after < before - LIKENESS_TOLERANCE
    {
        let text = format!("likeness fell from {before:.4} to {after:.4}: the headers' own position fits better");
        findings.push((Quality::Review, text));
    }
    r.quality = findings.iter().map(|f| f.0).max().unwrap_or(Quality::Review);
    let worst = r.quality;
    r.reasons = findings.into_iter().filter(|f| f.0 == worst).map(|f| f.1).collect();
}

impl Registration {
    /// Whether what failed may be mended by bending: most of the anatomy is found again, though not where a rigid motion puts it.
    pub fn may_be_bent(&self) -> bool {
        let keeps_size = size_kept(self).is_none_or(|finding| finding.0 < Quality::Fail);
        keeps_size && covered(self).0 < Quality::Fail && self.matched_blocks.is_some_and(|share| share >= MATCHED_FAIL)
    }
}

pub(super) type Finding = (Quality, String);

/// Takes a finding into a verdict: a worse one replaces the reasons, one as bad joins them.
pub(super) fn add_finding(registration: &mut Registration, (quality, text): Finding) {
    if quality > registration.quality {
        registration.quality = quality;
        registration.reasons = vec![text];
    } else if quality == registration.quality {
        registration.reasons.push(text);
    }
}

fn grade(pass: bool, fail: bool, text: String) -> Finding {
    let quality = match (pass, fail) {
        (_, true) => Quality::Fail,
        (true, false) => Quality::Pass,
        (false, false) => Quality::Review,
    };
    (quality, text)
}

fn alike(correlation: Option<f64>) -> Finding {
    let Some(c) = correlation else {
        return (Quality::Fail, "the images cannot be compared after registration".to_owned());
    };
    let text = format!("correlation of the region at 4 mm is {c:.2}, at least {CORRELATION_FAIL} is needed");
    grade(true, c < CORRELATION_FAIL, text)
}

fn covered(r: &Registration) -> Finding {
    let Some(o) = r.overlap else {
        return (Quality::Fail, "the images do not overlap enough after registration".to_owned());
    };
    let (share, pass) = (100.0 * o, 100.0 * OVERLAP_PASS);
    let text = format!("the moving image covers {share:.0} % of the region (pass from {pass:.0} %)");
    grade(o >= OVERLAP_PASS, o < MIN_OVERLAP, text)
}

fn repeatable(r: &Registration) -> Finding {
    let Some(spread) = r.estimated_error else {
        return (Quality::Review, "no repeated registration was possible".to_owned());
    };
    let p = spread.p95_mm;
    let text = format!(
        "repeated registrations differ by {p:.1} mm at the 95th percentile (pass up to {ERROR_PASS_MM} mm, fail above {ERROR_FAIL_MM} mm)"
    );
    grade(p <= ERROR_PASS_MM, p > ERROR_FAIL_MM, text)
}

fn same_anatomy(r: &Registration) -> Finding {
    let Some(m) = r.matched_blocks else {
        return (Quality::Review, "too few blocks with structure to judge local agreement".to_owned());
    };
    let (share, n, pass, fail) = (100.0 * m, r.blocks.len(), 100.0 * MATCHED_PASS, 100.0 * MATCHED_FAIL);
    let displaced = r.residual.is_some_and(|s| s.p95_mm > RESIDUAL_OTHER_MM);
    let text = format!(
        "{share:.0} % of {n} blocks with structure match (pass from {pass:.0} %, fail below {fail:.0} %, or below {pass:.0} % when the others lie more than {RESIDUAL_OTHER_MM} mm off)"
    );
    grade(m >= MATCHED_PASS, m < MATCHED_FAIL || (m < MATCHED_PASS && displaced), text)
}

/// Of an affine map alone: a rigid one keeps every size, and a bent one is judged by its stretch.
fn size_kept(r: &Registration) -> Option<Finding> {
    if r.transform != Some(TransformKind::Affine) {
        return None;
    }
    let times = r.jacobian();
    let within = |[low, high]: [f64; 2]| times >= low && times <= high;
    let ([low, high], [least, most]) = (SIZE_PASS, SIZE_FAIL);
    let text = format!(
        "the map makes {times:.2} times its volume of the body (pass within {low} to {high}, fail beyond {least} to {most}): outside, one of the two spacings may be wrong"
    );
    Some(grade(within(SIZE_PASS), !within(SIZE_FAIL), text))
}

fn rigid_enough(r: &Registration) -> Finding {
    let Some(spread) = r.residual else {
        return (Quality::Review, "too few matched blocks to measure local deformation".to_owned());
    };
    let p = spread.p95_mm;
    let text = format!(
        "local deformation left over is {p:.1} mm at the 95th percentile of blocks (pass up to {RESIDUAL_PASS_MM} mm, fail above {RESIDUAL_FAIL_MM} mm)"
    );
    grade(p <= RESIDUAL_PASS_MM, p > RESIDUAL_FAIL_MM, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, FrameId};
    use nalgebra::{Matrix3, Vector3};

    fn affine(times: f64) -> Registration {
        let mut r = Registration::identity_same_frame(FrameId::new("f"));
        r.transform = Some(TransformKind::Affine);
        r.moving_to_fixed = Affine::from_parts(Matrix3::identity() * times.cbrt(), Vector3::zeros());
        r
    }

    #[test]
    fn a_body_of_another_size_is_told_and_no_rigid_map_is_asked() {
        let found = |times: f64| size_kept(&affine(times)).unwrap().0;
        for (times, want) in [
            (1.0, Quality::Pass),
            (0.91, Quality::Pass),
            (1.12, Quality::Review),
            (0.85, Quality::Review),
            (2.0, Quality::Fail),
            (0.58, Quality::Fail),
            (-1.0, Quality::Fail),
        ] {
            assert_eq!(found(times), want, "{times}");
        }
        assert!(size_kept(&affine(2.0)).unwrap().1.contains("spacings"));
        assert!(size_kept(&Registration { transform: Some(TransformKind::Rigid), ..affine(2.0) }).is_none());
        let covered = Registration { overlap: Some(1.0), matched_blocks: Some(0.8), ..affine(1.0) };
        assert!(covered.may_be_bent());
        assert!(!Registration { moving_to_fixed: affine(2.0).moving_to_fixed, ..covered }.may_be_bent());
    }

    #[test]
    fn likeness_that_falls_by_its_own_scatter_is_no_doubt() {
        let judged = |after: f64| {
            let mut r = affine(1.0);
            (r.overlap, r.metric_before, r.metric_after) = (Some(1.0), Some(0.9972), Some(after));
            conclude(&mut r, Some(0.99));
            r.reasons.iter().any(|reason| reason.starts_with("likeness fell"))
        };
        assert!(!judged(0.997_15) && !judged(0.996_3) && judged(0.95));
    }
}
