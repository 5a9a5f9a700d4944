//! What each organ leaves possible.
//!
//! Sources: Bae 2010, Radiology 256:32 (aorta, liver); Yuh and Cohan 1999, AJR 173:747 (kidneys). The bounds lie between their round
//! figures, with room for thin and thick contrast; measured in `test_data/oracles/phase`.

use super::{ContrastPhase, KidneyReading, Organs};
use ContrastPhase::{Arterial, Delayed, Native, PortalVenous};

/// Below this the blood holds no contrast medium. Origin: unenhanced blood is 30–70 HU; 15 HU are left for noise and a hard beam.
pub(super) const NATIVE_BELOW_HU: f64 = 85.0;
/// So much excreted medium is no stone and no noise, ml. Origin: a ball of 10 mm.
pub(super) const EXCRETED_FROM_ML: f64 = 0.5;
/// The aorta this far above the liver is arterial: the medium has not come through the portal vein.
const ARTERIAL_FROM_LIVER_HU: f64 = 130.0;
/// The aorta this near to the liver is past the arterial phase.
const VENOUS_TO_LIVER_HU: f64 = 80.0;
/// The same without an outline of the liver: from here arterial, and below the second no longer.
const ARTERIAL_FROM_HU: f64 = 220.0;
const VENOUS_BELOW_HU: f64 = 180.0;
/// A venous aorta this bright is portal venous; three minutes after injection it is darker. With excreted medium, which comes as late,
/// strong contrast may leave it as bright as the second. Origin: 142 HU in a synthetic delayed phase of strong contrast.
const PORTAL_FROM_HU: f64 = 140.0;
const PORTAL_FROM_WITH_EXCRETION_HU: f64 = 170.0;
/// A cortex this little above the medulla is past the corticomedullary phase; this far above, three minutes have not passed.
const ALIKE_BELOW_HU: f64 = 20.0;
const DIFFERENT_FROM_HU: f64 = 40.0;
/// The portal vein as a share of the aorta: below, the medium has not come through the bowel; above, it has.
const DARK_BELOW: f64 = 0.6;
const BRIGHT_FROM: f64 = 0.8;

/// The phases that every organ leaves, in order of time.
pub(super) fn possible(organs: &Organs) -> Vec<ContrastPhase> {
    let excretes = organs.kidneys.value().is_some_and(|kidneys| kidneys.excreted_ml >= EXCRETED_FROM_ML);
    let by_organ = [
        organs.aorta_hu.value().map(|aorta| by_aorta(*aorta, organs.liver_hu, excretes)),
        organs.kidneys.value().map(by_kidneys),
        organs.aorta_hu.value().zip(organs.portal_vein_hu.value()).map(|(aorta, vein)| by_portal_vein(vein / aorta)),
    ];
    let allowed = |phase: &ContrastPhase| by_organ.iter().flatten().all(|phases| phases.contains(phase));
    [Native, Arterial, PortalVenous, Delayed].into_iter().filter(allowed).collect()
}

fn by_aorta(aorta_hu: f64, liver_hu: Option<f64>, excretes: bool) -> Vec<ContrastPhase> {
    if aorta_hu < NATIVE_BELOW_HU {
        return vec![Native];
    }
    let (arterial, venous) = match liver_hu {
        Some(liver) => (aorta_hu - liver > VENOUS_TO_LIVER_HU, aorta_hu - liver < ARTERIAL_FROM_LIVER_HU),
        None => (aorta_hu > VENOUS_BELOW_HU, aorta_hu < ARTERIAL_FROM_HU),
    };
    let mut possible = Vec::new();
    if arterial {
        possible.push(Arterial);
    }
    if venous {
        possible.push(PortalVenous);
        if aorta_hu < if excretes { PORTAL_FROM_WITH_EXCRETION_HU } else { PORTAL_FROM_HU } {
            possible.push(Delayed);
        }
    }
    possible
}

/// Excreted medium excludes the arterial phase and no more: it is seen in portal venous images, too, where the scan is late or an
/// earlier injection went before.
fn by_kidneys(kidneys: &KidneyReading) -> Vec<ContrastPhase> {
    let difference = kidneys.cortex_hu - kidneys.medulla_hu;
    let mut possible = Vec::new();
    if difference >= ALIKE_BELOW_HU && kidneys.excreted_ml < EXCRETED_FROM_ML {
        possible.push(Arterial);
    }
    possible.push(PortalVenous);
    if difference <= DIFFERENT_FROM_HU {
        possible.push(Delayed);
    }
    possible
}

fn by_portal_vein(share_of_aorta: f64) -> Vec<ContrastPhase> {
    match share_of_aorta {
        share if share < DARK_BELOW => vec![Arterial],
        share if share < BRIGHT_FROM => vec![Arterial, PortalVenous],
        _ => vec![PortalVenous, Delayed],
    }
}
