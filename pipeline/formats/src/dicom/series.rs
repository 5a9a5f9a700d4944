//! One series of image files as one volume in its physical unit.
//!
//! Source: DICOM PS3.3 C.7.6.2 (Image Plane), C.11.1 (Modality LUT); criteria of SUV: [`super::pet`].

use std::path::PathBuf;

use imaging::{BqPerMl, Grid, GridError, Hu, Intensity, Noted, SuvBw, Volume};
use thiserror::Error;

use super::geometry::{GeometryError, name_of};
use super::header::SliceHeader;
use super::open_series::open_series;
use super::pet::{SuvFactor, SuvOptions};

/// A volume in the unit its header proves.
#[derive(Debug, Clone, PartialEq)]
pub enum ImageVolume {
    /// CT in Hounsfield units.
    Hu(Volume<Hu>),
    /// PET as body-weight SUV.
    SuvBw(Volume<SuvBw>),
    /// PET as activity concentration, where no honest SUV exists.
    BqPerMl(Volume<BqPerMl>),
    /// Numbers without a physical unit (MR, PET counts): stored values after slope and intercept.
    Stored(Volume<f32>),
}

impl ImageVolume {
    /// Where the voxels lie.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        match self {
            Self::Hu(v) => v.grid(),
            Self::SuvBw(v) => v.grid(),
            Self::BqPerMl(v) => v.grid(),
            Self::Stored(v) => v.grid(),
        }
    }
    /// The unit as written at the borders: `HU`, `SUVbw`, `BQML` or `stored`.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Hu(_) => "HU",
            Self::SuvBw(_) => "SUVbw",
            Self::BqPerMl(_) => "BQML",
            Self::Stored(_) => "stored",
        }
    }
    /// The bare numbers in the memory they have, without their unit.
    #[must_use]
    pub fn into_values(self) -> Volume<f32> {
        fn bare<T: Intensity>(volume: Volume<T>) -> Volume<f32> {
            let grid = volume.grid().clone();
            let (values, _) = volume.into_data().into_raw_vec_and_offset();
            Volume::from_values(T::into_values(values), grid).expect("as many voxels as before")
        }
        match self {
            Self::Hu(v) => bare(v),
            Self::SuvBw(v) => bare(v),
            Self::BqPerMl(v) => bare(v),
            Self::Stored(v) => v,
        }
    }
    /// The bare numbers, without their unit.
    #[must_use]
    pub fn to_values(&self) -> Volume<f32> {
        match self {
            Self::Hu(v) => v.to_values(),
            Self::SuvBw(v) => v.to_values(),
            Self::BqPerMl(v) => v.to_values(),
            Self::Stored(v) => v.clone(),
        }
    }
}

/// One series as a volume, with what later steps cite.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesVolume {
    /// The voxels in their unit; their grid is LPS, mm.
    pub volume: ImageVolume,
    /// Series Instance UID.
    pub series_uid: String,
    /// Modality as in the header.
    pub modality: String,
    /// SOP Instance UID of each slice k (of the nearest acquired slice, where k was interpolated): a measurement in it cites it.
    pub sop_instance_uids: Vec<String>,
    /// File of each slice k.
    pub files: Vec<PathBuf>,
    /// How SUV was computed, for PET in SUV.
    pub suv: Option<SuvFactor>,
}

/// Why a series gives no volume.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SeriesError {
    /// The slices make no stack.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// The series is no image volume.
    #[error("series {series} is not an image volume: {reason}")]
    NotAVolume {
        /// Series Instance UID.
        series: String,
        /// Why.
        reason: String,
    },
    /// Pixels of one file cannot be read.
    #[error("series {series}: {} cannot be used: {reason}", name_of(file))]
    Pixels {
        /// Series Instance UID.
        series: String,
        /// File.
        file: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Several volumes under one series identifier.
    #[error("series {series} holds {} volumes: {}; read each for itself (its rows in the index name them)", volumes.len(), volumes.join("; "))]
    SeveralVolumes {
        /// Series Instance UID.
        series: String,
        /// What tells them apart.
        volumes: Vec<String>,
    },
    /// Headers of several series were given as one.
    #[error("expected the slices of one series, found series {first} and {other}; give them one by one")]
    SeveralSeries {
        /// First Series Instance UID.
        first: String,
        /// Another one.
        other: String,
    },
    /// Array and grid disagree.
    #[error("series {series}: {source}")]
    Grid {
        /// Series Instance UID.
        series: String,
        /// What is wrong.
        source: GridError,
    },
}

impl SeriesError {
    /// A stable code for notes and tables.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Geometry(e) => e.code(),
            Self::NotAVolume { .. } => "not_a_volume",
            Self::Pixels { .. } => "unreadable_pixels",
            Self::SeveralVolumes { .. } => "several_volumes",
            Self::SeveralSeries { .. } => "several_series",
            Self::Grid { .. } => "bad_grid",
        }
    }
}

/// Stacks the slices of one volume, in any order: CT in HU, PET in SUVbw (in Bq/ml with a warning where SUV is not evaluable),
/// everything else as stored values after slope and intercept. Files are decoded in parallel. Headers of a series that holds
/// several volumes are refused with their names: split them by [`volumes_of`](super::volumes_of) first.
pub fn read_series(headers: &[SliceHeader], options: &SuvOptions) -> Result<Noted<SeriesVolume>, SeriesError> {
    let mut notes = Vec::new();
    let volume = open_series(headers, options)?.note_into(&mut notes).read()?;
    Ok(Noted::new(volume, notes))
}

/// What makes slices no measurable volume whatever their geometry.
pub(crate) fn check_is_one_image_series(headers: &[SliceHeader]) -> Result<(), SeriesError> {
    let first = headers.first().ok_or(GeometryError::Empty)?;
    if let Some(other) = headers.iter().find(|h| h.series_uid != first.series_uid) {
        return Err(SeriesError::SeveralSeries { first: first.series_uid.clone(), other: other.series_uid.clone() });
    }
    let not_a_volume =
        |reason: &str| Err(SeriesError::NotAVolume { series: first.series_uid.clone(), reason: reason.to_owned() });
    if !headers.iter().all(SliceHeader::is_image) {
        return not_a_volume(&format!(
            "modality {} holds no image slices; name a CT, MR or PET series",
            first.modality
        ));
    }
    if let Some(other) = headers.iter().find(|h| h.modality != first.modality) {
        let (a, b) = (&first.modality, &other.modality);
        return not_a_volume(&format!("it holds slices of modality {a} and {b}, expected one; split the series"));
    }
    if headers.iter().any(|h| h.samples_per_pixel != 1) {
        return not_a_volume(
            "its pixels are colours, expected one measured value each; use the series it was made from",
        );
    }
    if headers.iter().any(|h| h.has_modality_lut) {
        return not_a_volume(
            "its values go through a Modality LUT (0028,3000), a table that is not applied here; export it with Rescale Slope and Intercept (0028,1053/1052)",
        );
    }
    check_rescale(headers).or_else(|reason| not_a_volume(&reason))
}

/// A slope in some slices and none in others, or a slope of 0, would make a volume of two scales or of none.
fn check_rescale(headers: &[SliceHeader]) -> Result<(), String> {
    let n = headers.len();
    for (stated, attribute) in [
        (headers.iter().filter(|h| h.rescale_slope.is_some()).count(), "Rescale Slope (0028,1053)"),
        (headers.iter().filter(|h| h.rescale_intercept.is_some()).count(), "Rescale Intercept (0028,1052)"),
    ] {
        if stated != 0 && stated != n {
            return Err(format!(
                "{stated} of its {n} slices state a {attribute}, expected all or none; export it again"
            ));
        }
    }
    match headers.iter().find(|h| h.rescale_slope == Some(0.0)) {
        Some(h) => Err(format!(
            "the Rescale Slope (0028,1053) of {} is 0, which leaves no values; export it again",
            name_of(&h.path)
        )),
        None => Ok(()),
    }
}
