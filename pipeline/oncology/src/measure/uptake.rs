//! Largest standardised uptake value of a lesion.
//!
//! Definition: SUVmax is the value of the hottest of the lesion's voxels ([`super::voxels`]; criteria conventions §4.2). Edge case: a
//! lesion with a voxel that holds no number is not evaluable.

use imaging::{Index3, Volume};

use super::metabolic_volume::without_number;
use crate::evaluable::Evaluable;

/// SUVmax: the hottest of a lesion's voxels; the PET's values are SUVbw. Not evaluable where one of them holds no number.
pub fn hottest(pet: &Volume<f32>, voxels: &[Index3]) -> Evaluable<f64> {
    let uptake: Vec<f64> = voxels.iter().map(|at| f64::from(*pet.at(*at))).collect();
    match without_number(&uptake) {
        Some(reason) => Evaluable::NotEvaluable(reason),
        None => Evaluable::Value(uptake.into_iter().fold(f64::NEG_INFINITY, f64::max)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::voxels::voxels_of;
    use super::*;
    use imaging::{FrameId, Grid, Mask, Point, Shape};
    use nalgebra::Matrix3;

    fn grid(n: usize, spacing_mm: f64, frame: &str) -> Grid {
        let shape = Shape { ni: n, nj: n, nk: n };
        let origin = Point::new(spacing_mm / 2.0 - 20.0, spacing_mm / 2.0, spacing_mm / 2.0);
        Grid::from_directions(shape, origin, [spacing_mm; 3], Matrix3::identity(), FrameId::new(frame)).unwrap()
    }

    fn suv_max(pet: &Volume<f32>, lesion: &Mask) -> Evaluable<f64> {
        match voxels_of(pet, lesion, "PET") {
            Evaluable::Value(voxels) => hottest(pet, &voxels),
            Evaluable::NotEvaluable(reason) => Evaluable::NotEvaluable(reason),
        }
    }

    #[test]
    fn the_hottest_voxel_outside_the_lesion_does_not_count() {
        let pet = Volume::from_fn(grid(8, 4.0, "f"), |at| (at.i + 10 * at.j) as f32);
        let lesion =
            Mask::from_fn(grid(32, 1.0, "f"), |at| (8..12).contains(&at.i) && (4..8).contains(&at.j) && at.k < 8);
        assert_eq!(suv_max(&pet, &lesion), Evaluable::Value(f64::from(*pet.at(Index3 { i: 2, j: 1, k: 0 }))));
        let elsewhere = Mask::from_fn(grid(32, 1.0, "other"), |_| true);
        assert!(suv_max(&pet, &elsewhere).reason().is_some());
        assert!(suv_max(&pet, &Mask::filled(grid(32, 1.0, "f"), false)).reason().is_some());
    }

    #[test]
    fn of_a_lesion_that_the_pet_holds_in_part_nothing_is_said() {
        let pet = Volume::from_fn(grid(8, 4.0, "f"), |at| at.i as f32);
        // The PET ends at 32 mm along j and k; half of the lesion lies beyond.
        let lesion =
            Mask::from_fn(grid(48, 1.0, "f"), |at| (8..12).contains(&at.i) && (28..36).contains(&at.j) && at.k < 8);
        assert!(suv_max(&pet, &lesion).reason().unwrap().contains("50 % of the lesion lies outside the PET"));
    }

    #[test]
    fn a_lesion_smaller_than_a_voxel_is_the_voxel_it_lies_in() {
        let pet = Volume::from_fn(grid(8, 4.0, "f"), |at| (at.i + 10 * at.j + 100 * at.k) as f32);
        let small = |i: usize| Mask::from_fn(grid(64, 1.0, "f"), move |at| (at.i, at.j, at.k) == (i, 4, 0));
        assert_eq!(suv_max(&pet, &small(12)), Evaluable::Value(f64::from(*pet.at(Index3 { i: 3, j: 1, k: 0 }))));
        assert!(suv_max(&pet, &small(40)).reason().unwrap().contains("field of view"));
    }
}
