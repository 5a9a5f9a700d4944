//! Uptake of a healthy reference: a sphere in the liver or in the blood pool, and the cut-off that stands on it.
//!
//! Definition: liver, a sphere of 3 cm diameter in the right lobe, cut-off 1.5 × mean + 2 SD; blood pool, a sphere of 1 cm in the
//! descending aorta, cut-off 2 × mean + 2 SD (Wahl et al. 2009, PERCIST 1.0, table 1). The sphere lies at the deepest place of the
//! organ's mask, in the liver of its right half. Edge cases: where the sphere has no room in the mask, or in the image, there is no
//! reference; nor where the mask lies in another frame of reference than the PET.

use imaging::{Affine, Grid, Index3, Mask, Point, Shape, Volume, distance, resample};
use serde::{Deserialize, Serialize};

use crate::evaluable::Evaluable;

/// Which organ is the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// The liver's right lobe.
    Liver,
    /// The blood in the descending aorta.
    BloodPool,
}

/// What a reference sphere holds; SUVbw.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReferenceUptake {
    /// The organ.
    pub reference: Reference,
    /// Centre of the sphere, LPS mm.
    pub centre_lps_mm: [f64; 3],
    /// Mean of the voxels whose centres lie inside the sphere.
    pub mean_suv: f64,
    /// Their standard deviation (of a sample).
    pub sd_suv: f64,
    /// The hottest of them.
    pub max_suv: f64,
    /// Their number.
    pub n_voxels: usize,
    /// From this uptake a lesion counts as avid.
    pub cut_off_suv: f64,
}

impl Reference {
    /// Radius of the sphere, mm.
    #[must_use]
    pub fn radius_mm(self) -> f64 {
        match self {
            Self::Liver => 15.0,
            Self::BloodPool => 5.0,
        }
    }

    /// How often the mean is taken.
    fn times_mean(self) -> f64 {
        match self {
            Self::Liver => 1.5,
            Self::BloodPool => 2.0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Liver => "liver",
            Self::BloodPool => "blood pool",
        }
    }

    /// Places the sphere in the organ and measures it; PET in SUVbw, the organ's mask in the same frame of reference.
    pub fn measure(self, pet: &Volume<f32>, organ: &Mask) -> Evaluable<ReferenceUptake> {
        if pet.grid().frame() != organ.grid().frame() {
            return Evaluable::not(format!(
                "the mask of the {} lies in another frame of reference than the PET; register the two first",
                self.name()
            ));
        }
        let on_pet = resample::resample_mask(organ, pet.grid(), &Affine::identity());
        let Some(centre) = self.deepest(&on_pet) else {
            return Evaluable::not(format!(
                "a sphere of {} mm has no room in the mask of the {} within the PET",
                2.0 * self.radius_mm(),
                self.name()
            ));
        };
        self.sphere(pet, centre)
    }

    /// The voxel deepest inside the mask, in the liver of the patient's right half of it; none where the sphere has no room.
    fn deepest(self, organ: &Mask) -> Option<Index3> {
        let grid = organ.grid();
        let (mut sum, mut n) = (0.0, 0_usize);
        for at in organ.indices_set() {
            sum += grid.center(at).to_array()[0];
            n += 1;
        }
        if n == 0 {
            return None;
        }
        let middle = sum / n as f64;
        let depth = distance::distance_to(&organ.map(|inside| !inside)).ok()?;
        let is_right = |at: Index3| self == Self::BloodPool || grid.center(at).to_array()[0] <= middle;
        let (Shape { ni, nj, nk }, [x, y, z]) = (grid.shape(), self.reach(grid));
        let has_room = |at: usize, reach: usize, n: usize| at >= reach && at + reach < n;
        let in_image = |at: Index3| has_room(at.i, x, ni) && has_room(at.j, y, nj) && has_room(at.k, z, nk);
        let mut best: Option<(f64, Index3)> = None;
        for at in organ.indices_set().filter(|at| is_right(*at) && in_image(*at)) {
            let here = *depth.at(at);
            if best.is_none_or(|(most, _)| here > most) {
                best = Some((here, at));
            }
        }
        best.filter(|(most, _)| *most >= self.radius_mm()).map(|(_, at)| at)
    }

    /// Voxels that the sphere's radius spans along each axis.
    fn reach(self, grid: &Grid) -> [usize; 3] {
        grid.spacing_mm().map(|mm| (self.radius_mm() / mm).floor() as usize)
    }

    /// The voxels within the radius of one that is so far from every end of the image.
    fn sphere(self, pet: &Volume<f32>, centre: Index3) -> Evaluable<ReferenceUptake> {
        let grid = pet.grid();
        let middle: Point<imaging::Patient> = grid.center(centre);
        let [x, y, z] = self.reach(grid);
        let mut values = Vec::new();
        let range = |at: usize, reach: usize| at - reach..=at + reach;
        for k in range(centre.k, z) {
            for j in range(centre.j, y) {
                for i in range(centre.i, x) {
                    let at = Index3 { i, j, k };
                    let [a, b] = [grid.center(at).to_array(), middle.to_array()];
                    let squared: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
                    if squared <= self.radius_mm().powi(2) {
                        values.push(f64::from(*pet.at(at)));
                    }
                }
            }
        }
        if values.len() < 2 {
            return Evaluable::not(format!("the sphere in the {} holds {} voxel(s)", self.name(), values.len()));
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        Evaluable::Value(ReferenceUptake {
            reference: self,
            centre_lps_mm: middle.to_array(),
            mean_suv: mean,
            sd_suv: sd,
            max_suv: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            n_voxels: values.len(),
            cut_off_suv: self.times_mean() * mean + 2.0 * sd,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::FrameId;
    use nalgebra::Matrix3;

    fn grid(frame: &str) -> Grid {
        let shape = Shape { ni: 40, nj: 20, nk: 20 };
        let origin = Point::new(-80.0, 3.0, -7.0);
        Grid::from_directions(shape, origin, [4.0, 4.0, 4.0], Matrix3::identity(), FrameId::new(frame)).unwrap()
    }

    /// A liver that is wide on the patient's left and deep on the right: the sphere belongs to the right.
    #[test]
    fn the_livers_sphere_lies_in_its_right_half_and_gives_the_percist_cut_off() {
        let organ = Mask::from_fn(grid("f"), |at| {
            (4..36).contains(&at.i) && (2..18).contains(&at.j) && (2..18).contains(&at.k)
        });
        let pet = Volume::from_fn(grid("f"), |at| {
            if at.i < 20 { if (at.i + at.j + at.k) % 2 == 0 { 1.9 } else { 2.1 } } else { 9.0 }
        });
        let found = Reference::Liver.measure(&pet, &organ);
        let found = found.value().unwrap();
        assert!((found.mean_suv - 2.0).abs() < 0.01 && (found.sd_suv - 0.1).abs() < 0.002, "{found:?}");
        assert!((found.cut_off_suv - (1.5 * found.mean_suv + 2.0 * found.sd_suv)).abs() < 1e-12);
        // Points with whole coordinates within 15 mm of one of them at 4 mm: those of i² + j² + k² ≤ 14 (OEIS A117609).
        assert_eq!(found.n_voxels, 251);
        assert!((found.max_suv - 2.1).abs() < 1e-6);
    }

    /// A liver cut by the image's end is deep there only because nothing is seen beyond: the sphere lies where it is seen whole.
    #[test]
    fn the_sphere_lies_wholly_inside_the_image() {
        let organ = Mask::from_fn(grid("f"), |at| at.i < 36);
        let pet = Volume::from_fn(grid("f"), |at| if at.i < 2 { 50.0 } else { 2.0 });
        let found = Reference::Liver.measure(&pet, &organ);
        let found = found.value().unwrap();
        assert_eq!(found.n_voxels, 251);
        assert!(found.centre_lps_mm[0] >= -80.0 + 12.0, "{found:?}");
    }

    #[test]
    fn a_thin_or_foreign_mask_is_not_evaluable() {
        let pet = Volume::filled(grid("f"), 2.0_f32);
        let thin = Mask::from_fn(grid("f"), |at| at.i < 5 && at.j < 3);
        assert!(Reference::Liver.measure(&pet, &thin).reason().unwrap().contains("30 mm"));
        assert!(Reference::Liver.measure(&pet, &Mask::filled(grid("f"), false)).reason().is_some());
        let foreign = Mask::filled(grid("other"), true);
        assert!(Reference::BloodPool.measure(&pet, &foreign).reason().unwrap().contains("frame of reference"));
    }
}
