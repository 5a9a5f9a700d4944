//! What a voxel consists of, and how it looks on CT, MR and PET.
//!
//! CT values after contrast are round figures of the abdominal CT literature (liver about 110 HU in the portal venous phase,
//! aorta about 300 HU in the late arterial phase); they are chosen for contrast between phases, not fitted to one scanner.

use rand_chacha::ChaCha8Rng;

use crate::random::jitter;

/// Contrast phase of a CT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before contrast medium.
    Native,
    /// Late arterial, about 35 s after injection.
    Arterial,
    /// Portal venous, about 75 s.
    PortalVenous,
    /// Delayed, about 180 s.
    Delayed,
}

impl Phase {
    /// Seconds after the injection of contrast medium.
    pub fn delay_s(self) -> u32 {
        match self {
            Self::Native => 0,
            Self::Arterial => 35,
            Self::PortalVenous => 75,
            Self::Delayed => 180,
        }
    }
}

macro_rules! tissues {
    ($($name:ident [$native:literal $arterial:literal $portal:literal $delayed:literal] $amp:literal [$t1:literal $t2:literal $suv:literal];)*) => {
        /// A tissue of the reference anatomy; lesions and zones have codes above [`FIRST_LESION`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Tissue { $($name),* }
        /// HU native, arterial, portal venous, delayed; HU per unit of texture; T1 and T2 signal; SUV.
        const LOOKS: &[Look] = &[$(Look { hu: [$native, $arterial, $portal, $delayed], texture_hu: $amp, t1: $t1, t2: $t2, suv: $suv }),*];
    };
}
tissues! {
    Air [-1000.0 -1000.0 -1000.0 -1000.0] 0.0 [0.0 0.0 0.0];
    Table [-150.0 -150.0 -150.0 -150.0] 0.0 [0.0 0.0 0.0];
    Fat [-105.0 -104.0 -102.0 -102.0] 8.0 [620.0 420.0 0.3];
    Muscle [52.0 58.0 64.0 63.0] 8.0 [240.0 110.0 0.7];
    Bone [420.0 425.0 430.0 430.0] 60.0 [80.0 60.0 0.8];
    Marrow [170.0 180.0 190.0 190.0] 35.0 [330.0 180.0 1.2];
    Disc [80.0 80.0 85.0 85.0] 5.0 [220.0 260.0 0.7];
    Canal [25.0 28.0 30.0 30.0] 4.0 [140.0 600.0 1.0];
    Lung [-860.0 -855.0 -850.0 -850.0] 25.0 [30.0 25.0 0.4];
    LungVessel [40.0 210.0 145.0 115.0] 5.0 [90.0 60.0 1.4];
    Heart [45.0 190.0 150.0 120.0] 12.0 [230.0 150.0 2.0];
    Aorta [42.0 300.0 155.0 118.0] 4.0 [70.0 60.0 1.8];
    VenaCava [42.0 95.0 138.0 118.0] 5.0 [80.0 70.0 1.8];
    Liver [57.0 72.0 111.0 94.0] 6.0 [330.0 130.0 2.2];
    LiverPortal [42.0 90.0 172.0 124.0] 4.0 [90.0 80.0 1.9];
    LiverHepatic [42.0 60.0 160.0 122.0] 4.0 [90.0 80.0 1.9];
    Portal [42.0 90.0 172.0 124.0] 4.0 [90.0 80.0 1.8];
    Spleen [48.0 122.0 126.0 100.0] 9.0 [250.0 260.0 1.8];
    Cortex [34.0 180.0 186.0 150.0] 8.0 [260.0 250.0 3.0];
    Medulla [32.0 72.0 165.0 150.0] 8.0 [200.0 300.0 4.0];
    Pancreas [42.0 105.0 92.0 75.0] 12.0 [340.0 170.0 1.5];
    Gallbladder [8.0 8.0 8.0 8.0] 2.0 [130.0 750.0 0.6];
    StomachWall [40.0 75.0 85.0 78.0] 6.0 [220.0 180.0 1.6];
    StomachFluid [18.0 18.0 18.0 18.0] 6.0 [150.0 650.0 0.6];
    Gas [-960.0 -960.0 -960.0 -960.0] 10.0 [10.0 10.0 0.2];
    Bowel [36.0 58.0 78.0 70.0] 14.0 [220.0 230.0 1.6];
    Skin [10.0 15.0 20.0 20.0] 5.0 [300.0 150.0 0.5];
    // Looks like the fat round it, but in a phase case, where it fills with excreted medium.
    RenalPelvis [-105.0 -104.0 -102.0 -102.0] 8.0 [620.0 420.0 0.3];
}

/// First code of a lesion: lesion `n` has codes `FIRST_LESION + 2n` (tissue) and `+ 1` (necrotic core).
pub(crate) const FIRST_LESION: u8 = 64;
/// First code of an ablation zone.
pub(crate) const FIRST_ZONE: u8 = 192;

/// How one tissue looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) hu: [f32; 4],
    pub(crate) texture_hu: f32,
    pub(crate) t1: f32,
    pub(crate) t2: f32,
    pub(crate) suv: f32,
}

impl Tissue {
    /// Whether the tissue belongs to the liver.
    pub(crate) fn is_liver(code: u8) -> bool {
        [Self::Liver, Self::LiverPortal, Self::LiverHepatic].iter().any(|t| *t as u8 == code)
    }
}

/// How the parts of a lesion enhance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appearance {
    /// Arterial hyperenhancement and washout, like hepatocellular carcinoma.
    Hypervascular,
    /// Darker than the liver in every phase, like a colorectal metastasis.
    Hypovascular,
    /// Solid nodule in the lung.
    LungNodule,
    /// Enlarged lymph node.
    Node,
}

impl Appearance {
    /// The look of the living part.
    pub(crate) fn viable(self) -> Look {
        match self {
            Self::Hypervascular => {
                Look { hu: [50.0, 140.0, 78.0, 70.0], texture_hu: 9.0, t1: 230.0, t2: 240.0, suv: 3.5 }
            }
            Self::Hypovascular => {
                Look { hu: [40.0, 52.0, 64.0, 68.0], texture_hu: 7.0, t1: 220.0, t2: 260.0, suv: 8.0 }
            }
            Self::LungNodule => Look { hu: [32.0, 62.0, 74.0, 72.0], texture_hu: 6.0, t1: 220.0, t2: 240.0, suv: 9.0 },
            Self::Node => Look { hu: [38.0, 68.0, 88.0, 82.0], texture_hu: 6.0, t1: 220.0, t2: 230.0, suv: 7.0 },
        }
    }

    /// Whether the living part enhances in the arterial phase, as mRECIST requires of a target.
    pub(crate) fn has_arterial_enhancement(self) -> bool {
        self == Self::Hypervascular
    }
}

/// The look of a necrotic core: no enhancement.
pub(crate) const NECROSIS: Look =
    Look { hu: [26.0, 27.0, 28.0, 28.0], texture_hu: 4.0, t1: 180.0, t2: 420.0, suv: 0.9 };

/// The look of an ablation zone: no enhancement, denser than necrosis.
pub(crate) const ZONE: Look = Look { hu: [52.0, 50.0, 49.0, 49.0], texture_hu: 5.0, t1: 400.0, t2: 100.0, suv: 0.8 };

/// The looks of all 256 codes.
#[derive(Debug, Clone)]
pub(crate) struct Looks(Vec<Look>);

impl Looks {
    /// The looks of the tissues alone, with each patient's own enhancement (`spread` 1: ordinary differences).
    pub(crate) fn random(rng: &mut ChaCha8Rng, spread: f64) -> Self {
        let mut looks = LOOKS.to_vec();
        looks.resize(256, LOOKS[0]);
        let mut vary = |tissues: &[Tissue], half: f64| {
            let shift = jitter(rng, half * spread) as f32;
            for t in tissues {
                for hu in &mut looks[*t as usize].hu {
                    *hu += shift;
                }
            }
        };
        vary(&[Tissue::Liver], 6.0);
        vary(&[Tissue::LiverPortal, Tissue::Portal, Tissue::LiverHepatic], 10.0);
        vary(&[Tissue::Aorta, Tissue::Heart], 15.0);
        vary(&[Tissue::Spleen], 8.0);
        vary(&[Tissue::Cortex, Tissue::Medulla], 12.0);
        vary(&[Tissue::Muscle], 5.0);
        vary(&[Tissue::Fat, Tissue::RenalPelvis], 5.0);
        Self(looks)
    }

    /// The look of one code.
    pub(crate) fn of(&self, code: u8) -> Look {
        self.0[usize::from(code)]
    }

    /// Gives a code its look.
    pub(crate) fn set(&mut self, code: u8, look: Look) {
        self.0[usize::from(code)] = look;
    }

    /// The same patient with so many times the enhancement: another dose or another heart.
    pub(crate) fn enhanced(&self, times: f64) -> Self {
        let enhanced =
            |look: &Look| Look { hu: look.hu.map(|hu| look.hu[0] + (hu - look.hu[0]) * times as f32), ..*look };
        Self(self.0.iter().map(enhanced).collect())
    }

    /// HU in one phase and HU per unit of texture, of all codes.
    pub(crate) fn ct(&self, phase: Phase) -> Vec<(f32, f32)> {
        self.0.iter().map(|l| (l.hu[phase as usize], l.texture_hu)).collect()
    }
}
