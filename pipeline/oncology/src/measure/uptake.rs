//! Largest standardised uptake value of a lesion.
//!
//! Definition: SUVmax is the value of the hottest voxel of the lesion (criteria conventions §4.2). Edge cases: a lesion outside
//! the field of view, or so small that no voxel centre of the PET lies inside it, is not evaluable.

use imaging::{Affine, Mask, Volume, resample};

use crate::evaluable::Evaluable;

/// SUVmax of a lesion outlined in another image of the same frame of reference; the PET's values are SUVbw.
pub fn suv_max(pet: &Volume<f32>, lesion: &Mask) -> Evaluable<f64> {
    if pet.grid().frame() != lesion.grid().frame() {
        return Evaluable::not(
            "the PET lies in another frame of reference than the lesion's outline; register the two first",
        );
    }
    let on_pet = resample::resample_mask(lesion, pet.grid(), &Affine::identity());
    let values = on_pet.values().iter().zip(pet.values()).filter(|(inside, _)| **inside).map(|(_, v)| f64::from(*v));
    match values.reduce(f64::max) {
        Some(max) => Evaluable::Value(max),
        None => Evaluable::not(
            "no voxel of the PET lies inside the lesion: outside the field of view, or smaller than a voxel",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{FrameId, Grid, Index3, Point, Shape};
    use nalgebra::Matrix3;

    fn grid(n: usize, spacing_mm: f64, frame: &str) -> Grid {
        let shape = Shape { ni: n, nj: n, nk: n };
        let origin = Point::new(spacing_mm / 2.0 - 20.0, spacing_mm / 2.0, spacing_mm / 2.0);
        Grid::from_directions(shape, origin, [spacing_mm; 3], Matrix3::identity(), FrameId::new(frame)).unwrap()
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
}
