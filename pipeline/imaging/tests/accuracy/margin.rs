//! The error of the minimal margin on analytic solids at random poses, tumour and zone on grids of their own.

use super::solid::{Errors, FAMILIES, Family, Solid, direction, minimal_margin, rng, rotation};
use lesiontrace_imaging::margin::verdict::measurement_sigma;
use lesiontrace_imaging::margin::{CAPSULE_EXCLUSION, MarginInput, ablation_margin};
use lesiontrace_imaging::surface::SurfaceMethod;
use lesiontrace_imaging::{Mask, Mm};
use nalgebra::Vector3;
use rand::Rng;
use rayon::prelude::*;

/// In-plane and slice spacing, and the bounds on |bias|, median and 95th percentile, all mm.
const BOUNDS: [([f64; 3], [f64; 3]); 3] =
    [([1.0, 1.0, 1.0], [0.1, 0.15, 0.3]), ([0.8, 0.8, 2.5], [0.15, 0.2, 0.5]), ([0.8, 0.8, 5.0], [0.25, 0.3, 1.0])];

/// Poses per row of the table in verdict.rs.
const N_TABLE: usize = 48;

/// A tumour of 6–14 mm radius and its zone: concentric or off-centre, alike or of another shape, 1–8 mm larger.
fn pair(rng: &mut rand_chacha::ChaCha8Rng, family: Family) -> (Solid, Solid) {
    let radius = rng.random_range(6.0..14.0);
    let mut tumour = Solid::random(rng, family, radius);
    tumour.centre = Vector3::new(31.0, -17.0, 210.0);
    let (rim, off, towards) = (rng.random_range(1.0..8.0), rng.random_range(0.0..4.0), direction(rng));
    let mut zone = tumour.clone();
    match (family, rng.random_bool(0.5)) {
        (Family::Lobulated, true) => {
            zone.layer_mm = rim - off;
            zone.layer_slant_mm = 2.0 * off;
            zone.layer_towards = towards;
        }
        (Family::Lobulated, false) => {
            zone = Solid::random(rng, family, radius + rim + 1.5);
            zone.centre = tumour.centre + towards * off;
        }
        _ => {
            zone.semi_mm = tumour.semi_mm.add_scalar(rim);
            zone.centre = tumour.centre + towards * off;
        }
    }
    (tumour, zone)
}

/// The minimal margin as it is measured from two masks, mm.
pub(crate) fn measured(tumour: &Mask, ablation: &Mask) -> f64 {
    let input =
        MarginInput { tumour, ablation, ablation_to_tumour: None, organ: None, capsule_exclusion: CAPSULE_EXCLUSION };
    ablation_margin(&input).unwrap().distribution.unwrap().min().0
}

fn errors(spacing_mm: [f64; 3], n: usize, seed: u64) -> Errors {
    let error = |m: usize| {
        let mut rng = rng(seed * 10_000 + m as u64);
        let (tumour, zone) = pair(&mut rng, FAMILIES[m % 3]);
        let pose = rotation(&mut rng);
        let mut shift = || Vector3::from_fn(|_, _| rng.random_range(-0.5..0.5));
        let (a, b) = (tumour.mask(spacing_mm, &pose, shift()), zone.mask(spacing_mm, &pose, shift()));
        measured(&a, &b) - minimal_margin(&tumour, &zone)
    };
    Errors((0..n).into_par_iter().map(error).collect())
}

/// Share of errors within 1.96 of the stated standard deviations.
fn coverage(spacing_mm: f64, errors: &Errors) -> f64 {
    let sigma = measurement_sigma(Mm(spacing_mm), SurfaceMethod::SubVoxel).unwrap().0;
    let within = errors.0.iter().filter(|e| e.abs() <= 1.96 * sigma).count();
    within as f64 / errors.0.len() as f64
}

fn print(spacing_mm: [f64; 3], errors: &Errors) {
    println!(
        "{spacing_mm:?} n {} bias {:.3} rms {:.3} median {:.3} p95 {:.3} worst {:.3} sigma {:.3} coverage {:.3}",
        errors.0.len(),
        errors.bias(),
        errors.root_mean_square(),
        errors.size_percentile(50.0),
        errors.size_percentile(95.0),
        errors.size_percentile(100.0),
        errors.size_percentile(95.0) / 1.96,
        coverage(spacing_mm[2], errors)
    );
    for (n, family) in FAMILIES.into_iter().enumerate() {
        let of = Errors(errors.0.iter().skip(n).step_by(3).copied().collect());
        println!("   {family:?}: bias {:.3} p95 {:.3}", of.bias(), of.size_percentile(95.0));
    }
}

#[test]
fn the_minimal_margin_is_unbiased_at_any_slice_spacing() {
    for (spacing_mm, [bias, median, p95]) in BOUNDS {
        let errors = errors(spacing_mm, 12, 1);
        print(spacing_mm, &errors);
        assert!(errors.bias().abs() <= bias, "{spacing_mm:?} bias {}", errors.bias());
        assert!(errors.size_percentile(50.0) <= median, "{spacing_mm:?} median {}", errors.size_percentile(50.0));
        assert!(errors.size_percentile(95.0) <= p95, "{spacing_mm:?} p95 {}", errors.size_percentile(95.0));
        assert!(
            coverage(spacing_mm[2], &errors) >= 0.8,
            "{spacing_mm:?} coverage {}",
            coverage(spacing_mm[2], &errors)
        );
    }
}

#[test]
#[ignore = "the table of verdict.rs: random poses at each spacing; takes minutes"]
fn error_by_spacing() {
    for slice_mm in [1.0, 2.0, 3.0, 5.0] {
        print([0.8, 0.8, slice_mm], &errors([0.8, 0.8, slice_mm], N_TABLE, 7));
    }
}
