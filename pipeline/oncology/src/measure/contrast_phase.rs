//! The contrast phase of a CT of the liver, read from its pixels: mRECIST on the wrong phase is wrong.
//!
//! Method: how bright the aorta is, and how far the liver lies below it. Unenhanced blood is 30–70 HU; in the arterial phase
//! the aorta passes 200 HU while the liver, fed by the portal vein, has hardly changed; in the portal venous phase the liver is
//! at its brightest, some 50 HU below the aorta; later both fade (Bae 2010, Radiology 256:32, sections on timing). Doses and
//! patients differ, so every rule names all phases it leaves possible: a label is doubted only when it is none of them.
//! Not read: kidneys and the portal vein's trunk, which need outlines of their own.

use std::fmt;

use imaging::{Volume, find_aorta};
use serde::{Deserialize, Serialize};

use crate::evaluable::Evaluable;

/// Below this the blood holds no contrast medium. Origin: unenhanced blood is 30–70 HU; 15 HU are left for noise and a hard beam.
const NATIVE_BELOW_HU: f64 = 85.0;
/// The aorta this far above the liver is arterial: the medium has not come through the portal vein.
const ARTERIAL_FROM_LIVER_HU: f64 = 130.0;
/// The aorta this near to the liver is past the arterial phase.
const VENOUS_TO_LIVER_HU: f64 = 80.0;
/// The same without an outline of the liver: from here arterial, and below the second no longer.
const ARTERIAL_FROM_HU: f64 = 220.0;
const VENOUS_BELOW_HU: f64 = 180.0;
/// A venous aorta this bright is portal venous; three minutes after injection it is darker.
const PORTAL_FROM_HU: f64 = 140.0;

/// A contrast phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContrastPhase {
    /// Without contrast medium.
    Native,
    /// Early or late arterial.
    Arterial,
    /// Portal venous.
    PortalVenous,
    /// Delayed (equilibrium).
    Delayed,
}

impl fmt::Display for ContrastPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Arterial => "arterial",
            Self::PortalVenous => "portal venous",
            Self::Delayed => "delayed",
        })
    }
}

/// What the pixels say of the phase.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseReading {
    /// Aorta, HU.
    pub aorta_hu: f64,
    /// Liver without lesions and zones, HU, where an outline was given.
    pub liver_hu: Option<f64>,
    /// Every phase these numbers leave possible, never empty.
    pub possible: Vec<ContrastPhase>,
}

impl PhaseReading {
    /// Whether a label's phase is among the possible ones.
    #[must_use]
    pub fn allows(&self, phase: ContrastPhase) -> bool {
        self.possible.contains(&phase)
    }
}

impl fmt::Display for PhaseReading {
    /// `aorta 155 HU, liver 110 HU: portal venous`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "aorta {:.0} HU", self.aorta_hu)?;
        if let Some(liver) = self.liver_hu {
            write!(f, ", liver {liver:.0} HU")?;
        }
        let names: Vec<String> = self.possible.iter().map(ToString::to_string).collect();
        write!(f, ": {}", names.join(" or "))
    }
}

/// Reads the phase. `ct` in HU; `liver_hu` the mean of the liver without lesions and zones, where it is known.
pub fn contrast_phase(ct: &Volume<f32>, liver_hu: Option<f64>) -> Evaluable<PhaseReading> {
    match find_aorta(ct) {
        Ok(aorta) => {
            let possible = possible(aorta.hu, liver_hu);
            Evaluable::Value(PhaseReading { aorta_hu: aorta.hu, liver_hu, possible })
        }
        Err(error) => Evaluable::not(error.to_string()),
    }
}

fn possible(aorta_hu: f64, liver_hu: Option<f64>) -> Vec<ContrastPhase> {
    use ContrastPhase::{Arterial, Delayed, Native, PortalVenous};
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
        if aorta_hu < PORTAL_FROM_HU {
            possible.push(Delayed);
        }
    }
    possible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_numbers_of_each_phase_leave_that_phase() {
        use ContrastPhase::{Arterial, Delayed, Native, PortalVenous};
        for (aorta, liver, expected) in [
            (45.0, Some(55.0), vec![Native]),
            (310.0, Some(72.0), vec![Arterial]),
            (165.0, Some(110.0), vec![PortalVenous]),
            (118.0, Some(94.0), vec![PortalVenous, Delayed]),
            // Late arterial of a thin contrast, or early portal venous: both stay possible.
            (200.0, Some(95.0), vec![Arterial, PortalVenous]),
            (310.0, None, vec![Arterial]),
            (165.0, None, vec![PortalVenous]),
            (120.0, None, vec![PortalVenous, Delayed]),
            (200.0, None, vec![Arterial, PortalVenous]),
        ] {
            assert_eq!(possible(aorta, liver), expected, "{aorta} {liver:?}");
        }
    }

    #[test]
    fn no_number_leaves_no_phase() {
        for aorta in -50..600 {
            for liver in [None, Some(-20.0), Some(60.0), Some(180.0)] {
                assert!(!possible(f64::from(aorta), liver).is_empty(), "{aorta} {liver:?}");
            }
        }
    }
}
