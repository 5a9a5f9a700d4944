//! MR and PET of a visit, coarser than its CT and on grids of their own.
//!
//! SUVbw = activity concentration × body weight / dose left at the start of the scan (DICOM Decay Correction START).

use imaging::{BqPerMl, Grid, Shape, Volume};
use rayon::prelude::*;

use crate::noise::normal;
use crate::plan::PatientPlan;
use crate::random::{self, between, whole};
use crate::scanner;
use crate::scene::{Content, Scene, finding_of};
use crate::tissue::Looks;
use crate::visit::{Image, Modality, PetInfo, Series};

/// Half-life of fluorine-18, s (as written by scanners).
const F18_HALF_LIFE_S: f64 = 6586.2;
/// Full width at half maximum of the PET's point spread, mm.
const PET_FWHM_MM: f64 = 6.0;
const PET_SPACING_MM: [f64; 3] = [4.0, 4.0, 4.0];
const MR_SPACING_MM: [f64; 3] = [2.0, 2.0, 5.0];
/// Relative noise of the PET, and noise of the MR in its signal.
const PET_NOISE: f32 = 0.03;
const MR_NOISE: f32 = 12.0;

/// Start of a PET after the CT's injection, seconds.
const SCAN_STARTS_S: i64 = 4 * 3600;

/// What is drawn for one PET.
struct PetDraw {
    grid: Grid,
    uptake_s: i64,
    injected_dose_bq: f64,
    /// Uptake of the lesions relative to what is theirs.
    of_lesions: f32,
}

impl PatientPlan {
    /// T1 and T2 weighted MR and FDG PET of visit `n`.
    pub(crate) fn mr_and_pet(&self, n: usize, scene: &Scene<'_>, looks: &Looks) -> Vec<Series> {
        let rng = &mut random::stream(self.seed, &format!("other modalities {n}"));
        let frame = self.visits[n].grid.frame().as_str();
        let middle = scene.pose.middle();
        let mr_grid = scanner::straight_grid(rng, middle, MR_SPACING_MM, frame);
        let content = scene.content(&mr_grid);
        let t1 = self.mr(n, "MR T1 axial", 20, &content, &mr_grid, |code| looks.of(code).t1);
        let t2 = self.mr(n, "MR T2 axial", 21, &content, &mr_grid, |code| looks.of(code).t2);
        let drawn = PetDraw {
            grid: scanner::straight_grid(rng, middle, PET_SPACING_MM, frame),
            uptake_s: whole(rng, 3300, 4000),
            injected_dose_bq: (between(rng, 220.0, 320.0) * 10.0).round() * 1e5,
            of_lesions: 1.0,
        };
        vec![t1, t2, self.pet(n, scene, looks, &drawn)]
    }

    /// FDG PET of visit `n` beside the CT alone; `of_lesions` times what the lesions take up.
    pub(crate) fn pet_alone(&self, n: usize, scene: &Scene<'_>, looks: &Looks, of_lesions: f32) -> Series {
        let rng = &mut random::stream(self.seed, &format!("PET {n}"));
        let frame = self.visits[n].grid.frame().as_str();
        let drawn = PetDraw {
            grid: scanner::straight_grid(rng, scene.pose.middle(), PET_SPACING_MM, frame),
            uptake_s: whole(rng, 3400, 3800),
            injected_dose_bq: (between(rng, 220.0, 320.0) * 10.0).round() * 1e5,
            of_lesions,
        };
        self.pet(n, scene, looks, &drawn)
    }

    fn mr(
        &self,
        n: usize,
        description: &str,
        number: u32,
        content: &Content,
        grid: &Grid,
        signal: impl Fn(u8) -> f32 + Sync,
    ) -> Series {
        let key = random::key(self.seed, &format!("noise {n} {description}"));
        let values = content.codes.par_iter().zip(&content.texture).enumerate().map(|(at, (code, texture))| {
            let clean = signal(*code) * (1.0 + 0.05 * texture);
            // Two channels of noise make a magnitude image (Gudbjartsson and Patz 1995): never negative.
            let (real, imaginary) = (clean + MR_NOISE * normal(key, at as u64), MR_NOISE * normal(!key, at as u64));
            real.hypot(imaginary).round()
        });
        let volume = Volume::from_values(values.collect(), grid.clone()).expect("one value per voxel of the MR");
        Series {
            modality: Modality::Mr,
            description: description.to_owned(),
            phase: None,
            slice_thickness_mm: MR_SPACING_MM[2],
            image: Image::Mr(volume),
            series_uid: random::uid(self.seed, &format!("series {n} {description}")),
            number,
            acquisition: self.clock(n, 3600 + i64::from(number) * 240),
            pet: None,
        }
    }

    fn pet(&self, n: usize, scene: &Scene<'_>, looks: &Looks, drawn: &PetDraw) -> Series {
        let PetDraw { grid, uptake_s, injected_dose_bq, of_lesions } = drawn;
        let (uptake_s, injected_dose_bq) = (*uptake_s, *injected_dose_bq);
        let weight_kg = self.person.weight_kg;
        let dose_left = injected_dose_bq * (-(uptake_s as f64) / F18_HALF_LIFE_S).exp2();
        let suv_per_bq_per_ml = weight_kg * 1000.0 / dose_left;
        let suv = blurred_uptake(scene, looks, grid, *of_lesions);
        let key = random::key(self.seed, &format!("noise {n} PET"));
        let values = suv.iter().enumerate().map(|(at, suv)| {
            let noisy = suv * (1.0 + PET_NOISE * normal(key, at as u64));
            BqPerMl((f64::from(noisy.max(0.0)) / suv_per_bq_per_ml) as f32)
        });
        let volume = Volume::from_values(values.collect(), grid.clone()).expect("one value per voxel of the PET");
        Series {
            modality: Modality::Pt,
            description: "PET FDG AC".to_owned(),
            phase: None,
            slice_thickness_mm: PET_SPACING_MM[2],
            image: Image::Pet(volume),
            series_uid: random::uid(self.seed, &format!("series {n} PET")),
            number: 30,
            acquisition: self.clock(n, SCAN_STARTS_S),
            pet: Some(PetInfo {
                weight_kg,
                injected_dose_bq,
                injection: self.clock(n, SCAN_STARTS_S - uptake_s),
                half_life_s: F18_HALF_LIFE_S,
                decay_correction: "START",
                suv_per_bq_per_ml,
            }),
        }
    }
}

/// Standardised uptake on the PET's grid: painted on a grid twice as fine, spread, averaged.
fn blurred_uptake(scene: &Scene<'_>, looks: &Looks, grid: &Grid, of_lesions: f32) -> Vec<f32> {
    const FACTOR: usize = 2;
    let fine = scanner::finer(grid, FACTOR);
    let factor = |code: u8| if finding_of(code).is_some() { of_lesions } else { 1.0 };
    let uptake = scene.content(&fine).codes.iter().map(|c| looks.of(*c).suv * factor(*c)).collect();
    let sigma = PET_FWHM_MM / (8.0 * std::f64::consts::LN_2).sqrt();
    let blurred = gaussian(uptake, fine.shape(), fine.spacing_mm().map(|s| sigma / s));
    let (shape, fine) = (grid.shape(), fine.shape());
    (0..shape.n_voxels())
        .map(|n| {
            let at = shape.index(n);
            let parts = (0..FACTOR.pow(3)).map(|part| {
                let (i, j, k) = (part % FACTOR, part / FACTOR % FACTOR, part / FACTOR / FACTOR);
                let (i, j, k) = (at.i * FACTOR + i, at.j * FACTOR + j, at.k * FACTOR + k);
                blurred[(k * fine.nj + j) * fine.ni + i]
            });
            parts.sum::<f32>() / FACTOR.pow(3) as f32
        })
        .collect()
}

/// A Gaussian blur along the three axes, `sigma` in voxels; the border repeats.
fn gaussian(mut values: Vec<f32>, shape: Shape, sigma: [f64; 3]) -> Vec<f32> {
    let axes = [(shape.ni, 1), (shape.nj, shape.ni), (shape.nk, shape.ni * shape.nj)];
    for ((n, stride), sigma) in axes.into_iter().zip(sigma) {
        let half = (3.0 * sigma).ceil() as i64;
        let weights: Vec<f32> = (-half..=half).map(|d| (-0.5 * (d as f64 / sigma).powi(2)).exp() as f32).collect();
        let total: f32 = weights.iter().sum();
        let source = values;
        values = (0..source.len())
            .into_par_iter()
            .map(|at| {
                let here = (at / stride % n) as i64;
                let sum: f32 = (-half..=half)
                    .zip(&weights)
                    .map(|(d, w)| {
                        let there = (here + d).clamp(0, n as i64 - 1);
                        w * source[(at as i64 + (there - here) * stride as i64) as usize]
                    })
                    .sum();
                sum / total
            })
            .collect();
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gaussian_keeps_the_sum_and_has_its_width() {
        let shape = Shape { ni: 21, nj: 19, nk: 17 };
        let mut point = vec![0.0_f32; shape.n_voxels()];
        point[(8 * 19 + 9) * 21 + 10] = 1.0;
        let out = gaussian(point, shape, [1.5, 1.2, 0.9]);
        assert!((out.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        let row = |i: usize| out[(8 * 19 + 9) * 21 + i];
        assert!((row(12) / row(10) - (-0.5_f32 * (2.0_f32 / 1.5).powi(2)).exp()).abs() < 1e-4);
    }
}
