//! Small volumes of every visit for the viewer of a patient's page: visits whose registration holds on one grid in baseline's frame,
//! so that one place is one voxel in all of them; any other visit on a grid of its own.
//!
//! The grids follow the patient's axes. Each image is smoothed where the grid is coarser than it and then resampled once. The voxels
//! are the finest of a ladder with which all volumes of a page stay within [`BUDGET_BYTES`]: six visits of a synthetic liver came out
//! at 1.6 x 1.6 x 2.5 mm with 9.9 MB, twelve would at 2.4 mm.

use imaging::registration::{Quality, Registration, warp_image};
use imaging::{Grid, GridError, Interpolation, Volume, intensity};
use report::ViewerVolume;

use crate::plan::PatientPlan;
use crate::stages::find::VisitFacts;
use crate::stages::load::{LoadedSeries, load};
use crate::stages::segment::StageError;
use field::Field;
use grey::Scale;

mod field;
mod grey;
mod outlined;

/// Bytes that the volumes of one page take in it at most, base64 and all.
pub(crate) const BUDGET_BYTES: usize = 12_000_000;
/// Memory the volumes of a patient and the page around them need at most while they are made, besides images: the volumes as numbers
/// and packed, the page with its library in three copies.
pub(crate) const MEMORY_BYTES: u64 = 384 << 20;
/// Voxels are not made finer than this, mm.
const FINEST_MM: f64 = 1.0;
/// Each rung of the ladder is coarser by this.
const RUNG: f64 = 1.25;
/// Rungs before it is given up: voxels of 44 mm, of which a thousand visits of a whole body would fit.
const RUNGS: usize = 18;
/// Compressed, a voxel of a CT takes no less than this many bytes: what is sure not to fit is not tried.
const LEAST_BYTES: f64 = 0.25;

/// Reads the images of all visits once more and makes their volumes.
pub(crate) fn volumes(patient: &PatientPlan, visits: &[VisitFacts]) -> Result<Vec<ViewerVolume>, StageError> {
    within(BUDGET_BYTES, visits, &|n| load(&patient.visits[n].measure, &mut Vec::new()))
}

/// How a visit's image comes.
type Images<'a> = &'a dyn Fn(usize) -> Result<LoadedSeries, StageError>;

fn within(budget: usize, visits: &[VisitFacts], images: Images<'_>) -> Result<Vec<ViewerVolume>, StageError> {
    let Some(baseline) = visits.first() else { return Ok(Vec::new()) };
    let common = Field::of_linked(visits);
    let first = images(0)?;
    let rungs = std::iter::successors(Some(FINEST_MM), |mm| Some(mm * RUNG)).take(RUNGS);
    for voxel_mm in rungs {
        let grids = visits.iter().map(|visit| match visit.not_evaluable() {
            None => common.grid(voxel_mm, &baseline.measured.grid),
            Some(_) => Field::of_own(visit).grid(voxel_mm, &visit.measured.grid),
        });
        let grids: Vec<Grid> = grids.collect::<Result<_, _>>().map_err(|error| no_grid(&error))?;
        let n_voxels: usize = grids.iter().map(|grid| grid.shape().n_voxels()).sum();
        if LEAST_BYTES * n_voxels as f64 > budget as f64 {
            continue;
        }
        if let Some(volumes) = on_grids(budget, visits, &grids, (&first, images))? {
            return Ok(volumes);
        }
    }
    Err(StageError::new("report", "viewer", format!("{} visits do not fit into {budget} bytes", visits.len())))
}

/// Volumes on these grids; `None` as soon as it shows that all of them would not fit.
fn on_grids(
    budget: usize,
    visits: &[VisitFacts],
    grids: &[Grid],
    (first, images): (&LoadedSeries, Images<'_>),
) -> Result<Option<Vec<ViewerVolume>>, StageError> {
    let mut volumes = Vec::with_capacity(visits.len());
    let mut n_bytes = 0;
    for (n, (visit, grid)) in visits.iter().zip(grids).enumerate() {
        let volume = match n {
            0 => volume(visit, first, grid)?,
            _ => volume(visit, &images(n)?, grid)?,
        };
        n_bytes += in_base64(&volume.image) + in_base64(&volume.outlined);
        // The visits still to come are taken for as large as those before.
        if n_bytes * visits.len() > budget * (n + 1) {
            return Ok(None);
        }
        volumes.push(volume);
    }
    Ok(Some(volumes))
}

fn in_base64(bytes: &[u8]) -> usize {
    bytes.len().div_ceil(3) * 4
}

fn no_grid(error: &GridError) -> StageError {
    StageError::new("report", "viewer", error.to_string())
}

/// One visit on a grid of baseline's frame, or where it is not linked, of its own.
fn volume(visit: &VisitFacts, series: &LoadedSeries, grid: &Grid) -> Result<ViewerVolume, StageError> {
    let own = Registration::identity_same_frame(series.image.grid().frame().clone());
    let not_linked = visit.not_evaluable();
    let to_grid = if not_linked.is_some() { &own } else { &visit.to_baseline };
    let image = shown(to_grid, series, grid).map_err(|error| no_grid(&error))?;
    let scale = Scale::of(series.unit, image.values());
    let (outlined, labels) = outlined::outlined(visit, to_grid, grid).map_err(|error| no_grid(&error))?;
    let packed = |volume: &Volume<i16>, slope: f32| {
        let bytes = formats::nifti::packed_integers(volume, slope);
        bytes.map_err(|error| StageError::new("report", "viewer", error.to_string()))
    };
    Ok(ViewerVolume {
        visit: visit.id,
        link_in_doubt: if not_linked.is_none() { in_doubt(&visit.to_baseline) } else { String::new() },
        not_linked: not_linked.unwrap_or_default(),
        role: series.role.clone(),
        unit: series.unit.to_owned(),
        spacing_mm: grid.spacing_mm(),
        window: scale.window,
        image: packed(&image.map(|value| scale.stored(*value)), scale.step)?,
        outlined: packed(&outlined, 1.0)?,
        labels,
    })
}

/// Why a map that carries a visit is to be doubted; nothing where it passed.
fn in_doubt(map: &Registration) -> String {
    if map.quality == Quality::Review { map.reasons.join("; ") } else { String::new() }
}

/// The image on a grid. What is finer in it than the grid is smoothed away before, so that noise does not fold into the picture.
fn shown(to_grid: &Registration, series: &LoadedSeries, grid: &Grid) -> Result<Volume<f32>, GridError> {
    let spacing = grid.spacing_mm();
    let of_image = series.image.grid();
    let sigma: [f64; 3] = std::array::from_fn(|axis| {
        let ratio = spacing[field::patient_axis(of_image, axis)] / of_image.spacing_mm()[axis];
        // Half a new voxel, as in the pyramids of the registration.
        if ratio < 1.5 { 0.0 } else { 0.5 * ratio }
    });
    let outside = grey::outside(series.unit);
    if sigma == [0.0; 3] {
        return warp_image(to_grid, &series.image, grid, Interpolation::Linear, outside);
    }
    warp_image(to_grid, &intensity::smooth_voxels(&series.image, sigma), grid, Interpolation::Linear, outside)
}

#[cfg(test)]
pub(super) mod tests;
