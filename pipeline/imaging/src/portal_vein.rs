//! The portal vein at the liver's hilum in a CT, found without a model of vessels: how bright its blood is against the aorta's tells the
//! contrast phase.
//!
//! Method: in a zone of the liver's middle height, in front of the spine and the vena cava, what is brighter than the liver is looked for
//! that is a tube: as wide as a portal vein (opening by balls), longer than wide, partly in the liver and partly at its border.
//! Of several steps of brightness the highest at which such a tube remains is read, which leaves the vein without its neighbours.
//! Edge cases: without an outline of the liver nothing is looked for; before medium has reached the vein it is no brighter than the
//! liver, and none is found. The main branches count as the trunk; a thrombosed vein is not found.

use thiserror::Error;

use crate::components::{Component, Connectivity, components};
use crate::distance::{distance_to, signed_distance};
use crate::grid::Index3;
use crate::intensity::percentiles;
use crate::kidneys::Kidneys;
use crate::mask::Mask;
use crate::morphology::{dilate, erode, open};
use crate::resample::resample_mask;
use crate::space::Affine;
use crate::trunk::{SPACING_MM, Trunk};
use crate::units::Mm;

/// Brighter than the liver by so much, HU: three steps, of which the highest with a tube counts.
const ABOVE_LIVER_HU: [f64; 3] = [40.0, 25.0, 15.0];
/// No blood of a vein is so much brighter than the aorta's, HU.
const ABOVE_AORTA_HU: f64 = 60.0;
/// The liver is read this far below its border.
const BELOW_BORDER: Mm = Mm(5.0);
/// The zone: this near to the liver, mm; from the spine's middle to the sides and to the front, mm.
const NEAR_LIVER_MM: f64 = 14.0;
const ASIDE_MM: [f64; 2] = [-70.0, 25.0];
const FRONT_MM: [f64; 2] = [-110.0, -44.0];
/// And so far up the liver, as a share of its height: below lie kidney and bowel, above the hepatic veins' mouths.
const UP_THE_LIVER: [f64; 2] = [0.2, 0.75];
/// A tube holds a ball of the first radius and none of the second; its widest place is at most so wide. Origin: portal veins are
/// 8–17 mm wide (Weinreb et al. 1982, AJR 139:497); partial volumes take up to 4 mm from what is seen.
const THIN: Mm = Mm(3.5);
const WIDE: Mm = Mm(10.0);
const WIDEST_MM: f64 = 18.0;
/// Its length, ml, and the share of it in the liver: all of it is a branch or a tumour, none of it another vessel.
const LEAST_LENGTH_MM: f64 = 30.0;
const VOLUME_ML: [f64; 2] = [1.5, 40.0];
const IN_LIVER: [f64; 2] = [0.05, 0.97];
/// The blood is read so deep in the tube, mm, or in its deepest part.
const CORE_MM: f64 = 3.0;

/// The portal vein as found.
#[derive(Debug, Clone, PartialEq)]
pub struct PortalVein {
    /// Median of its middle, HU.
    pub hu: f64,
    /// Its largest extent, mm.
    pub length_mm: f64,
}

/// Why no portal vein was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PortalVeinError {
    /// The liver's outline holds nothing of this image.
    #[error("the outline of the liver holds too little of the image to look for the portal vein at its hilum")]
    NoLiver,
    /// No tube of its size and place.
    #[error(
        "no portal vein was found: no tube of its width at the liver's hilum is brighter than the liver by {} HU",
        ABOVE_LIVER_HU[2]
    )]
    NotFound,
}

/// Where the portal vein is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Hilum<'a> {
    /// The liver without lesions and zones, on any grid of the image's frame.
    pub liver: &'a Mask,
    /// Lesions and ablation zones, on the liver's grid; they are no vessels.
    pub lesions: &'a Mask,
    /// The kidneys, where they were found; they are no vessels either.
    pub kidneys: Option<&'a Kidneys>,
    /// The blood in the aorta, HU.
    pub aorta_hu: f64,
}

/// Finds the portal vein in a CT of the trunk.
pub fn find_portal_vein(trunk: &Trunk, hilum: &Hilum<'_>) -> Result<PortalVein, PortalVeinError> {
    let grid = trunk.thin.grid();
    let liver = resample_mask(hilum.liver, grid, &Affine::identity());
    let deep = erode(&liver, BELOW_BORDER).map_err(|_| PortalVeinError::NoLiver)?;
    let of_deep = |(hu, set): (&f32, &bool)| set.then_some(*hu);
    let values: Vec<f32> = trunk.thin.values().iter().zip(deep.values()).filter_map(of_deep).collect();
    let liver_hu = percentiles(&values, &[50.0]).ok_or(PortalVeinError::NoLiver)?[0];
    let zone = zone(trunk, &liver, hilum).ok_or(PortalVeinError::NoLiver)?;
    for above in ABOVE_LIVER_HU {
        let blood = liver_hu + above..hilum.aorta_hu + ABOVE_AORTA_HU;
        let bright =
            trunk.thin.values().iter().zip(zone.values()).map(|(hu, set)| *set && blood.contains(&f64::from(*hu)));
        let bright = Mask::from_values(bright.collect(), grid.clone()).expect("one value was made per voxel");
        if let Some(vein) = tube(trunk, &bright, &liver) {
            return Ok(vein);
        }
    }
    Err(PortalVeinError::NotFound)
}

/// Where a portal vein can lie.
fn zone(trunk: &Trunk, liver: &Mask, hilum: &Hilum<'_>) -> Option<Mask> {
    let grid = trunk.thin.grid();
    let (low, high) = liver.bounding_box()?;
    let height = (high.k - low.k).max(1) as f64;
    let from_liver = distance_to(liver).ok()?;
    let lesions = resample_mask(hilum.lesions, grid, &Affine::identity());
    let lesions = if lesions.is_empty_mask() { lesions } else { dilate(&lesions, Mm(4.0)).ok()? };
    let spine = grid.center(Index3 { i: trunk.spine.0, j: trunk.spine.1, k: 0 });
    let within = |[least, most]: [f64; 2], value: f64| (least..=most).contains(&value);
    let shape = grid.shape();
    let inside = |n: usize| {
        let at = shape.index(n);
        let from_spine = grid.center(at).coords - spine.coords;
        within(ASIDE_MM, from_spine.x)
            && within(FRONT_MM, from_spine.y)
            && within(UP_THE_LIVER, (at.k as f64 - low.k as f64) / height)
            && from_liver.values()[n] <= NEAR_LIVER_MM
            && !lesions.values()[n]
            && !hilum.kidneys.is_some_and(|kidneys| kidneys.bodies.values()[n])
    };
    Mask::from_values((0..shape.n_voxels()).map(inside).collect(), grid.clone()).ok()
}

/// The largest tube of a portal vein's size.
fn tube(trunk: &Trunk, bright: &Mask, liver: &Mask) -> Option<PortalVein> {
    let tubes = open(bright, THIN).ok()?;
    let wide = open(bright, WIDE).ok()?;
    let wide = if wide.is_empty_mask() { wide } else { dilate(&wide, Mm(SPACING_MM[0])).ok()? };
    let tubes = tubes.values().iter().zip(wide.values()).map(|(tube, wide)| *tube && !wide).collect();
    let parts = components(&Mask::from_values(tubes, bright.grid().clone()).ok()?, Connectivity::Faces);
    let mut list: Vec<&Component> = parts.list.iter().collect();
    list.sort_by_key(|part| (usize::MAX - part.n_voxels, part.label));
    list.into_iter().find_map(|part| vein(trunk, part, &parts.mask(part.label), liver))
}

/// A component as a portal vein, where it has its size and place.
fn vein(trunk: &Trunk, part: &Component, mask: &Mask, liver: &Mask) -> Option<PortalVein> {
    let ml = part.n_voxels as f64 * SPACING_MM.iter().product::<f64>() / 1000.0;
    let (low, high) = (part.low, part.high);
    let n_voxels = [high.i - low.i + 1, high.j - low.j + 1, high.k - low.k + 1];
    let length_mm = n_voxels.iter().zip(SPACING_MM).map(|(n, mm)| *n as f64 * mm).fold(0.0, f64::max);
    let in_liver = mask.values().iter().zip(liver.values()).filter(|(a, b)| **a && **b).count() as f64;
    let in_liver = in_liver / part.n_voxels as f64;
    let likely = (VOLUME_ML[0]..=VOLUME_ML[1]).contains(&ml)
        && length_mm >= LEAST_LENGTH_MM
        && (IN_LIVER[0]..=IN_LIVER[1]).contains(&in_liver);
    if !likely {
        return None;
    }
    let depth_mm = signed_distance(mask).ok()?.map(|d| (-d).max(0.0));
    let deepest = depth_mm.values().iter().copied().fold(0.0, f64::max);
    if 2.0 * deepest > WIDEST_MM {
        return None;
    }
    let core = CORE_MM.min(0.6 * deepest);
    let of_core = |(hu, mm): (&f32, &f64)| (*mm >= core && *mm > 0.0).then_some(*hu);
    let values: Vec<f32> = trunk.thin.values().iter().zip(depth_mm.values()).filter_map(of_core).collect();
    Some(PortalVein { hu: percentiles(&values, &[50.0])?[0], length_mm })
}

#[cfg(test)]
mod tests;
