//! Why the slices of a series make no volume: what was expected, what was found, where, and what to do.

use std::path::{Path, PathBuf};

use imaging::GridError;
use thiserror::Error;

use super::SLICE_POSITION_TOLERANCE_MM;
use super::layout::{MAX_INTERPOLATED_GAP_MM, MAX_TILT_DEGREES};

/// Why the slices of a series do not make one volume. Positions are along the normal, in mm.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GeometryError {
    /// No slices at all.
    #[error("no image files given; name a folder that holds one image series")]
    Empty,
    /// A tag without which the geometry is unknown.
    #[error(
        "series {series}: {} has no usable {attribute} (absent, empty, or not numbers of a size it can have); export the series again with this attribute",
        name_of(file)
    )]
    Missing {
        /// Series Instance UID.
        series: String,
        /// File.
        file: PathBuf,
        /// Attribute and tag.
        attribute: &'static str,
    },
    /// A file is shorter than its header promises.
    #[error(
        "series {series}: {} is truncated: it ends before the {expected} its header promises; copy or export the file again",
        name_of(file)
    )]
    Truncated {
        /// Series Instance UID.
        series: String,
        /// File.
        file: PathBuf,
        /// The pixels promised.
        expected: String,
    },
    /// Slices at different positions that carry one identifier.
    #[error(
        "series {series}: {n_slices} slices carry the SOP Instance UID {uid} ({} among them), expected one each, so that nothing says whether they belong together; ask the archive to send the series again",
        name_of(file)
    )]
    SameInstance {
        /// Series Instance UID.
        series: String,
        /// The identifier they share.
        uid: String,
        /// How many carry it.
        n_slices: usize,
        /// One of them.
        file: PathBuf,
    },
    /// Row and column directions that are no directions.
    #[error(
        "series {series}: {} has the Image Orientation (0020,0037) {found:?}, expected two perpendicular unit vectors; export the series again",
        name_of(file)
    )]
    Orientation {
        /// Series Instance UID.
        series: String,
        /// File.
        file: PathBuf,
        /// What it states.
        found: [f64; 6],
    },
    /// The slices do not agree with each other.
    #[error(
        "series {series}: {what} differs between slices ({first} and {other} in {}); split the series",
        name_of(file)
    )]
    Mixed {
        /// Series Instance UID.
        series: String,
        /// Attribute and tag.
        what: &'static str,
        /// Value of the first slice.
        first: String,
        /// Value of the other slice.
        other: String,
        /// The other slice's file.
        file: PathBuf,
    },
    /// Several slices at one place: phases, echoes or b-values in one series.
    #[error(
        "series {series}: {n_slices} slices lie at only {n_positions} positions (first repeated at {position_mm:.2} mm); it holds several phases, echoes or reconstructions, and nothing in their headers tells these apart: ask the archive for one series each"
    )]
    Duplicate {
        /// Series Instance UID.
        series: String,
        /// Number of slices.
        n_slices: usize,
        /// Number of distinct positions.
        n_positions: usize,
        /// The first repeated position.
        position_mm: f64,
    },
    /// A gap of a whole number of slice distances.
    #[error(
        "series {series}: {n_missing} slice(s) missing at {position_mm:.2} mm along the slice normal (distance {gap_mm:.2} mm, expected {spacing_mm:.2} mm), more than is interpolated (one slice in twenty, gaps up to {MAX_INTERPOLATED_GAP_MM} mm); export the series again completely"
    )]
    MissingSlice {
        /// Series Instance UID.
        series: String,
        /// Where the first missing slice should lie.
        position_mm: f64,
        /// Number of slices missing in this gap.
        n_missing: usize,
        /// Width of the gap.
        gap_mm: f64,
        /// Usual slice distance.
        spacing_mm: f64,
    },
    /// Slice distances that are not even.
    #[error(
        "series {series}: slice distance is not even ({gap_mm:.3} mm at {position_mm:.2} mm, usual {spacing_mm:.3} mm, tolerance {SLICE_POSITION_TOLERANCE_MM} mm); use an evenly spaced reconstruction"
    )]
    Uneven {
        /// Series Instance UID.
        series: String,
        /// Position below the uneven gap.
        position_mm: f64,
        /// Width of the gap.
        gap_mm: f64,
        /// Usual slice distance.
        spacing_mm: f64,
    },
    /// Positions that lean against the slices' normal more than any gantry.
    #[error(
        "series {series}: the stack leans by {degrees:.2}° against the normal of its slices, more than a gantry tilts ({MAX_TILT_DEGREES}°); export the series again"
    )]
    Tilted {
        /// Series Instance UID.
        series: String,
        /// Angle of the lean.
        degrees: f64,
    },
    /// One slice of unknown thickness is no volume.
    #[error(
        "series {series}: a single slice without Slice Thickness (0018,0050) has no volume; measure it as a 2D image"
    )]
    SingleSlice {
        /// Series Instance UID.
        series: String,
    },
    /// Several frames in one file.
    #[error(
        "series {series}: {} holds {n_frames} frames without functional groups (5200,9229/9230) that say where each lies; convert it to single-frame files with the scanner's or the archive's own export",
        name_of(file)
    )]
    MultiFrame {
        /// Series Instance UID.
        series: String,
        /// File.
        file: PathBuf,
        /// Number of frames.
        n_frames: u32,
    },
    /// The grid itself is refused.
    #[error("series {series}: {fault}")]
    Grid {
        /// Series Instance UID.
        series: String,
        /// What is wrong.
        fault: GridError,
    },
}

impl GeometryError {
    /// A stable code for notes and tables.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "no_slices",
            Self::Missing { .. } => "missing_attribute",
            Self::Truncated { .. } => "truncated_file",
            Self::SameInstance { .. } => "same_instance",
            Self::Orientation { .. } => "bad_orientation",
            Self::Mixed { .. } => "mixed_slices",
            Self::Duplicate { .. } => "duplicate_position",
            Self::MissingSlice { .. } => "missing_slice",
            Self::Uneven { .. } => "uneven_slices",
            Self::Tilted { .. } => "gantry_tilt",
            Self::SingleSlice { .. } => "single_slice",
            Self::MultiFrame { .. } => "multi_frame",
            Self::Grid { .. } => "bad_grid",
        }
    }
}

/// A file's name without its folders, which differ between machines; the error itself holds the whole path.
pub(in crate::dicom) fn name_of(file: &Path) -> std::borrow::Cow<'_, str> {
    file.file_name().unwrap_or_default().to_string_lossy()
}
