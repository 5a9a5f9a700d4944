//! Writes outlines on the slices of one series as a segmentation: binary, one segment each, every frame naming the slice it was
//! drawn on.
//!
//! Only slices that a segment reaches become frames. Frames lie on the grid given, oblique or not, and their order is segment, then
//! slice.
//!
//! Source: DICOM PS3.3 A.51 (Segmentation), C.8.20.2 (Segmentation Image), C.7.6.16 (functional groups), C.7.6.17 (dimensions),
//! C.12.2 (Common Instance Reference); PS3.5 8.1.1 (one-bit pixels, low bit first, frames not padded to bytes).

use dicom::core::VR;
use dicom::dictionary_std::{tags, uids};
use imaging::Grid;

use super::item::Item;
use super::object::{ObjectToWrite, WrittenObject, common, finish};
use super::{PlaneGeometry, WriteError, plane_of_grid};
use crate::dicom::sr::Code;
use crate::dicom::uid::derived_uid;

mod frames;

use frames::Drawn;
pub use frames::SegmentVoxels;

/// What is followed over time, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracking {
    /// Tracking ID, such as `L1`.
    pub identifier: String,
    /// Tracking UID.
    pub uid: String,
}

/// How an outline came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutlineMethod {
    /// Without a person; the algorithm's name.
    Automatic(String),
    /// With a person, or by means that are not known; what is known of them.
    SemiAutomatic(String),
    /// By a person.
    Manual,
}

/// One segment.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentToWrite<'a> {
    /// Segment Label, and what the segment is in words.
    pub label: String,
    /// What more is to be said of it.
    pub description: Option<String>,
    /// Segmented Property Category.
    pub category: Code,
    /// Segmented Property Type.
    pub property_type: Code,
    /// Anatomic Region, where it is known.
    pub region: Option<Code>,
    /// Its identity over time.
    pub tracking: Option<Tracking>,
    /// How it was outlined.
    pub method: OutlineMethod,
    /// Its voxels.
    pub voxels: SegmentVoxels<'a>,
}

/// The image a slice of the grid is, or is nearest to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceSlice {
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Frame of a multi-frame image, from 1.
    pub frame: Option<u32>,
}

/// A segmentation to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentationToWrite<'a> {
    /// Where it belongs, and who made it.
    pub object: ObjectToWrite<'a>,
    /// The grid of the series: every segment lies on it.
    pub grid: &'a Grid,
    /// The image of each slice k.
    pub slices: &'a [SourceSlice],
    /// The segments; Segment Number is the place in this list, from 1.
    pub segments: &'a [SegmentToWrite<'a>],
}

/// A written segmentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenSegmentation {
    /// The file.
    pub object: WrittenObject,
    frames: Vec<(u16, usize)>,
}

impl WrittenSegmentation {
    /// The frame, from 1, that shows a segment in slice k of the grid.
    #[must_use]
    pub fn frame_of(&self, segment: u16, k: usize) -> Option<u32> {
        self.frames.iter().position(|frame| *frame == (segment, k)).map(|n| n as u32 + 1)
    }

    /// Whether a segment has any voxel.
    #[must_use]
    pub fn shows(&self, segment: u16) -> bool {
        self.frames.iter().any(|(number, _)| *number == segment)
    }
}

/// The bytes of a segmentation.
///
/// # Errors
/// The grid is sheared, slices and images do not match, a segment lies on another grid, or no segment has a voxel.
pub fn segmentation(to_write: &SegmentationToWrite<'_>) -> Result<WrittenSegmentation, WriteError> {
    let shape = to_write.grid.shape();
    let plane = plane_of_grid(to_write.grid)?;
    if to_write.slices.len() != shape.nk {
        return Err(WriteError::SopInstances { expected: shape.nk, found: to_write.slices.len() });
    }
    if to_write.segments.iter().any(|segment| segment.voxels.grid().shape() != shape) {
        return Err(WriteError::Grid("a segment lies on other voxels than the series"));
    }
    let drawn = frames::draw(to_write.segments, shape);
    if drawn.frames.is_empty() {
        return Err(WriteError::Empty);
    }
    let item = image(to_write, &drawn)
        .items(tags::SEGMENT_SEQUENCE, to_write.segments.iter().enumerate().map(|(n, s)| segment(n as u16 + 1, s)))
        .items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, [shared(&plane)])
        .items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames::functional_groups(to_write, &drawn));
    let item = references(dimensions(item, to_write), to_write).bytes(tags::PIXEL_DATA, drawn.bits);
    let object = finish(uids::SEGMENTATION_STORAGE, item, to_write.object.source)?;
    Ok(WrittenSegmentation { object, frames: drawn.frames })
}

/// Series, frame of reference, pixels' form and what the object is.
fn image(to_write: &SegmentationToWrite<'_>, drawn: &Drawn) -> Item {
    let shape = to_write.grid.shape();
    let source = to_write.object.source;
    let item = common("SEG", &to_write.object)
        .text(tags::FRAME_OF_REFERENCE_UID, VR::UI, to_write.grid.frame().as_str())
        .text(tags::POSITION_REFERENCE_INDICATOR, VR::LO, source.position_reference())
        .text(tags::IMAGE_TYPE, VR::CS, "DERIVED\\PRIMARY")
        .short(tags::SAMPLES_PER_PIXEL, 1)
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
        .text(tags::NUMBER_OF_FRAMES, VR::IS, &drawn.frames.len().to_string())
        .short(tags::ROWS, shape.nj as u16)
        .short(tags::COLUMNS, shape.ni as u16)
        .short(tags::BITS_ALLOCATED, 1)
        .short(tags::BITS_STORED, 1)
        .short(tags::HIGH_BIT, 0)
        .short(tags::PIXEL_REPRESENTATION, 0)
        .text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00")
        .text(tags::SEGMENTATION_TYPE, VR::CS, "BINARY")
        .text(tags::SEGMENTS_OVERLAP, VR::CS, if drawn.overlap { "YES" } else { "NO" })
        .text(tags::CONTENT_LABEL, VR::CS, "LESIONS")
        .long_string(tags::CONTENT_DESCRIPTION, "Lesions, ablation zones and organ as outlined")
        .text(tags::CONTENT_CREATOR_NAME, VR::PN, "");
    item.all_of(source.lossy())
}

fn segment(number: u16, segment: &SegmentToWrite<'_>) -> Item {
    let (kind, algorithm) = match &segment.method {
        OutlineMethod::Automatic(name) => ("AUTOMATIC", Some(name)),
        OutlineMethod::SemiAutomatic(name) => ("SEMIAUTOMATIC", Some(name)),
        OutlineMethod::Manual => ("MANUAL", None),
    };
    let mut item = Item::new()
        .short(tags::SEGMENT_NUMBER, number)
        .long_string(tags::SEGMENT_LABEL, &segment.label)
        .text(tags::SEGMENT_ALGORITHM_TYPE, VR::CS, kind)
        .code(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, &segment.category)
        .code(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, &segment.property_type);
    if let Some(description) = &segment.description {
        item = item.text(tags::SEGMENT_DESCRIPTION, VR::ST, description);
    }
    if let Some(name) = algorithm {
        item = item.long_string(tags::SEGMENT_ALGORITHM_NAME, name);
    }
    if let Some(region) = &segment.region {
        item = item.code(tags::ANATOMIC_REGION_SEQUENCE, region);
    }
    if let Some(tracking) = &segment.tracking {
        item = item.text(tags::TRACKING_ID, VR::UT, &tracking.identifier);
        item = item.text(tags::TRACKING_UID, VR::UI, &tracking.uid);
    }
    item
}

/// What all frames share: how large a pixel is and how the planes lie.
fn shared(plane: &PlaneGeometry) -> Item {
    let [column_spacing, row_spacing, slice_spacing] = plane.spacing_mm;
    let orientation: Vec<f64> = plane.row.iter().chain(plane.column.iter()).copied().collect();
    let measures = Item::new()
        .decimals(tags::PIXEL_SPACING, &[row_spacing, column_spacing])
        .decimals(tags::SLICE_THICKNESS, &[slice_spacing])
        .decimals(tags::SPACING_BETWEEN_SLICES, &[slice_spacing]);
    Item::new()
        .items(tags::PIXEL_MEASURES_SEQUENCE, [measures])
        .items(tags::PLANE_ORIENTATION_SEQUENCE, [Item::new().decimals(tags::IMAGE_ORIENTATION_PATIENT, &orientation)])
}

/// The index by which frames are ordered: segment, then place.
fn dimensions(item: Item, to_write: &SegmentationToWrite<'_>) -> Item {
    let source = to_write.object.source;
    let organization = derived_uid(&["lesiontrace dimensions", source.series_uid()]);
    let index = |pointer, group, label: &str| {
        Item::new()
            .text(tags::DIMENSION_ORGANIZATION_UID, VR::UI, &organization)
            .pointer(tags::DIMENSION_INDEX_POINTER, pointer)
            .pointer(tags::FUNCTIONAL_GROUP_POINTER, group)
            .text(tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, label)
    };
    item.items(
        tags::DIMENSION_ORGANIZATION_SEQUENCE,
        [Item::new().text(tags::DIMENSION_ORGANIZATION_UID, VR::UI, &organization)],
    )
    .items(
        tags::DIMENSION_INDEX_SEQUENCE,
        [
            index(tags::REFERENCED_SEGMENT_NUMBER, tags::SEGMENT_IDENTIFICATION_SEQUENCE, "Segment Number"),
            index(tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE, "Image Position"),
        ],
    )
}

/// The series and the images the outlines were drawn on.
fn references(item: Item, to_write: &SegmentationToWrite<'_>) -> Item {
    let instances = instances(to_write.slices).map(|(class, instance)| reference(class, instance));
    let series = Item::new()
        .text(tags::SERIES_INSTANCE_UID, VR::UI, to_write.object.source.series_uid())
        .items(tags::REFERENCED_INSTANCE_SEQUENCE, instances);
    item.items(tags::REFERENCED_SERIES_SEQUENCE, [series])
}

/// Class and instance of every image once, in the order of slices.
pub(super) fn instances(slices: &[SourceSlice]) -> impl Iterator<Item = (&str, &str)> {
    let is_first = |n: usize| slices[..n].iter().all(|s| s.sop_instance_uid != slices[n].sop_instance_uid);
    let first = slices.iter().enumerate().filter(move |(n, _)| is_first(*n));
    first.map(|(_, slice)| (slice.sop_class_uid.as_str(), slice.sop_instance_uid.as_str()))
}

/// A reference to an instance.
pub(super) fn reference(sop_class_uid: &str, sop_instance_uid: &str) -> Item {
    Item::new().text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, sop_class_uid).text(
        tags::REFERENCED_SOP_INSTANCE_UID,
        VR::UI,
        sop_instance_uid,
    )
}

/// A reference to the image of a slice.
pub(super) fn reference_to(slice: &SourceSlice) -> Item {
    let item = reference(&slice.sop_class_uid, &slice.sop_instance_uid);
    match slice.frame {
        Some(frame) => item.text(tags::REFERENCED_FRAME_NUMBER, VR::IS, &frame.to_string()),
        None => item,
    }
}

#[cfg(test)]
mod tests;
