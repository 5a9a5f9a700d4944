//! Writes a picture with outlines and calipers burned in as a secondary capture beside the image it shows.
//!
//! Source: DICOM PS3.3 A.8.1 (Secondary Capture Image), C.8.6.1 (SC Equipment), C.7.6.1 (General Image), C.7.6.3 (Image Pixel),
//! 10.7 (Basic Pixel Spacing Calibration).

use dicom::core::VR;
use dicom::dictionary_std::{tags, uids};

use super::WriteError;
use super::item::Item;
use super::object::{ObjectToWrite, WrittenObject, common, finish};
use super::segmentation::{SourceSlice, reference_to};
use crate::dicom::sr::Code;

/// A picture to be written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyPictureToWrite<'a> {
    /// Where it belongs, and who made it.
    pub object: ObjectToWrite<'a>,
    /// The image it shows a part of.
    pub slice: &'a SourceSlice,
    /// Number in its series, from 1.
    pub number: u32,
    /// What it shows, in words.
    pub about: &'a str,
    /// Columns and rows.
    pub size: [u32; 2],
    /// Red, green and blue of each pixel, row by row from the upper left.
    pub rgb: &'a [u8],
    /// Distances between rows and between columns, mm, as Pixel Spacing has them.
    pub spacing_mm: [f64; 2],
    /// Letters of the patient's directions towards the right and the lower edge.
    pub towards: [&'a str; 2],
}

/// The bytes of the object.
///
/// # Errors
/// Pixels do not fill columns and rows, or the data set cannot be encoded.
pub fn key_picture(picture: &KeyPictureToWrite<'_>) -> Result<WrittenObject, WriteError> {
    let refused = |reason: String| WriteError::Object { reason };
    let sides: Vec<u16> = picture.size.iter().filter_map(|side| u16::try_from(*side).ok()).collect();
    let &[columns, rows] = sides.as_slice() else {
        return Err(refused(format!("a picture of {:?} pixels is larger than DICOM knows", picture.size)));
    };
    let expected = usize::from(columns) * usize::from(rows) * 3;
    if expected != picture.rgb.len() || expected == 0 {
        let found = picture.rgb.len();
        return Err(refused(format!("a picture of {columns} x {rows} pixels has {expected} bytes, found {found}")));
    }
    let source = reference_to(picture.slice).code(
        tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE,
        &Code::new("121322", "DCM", "Source image for image processing operation"),
    );
    let item = common("OT", &picture.object)
        .text(tags::INSTANCE_NUMBER, VR::IS, &picture.number.to_string())
        // Asked for where nothing says that the body part is no paired one.
        .text(tags::LATERALITY, VR::CS, "")
        .text(tags::CONVERSION_TYPE, VR::CS, "WSD")
        .text(tags::IMAGE_TYPE, VR::CS, "DERIVED\\SECONDARY")
        .text(tags::PATIENT_ORIENTATION, VR::CS, &picture.towards.join("\\"))
        .text(tags::BURNED_IN_ANNOTATION, VR::CS, "YES")
        .long_text(tags::IMAGE_COMMENTS, picture.about)
        .items(tags::SOURCE_IMAGE_SEQUENCE, [source])
        .decimals(tags::PIXEL_SPACING, &picture.spacing_mm)
        .text(tags::PIXEL_SPACING_CALIBRATION_TYPE, VR::CS, "GEOMETRY")
        .text(tags::PIXEL_SPACING_CALIBRATION_DESCRIPTION, VR::LO, "resampled from the source image");
    let item = samples(item, [columns, rows])
        .all_of(picture.object.source.lossy())
        .bytes(tags::PIXEL_DATA, picture.rgb.to_vec());
    finish(uids::SECONDARY_CAPTURE_IMAGE_STORAGE, item, picture.object.source)
}

/// Three samples of 8 bits a pixel, side by side.
fn samples(item: Item, [columns, rows]: [u16; 2]) -> Item {
    item.short(tags::SAMPLES_PER_PIXEL, 3)
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB")
        .short(tags::PLANAR_CONFIGURATION, 0)
        .short(tags::ROWS, rows)
        .short(tags::COLUMNS, columns)
        .short(tags::BITS_ALLOCATED, 8)
        .short(tags::BITS_STORED, 8)
        .short(tags::HIGH_BIT, 7)
        .short(tags::PIXEL_REPRESENTATION, 0)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{grid, object, source};
    use super::*;
    use crate::dicom::element;
    use crate::dicom::file::open_whole;

    #[test]
    fn a_picture_comes_back_pixel_by_pixel_names_its_source_and_says_what_is_burned_in() {
        let folder = tempfile::tempdir().unwrap();
        let (source, slices) = source(folder.path(), &grid());
        let rgb: Vec<u8> = (0..45).collect();
        let picture = KeyPictureToWrite {
            object: object(&source),
            slice: &slices[2],
            number: 4,
            about: "L1, 2024-03-01: present",
            size: [5, 3],
            rgb: &rgb,
            spacing_mm: [0.25, 0.26],
            towards: ["L", "P"],
        };
        let written = key_picture(&picture).unwrap();
        assert_eq!(written, key_picture(&picture).unwrap(), "the same picture is the same object");
        let other = KeyPictureToWrite { rgb: &[7; 45], ..picture };
        let other = key_picture(&other).unwrap();
        assert_eq!(written.series_uid, other.series_uid);
        assert_ne!(written.sop_instance_uid, other.sop_instance_uid);
        let path = folder.path().join("key.dcm");
        std::fs::write(&path, written.bytes).unwrap();
        let (read, ..) = open_whole(&path).unwrap();
        assert_eq!(read.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap()[..45], rgb);
        let text = |tag| element::text(&read, tag);
        assert_eq!(text(tags::PIXEL_SPACING).as_deref(), Some("0.25\\0.26"), "rows first");
        assert_eq!(text(tags::BURNED_IN_ANNOTATION).as_deref(), Some("YES"));
        assert_eq!(text(tags::STUDY_INSTANCE_UID).as_deref(), Some("1.2.1"));
        let source = element::first_item(&read, tags::SOURCE_IMAGE_SEQUENCE).unwrap();
        assert_eq!(element::text(source, tags::REFERENCED_SOP_INSTANCE_UID), Some(slices[2].sop_instance_uid.clone()));
        assert!(key_picture(&KeyPictureToWrite { size: [5, 4], ..picture }).is_err());
        assert!(key_picture(&KeyPictureToWrite { size: [70_000, 1], ..picture }).is_err());
    }
}
