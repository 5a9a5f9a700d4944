//! The frames of a segmentation: which there are, their pixels, and what each says of itself.

use dicom::dictionary_std::tags;
use imaging::{Grid, Index3, LabelMap, Mask, Shape};

use super::super::item::Item;
use super::{SegmentToWrite, SegmentationToWrite, reference_to};
use crate::dicom::sr::Code;

/// The voxels of a segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SegmentVoxels<'a> {
    /// Those of a label in a map.
    Label(&'a LabelMap, u16),
    /// Those of a mask.
    Mask(&'a Mask),
}

impl SegmentVoxels<'_> {
    /// The grid they lie on.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        match self {
            Self::Label(map, _) => map.grid(),
            Self::Mask(mask) => mask.grid(),
        }
    }

    fn is_set(&self, n: usize) -> bool {
        match self {
            Self::Label(map, label) => map.values()[n] == *label,
            Self::Mask(mask) => mask.values()[n],
        }
    }
}

/// All frames.
pub(super) struct Drawn {
    /// Segment and slice of each, by segment, then slice.
    pub(super) frames: Vec<(u16, usize)>,
    /// Their pixels, a bit each, to an even number of bytes.
    pub(super) bits: Vec<u8>,
    /// Whether any voxel belongs to two segments.
    pub(super) overlap: bool,
}

/// Frames for the slices that each segment reaches.
pub(super) fn draw(segments: &[SegmentToWrite<'_>], shape: Shape) -> Drawn {
    let n = shape.ni * shape.nj;
    let mut drawn = Drawn { frames: Vec::new(), bits: Vec::new(), overlap: false };
    let mut taken = vec![false; shape.n_voxels()];
    for (number, segment) in (1_u16..).zip(segments) {
        for k in 0..shape.nk {
            let voxels = k * n..(k + 1) * n;
            if !voxels.clone().any(|at| segment.voxels.is_set(at)) {
                continue;
            }
            let first_bit = drawn.frames.len() * n;
            drawn.frames.push((number, k));
            drawn.bits.resize((first_bit + n).div_ceil(8), 0);
            for (at, voxel) in voxels.enumerate().filter(|(_, voxel)| segment.voxels.is_set(*voxel)) {
                let bit = first_bit + at;
                drawn.bits[bit / 8] |= 1 << (bit % 8);
                drawn.overlap |= std::mem::replace(&mut taken[voxel], true);
            }
        }
    }
    if !drawn.bits.len().is_multiple_of(2) {
        drawn.bits.push(0);
    }
    drawn
}

/// What each frame says: its segment, its place, and the image it was drawn on.
pub(super) fn functional_groups(to_write: &SegmentationToWrite<'_>, drawn: &Drawn) -> Vec<Item> {
    let mut places: Vec<usize> = drawn.frames.iter().map(|(_, k)| *k).collect();
    places.sort_unstable();
    places.dedup();
    let place = |k: usize| places.iter().position(|p| *p == k).map_or(0, |n| n as u32 + 1);
    drawn.frames.iter().map(|(segment, k)| functional_group(to_write, *segment, *k, place(*k))).collect()
}

fn functional_group(to_write: &SegmentationToWrite<'_>, segment: u16, k: usize, place: u32) -> Item {
    let position = to_write.grid.center(Index3 { i: 0, j: 0, k }).coords;
    let image = reference_to(&to_write.slices[k]).code(
        tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE,
        &Code::new("121322", "DCM", "Source image for image processing operation"),
    );
    let derivation = Item::new()
        .items(tags::SOURCE_IMAGE_SEQUENCE, [image])
        .code(tags::DERIVATION_CODE_SEQUENCE, &Code::new("113076", "DCM", "Segmentation"));
    Item::new()
        .items(
            tags::FRAME_CONTENT_SEQUENCE,
            [Item::new().longs(tags::DIMENSION_INDEX_VALUES, &[u32::from(segment), place])],
        )
        .items(tags::PLANE_POSITION_SEQUENCE, [Item::new().decimals(tags::IMAGE_POSITION_PATIENT, position.as_slice())])
        .items(tags::SEGMENT_IDENTIFICATION_SEQUENCE, [Item::new().short(tags::REFERENCED_SEGMENT_NUMBER, segment)])
        .items(tags::DERIVATION_IMAGE_SEQUENCE, [derivation])
}
