//! What a network expects of an image: the card's `[input]`.

use serde::{Deserialize, Serialize};

use crate::card::axes::{Axes, Orientation};
use crate::card::normalisation::Normalisation;

/// What the network expects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The input tensor's name.
    pub name: String,
    /// The order of its axes.
    pub axes: Axes,
    /// DICOM modality of the image.
    pub modality: String,
    /// Role of the series, such as `ct_portal_venous`.
    pub series_role: String,
    /// Unit of the image's values; empty for numbers without one.
    pub unit: String,
    /// Whose rules for grid, windows and weights hold.
    #[serde(default, skip_serializing_if = "Convention::is_own")]
    pub convention: Convention,
    /// Which way x, y and z point.
    pub orientation: Orientation,
    /// Distance of the voxels along x, y, z.
    pub spacing_mm: Spacing,
    /// How the image comes onto that spacing.
    pub resampling: Resampling,
    /// Where the image, else the model's grid, has one axis more than this many times as coarse as its finest, that axis is not
    /// interpolated, on the way in nor back: the nearest voxel counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest_along_axis_coarser_than: Option<f64>,
    /// What part of the image counts; all of it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<Crop>,
    /// Whether values are normalised before or after resampling.
    #[serde(default, skip_serializing_if = "Normalised::is_after")]
    pub normalised: Normalised,
    /// What the network is shown at once.
    pub patch: Patch,
    /// For [`Patch::WholeImage`]: what the size is padded up to a multiple of, along x, y, z.
    #[serde(default = "ones")]
    pub divisible_by: [usize; 3],
    /// Step of the sliding window as a fraction of the patch, in (0, 1].
    pub step_fraction: f64,
    /// How overlapping windows are weighted.
    #[serde(default, skip_serializing_if = "Blending::is_gaussian")]
    pub blending: Blending,
    /// Axes (letters of x, y, z) along which a window is mirrored too; the answers of all combinations are averaged.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mirror: String,
    /// Value outside the image, after normalisation.
    pub padding_value: f32,
    /// How values are prepared.
    pub normalisation: Normalisation,
}

/// Whose rules for grid, windows and weights hold; `models/README.md` states each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// This project's own.
    #[default]
    Lesiontrace,
    /// nnU-Net, version 2.
    Nnunet,
    /// MONAI.
    Monai,
}

impl Convention {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
    fn is_own(&self) -> bool {
        *self == Self::Lesiontrace
    }
}

/// Distance of the voxels the network expects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "spacing_mm is either \"native\" or three numbers [x, y, z] in mm, each of which may be \"native\""
)]
pub enum Spacing {
    /// Along x, y, z in mm.
    Mm([f64; 3]),
    /// The image's own.
    Native(NativeWord),
    /// Along some axes the image's own.
    PerAxis([AxisSpacing; 3]),
}

/// Distance of the voxels along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AxisSpacing {
    /// In mm.
    Mm(f64),
    /// The image's own.
    Native(NativeWord),
}

impl Spacing {
    /// In mm along x, y, z, for an image whose own is `image_mm`.
    pub fn over(&self, image_mm: [f64; 3]) -> [f64; 3] {
        match self {
            Self::Mm(mm) => *mm,
            Self::Native(_) => image_mm,
            Self::PerAxis(axes) => std::array::from_fn(|axis| match axes[axis] {
                AxisSpacing::Mm(mm) => mm,
                AxisSpacing::Native(_) => image_mm[axis],
            }),
        }
    }
}

/// The word `native`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NativeWord {
    /// `native`
    Native,
}

/// How the image comes onto the network's spacing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resampling {
    /// The two neighbours along each axis.
    Linear,
    /// A triangle as wide as the coarser of the two spacings.
    LinearAntialiased,
    /// The interpolating cubic B-spline, kept within the image's own smallest and largest value.
    CubicSpline,
}

/// What part of an image counts; labels outside it are background.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Crop {
    /// The box of all voxels that are not 0, on the image's own grid, before anything else.
    Nonzero {},
    /// The box of all voxels above a value, on the model's grid, after normalisation.
    Above {
        /// The value.
        value: f32,
        /// Voxels kept round the box along x, y, z, as far as the image reaches.
        #[serde(default)]
        margin: [usize; 3],
    },
}

/// When values are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalised {
    /// On the image's own grid, after a crop to what is not 0.
    BeforeResampling,
    /// On the model's grid.
    #[default]
    AfterResampling,
}

impl Normalised {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
    fn is_after(&self) -> bool {
        *self == Self::AfterResampling
    }
}

/// What the network is shown at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "patch is either \"whole_image\" or three whole numbers [x, y, z]")]
pub enum Patch {
    /// Voxels along x, y, z.
    Voxels([usize; 3]),
    /// The image as a whole.
    WholeImage(WholeImageWord),
}

/// The word `whole_image`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WholeImageWord {
    /// `whole_image`
    WholeImage,
}

/// How overlapping windows are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blending {
    /// The centre counts most; σ is an eighth of the window.
    #[default]
    Gaussian,
    /// All voxels of a window count alike.
    Constant,
}

impl Blending {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
    fn is_gaussian(&self) -> bool {
        *self == Self::Gaussian
    }
}

fn ones() -> [usize; 3] {
    [1; 3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_along_one_axis_is_the_images_own() {
        #[derive(Deserialize)]
        struct Row {
            spacing_mm: Spacing,
        }
        let row: Row = toml::from_str("spacing_mm = [0.8, 1, \"native\"]").unwrap();
        assert_eq!(row.spacing_mm.over([3.0, 3.0, 5.0]), [0.8, 1.0, 5.0]);
        let row: Row = toml::from_str("spacing_mm = \"native\"").unwrap();
        assert_eq!(row.spacing_mm.over([3.0, 3.0, 5.0]), [3.0, 3.0, 5.0]);
    }
}
