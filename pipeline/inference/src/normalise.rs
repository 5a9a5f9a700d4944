//! Values as a network wants them: the card's `[input.normalisation]`, in place.

use ndarray::parallel::prelude::*;
use ndarray::{Array3, ArrayView3, Axis};

use crate::card::{Normalisation, Over};
use crate::preprocess::PreprocessError;

/// Which voxels of the image are its object, seen as the array that is normalised: needed for [`Over::NonzeroFilled`] alone.
pub(crate) type Object<'a> = Option<ArrayView3<'a, bool>>;

/// Normalises an array `[z, y, x]`.
pub(crate) fn normalise(
    seen: &mut Array3<f32>,
    normalisation: Normalisation,
    object: Object<'_>,
) -> Result<(), PreprocessError> {
    match normalisation {
        Normalisation::None {} => {}
        Normalisation::ClipToRange { clip, to } => {
            let scale = (to[1] - to[0]) / (clip[1] - clip[0]);
            seen.par_mapv_inplace(|v| (v.clamp(clip[0], clip[1]) - clip[0]).mul_add(scale, to[0]));
        }
        Normalisation::ZScore { mean, std, clip } => {
            let [low, high] = clip.unwrap_or([f32::NEG_INFINITY, f32::INFINITY]);
            seen.par_mapv_inplace(|v| (v.clamp(low, high) - mean) / std);
        }
        Normalisation::ZScoreOfImage { over } => z_score_of_image(seen, over, object)?,
        Normalisation::MinMax { to } => {
            let [low, high] = range(seen);
            if low == high {
                return Err(PreprocessError::Constant { value: low, normalisation: "min_max" });
            }
            let scale = (to[1] - to[0]) / (high - low);
            seen.par_mapv_inplace(|v| (v - low).mul_add(scale, to[0]));
        }
    }
    Ok(())
}

fn z_score_of_image(seen: &mut Array3<f32>, over: Over, object: Object<'_>) -> Result<(), PreprocessError> {
    let counts = |value: f32, inside: Option<bool>| match over {
        Over::All => true,
        Over::Nonzero => value != 0.0,
        Over::NonzeroFilled => inside.unwrap_or(true),
    };
    // Sums of planes, added in the order of the planes: the same at any number of threads.
    let sum = |of: &(dyn Fn(f64) -> f64 + Sync)| -> (f64, usize) {
        let of_plane = |z: usize| {
            let inside = object.as_ref().map(|o| o.index_axis(Axis(0), z));
            let mut sum = (0.0, 0_usize);
            for (at, v) in seen.index_axis(Axis(0), z).indexed_iter() {
                if counts(*v, inside.as_ref().map(|o| o[at])) {
                    sum = (sum.0 + of(f64::from(*v)), sum.1 + 1);
                }
            }
            sum
        };
        let planes: Vec<(f64, usize)> = (0..seen.dim().0).into_par_iter().map(of_plane).collect();
        planes.into_iter().fold((0.0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    };
    let (total, n) = sum(&|v| v);
    let mean = total / n.max(1) as f64;
    let variance = sum(&|v| (v - mean).powi(2)).0 / n.max(1) as f64;
    let std = variance.sqrt();
    if std == 0.0 || n == 0 {
        let value = seen.first().copied().unwrap_or_default();
        return Err(PreprocessError::Constant { value, normalisation: "z_score_of_image" });
    }
    seen.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(z, mut plane)| {
        let inside = object.as_ref().map(|o| o.index_axis(Axis(0), z));
        for (at, v) in plane.indexed_iter_mut() {
            if counts(*v, inside.as_ref().map(|o| o[at])) {
                *v = ((f64::from(*v) - mean) / std) as f32;
            }
        }
    });
    Ok(())
}

/// Smallest and largest value.
pub(crate) fn range(seen: &Array3<f32>) -> [f32; 2] {
    let of_plane = |plane: ndarray::ArrayView2<'_, f32>| {
        plane.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], v| [low.min(*v), high.max(*v)])
    };
    let planes: Vec<[f32; 2]> = seen.axis_iter(Axis(0)).into_par_iter().map(of_plane).collect();
    planes.into_iter().fold([f32::INFINITY, f32::NEG_INFINITY], |a, b| [a[0].min(b[0]), a[1].max(b[1])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array;

    fn normalised(values: &[f32], normalisation: Normalisation) -> Result<Vec<f32>, PreprocessError> {
        let mut seen = Array::from_shape_vec((1, 1, values.len()), values.to_vec()).unwrap();
        normalise(&mut seen, normalisation, None)?;
        Ok(seen.into_raw_vec_and_offset().0)
    }

    #[test]
    fn each_normalisation_on_four_values() {
        let values = [-300.0, 0.0, 100.0, 500.0];
        let clip = Normalisation::ClipToRange { clip: [-200.0, 300.0], to: [-1.0, 1.0] };
        let got = normalised(&values, clip).unwrap();
        assert!(got.iter().zip([-1.0, -0.2, 0.2, 1.0]).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?}");
        let z = Normalisation::ZScore { mean: 100.0, std: 50.0, clip: Some([-100.0, 200.0]) };
        assert_eq!(normalised(&values, z).unwrap(), [-4.0, -2.0, 0.0, 2.0]);
        // Mean 75, variance (375² + 75² + 25² + 425²) / 4.
        let std = (327_500.0_f32 / 4.0).sqrt();
        let got = normalised(&values, Normalisation::ZScoreOfImage { over: Over::All }).unwrap();
        assert!((got[3] - 425.0 / std).abs() < 1e-6 && (got[0] + 375.0 / std).abs() < 1e-6);
        let got = normalised(&values, Normalisation::MinMax { to: [0.0, 1.0] }).unwrap();
        assert_eq!(got, [0.0, 0.375, 0.5, 1.0]);
        assert_eq!(normalised(&values, Normalisation::None {}).unwrap(), values);
    }

    #[test]
    fn what_does_not_count_keeps_its_value() {
        // Mean 200 and standard deviation 100 of 100 and 300.
        let over = |over| Normalisation::ZScoreOfImage { over };
        assert_eq!(normalised(&[0.0, 100.0, 300.0, 0.0], over(Over::Nonzero)).unwrap(), [0.0, -1.0, 1.0, 0.0]);
        let mut seen = Array::from_shape_vec((1, 1, 4), vec![0.0, 1.0, 0.0, 5.0]).unwrap();
        let object = Array::from_shape_vec((1, 1, 4), vec![false, true, true, true]).unwrap();
        normalise(&mut seen, over(Over::NonzeroFilled), Some(object.view())).unwrap();
        // Mean 2, variance (1 + 4 + 9) / 3.
        let std = (14.0_f32 / 3.0).sqrt();
        let got = seen.into_raw_vec_and_offset().0;
        assert!(got.iter().zip([0.0, -1.0 / std, -2.0 / std, 3.0 / std]).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn a_constant_image_is_refused_where_its_spread_is_needed() {
        let z_score = |over| Normalisation::ZScoreOfImage { over };
        for normalisation in [Normalisation::MinMax { to: [0.0, 1.0] }, z_score(Over::All), z_score(Over::Nonzero)] {
            let error = normalised(&[7.0, 7.0], normalisation).unwrap_err();
            assert!(matches!(error, PreprocessError::Constant { value: 7.0, .. }));
        }
        assert!(normalised(&[0.0, 0.0], z_score(Over::Nonzero)).is_err());
    }
}
