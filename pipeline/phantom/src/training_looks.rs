//! What the tissues of a training case look like in the portal venous phase: as in a cohort, or far more varied.

use rand_chacha::ChaCha8Rng;

use crate::random::{between, chance, jitter};
use crate::scene::Scene;
use crate::tissue::{FIRST_LESION, FIRST_ZONE, Look, Looks, NECROSIS, Phase, Tissue, ZONE};
use crate::training_solids::Solids;

/// HU and HU per unit of texture of every code.
pub(crate) type CtLooks = Vec<(f32, f32)>;

/// A patient of a cohort.
pub(crate) fn ordinary_looks(rng: &mut ChaCha8Rng, scene: &Scene<'_>, solids: &Solids) -> CtLooks {
    let mut looks = scene.looks(&Looks::random(rng, 1.0));
    set_cysts(rng, &mut looks, solids);
    looks.ct(Phase::PortalVenous)
}

/// Organs, vessels and bowel with wide ranges, and each lesion with its own contrast to the liver.
pub(crate) fn wide_looks(rng: &mut ChaCha8Rng, scene: &Scene<'_>, solids: &Solids) -> CtLooks {
    let mut looks = Looks::random(rng, 2.0);
    vary_organs(rng, &mut looks);
    let liver_hu = f64::from(looks.of(Tissue::Liver as u8).hu[Phase::PortalVenous as usize]);
    let zone_hu = between(rng, 28.0, 55.0).min(liver_hu - 18.0);
    for (n, finding) in scene.findings.iter().enumerate() {
        let viable = finding.appearance.viable();
        let contrast = if chance(rng, 0.92) { between(rng, -65.0, -16.0) } else { between(rng, 15.0, 50.0) };
        // What lives is denser than what was ablated, in most patients.
        let least = zone_hu + if chance(rng, 0.9) { between(rng, 5.0, 15.0) } else { -15.0 };
        let hu = if finding.in_liver { (liver_hu + contrast).max(least) } else { 74.0 + jitter(rng, 30.0) };
        let texture_hu = between(rng, 3.0, 11.0) as f32;
        looks.set(FIRST_LESION + 2 * n as u8, in_all_phases(hu, Look { texture_hu, ..viable }));
        let core_hu = if chance(rng, 0.85) { between(rng, 8.0, 42.0).min(hu - 8.0) } else { hu + jitter(rng, 40.0) };
        looks.set(FIRST_LESION + 2 * n as u8 + 1, in_all_phases(core_hu, NECROSIS));
    }
    for n in 0..scene.zones.len() {
        looks.set(FIRST_ZONE + n as u8, in_all_phases(zone_hu + jitter(rng, 6.0), ZONE));
    }
    set_cysts(rng, &mut looks, solids);
    looks.ct(Phase::PortalVenous)
}

fn in_all_phases(hu: f64, like: Look) -> Look {
    Look { hu: [hu as f32; 4], ..like }
}

/// Water, nearly.
fn set_cysts(rng: &mut ChaCha8Rng, looks: &mut Looks, solids: &Solids) {
    for n in solids.first_cyst..solids.findings.len() {
        let cyst = in_all_phases(between(rng, 2.0, 14.0), Look { texture_hu: 2.0, ..NECROSIS });
        looks.set(FIRST_LESION + 2 * n as u8, cyst);
        looks.set(FIRST_LESION + 2 * n as u8 + 1, cyst);
    }
}

fn vary_organs(rng: &mut ChaCha8Rng, looks: &mut Looks) {
    use Tissue as T;
    let enhancement = between(rng, -30.0, 25.0);
    for tissue in [T::Liver, T::LiverPortal, T::LiverHepatic, T::Portal, T::Spleen, T::VenaCava] {
        shift(looks, tissue, enhancement);
    }
    // A liver with washed-out or barely filled veins.
    let veins = between(rng, -45.0, 25.0);
    for tissue in [T::LiverPortal, T::LiverHepatic, T::Portal] {
        shift(looks, tissue, veins);
    }
    let each = [
        (T::Gallbladder, 14.0),
        (T::StomachFluid, 25.0),
        (T::StomachWall, 25.0),
        (T::Bowel, 30.0),
        (T::Pancreas, 25.0),
        (T::Spleen, 20.0),
        (T::Cortex, 40.0),
        (T::Medulla, 60.0),
        (T::Heart, 40.0),
        (T::VenaCava, 40.0),
        (T::Aorta, 40.0),
        (T::Muscle, 12.0),
        (T::LungVessel, 60.0),
    ];
    for (tissue, half) in each {
        let by = jitter(rng, half);
        shift(looks, tissue, by);
    }
    if chance(rng, 0.15) {
        let swallowed = between(rng, 100.0, 250.0);
        shift(looks, T::StomachFluid, swallowed);
        shift(looks, T::Bowel, swallowed);
    }
}

fn shift(looks: &mut Looks, tissue: Tissue, by: f64) {
    let look = looks.of(tissue as u8);
    looks.set(tissue as u8, Look { hu: look.hu.map(|hu| hu + by as f32), ..look });
}
