//! Reads a DICOM segmentation: binary, fractional or label map, with overlapping segments, sparse and in any order of frames.
//!
//! A frame says itself which segment and which slice it belongs to; the order of frames means nothing. Every segment becomes a
//! mask of its own, because segments may overlap.
//!
//! Source: DICOM PS3.3 A.51 (Segmentation), C.8.20 (Segmentation modules); PS3.5 8.1.1 (one-bit pixels, low bit first, frames
//! not padded to bytes).

use std::path::{Path, PathBuf};

use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;
use imaging::{FrameId, Grid, GridError, Mask, Note, Noted, Volume};
use thiserror::Error;

use super::element;
use super::file::open_whole;
use super::functional_groups::FunctionalGroups;
use super::header::{HeaderError, SliceHeader, header_of};
use placement::{Placement, place};
use seg_grid::{FramePlane, grid_of};

mod pixels;
pub mod placement;
mod seg_grid;

/// Why a segmentation or a mask of it cannot be had.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SegError {
    /// The file cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The file is no segmentation.
    #[error("{} is not a segmentation (modality {modality}); name the SEG file", path.display())]
    NotASegmentation {
        /// File.
        path: PathBuf,
        /// Modality found.
        modality: String,
    },
    /// Something the frames need is missing or contradictory.
    #[error("{}: {reason}; export the segmentation again", path.display())]
    Malformed {
        /// File.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No such segment.
    #[error("the segmentation has no segment {number} (it has {present:?})")]
    NoSegment {
        /// Number asked for.
        number: u16,
        /// Numbers present.
        present: Vec<u16>,
    },
    /// The segmentation lives in another frame of reference.
    #[error("segment {number}: {source}; register the images first")]
    OtherFrame {
        /// Segment number.
        number: u16,
        /// Expected and found frame.
        source: GridError,
    },
    /// No voxel of the segment lies in the image.
    #[error("segment {number} ({n_voxels} voxels) lies wholly outside the image; it was drawn on another one")]
    Outside {
        /// Segment number.
        number: u16,
        /// Its voxels.
        n_voxels: usize,
    },
}

/// How the values of the pixels are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentationType {
    /// One bit a pixel.
    Binary,
    /// Probability that the pixel belongs to the segment, as a share of the maximum.
    Probability {
        /// Maximum Fractional Value.
        maximum: u16,
    },
    /// Share of the pixel that the segment occupies.
    Occupancy {
        /// Maximum Fractional Value.
        maximum: u16,
    },
    /// The value is the segment's number.
    LabelMap,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Segment Number.
    pub number: u16,
    /// Segment Label.
    pub label: String,
    /// Meaning of the property category, such as `Morphologically Altered Structure`.
    pub category: Option<String>,
    /// Meaning of the property type, such as `Neoplasm`.
    pub property_type: Option<String>,
    /// Tracking Identifier, where the segment is followed over time.
    pub tracking_id: Option<String>,
    /// Tracking UID.
    pub tracking_uid: Option<String>,
}

/// A segmentation with its pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Patient ID as written.
    pub patient_id: String,
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UID of the images it was drawn on, where stated.
    pub referenced_series_uid: Option<String>,
    /// How its pixels are meant.
    pub kind: SegmentationType,
    /// Its segments by number.
    pub segments: Vec<Segment>,
    /// The grid its frames lie on: every slice between the lowest and the highest, drawn or not.
    grid: Grid,
    /// Extent of a frame across its plane, mm.
    slice_thickness: Option<f64>,
    frames: Vec<Frame>,
    pixels: pixels::Pixels,
}

/// Which segment (none in a label map) and which slice of the grid a frame belongs to.
#[derive(Debug, Clone, PartialEq)]
struct Frame {
    segment: Option<u16>,
    k: usize,
}

/// Reads a segmentation.
pub fn read_segmentation(path: &Path) -> Result<Noted<Segmentation>, SegError> {
    let (object, transfer_syntax, mut start) = open_whole(path)?;
    let modality = element::text(&object, tags::MODALITY).unwrap_or_else(|| "none".to_owned());
    if modality != "SEG" {
        return Err(SegError::NotASegmentation { path: path.to_owned(), modality });
    }
    let header = header_of(path, &object, transfer_syntax, &mut start)?;
    let malformed = |reason: String| SegError::Malformed { path: path.to_owned(), reason };
    let kind = kind_of(&object).map_err(malformed)?;
    let (planes, segments_of_frames) = planes_of(&object, &header, kind).map_err(malformed)?;
    let frame_uid = header.frame_uid.clone().ok_or_else(|| malformed("it states no Frame of Reference UID".into()))?;
    let first = &planes[0];
    let (grid, ks) = grid_of(&planes, &header, FrameId::new(frame_uid)).map_err(malformed)?;
    let slice_thickness = first.thickness_mm;
    let frames = segments_of_frames.into_iter().zip(ks).map(|(segment, k)| Frame { segment, k }).collect();
    let pixels = pixels::Pixels::read(&object, &header).map_err(malformed)?;
    let segments = segments_of(&object);
    let mut notes = Vec::new();
    note_kind(kind, &header, &mut notes);
    let referenced = element::first_item(&object, tags::REFERENCED_SERIES_SEQUENCE)
        .and_then(|item| element::text(item, tags::SERIES_INSTANCE_UID));
    let segmentation = Segmentation {
        sop_instance_uid: header.sop_instance_uid.clone(),
        patient_id: header.patient_id.clone(),
        study_uid: header.study_uid.clone(),
        referenced_series_uid: referenced,
        kind,
        segments,
        grid,
        slice_thickness,
        frames,
        pixels,
    };
    Ok(Noted::new(segmentation, notes))
}

fn kind_of(object: &InMemDicomObject) -> Result<SegmentationType, String> {
    let kind = element::text(object, tags::SEGMENTATION_TYPE).ok_or("Segmentation Type (0062,0001) is missing")?;
    let maximum = element::count(object, tags::MAXIMUM_FRACTIONAL_VALUE).and_then(|v| u16::try_from(v).ok());
    match kind.as_str() {
        "BINARY" => Ok(SegmentationType::Binary),
        "LABELMAP" => Ok(SegmentationType::LabelMap),
        "FRACTIONAL" => {
            let maximum = maximum.filter(|m| *m > 0).ok_or("Maximum Fractional Value (0062,000E) is missing")?;
            match element::text(object, tags::SEGMENTATION_FRACTIONAL_TYPE).as_deref() {
                Some("OCCUPANCY") => Ok(SegmentationType::Occupancy { maximum }),
                _ => Ok(SegmentationType::Probability { maximum }),
            }
        }
        other => Err(format!("Segmentation Type (0062,0001) is {other}, expected BINARY, FRACTIONAL or LABELMAP")),
    }
}

/// Plane and segment of every frame.
type Frames = (Vec<FramePlane>, Vec<Option<u16>>);

fn planes_of(object: &InMemDicomObject, header: &SliceHeader, kind: SegmentationType) -> Result<Frames, String> {
    let groups = FunctionalGroups::of(object).ok_or("it has no functional groups (5200,9229/9230)")?;
    if header.n_frames == 0 || header.n_frames > 65_536 {
        return Err(format!("it claims {} frames", header.n_frames));
    }
    let mut planes = Vec::with_capacity(header.n_frames as usize);
    let mut segments = Vec::with_capacity(header.n_frames as usize);
    for n in 0..header.n_frames as usize {
        let lacks = |what: &str| format!("frame {} has no {what}", n + 1);
        let measures = groups.measures(n);
        planes.push(FramePlane {
            position: groups.position(n).ok_or_else(|| lacks("Image Position (0020,0032)"))?,
            orientation: groups.orientation(n).ok_or_else(|| lacks("Image Orientation (0020,0037)"))?,
            spacing: measures
                .and_then(|m| element::array(m, tags::PIXEL_SPACING))
                .ok_or_else(|| lacks("Pixel Spacing (0028,0030)"))?,
            thickness_mm: measures.and_then(|m| element::float(m, tags::SLICE_THICKNESS)).filter(|t| *t > 0.0),
            between_mm: measures
                .and_then(|m| element::float(m, tags::SPACING_BETWEEN_SLICES))
                .map(f64::abs)
                .filter(|t| *t > 0.0),
        });
        let number = groups
            .item(n, tags::SEGMENT_IDENTIFICATION_SEQUENCE)
            .and_then(|item| element::count(item, tags::REFERENCED_SEGMENT_NUMBER))
            .and_then(|number| u16::try_from(number).ok());
        segments.push(match kind {
            SegmentationType::LabelMap => None,
            _ => Some(number.ok_or_else(|| lacks("Referenced Segment Number (0062,000B)"))?),
        });
    }
    Ok((planes, segments))
}

fn segments_of(object: &InMemDicomObject) -> Vec<Segment> {
    let meaning = |item, tag| element::first_item(item, tag).and_then(|code| element::text(code, tags::CODE_MEANING));
    let mut segments: Vec<Segment> = element::items(object, tags::SEGMENT_SEQUENCE)
        .iter()
        .filter_map(|item| {
            let number = u16::try_from(element::count(item, tags::SEGMENT_NUMBER)?).ok()?;
            Some(Segment {
                number,
                label: element::text(item, tags::SEGMENT_LABEL).unwrap_or_default(),
                category: meaning(item, tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE),
                property_type: meaning(item, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE),
                tracking_id: element::text(item, tags::TRACKING_ID),
                tracking_uid: element::text(item, tags::TRACKING_UID),
            })
        })
        .collect();
    segments.sort_by_key(|s| s.number);
    segments
}

fn note_kind(kind: SegmentationType, header: &SliceHeader, notes: &mut Vec<Note>) {
    let word = match kind {
        SegmentationType::Probability { .. } => "probabilities",
        SegmentationType::Occupancy { .. } => "occupancies",
        SegmentationType::Binary | SegmentationType::LabelMap => return,
    };
    let message = format!("the segmentation holds {word}; a voxel belongs to a segment from one half on");
    notes.push(Note::warning("fractional_segmentation", header.sop_instance_uid.clone(), message));
}

impl Segmentation {
    /// The grid its frames lie on (LPS mm): every slice between the lowest and the highest, drawn or not.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The mask of one segment on the segmentation's own grid.
    pub fn mask(&self, number: u16) -> Result<Mask, SegError> {
        let mut mask = Volume::filled(self.grid.clone(), false);
        self.check_segment(number)?;
        let n = self.grid.shape().ni * self.grid.shape().nj;
        for (index, frame) in self.frames.iter().enumerate() {
            if frame.segment.is_some_and(|s| s != number) {
                continue;
            }
            let slice = &mut mask.values_mut()[frame.k * n..(frame.k + 1) * n];
            for (at, voxel) in slice.iter_mut().enumerate() {
                *voxel |= self.belongs(self.pixels.value(index * n + at), number);
            }
        }
        Ok(mask)
    }

    /// The mask of one segment on an image's grid in the same frame of reference. Where both grids share their voxel centres
    /// every voxel is kept as it is; else the mask is resampled, with a note. What lies outside the image is counted in a note.
    pub fn mask_on(&self, number: u16, grid: &Grid) -> Result<Noted<Mask>, SegError> {
        if self.grid.frame() != grid.frame() {
            let source = GridError::OtherFrame { expected: grid.frame().clone(), found: self.grid.frame().clone() };
            return Err(SegError::OtherFrame { number, source });
        }
        let own = self.mask(number)?;
        let n_voxels = own.n_voxels_set();
        let Placement { mask, resampled, n_outside } = place(&own, self.slice_thickness, grid);
        let subject = || format!("{} segment {number}", self.sop_instance_uid);
        let mut notes = Vec::new();
        if n_voxels > 0 && mask.n_voxels_set() == 0 {
            return Err(SegError::Outside { number, n_voxels });
        }
        if resampled {
            let ml = |m: &Mask| m.n_voxels_set() as f64 * m.grid().voxel_volume_mm3() / 1000.0;
            let message = format!(
                "its voxels are not the image's; the mask was resampled ({:.3} ml before, {:.3} ml after)",
                ml(&own),
                ml(&mask)
            );
            notes.push(Note::warning("segmentation_resampled", subject(), message));
        }
        if n_outside > 0 {
            let message = format!("{n_outside} of its {n_voxels} voxels lie outside the image and are left out");
            notes.push(Note::warning("segmentation_outside_image", subject(), message));
        }
        Ok(Noted::new(mask, notes))
    }

    /// Number of pixels of each frame that belong to its segment (in a label map: to any), in the order of the file.
    #[must_use]
    pub fn pixels_per_frame(&self) -> Vec<usize> {
        let n = self.grid.shape().ni * self.grid.shape().nj;
        let belongs = |frame: usize, at: usize| {
            let value = self.pixels.value(frame * n + at);
            self.frames[frame].segment.map_or(value != 0, |number| self.belongs(value, number))
        };
        (0..self.frames.len()).map(|frame| (0..n).filter(|at| belongs(frame, *at)).count()).collect()
    }

    fn belongs(&self, value: u16, number: u16) -> bool {
        match self.kind {
            SegmentationType::Binary => value != 0,
            SegmentationType::LabelMap => value == number,
            SegmentationType::Probability { maximum } | SegmentationType::Occupancy { maximum } => {
                u32::from(value) * 2 >= u32::from(maximum)
            }
        }
    }

    fn check_segment(&self, number: u16) -> Result<(), SegError> {
        let present: Vec<u16> = self.segments.iter().map(|s| s.number).collect();
        if present.contains(&number) { Ok(()) } else { Err(SegError::NoSegment { number, present }) }
    }
}

#[cfg(test)]
mod tests;
