//! How much memory a prompted segmentation takes at most, worked out before it begins.

use imaging::{Grid, Shape};

use crate::card::{ExtentSearch, Patch, Prompting};

/// Bytes of a number in single precision.
const F32: u64 = 4;

/// An upper bound, in bytes, of the arrays alive at once: the image, the labels, whose each voxel is and the uncertainty on its grid;
/// what lies under the largest cube; the cubes of all looks and views by all networks, and those that networks are shown side by side. Not in it: the runtime.
pub(crate) fn bound_bytes(
    image: &Grid,
    patch: &Patch,
    prompting: &Prompting,
    n_networks: usize,
    n_threads: usize,
) -> u64 {
    let Shape { ni, nj, nk } = image.shape();
    let (n, spacing_mm) = ([ni, nj, nk], image.spacing_mm());
    let side = if let Patch::Voxels([side, ..]) = patch { *side } else { 0 };
    // Every cube holds the click, so that all of them lie within a cube's side of it.
    let coarsest = prompting.looks_mm.iter().copied().fold(prompting.spacing_range_mm[1], f64::max);
    let reach_mm = 2.0 * side as f64 * coarsest;
    let reach: [u64; 3] = std::array::from_fn(|a| ((reach_mm / spacing_mm[a]).ceil() as u64 + 2).min(n[a] as u64));
    let region: u64 = reach.iter().product();
    let n_image = image.shape().n_voxels() as u64;
    let on_image = n_image * (F32 + 2 + F32 + F32);
    // Mean and deviation; a view's map before and after it is put in place; masks, parts and numbers of parts.
    let on_region = region * (2 * F32 + 2 * F32 + 10);
    let plane = reach.iter().max().copied().unwrap_or(1).pow(2) * F32;
    let between =
        (side as u64 + n_threads as u64 * 2) * plane + F32 * reach.iter().max().unwrap_or(&1) * (side as u64).pow(2);
    let at_once = n_networks.min(n_threads).max(1) as u64;
    let sizing = prompting.extent.as_ref().map_or(0, |search| sizing_bytes(search, n, spacing_mm, at_once));
    let n_views = (prompting.views.len() + prompting.looks_mm.len()) as u64;
    let cubes = n_views * (n_networks as u64 + 1) + at_once * (4 * Prompting::N_CHANNELS as u64 + 4);
    on_image + (on_region + between).max(sizing) + cubes * (side as u64).pow(3) * F32
}

/// The arrays alive while the extent is looked for, before anything is outlined: a copy of what the widest smoothing reaches, with its
/// values cut; that part carried over along x and y; what the networks are shown and answer, as many as are asked at once.
fn sizing_bytes(search: &ExtentSearch, n: [usize; 3], spacing_mm: [f64; 3], at_once: u64) -> u64 {
    let widest_mm = search.sigmas_mm.last().copied().unwrap_or(0.0) * 6.0_f64.sqrt();
    let reach_mm = 2.0 * (search.radius_mm((search.shells - 1) as f64) + widest_mm);
    let part: u64 = (0..3).map(|a| ((reach_mm / spacing_mm[a]).ceil() as u64 + 4).min(n[a] as u64)).product();
    let [shown, answered] = [search.input_shape().iter().product(), search.output_shape().iter().product::<usize>()];
    let all_answers = (1 + search.networks.len()) * answered;
    2 * part * F32 + ((1 + at_once) * (shown + answered) as u64 + all_answers as u64) * F32
}
