//! The contrast phase of a CT of the abdomen, read from its pixels: mRECIST on the wrong phase is wrong.
//!
//! Method: four organs, each read and judged for itself; every rule names all phases it leaves possible, for doses and patients
//! differ, and what no organ excludes is possible. Aorta and liver: unenhanced blood is 30–70 HU; in the arterial phase the aorta
//! passes 200 HU while the liver, fed by the portal vein, has hardly changed; in the portal venous phase the liver is at its
//! brightest, some 50 HU below the aorta; later both fade (Bae 2010, Radiology 256:32, sections on timing). Kidneys: the cortex
//! is brighter than the medulla from 25 to 70 s, later both are alike; medium appears in the calyces from two to three minutes
//! (Yuh and Cohan 1999, AJR 173:747). Portal vein: dark beside the aorta in the arterial phase, as bright later.
//! Edge cases: organs that leave no phase in common contradict each other, and nothing is concluded; an organ that was not found
//! excludes nothing, and its reason is kept.

use std::fmt;

use imaging::{Hilum, Kidneys, Mask, Trunk, Volume, find_aorta, find_kidneys, find_portal_vein};
use serde::{Deserialize, Serialize};

use crate::evaluable::Evaluable;

mod rules;

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
    pub aorta_hu: Evaluable<f64>,
    /// Liver without lesions and zones, HU, where an outline was given.
    pub liver_hu: Option<f64>,
    /// Both kidneys, or the one that was found.
    pub kidneys: Evaluable<KidneyReading>,
    /// Portal vein, HU.
    pub portal_vein_hu: Evaluable<f64>,
    /// Every phase these numbers leave possible; empty where the organs contradict each other.
    pub possible: Vec<ContrastPhase>,
}

/// What the kidneys show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KidneyReading {
    /// Cortex, HU.
    pub cortex_hu: f64,
    /// Medulla, HU.
    pub medulla_hu: f64,
    /// Excreted medium, ml.
    pub excreted_ml: f64,
}

/// What the pixels say of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseVerdict {
    /// The label's phase is possible.
    Confirmed,
    /// The label's phase is excluded.
    Doubted,
    /// The organs contradict each other.
    CannotTell,
}

/// The liver's outline, for what is looked for round it; both masks on one grid, in the CT's frame of reference.
#[derive(Debug, Clone, Copy)]
pub struct LiverOutline<'a> {
    /// The liver without lesions and zones.
    pub liver: &'a Mask,
    /// Lesions and zones.
    pub lesions: &'a Mask,
}

impl PhaseReading {
    /// Whether a label's phase is among the possible ones.
    #[must_use]
    pub fn verdict(&self, phase: ContrastPhase) -> PhaseVerdict {
        match self.possible.as_slice() {
            [] => PhaseVerdict::CannotTell,
            possible if possible.contains(&phase) => PhaseVerdict::Confirmed,
            _ => PhaseVerdict::Doubted,
        }
    }

    fn of(organs: Organs) -> Self {
        let possible = rules::possible(&organs);
        let Organs { aorta_hu, liver_hu, kidneys, portal_vein_hu } = organs;
        Self { aorta_hu, liver_hu, kidneys, portal_vein_hu, possible }
    }
}

impl fmt::Display for PhaseReading {
    /// `aorta 155 HU, liver 110 HU, kidneys 180 HU over 165 HU: portal venous; portal vein not read (…)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut read = Vec::new();
        let mut not_read = String::new();
        let mut unread = |organ: &str, reason: Option<&str>| {
            if let Some(reason) = reason {
                not_read.push_str(&format!("; {organ} not read ({reason})"));
            }
        };
        read.extend(self.aorta_hu.value().map(|hu| format!("aorta {hu:.0} HU")));
        unread("aorta", self.aorta_hu.reason());
        read.extend(self.liver_hu.map(|hu| format!("liver {hu:.0} HU")));
        read.extend(self.kidneys.value().map(ToString::to_string));
        unread("kidneys", self.kidneys.reason());
        read.extend(self.portal_vein_hu.value().map(|hu| format!("portal vein {hu:.0} HU")));
        unread("portal vein", self.portal_vein_hu.reason());
        let names: Vec<String> = self.possible.iter().map(ToString::to_string).collect();
        let names = if names.is_empty() { "they contradict each other".to_owned() } else { names.join(" or ") };
        write!(f, "{}: {names}{not_read}", read.join(", "))
    }
}

impl fmt::Display for KidneyReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kidneys {:.0} HU over {:.0} HU (cortex, medulla)", self.cortex_hu, self.medulla_hu)?;
        if self.excreted_ml >= rules::EXCRETED_FROM_ML {
            write!(f, " with {:.1} ml of excreted medium", self.excreted_ml)?;
        }
        Ok(())
    }
}

/// What was read of each organ.
#[derive(Debug, Clone)]
struct Organs {
    aorta_hu: Evaluable<f64>,
    liver_hu: Option<f64>,
    kidneys: Evaluable<KidneyReading>,
    portal_vein_hu: Evaluable<f64>,
}

/// Reads the phase. `ct` in HU; `liver_hu` the mean of the liver without lesions and zones, and `outline` its place, where they are
/// known. Not evaluable where neither the aorta nor a kidney was found.
pub fn contrast_phase(
    ct: &Volume<f32>,
    liver_hu: Option<f64>,
    outline: Option<LiverOutline<'_>>,
) -> Evaluable<PhaseReading> {
    let trunk = match Trunk::of(ct) {
        Ok(trunk) => trunk,
        Err(error) => return Evaluable::not(error.to_string()),
    };
    let aorta_hu =
        find_aorta(&trunk).map_or_else(|e| Evaluable::not(e.to_string()), |aorta| Evaluable::Value(aorta.hu));
    if aorta_hu.value().is_some_and(|hu| *hu < rules::NATIVE_BELOW_HU) {
        let no_medium = "without contrast medium it cannot be told from what it touches";
        return Evaluable::Value(PhaseReading::of(Organs {
            aorta_hu,
            liver_hu,
            kidneys: Evaluable::not(no_medium),
            portal_vein_hu: Evaluable::not(no_medium),
        }));
    }
    let found = find_kidneys(&trunk, aorta_hu.value().copied().unwrap_or_default());
    let portal_vein_hu = portal_vein(&trunk, &aorta_hu, outline, found.as_ref().ok());
    let kidneys = found.map_or_else(|e| Evaluable::not(e.to_string()), |k| Evaluable::Value(KidneyReading::of(&k)));
    if let (Some(no_aorta), Some(no_kidney)) = (aorta_hu.reason(), kidneys.reason()) {
        return Evaluable::not(format!("{no_aorta}; {no_kidney}"));
    }
    Evaluable::Value(PhaseReading::of(Organs { aorta_hu, liver_hu, kidneys, portal_vein_hu }))
}

impl KidneyReading {
    fn of(kidneys: &Kidneys) -> Self {
        Self { cortex_hu: kidneys.cortex_hu, medulla_hu: kidneys.medulla_hu, excreted_ml: kidneys.excreted_ml }
    }
}

fn portal_vein(
    trunk: &Trunk,
    aorta_hu: &Evaluable<f64>,
    outline: Option<LiverOutline<'_>>,
    kidneys: Option<&Kidneys>,
) -> Evaluable<f64> {
    match (aorta_hu.value(), outline) {
        (None, _) => Evaluable::not("there is no aorta to compare it with"),
        (_, None) => Evaluable::not("no outline of the liver to look for it at"),
        (Some(aorta_hu), Some(LiverOutline { liver, lesions })) => {
            let hilum = Hilum { liver, lesions, kidneys, aorta_hu: *aorta_hu };
            find_portal_vein(trunk, &hilum)
                .map_or_else(|error| Evaluable::not(error.to_string()), |vein| Evaluable::Value(vein.hu))
        }
    }
}

#[cfg(test)]
mod tests;
