//! One SOP instance as a file: which one it is, whether all of it is there, and the meta group before a bare data set.
//!
//! Source: DICOM PS3.10 section 7.1 (file meta information), PS3.5 section 9 (unique identifiers).

use std::path::Path;

use dicom::core::Tag;
use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;

use super::element;
use super::file::{Start, data_at, open_header, open_whole};
use super::header::HeaderError;
use super::uid::is_uid;
use super::write::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION};

/// Which instance a file holds, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Series Instance UID.
    pub series_uid: String,
    /// Study Instance UID.
    pub study_uid: String,
    /// Transfer Syntax UID of the data set.
    pub transfer_syntax: String,
    /// First byte of the data set, after the meta group.
    pub data_at: u64,
}

/// The instance of a file, from its header. `None` where the file is no DICOM file.
///
/// # Errors
/// The header is damaged, or an identifier is missing or malformed.
pub fn read_instance(path: &Path) -> Result<Option<Instance>, HeaderError> {
    let Some((object, transfer_syntax, start)) = open_header(path)? else { return Ok(None) };
    instance(path, &object, transfer_syntax, &start).map(Some)
}

/// The instance of a file that is read to its last element, so that a file which ends early is an error.
///
/// # Errors
/// The file is no DICOM file, is damaged or cut short, or an identifier is missing or malformed.
pub fn read_whole_instance(path: &Path) -> Result<Instance, HeaderError> {
    let (object, transfer_syntax, start) = open_whole(path)?;
    instance(path, &object, transfer_syntax, &start)
}

fn instance(
    path: &Path,
    object: &InMemDicomObject,
    transfer_syntax: String,
    start: &Start,
) -> Result<Instance, HeaderError> {
    let uid = |tag: Tag, attribute| {
        let found = element::text(object, tag).filter(|text| is_uid(text));
        found.ok_or_else(|| HeaderError::Missing { path: path.to_owned(), attribute })
    };
    Ok(Instance {
        sop_class_uid: uid(tags::SOP_CLASS_UID, "SOP Class UID (0008,0016)")?,
        sop_instance_uid: uid(tags::SOP_INSTANCE_UID, "SOP Instance UID (0008,0018)")?,
        series_uid: uid(tags::SERIES_INSTANCE_UID, "Series Instance UID (0020,000E)")?,
        study_uid: uid(tags::STUDY_INSTANCE_UID, "Study Instance UID (0020,000D)")?,
        transfer_syntax,
        data_at: data_at(start),
    })
}

/// Preamble and meta group of a file whose data set follows: what makes a file of a data set that came over a network.
#[must_use]
pub fn file_meta(sop_class_uid: &str, sop_instance_uid: &str, transfer_syntax: &str) -> Vec<u8> {
    let mut group = Vec::new();
    group.extend([0x02, 0, 0x01, 0, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 1]);
    let texts = [
        (0x02_u8, *b"UI", sop_class_uid),
        (0x03, *b"UI", sop_instance_uid),
        (0x10, *b"UI", transfer_syntax),
        (0x12, *b"UI", IMPLEMENTATION_CLASS_UID),
        (0x13, *b"SH", IMPLEMENTATION_VERSION),
    ];
    for (element, vr, text) in texts {
        let mut value = text.as_bytes().to_vec();
        if !value.len().is_multiple_of(2) {
            value.push(if vr == *b"UI" { 0 } else { b' ' });
        }
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        group.extend([0x02, 0, element, 0, vr[0], vr[1]]);
        group.extend(length.to_le_bytes());
        group.extend(value);
    }
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    bytes.extend([0x02, 0, 0, 0, b'U', b'L', 4, 0]);
    bytes.extend((group.len() as u32).to_le_bytes());
    bytes.extend(group);
    bytes
}

#[cfg(test)]
mod tests {
    use testkit::dicom_bytes::{element, file};

    use super::*;

    #[test]
    fn a_file_is_named_by_its_identifiers_and_one_that_ends_early_is_not_whole() {
        let folder = tempfile::tempdir().unwrap();
        let texts = [(0x0008_0016, "1.2.840.10008.5.1.4.1.1.2"), (0x0008_0018, "1.2.3"), (0x0020_000D, "1.2.1")];
        let mut data_set: Vec<u8> = texts.into_iter().flat_map(|(tag, text)| element(tag, "UI", text)).collect();
        data_set.extend(element(0x0020_000E, "UI", "1.2.2"));
        data_set.extend(element(0x7FE0_0010, "OW", [7; 70]));
        let path = folder.path().join("a.dcm");
        std::fs::write(&path, file("1.2.840.10008.1.2.1", texts[0].1, &data_set)).unwrap();
        let found = read_whole_instance(&path).unwrap();
        assert_eq!((found.study_uid.as_str(), found.series_uid.as_str()), ("1.2.1", "1.2.2"));
        assert_eq!(Some(&found), read_instance(&path).unwrap().as_ref());
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(&bytes[found.data_at as usize..], data_set);
        let again = folder.path().join("again.dcm");
        let mut made = file_meta(&found.sop_class_uid, &found.sop_instance_uid, &found.transfer_syntax);
        assert!(made.len().is_multiple_of(2));
        made.extend(&data_set);
        std::fs::write(&again, &made).unwrap();
        let second = read_whole_instance(&again).unwrap();
        assert_eq!(&made[second.data_at as usize..], data_set);
        assert_eq!(Instance { data_at: found.data_at, ..second }, found);
        for n_lost in [1, 2, 30] {
            std::fs::write(&again, &bytes[..bytes.len() - n_lost]).unwrap();
            assert!(read_whole_instance(&again).is_err(), "{n_lost}");
        }
        std::fs::write(&again, b"patient_id,date\n").unwrap();
        assert_eq!(read_instance(&again).unwrap(), None);
    }
}
