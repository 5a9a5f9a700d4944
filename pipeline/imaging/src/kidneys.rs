//! The kidneys in a CT of the trunk, found without a model: cortex, medulla and excreted medium tell the contrast phase.
//!
//! Method: beside the spine the lowest threshold is looked for at which a bright body stands alone that has a kidney's size and
//! place; it is then cut half-way up to its own bright part, its slices are made convex (the medulla of the arterial phase and the
//! sinus are dark), and cortex and medulla are read by their depth below the surface. Edge cases: without contrast medium in the
//! cortex a kidney cannot be told from what it touches, and none is found; one kidney is enough, two that differ are not believed.
//! A horseshoe or transplanted kidney is not found; a large stone can pass for excreted medium.

use thiserror::Error;

use crate::components::{Component, Connectivity, components};
use crate::grid::{Index3, Shape};
use crate::intensity::percentiles;
use crate::mask::Mask;
use crate::morphology::dilate;
use crate::trunk::{SPACING_MM, Trunk};
use crate::units::Mm;
use crate::volume::Volume;
use crate::window::Window;

mod parts;

use parts::Parts;

/// Thresholds tried, HU: from above muscle to the cortex of the arterial phase.
const FIRST_HU: i32 = 90;
const LAST_HU: i32 = 260;
const STEP_HU: usize = 10;
/// The box searched on each side, in pixels of 2 mm from the spine's middle: sideways, to the front and to the back.
const ASIDE: [i64; 2] = [8, 61];
const FRONT: i64 = 38;
const BACK: i64 = 25;
/// Size of a kidney: ml, and mm across, in depth and along the body. Origin: adult kidneys are 90–140 mm long and hold 100–250 ml
/// (Emamian et al. 1993, AJR 160:83); the cortex alone, an image's end and small kidneys are allowed for.
const VOLUME_ML: [f64; 2] = [25.0, 400.0];
const ACROSS_MM: [f64; 2] = [28.0, 90.0];
const ALONG_MM: [f64; 2] = [40.0, 150.0];
/// Its middle from the spine's, mm: sideways, and to the front (negative) or back.
const MIDDLE_ASIDE_MM: [f64; 2] = [35.0, 105.0];
const MIDDLE_BACK_MM: [f64; 2] = [-62.0, 20.0];
/// No more of it than this may lie on the box's walls: a body that goes on beyond it is no kidney.
const MOST_ON_WALLS: f64 = 0.02;
/// Both kidneys see the same blood; a larger difference, HU, is another body or a sick kidney.
const MOST_APART_HU: f64 = 50.0;
/// A rim round the kidneys that is theirs: vessels at the hilum and partial volumes.
const RIM: Mm = Mm(4.0);

/// The kidneys as found.
#[derive(Debug, Clone, PartialEq)]
pub struct Kidneys {
    /// One or two.
    pub n_kidneys: usize,
    /// Mean of the kidneys' cortex, HU.
    pub cortex_hu: f64,
    /// Mean of the kidneys' medulla, HU.
    pub medulla_hu: f64,
    /// Excreted medium in calyces and pelvis, ml.
    pub excreted_ml: f64,
    /// Both bodies with a rim of 4 mm, on the search's grid.
    pub(crate) bodies: Mask,
}

impl Kidneys {
    /// Cortex above medulla, HU.
    #[must_use]
    pub fn corticomedullary_hu(&self) -> f64 {
        self.cortex_hu - self.medulla_hu
    }
}

/// Why no kidney was read.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum KidneysError {
    /// No body of a kidney's size and place.
    #[error("no kidney was found: nothing beside the spine has a kidney's size and place and is brighter than muscle")]
    NotFound,
    /// Two bodies that cannot both be kidneys.
    #[error(
        "the bodies left and right of the spine differ by {apart_hu:.0} HU, {MOST_APART_HU:.0} are believed of two kidneys"
    )]
    Differ {
        /// Difference of their cortex, HU.
        apart_hu: f64,
    },
}

/// Finds the kidneys in a CT of the trunk; `aorta_hu` is the blood's brightness.
pub fn find_kidneys(trunk: &Trunk, aorta_hu: f64) -> Result<Kidneys, KidneysError> {
    let mut bodies = Mask::filled(trunk.thin.grid().clone(), false);
    let mut found: Vec<Parts> = Vec::new();
    for side in [Side::Left, Side::Right] {
        let Some((window, bright, box_of_side)) = bright_body(trunk, side) else { continue };
        let Some(parts) = Parts::read(&box_of_side, &bright, aorta_hu) else { continue };
        // The boxes do not overlap: the second does not wipe out the first.
        window.paste(&parts.body, &mut bodies);
        found.push(parts);
    }
    if let [left, right] = found.as_slice() {
        let apart_hu = (left.cortex_hu - right.cortex_hu).abs();
        if apart_hu > MOST_APART_HU {
            return Err(KidneysError::Differ { apart_hu });
        }
    }
    if found.is_empty() {
        return Err(KidneysError::NotFound);
    }
    let n = found.len() as f64;
    Ok(Kidneys {
        n_kidneys: found.len(),
        cortex_hu: found.iter().map(|k| k.cortex_hu).sum::<f64>() / n,
        medulla_hu: found.iter().map(|k| k.medulla_hu).sum::<f64>() / n,
        excreted_ml: found.iter().map(|k| k.excreted_ml).sum(),
        bodies: dilate(&bodies, RIM).unwrap_or(bodies),
    })
}

/// A side of the patient.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// The box beside the spine, from the image's first slice to its last.
fn search_box(trunk: &Trunk, side: Side) -> Option<Window> {
    let shape @ Shape { nk, .. } = trunk.thin.shape();
    let (i, j) = (trunk.spine.0 as i64, trunk.spine.1 as i64);
    let left = match side {
        Side::Left => i + ASIDE[0],
        Side::Right => i - ASIDE[1],
    };
    let (ni, nj) = ((ASIDE[1] - ASIDE[0] + 1) as usize, (FRONT + BACK + 1) as usize);
    Window { low: [left, j - FRONT, 0], shape: Shape { ni, nj, nk } }.within(shape)
}

/// The voxels of one kidney's bright part in the box of its side, and that box.
fn bright_body(trunk: &Trunk, side: Side) -> Option<(Window, Mask, Volume<f32>)> {
    let window = search_box(trunk, side)?;
    let image = window.cut(&trunk.thin, 0.0).ok()?;
    for threshold in (FIRST_HU..=LAST_HU).step_by(STEP_HU) {
        let parts = components(&image.map(|hu| *hu > threshold as f32), Connectivity::Faces);
        let mut list: Vec<&Component> = parts.list.iter().filter(|part| is_kidney(part, trunk)).collect();
        list.sort_by_key(|part| (usize::MAX - part.n_voxels, part.label));
        let mut masks = list.into_iter().map(|part| parts.mask(part.label));
        if let Some(kidney) = masks.find(|mask| on_walls(mask) <= MOST_ON_WALLS) {
            let bright = bright_part(&image, &kidney, f64::from(threshold))?;
            return Some((window, bright, image));
        }
    }
    None
}

fn ml(n_voxels: usize) -> f64 {
    n_voxels as f64 * SPACING_MM.iter().product::<f64>() / 1000.0
}

fn within(range: [f64; 2], value: f64) -> bool {
    (range[0]..=range[1]).contains(&value)
}

/// Whether a component has a kidney's size and place.
fn is_kidney(part: &Component, trunk: &Trunk) -> bool {
    let (low, high) = (part.low, part.high);
    let n_voxels = [high.i - low.i + 1, high.j - low.j + 1, high.k - low.k + 1];
    let size_mm: [f64; 3] = std::array::from_fn(|axis| n_voxels[axis] as f64 * SPACING_MM[axis]);
    let spine = trunk.thin.grid().center(Index3 { i: trunk.spine.0, j: trunk.spine.1, k: 0 });
    let from_spine = part.centroid.coords - spine.coords;
    within(VOLUME_ML, ml(part.n_voxels))
        && within(ACROSS_MM, size_mm[0])
        && within(ACROSS_MM, size_mm[1])
        && within(ALONG_MM, size_mm[2])
        && within(MIDDLE_ASIDE_MM, from_spine.x.abs())
        && within(MIDDLE_BACK_MM, from_spine.y)
}

/// The share of a body on the walls of its box.
fn on_walls(mask: &Mask) -> f64 {
    let Shape { ni, nj, .. } = mask.shape();
    let touches = |at: &Index3| at.i == 0 || at.i + 1 == ni || at.j == 0 || at.j + 1 == nj;
    mask.indices_set().filter(touches).count() as f64 / mask.n_voxels_set() as f64
}

/// The largest piece of a body above half-way between its threshold and its own bright part: what it only touched falls away.
fn bright_part(image: &Volume<f32>, kidney: &Mask, threshold: f64) -> Option<Mask> {
    let of_body = |(hu, set): (&f32, &bool)| set.then_some(*hu);
    let values: Vec<f32> = image.values().iter().zip(kidney.values()).filter_map(of_body).collect();
    let cut = f64::midpoint(threshold, percentiles(&values, &[90.0])?[0]) as f32;
    let bright = image.values().iter().zip(kidney.values()).map(|(hu, set)| *set && *hu > cut).collect();
    let parts = components(&Mask::from_values(bright, image.grid().clone()).ok()?, Connectivity::Faces);
    Some(parts.mask(parts.largest()?.label))
}

#[cfg(test)]
mod tests;
