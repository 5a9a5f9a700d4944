//! What is outlined at a visit, as one small volume of numbers: 1 in the organ, plus 2 in an ablation zone, plus four times the number
//! of a lesion, which is its place in the list of labels.

use imaging::diameter::mask_centroid;
use imaging::registration::{Registration, warp_mask};
use imaging::{Grid, GridError, Index3, Mask, Shape, Volume, Window};

use super::field;
use crate::stages::find::VisitFacts;
use crate::stages::segment::Instance;

const ORGAN: i16 = 1;
const ZONE: i16 = 2;
/// Numbers of lesions begin above the bits of organ and zone.
const LESION_SHIFT: u32 = 2;
/// The largest number of a lesion that a 16-bit integer has room for.
const MAX_LESIONS: usize = 8000;
/// Looked at beyond the carried corners of a mask, mm: a bend may bulge between them.
const BULGE_MM: f64 = 6.0;

/// The volume and the labels of the lesions numbered in it.
pub(super) fn outlined(
    visit: &VisitFacts,
    to_grid: &Registration,
    grid: &Grid,
) -> Result<(Volume<i16>, Vec<u16>), GridError> {
    let mut numbers = Volume::filled(grid.clone(), 0_i16);
    let mut mark = |mask: &Mask, of: &dyn Fn(i16) -> i16| -> Result<(), GridError> {
        for at in carried(mask, to_grid, grid)? {
            let n = grid.shape().linear(at);
            numbers.values_mut()[n] = of(numbers.values()[n]);
        }
        Ok(())
    };
    if let Some(organ) = &visit.organ {
        mark(organ, &|before| before | ORGAN)?;
    }
    for zone in &visit.zones {
        mark(&zone.mask, &|before| before | ZONE)?;
    }
    let lesions: Vec<&Instance> = visit.lesions.iter().take(MAX_LESIONS).collect();
    for (lesion, number) in lesions.iter().zip(1_i16..) {
        mark(&lesion.mask, &|before| before & (ORGAN | ZONE) | (number << LESION_SHIFT))?;
    }
    Ok((numbers, lesions.iter().map(|lesion| lesion.label).collect()))
}

/// The voxels of a grid that a mask of the visit fills there; the one at its centre where it is smaller than any.
fn carried(mask: &Mask, to_grid: &Registration, grid: &Grid) -> Result<Vec<Index3>, GridError> {
    let Some(window) = window(mask, to_grid, grid) else { return Ok(Vec::new()) };
    let there = warp_mask(to_grid, mask, &window.grid(grid)?)?;
    let voxels: Vec<Index3> = there.indices_set().filter_map(|at| window.to_volume(at, grid.shape())).collect();
    if voxels.is_empty() {
        let center = mask_centroid(mask).map(|center| to_grid.to_fixed(center));
        return Ok(center.and_then(|center| grid.nearest(center)).into_iter().collect());
    }
    Ok(voxels)
}

/// The part of a grid that a mask may reach; `None` where that lies outside it, or the mask is empty.
fn window(mask: &Mask, to_grid: &Registration, grid: &Grid) -> Option<Window> {
    let points = field::ends(mask)?.map(|p| grid.patient_to_voxel().apply(to_grid.to_fixed(p)).to_array());
    let spacing = grid.spacing_mm();
    let end = |axis: usize, pick: fn(f64, f64) -> f64| points.iter().map(|p| p[axis]).reduce(pick).unwrap_or_default();
    let rim = |axis: usize| (BULGE_MM / spacing[axis]).ceil() as i64 + 1;
    let low: [i64; 3] = std::array::from_fn(|axis| end(axis, f64::min).floor() as i64 - rim(axis));
    let n = |axis: usize| usize::try_from(end(axis, f64::max).ceil() as i64 + rim(axis) - low[axis] + 1).unwrap_or(0);
    Window { low, shape: Shape { ni: n(0), nj: n(1), nk: n(2) } }.within(grid.shape())
}
