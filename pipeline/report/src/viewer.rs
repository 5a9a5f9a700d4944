//! What the interactive viewer of a patient's page shows: small volumes of the visits, and where the lesions lie in them.
//!
//! Volumes of visits that are linked lie in one frame, baseline's; that of any other visit lies in its own. Axes are those of the
//! patient (LPS), whatever the images' were.

use oncology::VisitId;
use serde::{Deserialize, Serialize};

/// One visit as the viewer shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewerVolume {
    /// The visit.
    pub visit: VisitId,
    /// Why it lies in its own frame and its crosshair moves alone; empty where it is linked with baseline.
    pub not_linked: String,
    /// Why the link is to be doubted; empty where the registration passed, or where there is no link.
    pub link_in_doubt: String,
    /// Role of the series.
    pub role: String,
    /// Unit of the values: `HU`, `SUVbw`, …
    pub unit: String,
    /// Size of the voxels shown, mm, along the patient's left-right, front-back and head-foot axes.
    pub spacing_mm: [f64; 3],
    /// Where black and white lie, in the unit, when the window is chosen from the image.
    pub window: [f64; 2],
    /// The image as `.nii.gz`; base64 on disk.
    #[serde(with = "crate::key_image::pixel_text")]
    pub image: Vec<u8>,
    /// What is outlined, on the same grid, as `.nii.gz`: a voxel is 1 in the organ, plus 2 in an ablation zone, plus four times the
    /// number of the lesion it belongs to; base64 on disk.
    #[serde(with = "crate::key_image::pixel_text")]
    pub outlined: Vec<u8>,
    /// Labels of the lesions numbered 1, 2, … in `outlined`.
    pub labels: Vec<u16>,
}

/// One lesion as the viewer lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewerLesion {
    /// Lesion within the patient.
    pub id: String,
    /// Organ and role in words.
    pub what: String,
    /// What was seen of it, in the order of the volumes.
    pub at: Vec<ViewerSighting>,
}

/// One lesion at one visit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ViewerSighting {
    /// Its centre in the frame that the visit is shown in, LPS mm; `None` where it was not seen.
    pub center: Option<[f64; 3]>,
    /// Its numbers in the visit's outlines.
    pub numbers: Vec<u16>,
}

/// Which two visits are shown first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownFirst {
    /// Place of the earlier visit in the list of volumes.
    pub prior: usize,
    /// Place of the later one.
    pub current: usize,
    /// Place of the visit with the smallest sum of diameters before the current one, where there is one.
    pub nadir: Option<usize>,
}

/// The viewer's section of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Viewer<'a> {
    /// Visits, in order.
    pub volumes: &'a [ViewerVolume],
    /// Lesions, in the order of the page.
    pub lesions: Vec<ViewerLesion>,
    /// Which two are shown first.
    pub first: ShownFirst,
    /// The library that draws, as it is: its digest stands in the page's content security policy.
    pub library: &'a str,
    /// Its version.
    pub library_version: &'a str,
}
