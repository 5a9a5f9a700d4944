//! How the networks are asked that find how far a lesion under a point reaches: the card's `[prompt.extent]`.

use serde::{Deserialize, Serialize};

use super::Fold;

/// How the networks are asked that find how far a lesion under a point reaches, before it is outlined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtentSearch {
    /// The networks, whose answers are averaged.
    pub networks: Vec<Fold>,
    /// Directions round the point, spread evenly; their eight mirror images are shown.
    pub rays: usize,
    /// Radii along each.
    pub shells: usize,
    /// The first radius, mm.
    pub first_mm: f64,
    /// Each radius over the one before, above 1.
    pub growth: f64,
    /// σ of the smoothing at a radius, of that radius; of `sigmas_mm` the nearest is taken.
    pub smoothing: f64,
    /// The σ there are, mm, rising from 0.
    pub sigmas_mm: Vec<f64>,
    /// What values are cut to before they are smoothed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<[f64; 2]>,
    /// What values are divided by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_to: Option<RelativeTo>,
}

/// What an image's values are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelativeTo {
    /// The mean of its values above their mean.
    MeanAboveMean,
}

impl ExtentSearch {
    /// Name of the networks' input `[turn, value and inside, ray, shell]`.
    pub const INPUT: &'static str = "shells";
    /// Name of their output `[turn, extent then rays, shell]`.
    pub const OUTPUT: &'static str = "likelihood";
    /// Mirror images of the rays that are shown.
    pub const N_TURNS: usize = 8;

    /// Shape of the input.
    pub fn input_shape(&self) -> [usize; 4] {
        [Self::N_TURNS, 2, self.rays, self.shells]
    }

    /// Shape of the output.
    pub fn output_shape(&self) -> [usize; 3] {
        [Self::N_TURNS, 1 + self.rays, self.shells]
    }

    /// The radius of a shell, or between two, mm.
    pub fn radius_mm(&self, shell: f64) -> f64 {
        self.first_mm * self.growth.powf(shell)
    }
}
