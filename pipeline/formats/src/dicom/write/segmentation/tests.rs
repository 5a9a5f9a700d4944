//! What is written is read back by this program's own reader, on a grid that is oblique, anisotropic and off centre.

use std::path::Path;

use imaging::{Grid, Index3, LabelMap};
use nalgebra::Vector3;

use super::super::fixture::{grid, object, outlines, segment, source};
use super::*;
use crate::dicom::file::open_whole;
use crate::dicom::{element, read_segmentation};

fn written(folder: &Path, grid: &Grid, segments: &[SegmentToWrite<'_>]) -> WrittenSegmentation {
    let (source, slices) = source(folder, grid);
    let to_write = SegmentationToWrite { object: object(&source), grid, slices: &slices, segments };
    segmentation(&to_write).unwrap()
}

#[test]
fn every_voxel_comes_back_where_it_was_with_its_identity() {
    let (folder, grid) = (tempfile::tempdir().unwrap(), grid());
    let (lesions, organ) = outlines(&grid);
    let segments = [
        segment("L1", SegmentVoxels::Label(&lesions, 1), Some("2.25.11")),
        segment("Läsion 9", SegmentVoxels::Label(&lesions, 9), Some("2.25.19")),
        segment("liver", SegmentVoxels::Mask(&organ), None),
    ];
    let written = written(folder.path(), &grid, &segments);
    let path = folder.path().join("seg.dcm");
    std::fs::write(&path, &written.object.bytes).unwrap();
    let noted = read_segmentation(&path).unwrap();
    assert_eq!(noted.notes, []);
    let seg = noted.value;
    assert_eq!((seg.patient_id.as_str(), seg.study_uid.as_str()), ("P 1", "1.2.1"));
    assert_eq!(seg.referenced_series_uid.as_deref(), Some("1.2.2"));
    let names: Vec<_> = seg.segments.iter().map(|s| (s.tracking_id.as_deref(), s.tracking_uid.as_deref())).collect();
    assert_eq!(names, [(Some("L1"), Some("2.25.11")), (Some("Läsion 9"), Some("2.25.19")), (None, None)]);
    assert_eq!(seg.segments[0].property_type.as_deref(), Some("Neoplasm"));
    let masks = [lesions.map(|v| *v == 1), lesions.map(|v| *v == 9), organ];
    for (number, expected) in (1_u16..).zip(&masks) {
        let back = seg.mask_on(number, &grid).unwrap();
        assert_eq!(back.notes, [], "segment {number}");
        assert_eq!(back.value.values(), expected.values(), "segment {number}");
    }
    assert_eq!((written.frame_of(1, 1), written.frame_of(1, 4), written.frame_of(2, 5)), (Some(1), Some(2), Some(3)));
    assert_eq!(written.frame_of(2, 1), None);
    assert!(written.shows(3) && !written.shows(4));
}

#[test]
fn every_frame_names_the_slice_it_was_drawn_on_and_its_place_in_the_index() {
    let (folder, grid) = (tempfile::tempdir().unwrap(), grid());
    let (lesions, organ) = outlines(&grid);
    let segments = [
        segment("L1", SegmentVoxels::Label(&lesions, 1), Some("2.25.11")),
        segment("liver", SegmentVoxels::Mask(&organ), None),
    ];
    let written = written(folder.path(), &grid, &segments);
    let path = folder.path().join("seg.dcm");
    std::fs::write(&path, &written.object.bytes).unwrap();
    let (object, ..) = open_whole(&path).unwrap();
    let frames = element::items(&object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let told: Vec<(Vec<u32>, String)> = frames
        .iter()
        .map(|frame| {
            let content = element::first_item(frame, tags::FRAME_CONTENT_SEQUENCE).unwrap();
            let index = content.get(tags::DIMENSION_INDEX_VALUES).unwrap().to_multi_int().unwrap();
            let derivation = element::first_item(frame, tags::DERIVATION_IMAGE_SEQUENCE).unwrap();
            let image = element::first_item(derivation, tags::SOURCE_IMAGE_SEQUENCE).unwrap();
            (index, element::text(image, tags::REFERENCED_SOP_INSTANCE_UID).unwrap())
        })
        .collect();
    // Slices 0, 1 and 4 are drawn on: places 1, 2 and 3.
    let expected =
        [([1, 2], "1.2.3.2"), ([1, 3], "1.2.3.5"), ([2, 1], "1.2.3.1"), ([2, 2], "1.2.3.2"), ([2, 3], "1.2.3.5")];
    assert_eq!(told, expected.map(|(index, uid)| (index.to_vec(), uid.to_owned())));
    assert_eq!(element::text(&object, tags::SEGMENTS_OVERLAP).as_deref(), Some("YES"));
    assert_eq!(element::text(&object, tags::PATIENT_SEX).as_deref(), Some("F"));
    assert_eq!(element::text(&object, tags::PATIENT_NAME), None);
    assert_eq!(element::text(&object, tags::CONTENT_TIME).as_deref(), Some("094102.000000"));
}

#[test]
fn the_same_outlines_give_the_same_bytes_and_others_another_identifier() {
    let (folder, grid) = (tempfile::tempdir().unwrap(), grid());
    let (mut lesions, _) = outlines(&grid);
    let write = |lesions: &LabelMap| {
        written(folder.path(), &grid, &[segment("L1", SegmentVoxels::Label(lesions, 1), Some("2.25.11"))]).object
    };
    let first = write(&lesions);
    assert_eq!(first, write(&lesions));
    lesions.data_mut()[[1, 3, 3]] = 1;
    let other = write(&lesions);
    assert_eq!(first.series_uid, other.series_uid);
    assert_ne!(first.sop_instance_uid, other.sop_instance_uid);
}

#[test]
fn what_cannot_be_written_is_refused() {
    let (folder, grid) = (tempfile::tempdir().unwrap(), grid());
    let (source, slices) = source(folder.path(), &grid);
    let (lesions, _) = outlines(&grid);
    let attempt = |grid: &Grid, slices: &[SourceSlice], label: u16| {
        let segments = [segment("L", SegmentVoxels::Label(&lesions, label), None)];
        segmentation(&SegmentationToWrite { object: object(&source), grid, slices, segments: &segments }).unwrap_err()
    };
    assert!(matches!(attempt(&grid, &slices, 7), WriteError::Empty));
    assert!(matches!(attempt(&grid, &slices[1..], 1), WriteError::SopInstances { expected: 6, found: 5 }));
    let linear = grid.voxel_to_patient().linear();
    let mut sheared = linear;
    sheared.set_column(2, &(linear.column(2) + Vector3::new(0.0, 0.5, 0.0)));
    let origin = grid.center(Index3 { i: 0, j: 0, k: 0 }).coords;
    let sheared = Grid::new(grid.shape(), imaging::Affine::from_parts(sheared, origin), grid.frame().clone()).unwrap();
    assert!(matches!(attempt(&sheared, &slices, 1), WriteError::Grid(_)));
}
