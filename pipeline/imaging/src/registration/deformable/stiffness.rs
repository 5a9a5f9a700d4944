//! How stiff the displacement is to be: as stiff as leaves nothing over but noise.
//!
//! Source: generalised cross-validation (Craven and Wahba 1979): of several stiffnesses the one with the least left over, divided by
//! the square of the share of degrees of freedom that were not spent on it. Each spent one counts several times, as noise that is
//! alike over a few voxels would otherwise be followed (Kim and Gu 2004).

use super::on_level::OnLevel;
use super::solve::Displacement;

/// Least weight of bending against squared normalised differences, mm². On pairs with known maps (`scripts/compare_registration`; two
/// synthetic abdomens and the real CT with bends of 8 to 10 mm over 14 to 20 mm) the median and 95th percentile of the error were
/// 0.85/2.20 mm with 10 and a neighbourhood twice as wide, 0.59/1.35 mm with 2, 0.64/1.42 mm with 1.
pub(super) const LEAST: f64 = 2.0;
/// Beyond this an affine map is all that is left.
const MOST: f64 = 20_000.0;
/// From one stiffness to the next: half a power of ten.
const FACTOR: f64 = 3.162_277_660_168_379_5;
/// How often a degree of freedom counts. On 22 pairs (18 synthetic follow-ups that hardly bend, four of
/// `scripts/make_registration_pairs.py`) landmarks were off in the median by 0.49 mm with 4 and by 0.44 mm with 5; with the least
/// stiffness for all by 0.98 mm.
const COUNTED: f64 = 5.0;

/// Settles a displacement that has settled with one stiffness anew with the one that is best; that one.
pub(super) fn choose(on: &mut OnLevel<'_>, found: &mut Displacement, start: f64) -> f64 {
    let mut best = start;
    let mut least = risk(on.account(found, best));
    for up in [true, false] {
        let mut tried = found.clone();
        let mut stiffness = best;
        loop {
            stiffness = if up { stiffness * FACTOR } else { stiffness / FACTOR };
            if !(LEAST * 0.99..=MOST).contains(&stiffness) {
                break;
            }
            on.settle(&mut tried, stiffness);
            let now = risk(on.account(&tried, stiffness));
            // As long as more was spent than there is, only stiffer ones can be told apart.
            if now >= least && least.is_finite() {
                break;
            }
            (best, least) = (stiffness, now);
            found.clone_from(&tried);
        }
        if best > start {
            break;
        }
    }
    best
}

/// What would be left over of points that took no part.
fn risk((left_over, spent, of): (f64, f64, f64)) -> f64 {
    let kept = 1.0 - COUNTED * spent / of;
    if kept > 0.0 { left_over / (kept * kept) } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_of_freedom_have_their_price() {
        assert_eq!(risk((1.0, 0.0, 300.0)), 1.0);
        assert!((risk((1.0, 30.0, 300.0)) - 4.0).abs() < 1e-12, "{COUNTED} times a tenth was spent");
        assert_eq!(risk((0.0, 60.0, 300.0)), f64::INFINITY);
        assert_eq!(risk((1.0, 90.0, 300.0)), f64::INFINITY, "more spent than there is");
        // Half of what was left over for a twentieth of the degrees of freedom is a bargain, a tenth of it is none.
        assert!(risk((0.5, 15.0, 300.0)) < risk((1.0, 0.0, 300.0)));
        assert!(risk((0.9, 15.0, 300.0)) > risk((1.0, 0.0, 300.0)));
    }
}
