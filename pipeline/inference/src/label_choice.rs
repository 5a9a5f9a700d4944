//! From the channels of an answer to one label a voxel.

use ndarray::{Array2, Array3, ArrayView2, ArrayViewMut2, Axis, Zip};

use crate::card::{Activation, Card, CarriedBack, OutputKind};

/// What a probability must reach where labels do not exclude each other; as a logit, 0.
const ONE_HALF: f32 = 0.5;

/// Turns a plane of logits `[channel, y, x]` into probabilities, in place; probabilities and votes stay as they are.
pub(crate) fn activate(plane: &mut Array3<f32>, card: &Card) {
    if card.output.kind != OutputKind::Logits {
        return;
    }
    if card.output.activation == Some(Activation::Sigmoid) {
        plane.mapv_inplace(|v| 1.0 / (1.0 + (-v).exp()));
        return;
    }
    let mut largest = plane.index_axis(Axis(0), 0).to_owned();
    for channel in plane.outer_iter().skip(1) {
        largest.zip_mut_with(&channel, |largest, v| *largest = largest.max(*v));
    }
    let mut sum = Array2::<f32>::zeros(largest.dim());
    for mut channel in plane.outer_iter_mut() {
        Zip::from(&mut channel).and(&largest).and(&mut sum).for_each(|v, largest, sum| {
            *v = (*v - largest).exp();
            *sum += *v;
        });
    }
    for mut channel in plane.outer_iter_mut() {
        channel /= &sum;
    }
}

/// How channels become a label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LabelChoice {
    /// The largest one; of equals the first. Channel c is label c.
    Largest,
    /// The largest one of those that reach a value; channel c is label c + 1, none is background.
    LargestFrom(f32),
    /// Each channel paints its label where it exceeds a value, a later one over an earlier one.
    Painted {
        /// Label of each channel.
        labels: Vec<u16>,
        /// The value.
        above: f32,
    },
}

impl LabelChoice {
    /// The choice a card asks for, among what it carries back.
    pub(crate) fn of(card: &Card) -> Self {
        let before_activation =
            card.output.kind == OutputKind::Logits && card.output.carried_back == CarriedBack::Logits;
        let half = if before_activation { 0.0 } else { ONE_HALF };
        match (&card.output.channel_labels, card.output.activation) {
            (Some(labels), _) => Self::Painted { labels: labels.clone(), above: half },
            (None, Some(Activation::Sigmoid)) => Self::LargestFrom(half),
            (None, _) => Self::Largest,
        }
    }

    /// What the best value so far is before the first channel.
    pub(crate) fn floor(&self) -> f32 {
        match self {
            Self::Largest => f32::NEG_INFINITY,
            Self::LargestFrom(value) => *value,
            Self::Painted { above, .. } => *above,
        }
    }

    /// Takes one more channel into account, in ascending order.
    pub(crate) fn take(
        &self,
        channel: usize,
        values: &ArrayView2<'_, f32>,
        best: &mut Array2<f32>,
        labels: &mut ArrayViewMut2<'_, u16>,
    ) {
        match self {
            Self::Largest => Zip::from(labels).and(best).and(values).for_each(|to, best, value| {
                if *value > *best {
                    (*to, *best) = (channel as u16, *value);
                }
            }),
            Self::LargestFrom(_) => Zip::from(labels).and(best).and(values).for_each(|to, best, value| {
                if *value > *best || (*to == 0 && *value >= *best) {
                    (*to, *best) = (channel as u16 + 1, *value);
                }
            }),
            Self::Painted { labels: painted, above } => Zip::from(labels).and(values).for_each(|to, value| {
                if *value > *above {
                    *to = painted[channel];
                }
            }),
        }
    }

    /// The labels of a plane `[channel, y, x]`.
    pub(crate) fn of_plane(&self, plane: &Array3<f32>) -> Array2<u16> {
        let (_, ny, nx) = plane.dim();
        let mut labels = Array2::zeros((ny, nx));
        let mut best = Array2::from_elem((ny, nx), self.floor());
        for (channel, values) in plane.outer_iter().enumerate() {
            self.take(channel, &values, &mut best, &mut labels.view_mut());
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn card(kind: OutputKind, activation: Activation) -> Card {
        let mut card = Card::parse(include_str!("../../../test_data/models/shifted-0.1.0/card.toml")).unwrap();
        card.output.kind = kind;
        card.output.activation = Some(activation);
        card
    }

    #[test]
    fn softmax_and_sigmoid_of_one_voxel() {
        let logits = || Array3::from_shape_vec((3, 1, 1), vec![0.0, 1.0, 1000.0]).unwrap();
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

    #[test]
    fn regions_are_painted_in_their_order() {
        let mut card = card(OutputKind::Logits, Activation::Sigmoid);
        card.output.channel_labels = Some(vec![2, 1]);
        card.output.carried_back = CarriedBack::Logits;
        let choice = LabelChoice::of(&card);
        // Channel 0 (label 2) in voxels 0, 1, 2; channel 1 (label 1) in 1 and, just not, in 2 and 3.
        let plane = Array3::from_shape_vec((2, 1, 4), vec![3.0, 9.0, 0.1, -1.0, -5.0, 0.1, 0.0, -0.1]).unwrap();
        assert_eq!(choice.of_plane(&plane).into_raw_vec_and_offset().0, [2, 1, 2, 0]);
        card.output.carried_back = CarriedBack::Probabilities;
        assert_eq!(LabelChoice::of(&card), LabelChoice::Painted { labels: vec![2, 1], above: 0.5 });
    }
}
