//! An image a network sees beside the first one: the card's `[[further_image]]`.

use serde::{Deserialize, Serialize};

use crate::card::normalisation::Normalisation;

/// A further image on the first one's voxels; it becomes the next input channel and is cropped and resampled like the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FurtherImage {
    /// What it is called, such as `FDG-PET`.
    pub name: String,
    /// DICOM modality.
    pub modality: String,
    /// Role of the series, such as `pet`.
    pub series_role: String,
    /// Unit of the image's values; empty for numbers without one.
    pub unit: String,
    /// How values are prepared.
    pub normalisation: Normalisation,
}
