//! What speaks against a new lesion, from what both looks found.

use super::before::Before;
use super::now::Now;
use crate::Mm;

/// Above this share of places with as much contrast nothing stands out in the outline.
const NOTHING_SHARE: f64 = 0.05;
/// Up to this share something stood out before …
const BEFORE_SHARE: f64 = 0.05;
/// … if its contrast is that of now times a number between these, else it is another thing.
const BEFORE_CONTRAST: [f64; 2] = [0.5, 2.0];
/// Above this share of places that changed as much the place is as it was.
const UNCHANGED_SHARE: f64 = 0.05;
/// Values of water with what a reconstruction makes of it, HU.
const WATER_HU: [f64; 2] = [-10.0, 20.0];
/// A smaller outline has no middle free of its border, mm (radius).
const WATER_RADIUS_MM: f64 = 4.0;
/// Surroundings with more than so many times the usual spread are not to be read.
const UNREST: f64 = 3.0;

/// Why an outline is not called new.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doubt {
    /// Its contrast is that of many other places.
    NothingStandsOut {
        /// Contrast against its surroundings, in the image's unit.
        contrast: f64,
        /// Share of other places with as much.
        share: f64,
    },
    /// Something stood out there before.
    StoodOutBefore {
        /// Contrast then, in the image's unit.
        before: f64,
        /// Contrast now.
        now: f64,
    },
    /// The place looks as it did.
    Unchanged {
        /// Share of places that changed as much.
        share: f64,
    },
    /// It has the values of water.
    Water {
        /// Mean of its middle, HU.
        core: f64,
    },
    /// Its values run on beyond the outline in a strand.
    RunsOn(Mm),
    /// The values round it are too uneven to be read.
    Uneven {
        /// Times the usual spread.
        times: f64,
    },
}

/// The first thing that speaks against a new lesion; `None` when nothing does. `is_hu`: the image holds Hounsfield units.
pub fn doubt(now: &Now, before: Option<&Before>, is_hu: bool) -> Option<Doubt> {
    let water = is_hu && now.radius.0 >= WATER_RADIUS_MM && now.core >= WATER_HU[0] && now.core <= WATER_HU[1];
    let [least, most] = BEFORE_CONTRAST;
    let stood_out = |b: &&Before| b.share <= BEFORE_SHARE && (least..=most).contains(&(b.contrast / now.contrast));
    let unchanged = before.and_then(|b| b.changed).filter(|share| *share > UNCHANGED_SHARE);
    if now.share > NOTHING_SHARE {
        Some(Doubt::NothingStandsOut { contrast: now.contrast, share: now.share })
    } else if let Some(before) = before.filter(stood_out) {
        Some(Doubt::StoodOutBefore { before: before.contrast, now: now.contrast })
    } else if let Some(share) = unchanged {
        Some(Doubt::Unchanged { share })
    } else if water {
        Some(Doubt::Water { core: now.core })
    } else if let Some(length) = now.runs_on {
        Some(Doubt::RunsOn(length))
    } else if now.unrest > UNREST {
        Some(Doubt::Uneven { times: now.unrest })
    } else {
        None
    }
}
