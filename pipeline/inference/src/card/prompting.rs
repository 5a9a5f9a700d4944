//! How a network that outlines the lesion under a prompt is asked: the card's `[prompt]`.

use serde::{Deserialize, Serialize};

use super::ExtentSearch;

/// How a network that outlines the lesion under a prompt is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompting {
    /// Spacings at which the lesion's size is looked for, mm, rising.
    pub looks_mm: Vec<f64>,
    /// Finest and coarsest spacing of the cube once the size is known, mm.
    pub spacing_range_mm: [f64; 2],
    /// Share of the cube's side that the lesion is to take, in (0, 1).
    pub fill: f64,
    /// σ of the Gaussian round the click, voxels of the cube.
    pub click_sigma_voxels: f64,
    /// How the cube is shown once its spacing is found; the answers are averaged.
    pub views: Vec<View>,
    /// Whether the size found from a point alone may be trusted; where not, only lesions in a box are.
    pub trust_size_from_point: bool,
    /// Sizes found from a point (the longest side of the box round the lesion, mm) that may be trusted: those it was measured on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_sizes_mm: Option<[f64; 2]>,
    /// The agreement of the views below which a lesion is not to be trusted, in [0, 1].
    pub least_agreement: f64,
    /// How the lesion's size is found from a point; absent where the looks find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<ExtentSearch>,
}

/// One look at the lesion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// How many voxels beyond the cube's middle the click lies, along x, y, z.
    pub shift: [i32; 3],
    /// Axes (letters of x, y, z) along which the cube is shown mirrored.
    pub mirror: String,
}

impl Prompting {
    /// Channels of the network's input: value, inside the image, click, box.
    pub const N_CHANNELS: usize = 4;
}
