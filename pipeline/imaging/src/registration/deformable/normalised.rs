//! An image freed of local brightness and contrast, so that differences can be squared although scanners and phases differ.
//!
//! Source: the local mean and standard deviation of Cachier et al. 2003 (Gaussian-weighted local correlation), with a floor under
//! the standard deviation, so that noise in an even organ is not raised to the height of its vessels.

use crate::registration::blur::{Thinning, convolve, gaussian};
use crate::registration::evaluate::EXCLUDED_SHARE;
use crate::registration::level::Level;
use crate::{Affine, Index3, Patient, Point, Shape};

/// Least weight of a neighbourhood from which its mean is stated; what is emptier lies deep in an exclusion and is not compared.
const MIN_WEIGHT: f32 = 0.01;

/// The level with local mean 0 and local standard deviation towards 1: (v − μ) / √(σ² + floor²), μ and σ over a Gaussian
/// neighbourhood (standard deviation in mm) from which the excluded voxels are left out.
pub(super) fn normalised(level: &Level, excluded: Option<&Level>, window_mm: f64, floor: f32) -> Level {
    let shape = level.shape();
    let map = level.voxel_to_patient();
    let places: Vec<Index3> = (0..shape.n_voxels()).map(|n| shape.index(n)).collect();
    let middle = places.iter().map(|at| f64::from(level.at(*at))).sum::<f64>() / places.len() as f64;
    let values: Vec<f32> = places.iter().map(|at| level.at(*at) - middle as f32).collect();
    let weight: Vec<f32> = places.iter().map(|at| f32::from(u8::from(!is_out(excluded, map, *at)))).collect();
    let around = |v: Vec<f32>| blurred(v, shape, map, window_mm);
    let first = around(values.iter().zip(&weight).map(|(v, w)| v * w).collect());
    let second = around(values.iter().zip(&weight).map(|(v, w)| v * v * w).collect());
    let mass = around(weight);
    let out: Vec<f32> = (0..values.len())
        .map(|n| {
            if mass[n] < MIN_WEIGHT {
                return 0.0;
            }
            let mean = first[n] / mass[n];
            let variance = (second[n] / mass[n] - mean * mean).max(0.0);
            (values[n] - mean) / (variance + floor * floor).sqrt()
        })
        .collect();
    Level::new(&out, shape, *map)
}

fn is_out(excluded: Option<&Level>, map: &Affine<crate::Voxel, Patient>, at: Index3) -> bool {
    let share = |level: &Level| level.value(map.apply(at.center()).coords);
    excluded.and_then(share).is_some_and(|share| share > EXCLUDED_SHARE)
}

fn blurred(values: Vec<f32>, shape: Shape, map: &Affine<crate::Voxel, Patient>, sigma_mm: f64) -> Vec<f32> {
    let n = [shape.ni, shape.nj, shape.nk];
    (0..3).fold(values, |values, a| {
        let spacing = map.linear().column(a).norm();
        convolve(values, n, a, &gaussian((sigma_mm / spacing).powi(2)), Thinning::centered(n[a], 1))
    })
}

/// Whether a point lies in what is excluded.
pub(super) fn excluded_at(excluded: Option<&Level>, p: Point<Patient>) -> bool {
    excluded.and_then(|level| level.value(p.coords)).is_some_and(|share| share > EXCLUDED_SHARE)
}
