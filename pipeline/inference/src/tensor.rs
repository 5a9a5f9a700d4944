//! Windows as tensors with the card's axes, and answers back as `[channel, z, y, x]`.

use ndarray::{Array4, ArrayD, ArrayView4, Axis, IxDyn};

use crate::card::{Axes, Card, OutputKind};
use crate::sliding_window::WindowError;

/// Which window is meant: its number, from 1, and how many there are.
pub(crate) type Nth = (usize, usize);

/// A window `[channel, z, y, x]` as a tensor with the card's axes, in standard layout.
pub(crate) fn to_card_axes(shown: &ArrayView4<'_, f32>, axes: &Axes) -> ArrayD<f32> {
    let mut tensor = shown.view().insert_axis(Axis(0)).into_dyn();
    let mut order = String::from("nczyx");
    if let Some(across) = axes.across_slices() {
        let letter = ['x', 'y', 'z'][across];
        let at = order.find(letter).expect("x, y and z are in the order");
        tensor = tensor.index_axis_move(Axis(at), 0);
        order.remove(at);
    }
    let from: Vec<usize> = axes.as_str().chars().filter_map(|axis| order.find(axis)).collect();
    let tensor = tensor.permuted_axes(from);
    tensor.as_standard_layout().into_owned()
}

/// The network's answer as `[channel, z, y, x]`; labels become one vote each.
pub(crate) fn from_card_axes(
    answer: ArrayD<f32>,
    card: &Card,
    patch: [usize; 3],
    nth: Nth,
) -> Result<Array4<f32>, WindowError> {
    let axes = &card.output.axes;
    let labels = card.output.kind == OutputKind::Labels;
    let size = |axis: char| match axis {
        'n' => 1,
        'c' => card.n_channels(),
        'z' => patch[2],
        'y' => patch[1],
        _ => patch[0],
    };
    let expected: Vec<usize> = axes.as_str().chars().map(size).collect();
    if answer.shape() != expected {
        let found = answer.shape().to_vec();
        return Err(WindowError::OutputShape { expected, found, axes: axes.to_string() });
    }
    if let Some(value) = first_non_finite(&answer) {
        return Err(WindowError::OutputValue { value, expected: "a finite number", n: nth.0, of: nth.1 });
    }
    let from: Vec<usize> = "nczyx".chars().filter_map(|axis| axes.position(axis)).collect();
    let ordered = answer.permuted_axes(from);
    let ordered = if ordered.is_standard_layout() { ordered } else { ordered.as_standard_layout().into_owned() };
    let n_channels = if labels { 1 } else { card.n_channels() };
    let shape = IxDyn(&[n_channels, patch[2], patch[1], patch[0]]);
    let ordered = ordered
        .into_shape_with_order(shape)
        .and_then(ArrayD::into_dimensionality::<ndarray::Ix4>)
        .expect("the shape was compared with the card's above");
    if labels { votes(&ordered, card.n_channels(), nth) } else { Ok(ordered) }
}

/// The first value that is not finite.
fn first_non_finite(answer: &ArrayD<f32>) -> Option<f32> {
    // Without a way out of the loop the whole answer is looked at in wide registers.
    let any = answer.as_slice_memory_order().is_none_or(|v| v.iter().fold(false, |any, v| any | !v.is_finite()));
    if any { answer.iter().copied().find(|v| !v.is_finite()) } else { None }
}

fn votes(labels: &Array4<f32>, n_labels: usize, (n, of): Nth) -> Result<Array4<f32>, WindowError> {
    let (_, nz, ny, nx) = labels.dim();
    let mut votes = Array4::zeros((n_labels, nz, ny, nx));
    for ((_, z, y, x), value) in labels.indexed_iter() {
        if value.fract() != 0.0 || *value < 0.0 || *value >= n_labels as f32 {
            return Err(WindowError::OutputValue { value: *value, expected: "a label of the card", n, of });
        }
        votes[[*value as usize, z, y, x]] = 1.0;
    }
    Ok(votes)
}
