//! Uptake of a healthy reference: a sphere in the liver or in the blood pool, and the cut-off that stands on it.
//!
//! Definition: liver, a sphere of 3 cm diameter in the right lobe, cut-off 1.5 × mean + 2 SD; blood pool, a sphere of 1 cm in the
//! descending aorta, cut-off 2 × mean + 2 SD (Wahl et al. 2009, PERCIST 1.0, table 1: a normal liver, else the blood pool); mean and
//! SD are those of one sphere, which a reader lays where the organ looks normal, not where it is calmest. Here: of the places where
//! the sphere lies whole in the organ's mask (the liver's right half) and in the image, and where its mean is one that a healthy
//! organ may have, the calm ones hold no lesion, as a lesion scatters; of these the one of median SD is taken. The least SD of
//! thousands of spheres would be far below the noise (of 7 voxels by two thirds), and no organ would ever look diseased. Edge cases:
//! no room, no place with such a mean, or a scatter that no healthy organ has give no reference; nor does a mask in another frame of
//! reference.

use imaging::{Affine, Grid, Index3, Mask, Shape, Volume, distance, resample};
use serde::{Deserialize, Serialize};

use crate::evaluable::Evaluable;

/// Means a healthy liver or the blood may have. Origin: wide limits round what is usual an hour after injection, SUVbw 1.5 to 3 in
/// the liver and 1 to 2.5 in the blood; a cyst or necrosis lies below them, a metastasis that fills the sphere above.
const HEALTHY_MEAN_SUV: std::ops::RangeInclusive<f64> = 0.75..=4.0;

/// The greatest SD a healthy organ has in a sphere, as a part of the mean. Origin: above the noise of clinical PETs (5 to 20 %); a
/// metastasis that fills a tenth of the sphere at three times the liver's uptake makes 50 %.
const HEALTHY_SCATTER: f64 = 0.25;

/// Places count as calm up to so many times the SD that a quarter of them does not exceed. Origin: of pure noise in 7 voxels 3 % lie
/// above it, in more voxels fewer; a lesion of three times the organ's uptake is above it with one voxel of the liver's sphere.
const CALM_TIMES: f64 = 2.0;

/// Places that are looked at; of more every second, third and so on. Origin: the sphere in the liver holds 14,000 voxels of 1 mm.
const MOST_PLACES: usize = 20_000;

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
        let places = match self.places(&on_pet) {
            Ok(places) => places,
            Err(error) => return Evaluable::not(format!("the sphere cannot be laid into the PET: {error}")),
        };
        if places.is_empty() {
            return Evaluable::not(format!(
                "a sphere of {} mm has no room in the mask of the {} within the PET",
                2.0 * self.radius_mm(),
                self.name()
            ));
        }
        let sphere = self.sphere(pet.grid());
        let of_healthy = |found: &ReferenceUptake| HEALTHY_MEAN_SUV.contains(&found.mean_suv);
        let found = places.into_iter().filter_map(|place| self.uptake(pet, place, &sphere)).filter(of_healthy);
        match typical_of_calm(found.collect()) {
            Some(found) if found.sd_suv <= HEALTHY_SCATTER * found.mean_suv => Evaluable::Value(found),
            Some(found) => self.diseased(&format!(
                "where it is calm the SD of a sphere is {:.0} % of the mean, at most {:.0} % were expected",
                100.0 * found.sd_suv / found.mean_suv,
                100.0 * HEALTHY_SCATTER
            )),
            None => self.diseased(&format!(
                "no sphere of {} mm in it has a mean of SUV {} to {}",
                2.0 * self.radius_mm(),
                HEALTHY_MEAN_SUV.start(),
                HEALTHY_MEAN_SUV.end()
            )),
        }
    }

    fn diseased(self, why: &str) -> Evaluable<ReferenceUptake> {
        let remedy = match self {
            Self::Liver => "take the blood pool, or a mask of the liver without its lesions",
            Self::BloodPool => "take another mask of the aorta",
        };
        Evaluable::not(format!("the {} does not look healthy ({why}): {remedy}", self.name()))
    }

    /// The voxels round which the sphere has room in the mask and in the image; in the liver those of the patient's right half.
    fn places(self, organ: &Mask) -> Result<Vec<Index3>, distance::DistanceError> {
        let grid = organ.grid();
        let (mut sum, mut n) = (0.0, 0_usize);
        for at in organ.indices_set() {
            sum += grid.center(at).to_array()[0];
            n += 1;
        }
        if n == 0 {
            return Ok(Vec::new());
        }
        let middle = sum / n as f64;
        let outside = organ.map(|inside| !inside);
        let depth = if outside.is_empty_mask() { None } else { Some(distance::distance_to(&outside)?) };
        let is_right = |at: Index3| self == Self::BloodPool || grid.center(at).to_array()[0] <= middle;
        let is_deep = |at: Index3| depth.as_ref().is_none_or(|depth| *depth.at(at) >= self.radius_mm());
        let (Shape { ni, nj, nk }, [x, y, z]) = (grid.shape(), self.reach(grid));
        let has_room = |at: usize, reach: usize, n: usize| at >= reach && at + reach < n;
        let in_image = |at: Index3| has_room(at.i, x, ni) && has_room(at.j, y, nj) && has_room(at.k, z, nk);
        let fits = |at: &Index3| is_right(*at) && in_image(*at) && is_deep(*at);
        let places: Vec<Index3> = organ.indices_set().filter(fits).collect();
        let every = places.len().div_ceil(MOST_PLACES).max(1);
        Ok(places.into_iter().step_by(every).collect())
    }

    /// Voxels that the sphere's radius spans along each axis.
    fn reach(self, grid: &Grid) -> [usize; 3] {
        grid.spacing_mm().map(|mm| (self.radius_mm() / mm).floor() as usize)
    }

    /// Steps from a voxel to those whose centres lie within the radius.
    fn sphere(self, grid: &Grid) -> Vec<[i64; 3]> {
        let rows = grid.voxel_to_patient().to_rows();
        let [x, y, z] = self.reach(grid).map(|reach| reach as i64);
        let mut steps = Vec::new();
        for k in -z..=z {
            for j in -y..=y {
                for i in -x..=x {
                    let mm = |row: &[f64; 4]| row[0] * i as f64 + row[1] * j as f64 + row[2] * k as f64;
                    if rows[..3].iter().map(|row| mm(row).powi(2)).sum::<f64>() <= self.radius_mm().powi(2) {
                        steps.push([i, j, k]);
                    }
                }
            }
        }
        steps
    }

    /// What the sphere holds round a voxel that is so far from every end of the image; none for fewer than two voxels.
    fn uptake(self, pet: &Volume<f32>, centre: Index3, sphere: &[[i64; 3]]) -> Option<ReferenceUptake> {
        let value = |[i, j, k]: &[i64; 3]| {
            let to = |at: usize, step: i64| (at as i64 + step) as usize;
            f64::from(*pet.at(Index3 { i: to(centre.i, *i), j: to(centre.j, *j), k: to(centre.k, *k) }))
        };
        if sphere.len() < 2 {
            return None;
        }
        let n = sphere.len() as f64;
        let mean = sphere.iter().map(value).sum::<f64>() / n;
        let sd = (sphere.iter().map(|step| (value(step) - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        Some(ReferenceUptake {
            reference: self,
            centre_lps_mm: pet.grid().center(centre).to_array(),
            mean_suv: mean,
            sd_suv: sd,
            max_suv: sphere.iter().map(value).fold(f64::NEG_INFINITY, f64::max),
            n_voxels: sphere.len(),
            cut_off_suv: self.times_mean() * mean + 2.0 * sd,
        })
    }
}

/// Of the calm places the one of median SD; of several of that SD the one whose mean is nearest to the calm places' median mean, of
/// those the first.
fn typical_of_calm(mut places: Vec<ReferenceUptake>) -> Option<ReferenceUptake> {
    places.sort_by(|a, b| a.sd_suv.total_cmp(&b.sd_suv));
    let calm_sd = CALM_TIMES * places.get(places.len() / 4)?.sd_suv;
    places.truncate(places.partition_point(|place| place.sd_suv <= calm_sd));
    let mut means: Vec<f64> = places.iter().map(|place| place.mean_suv).collect();
    means.sort_by(f64::total_cmp);
    let (mean, sd) = (means[means.len() / 2], places[places.len() / 2].sd_suv);
    let off = |place: &ReferenceUptake| (place.mean_suv - mean).abs();
    places.into_iter().filter(|place| place.sd_suv.total_cmp(&sd).is_eq()).min_by(|a, b| off(a).total_cmp(&off(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{FrameId, Point};
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

    /// Uptake 2 with noise, and a ball of 9 round a place.
    fn with_metastasis(centre: [f64; 3], radius_mm: f64) -> Volume<f32> {
        Volume::from_fn(grid("f"), |at| {
            let place = [at.i as f64, at.j as f64, at.k as f64];
            let squared: f64 = (0..3).map(|axis| (4.0 * (place[axis] - centre[axis])).powi(2)).sum();
            if squared <= radius_mm.powi(2) {
                9.0
            } else if (at.i + at.j + at.k) % 2 == 0 {
                1.8
            } else {
                2.2
            }
        })
    }

    /// The sphere goes where the liver is calm, whatever lies at its deepest place.
    #[test]
    fn a_metastasis_in_the_liver_does_not_raise_the_cut_off() {
        let liver = Mask::filled(grid("f"), true);
        for radius_mm in [8.0, 18.0] {
            let found = Reference::Liver.measure(&with_metastasis([10.0, 10.0, 10.0], radius_mm), &liver);
            let found = found.value().unwrap();
            // Of the sphere's 251 voxels 19 more are of one colour of the chequer than of the other: 0.2 × 19 / 251.
            assert!((found.mean_suv - 2.0).abs() < 0.016 && (found.sd_suv - 0.2).abs() < 0.01, "{found:?}");
        }
    }

    /// Uptake with noise of a known SD: sums of twelve even numbers of a seeded generator (Knuth's MMIX), nearly normal.
    fn noisy(mean: f64, sd: f64, seed: u64) -> Volume<f32> {
        let mut state = seed;
        let mut even = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        Volume::from_fn(grid("f"), |_| (mean + sd * ((0..12).map(|_| even()).sum::<f64>() - 6.0)) as f32)
    }

    /// A liver and an aorta, with a sphere of 251 and of 7 voxels.
    fn organs() -> [(Reference, Mask, usize); 2] {
        let in_aorta = |at: Index3| (at.i as f64 - 20.0).powi(2) + (at.j as f64 - 10.0).powi(2) <= 3.5_f64.powi(2);
        let aorta = Mask::from_fn(grid("f"), in_aorta);
        [(Reference::Liver, Mask::filled(grid("f"), true), 251), (Reference::BloodPool, aorta, 7)]
    }

    /// The SD belongs to the cut-off: the calmest of all spheres would say 0.06 in the aorta, where the noise is 0.2.
    #[test]
    fn the_sd_is_the_noises_in_the_liver_and_in_the_aorta() {
        for (reference, mask, n_voxels) in organs() {
            for seed in 1..=5 {
                let found = reference.measure(&noisy(2.0, 0.2, seed), &mask);
                let found = found.value().unwrap();
                assert_eq!(found.n_voxels, n_voxels);
                assert!((found.sd_suv / 0.2 - 1.0).abs() < 0.15, "seed {seed}: {found:?}");
                // Three standard errors.
                assert!((found.mean_suv - 2.0).abs() < 0.6 / (n_voxels as f64).sqrt(), "seed {seed}: {found:?}");
            }
        }
    }

    /// A noise of 40 % is no healthy organ's; in the calmest of the aorta's spheres it is below 25 %.
    #[test]
    fn noise_that_no_healthy_organ_has_is_refused_in_small_spheres_too() {
        for (reference, mask, _) in organs() {
            let found = reference.measure(&noisy(2.0, 0.8, 7), &mask);
            assert!(found.reason().is_some_and(|why| why.contains("% of the mean")), "{found:?}");
        }
    }

    #[test]
    fn a_diseased_liver_is_no_reference_and_the_blood_pool_is_named() {
        let narrow = Mask::from_fn(grid("f"), |at| (5..15).contains(&at.i));
        let everywhere = |at: Index3| if at.i % 4 < 2 { 9.0 } else { 2.0 };
        let cases = [
            (Volume::from_fn(grid("f"), everywhere), "SUV 0.75 to 4"),
            (Volume::filled(grid("f"), 9.0), "SUV 0.75 to 4"),
        ];
        for (pet, why) in cases {
            let found = Reference::Liver.measure(&pet, &narrow);
            let reason = found.reason().unwrap();
            assert!(reason.contains(why) && reason.contains("take the blood pool"), "{reason}");
        }
        let striped = Volume::from_fn(grid("f"), |at| if at.i % 4 < 2 { 3.0 } else { 1.0 });
        let reason = Reference::Liver.measure(&striped, &narrow).reason().unwrap().to_owned();
        assert!(reason.contains("% of the mean") && reason.contains("take the blood pool"), "{reason}");
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
