//! A network shown a volume window by window, its overlapping answers blended with a Gaussian weight.
//!
//! After F. Isensee et al., "nnU-Net", Nature Methods 18 (2021), supplementary note on inference: windows overlap, and the centre
//! of a window counts more than its border, σ being an eighth of the window.

use std::ops::ControlFlow;

use ndarray::{Array1, Array3, Array4, ArrayD, Axis, IxDyn, s};
use thiserror::Error;

use crate::card::{Axes, Card, OutputKind, Patch};
use crate::network::{Network, NetworkError};

/// The Gaussian's σ as a fraction of the window.
const SIGMA_FRACTION: f64 = 1.0 / 8.0;

/// Why the windows gave no result.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum WindowError {
    /// The network failed on a window.
    #[error("the network failed on window {n} of {of}: {source}")]
    Network {
        /// Which window, from 1.
        n: usize,
        /// How many there are.
        of: usize,
        /// What it said.
        source: NetworkError,
    },
    /// The answer has another shape than the card says.
    #[error(
        "the card promises an output of shape {expected:?} (axes {axes}), the network answered {found:?}; correct the card's labels, patch or axes"
    )]
    OutputShape {
        /// Shape by the card.
        expected: Vec<usize>,
        /// Shape of the answer.
        found: Vec<usize>,
        /// The card's output axes.
        axes: String,
    },
    /// NaN, infinity, or a label the card does not name.
    #[error(
        "the network answered {value} in window {n} of {of}, where {expected} was expected; the model is not used further"
    )]
    OutputValue {
        /// The value.
        value: f32,
        /// What would have been right.
        expected: &'static str,
        /// Which window, from 1.
        n: usize,
        /// How many there are.
        of: usize,
    },
    /// The caller asked to stop.
    #[error("stopped after {done} of {of} windows, as asked")]
    Stopped {
        /// Windows done.
        done: usize,
        /// How many there are.
        of: usize,
    },
}

/// Where the windows lie, all in the order x, y, z.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    /// Voxels of the volume.
    pub size: [usize; 3],
    /// Voxels of a window.
    pub patch: [usize; 3],
    /// Padding before the volume.
    pub before: [usize; 3],
    /// Where windows start, counted in the padded volume.
    pub starts: [Vec<usize>; 3],
}

impl Windows {
    /// The windows of a card over a volume of `size` voxels.
    pub fn over(size: [usize; 3], card: &Card) -> Self {
        let input = &card.input;
        let patch = match input.patch {
            Patch::Voxels(patch) => patch,
            Patch::WholeImage(_) => {
                let mut whole = std::array::from_fn(|axis| size[axis].next_multiple_of(input.divisible_by[axis]));
                if card.is_of_slices() {
                    whole[2] = 1;
                }
                whole
            }
        };
        let before = std::array::from_fn(|axis| patch[axis].saturating_sub(size[axis]) / 2);
        let starts = std::array::from_fn(|axis| starts(size[axis].max(patch[axis]), patch[axis], input.step_fraction));
        Self { size, patch, before, starts }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.starts.iter().map(Vec::len).product()
    }

    /// Their first voxels in the padded volume, x fastest, z slowest.
    pub fn iter(&self) -> impl Iterator<Item = [usize; 3]> + '_ {
        let [xs, ys, zs] = &self.starts;
        zs.iter().flat_map(move |z| ys.iter().flat_map(move |y| xs.iter().map(move |x| [*x, *y, *z])))
    }
}

/// Evenly spaced starts along one axis, no further apart than `step_fraction` of the window, the last one ending with the volume.
fn starts(size: usize, patch: usize, step_fraction: f64) -> Vec<usize> {
    let furthest = size - patch;
    let step = ((patch as f64 * step_fraction).floor() as usize).max(1);
    let n = furthest.div_ceil(step);
    (0..=n).map(|w| if n == 0 { 0 } else { (2 * furthest * w + n) / (2 * n) }).collect()
}

/// The network's blended answer `[channel, z, y, x]` for a volume `[z, y, x]`.
///
/// `watch` is told (windows done, windows in all) before each window and may stop the work.
pub(crate) fn blend(
    volume: &Array3<f32>,
    windows: &Windows,
    card: &Card,
    network: &dyn Network,
    watch: &dyn Fn(usize, usize) -> ControlFlow<()>,
) -> Result<Array4<f32>, WindowError> {
    let of = windows.count();
    let (nz, ny, nx) = volume.dim();
    let mut sum = Array4::<f32>::zeros((card.n_channels(), nz, ny, nx));
    let mut weight_sum = Array3::<f32>::zeros((nz, ny, nx));
    let gaussian: [Array1<f32>; 3] =
        std::array::from_fn(|axis| importance(windows.patch[axis], windows.starts[axis].len()));
    for (n, start) in windows.iter().enumerate() {
        if watch(n, of).is_break() {
            return Err(WindowError::Stopped { done: n, of });
        }
        let shown = cut(volume, windows, start, card.input.padding_value);
        let answer = network.run(to_card_axes(shown, &card.input.axes)).map_err(|source| WindowError::Network {
            n: n + 1,
            of,
            source,
        })?;
        let answer = from_card_axes(answer, card, windows.patch, (n + 1, of))?;
        add(&mut sum, &mut weight_sum, &answer, windows, start, &gaussian);
    }
    for mut channel in sum.axis_iter_mut(Axis(0)) {
        channel /= &weight_sum;
    }
    Ok(sum)
}

/// The weight along one axis; 1 throughout where there is only one window.
fn importance(patch: usize, n_windows: usize) -> Array1<f32> {
    if n_windows == 1 {
        return Array1::ones(patch);
    }
    let centre = (patch - 1) as f64 / 2.0;
    let sigma = patch as f64 * SIGMA_FRACTION;
    Array1::from_shape_fn(patch, |at| (-0.5 * ((at as f64 - centre) / sigma).powi(2)).exp() as f32)
}

/// For one axis: where the window's part inside the volume begins in the window and in the volume, and its length.
fn overlap(windows: &Windows, start: [usize; 3], axis: usize) -> (usize, usize, usize) {
    let (before, size, patch) = (windows.before[axis], windows.size[axis], windows.patch[axis]);
    let in_window = before.saturating_sub(start[axis]);
    let in_volume = start[axis].saturating_sub(before);
    (in_window, in_volume, (patch - in_window).min(size - in_volume))
}

fn cut(volume: &Array3<f32>, windows: &Windows, start: [usize; 3], padding: f32) -> Array3<f32> {
    let [px, py, pz] = windows.patch;
    let [(wx, vx, nx), (wy, vy, ny), (wz, vz, nz)] = [0, 1, 2].map(|axis| overlap(windows, start, axis));
    let mut shown = Array3::from_elem((pz, py, px), padding);
    shown.slice_mut(s![wz..wz + nz, wy..wy + ny, wx..wx + nx]).assign(&volume.slice(s![
        vz..vz + nz,
        vy..vy + ny,
        vx..vx + nx
    ]));
    shown
}

/// `[z, y, x]` as a tensor with the card's axes, in standard layout.
fn to_card_axes(shown: Array3<f32>, axes: &Axes) -> ArrayD<f32> {
    let mut tensor = shown.insert_axis(Axis(0)).insert_axis(Axis(0)).into_dyn();
    let mut order = String::from("nczyx");
    if !axes.has('z') {
        tensor = tensor.index_axis_move(Axis(2), 0);
        order.remove(2);
    }
    let from: Vec<usize> = axes.as_str().chars().filter_map(|axis| order.find(axis)).collect();
    let tensor = tensor.permuted_axes(from);
    if tensor.is_standard_layout() { tensor } else { tensor.as_standard_layout().into_owned() }
}

/// The network's answer as `[channel, z, y, x]`; labels become one vote each.
fn from_card_axes(
    answer: ArrayD<f32>,
    card: &Card,
    patch: [usize; 3],
    (n, of): (usize, usize),
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
    if let Some(value) = answer.iter().copied().find(|v| !v.is_finite()) {
        return Err(WindowError::OutputValue { value, expected: "a finite number", n, of });
    }
    let from: Vec<usize> = "nczyx".chars().filter_map(|axis| axes.position(axis)).collect();
    let ordered = answer.permuted_axes(from);
    let n_channels = if labels { 1 } else { card.n_channels() };
    let shape = IxDyn(&[n_channels, patch[2], patch[1], patch[0]]);
    let ordered = ordered
        .as_standard_layout()
        .into_owned()
        .into_shape_with_order(shape)
        .and_then(ArrayD::into_dimensionality::<ndarray::Ix4>)
        .expect("the shape was compared with the card's above");
    if labels { votes(&ordered, card.n_channels(), (n, of)) } else { Ok(ordered) }
}

fn votes(labels: &Array4<f32>, n_labels: usize, (n, of): (usize, usize)) -> Result<Array4<f32>, WindowError> {
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

fn add(
    sum: &mut Array4<f32>,
    weight_sum: &mut Array3<f32>,
    answer: &Array4<f32>,
    windows: &Windows,
    start: [usize; 3],
    [gx, gy, gz]: &[Array1<f32>; 3],
) {
    let [(wx, vx, nx), (wy, vy, ny), (wz, vz, nz)] = [0, 1, 2].map(|axis| overlap(windows, start, axis));
    let along_x = gx.slice(s![wx..wx + nx]);
    for z in 0..nz {
        for y in 0..ny {
            let row_weight = gz[wz + z] * gy[wy + y];
            let weights = along_x.mapv(|w| w * row_weight);
            let mut total = weight_sum.slice_mut(s![vz + z, vy + y, vx..vx + nx]);
            total += &weights;
            for (mut to, from) in sum.outer_iter_mut().zip(answer.outer_iter()) {
                let mut to = to.slice_mut(s![vz + z, vy + y, vx..vx + nx]);
                let from = from.slice(s![wz + z, wy + y, wx..wx + nx]);
                to.iter_mut().zip(&from).zip(&weights).for_each(|((to, from), weight)| *to += from * weight);
            }
        }
    }
}
