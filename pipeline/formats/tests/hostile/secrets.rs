//! A patient's name and identifier put into every corner of a DICOM file, and looked for in its de-identified copy.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use dicom::core::header::Header;
use dicom::core::value::Value;
use dicom::core::{DataElement, PrimitiveValue, Tag, VR};
use dicom::dictionary_std::tags;
use dicom::object::{InMemDicomObject, OpenFileOptions};
use lesiontrace_formats::deidentify::{DeviceIdentity, Flagged, Key, Request, deidentify};

/// The stem of name and identifier; no word of the field.
pub const SECRET: &str = "QZXSECRETVW";

/// Items nested deeper get no secret: the reader refuses such files.
const MAX_DEPTH: usize = 40;

/// De-identifies the one file of a folder `in` into a folder `out` beside it, which is made anew. Whether the file was written.
pub fn deidentified(folder: &Path) -> bool {
    let (archive, out) = (folder.join("in"), folder.join("out"));
    let _ = fs::remove_dir_all(&out);
    let request = Request {
        archive: &archive,
        out: &out,
        key: &Key::from_bytes([7; 32]),
        device: DeviceIdentity::Removed,
        flagged: Flagged::Kept,
        clinical: Path::new("clinical"),
        masks: Path::new("masks"),
        keep_columns: &[],
    };
    let Ok(report) = deidentify(&request) else { return false };
    let told = serde_json::to_string(&report).expect("a report is made of texts and numbers");
    assert!(!holds(told.as_bytes()), "the report tells the secret");
    report.n_written == 1
}

/// After [`deidentified`]: puts the secret into the copy, de-identifies that, and asserts that no file below `out` and no name holds
/// it. (The copy, not the file itself: the foreign parser is let near a damaged file only behind the reader's guard.) Does nothing
/// where the file holds the secret already. Whether it looked for the secret.
pub fn check_secrets(folder: &Path) -> bool {
    let path = folder.join("in").join("input.dcm");
    let Some(copy) = files_below(&folder.join("out")).into_iter().find(|found| found.is_file()) else { return false };
    let bytes = fs::read(&path).expect("the file was written");
    if holds(&bytes) {
        return false;
    }
    let written_as = [None, Some(VR::UN), Some(VR::OB)][bytes.len() % 3];
    let with_secrets = || -> Option<()> {
        let mut object = OpenFileOptions::new().open_file(&copy).ok()?;
        put_secrets(&mut object, written_as, 0);
        object.write_to_file(&path).ok()
    };
    if !matches!(catch_unwind(AssertUnwindSafe(with_secrets)), Ok(Some(()))) || !deidentified(folder) {
        return false;
    }
    for found in files_below(&folder.join("out")) {
        assert!(!holds(found.to_string_lossy().as_bytes()), "a name holds the secret");
        if found.is_file() {
            assert!(!holds(&fs::read(&found).expect("the copy can be read")), "the copy holds the secret");
        }
    }
    true
}

/// Every file and folder below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut next) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = next.pop() {
        let paths: Vec<PathBuf> = fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
        next.extend(paths.iter().filter(|path| path.is_dir()).cloned());
        found.extend(paths);
    }
    found
}

/// Whether the secret is found, as it is or as 16-bit text.
fn holds(bytes: &[u8]) -> bool {
    let wide: Vec<u8> = SECRET.bytes().flat_map(|byte| [byte, 0]).collect();
    let has = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    has(SECRET.as_bytes()) || has(&wide)
}

/// Name, identifier, descriptions, comments and private elements, at the top and in every item; in their own value representation
/// or in another.
fn put_secrets(object: &mut InMemDicomObject, written_as: Option<VR>, depth: usize) {
    let sequences: Vec<Tag> =
        object.iter().filter(|e| matches!(e.value(), Value::Sequence(_))).map(Header::tag).collect();
    for tag in sequences.into_iter().filter(|_| depth < MAX_DEPTH) {
        object.update_value(tag, |value| {
            for item in value.items_mut().into_iter().flatten() {
                put_secrets(item, written_as, depth + 1);
            }
        });
    }
    for (tag, vr, value) in [
        (tags::PATIENT_NAME, VR::PN, format!("{SECRET}^NAME")),
        (tags::PATIENT_ID, VR::LO, format!("{SECRET} 1")),
        (tags::OTHER_PATIENT_NAMES, VR::PN, format!("{SECRET}^OTHER")),
        (tags::PATIENT_COMMENTS, VR::LT, format!("known as {SECRET}.")),
        (tags::STUDY_DESCRIPTION, VR::LO, format!("liver {SECRET}")),
        (tags::PROTOCOL_NAME, VR::LO, format!("{SECRET} abdomen")),
        (tags::ACCESSION_NUMBER, VR::SH, SECRET.to_owned()),
        (tags::REFERRING_PHYSICIAN_NAME, VR::PN, format!("{SECRET}^DR")),
        (Tag(0x0009, 0x0010), VR::LO, format!("{SECRET} CREATOR")),
        (Tag(0x0009, 0x1001), VR::UN, SECRET.to_owned()),
        (Tag(0x6000, 0x4000), VR::LT, SECRET.to_owned()),
    ] {
        // Without a Patient ID that is text the file would be left out.
        let vr = written_as.filter(|_| tag != tags::PATIENT_ID).unwrap_or(vr);
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    }
}
