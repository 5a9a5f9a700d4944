//! Where the windows of a network lie in a volume, and how much each voxel of a window counts.
//!
//! After F. Isensee et al., "nnU-Net", Nature Methods 18 (2021), supplementary note on inference: windows overlap, and the centre
//! of a window counts more than its border, σ being an eighth of the window. nnU-Net (`compute_steps_for_sliding_window`,
//! `compute_gaussian`) and MONAI (`dense_patch_slices`, `compute_importance_map`) differ in details, which are followed to the voxel.

use ndarray::Array3;

use crate::card::{Blending, Card, Convention, Patch};
use crate::half_precision::to_half;

/// The Gaussian's σ as a fraction of the window.
const SIGMA_FRACTION: f64 = 1.0 / 8.0;

/// MONAI's smallest weight.
const MONAI_SMALLEST_WEIGHT: f32 = 1e-3;

/// nnU-Net's weight at the centre; it keeps its weights in half precision, and the smallest one above 0 takes the place of 0.
const NNUNET_LARGEST_WEIGHT: f64 = 10.0;

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
                if let Some(across) = input.axes.across_slices() {
                    whole[across] = 1;
                }
                whole
            }
        };
        let before = std::array::from_fn(|axis| patch[axis].saturating_sub(size[axis]) / 2);
        let starts = std::array::from_fn(|axis| {
            starts(size[axis].max(patch[axis]), patch[axis], input.step_fraction, input.convention)
        });
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

    /// For one axis: where the window's part inside the volume begins in the window and in the volume, and its length.
    pub(crate) fn overlap(&self, start: [usize; 3], axis: usize) -> (usize, usize, usize) {
        let (before, size, patch) = (self.before[axis], self.size[axis], self.patch[axis]);
        let in_window = before.saturating_sub(start[axis]);
        let in_volume = start[axis].saturating_sub(before);
        (in_window, in_volume, (patch - in_window).min(size - in_volume))
    }

    /// The weight of each voxel of a window, `[z, y, x]`.
    pub(crate) fn weights(&self, card: &Card) -> Array3<f32> {
        let [nx, ny, nz] = self.patch;
        let convention = card.input.convention;
        // Of nnU-Net's one window the border is rounded by its weight, too.
        let one = self.count() == 1 && convention != Convention::Nnunet;
        if card.input.blending == Blending::Constant || one {
            return Array3::ones((nz, ny, nx));
        }
        let [x, y, z]: [Vec<f64>; 3] =
            std::array::from_fn(|axis| importance(self.patch[axis], self.starts[axis].len(), convention));
        let least = match convention {
            Convention::Nnunet => return weights_of_nnunet(&x, &y, &z),
            Convention::Lesiontrace => 0.0,
            Convention::Monai => MONAI_SMALLEST_WEIGHT,
        };
        let [x, y, z] = [x, y, z].map(|axis| axis.into_iter().map(|v| v as f32).collect::<Vec<f32>>());
        Array3::from_shape_fn((nz, ny, nx), |(k, j, i)| (x[i] * (z[k] * y[j])).max(least))
    }
}

/// Starts along one axis.
fn starts(size: usize, patch: usize, step_fraction: f64, convention: Convention) -> Vec<usize> {
    let furthest = size - patch;
    match convention {
        // Evenly spaced, no further apart than the step in whole voxels; halves are rounded up.
        Convention::Lesiontrace => {
            let step = ((patch as f64 * step_fraction).floor() as usize).max(1);
            let n = furthest.div_ceil(step);
            (0..=n).map(|w| if n == 0 { 0 } else { (2 * furthest * w + n) / (2 * n) }).collect()
        }
        // Evenly spaced, no further apart than the step; halves go to the even number.
        Convention::Nnunet => {
            let n = (furthest as f64 / (patch as f64 * step_fraction)).ceil() as usize;
            let step = if n == 0 { 0.0 } else { furthest as f64 / n as f64 };
            (0..=n).map(|w| (step * w as f64).round_ties_even() as usize).collect()
        }
        // A step apart, the last one ending with the volume.
        Convention::Monai => {
            let step = ((patch as f64 * step_fraction) as usize).max(1);
            (0..=furthest.div_ceil(step)).map(|w| (w * step).min(furthest)).collect()
        }
    }
}

/// Weights as nnU-Net keeps them.
fn weights_of_nnunet(x: &[f64], y: &[f64], z: &[f64]) -> Array3<f32> {
    let weight = |(k, j, i): (usize, usize, usize)| to_half((x[i] * (z[k] * y[j]) * NNUNET_LARGEST_WEIGHT) as f32);
    let halves = Array3::from_shape_fn((z.len(), y.len(), x.len()), weight);
    let least = halves.iter().copied().filter(|v| *v > 0.0).fold(f32::INFINITY, f32::min);
    halves.mapv(|v| v.max(least))
}

/// The weight along one axis. By our own convention 1 throughout where there is only one window.
fn importance(patch: usize, n_windows: usize, convention: Convention) -> Vec<f64> {
    if n_windows == 1 && convention == Convention::Lesiontrace {
        return vec![1.0; patch];
    }
    let centre = match convention {
        Convention::Lesiontrace | Convention::Monai => (patch - 1) as f64 / 2.0,
        Convention::Nnunet => (patch / 2) as f64,
    };
    let sigma = patch as f64 * SIGMA_FRACTION;
    (0..patch).map(|at| (-0.5 * ((at as f64 - centre) / sigma).powi(2)).exp()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// nnU-Net 2.8.1: `compute_gaussian((4, 8, 6), sigma_scale=1 / 8, value_scaling_factor=10)` at `[z, y, x]`.
    const NNUNET: [([usize; 3], f32); 5] = [
        ([0, 0, 0], 5.960_464_5e-8),
        ([2, 4, 3], 10.0),
        ([1, 4, 3], 1.353_515_6),
        ([2, 2, 2], 0.556_152_34),
        ([3, 7, 5], 0.000_429_391_86),
    ];

    #[test]
    fn weights_of_nnunet_are_in_half_precision_and_never_0() {
        let card = include_str!("../../../test_data/models/bright-0.1.0/card.toml")
            .replace("patch = [16, 16, 8]", "patch = [6, 8, 4]")
            .replace("orientation", "convention = \"nnunet\"\norientation");
        let card = Card::parse(&card).unwrap();
        // One window alone is weighted, too.
        for size in [[6, 8, 4], [9, 8, 4]] {
            let weights = Windows::over(size, &card).weights(&card);
            for (at, wanted) in NNUNET {
                assert_eq!(weights[at], wanted, "{at:?}");
            }
        }
    }
}
