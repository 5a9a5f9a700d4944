//! From a network's blended answer on its own grid to labels on the image's.

use imaging::LabelMap;
use imaging::{Grid, GridError};
use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, Array4, Axis, Zip};

use crate::axis_operator::AxisOperator;
use crate::card::{Activation, Card, OutputKind};
use crate::model_grid::ModelGrid;

/// What a label's probability must reach where labels do not exclude each other.
const SIGMOID_THRESHOLD: f32 = 0.5;

/// Turns logits into probabilities, in place; probabilities and votes stay as they are.
pub(crate) fn activate(answer: &mut Array4<f32>, card: &Card) {
    if card.output.kind != OutputKind::Logits {
        return;
    }
    if card.output.activation == Some(Activation::Sigmoid) {
        answer.par_mapv_inplace(|v| 1.0 / (1.0 + (-v).exp()));
        return;
    }
    answer.axis_iter_mut(Axis(1)).into_par_iter().for_each(|mut slab| {
        for mut voxel in slab.lanes_mut(Axis(0)) {
            let largest = voxel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            voxel.mapv_inplace(|v| (v - largest).exp());
            let sum = voxel.sum();
            voxel.mapv_inplace(|v| v / sum);
        }
    });
}

/// The likeliest label of every voxel of the image: probabilities `[channel, z, y, x]` are interpolated linearly, slab by slab, so
/// that only a few planes of them exist at the image's resolution at any time.
pub(crate) fn onto_image(
    probabilities: &Array4<f32>,
    model: &ModelGrid,
    image: &Grid,
    card: &Card,
) -> Result<LabelMap, GridError> {
    let [x, y, z]: [AxisOperator; 3] = std::array::from_fn(|axis| {
        AxisOperator::new(model.size()[axis], model.image_size()[axis], 1.0 / model.ratio()[axis], 1.0)
    });
    let [nx, ny, nz] = model.image_size();
    let sigmoid = card.output.activation == Some(Activation::Sigmoid);
    let mut labels = Array3::<u16>::zeros((nz, ny, nx));
    labels.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(k, mut slab)| {
        let floor = if sigmoid { SIGMOID_THRESHOLD } else { f32::NEG_INFINITY };
        let mut best = Array2::from_elem((ny, nx), floor);
        for (channel, values) in probabilities.outer_iter().enumerate() {
            let plane = y.rows(x.columns(z.plane(values, k).view()).view());
            let label = channel as u16 + u16::from(sigmoid);
            Zip::from(&mut slab).and(&mut best).and(&plane).for_each(|to, best, value| {
                if *value > *best || (sigmoid && *to == 0 && *value >= *best) {
                    *best = *value;
                    *to = label;
                }
            });
        }
    });
    LabelMap::new(model.back(labels), image.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{Input, Spacing};
    use imaging::{Affine, FrameId, Shape};
    use ndarray::array;

    fn card(kind: OutputKind, activation: Activation) -> Card {
        let mut card = Card::parse(include_str!("../../../test_data/models/shifted-0.1.0/card.toml")).unwrap();
        card.output.kind = kind;
        card.output.activation = Some(activation);
        card
    }

    #[test]
    fn softmax_and_sigmoid_of_one_voxel() {
        let logits = || Array4::from_shape_vec((3, 1, 1, 1), vec![0.0, 1.0, 1000.0]).unwrap();
        let mut answer = logits();
        activate(&mut answer, &card(OutputKind::Logits, Activation::Softmax));
        assert_eq!(answer.into_raw_vec_and_offset().0, [0.0, 0.0, 1.0]);
        let mut answer = logits();
        activate(&mut answer, &card(OutputKind::Logits, Activation::Sigmoid));
        let got = answer.into_raw_vec_and_offset().0;
        assert!(got[0] == 0.5 && (got[1] - 0.731_058_6).abs() < 1e-6 && got[2] == 1.0);
        let mut answer = logits();
        activate(&mut answer, &card(OutputKind::Probabilities, Activation::Softmax));
        assert_eq!(answer, logits());
    }

    /// A row of two model voxels of 3 mm over six image voxels of 1 mm.
    fn row(n_channels: usize, values: Vec<f32>, card: &Card) -> Vec<u16> {
        let linear = nalgebra::Matrix3::identity();
        let shape = Shape { ni: 6, nj: 1, nk: 1 };
        let image =
            Grid::new(shape, Affine::from_parts(linear, nalgebra::Vector3::zeros()), FrameId::new("f")).unwrap();
        let input = Input { spacing_mm: Spacing::Mm([3.0, 1.0, 1.0]), ..card.input.clone() };
        let model = ModelGrid::over(&image, &input).unwrap();
        let answer = Array4::from_shape_vec((n_channels, 1, 1, 2), values).unwrap();
        onto_image(&answer, &model, &image, card).unwrap().values().to_vec()
    }

    #[test]
    fn probabilities_cross_between_voxel_centres_and_ties_go_to_the_lower_label() {
        let card = card(OutputKind::Probabilities, Activation::Softmax);
        // Model centres lie at image positions 1 and 4; label 1 falls from 0.8 to 0.2, crossing 0.5 at 2.5.
        assert_eq!(row(3, vec![0.2, 0.8, 0.8, 0.2, 0.0, 0.0], &card), [1, 1, 1, 0, 0, 0]);
        assert_eq!(row(3, vec![0.4; 6], &card), [0; 6]);
    }

    #[test]
    fn without_exclusion_a_label_needs_one_half() {
        let mut card = card(OutputKind::Probabilities, Activation::Sigmoid);
        card.output.activation = Some(Activation::Sigmoid);
        // Label 1: 0.5 throughout; label 2: 0.2 to 0.8.
        assert_eq!(row(2, vec![0.5, 0.5, 0.2, 0.8], &card), [1, 1, 1, 2, 2, 2]);
        assert_eq!(row(2, vec![0.49, 0.49, 0.2, 0.3], &card), [0; 6]);
        assert_eq!(row(2, vec![0.4, 0.4, 0.5, 0.5], &card), [2; 6]);
        assert_eq!(row(2, vec![0.5, 0.5, 0.5, 0.5], &card), [1; 6]);
    }

    #[test]
    fn nothing_is_interpolated_on_the_images_own_grid() {
        let card = card(OutputKind::Probabilities, Activation::Softmax);
        let linear = nalgebra::Matrix3::from_diagonal(&nalgebra::Vector3::new(-1.0, -1.0, 2.0));
        let shape = Shape { ni: 2, nj: 2, nk: 1 };
        let image =
            Grid::new(shape, Affine::from_parts(linear, nalgebra::Vector3::zeros()), FrameId::new("f")).unwrap();
        let model = ModelGrid::over(&image, &card.input).unwrap();
        let answer = array![[[[0.9, 0.1], [0.1, 0.1]]], [[[0.1, 0.9], [0.1, 0.1]]], [[[0.0, 0.0], [0.8, 0.8]]]];
        // x runs against the columns and y against the rows.
        assert_eq!(onto_image(&answer, &model, &image, &card).unwrap().values(), [2, 2, 1, 0]);
    }
}
