//! Apparent diffusion coefficient of a lesion.
//!
//! Definition: mean and distribution of the ADC map's values in the lesion's voxels ([`super::voxels`]). Source: the QIBA profile of
//! diffusion-weighted MRI (Boss et al. 2024, Radiology 313:e233055) asks for the mean of a region, and for percentiles beside it.
//! Edge cases: a map that holds 0 where its scanner computed nothing is read as it is, and the number of such voxels is told; a voxel
//! that holds no number makes the lesion not evaluable. Values are in the map's own unit: few headers state one.

use imaging::intensity::percentiles;
use imaging::{Index3, Volume};
use serde::{Deserialize, Serialize};

use crate::evaluable::Evaluable;

/// Values of an ADC map in a lesion, in the map's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Diffusion {
    /// Number of the map's voxels in the lesion.
    pub n_voxels: usize,
    /// Those of them that are 0 or less: nothing diffuses as little.
    pub n_not_computed: usize,
    /// Mean.
    pub mean: f64,
    /// Smallest value.
    pub min: f64,
    /// 10th percentile.
    pub p10: f64,
    /// Median.
    pub median: f64,
    /// 90th percentile.
    pub p90: f64,
    /// Largest value.
    pub max: f64,
}

/// Mean and distribution of a map over the lesion's voxels in it.
pub fn diffusion(map: &Volume<f32>, voxels: &[Index3]) -> Evaluable<Diffusion> {
    let values: Vec<f32> = voxels.iter().map(|at| *map.at(*at)).collect();
    let n_without = values.iter().filter(|value| !value.is_finite()).count();
    if n_without > 0 {
        let n = values.len();
        return Evaluable::not(format!("{n_without} of the lesion's {n} voxels in the ADC map hold no number"));
    }
    let Some([min, p10, median, p90, max]) =
        percentiles(&values, &[0.0, 10.0, 50.0, 90.0, 100.0]).and_then(|all| <[f64; 5]>::try_from(all).ok())
    else {
        return Evaluable::not("the lesion has no voxel in the ADC map");
    };
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
    let n_not_computed = values.iter().filter(|value| **value <= 0.0).count();
    Evaluable::Value(Diffusion { n_voxels: values.len(), n_not_computed, mean, min, p10, median, p90, max })
}

#[cfg(test)]
mod tests {
    use imaging::{FrameId, Grid, Point, Shape};
    use nalgebra::Matrix3;

    use super::*;

    fn map(values: [f32; 11]) -> Volume<f32> {
        let shape = Shape { ni: 11, nj: 1, nk: 1 };
        let grid =
            Grid::from_directions(shape, Point::new(0.0, 0.0, 0.0), [2.0; 3], Matrix3::identity(), FrameId::new("f"));
        Volume::from_values(values.to_vec(), grid.unwrap()).unwrap()
    }

    fn all(n: usize) -> Vec<Index3> {
        (0..n).map(|i| Index3 { i, j: 0, k: 0 }).collect()
    }

    #[test]
    fn eleven_voxels_by_hand() {
        let found = diffusion(
            &map([900.0, 1000.0, 800.0, 1100.0, 700.0, 1200.0, 600.0, 1300.0, 500.0, 1400.0, 2600.0]),
            &all(11),
        );
        let found = *found.value().unwrap();
        assert_eq!((found.n_voxels, found.n_not_computed), (11, 0));
        assert_eq!([found.min, found.p10, found.median, found.p90, found.max], [500.0, 600.0, 1000.0, 1400.0, 2600.0]);
        assert!((found.mean - 1100.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn what_a_scanner_left_out_is_counted_and_no_number_is_none() {
        let holes = map([0.0, -1.0, 900.0, 900.0, 900.0, 900.0, 900.0, 900.0, 900.0, 900.0, 900.0]);
        assert_eq!(diffusion(&holes, &all(11)).value().unwrap().n_not_computed, 2);
        let none = map([f32::NAN; 11]);
        assert!(diffusion(&none, &all(3)).reason().unwrap().starts_with("3 of the lesion's 3 voxels in the ADC map"));
        assert!(diffusion(&holes, &[]).reason().unwrap().contains("no voxel in the ADC map"));
    }
}
