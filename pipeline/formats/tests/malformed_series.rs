//! Series as archives really hold them, each wrong in one way: what must be read is read voxel for voxel, what must not is refused
//! with the reason. `scripts/make_malformed_series` makes some eighty more and keeps what the program said of each.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may unwrap and touch files")]

#[path = "series/ct.rs"]
mod ct;

use std::fs;
use std::path::{Path, PathBuf};

use ct::{ct, write_ct};
use dicom::core::value::DataSetSequence;
use dicom::core::{DataElement, PrimitiveValue, Tag, VR};
use dicom::dictionary_std::tags;
use dicom::object::{InMemDicomObject, open_file};
use imaging::Volume;
use lesiontrace_formats::archive::{ArchiveIndex, index};
use lesiontrace_formats::dicom::{SuvOptions, read_series};

const N_SLICES: usize = 8;

fn volume() -> Volume<f32> {
    ct("malformed", N_SLICES)
}

fn write_all(dir: &Path) -> Vec<PathBuf> {
    write_ct(dir, &volume(), "1.2.3.4")
}

/// What the index and the reader say of a folder: the voxels of its one volume, or every message on the way there.
fn outcome(dir: &Path) -> Result<Volume<f32>, String> {
    let indexed = index(dir).map_err(|e| e.to_string())?;
    let said: Vec<String> = indexed.notes.iter().map(|note| note.message.clone()).collect();
    let archive: ArchiveIndex = indexed.value;
    let rows: Vec<String> = archive.rows().iter().map(|row| format!("{:?} {:?}", row.volume, row.reasons)).collect();
    let entries: Vec<_> = archive.series().collect();
    let [only] = entries.as_slice() else { return Err(format!("{} volumes: {rows:?} {said:?}", entries.len())) };
    let read = read_series(&only.headers.unpack(), &SuvOptions::STANDARD).map_err(|e| format!("{e} {rows:?}"))?;
    assert!(only.row.usable, "what can be read is usable, and what is usable can be read: {rows:?}");
    if said.is_empty() { Ok(read.value.volume.to_values()) } else { Err(said.join("; ")) }
}

/// The outcome after a change of each slice's data set.
fn changed(change: impl Fn(usize, &mut InMemDicomObject)) -> Result<Volume<f32>, String> {
    let dir = tempfile::tempdir().unwrap();
    for (k, path) in write_all(dir.path()).iter().enumerate() {
        let mut file = open_file(path).unwrap();
        change(k, &mut file);
        file.write_to_file(path).unwrap();
    }
    outcome(dir.path())
}

/// The outcome after a change of each file's bytes.
fn rewritten(change: impl Fn(usize, Vec<u8>) -> Vec<u8>) -> Result<Volume<f32>, String> {
    let dir = tempfile::tempdir().unwrap();
    for (k, path) in write_all(dir.path()).iter().enumerate() {
        fs::write(path, change(k, fs::read(path).unwrap())).unwrap();
    }
    outcome(dir.path())
}

fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

fn refused(outcome: Result<Volume<f32>, String>, because: &str) {
    let message = outcome.map(|v| v.grid().shape()).unwrap_err();
    assert!(message.contains(because), "expected {because:?} in {message}");
}

/// A change of a file's bytes.
type Change<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

/// Bytes of the preamble and its mark, and of the element that holds the length of the meta group.
const PREAMBLE: usize = 132;
const GROUP_LENGTH: usize = 12;

fn without_transfer_syntax(bytes: &[u8]) -> Vec<u8> {
    let at = bytes.windows(6).position(|w| w == b"\x02\x00\x10\x00UI").unwrap();
    let end = at + 8 + usize::from(bytes[at + 6]);
    [&bytes[..PREAMBLE], &bytes[PREAMBLE + GROUP_LENGTH..at], &bytes[end..]].concat()
}

#[test]
fn files_without_preamble_group_length_or_transfer_syntax_are_read() {
    let original = volume();
    let read: [(&str, Change<'_>); 4] = [
        ("as written", &|b| b.to_vec()),
        ("no preamble", &|b| b[PREAMBLE..].to_vec()),
        ("no group length", &|b| [&b[..PREAMBLE], &b[PREAMBLE + GROUP_LENGTH..]].concat()),
        ("no transfer syntax", &|b| without_transfer_syntax(b)),
    ];
    for (name, change) in read {
        let got = rewritten(|_, bytes| change(&bytes)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(got.values(), original.values(), "{name}");
        assert!(got.grid().max_distance_mm(original.grid()) < 1e-4, "{name}");
    }
}

#[test]
fn empty_files_and_texts_under_the_name_of_an_image_are_said() {
    let last = |content: &'static [u8]| move |k, bytes| if k == N_SLICES - 1 { content.to_vec() } else { bytes };
    refused(rewritten(last(b"")), "IM0008.dcm is damaged or truncated (it is empty)");
    refused(rewritten(last(b"404 not found\n")), "its name says DICOM, its first bytes do not");
    refused(rewritten(|k, b| if k == 7 { b[..b.len() - 9].to_vec() } else { b }), "before the 7 x 5 pixels of 16 bits");
}

#[test]
fn slices_that_cannot_be_told_apart_or_belong_elsewhere_are_refused() {
    let uid = "1.2.3.9";
    refused(changed(|_, o| put(o, tags::SOP_INSTANCE_UID, VR::UI, uid)), "8 slices carry the SOP Instance UID 1.2.3.9");
    refused(changed(|k, o| put(o, tags::MODALITY, VR::CS, if k == 3 { "MR" } else { "CT" })), "of modality CT and MR");
    let half = |k: usize, a: &'static str, b: &'static str| if k < 4 { a } else { b };
    refused(
        changed(|k, o| put(o, tags::FRAME_OF_REFERENCE_UID, VR::UI, half(k, "1.2.5", "1.2.6"))),
        "frame of reference 1.2.6",
    );
    refused(changed(|k, o| put(o, tags::PATIENT_ID, VR::LO, half(k, "P1", "P2"))), "2 volumes");
    let other_matrix = changed(|k, o| {
        if k == 3 {
            o.put(DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(4_u16)));
        }
    });
    refused(other_matrix, "1 slice(s) of another geometry");
}

#[test]
fn values_of_two_scales_or_of_none_are_refused() {
    refused(changed(|k, o| put(o, tags::RESCALE_SLOPE, VR::DS, if k == 3 { "0" } else { "1" })), "of IM0004.dcm is 0");
    let some = changed(|k, o| {
        if k == 3 {
            o.remove_element(tags::RESCALE_SLOPE);
        }
    });
    refused(some, "7 of its 8 slices state a Rescale Slope (0028,1053)");
    let table = changed(|_, o| {
        let item = InMemDicomObject::from_element_iter([DataElement::new(
            tags::LUT_DESCRIPTOR,
            VR::US,
            PrimitiveValue::U16([4096, 0, 16].as_slice().into()),
        )]);
        o.put(DataElement::new(tags::MODALITY_LUT_SEQUENCE, VR::SQ, DataSetSequence::from(vec![item])));
    });
    refused(table, "Modality LUT (0028,3000)");
}

#[test]
fn numbers_no_patient_can_have_are_refused() {
    refused(changed(|_, o| put(o, tags::PIXEL_SPACING, VR::DS, "1e30\\1e30")), "no usable Pixel Spacing (0028,0030)");
    refused(changed(|_, o| put(o, tags::PIXEL_SPACING, VR::DS, "-0.9\\0.7")), "no usable Pixel Spacing (0028,0030)");
    let comma = changed(|_, o| put(o, tags::IMAGE_POSITION_PATIENT, VR::DS, "-113,4\\41.9\\612.1"));
    refused(comma, "no usable Image Position (0020,0032)");
    let skew = changed(|_, o| put(o, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0.5\\0.866\\0"));
    refused(skew, "[1.0, 0.0, 0.0, 0.5, 0.866, 0.0], expected two perpendicular unit vectors");
}

#[test]
fn volumes_of_one_series_are_named_by_what_differs_stated_or_not() {
    let dir = tempfile::tempdir().unwrap();
    write_all(&dir.path().join("a"));
    for path in write_all(&dir.path().join("b")) {
        let mut file = open_file(&path).unwrap();
        let uid = format!("{}.7", file.get(tags::SOP_INSTANCE_UID).unwrap().to_str().unwrap().trim_end_matches('\0'));
        put(&mut file, tags::SOP_INSTANCE_UID, VR::UI, &uid);
        file.put(DataElement::new(tags::DIFFUSION_B_VALUE, VR::FD, PrimitiveValue::from(800.0_f64)));
        file.write_to_file(&path).unwrap();
    }
    let archive = index(dir.path()).unwrap().value;
    let names: Vec<_> = archive.rows().iter().map(|r| r.volume.clone().unwrap_or_default()).collect();
    assert_eq!(names, ["no b-value", "b-value 800 s/mm²"]);
}
