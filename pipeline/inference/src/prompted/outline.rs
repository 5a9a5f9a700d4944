//! One lesion outlined: every view by every network at the spacing found, their mean on the image, and how far they agree.

use imaging::{Grid, Mask, Shape, Window};
use ndarray::{Array3, Zip};

use crate::card::Prompting;
use crate::prompted::cube::{Lie, Source, cube};
use crate::prompted::on_image::{Region, covered, joined, on_region};
use crate::prompted::part::{dice, part_at, without_holes};
use crate::prompted::prompt::{Placed, nearest_voxel};
use crate::prompted::search::{Found, HALF, part_in_cube, search};
use crate::prompted::views::{Looks, Seen, mean};
use crate::segmenter::SegmentError;

/// What was found under one prompt.
pub(crate) struct Outline {
    /// Spacing of the cubes, mm.
    pub(crate) spacing_mm: f64,
    /// The image's voxels that any view covers; the arrays below lie there, `[z, y, x]`.
    pub(crate) region: Region,
    /// Mean probability.
    pub(crate) mean: Array3<f32>,
    /// Standard deviation of the probability over networks and views.
    pub(crate) deviation: Array3<f32>,
    /// The lesion, if there is one.
    pub(crate) lesion: Option<Lesion>,
}

/// The lesion under a prompt.
pub(crate) struct Lesion {
    /// Its voxels of the region.
    pub(crate) mask: Mask,
    /// Mean Dice of each network's part in each view and look kept with the lesion.
    pub(crate) agreement: f64,
    /// Whether in some view it reaches an end of the cube at which the image goes on.
    pub(crate) reaches_end_of_cube: bool,
    /// Whether it reaches an end of the image.
    pub(crate) reaches_end_of_image: bool,
    /// Whether a look beside the one that counted confirms its size, or a box states it.
    pub(crate) size_is_confirmed: bool,
    /// Whether the click's own voxel belongs to it.
    pub(crate) under_click: bool,
}

/// Outlines the lesion under a prompt; `oriented` is the grid the source's values lie on.
pub(crate) fn outline(
    source: &Source<'_>,
    oriented: &Grid,
    placed: &Placed,
    prompting: &Prompting,
    looks: &mut Looks<'_>,
) -> Result<Outline, SegmentError> {
    let Found { spacing_mm, shift: middle, looks: kept, size_is_confirmed } = search(source, placed, prompting, looks)?;
    let mut seen = Vec::with_capacity(prompting.views.len() + kept.len());
    let half = (source.side / 2) as i32;
    for view in &prompting.views {
        let shift = std::array::from_fn(|a| (middle[a] + view.shift[a]).clamp(2 - half, half - 3));
        let lie = Lie::of(source, placed.click, spacing_mm, shift);
        let by_network = looks.by_network(&cube(source, placed, &lie, shift), &view.mirror)?;
        seen.push(Seen { lie, shift, by_network });
    }
    let n_views = seen.len();
    seen.extend(kept);
    let region = region_of(&seen, source, placed);
    let means: Vec<Array3<f32>> = seen.iter().map(|seen| mean(&seen.by_network)).collect();
    let mut mean = Array3::<f32>::zeros(shape(&region));
    for (seen, probability) in seen.iter().zip(&means) {
        let map = on_region(probability, &seen.lie, &region);
        Zip::from(&mut mean).and(&map).par_for_each(|sum, p| *sum += p);
    }
    let n_seen = seen.len() as f32;
    mean.par_mapv_inplace(|sum| sum / n_seen);
    let grid = grid_of(&region, oriented)?;
    let click: [f64; 3] = std::array::from_fn(|a| placed.click[a] - region[a].start as f64);
    let part = part_at(&Mask::new(mean.mapv(|p| p > HALF), grid.clone())?, click)?;
    let mask = part.as_ref().map(|part| without_holes(&part.mask)).transpose()?;
    let (deviation, agreement) = spread(&seen, &region, &mean, (mask.as_ref(), &grid, click))?;
    let size = source.size();
    let lesion = match (part, mask) {
        (Some(part), Some(mask)) => Some(Lesion {
            mask,
            agreement,
            reaches_end_of_cube: reaches_end_of_cube(&seen[..n_views], &means, source)?,
            reaches_end_of_image: (0..3)
                .any(|a| part.low[a] + region[a].start == 0 || part.high[a] + region[a].start == size[a] - 1),
            size_is_confirmed,
            under_click: part.under_click,
        }),
        (None, _) | (_, None) => None,
    };
    Ok(Outline { spacing_mm, region, mean, deviation, lesion })
}

/// What any cube covers; where the image's voxels are so large that a view covers none, the click's own.
fn region_of(seen: &[Seen], source: &Source<'_>, placed: &Placed) -> Region {
    let size = source.size();
    joined(seen.iter().map(|seen| covered(&seen.lie, source.side, size))).unwrap_or_else(|| {
        let at = nearest_voxel(placed.click, Shape { ni: size[0], nj: size[1], nk: size[2] });
        [at.i..at.i + 1, at.j..at.j + 1, at.k..at.k + 1]
    })
}

fn shape(region: &Region) -> (usize, usize, usize) {
    (region[2].len(), region[1].len(), region[0].len())
}

fn grid_of(region: &Region, oriented: &Grid) -> Result<Grid, imaging::GridError> {
    let low = std::array::from_fn(|a| region[a].start as i64);
    let shape = Shape { ni: region[0].len(), nj: region[1].len(), nk: region[2].len() };
    Window { low, shape }.grid(oriented)
}

/// The probability's standard deviation over networks and views, and the mean Dice of their parts with the lesion.
fn spread(
    seen: &[Seen],
    region: &Region,
    mean: &Array3<f32>,
    (lesion, grid, click): (Option<&Mask>, &Grid, [f64; 3]),
) -> Result<(Array3<f32>, f64), SegmentError> {
    let mut deviation = Array3::<f32>::zeros(mean.dim());
    let (mut sum, mut n) = (0.0, 0_usize);
    for seen in seen {
        for probability in &seen.by_network {
            let map = on_region(probability, &seen.lie, region);
            Zip::from(&mut deviation).and(&map).and(mean).par_for_each(|sum, p, mean| *sum += (p - mean).powi(2));
            n += 1;
            let Some(lesion) = lesion else { continue };
            let mask = Mask::new(map.mapv(|p| p > HALF), grid.clone())?;
            drop(map);
            sum += part_at(&mask, click)?.map_or(0.0, |part| dice(part.mask.values(), lesion.values()));
        }
    }
    let n_answers = n as f32;
    deviation.par_mapv_inplace(|sum| (sum / n_answers).sqrt());
    Ok((deviation, sum / n as f64))
}

fn reaches_end_of_cube(seen: &[Seen], means: &[Array3<f32>], source: &Source<'_>) -> Result<bool, SegmentError> {
    let (side, size) = (source.side, source.size());
    for (seen, probability) in seen.iter().zip(means) {
        let Some(part) = part_in_cube(probability, seen.shift)? else { continue };
        let cut = |a: usize| {
            let inside = seen.lie.inside(a, side, size[a]);
            (part.low[a] == 0 && inside[0]) || (part.high[a] == side - 1 && inside[side - 1])
        };
        if (0..3).any(cut) {
            return Ok(true);
        }
    }
    Ok(false)
}
