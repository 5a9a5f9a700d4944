//! What a user may ask for: devices keep their identity, and flagged files are kept; nothing else changes.

use super::*;

fn with_stations() -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    for (n, (tag, rule)) in rules().enumerate() {
        let vr = StandardDataDictionary.by_tag(tag).and_then(|entry| entry.vr().exact()).unwrap_or(VR::LO);
        let is_text = matches!(vr, VR::AE | VR::LO | VR::SH | VR::ST | VR::LT | VR::UC | VR::UT | VR::UR | VR::PN);
        if is_text && tag.group() >= 8 {
            put(&mut object, tag, vr, &format!("{}{n}", if rule.device { "DEVICE" } else { "SECRET" }));
        }
    }
    put(&mut object, tags::PATIENT_ID, VR::LO, "SECRET ID");
    put(&mut object, tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE);
    put(&mut object, tags::MODALITY, VR::CS, "CT");
    for (tag, n) in [(tags::STUDY_INSTANCE_UID, 1), (tags::SERIES_INSTANCE_UID, 2), (tags::SOP_INSTANCE_UID, 3)] {
        put(&mut object, tag, VR::UI, &format!("{SECRET_UID}{n}"));
    }
    put(&mut object, tags::DEVICE_UID, VR::UI, &format!("{SECRET_UID}4"));
    put(&mut object, tags::DATE_OF_LAST_CALIBRATION, VR::DA, SECRET_DATE);
    object
}

#[test]
fn devices_keep_their_identity_where_it_is_asked_for_and_nobody_else_does() {
    let key = Key::from_bytes([5; 32]);
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("in");
    std::fs::create_dir_all(&archive).unwrap();
    let object = with_stations();
    let devices: Vec<(Tag, String)> = rules()
        .filter(|(_, rule)| rule.device)
        .filter_map(|(tag, _)| Some((tag, value::text_of(object.get(tag)?))))
        .filter(|(_, text)| text.starts_with("DEVICE"))
        .collect();
    assert!(devices.len() > 5, "{}", devices.len());
    save(object, uids::EXPLICIT_VR_LITTLE_ENDIAN, &archive.join("a.dcm"));
    for (device, name) in [(DeviceIdentity::Removed, "removed"), (DeviceIdentity::Retained, "retained")] {
        let out = folder.path().join(name);
        let report = deidentify(&Request { device, ..request(&archive, &out, &key) }).unwrap();
        assert_eq!(report.n_written, 1);
        let (file, bytes) = files(&out).remove(0);
        assert_no_secret(&bytes, name);
        let copy = open_file(out.join(file)).unwrap();
        assert_eq!(holds(&bytes, "DEVICE"), device == DeviceIdentity::Retained, "{name}");
        let codes = copy.element(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE).unwrap().items().unwrap().len();
        if device == DeviceIdentity::Retained {
            for (tag, text) in &devices {
                assert_eq!(value::text_of(copy.element(*tag).unwrap()), *text, "{tag}");
            }
            let uid = value::text_of(copy.element(tags::DEVICE_UID).unwrap());
            assert_eq!(uid, key.uid(&format!("{SECRET_UID}4")), "identifiers of devices change all the same");
            let day = value::text_of(copy.element(tags::DATE_OF_LAST_CALIBRATION).unwrap());
            assert_eq!(Some(day), shift::shifted_date(SECRET_DATE, key.shift_days("SECRET ID")));
            assert_eq!(codes, 7, "the option is said");
        } else {
            assert_eq!(codes, 6);
        }
    }
}

/// Attributes of a data set.
type Attributes = &'static [(Tag, VR, &'static str)];

#[test]
fn flagged_files_are_kept_where_it_is_asked_for_flagged_and_clean_and_documents_never() {
    let key = Key::from_bytes([5; 32]);
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("in");
    std::fs::create_dir_all(&archive).unwrap();
    let pictures: [(&str, Attributes); 5] = [
        (uids::CT_IMAGE_STORAGE, &[(tags::BURNED_IN_ANNOTATION, VR::CS, "YES")]),
        (uids::SECONDARY_CAPTURE_IMAGE_STORAGE, &[]),
        (uids::CT_IMAGE_STORAGE, &[(tags::IMAGE_TYPE, VR::CS, "DERIVED\\SECONDARY\\SCREEN SAVE")]),
        (uids::CT_IMAGE_STORAGE, &[(tags::CONVERSION_TYPE, VR::CS, "SD")]),
        (uids::CT_IMAGE_STORAGE, &[]),
    ];
    let never = [uids::ENCAPSULATED_PDF_STORAGE, uids::ULTRASOUND_IMAGE_STORAGE, "1.3.12.2.1107.5.9.1"];
    let all = pictures.iter().copied().chain(never.iter().map(|class| (*class, [].as_slice())));
    for (n, (class, more)) in all.enumerate() {
        let mut object = with_stations();
        put(&mut object, tags::SOP_CLASS_UID, VR::UI, class);
        put(&mut object, tags::SOP_INSTANCE_UID, VR::UI, &format!("{SECRET_UID}7.{n}"));
        for (tag, vr, text) in more {
            put(&mut object, *tag, *vr, text);
        }
        if n == 4 {
            object.put(DataElement::new(tags::SAMPLES_PER_PIXEL, VR::US, PrimitiveValue::from(3_u16)));
        }
        save(object, uids::EXPLICIT_VR_LITTLE_ENDIAN, &archive.join(format!("{n}.dcm")));
    }
    let [without, with] = ["without", "with"].map(|name| folder.path().join(name));
    let left = deidentify(&request(&archive, &without, &key)).unwrap();
    assert_eq!((left.n_written, left.n_left_out), (0, 8));
    let kept = deidentify(&Request { flagged: Flagged::Kept, ..request(&archive, &with, &key) }).unwrap();
    assert_eq!((kept.n_written, kept.n_left_out), (5, 3));
    let flags: BTreeSet<LeftOut> = kept.files.iter().map(|file| file.flag.unwrap()).collect();
    let expected = [
        LeftOut::BurnedInAnnotation,
        LeftOut::SecondaryCapture,
        LeftOut::ScreenPicture,
        LeftOut::Scanned,
        LeftOut::Colour,
    ];
    assert_eq!(flags, expected.into());
    for (name, bytes) in files(&with) {
        assert_no_secret(&bytes, &name);
        assert!(!holds(&bytes, "DEVICE"), "{name}");
    }
}
