//! Real segmentations are in `tests/real_data.rs`; here are made ones, byte by byte.

use dicom::core::value::DataSetSequence;
use dicom::core::{DataElement, PrimitiveValue, Tag, VR};
use dicom::dictionary_std::uids;
use dicom::object::FileMetaTableBuilder;
use imaging::{Index3, Point, Shape};
use nalgebra::{Rotation3, Vector3};

use super::*;

fn text(tag: Tag, vr: VR, value: &str) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, vr, PrimitiveValue::from(value))
}

fn number(tag: Tag, value: u16) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::US, PrimitiveValue::from(value))
}

fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

fn item(elements: impl IntoIterator<Item = DataElement<InMemDicomObject>>) -> InMemDicomObject {
    InMemDicomObject::from_element_iter(elements)
}

/// An oblique grid of 5 x 3 voxels, 4 slices.
fn image_grid() -> Grid {
    let directions = *Rotation3::from_euler_angles(0.3, -0.2, 0.5).matrix();
    let shape = Shape { ni: 5, nj: 3, nk: 4 };
    Grid::from_directions(shape, Point::new(-30.0, 12.0, 400.0), [0.8, 1.1, 3.0], directions, FrameId::new("1.9"))
        .unwrap()
}

fn joined(v: impl IntoIterator<Item = f64>) -> String {
    v.into_iter().map(|x| format!("{x:.10}")).collect::<Vec<_>>().join("\\")
}

/// Writes a segmentation on [`image_grid`]; frames are (segment, slice), pixels as given.
fn write(path: &Path, kind: &str, frames: &[(u16, usize)], bits: u16, pixels: &[u8]) {
    let grid = image_grid();
    let d = grid.directions();
    let orientation = joined(d.column(0).iter().chain(d.column(1).iter()).copied());
    let shared = item([
        sequence(
            tags::PIXEL_MEASURES_SEQUENCE,
            vec![item([
                text(tags::PIXEL_SPACING, VR::DS, "1.1\\0.8"),
                text(tags::SLICE_THICKNESS, VR::DS, "3"),
                text(tags::SPACING_BETWEEN_SLICES, VR::DS, "3"),
            ])],
        ),
        sequence(
            tags::PLANE_ORIENTATION_SEQUENCE,
            vec![item([text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, &orientation)])],
        ),
    ]);
    let per_frame = frames
        .iter()
        .map(|&(segment, k)| {
            let p = grid.center(Index3 { i: 0, j: 0, k }).coords;
            let place = item([text(tags::IMAGE_POSITION_PATIENT, VR::DS, &joined(p.iter().copied()))]);
            let segment = item([number(tags::REFERENCED_SEGMENT_NUMBER, segment)]);
            item([
                sequence(tags::PLANE_POSITION_SEQUENCE, vec![place]),
                sequence(tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![segment]),
            ])
        })
        .collect();
    let segments =
        (1..=2).map(|n| item([number(tags::SEGMENT_NUMBER, n), text(tags::SEGMENT_LABEL, VR::LO, "tumour")]));
    let mut object = item([
        text(tags::SOP_CLASS_UID, VR::UI, uids::SEGMENTATION_STORAGE),
        text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3"),
        text(tags::PATIENT_ID, VR::LO, "P1"),
        text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2"),
        text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.4"),
        text(tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.9"),
        text(tags::MODALITY, VR::CS, "SEG"),
        text(tags::SEGMENTATION_TYPE, VR::CS, kind),
        number(tags::MAXIMUM_FRACTIONAL_VALUE, 200),
        text(tags::SEGMENTATION_FRACTIONAL_TYPE, VR::CS, "PROBABILITY"),
        text(tags::NUMBER_OF_FRAMES, VR::IS, &frames.len().to_string()),
        number(tags::ROWS, 3),
        number(tags::COLUMNS, 5),
        number(tags::BITS_ALLOCATED, bits),
        number(tags::BITS_STORED, bits),
        number(tags::SAMPLES_PER_PIXEL, 1),
        sequence(tags::SEGMENT_SEQUENCE, segments.collect()),
        sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared]),
        sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, per_frame),
    ]);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::from(pixels.to_vec())));
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(uids::SEGMENTATION_STORAGE)
        .media_storage_sop_instance_uid("1.2.3")
        .build()
        .unwrap();
    object.with_exact_meta(meta).write_to_file(path).unwrap();
}

/// One bit a pixel, low bit first, frames not padded.
fn packed(pixels: &[bool]) -> Vec<u8> {
    let mut bytes = vec![0; pixels.len().div_ceil(16) * 2];
    pixels.iter().enumerate().filter(|(_, set)| **set).for_each(|(n, _)| bytes[n / 8] |= 1 << (n % 8));
    bytes
}

fn set(mask: &Mask) -> Vec<(usize, usize, usize)> {
    mask.indices_set().map(|Index3 { i, j, k }| (i, j, k)).collect()
}

#[test]
fn overlapping_sparse_frames_in_any_order_land_in_their_voxels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seg.dcm");
    // Segment 1 in slices 3 and 0 (in that order), segment 2 in slice 3, over segment 1.
    let mut pixels = vec![false; 45];
    for n in [0, 6, 15 + 14, 30 + 6, 30 + 7] {
        pixels[n] = true;
    }
    write(&path, "BINARY", &[(1, 3), (1, 0), (2, 3)], 1, &packed(&pixels));
    let seg = read_segmentation(&path).unwrap().value;
    assert_eq!(seg.pixels_per_frame(), [2, 1, 2]);
    assert_eq!(seg.grid().shape(), Shape { ni: 5, nj: 3, nk: 4 });
    let one = seg.mask_on(1, &image_grid()).unwrap();
    assert!(one.notes.is_empty(), "{:?}", one.notes);
    assert_eq!(set(&one.value), [(4, 2, 0), (0, 0, 3), (1, 1, 3)]);
    assert_eq!(set(&seg.mask_on(2, &image_grid()).unwrap().value), [(1, 1, 3), (2, 1, 3)]);
    assert!(matches!(seg.mask(3), Err(SegError::NoSegment { number: 3, .. })));
}

#[test]
fn an_image_with_its_slices_the_other_way_round_and_another_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seg.dcm");
    let mut pixels = vec![false; 15];
    pixels[7] = true;
    write(&path, "BINARY", &[(1, 1)], 1, &packed(&pixels));
    let seg = read_segmentation(&path).unwrap().value;
    // Index 0 of the flipped image is slice 3.
    let grid = image_grid();
    let linear = grid.voxel_to_patient().linear();
    let mut flipped = linear;
    flipped.column_mut(2).neg_mut();
    let last: Vector3<f64> = grid.center(Index3 { i: 0, j: 0, k: 3 }).coords;
    let affine = imaging::Affine::from_parts(flipped, last);
    let flipped = Grid::new(grid.shape(), affine, grid.frame().clone()).unwrap();
    assert_eq!(set(&seg.mask_on(1, &flipped).unwrap().value), [(2, 1, 2)]);
    let other = image_grid().with_frame(FrameId::new("1.10"));
    assert!(matches!(seg.mask_on(1, &other), Err(SegError::OtherFrame { .. })));
}

#[test]
fn fractions_from_one_half_on_and_label_maps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seg.dcm");
    let mut values = vec![0_u8; 16];
    (values[3], values[4], values[5]) = (99, 100, 200);
    write(&path, "FRACTIONAL", &[(1, 2)], 8, &values);
    let noted = read_segmentation(&path).unwrap();
    assert_eq!(noted.notes[0].code, "fractional_segmentation");
    assert_eq!(set(&noted.value.mask_on(1, &image_grid()).unwrap().value), [(4, 0, 2), (0, 1, 2)]);
    (values[3], values[4], values[5]) = (1, 2, 2);
    write(&path, "LABELMAP", &[(0, 2)], 8, &values);
    let seg = read_segmentation(&path).unwrap().value;
    assert_eq!(set(&seg.mask_on(2, &image_grid()).unwrap().value), [(4, 0, 2), (0, 1, 2)]);
    assert_eq!(seg.pixels_per_frame(), [3]);
    write(&path, "BINARY", &[(1, 0), (1, 1)], 1, &[0; 2]);
    assert!(matches!(read_segmentation(&path), Err(SegError::Malformed { .. })));
}

#[test]
fn a_finer_image_gets_a_resampled_mask_with_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seg.dcm");
    write(&path, "BINARY", &[(1, 1), (1, 2)], 1, &packed(&[true; 30]));
    let seg = read_segmentation(&path).unwrap().value;
    let fine = imaging::resample::regrid(&image_grid(), [0.4, 0.55, 1.0]).unwrap();
    let noted = seg.mask_on(1, &fine).unwrap();
    assert_eq!(noted.notes[0].code, "segmentation_resampled");
    let ml = noted.value.n_voxels_set() as f64 * fine.voxel_volume_mm3();
    assert!((ml - 30.0 * image_grid().voxel_volume_mm3()).abs() < 1.0, "{ml}");
}
