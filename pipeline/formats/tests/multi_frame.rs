//! Enhanced multi-frame images against the same voxels as single files: frames in any order, a rescale of their own, several
//! volumes in one file; and files that were damaged on purpose.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may unwrap and touch files")]

#[path = "series/ct.rs"]
mod ct;

use std::fs;
use std::path::Path;

use ct::{ct, write_ct};
use dicom::core::value::DataSetSequence;
use dicom::core::{DataElement, PrimitiveValue, Tag, VR};
use dicom::dictionary_std::{tags, uids};
use dicom::object::{FileMetaTableBuilder, InMemDicomObject, open_file};
use imaging::Volume;
use lesiontrace_formats::archive::index;
use lesiontrace_formats::dicom::{SuvOptions, derived_uid, read_dose, read_rtstruct, read_segmentation, read_series};

const N_SLICES: usize = 4;

fn volume() -> Volume<f32> {
    ct("multi-frame", N_SLICES)
}

fn write_single(dir: &Path, volume: &Volume<f32>) -> Vec<std::path::PathBuf> {
    write_ct(dir, volume, &derived_uid(&["series"]))
}

fn sequence(tag: Tag, item: InMemDicomObject) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![item]))
}

fn text(tag: Tag, vr: VR, value: impl Into<String>) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, vr, PrimitiveValue::from(value.into()))
}

/// One multi-frame file from single ones; frames in the order given, each with the temporal position given and 10 HU more.
fn write_multi(path: &Path, singles: &[std::path::PathBuf], frames: &[(usize, u16)]) {
    let first = open_file(&singles[0]).unwrap().into_inner();
    let mut object = first.clone();
    let moved = [
        tags::IMAGE_POSITION_PATIENT,
        tags::IMAGE_ORIENTATION_PATIENT,
        tags::PIXEL_SPACING,
        tags::SLICE_THICKNESS,
        tags::RESCALE_SLOPE,
        tags::RESCALE_INTERCEPT,
    ];
    let take = |from: &InMemDicomObject, tag| from.get(tag).unwrap().clone();
    let (mut items, mut pixels) = (Vec::new(), Vec::new());
    for &(k, time) in frames {
        let single = open_file(&singles[k]).unwrap().into_inner();
        let intercept = single.get(tags::RESCALE_INTERCEPT).unwrap().to_float64().unwrap() + 10.0 * f64::from(time);
        let rescale = InMemDicomObject::from_element_iter([
            take(&single, tags::RESCALE_SLOPE),
            text(tags::RESCALE_INTERCEPT, VR::DS, intercept.to_string()),
        ]);
        let content = InMemDicomObject::from_element_iter([DataElement::new(
            tags::TEMPORAL_POSITION_INDEX,
            VR::UL,
            PrimitiveValue::from(u32::from(time)),
        )]);
        let position = InMemDicomObject::from_element_iter([take(&single, tags::IMAGE_POSITION_PATIENT)]);
        items.push(InMemDicomObject::from_element_iter([
            sequence(tags::FRAME_CONTENT_SEQUENCE, content),
            sequence(tags::PLANE_POSITION_SEQUENCE, position),
            sequence(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, rescale),
        ]));
        pixels.extend(single.get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap().iter());
    }
    let measures =
        InMemDicomObject::from_element_iter([take(&first, tags::PIXEL_SPACING), take(&first, tags::SLICE_THICKNESS)]);
    let orientation = InMemDicomObject::from_element_iter([take(&first, tags::IMAGE_ORIENTATION_PATIENT)]);
    let shared = InMemDicomObject::from_element_iter([
        sequence(tags::PIXEL_MEASURES_SEQUENCE, measures),
        sequence(tags::PLANE_ORIENTATION_SEQUENCE, orientation),
    ]);
    for tag in moved {
        object.remove_element(tag);
    }
    object.put(text(tags::SOP_CLASS_UID, VR::UI, uids::ENHANCED_CT_IMAGE_STORAGE));
    object.put(text(tags::NUMBER_OF_FRAMES, VR::IS, frames.len().to_string()));
    object.put(sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, shared));
    object.put(DataElement::new(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, VR::SQ, DataSetSequence::from(items)));
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::from(pixels)));
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(uids::ENHANCED_CT_IMAGE_STORAGE)
        .media_storage_sop_instance_uid("1.2.3")
        .build()
        .unwrap();
    object.with_exact_meta(meta).write_to_file(path).unwrap();
}

#[test]
fn frames_in_any_order_make_the_volume_of_the_single_files() {
    let dir = tempfile::tempdir().unwrap();
    let original = volume();
    let singles = write_single(&dir.path().join("single"), &original);
    fs::create_dir(dir.path().join("multi")).unwrap();
    write_multi(&dir.path().join("multi/a.dcm"), &singles, &[(2, 0), (0, 0), (3, 0), (1, 0)]);
    let archive = index(&dir.path().join("multi")).unwrap();
    assert!(archive.notes.is_empty(), "{:?}", archive.notes);
    let series = archive.value.series().next().unwrap().clone();
    assert_eq!((series.row.n_slices, series.row.usable, series.row.volume), (4, true, None));
    let read = read_series(&series.headers.unpack(), &SuvOptions::STANDARD).unwrap().value;
    assert_eq!(read.volume.unit(), "HU");
    assert!(read.volume.grid().max_distance_mm(original.grid()) < 1e-4);
    assert_eq!(read.volume.to_values().values(), original.values());
}

#[test]
fn two_phases_in_one_file_are_two_volumes_each_with_its_rescale() {
    let dir = tempfile::tempdir().unwrap();
    let original = volume();
    let singles = write_single(&dir.path().join("single"), &original);
    fs::create_dir(dir.path().join("multi")).unwrap();
    let frames: Vec<(usize, u16)> = (0..8).map(|n| (n / 2, n as u16 % 2 + 1)).collect();
    write_multi(&dir.path().join("multi/a.dcm"), &singles, &frames);
    let archive = index(&dir.path().join("multi")).unwrap().value;
    let names: Vec<_> = archive.rows().iter().map(|r| r.volume.clone().unwrap_or_default()).collect();
    assert_eq!(names, ["temporal position 1", "temporal position 2"]);
    for (entry, more) in archive.series().zip([10.0, 20.0]) {
        let read = read_series(&entry.headers.unpack(), &SuvOptions::STANDARD).unwrap().value.volume.to_values();
        let expected: Vec<f32> = original.values().iter().map(|v| v + more).collect();
        assert_eq!(read.values(), expected);
    }
    // All frames together are refused by name, never stacked.
    let all: Vec<_> = archive.series().flat_map(|s| s.headers.unpack()).collect();
    let error = read_series(&all, &SuvOptions::STANDARD).unwrap_err();
    assert_eq!(error.code(), "several_volumes");
    assert!(error.to_string().contains("temporal position 2 (4 slices)"), "{error}");
}

/// A small deterministic source of numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// Some bytes changed, cut out or doubled.
fn mutated(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = 132 + numbers.below(out.len() - 133);
        match numbers.below(4) {
            0 | 1 => out[at] = numbers.below(256) as u8,
            2 => out.truncate(at),
            _ => {
                let end = (at + 1 + numbers.below(16)).min(out.len());
                out.drain(at..end);
            }
        }
        if out.len() < 300 {
            break;
        }
    }
    out
}

/// Reads a file as far as its kind allows; must not panic.
type Reader<'a> = &'a dyn Fn(&Path);

#[test]
fn forty_damaged_files_of_each_kind_end_in_a_note_or_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let singles = write_single(&dir.path().join("single"), &volume());
    let multi = dir.path().join("multi.dcm");
    write_multi(&multi, &singles, &[(2, 1), (0, 1), (3, 1), (1, 1)]);
    let images = |path: &Path| {
        let Ok(archive) = index(path.parent().unwrap()) else { return };
        for entry in archive.value.series() {
            let _ = read_series(&entry.headers.unpack(), &SuvOptions::STANDARD);
        }
    };
    let segmentation = |path: &Path| {
        let _ = read_segmentation(path).map(|s| s.value.mask(1));
    };
    let structures = |path: &Path| {
        let _ = (read_rtstruct(path), read_dose(path));
    };
    let mut kinds: Vec<(Vec<u8>, Reader<'_>)> =
        vec![(fs::read(&singles[1]).unwrap(), &images), (fs::read(&multi).unwrap(), &images)];
    let real: [(&str, Reader<'_>); 2] =
        [("dicom_interop/sr-example/seg.dcm", &segmentation), ("sts_dicom/STS_002/PET/mask/RS.dcm", &structures)];
    for (part, read) in real {
        kinds.extend(testkit::real_data(part).map(|path| (fs::read(path).unwrap(), read)));
    }
    // The parser's own panics are caught and become errors; their messages and backtraces would only take time.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut numbers = Numbers(7);
    let folder = dir.path().join("damaged");
    fs::create_dir(&folder).unwrap();
    for (bytes, read) in kinds {
        for _ in 0..40 {
            let path = folder.join("a.dcm");
            fs::write(&path, mutated(&bytes, &mut numbers)).unwrap();
            read(&path);
        }
    }
    std::panic::set_hook(hook);
}
