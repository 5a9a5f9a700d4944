//! Numbers as nnU-Net keeps them while it adds windows up: in half precision.
//!
//! nnU-Net (version 2, `predict_from_raw_data.py`) holds the sums of its logits, the weights and what it carries back to the image in
//! IEEE 754 binary16. At the border between two labels the rounding decides some voxels in a thousand, so that a program with the
//! same network gives the same labels only when it rounds alike.

use ndarray::{ArrayView1, ArrayViewMut1, Zip};

use crate::card::{Card, Convention};

/// The precision in which answers of windows are added up and carried back to the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// f32.
    Single,
    /// Half precision, as nnU-Net; held in f32.
    Half,
}

impl Precision {
    /// The precision a card asks for. nnU-Net rounds each fold's sums and averages afterwards; here folds are averaged window by
    /// window, which is nearest to that without rounding, and needs one fold's memory.
    pub(crate) fn of(card: &Card) -> Self {
        let one_fold = card.folds.is_empty();
        if card.input.convention == Convention::Nnunet && one_fold { Self::Half } else { Self::Single }
    }

    /// A number rounded to it.
    pub(crate) fn round(self, value: f32) -> f32 {
        match self {
            Self::Single => value,
            Self::Half => to_half(value),
        }
    }

    /// Adds a row of weights to their sums.
    pub(crate) fn add(self, sums: ArrayViewMut1<'_, f32>, weights: &ArrayView1<'_, f32>) {
        let row = Zip::from(sums).and(weights);
        match self {
            Self::Single => row.for_each(|sum, weight| *sum += weight),
            Self::Half => row.for_each(|sum, weight| *sum = to_half(*sum + weight)),
        }
    }

    /// Adds a row of values, each times its weight, to their sums.
    pub(crate) fn add_weighted(
        self,
        sums: ArrayViewMut1<'_, f32>,
        values: &ArrayView1<'_, f32>,
        weights: &ArrayView1<'_, f32>,
    ) {
        let row = Zip::from(sums).and(values).and(weights);
        match self {
            Self::Single => row.for_each(|sum, value, weight| *sum += value * weight),
            Self::Half => row.for_each(|sum, value, weight| *sum = to_half(*sum + value * weight)),
        }
    }
}

/// Bits of a single precision number that half precision has not: 23 − 10.
const DROPPED_BITS: u32 = 13;
/// The smallest normal number of half precision, 2⁻¹⁴.
const SMALLEST_NORMAL: f32 = 6.103_515_6e-5;
/// Added to a number below 2⁻¹⁴ and taken away again, it leaves whole multiples of 2⁻²⁴, half precision's smallest step.
const STEP_OF_SUBNORMALS: f32 = 0.75;

/// The nearest number of half precision, of two the even one. Beyond its range (65 504) the digits are rounded alone.
pub(crate) fn to_half(value: f32) -> f32 {
    let bits = value.to_bits();
    let odd = (bits >> DROPPED_BITS) & 1;
    let rounded = f32::from_bits((bits + (1 << (DROPPED_BITS - 1)) - 1 + odd) & !((1 << DROPPED_BITS) - 1));
    let magnitude = value.abs();
    let small = ((magnitude + STEP_OF_SUBNORMALS) - STEP_OF_SUBNORMALS).copysign(value);
    if magnitude < SMALLEST_NORMAL { small } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy 2.4.6: `float(np.float16(np.float32(v)))`.
    const NUMPY: [(f32, f32); 12] = [
        (0.0, 0.0),
        (1.0, 1.0),
        (-3.3, -3.300_781_3),
        (0.1, 0.099_975_586),
        // Halves go to the even neighbour.
        (1.000_488_3, 1.0),
        (1.001_464_8, 1.001_953_1),
        (2047.5, 2048.0),
        (65_000.0, 64_992.0),
        (6.1e-5, 6.097_555e-5),
        (-5.9e-8, -5.960_464_5e-8),
        (2.9e-8, 0.0),
        (3.7e-7, 3.576_278_7e-7),
    ];

    #[test]
    fn rounding_is_that_of_numpy() {
        for (value, wanted) in NUMPY {
            assert_eq!(to_half(value), wanted, "{value}");
        }
    }
}
