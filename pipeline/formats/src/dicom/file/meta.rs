//! The file meta group as archives really hold it: without its length, without a transfer syntax, without a preamble.
//!
//! Source: DICOM PS3.10 section 7.1 (group 0002 is explicit little endian), PS3.5 7.1.2 and 7.1.3 (explicit and implicit
//! elements).

use dicom::dictionary_std::uids;

use super::EXPLICIT_BIG_ENDIAN;

/// Where the data set of a file begins, and how it is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    /// First byte after the meta group.
    pub(super) data_at: usize,
    /// As stated; where it is not stated, or is an uncompressed one that the data set contradicts, as the data set is encoded.
    pub(super) transfer_syntax: String,
}

/// Reads the meta group at the start of a file. `None` where it does not end within these bytes or is cut short.
pub(super) fn parse(start: &[u8]) -> Option<Meta> {
    let mut at = if start.get(128..132) == Some(b"DICM") { 132 } else { 0 };
    let mut stated = None;
    while start.get(at..at + 2)? == [0x02, 0x00] {
        let element = start.get(at + 2..at + 4)?;
        let vr = start.get(at + 4..at + 6)?;
        let (value_at, length) = match vr {
            b"OB" | b"OW" | b"UN" | b"UT" | b"SQ" => {
                (at + 12, u32::from_le_bytes(start.get(at + 8..at + 12)?.try_into().ok()?) as usize)
            }
            _ => (at + 8, usize::from(u16::from_le_bytes(start.get(at + 6..at + 8)?.try_into().ok()?))),
        };
        let value = start.get(value_at..value_at.checked_add(length)?)?;
        if element == [0x10, 0x00] {
            stated = Some(String::from_utf8_lossy(value).trim_end_matches(['\0', ' ']).to_owned());
        }
        at = value_at + length;
    }
    let transfer_syntax = encoding(start.get(at..at + 8)?, stated.filter(|s| !s.is_empty()));
    Some(Meta { data_at: at, transfer_syntax })
}

/// The stated transfer syntax, unless there is none or the first element shows that it is another one of the uncompressed.
fn encoding(first: &[u8], stated: Option<String>) -> String {
    let has_vr = first[4..6].iter().all(u8::is_ascii_uppercase);
    let uncompressed = [uids::IMPLICIT_VR_LITTLE_ENDIAN, uids::EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN];
    if let Some(stated) = stated.filter(|s| !uncompressed.contains(&s.as_str())) {
        return stated;
    }
    // Group numbers are small: the byte that is 0 is the higher one.
    match (has_vr, first[0] == 0 && first[1] != 0) {
        (true, true) => EXPLICIT_BIG_ENDIAN,
        (true, false) => uids::EXPLICIT_VR_LITTLE_ENDIAN,
        (false, _) => uids::IMPLICIT_VR_LITTLE_ENDIAN,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A meta group with nothing but the elements given, then the start of a data set.
    fn file(preamble: bool, transfer_syntax: Option<&str>, data: &[u8]) -> Vec<u8> {
        let mut bytes = if preamble { vec![0; 128] } else { Vec::new() };
        bytes.extend(if preamble { b"DICM".as_slice() } else { b"" });
        bytes.extend([0x02, 0, 0x01, 0, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 1]);
        if let Some(uid) = transfer_syntax {
            bytes.extend([0x02, 0, 0x10, 0, b'U', b'I', uid.len() as u8, 0]);
            bytes.extend(uid.as_bytes());
        }
        bytes.extend(data);
        bytes
    }

    const EXPLICIT: &[u8] = &[8, 0, 5, 0, b'C', b'S', 2, 0, b'A', b'B'];
    const IMPLICIT: &[u8] = &[8, 0, 5, 0, 2, 0, 0, 0, b'A', b'B'];
    const BIG: &[u8] = &[0, 8, 0, 5, b'C', b'S', 0, 2, b'A', b'B'];

    #[test]
    fn a_group_without_length_preamble_or_transfer_syntax() {
        let meta = |preamble, stated, data| parse(&file(preamble, stated, data)).unwrap();
        assert_eq!(meta(true, Some("1.2.840.10008.1.2.4.50"), EXPLICIT).transfer_syntax, "1.2.840.10008.1.2.4.50");
        assert_eq!(meta(false, None, EXPLICIT), Meta { data_at: 14, transfer_syntax: "1.2.840.10008.1.2.1".into() });
        assert_eq!(meta(true, None, IMPLICIT).data_at, 146);
        // What the data set shows goes before what is stated.
        assert_eq!(meta(true, Some("1.2.840.10008.1.2"), EXPLICIT).transfer_syntax, "1.2.840.10008.1.2.1");
        assert_eq!(meta(true, Some("1.2.840.10008.1.2.1\0"), IMPLICIT).transfer_syntax, "1.2.840.10008.1.2");
        assert_eq!(meta(true, Some("1.2.840.10008.1.2.2\0"), BIG).transfer_syntax, "1.2.840.10008.1.2.2");
        assert_eq!(parse(BIG).unwrap().transfer_syntax, "1.2.840.10008.1.2.2");
    }

    #[test]
    fn a_group_cut_anywhere_is_none() {
        let whole = file(true, Some("1.2.840.10008.1.2.1\0"), EXPLICIT);
        for n in 132..whole.len() - 2 {
            assert_eq!(parse(&whole[..n]), None, "{n}");
        }
    }
}
