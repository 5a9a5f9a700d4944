//! From an image to what the network is shown: orientation, spacing, normalisation, as `models/README.md` states them.

use imaging::{Note, Volume};
use ndarray::Array3;
use rayon::prelude::*;
use thiserror::Error;

use crate::axis_operator::{AxisOperator, carry};
use crate::card::{Card, Input, Normalisation, Resampling};
use crate::model_grid::ModelGrid;

/// An image is doubted when its values span less than this part of the interval the card clips to. Origin: a CT in HU spans
/// several times the interval; one scaled to 0…1 or 0…255 by mistake spans a hundredth, or about half of it.
const SUSPICIOUS_SPAN: f32 = 0.05;

/// Why an image cannot be shown to a network.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PreprocessError {
    /// NaN or infinity among the voxels.
    #[error(
        "{n} voxels of the image are not finite numbers, the first at i {i}, j {j}, k {k}; replace them before (convert from DICOM again, or set them to the value of air)"
    )]
    NotFinite {
        /// How many.
        n: usize,
        /// Column of the first.
        i: usize,
        /// Row of the first.
        j: usize,
        /// Slice of the first.
        k: usize,
    },
    /// Every voxel the same where the card scales by the image's own spread.
    #[error(
        "every voxel of the image has the value {value}, so that the model's normalisation ({normalisation}) is not defined"
    )]
    Constant {
        /// The value.
        value: f32,
        /// The card's normalisation.
        normalisation: &'static str,
    },
}

/// What the network is shown: an array `[z, y, x]` on the model's grid.
pub(crate) fn prepare(
    image: &Volume<f32>,
    model: &ModelGrid,
    card: &Card,
    notes: &mut Vec<Note>,
) -> Result<Array3<f32>, PreprocessError> {
    refuse_non_finite(image)?;
    let mut seen = carry(model.orient(image.data()), &to_model(model, &card.input));
    doubt_unit(&seen, card, notes);
    normalise(&mut seen, card.input.normalisation)?;
    Ok(seen)
}

fn to_model(model: &ModelGrid, input: &Input) -> [AxisOperator; 3] {
    std::array::from_fn(|axis| {
        let ratio = model.ratio()[axis];
        let half_width = match input.resampling {
            Resampling::Linear => 1.0,
            Resampling::LinearAntialiased => ratio.max(1.0),
        };
        AxisOperator::new(model.image_size()[axis], model.size()[axis], ratio, half_width)
    })
}

fn refuse_non_finite(image: &Volume<f32>) -> Result<(), PreprocessError> {
    let values = image.values();
    let n = values.par_iter().filter(|v| !v.is_finite()).count();
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(first) => {
            let at = image.shape().index(first);
            Err(PreprocessError::NotFinite { n, i: at.i, j: at.j, k: at.k })
        }
    }
}

fn doubt_unit(seen: &Array3<f32>, card: &Card, notes: &mut Vec<Note>) {
    let (Normalisation::ClipToRange { clip, .. } | Normalisation::ZScore { clip: Some(clip), .. }) =
        card.input.normalisation
    else {
        return;
    };
    let [low, high] = range(seen);
    if (high.min(clip[1]) - low.max(clip[0])) < SUSPICIOUS_SPAN * (clip[1] - clip[0]) {
        let message = format!(
            "expected values in {} spread over {} to {}, found {low} to {high}: the image may be in another unit or not show what the model knows",
            card.input.unit, clip[0], clip[1]
        );
        notes.push(Note::warning("image_values_outside_model_range", &card.name, message));
    }
}

fn normalise(seen: &mut Array3<f32>, normalisation: Normalisation) -> Result<(), PreprocessError> {
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
        Normalisation::ZScoreOfImage {} => {
            let [low, high] = range(seen);
            if low == high {
                return Err(PreprocessError::Constant { value: low, normalisation: "z_score_of_image" });
            }
            let n = seen.len() as f64;
            let mean = seen.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
            let variance = seen.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
            let std = variance.sqrt();
            seen.par_mapv_inplace(|v| ((f64::from(v) - mean) / std) as f32);
        }
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

/// Smallest and largest value.
fn range(seen: &Array3<f32>) -> [f32; 2] {
    let low = seen.iter().copied().fold(f32::INFINITY, f32::min);
    let high = seen.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    [low, high]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array;

    fn normalised(values: &[f32], normalisation: Normalisation) -> Result<Vec<f32>, PreprocessError> {
        let mut seen = Array::from_shape_vec((1, 1, values.len()), values.to_vec()).unwrap();
        normalise(&mut seen, normalisation)?;
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
        let got = normalised(&values, Normalisation::ZScoreOfImage {}).unwrap();
        assert!((got[3] - 425.0 / std).abs() < 1e-6 && (got[0] + 375.0 / std).abs() < 1e-6);
        let got = normalised(&values, Normalisation::MinMax { to: [0.0, 1.0] }).unwrap();
        assert_eq!(got, [0.0, 0.375, 0.5, 1.0]);
        assert_eq!(normalised(&values, Normalisation::None {}).unwrap(), values);
    }

    #[test]
    fn a_constant_image_is_refused_where_its_spread_is_needed() {
        for normalisation in [Normalisation::MinMax { to: [0.0, 1.0] }, Normalisation::ZScoreOfImage {}] {
            let error = normalised(&[7.0, 7.0], normalisation).unwrap_err();
            assert!(matches!(error, PreprocessError::Constant { value: 7.0, .. }));
        }
    }
}
