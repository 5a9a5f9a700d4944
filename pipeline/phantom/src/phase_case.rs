//! One upper abdomen to be seen in every contrast phase, with kidneys that excrete: for measuring how a phase is read from pixels.
//!
//! Beside the patients of a cohort it varies the strength of the enhancement (dose, weight, heart) by a quarter either way, and fills the
//! renal pelvis: always in the delayed phase, in some cases in the portal venous one, as a real portal venous CT showed.

use imaging::{Grid, Mask, Volume};

use crate::anatomy::Anatomy;
use crate::ct::{CtDraw, ct};
use crate::pose::{Motion, Pose};
use crate::random::{self, between, chance};
use crate::scanner::{Detail, ct_grid};
use crate::scene::{Content, Scene};
use crate::tissue::{Look, Looks, Phase, Tissue};

/// Strength of the enhancement against a cohort's.
const STRENGTH: [f64; 2] = [0.75, 1.25];
/// Cases whose renal pelvis holds medium in the portal venous phase.
const EARLY_EXCRETION: f64 = 0.3;
/// Urine, HU: without medium, and with it least and most.
const URINE_HU: f32 = 8.0;
const EXCRETED_HU: [f64; 2] = [350.0, 900.0];

/// One abdomen without lesions.
pub struct PhaseCase {
    grid: Grid,
    content: Content,
    looks: Looks,
    seed: u64,
}

/// The case of a seed. The same seed gives the same bytes.
#[must_use]
pub fn phase_case(seed: u64) -> PhaseCase {
    let rng = &mut random::stream(seed, "phase case");
    let anatomy = Anatomy::random(rng, 1.0);
    let pose = Pose::random(rng, Motion::Ordinary);
    let table_y_mm = pose.middle().y + between(rng, 98.0, 125.0);
    let scene = Scene { anatomy: &anatomy, pose: &pose, findings: &[], zones: &[], table_y_mm };
    let grid = ct_grid(rng, pose.middle(), "phase case", Detail::Full);
    let content = scene.content(&grid);
    let mut looks = Looks::random(rng, 1.0).enhanced(between(rng, STRENGTH[0], STRENGTH[1]));
    let excreted = between(rng, EXCRETED_HU[0], EXCRETED_HU[1]) as f32;
    let portal = if chance(rng, EARLY_EXCRETION) { excreted } else { URINE_HU };
    let pelvis =
        Look { hu: [URINE_HU, URINE_HU, portal, excreted], texture_hu: 2.0, ..looks.of(Tissue::RenalPelvis as u8) };
    looks.set(Tissue::RenalPelvis as u8, pelvis);
    PhaseCase { grid, content, looks, seed }
}

impl PhaseCase {
    /// The abdomen in one phase, HU; `noise_hu` is the standard deviation of the noise.
    #[must_use]
    pub fn ct(&self, phase: Phase, noise_hu: f32) -> Volume<f32> {
        let key = random::key(self.seed, &format!("noise {phase:?}"));
        ct(&self.content, &self.grid, &CtDraw { looks: &self.looks.ct(phase), noise_hu, key }).to_values()
    }

    /// The liver with its vessels.
    #[must_use]
    pub fn liver(&self) -> Mask {
        let liver = self.content.codes.iter().map(|code| Tissue::is_liver(*code)).collect();
        Mask::from_values(liver, self.grid.clone()).expect("a case has one code per voxel of its grid")
    }

    /// HU of a place's tissue in one phase before noise: aorta, liver, cortex, medulla, portal vein.
    #[must_use]
    pub fn truth_hu(&self, phase: Phase) -> [f32; 5] {
        let tissues = [Tissue::Aorta, Tissue::Liver, Tissue::Cortex, Tissue::Medulla, Tissue::Portal];
        tissues.map(|tissue| self.looks.of(tissue as u8).hu[phase as usize])
    }
}
