//! Cortex, medulla and excreted medium of one kidney, by their depth below its surface.

use super::{ml, within};
use crate::distance::signed_distance;
use crate::grid::Shape;
use crate::hull::hull_corners;
use crate::intensity::percentiles;
use crate::mask::Mask;
use crate::morphology::dilate;
use crate::units::Mm;
use crate::volume::Volume;

/// Depths below the surface, mm: the cortex is 6–10 mm thick, the pyramids lie below it.
const CORTEX_DEPTH_MM: f64 = 5.0;
const MEDULLA_DEPTH_MM: [f64; 2] = [8.0, 14.0];
/// Of the inner zone this percentile is the medulla: columns of cortex reach between the pyramids.
const MEDULLA_PERCENTILE: f64 = 30.0;
/// Below this lies fat or what is mixed with it.
const FAT_HU: f32 = 0.0;
/// So much brighter than cortex and blood is excreted medium only, HU; no blood is brighter than the aorta's.
const URINE_ABOVE_HU: f64 = 80.0;
/// The medulla is read from at least so many voxels. Origin: 0.8 ml, a median good to 3 HU at 20 HU of noise.
const LEAST_VOXELS: usize = 50;
/// What lies this near to fat is mixed with it.
const MIXED: Mm = Mm(3.0);

/// The parts of one kidney.
pub(super) struct Parts {
    /// Median of the outer zone, HU.
    pub(super) cortex_hu: f64,
    /// Of the inner zone, HU.
    pub(super) medulla_hu: f64,
    /// Excreted medium, ml.
    pub(super) excreted_ml: f64,
    /// The kidney with its sinus.
    pub(super) body: Mask,
}

impl Parts {
    /// Reads one kidney; nothing where too little of it is seen. `bright` is its bright part in `image`.
    pub(super) fn read(image: &Volume<f32>, bright: &Mask, aorta_hu: f64) -> Option<Self> {
        let body = convex_slices(bright);
        let depth_mm = signed_distance(&body).ok()?.map(|d| -d);
        let mixed = near_fat(image, &body)?;
        let (mut cortex, mut medulla) = (Vec::new(), Vec::new());
        for (n, (hu, mm)) in image.values().iter().zip(depth_mm.values()).enumerate() {
            if bright.values()[n] && *mm <= CORTEX_DEPTH_MM {
                cortex.push(*hu);
            } else if within(MEDULLA_DEPTH_MM, *mm) && !mixed.values()[n] {
                medulla.push(*hu);
            }
        }
        if cortex.len() < LEAST_VOXELS || medulla.len() < LEAST_VOXELS {
            return None;
        }
        let cortex_hu = percentiles(&cortex, &[50.0])?[0];
        let medulla_hu = percentiles(&medulla, &[MEDULLA_PERCENTILE])?[0];
        let urine = cortex_hu.max(aorta_hu) + URINE_ABOVE_HU;
        let is_urine = |(hu, mm): &(&f32, &f64)| f64::from(**hu) > urine && **mm > CORTEX_DEPTH_MM;
        let n_urine = image.values().iter().zip(depth_mm.values()).filter(is_urine).count();
        Some(Self { cortex_hu, medulla_hu, excreted_ml: ml(n_urine), body })
    }
}

/// Fat in a kidney's sinus and what is mixed with it.
fn near_fat(image: &Volume<f32>, body: &Mask) -> Option<Mask> {
    let fat = image.values().iter().zip(body.values()).map(|(hu, set)| *set && *hu < FAT_HU).collect();
    let fat = Mask::from_values(fat, image.grid().clone()).ok()?;
    if fat.is_empty_mask() { Some(fat) } else { dilate(&fat, MIXED).ok() }
}

/// Each slice of a mask with its convex hull filled.
fn convex_slices(mask: &Mask) -> Mask {
    let Shape { ni, nj, .. } = mask.shape();
    let mut filled = mask.clone();
    for slice in filled.values_mut().chunks_mut(ni * nj) {
        let set = slice.iter().enumerate().filter(|(_, set)| **set);
        let points: Vec<[i64; 2]> = set.map(|(n, _)| [(n % ni) as i64, (n / ni) as i64]).collect();
        let corners = hull_corners(&points);
        for (row, voxels) in slice.chunks_mut(ni).enumerate() {
            let columns = corners.iter().flat_map(|a| corners.iter().filter_map(|b| crossing(*a, *b, row as i64)));
            let (low, high) = columns.fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
            if low <= high {
                voxels[low.ceil() as usize..=high.floor() as usize].fill(true);
            }
        }
    }
    filled
}

/// The column at which the line from `a` down to `b` meets a row.
fn crossing(a: [i64; 2], b: [i64; 2], row: i64) -> Option<f64> {
    if !(a[1]..=b[1]).contains(&row) {
        return None;
    }
    let down = (b[1] - a[1]) as f64;
    let part = if down > 0.0 { (row - a[1]) as f64 / down } else { 0.0 };
    Some(a[0] as f64 + part * (b[0] - a[0]) as f64)
}
