//! The result of a cascade's first stage as further input channels of the second.
//!
//! After nnU-Net's cascade (F. Isensee et al., Nature Methods 18, 2021): each label's indicator is interpolated linearly onto the
//! second stage's grid, the largest one wins, a tie goes to the label of the nearest voxel, and the winner is shown one channel a
//! label. What lies outside the image's object counts as a label of its own.

use imaging::LabelMap;
use ndarray::parallel::prelude::*;
use ndarray::{Array3, Array4, ArrayView3, Axis, Zip};

use crate::axis_operator::carry;
use crate::card::Resampling;
use crate::model_grid::ModelGrid;

/// A label outside of the image's object.
const OUTSIDE: i32 = -1;

/// `[label, z, y, x]` on the model's grid: 1 where the first stage found it.
pub(crate) fn channels(
    first_stage: &LabelMap,
    object: &ArrayView3<'_, bool>,
    model: &ModelGrid,
    labels: &[u16],
) -> Array4<f32> {
    let seen = Zip::from(&model.orient(first_stage.data()))
        .and(object)
        .map_collect(|label, inside| if *label == 0 && !inside { OUTSIDE } else { i32::from(*label) });
    let on_model = if model.image_size() == model.size() { seen } else { carried(&seen, model) };
    let [nx, ny, nz] = model.size();
    let mut channels = Array4::zeros((labels.len(), nz, ny, nx));
    for (mut channel, label) in channels.outer_iter_mut().zip(labels) {
        Zip::from(&mut channel).and(&on_model).for_each(|to, found| {
            *to = f32::from(u8::from(*found == i32::from(*label)));
        });
    }
    channels
}

fn carried(seen: &Array3<i32>, model: &ModelGrid) -> Array3<i32> {
    let mut is_there = vec![false; usize::from(u16::MAX) + 2];
    seen.iter().for_each(|label| is_there[(label - OUTSIDE) as usize] = true);
    let present = (OUTSIDE..).zip(is_there).filter_map(|(label, there)| there.then_some(label));
    let linear = model.to_model(Resampling::Linear);
    let nearest = carry(seen.mapv(|v| v as f32).view(), &model.nearest_to_model()).mapv(|v| v as i32);
    let mut winner = nearest.clone();
    let mut best = Array3::from_elem(winner.dim(), f32::NEG_INFINITY);
    for label in present {
        let indicator = carry(seen.mapv(|v| f32::from(u8::from(v == label))).view(), &linear);
        let planes = best.axis_iter_mut(Axis(0)).into_par_iter().zip(winner.axis_iter_mut(Axis(0)));
        planes.zip(indicator.axis_iter(Axis(0)).into_par_iter().zip(nearest.axis_iter(Axis(0)))).for_each(
            |((mut best, mut winner), (indicator, nearest))| {
                Zip::from(&mut best).and(&mut winner).and(&indicator).and(&nearest).for_each(
                    |best, winner, v, near| {
                        if *v > *best + TIE || ((*v - *best).abs() <= TIE && *near == label) {
                            *best = v.max(*best);
                            *winner = label;
                        }
                    },
                );
            },
        );
    }
    winner
}

/// Indicators that differ by less are equal: sums of weights in f32 round in the seventh digit.
const TIE: f32 = 1e-6;
