//! The data set of a query and of its answers: a few short texts in Implicit VR Little Endian, which every archive understands.
//!
//! Source: DICOM PS3.4 C.2.2.1 (keys), PS3.5 7.1.3 (implicit value representation) and 6.2 (padding).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom::core::Tag;
use dicom::core::header::Header;
use dicom::object::InMemDicomObject;
use dicom::transfer_syntax::entries::IMPLICIT_VR_LITTLE_ENDIAN;

use super::element;
use super::guard::read_data_set;

/// Group and element of an attribute.
pub type Key = (u16, u16);

/// Specific Character Set.
const CHARACTER_SET: Key = (0x0008, 0x0005);

/// A query's data set: the keys in ascending order, an empty text asking for the value. Texts beyond ASCII are Unicode, and said to be.
#[must_use]
pub fn write_identifier(keys: &BTreeMap<Key, String>) -> Vec<u8> {
    let mut all = keys.clone();
    if !keys.values().all(|text| text.is_ascii()) {
        all.insert(CHARACTER_SET, "ISO_IR 192".to_owned());
    }
    let mut bytes = Vec::new();
    for ((group, number), text) in &all {
        let mut value = text.as_bytes().to_vec();
        if !value.len().is_multiple_of(2) {
            let is_uid = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'\\')) && text.contains('.');
            value.push(if is_uid { 0 } else { b' ' });
        }
        bytes.extend(group.to_le_bytes());
        bytes.extend(number.to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
        bytes.extend(value);
    }
    bytes
}

/// The texts of an answer's data set; what is no text (sequences, empty values) is not among them.
///
/// # Errors
/// A reason for a message: the bytes are no data set.
pub fn read_identifier(bytes: &[u8]) -> Result<BTreeMap<Key, String>, String> {
    let syntax = IMPLICIT_VR_LITTLE_ENDIAN.erased();
    let parse = || read_data_set(bytes, &syntax, bytes.len() as u64, None);
    let object = catch_unwind(AssertUnwindSafe(parse)).map_err(|_| "the parser gave up on it".to_owned())??;
    let text = |tag: Tag| Some(((tag.group(), tag.element()), element::text(&object, tag)?));
    Ok(tags_of(&object).into_iter().filter_map(text).collect())
}

fn tags_of(object: &InMemDicomObject) -> Vec<Tag> {
    object.iter().filter(|element| element.items().is_none()).map(Header::tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_comes_back_and_says_its_characters() {
        let keys: BTreeMap<Key, String> =
            [((0x0010, 0x0020), "P 1"), ((0x0020, 0x000D), "1.2.3"), ((0x0008, 0x0061), "CT\\MR")]
                .map(|(key, text)| (key, text.to_owned()))
                .into();
        let bytes = write_identifier(&keys);
        assert!(bytes.len().is_multiple_of(2));
        assert_eq!(&bytes[..8], [8, 0, 0x61, 0, 6, 0, 0, 0].as_slice(), "in ascending order, padded");
        assert_eq!(read_identifier(&bytes).unwrap(), keys);
        let name = BTreeMap::from([((0x0010, 0x0010), "Jörg*".to_owned()), ((0x0008, 0x0020), String::new())]);
        let read = read_identifier(&write_identifier(&name)).unwrap();
        assert_eq!(read[&(0x0010, 0x0010)], "Jörg*");
        assert_eq!(read[&CHARACTER_SET], "ISO_IR 192");
        assert!(!read.contains_key(&(0x0008, 0x0020)), "what is empty is unknown");
    }

    #[test]
    fn bytes_that_are_no_data_set_are_refused() {
        assert!(read_identifier(&[8, 0, 0x61, 0, 0xF0, 0xFF, 0xFF, 0x7F, b'C']).is_err());
        assert!(read_identifier(&[8, 0, 0x61, 0, 4, 0, 0, 0, b'C']).is_err());
        assert!(read_identifier(&[]).unwrap().is_empty());
    }
}
