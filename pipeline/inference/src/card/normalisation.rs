//! How values are prepared for a network: the card's `[input.normalisation]`.

use serde::{Deserialize, Serialize};

/// How values are prepared for the network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Normalisation {
    /// As they are.
    None {},
    /// Clipped to an interval, which is then mapped linearly onto another.
    ClipToRange {
        /// The interval, in the image's unit.
        clip: [f32; 2],
        /// What it is mapped to.
        to: [f32; 2],
    },
    /// Mean subtracted, divided by the standard deviation, both constants of the training data.
    ZScore {
        /// Mean, in the image's unit.
        mean: f32,
        /// Standard deviation, in the image's unit.
        std: f32,
        /// Applied first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip: Option<[f32; 2]>,
    },
    /// The same with mean and population standard deviation of the image itself.
    ZScoreOfImage {
        /// Which voxels count and are changed; the others keep their value.
        #[serde(default, skip_serializing_if = "Over::is_all")]
        over: Over,
    },
    /// Smallest and largest value of the image are mapped onto an interval.
    MinMax {
        /// What they are mapped to.
        to: [f32; 2],
    },
}

/// Which voxels a statistic of the image is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// All.
    #[default]
    All,
    /// Those that are not 0.
    Nonzero,
    /// Those that are not 0, and the holes they enclose.
    NonzeroFilled,
}

impl Over {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
    fn is_all(&self) -> bool {
        *self == Self::All
    }
}
