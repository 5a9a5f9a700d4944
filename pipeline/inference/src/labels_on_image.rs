//! From planes of a blended answer on the model's grid to labels on the image's, as the planes come in.
//!
//! A plane is kept only while a plane of the image still needs it, so that never all of them stand in memory at once, and the
//! channels at the image's own resolution never at all.

use std::collections::VecDeque;
use std::ops::Range;

use imaging::{Grid, GridError, LabelMap};
use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, ArrayViewMut2, Axis, Zip, s};

use crate::axis_operator::AxisOperator;
use crate::card::{Card, CarriedBack};
use crate::half_precision::{Precision, to_half};
use crate::label_choice::{LabelChoice, activate};
use crate::model_grid::ModelGrid;

/// Takes planes of the answer in, gives labels of the image out.
pub(crate) struct LabelsOnImage<'a> {
    card: &'a Card,
    model: &'a ModelGrid,
    choice: LabelChoice,
    precision: Precision,
    operators: [AxisOperator; 3],
    /// The plane of the answer that stands first in `planes`.
    first: usize,
    planes: VecDeque<Array3<f32>>,
    labels: Array3<u16>,
    n_done: usize,
}

impl<'a> LabelsOnImage<'a> {
    /// For an answer that covers `part` of the model's grid, voxels along x, y, z; beyond it there is background.
    pub(crate) fn new(model: &'a ModelGrid, part: &[Range<usize>; 3], card: &'a Card) -> Self {
        let whole = model.to_image(card.output.carried_back);
        let operators = std::array::from_fn(|axis| {
            if part[axis].len() == model.size()[axis] {
                whole[axis].clone()
            } else {
                whole[axis].of_part(part[axis].clone())
            }
        });
        let [nx, ny, nz] = model.image_size();
        let labels = Array3::zeros((nz, ny, nx));
        let (choice, precision) = (LabelChoice::of(card), Precision::of(card));
        Self { card, model, choice, precision, operators, first: 0, planes: VecDeque::new(), labels, n_done: 0 }
    }

    /// Takes the next planes `[channel, y, x]` of the answer, in ascending order of z.
    pub(crate) fn take(&mut self, planes: Vec<Array3<f32>>) {
        let ready: Vec<Array3<f32>> = planes.into_par_iter().map(|plane| self.to_carry(plane)).collect();
        self.planes.extend(ready);
        let z = &self.operators[2];
        let here = self.first + self.planes.len();
        let end = (self.n_done..z.n_out()).find(|q| z.reach(*q).end > here).unwrap_or(z.n_out());
        let mut labels = std::mem::take(&mut self.labels);
        let mut todo = labels.slice_mut(s![self.n_done..end, .., ..]);
        let n_done = self.n_done;
        todo.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(n, plane)| self.fill(n_done + n, plane));
        self.labels = labels;
        self.n_done = end;
        let needed = (end..z.n_out()).map(|q| z.reach(q)).find(|reach| !reach.is_empty());
        let gone = needed.map_or(self.planes.len(), |reach| reach.start.saturating_sub(self.first));
        self.planes.drain(..gone.min(self.planes.len()));
        self.first = here - self.planes.len();
    }

    /// The labels on the image's own grid.
    pub(crate) fn finish(self, image: &Grid) -> Result<LabelMap, GridError> {
        LabelMap::new(self.model.back(self.labels), image.clone())
    }

    /// What of a plane is carried over to the image: probabilities, logits, or the labels themselves.
    fn to_carry(&self, mut plane: Array3<f32>) -> Array3<f32> {
        match self.card.output.carried_back {
            CarriedBack::Logits => plane,
            CarriedBack::Probabilities => {
                activate(&mut plane, self.card);
                plane
            }
            CarriedBack::Labels => {
                activate(&mut plane, self.card);
                self.choice.of_plane(&plane).mapv(f32::from).insert_axis(Axis(0))
            }
        }
    }

    /// Fills plane `q` of the image.
    fn fill(&self, q: usize, mut labels: ArrayViewMut2<'_, u16>) {
        let [x, y, z] = &self.operators;
        let reach = z.reach(q);
        if reach.is_empty() {
            return;
        }
        let mut best = Array2::from_elem(labels.dim(), self.choice.floor());
        let first = &self.planes[reach.start - self.first];
        for channel in 0..first.dim().0 {
            let mut values = first.index_axis(Axis(0), channel).mapv(|v| v * z.weight(q, 0));
            for t in 1..reach.len() {
                let plane = &self.planes[reach.start + t - self.first];
                values.scaled_add(z.weight(q, t), &plane.index_axis(Axis(0), channel));
            }
            let mut values = y.rows(x.columns(values.view()).view());
            if self.precision == Precision::Half {
                values.mapv_inplace(to_half);
            }
            if self.card.output.carried_back == CarriedBack::Labels {
                Zip::from(&mut labels).and(&values).for_each(|to, value| *to = *value as u16);
            } else {
                self.choice.take(channel, &values.view(), &mut best, &mut labels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{Activation, Convention, Input, OutputKind, Spacing};
    use imaging::{Affine, FrameId, Shape};
    use ndarray::{Array4, array};

    fn card(kind: OutputKind, activation: Activation) -> Card {
        let mut card = Card::parse(include_str!("../../../test_data/models/shifted-0.1.0/card.toml")).unwrap();
        card.output.kind = kind;
        card.output.activation = Some(activation);
        card
    }

    fn grid(shape: Shape, spacing_mm: [f64; 3]) -> Grid {
        let linear = nalgebra::Matrix3::from_diagonal(&nalgebra::Vector3::from(spacing_mm));
        Grid::new(shape, Affine::from_parts(linear, nalgebra::Vector3::zeros()), FrameId::new("f")).unwrap()
    }

    /// The labels of an answer `[channel, z, y, x]`, its planes handed over one by one.
    fn labels(answer: &Array4<f32>, image: &Grid, card: &Card, part: Option<[Range<usize>; 3]>) -> Vec<u16> {
        let model = ModelGrid::over(image, &card.input).unwrap();
        let part = part.unwrap_or_else(|| model.size().map(|n| 0..n));
        let mut on_image = LabelsOnImage::new(&model, &part, card);
        for plane in answer.axis_iter(Axis(1)) {
            on_image.take(vec![plane.to_owned()]);
            assert!(on_image.planes.len() <= 2, "{} planes are kept", on_image.planes.len());
        }
        on_image.finish(image).unwrap().values().to_vec()
    }

    /// A row of two model voxels of 3 mm over six image voxels of 1 mm, along x and along z.
    fn row(n_channels: usize, values: Vec<f32>, card: &Card) -> Vec<u16> {
        let mut card = card.clone();
        card.input = Input { spacing_mm: Spacing::Mm([3.0, 1.0, 1.0]), ..card.input };
        let along_x = Array4::from_shape_vec((n_channels, 1, 1, 2), values.clone()).unwrap();
        let along_x = labels(&along_x, &grid(Shape { ni: 6, nj: 1, nk: 1 }, [1.0; 3]), &card, None);
        card.input.spacing_mm = Spacing::Mm([1.0, 1.0, 3.0]);
        let along_z = Array4::from_shape_vec((n_channels, 2, 1, 1), values).unwrap();
        assert_eq!(labels(&along_z, &grid(Shape { ni: 1, nj: 1, nk: 6 }, [1.0; 3]), &card, None), along_x);
        along_x
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
        let card = card(OutputKind::Probabilities, Activation::Sigmoid);
        // Label 1: 0.5 throughout; label 2: 0.2 to 0.8.
        assert_eq!(row(2, vec![0.5, 0.5, 0.2, 0.8], &card), [1, 1, 1, 2, 2, 2]);
        assert_eq!(row(2, vec![0.49, 0.49, 0.2, 0.3], &card), [0; 6]);
        assert_eq!(row(2, vec![0.4, 0.4, 0.5, 0.5], &card), [2; 6]);
        assert_eq!(row(2, vec![0.5, 0.5, 0.5, 0.5], &card), [1; 6]);
    }

    #[test]
    fn labels_go_back_to_the_nearest_voxels_and_logits_before_their_softmax() {
        let mut card = card(OutputKind::Logits, Activation::Softmax);
        // As logits label 1 falls from +9 to −1 against 0: it is ahead up to 2.7 of the way's 3 voxels from position 1 to 4.
        let logits = || vec![0.0, 0.0, 9.0, -1.0];
        card.output.carried_back = CarriedBack::Logits;
        assert_eq!(row(2, logits(), &card), [1, 1, 1, 1, 0, 0]);
        // As probabilities from 1 to 0.27: ahead up to 2.06.
        card.output.carried_back = CarriedBack::Probabilities;
        assert_eq!(row(2, logits(), &card), [1, 1, 1, 1, 0, 0]);
        card.output.carried_back = CarriedBack::Labels;
        assert_eq!(row(2, logits(), &card), [1, 1, 1, 0, 0, 0]);
    }

    #[test]
    fn beyond_the_part_of_the_grid_there_is_background() {
        let mut card = card(OutputKind::Probabilities, Activation::Softmax);
        card.input.convention = Convention::Monai;
        card.input.spacing_mm = Spacing::Mm([1.0, 1.0, 2.0]);
        // Model voxels at image positions 0, 2, 4, 6; only those at 2 and 4 exist, and both are label 1.
        let image = grid(Shape { ni: 1, nj: 1, nk: 8 }, [1.0; 3]);
        let answer = array![[[[0.1]], [[0.1]]], [[[0.9]], [[0.9]]], [[[0.0]], [[0.0]]]];
        assert_eq!(labels(&answer, &image, &card, Some([0..1, 0..1, 1..3])), [0, 1, 1, 1, 1, 1, 0, 0]);
    }

    #[test]
    fn nothing_is_interpolated_on_the_images_own_grid() {
        let card = card(OutputKind::Probabilities, Activation::Softmax);
        let image = grid(Shape { ni: 2, nj: 2, nk: 1 }, [-1.0, -1.0, 2.0]);
        let answer = array![[[[0.9, 0.1], [0.1, 0.1]]], [[[0.1, 0.9], [0.1, 0.1]]], [[[0.0, 0.0], [0.8, 0.8]]]];
        // x runs against the columns and y against the rows.
        assert_eq!(labels(&answer, &image, &card, None), [2, 2, 1, 0]);
    }
}
