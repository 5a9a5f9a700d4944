//! A network shown a volume window by window, its overlapping answers blended plane by plane.
//!
//! Windows advance along z last, so that the planes no later window reaches are finished: they are handed on and forgotten, and
//! only as many planes as a window is high are ever open.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use ndarray::parallel::prelude::*;
use ndarray::{Array3, Array4, ArrayView3, Axis, Zip, s};
use thiserror::Error;

use crate::card::Card;
use crate::ensemble::Ensemble;
use crate::half_precision::Precision;
use crate::network::NetworkError;
use crate::windows::Windows;

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

/// Told (windows done, windows in all) before each window; a break ends the work.
pub(crate) type Watch<'a> = &'a (dyn Fn(usize, usize) -> ControlFlow<()> + Sync);

/// Shows a volume `[channel, z, y, x]` to the networks window by window. `finished` is handed the blended answer's planes
/// `[channel, y, x]` in ascending order of z, several at a time.
pub(crate) fn blend(
    volume: &Array4<f32>,
    windows: &Windows,
    card: &Card,
    networks: &Ensemble,
    watch: Watch<'_>,
    finished: &mut (dyn FnMut(Vec<Array3<f32>>) + Send),
) -> Result<(), WindowError> {
    let of = windows.count();
    let weights = windows.weights(card);
    let mut open = OpenPlanes::new(card, windows);
    let starts: Vec<[usize; 3]> = windows.iter().collect();
    let mut waiting: Option<([usize; 3], Array4<f32>)> = None;
    for (n, start) in starts.into_iter().enumerate() {
        if watch(n, of).is_break() {
            return Err(WindowError::Stopped { done: n, of });
        }
        let shown = cut(volume, windows, start, card.input.padding_value);
        // The window before this one is added while the network looks at this one.
        let before = waiting.take();
        let (answer, planes) = rayon::join(
            || networks.answer(&shown, windows.patch, (n + 1, of)),
            || before.map(|(at, answer)| open.add(&answer, &weights, at, start[2])),
        );
        if let Some(planes) = planes.filter(|planes| !planes.is_empty()) {
            finished(planes);
        }
        waiting = Some((start, answer?));
    }
    if let Some((start, answer)) = waiting {
        finished(open.add(&answer, &weights, start, usize::MAX));
    }
    Ok(())
}

fn cut(volume: &Array4<f32>, windows: &Windows, start: [usize; 3], padding: f32) -> Array4<f32> {
    let [px, py, pz] = windows.patch;
    let [(wx, vx, nx), (wy, vy, ny), (wz, vz, nz)] = [0, 1, 2].map(|axis| windows.overlap(start, axis));
    let part = volume.slice(s![.., vz..vz + nz, vy..vy + ny, vx..vx + nx]);
    if (nx, ny, nz) == (px, py, pz) {
        return part.as_standard_layout().into_owned();
    }
    let mut shown = Array4::from_elem((volume.dim().0, pz, py, px), padding);
    shown.slice_mut(s![.., wz..wz + nz, wy..wy + ny, wx..wx + nx]).assign(&part);
    shown
}

/// One plane of the blended answer while windows still reach it.
struct OpenPlane {
    sum: Array3<f32>,
    weight: ndarray::Array2<f32>,
}

/// The planes that are not finished.
struct OpenPlanes<'a> {
    windows: &'a Windows,
    n_channels: usize,
    precision: Precision,
    first: usize,
    planes: VecDeque<OpenPlane>,
}

impl<'a> OpenPlanes<'a> {
    fn new(card: &Card, windows: &'a Windows) -> Self {
        let (n_channels, precision) = (card.n_channels(), Precision::of(card));
        Self { windows, n_channels, precision, first: 0, planes: VecDeque::new() }
    }

    /// Adds a window's answer and takes out the planes that no window starting at `next_z` or later reaches.
    fn add(
        &mut self,
        answer: &Array4<f32>,
        weights: &Array3<f32>,
        start: [usize; 3],
        next_z: usize,
    ) -> Vec<Array3<f32>> {
        let windows = self.windows;
        let [nx, ny, _] = windows.size;
        let [along_x, along_y, (wz, vz, nz)] = [0, 1, 2].map(|axis| windows.overlap(start, axis));
        while self.first + self.planes.len() < vz + nz {
            let sum = Array3::zeros((self.n_channels, ny, nx));
            self.planes.push_back(OpenPlane { sum, weight: ndarray::Array2::zeros((ny, nx)) });
        }
        let (from, precision) = (vz - self.first, self.precision);
        self.planes.make_contiguous()[from..from + nz].par_iter_mut().enumerate().for_each(|(z, plane)| {
            let answer = answer.index_axis(Axis(1), wz + z);
            let weights = weights.index_axis(Axis(0), wz + z);
            plane.add(&answer, &weights, (along_x, along_y), precision);
        });
        let next = next_z.saturating_sub(windows.before[2]).min(windows.size[2]);
        let n_finished = next.saturating_sub(self.first).min(self.planes.len());
        self.first += n_finished;
        let finished: Vec<OpenPlane> = self.planes.drain(..n_finished).collect();
        finished.into_par_iter().map(|plane| plane.finish(precision)).collect()
    }
}

impl OpenPlane {
    fn add(
        &mut self,
        answer: &ArrayView3<'_, f32>,
        weights: &ndarray::ArrayView2<'_, f32>,
        ((wx, vx, nx), (wy, vy, ny)): ((usize, usize, usize), (usize, usize, usize)),
        precision: Precision,
    ) {
        for y in 0..ny {
            let weights = weights.slice(s![wy + y, wx..wx + nx]);
            precision.add(self.weight.slice_mut(s![vy + y, vx..vx + nx]), &weights);
            for (mut to, from) in self.sum.outer_iter_mut().zip(answer.outer_iter()) {
                let to = to.slice_mut(s![vy + y, vx..vx + nx]);
                precision.add_weighted(to, &from.slice(s![wy + y, wx..wx + nx]), &weights);
            }
        }
    }

    fn finish(mut self, precision: Precision) -> Array3<f32> {
        for channel in self.sum.outer_iter_mut() {
            Zip::from(channel).and(&self.weight).for_each(|sum, weight| *sum = precision.round(*sum / weight));
        }
        self.sum
    }
}
