//! What a registration is asked to do, and what can prevent it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{FrameId, Mask, Volume};

/// The family of maps searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransformKind {
    /// Rotation and translation: keeps every distance and volume.
    Rigid,
    /// Any linear map and translation: may shear and scale, so volumes change by its determinant.
    Affine,
    /// A smooth displacement on top of a rigid map ([`super::deformable`]): volumes change from place to place.
    Deformable,
}

/// How likeness of two images is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Normalised correlation, −1 to 1: for two images of one modality.
    NormalizedCorrelation,
    /// Mutual information in nats with Mattes' Parzen windows: for two modalities. 32 bins are usual; at least 8 are needed.
    MattesMutualInformation {
        /// Bins along each intensity axis.
        n_bins: usize,
    },
}

/// Everything a registration depends on besides the two images. There is no default: each line is a statement.
#[derive(Debug, Clone, Copy)]
pub struct RegistrationOptions<'a> {
    /// The family of maps.
    pub transform: TransformKind,
    /// The likeness.
    pub metric: Metric,
    /// Values of the fixed image are cut to this range first, in its unit. For CT (−200, 300) HU: the table, air and metal lose
    /// their weight. `None` (MR) takes the image's 1st to 99.9th percentile.
    pub fixed_clamp: Option<(f32, f32)>,
    /// The same for the moving image.
    pub moving_clamp: Option<(f32, f32)>,
    /// The organ that must fit, on any grid in the fixed frame, best dilated by 5–10 mm so that its border counts. Fine levels
    /// and quality look inside only. `None` means the whole body.
    pub fixed_mask: Option<&'a Mask>,
    /// The same organ in the moving image: gives one more start (the centroids laid on one another), nothing else.
    pub moving_mask: Option<&'a Mask>,
    /// What has no counterpart (tumour before treatment), in the fixed frame: taken out of the metric.
    pub fixed_exclusion: Option<&'a Mask>,
    /// What has no counterpart (ablation zone), in the moving frame: taken out of the metric.
    pub moving_exclusion: Option<&'a Mask>,
    /// Seed of the sampled positions. The same seed gives the same bytes at any number of threads.
    pub seed: u64,
}

/// Why no registration could be made.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RegistrationError {
    /// An image holds NaN or infinity.
    #[error(
        "the {image} image holds {n_voxels} voxels that are not finite; replace them (padding, masked air) by a value first"
    )]
    NotFinite {
        /// `fixed` or `moving`.
        image: &'static str,
        /// How many.
        n_voxels: usize,
    },
    /// An image holds one value only.
    #[error(
        "the {image} image is constant between {low} and {high}, so nothing can be aligned; check the range to which values are cut and the image itself"
    )]
    Constant {
        /// `fixed` or `moving`.
        image: &'static str,
        /// Lower end of the range used.
        low: f32,
        /// Upper end of the range used.
        high: f32,
    },
    /// A mask lies in another frame than its image.
    #[error(
        "the {mask} lies in frame of reference {found}, expected {expected}, that of its image; carry it there first"
    )]
    MaskFrame {
        /// Which mask.
        mask: &'static str,
        /// Frame of the image.
        expected: FrameId,
        /// Frame of the mask.
        found: FrameId,
    },
    /// Too little is left to compare.
    #[error(
        "only {n_samples} sampled points are left in the region to compare, at least {needed} are needed; enlarge the mask or shrink the exclusion"
    )]
    TooFewSamples {
        /// Points left.
        n_samples: usize,
        /// Points needed.
        needed: usize,
    },
    /// No placement lets the images overlap.
    #[error(
        "no placement of the moving image covers at least {needed_percent:.0} % of the region to compare; check that both images show the same part of the body"
    )]
    NoOverlap {
        /// Smallest part of the region that must be covered, percent.
        needed_percent: f64,
    },
    /// The parameters do not fit together.
    #[error("{0}")]
    Options(String),
    /// A point or image of the wrong frame, or a grid that cannot be.
    #[error(transparent)]
    Grid(#[from] crate::GridError),
}

impl RegistrationOptions<'_> {
    /// Refuses options that contradict the images or each other.
    pub(super) fn check(&self, fixed: &Volume<f32>, moving: &Volume<f32>) -> Result<(), RegistrationError> {
        if let Metric::MattesMutualInformation { n_bins } = self.metric
            && !(8..=128).contains(&n_bins)
        {
            return Err(RegistrationError::Options(format!("mutual information needs 8 to 128 bins, not {n_bins}")));
        }
        for (low, high) in [self.fixed_clamp, self.moving_clamp].into_iter().flatten() {
            if !(low.is_finite() && high.is_finite() && low < high) {
                return Err(RegistrationError::Options(format!(
                    "values cannot be cut to {low}..{high}: the first must be the smaller"
                )));
            }
        }
        for (image, volume) in [("fixed", fixed), ("moving", moving)] {
            let n_voxels = volume.values().iter().filter(|v| !v.is_finite()).count();
            if n_voxels > 0 {
                return Err(RegistrationError::NotFinite { image, n_voxels });
            }
        }
        let masks = [
            ("fixed mask", self.fixed_mask, fixed),
            ("fixed exclusion", self.fixed_exclusion, fixed),
            ("moving mask", self.moving_mask, moving),
            ("moving exclusion", self.moving_exclusion, moving),
        ];
        for (name, mask, image) in masks {
            if let Some(mask) = mask
                && mask.grid().frame() != image.grid().frame()
            {
                return Err(RegistrationError::MaskFrame {
                    mask: name,
                    expected: image.grid().frame().clone(),
                    found: mask.grid().frame().clone(),
                });
            }
        }
        Ok(())
    }
}
