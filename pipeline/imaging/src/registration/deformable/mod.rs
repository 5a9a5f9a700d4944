//! Brings two images of one organ together where it has changed its shape, without touching the shape of its lesions.
//!
//! After the affine map a smooth displacement is sought that makes the locally normalised images alike at the least bending,
//! coarse to fine. Tumour and ablation zone take no part in the likeness; the tumour moves as a rigid body. What was found is then
//! proven: how it stretches tissue, what it leaves over, and whether the way back agrees.

mod bending;
mod cells;
mod deformation;
mod foreign;
mod inverse;
mod kept_field;
mod kept_over;
mod lattice;
mod lesion_core;
mod likeness;
mod local_motion;
mod normalised;
mod on_level;
mod proof;
mod solve;
mod step;
mod stiffness;
mod stretch;
#[cfg(test)]
mod tests;

pub use deformation::Deformation;
pub(super) use kept_over::{corners, kept_over};
pub use local_motion::tell_local_motion;
pub use proof::DeformableRegistration;
pub use stretch::Stretch;

use self::lattice::Lattice;
use self::lesion_core::Core;
use self::solve::{Displacement, Search, solve};
use self::step::Exactness;
use super::level::N_LEVELS;
use super::options::{Metric, RegistrationError, RegistrationOptions};
use super::pair::Pair;
use super::prepared::Prepared;
use super::result::Registration;
use crate::{Affine, Mask, Patient, Volume};

/// Distance of the nodes on which the result is kept, mm: fine enough for a rigid tumour in a bending organ.
const KEPT_MM: f64 = 3.0;
/// Levels of the registration made the other way round for comparison: its fine level would cost as much as the result itself.
const N_LEVELS_BACK: usize = N_LEVELS - 1;

/// Finds the map from an affine (or rigid) registration on, and judges it. Same units, masks and determinism as
/// [`super::register_rigid`]. `start` must join the two frames. Refused: mutual information (one modality only).
pub fn register_deformable(
    fixed: &Volume<f32>,
    moving: &Volume<f32>,
    start: &Registration,
    options: &RegistrationOptions<'_>,
) -> Result<DeformableRegistration, RegistrationError> {
    refuse_two_modalities(options)?;
    Pair::new(fixed, moving, options)?.register_deformable(start)
}

impl Pair<'_> {
    /// Finds the map from an affine (or rigid) registration on, and judges it: [`register_deformable`].
    pub fn register_deformable(&self, start: &Registration) -> Result<DeformableRegistration, RegistrationError> {
        refuse_two_modalities(&self.options)?;
        let prepared = Prepared::for_bending(&self.pyramids, &self.options);
        let affine = start.fixed_to_moving()?;
        let cores = cores(self.options.fixed_exclusion)?;
        let search = Search { n_levels: N_LEVELS, exactness: Exactness::FINE, stiffness: None };
        let (found, stiffness) = solve(&prepared, &affine, &cores, search);
        let found = kept(&found, &cores);
        let back = self.back(&prepared, &affine, Some(stiffness))?;
        let deformation = Deformation::of(&found, affine, self.fixed.grid().frame().clone());
        let (fixed, moving) = (&*self.fixed, &*self.moving);
        let known = proof::Evidence { prepared: &prepared, fixed, moving, start, cores: &cores, back: &back };
        proof::prove(&known, deformation)
    }

    /// The map found the other way round, moving to fixed, on the coarser levels; as stiff as the map there, where that is known.
    fn back(
        &self,
        prepared: &Prepared<'_>,
        fixed_to_moving: &Affine<Patient, Patient>,
        stiffness: Option<f64>,
    ) -> Result<Deformation, RegistrationError> {
        let options = &self.options;
        let moving_to_fixed = fixed_to_moving.inverse().ok_or(crate::GridError::Singular)?;
        let region = options.fixed_mask.map(|mask| carried(mask, fixed_to_moving, &self.moving)).transpose()?;
        let turned = RegistrationOptions {
            fixed_clamp: options.moving_clamp,
            moving_clamp: options.fixed_clamp,
            fixed_mask: region.as_ref(),
            moving_mask: None,
            fixed_exclusion: options.moving_exclusion,
            moving_exclusion: options.fixed_exclusion,
            ..*options
        };
        let turned = prepared.turned(&self.pyramids, turned);
        let search = Search { n_levels: N_LEVELS_BACK, exactness: Exactness::FINE, stiffness };
        let (found, _) = solve(&turned, &moving_to_fixed, &[], search);
        Ok(Deformation::of(&found, moving_to_fixed, self.moving.grid().frame().clone()))
    }
}

fn refuse_two_modalities(options: &RegistrationOptions<'_>) -> Result<(), RegistrationError> {
    if options.metric == Metric::NormalizedCorrelation {
        return Ok(());
    }
    let text = "deformable registration compares two images of one modality (normalised correlation)";
    Err(RegistrationError::Options(text.to_owned()))
}

fn cores(lesions: Option<&Mask>) -> Result<Vec<Core>, RegistrationError> {
    let Some(lesions) = lesions else { return Ok(Vec::new()) };
    Core::of(lesions).map_err(|error| RegistrationError::Options(format!("lesions of the fixed image: {error}")))
}

/// The result on its final lattice, the lesions stiff on it.
fn kept(found: &Displacement, cores: &[Core]) -> Displacement {
    let Lattice { origin, spacing_mm, n } = found.lattice;
    let fine = n.map(|n| ((n - 1) as f64 * spacing_mm / KEPT_MM).round() as usize + 1);
    let mut kept = found.on(Lattice { origin, spacing_mm: KEPT_MM, n: fine });
    for core in cores {
        core.stiffen(&mut kept);
    }
    kept
}

/// A mask of the fixed frame stated in the moving frame: its voxels stay, their map changes.
fn carried(mask: &Mask, to_moving: &Affine<Patient, Patient>, moving: &Volume<f32>) -> Result<Mask, crate::GridError> {
    let map = mask.grid().voxel_to_patient().then(to_moving);
    mask.clone().with_grid(crate::Grid::new(mask.shape(), map, moving.grid().frame().clone())?)
}
