//! Every attribute of the table with a secret in it, at the top and in sequences; pixels byte for byte; the archive as a whole.

use std::path::Path;

use dicom::core::dictionary::{DataDictionary as _, DataDictionaryEntry as _};
use dicom::core::value::DataSetSequence;
use dicom::core::{DataElement, PrimitiveValue, Tag, VR};
use dicom::dictionary_std::{StandardDataDictionary, tags, uids};
use dicom::object::{FileMetaTableBuilder, InMemDicomObject, open_file};
use imaging::{Affine, FrameId, Grid, Shape, Volume};
use jiff::civil::{Date, date};

use super::*;
use crate::dicom::write::{ModalityToWrite, SeriesToWrite, write_series};

const SECRET_UID: &str = "1.9.8.7.6.5.4.3.";
const SECRET_DATE: &str = "19990909";

fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, text: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(text)));
}

/// A value of this kind that must not be found afterwards; `None` where the kind holds no text.
fn secret(vr: VR, n: usize) -> Option<PrimitiveValue> {
    Some(match vr {
        VR::UI => PrimitiveValue::from(format!("{SECRET_UID}{n}")),
        VR::DA => PrimitiveValue::from(SECRET_DATE),
        VR::DT => PrimitiveValue::from(format!("{SECRET_DATE}101112.5+0100")),
        VR::OB | VR::OW | VR::UN => PrimitiveValue::from(b"SECRET bytes".to_vec()),
        VR::DS | VR::IS => PrimitiveValue::from("90817263"),
        VR::TM => PrimitiveValue::from("SECRET TM"),
        VR::AE | VR::CS | VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UR | VR::UT => {
            PrimitiveValue::from(format!("SECRET {n}"))
        }
        _ => return None,
    })
}

/// Every attribute of the table that is not kept for its own sake, with a secret value.
fn all_secrets() -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    for (n, (tag, _)) in rules().enumerate() {
        let kept = [tags::PATIENT_AGE, tags::PATIENT_SEX, tags::PATIENT_SIZE, tags::PATIENT_WEIGHT];
        if tag.group() < 8 || kept.contains(&tag) {
            continue;
        }
        let vr = StandardDataDictionary.by_tag(tag).and_then(|entry| entry.vr().exact()).unwrap_or(VR::LO);
        if vr == VR::SQ {
            let mut item = InMemDicomObject::new_empty();
            put(&mut item, tags::PATIENT_COMMENTS, VR::LT, "SECRET comment");
            put(&mut item, tags::TEXT_VALUE, VR::UT, "SECRET text");
            put(&mut item, tags::PERSON_NAME, VR::PN, "SECRET^PERSON");
            put(&mut item, tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, &format!("{SECRET_UID}{n}"));
            object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![item])));
        } else if let Some(value) = secret(vr, n) {
            object.put(DataElement::new(tag, vr, value));
        }
    }
    // Beyond the table: private ones with and without creator, overlays, curves, a group nobody knows, labels, free texts.
    put(&mut object, Tag(0x0009, 0x0010), VR::LO, "SECRET CREATOR");
    put(&mut object, Tag(0x0009, 0x1001), VR::LO, "SECRET private");
    put(&mut object, Tag(0x7053, 0x0010), VR::LO, "Philips PET Private Group SECRET");
    put(&mut object, Tag(0x7053, 0x1000), VR::DS, "0.25");
    put(&mut object, Tag(0x7053, 0x1001), VR::LO, "SECRET private");
    put(&mut object, Tag(0x7053, 0x2009), VR::DS, "90817263");
    for tag in [Tag(0x6000, 0x3000), Tag(0x601E, 0x4000), Tag(0x5002, 0x3000), Tag(0x4242, 0x0010)] {
        put(&mut object, tag, VR::LO, "SECRET");
    }
    put(&mut object, tags::SEGMENT_LABEL, VR::LO, "Liver SECRET");
    put(&mut object, tags::LUT_EXPLANATION, VR::LO, "");
    object
}

fn with_everything() -> InMemDicomObject {
    let mut object = all_secrets();
    let series = DataSetSequence::from(vec![all_secrets()]);
    object.put(DataElement::new(tags::REFERENCED_SERIES_SEQUENCE, VR::SQ, series));
    let deep = DataSetSequence::from(vec![all_secrets()]);
    object.put(DataElement::new(tags::CONTENT_SEQUENCE, VR::SQ, deep));
    put(&mut object, tags::PATIENT_ID, VR::LO, "SECRET ID");
    put(&mut object, tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE);
    put(&mut object, tags::SERIES_DESCRIPTION, VR::LO, "portal venous SECRET");
    put(&mut object, tags::PATIENT_WEIGHT, VR::DS, "71.5");
    put(&mut object, tags::PATIENT_AGE, VR::AS, "097Y");
    put(&mut object, tags::ACQUISITION_TIME, VR::TM, "101112.25");
    let pixels: Vec<u8> = (0..=255).collect();
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::from(pixels)));
    object
}

fn save(object: InMemDicomObject, transfer_syntax: &str, path: &Path) {
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(uids::CT_IMAGE_STORAGE)
        .media_storage_sop_instance_uid(format!("{SECRET_UID}1"))
        .source_application_entity_title("SECRET")
        .transfer_syntax(transfer_syntax);
    object.with_meta(meta).unwrap().write_to_file(path).unwrap();
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

fn assert_no_secret(bytes: &[u8], what: &str) {
    for text in ["SECRET", SECRET_UID, SECRET_DATE, "90817263"] {
        let at = bytes.windows(text.len()).position(|w| w == text.as_bytes());
        let near =
            |at: usize| String::from_utf8_lossy(&bytes[at.saturating_sub(24)..bytes.len().min(at + 24)]).into_owned();
        assert!(at.is_none(), "{what} holds {:?}", at.map(near));
    }
}

fn request<'a>(archive: &'a Path, out: &'a Path, key: &'a Key) -> Request<'a> {
    Request {
        archive,
        out,
        key,
        device: DeviceIdentity::Removed,
        flagged: Flagged::LeftOut,
        clinical: Path::new("clinical"),
        masks: Path::new("masks"),
        keep_columns: &[],
    }
}

/// Every file below a folder, by its path below it.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let paths = list_files(folder, &mut Vec::new()).unwrap();
    let below = |p: &Path| p.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
    paths.iter().map(|p| (below(p), std::fs::read(p).unwrap())).collect()
}

#[test]
fn nothing_secret_is_left_in_any_transfer_syntax_or_name() {
    let key = Key::from_bytes([5; 32]);
    for syntax in [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.2"] {
        let folder = tempfile::tempdir().unwrap();
        let (archive, out) = (folder.path().join("SECRET in"), folder.path().join("out"));
        std::fs::create_dir_all(&archive).unwrap();
        save(with_everything(), syntax, &archive.join("SECRET.dcm"));
        assert!(files(&archive).iter().any(|(_, bytes)| holds(bytes, "SECRET CREATOR")));
        let report = deidentify(&request(&archive, &out, &key)).unwrap();
        assert_eq!((report.n_written, report.n_failed, report.n_left_out), (1, 0, 0));
        assert_no_secret(serde_json::to_string(&report).unwrap().as_bytes(), "the report");
        let written = files(&out);
        let [(name, bytes)] = written.as_slice() else { panic!("{}", written.len()) };
        assert_no_secret(bytes, syntax);
        assert_no_secret(name.as_bytes(), "the name");
        let object = open_file(out.join(name)).unwrap();
        assert_eq!(object.meta().transfer_syntax(), syntax);
        let text = |tag| object.element(tag).unwrap().to_str().unwrap().into_owned();
        assert_eq!(text(tags::PATIENT_ID), key.patient("SECRET ID"));
        assert_eq!(text(tags::PATIENT_NAME), key.patient("SECRET ID"));
        assert_eq!(text(tags::SERIES_DESCRIPTION), "portal venous xx");
        assert_eq!((text(tags::PATIENT_WEIGHT).as_str(), text(tags::PATIENT_AGE).as_str()), ("71.5", "090Y"));
        assert_eq!(text(tags::ACQUISITION_TIME), "101112.25");
        assert_eq!(text(tags::PATIENT_IDENTITY_REMOVED), "YES");
        assert_eq!(text(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED), "MODIFIED");
        assert_eq!(object.element(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE).unwrap().items().unwrap().len(), 6);
        assert!(text(tags::SEGMENT_LABEL).starts_with("Liver xx L-"));
        let private = |tag| value::text_of(object.element(tag).unwrap());
        assert_eq!(private(Tag(0x7053, 0x1000)), "0.25", "safe private");
        assert_eq!(private(Tag(0x7053, 0x0010)), "Philips PET Private Group");
        assert!(bytes.ends_with(&(0..=255).collect::<Vec<u8>>()), "pixels byte for byte");
        assert_eq!(text(tags::SOP_CLASS_UID), uids::CT_IMAGE_STORAGE);
        let uid = text(tags::SOP_INSTANCE_UID);
        assert_eq!(object.meta().media_storage_sop_instance_uid(), uid);
        assert!(uid.starts_with("2.25."));
    }
}

#[test]
fn compressed_pixels_are_copied_byte_for_byte() {
    let key = Key::from_bytes([5; 32]);
    let fragments = vec![vec![1_u8, 2, 3, 4], vec![0xFF, 0xD8, 0x00, 0xFE, 0xFF, 0xDD]];
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::create_dir_all(&archive).unwrap();
    let mut object = with_everything();
    let pixels = dicom::core::value::PixelFragmentSequence::new(vec![0_u32, 12], fragments.clone());
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
    save(object, uids::JPEG2000_LOSSLESS, &archive.join("a"));
    assert_eq!(deidentify(&request(&archive, &out, &key)).unwrap().n_written, 1);
    let (name, bytes) = files(&out).remove(0);
    assert_no_secret(&bytes, "the file");
    let object = open_file(out.join(name)).unwrap();
    let element = object.element(tags::PIXEL_DATA).unwrap();
    assert_eq!(element.fragments().unwrap(), fragments);
    assert_eq!(element.offset_table().unwrap(), [0, 12]);
    assert_eq!(object.meta().transfer_syntax(), uids::JPEG2000_LOSSLESS);
}

#[test]
fn a_deflated_file_stays_deflated() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::create_dir_all(&archive).unwrap();
    save(with_everything(), uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, &archive.join("a"));
    let key = Key::from_bytes([5; 32]);
    let report = deidentify(&request(&archive, &out, &key)).unwrap();
    assert_eq!((report.n_written, report.n_failed), (1, 0));
    let (name, _) = files(&out).remove(0);
    let (object, syntax, _) = crate::dicom::file::open_whole(&out.join(name)).unwrap();
    assert_eq!(syntax, uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN);
    let mut plain = Vec::new();
    let explicit = dicom::transfer_syntax::entries::EXPLICIT_VR_LITTLE_ENDIAN.erased();
    object.write_dataset_with_ts(&mut plain, &explicit).unwrap();
    assert_no_secret(&plain, "the inflated data set");
}

/// A small CT of one patient and day.
fn ct(folder: &Path, patient: &str, day: Date) {
    let rows = [[2.0, 0.0, 0.0, -9.0], [0.0, 2.0, 0.0, 4.0], [0.0, 0.0, 5.0, 1.0], [0.0, 0.0, 0.0, 1.0]];
    let uid = format!("1.2.3.{}.{}", patient.len(), day.strftime("%Y%m%d"));
    let shape = Shape { ni: 4, nj: 3, nk: 2 };
    let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new(format!("{uid}.9"))).unwrap();
    let volume = Volume::from_fn(grid, |at| (at.i * 7 + at.j * 31 + at.k * 113) as f32);
    let series = SeriesToWrite {
        volume: &volume,
        modality: ModalityToWrite::Ct { kvp: 120.0, contrast: None },
        patient_id: patient.to_owned(),
        patient_sex: Some("F".to_owned()),
        patient_weight_kg: Some(60.0),
        patient_height_m: None,
        study_uid: format!("{uid}.1"),
        series_uid: format!("{uid}.2"),
        sop_instance_uids: (0..2).map(|k| format!("{uid}.3.{k}")).collect(),
        study_datetime: day.at(9, 0, 0, 0),
        acquisition_datetime: day.at(9, 1, 10, 0),
        study_description: "Abdomen".to_owned(),
        series_description: "Abdomen portal venous".to_owned(),
        series_number: 3,
        slice_thickness_mm: 5.0,
        image_type: ["ORIGINAL", "PRIMARY", "AXIAL"].map(str::to_owned).to_vec(),
        manufacturer: "test".to_owned(),
    };
    write_series(folder, &series).unwrap();
}

#[test]
fn an_archive_keeps_its_intervals_its_links_and_its_bytes_from_call_to_call() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, out) = (folder.path().join("in"), folder.path().join("out"));
    ct(&archive.join("Doe/1"), "DOE 1", date(2020, 3, 2));
    ct(&archive.join("Doe/2"), "DOE 1", date(2021, 3, 2));
    ct(&archive.join("Roe"), "ROE", date(2020, 3, 2));
    std::fs::copy(archive.join("Roe/IM0001.dcm"), archive.join("copy.dcm")).unwrap();
    ct(&archive.join("cut"), "POE 12", date(2020, 3, 2));
    for name in ["cut/IM0001.dcm", "cut/IM0002.dcm"] {
        let whole = std::fs::read(archive.join(name)).unwrap();
        std::fs::write(archive.join(name), &whole[..whole.len() - 10]).unwrap();
    }
    std::fs::write(archive.join("letter.txt"), "Dear Ms Doe").unwrap();
    let key = Key::from_bytes([5; 32]);
    let report = deidentify(&request(&archive, &out, &key)).unwrap();
    assert_eq!((report.n_written, report.n_left_out, report.n_failed, report.n_other_files), (6, 1, 2, 1));
    assert_eq!((report.left_out[0].reason, report.failed[0].number), (LeftOut::Copy, 1));
    let hashes = ["cut/IM0001.dcm", "cut/IM0002.dcm"].map(|name| sha256_of(&archive.join(name)));
    assert!(report.failed.iter().all(|row| hashes.contains(&row.sha256)));
    let index = crate::archive::index(&out).unwrap().value;
    let ids: BTreeSet<String> = index.patients.iter().map(|p| p.patient_id.clone()).collect();
    assert_eq!(ids, ["DOE 1", "ROE"].map(|id| key.patient(id)).into());
    let doe = index.patients.iter().find(|p| p.patient_id == key.patient("DOE 1")).unwrap();
    let days: Vec<Date> = doe.timepoints.iter().map(|t| t.study_date.unwrap()).collect();
    assert_eq!((days[1] - days[0]).get_days(), 365);
    assert_eq!((days[0] - date(2020, 3, 2)).get_days(), i32::try_from(key.shift_days("DOE 1")).unwrap());
    assert!(index.series().all(|s| s.row.usable && s.row.role.as_str() == "ct_portal_venous" && s.row.n_slices == 2));
    let first = files(&out);
    let again = deidentify(&request(&archive, &out, &key)).unwrap();
    assert!(first == files(&out) && again == report, "the same key gives the same bytes");
    assert!(matches!(deidentify(&request(&archive, &archive.join("out"), &key)), Err(DeidentifyError::Nested { .. })));
    let other = Key::from_bytes([6; 32]);
    assert_eq!(deidentify(&request(&archive, &out, &other)).unwrap().n_stale_files, 6);
}

mod options;
mod shapes;
