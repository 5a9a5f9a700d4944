//! Overlay sheets: slices through everything found at one visit, with its outlines, to see at a glance what was segmented.

use std::collections::BTreeSet;

use imaging::{LabelMap, Mask, Shape, Volume, Window};
use oncology::Organ;
use report::{Outline, OutlineRole, Tile, contact_sheet};

use crate::stages::display::{Cut, Display, grey_window, pixels, slice_outlines};
use crate::stages::load::LoadedSeries;
use crate::stages::segment::{Found, Instance, StageError};

/// Slices on a sheet.
const MAX_SLICES: usize = 12;
/// Slices that may be spent on the middles of single lesions and zones; the others are evenly spaced.
const MAX_OWN_SLICES: usize = 6;
/// Tiles beside each other.
const COLUMNS: usize = 4;
/// Surroundings shown beyond what was found, mm.
const RIM_MM: f64 = 20.0;

/// The sheet of one visit as PNG; the whole series where nothing was found. The lowest slice comes first.
pub(crate) fn sheet(series: &LoadedSeries, found: &Found) -> Result<Vec<u8>, StageError> {
    let volume = &series.image;
    let region = region(found, volume);
    let display = Display::of(volume.grid());
    let grey = grey_window(series, &Organ::Liver);
    let tile = |k: usize| {
        let cut =
            Cut { k, first: [region.low[0], region.low[1]], size: [region.shape.ni as i64, region.shape.nj as i64] };
        Tile {
            width: region.shape.ni as u32,
            height: region.shape.nj as u32,
            pixels: pixels(volume, &cut, &display, grey),
            pixel_mm: [volume.grid().spacing_mm()[0], volume.grid().spacing_mm()[1]],
            outlines: outlines(found, volume, &cut, &display),
        }
    };
    let tiles: Vec<Tile> = slices(found, &region).into_iter().map(tile).collect();
    contact_sheet(&tiles, COLUMNS).map_err(|error| StageError::new("report", "overlay", error.to_string()))
}

/// The box round everything found with a rim in the plane, inside the volume.
fn region(found: &Found, volume: &Volume<f32>) -> Window {
    let whole = Window { low: [0; 3], shape: volume.shape() };
    let spacing = volume.grid().spacing_mm();
    let rim = |axis: usize| (RIM_MM / spacing[axis]).ceil() as usize;
    let everything = everything(found);
    let around = Window::around(&everything, [rim(0), rim(1), 0]);
    around.and_then(|window| window.within(volume.shape())).unwrap_or(whole)
}

fn everything(found: &Found) -> Mask {
    let in_maps = found.lesion_map.values().iter().zip(found.zone_map.values()).map(|(a, b)| *a != 0 || *b != 0);
    let values = match &found.organ {
        Some(organ) => in_maps.zip(organ.values()).map(|(labelled, organ)| labelled || *organ).collect(),
        None => in_maps.collect(),
    };
    Mask::from_values(values, found.lesion_map.grid().clone()).expect("all maps of a visit lie on one grid")
}

/// The slices shown: the middle of each of the largest lesions and zones, the rest evenly spaced.
fn slices(found: &Found, region: &Window) -> BTreeSet<usize> {
    let first = region.low[2].max(0) as usize;
    let n_slices = region.shape.nk;
    let mut by_size: Vec<&Instance> = found.lesions.iter().chain(&found.zones).collect();
    by_size.sort_by_key(|instance| std::cmp::Reverse(instance.mask.n_voxels_set()));
    let mut shown = BTreeSet::new();
    for instance in by_size {
        let map =
            if found.lesions.iter().any(|l| std::ptr::eq(l, instance)) { &found.lesion_map } else { &found.zone_map };
        if shown.len() < MAX_OWN_SLICES {
            shown.extend(widest_slice(map, instance.label));
        }
    }
    let n_even = MAX_SLICES.min(n_slices) - shown.len().min(n_slices);
    for n in 0..n_even {
        // The middles of equal shares.
        shown.insert(first + (2 * n + 1) * n_slices / (2 * n_even));
    }
    shown
}

/// The slice with most voxels of a label; the lowest of equals.
fn widest_slice(map: &LabelMap, label: u16) -> Option<usize> {
    let Shape { ni, nj, .. } = map.shape();
    let areas = map.values().chunks(ni * nj).map(|slice| slice.iter().filter(|v| **v == label).count());
    areas.enumerate().max_by_key(|(k, area)| (*area, std::cmp::Reverse(*k))).map(|(k, _)| k)
}

fn outlines(found: &Found, volume: &Volume<f32>, cut: &Cut, display: &Display) -> Vec<Outline> {
    let organ = found.organ.iter().map(|mask| (mask, OutlineRole::Organ));
    let zones = found.zones.iter().map(|zone| (&zone.mask, OutlineRole::Zone));
    let lesions = found.lesions.iter().map(|lesion| (&lesion.mask, OutlineRole::Lesion));
    let of_mask = |(mask, role): (&Mask, OutlineRole)| {
        let closed = slice_outlines(mask, volume.grid(), cut, display);
        closed.into_iter().map(move |points| Outline { role, points })
    };
    organ.chain(zones).chain(lesions).flat_map(of_mask).collect()
}
