//! The header of one DICOM image file as plain values: what indexing, stacking and SUV need, without the pixels.
//!
//! Source: DICOM PS3.3 modules Patient, General Study, General Series, Frame of Reference, Image Plane, Image Pixel,
//! Modality LUT, Contrast/Bolus, PET Series, PET Isotope.

use std::path::{Path, PathBuf};

use dicom::dictionary_std::{tags, uids};
use dicom::object::InMemDicomObject;
use dicom::transfer_syntax::TransferSyntaxRegistry;
use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::element;
use super::file::{Start, open_header};
use super::functional_groups;
use super::pet::PetHeader;
use super::pixel_offset::{PixelPlace, place_of_pixels};
use super::volume_key::VolumeKey;
use crate::stored;

/// Image objects, which must state their rows and columns.
const SINGLE_FRAME_CLASSES: [&str; 3] =
    [uids::CT_IMAGE_STORAGE, uids::MR_IMAGE_STORAGE, uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE];

/// What can be wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The file cannot be opened.
    #[error("{path} cannot be read ({reason}); check permissions and the disk, then index again")]
    Unreadable {
        /// File.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// The file looks like DICOM and ends early or is damaged.
    #[error("{path} is damaged or truncated ({reason}); copy or export the file again")]
    Damaged {
        /// File.
        path: PathBuf,
        /// What the parser found.
        reason: String,
    },
    /// An identifier without which the file belongs nowhere.
    #[error("{path} has no {attribute}; export the file again or leave it out")]
    Missing {
        /// File.
        path: PathBuf,
        /// Attribute and tag.
        attribute: &'static str,
    },
}

/// One image file: identity, place, pixels' form. Lengths in mm, directions and positions in LPS. `None` is "not stated".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceHeader {
    /// Where the file lies.
    #[serde(with = "super::packed_headers::as_bytes")]
    pub path: PathBuf,
    /// Patient ID (0010,0020) as written, trimmed.
    pub patient_id: String,
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UID.
    pub series_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// Transfer Syntax UID.
    pub transfer_syntax: String,
    /// Frame of Reference UID.
    pub frame_uid: Option<String>,
    /// Study Date.
    pub study_date: Option<Date>,
    /// Study Date as written, where it is no whole date.
    pub partial_study_date: Option<String>,
    /// Series Date.
    pub series_date: Option<Date>,
    /// Series Time.
    pub series_time: Option<Time>,
    /// Acquisition Date.
    pub acquisition_date: Option<Date>,
    /// Acquisition Time.
    pub acquisition_time: Option<Time>,
    /// Modality (CT, MR, PT, …).
    pub modality: String,
    /// Series Description.
    pub series_description: String,
    /// Study Description.
    pub study_description: String,
    /// Series Number.
    pub series_number: Option<i64>,
    /// Acquisition Number.
    pub acquisition_number: Option<i64>,
    /// Instance Number.
    pub instance_number: Option<i64>,
    /// Image Type, value by value.
    pub image_type: Vec<String>,
    /// Contrast/Bolus Agent.
    pub contrast_agent: Option<String>,
    /// Contrast/Bolus Start Time: when the injection began.
    pub contrast_start_time: Option<Time>,
    /// Convolution Kernel, all values.
    pub convolution_kernel: Option<String>,
    /// MR Scanning Sequence.
    pub scanning_sequence: Option<String>,
    /// MR Repetition Time, ms.
    pub repetition_time_ms: Option<f64>,
    /// MR Echo Time, ms.
    pub echo_time_ms: Option<f64>,
    /// Image Position (Patient): centre of the first pixel.
    pub position: Option<[f64; 3]>,
    /// Image Orientation (Patient): direction along a row (of increasing column), then along a column.
    pub orientation: Option<[f64; 6]>,
    /// Pixel Spacing: distance between rows, then distance between columns.
    pub pixel_spacing: Option<[f64; 2]>,
    /// Slice Thickness.
    pub slice_thickness: Option<f64>,
    /// Spacing Between Slices.
    pub spacing_between_slices: Option<f64>,
    /// Rows; 0 for objects without pixels.
    pub rows: u32,
    /// Columns; 0 for objects without pixels.
    pub columns: u32,
    /// Number of Frames of the file, 1 where not stated.
    pub n_frames: u32,
    /// Which frame of a multi-frame image this is, from 0; `None` where the file states no geometry of single frames.
    pub frame: Option<u32>,
    /// Samples per Pixel, 1 where not stated.
    pub samples_per_pixel: u32,
    /// Bits Allocated.
    pub bits_allocated: u32,
    /// Bits Stored, Bits Allocated where not stated.
    pub bits_stored: u32,
    /// High Bit, Bits Stored − 1 where not stated.
    pub high_bit: u32,
    /// Pixel Representation: whether stored values are signed.
    pub signed: Option<bool>,
    /// Rescale Slope.
    pub rescale_slope: Option<f64>,
    /// Rescale Intercept.
    pub rescale_intercept: Option<f64>,
    /// Rescale Type.
    pub rescale_type: Option<String>,
    /// Whether values go through a Modality LUT (0028,3000), a table instead of a slope.
    pub has_modality_lut: bool,
    /// Pixel Padding Value, as written.
    pub pixel_padding: Option<i64>,
    /// Where the pixels lie in the file.
    pub pixels: PixelPlace,
    /// Size of the file, bytes; unpacked, of a member of a zip archive.
    pub file_bytes: u64,
    /// PET attributes, for modality PT.
    pub pet: Option<Box<PetHeader>>,
    /// What tells volumes of one series apart.
    pub key: VolumeKey,
}

/// The header of one file, its first frame where it holds several; `Ok(None)` where the file is no DICOM file or a directory
/// listing (DICOMDIR).
pub fn read_header(path: &Path) -> Result<Option<SliceHeader>, HeaderError> {
    Ok(read_headers(path)?.into_iter().next())
}

/// The headers of one file: one for each frame of an enhanced or legacy converted multi-frame image, one for any other object,
/// none where the file is no DICOM file or a directory listing (DICOMDIR).
pub fn read_headers(path: &Path) -> Result<Vec<SliceHeader>, HeaderError> {
    let _unpacked = stored::hold([path]);
    let Some((object, transfer_syntax, mut start)) = open_header(path)? else { return not_dicom(path) };
    if element::text(&object, tags::SOP_CLASS_UID).is_none() && object.get(tags::DIRECTORY_RECORD_SEQUENCE).is_some() {
        return Ok(Vec::new());
    }
    let header = header_of(path, &object, transfer_syntax, &mut start)?;
    Ok(functional_groups::frames_of(header, &object))
}

/// No header of a file of another kind; an error where its name says that it was DICOM, or it is empty under a name without a
/// kind: copying an archive leaves such files behind, and with each of them a slice.
fn not_dicom(path: &Path) -> Result<Vec<SliceHeader>, HeaderError> {
    let kind = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let is_empty = std::fs::metadata(path).is_ok_and(|m| m.len() == 0);
    match kind.as_deref() {
        Some("dcm" | "dicom" | "ima") if is_empty => damaged(path, "it is empty"),
        Some("dcm" | "dicom" | "ima") => damaged(path, "its name says DICOM, its first bytes do not"),
        None if is_empty && !is_hidden => damaged(path, "it is empty"),
        _ => Ok(Vec::new()),
    }
}

fn damaged<T>(path: &Path, reason: &str) -> Result<T, HeaderError> {
    Err(HeaderError::Damaged { path: path.to_owned(), reason: reason.to_owned() })
}

/// How the picture was made: contrast medium, kernel, sequence; the rest blank.
fn technique(object: &InMemDicomObject) -> SliceHeader {
    SliceHeader {
        contrast_agent: element::text(object, tags::CONTRAST_BOLUS_AGENT),
        contrast_start_time: element::time(object, tags::CONTRAST_BOLUS_START_TIME),
        convolution_kernel: Some(element::texts(object, tags::CONVOLUTION_KERNEL).join(" ")).filter(|k| !k.is_empty()),
        scanning_sequence: element::text(object, tags::SCANNING_SEQUENCE),
        repetition_time_ms: element::float(object, tags::REPETITION_TIME),
        echo_time_ms: element::float(object, tags::ECHO_TIME),
        ..SliceHeader::blank("")
    }
}

pub(super) fn header_of(
    path: &Path,
    object: &InMemDicomObject,
    transfer_syntax: String,
    start: &mut Start,
) -> Result<SliceHeader, HeaderError> {
    let needed = |tag, attribute| {
        element::text(object, tag).ok_or_else(|| HeaderError::Missing { path: path.to_owned(), attribute })
    };
    let modality = element::text(object, tags::MODALITY).unwrap_or_default();
    let bits_allocated = element::count(object, tags::BITS_ALLOCATED).unwrap_or(0);
    let bits_stored = element::count(object, tags::BITS_STORED).unwrap_or(bits_allocated);
    let pet = (modality == "PT").then(|| Box::new(PetHeader::read(object)));
    let mut header = SliceHeader {
        path: path.to_owned(),
        patient_id: needed(tags::PATIENT_ID, "Patient ID (0010,0020)")?,
        study_uid: needed(tags::STUDY_INSTANCE_UID, "Study Instance UID (0020,000D)")?,
        series_uid: needed(tags::SERIES_INSTANCE_UID, "Series Instance UID (0020,000E)")?,
        sop_instance_uid: needed(tags::SOP_INSTANCE_UID, "SOP Instance UID (0008,0018)")?,
        sop_class_uid: needed(tags::SOP_CLASS_UID, "SOP Class UID (0008,0016)")?,
        transfer_syntax,
        frame_uid: element::text(object, tags::FRAME_OF_REFERENCE_UID),
        study_date: element::date(object, tags::STUDY_DATE),
        partial_study_date: element::text(object, tags::STUDY_DATE).filter(|text| element::parse_date(text).is_none()),
        series_date: element::date(object, tags::SERIES_DATE),
        series_time: element::time(object, tags::SERIES_TIME),
        acquisition_date: element::date(object, tags::ACQUISITION_DATE),
        acquisition_time: element::time(object, tags::ACQUISITION_TIME),
        modality,
        series_description: element::text(object, tags::SERIES_DESCRIPTION).unwrap_or_default(),
        study_description: element::text(object, tags::STUDY_DESCRIPTION).unwrap_or_default(),
        series_number: element::integer(object, tags::SERIES_NUMBER),
        acquisition_number: element::integer(object, tags::ACQUISITION_NUMBER),
        instance_number: element::integer(object, tags::INSTANCE_NUMBER),
        image_type: element::texts(object, tags::IMAGE_TYPE),
        position: element::array(object, tags::IMAGE_POSITION_PATIENT),
        orientation: element::array(object, tags::IMAGE_ORIENTATION_PATIENT),
        pixel_spacing: element::array(object, tags::PIXEL_SPACING),
        slice_thickness: element::float(object, tags::SLICE_THICKNESS).filter(|t| *t > 0.0),
        spacing_between_slices: element::float(object, tags::SPACING_BETWEEN_SLICES).map(f64::abs).filter(|t| *t > 0.0),
        rows: element::count(object, tags::ROWS).unwrap_or(0),
        columns: element::count(object, tags::COLUMNS).unwrap_or(0),
        n_frames: element::count(object, tags::NUMBER_OF_FRAMES).unwrap_or(1),
        samples_per_pixel: element::count(object, tags::SAMPLES_PER_PIXEL).unwrap_or(1),
        bits_allocated,
        bits_stored,
        high_bit: element::count(object, tags::HIGH_BIT).unwrap_or(bits_stored.saturating_sub(1)),
        signed: element::count(object, tags::PIXEL_REPRESENTATION).map(|r| r == 1),
        rescale_slope: element::float(object, tags::RESCALE_SLOPE),
        rescale_intercept: element::float(object, tags::RESCALE_INTERCEPT),
        rescale_type: element::text(object, tags::RESCALE_TYPE),
        has_modality_lut: element::first_item(object, tags::MODALITY_LUT_SEQUENCE).is_some(),
        pixel_padding: element::integer(object, tags::PIXEL_PADDING_VALUE),
        frame: None,
        pixels: PixelPlace::Inside,
        file_bytes: start.file_length,
        pet,
        key: VolumeKey::read(object),
        ..technique(object)
    };
    if SINGLE_FRAME_CLASSES.contains(&header.sop_class_uid.as_str()) && !header.is_image() {
        return damaged(path, "the header ends before Rows and Columns (0028,0010/0011)");
    }
    if header.is_image() {
        header.pixels = place_of_pixels(start, &header.transfer_syntax, header.n_pixel_bytes())
            .map_err(|e| HeaderError::Unreadable { path: path.to_owned(), reason: e.to_string() })?;
    }
    Ok(header)
}

impl SliceHeader {
    /// A header that states its modality and nothing else, to be filled from another source than a file.
    #[must_use]
    pub fn blank(modality: &str) -> Self {
        let nothing = String::new;
        Self {
            path: PathBuf::new(),
            patient_id: nothing(),
            study_uid: nothing(),
            series_uid: nothing(),
            sop_instance_uid: nothing(),
            sop_class_uid: nothing(),
            transfer_syntax: nothing(),
            frame_uid: None,
            study_date: None,
            partial_study_date: None,
            series_date: None,
            series_time: None,
            acquisition_date: None,
            acquisition_time: None,
            modality: modality.to_owned(),
            series_description: nothing(),
            study_description: nothing(),
            series_number: None,
            acquisition_number: None,
            instance_number: None,
            image_type: Vec::new(),
            contrast_agent: None,
            contrast_start_time: None,
            convolution_kernel: None,
            scanning_sequence: None,
            repetition_time_ms: None,
            echo_time_ms: None,
            position: None,
            orientation: None,
            pixel_spacing: None,
            slice_thickness: None,
            spacing_between_slices: None,
            rows: 0,
            columns: 0,
            n_frames: 1,
            frame: None,
            samples_per_pixel: 1,
            bits_allocated: 16,
            bits_stored: 16,
            high_bit: 15,
            signed: None,
            rescale_slope: None,
            rescale_intercept: None,
            rescale_type: None,
            has_modality_lut: false,
            pixel_padding: None,
            pixels: PixelPlace::Inside,
            file_bytes: 0,
            pet: None,
            key: VolumeKey::default(),
        }
    }

    /// Bytes of the texts that a frame's header shares with its file's.
    pub(super) fn n_text_bytes(&self) -> usize {
        let own = [
            &self.patient_id,
            &self.study_uid,
            &self.series_uid,
            &self.sop_instance_uid,
            &self.modality,
            &self.series_description,
            &self.study_description,
        ];
        let optional = [&self.frame_uid, &self.contrast_agent, &self.scanning_sequence, &self.rescale_type];
        let optional = optional.into_iter().flatten();
        own.into_iter().chain(optional).chain(&self.image_type).map(String::len).sum()
    }

    /// Number of slices this header stands for: 1 for a frame, all frames for a file whose frames have no geometry of their own.
    #[must_use]
    pub fn n_slices(&self) -> u32 {
        if self.frame.is_some() { 1 } else { self.n_frames.max(1) }
    }

    /// Number of bytes the uncompressed pixels take.
    fn n_pixel_bytes(&self) -> u64 {
        [self.columns, self.n_frames.max(1), self.samples_per_pixel, self.bits_allocated]
            .into_iter()
            .fold(u64::from(self.rows), |n, factor| n.saturating_mul(u64::from(factor)))
            .div_ceil(8)
    }

    /// Whether the object holds pixels of a patient image.
    #[must_use]
    pub fn is_image(&self) -> bool {
        self.rows > 0 && self.columns > 0 && self.modality != "SEG"
    }

    /// The transfer syntax's name, for messages.
    #[must_use]
    pub fn transfer_syntax_name(&self) -> &'static str {
        use dicom::encoding::TransferSyntaxIndex;
        TransferSyntaxRegistry.get(&self.transfer_syntax).map_or("an unknown transfer syntax", |t| t.name())
    }
}
