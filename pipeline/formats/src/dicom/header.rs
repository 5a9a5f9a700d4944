//! The header of one DICOM image file as plain values: what indexing, stacking and SUV need, without the pixels.
//!
//! Source: DICOM PS3.3 modules Patient, General Study, General Series, Frame of Reference, Image Plane, Image Pixel,
//! Modality LUT, Contrast/Bolus, PET Series, PET Isotope.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use dicom::core::Tag;
use dicom::dictionary_std::{tags, uids};
use dicom::object::file::ReadPreamble;
use dicom::object::{InMemDicomObject, OpenFileOptions};
use dicom::transfer_syntax::{TransferSyntaxRegistry, entries};
use jiff::civil::{Date, Time};
use thiserror::Error;

use super::element;
use super::pet::PetHeader;
use super::pixel_offset::{PixelPlace, place_of_pixels};

/// Reading stops here: Float, Double Float and ordinary Pixel Data all come later.
const FIRST_PIXEL_TAG: Tag = Tag(0x7FE0, 0x0001);

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
#[derive(Debug, Clone, PartialEq)]
pub struct SliceHeader {
    /// Where the file lies.
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
    /// Number of Frames, 1 where not stated.
    pub n_frames: u32,
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
    /// Pixel Padding Value, as written.
    pub pixel_padding: Option<i64>,
    /// Where the pixels lie in the file.
    pub pixels: PixelPlace,
    /// PET attributes, for modality PT.
    pub pet: Option<Box<PetHeader>>,
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
            samples_per_pixel: 1,
            bits_allocated: 16,
            bits_stored: 16,
            high_bit: 15,
            signed: None,
            rescale_slope: None,
            rescale_intercept: None,
            rescale_type: None,
            pixel_padding: None,
            pixels: PixelPlace::Inside,
            pet: None,
        }
    }
}

/// Whether the first bytes of a file are those of a DICOM file, with or without preamble.
#[must_use]
pub fn looks_like_dicom(start: &[u8]) -> bool {
    if start.get(128..132) == Some(b"DICM") {
        return true;
    }
    // Without a preamble a file begins with group 0002 (meta) or 0008 (a bare data set), little endian, element below 0x20.
    matches!(start.get(..4), Some([0x02 | 0x08, 0x00, element, 0x00]) if *element <= 0x18)
        && start.get(6..8).is_some_and(|length| start[4].is_ascii_uppercase() || length == [0, 0])
}

/// The header of one file; `Ok(None)` where the file is no DICOM file or a directory listing (DICOMDIR).
pub fn read_header(path: &Path) -> Result<Option<SliceHeader>, HeaderError> {
    let unreadable = |e: std::io::Error| HeaderError::Unreadable { path: path.to_owned(), reason: e.to_string() };
    let mut start = Vec::with_capacity(132);
    let file = File::open(path).map_err(unreadable)?;
    file.take(132).read_to_end(&mut start).map_err(unreadable)?;
    if !looks_like_dicom(&start) {
        return Ok(None);
    }
    let (object, transfer_syntax) = open(path, &start, Some(FIRST_PIXEL_TAG))?;
    if element::text(&object, tags::SOP_CLASS_UID).is_none() && object.get(tags::DIRECTORY_RECORD_SEQUENCE).is_some() {
        return Ok(None);
    }
    header_of(path, &object, transfer_syntax).map(Some)
}

/// The whole data set of one file with its transfer syntax.
pub(super) fn open_whole(path: &Path) -> Result<(InMemDicomObject, String), HeaderError> {
    let mut start = Vec::with_capacity(132);
    File::open(path)
        .and_then(|file| file.take(132).read_to_end(&mut start))
        .map_err(|e| HeaderError::Unreadable { path: path.to_owned(), reason: e.to_string() })?;
    open(path, &start, None)
}

/// Opens a file up to a tag. The parser is foreign and files are hostile: a panic inside it becomes an error of this file.
fn open(path: &Path, start: &[u8], until: Option<Tag>) -> Result<(InMemDicomObject, String), HeaderError> {
    let damaged = |reason: String| HeaderError::Damaged { path: path.to_owned(), reason };
    let has_meta = start.get(128..132) == Some(b"DICM") || start.first() == Some(&0x02);
    let parse = || if has_meta { open_with_meta(path, until) } else { open_bare(path, start) };
    match catch_unwind(AssertUnwindSafe(parse)) {
        Ok(result) => result.map_err(damaged),
        Err(_) => Err(damaged("the parser gave up on it".to_owned())),
    }
}

fn open_with_meta(path: &Path, until: Option<Tag>) -> Result<(InMemDicomObject, String), String> {
    let options = OpenFileOptions::new().read_preamble(ReadPreamble::Auto);
    let options = until.map_or(options.clone(), |tag| options.read_until(tag));
    let object = options.open_file(path).map_err(|e| reason_of(&e))?;
    let transfer_syntax = object.meta().transfer_syntax().trim_end_matches('\0').to_owned();
    Ok((object.into_inner(), transfer_syntax))
}

/// A bare data set (no preamble, no meta group): explicit or implicit little endian, told apart by the first value
/// representation.
fn open_bare(path: &Path, start: &[u8]) -> Result<(InMemDicomObject, String), String> {
    let explicit = start.get(4..6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase));
    let syntax = if explicit {
        entries::EXPLICIT_VR_LITTLE_ENDIAN.erased()
    } else {
        entries::IMPLICIT_VR_LITTLE_ENDIAN.erased()
    };
    let file = File::open(path).map_err(|e| e.to_string())?;
    let object =
        InMemDicomObject::read_dataset_with_ts(std::io::BufReader::new(file), &syntax).map_err(|e| reason_of(&e))?;
    Ok((object, syntax.uid().to_owned()))
}

/// An error with its causes on one line.
pub(super) fn reason_of(error: &dyn std::error::Error) -> String {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !reason.contains(&text) {
            reason.push_str(": ");
            reason.push_str(&text);
        }
        source = cause.source();
    }
    reason
}

fn header_of(path: &Path, object: &InMemDicomObject, transfer_syntax: String) -> Result<SliceHeader, HeaderError> {
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
        contrast_agent: element::text(object, tags::CONTRAST_BOLUS_AGENT),
        scanning_sequence: element::text(object, tags::SCANNING_SEQUENCE),
        repetition_time_ms: element::float(object, tags::REPETITION_TIME),
        echo_time_ms: element::float(object, tags::ECHO_TIME),
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
        pixel_padding: element::integer(object, tags::PIXEL_PADDING_VALUE),
        pixels: PixelPlace::Inside,
        pet,
    };
    if SINGLE_FRAME_CLASSES.contains(&header.sop_class_uid.as_str()) && !header.is_image() {
        let reason = "the header ends before Rows and Columns (0028,0010/0011)".to_owned();
        return Err(HeaderError::Damaged { path: path.to_owned(), reason });
    }
    if header.is_image() {
        header.pixels = place_of_pixels(path, &header.transfer_syntax, header.n_pixel_bytes())
            .map_err(|e| HeaderError::Unreadable { path: path.to_owned(), reason: e.to_string() })?;
    }
    Ok(header)
}

impl SliceHeader {
    /// Number of bytes the uncompressed pixels take.
    fn n_pixel_bytes(&self) -> u64 {
        [self.columns, self.n_frames, self.samples_per_pixel, self.bits_allocated]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_nifti_files_do_not_look_like_dicom() {
        assert!(!looks_like_dicom(b"patient_id,date\n"));
        assert!(!looks_like_dicom(&[]));
        assert!(!looks_like_dicom(&[0x5c, 0x01, 0x00, 0x00, 0, 0, 0, 0]));
        // (0008,0005) CS, explicit, and (0008,0008), implicit.
        assert!(looks_like_dicom(&[8, 0, 5, 0, b'C', b'S', 10, 0]));
        assert!(looks_like_dicom(&[8, 0, 8, 0, 22, 0, 0, 0]));
        let mut with_preamble = vec![0; 128];
        with_preamble.extend_from_slice(b"DICM");
        assert!(looks_like_dicom(&with_preamble));
    }
}
