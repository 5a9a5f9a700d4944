//! DICOM files byte by byte: what no honest writer would write can be written, too.
//!
//! Source: DICOM PS3.5 section 7.1 (explicit and implicit VR little endian), PS3.10 section 7.1 (meta group).

/// Explicit VR Little Endian.
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// Implicit VR Little Endian.
pub const IMPLICIT: &str = "1.2.840.10008.1.2";

/// Deflated Explicit VR Little Endian.
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";

/// A length that is not stated.
pub const UNDEFINED: u32 = u32::MAX;

fn tag_bytes(tag: u32) -> [u8; 4] {
    let [a, b, c, d] = tag.to_be_bytes();
    [b, a, d, c]
}

fn padded(vr: &str, value: &[u8]) -> Vec<u8> {
    let mut out = value.to_vec();
    if out.len() % 2 == 1 {
        out.push(if matches!(vr, "UI" | "OB" | "UN") { 0 } else { b' ' });
    }
    out
}

/// The header of an element with any length, true or not; `tag` is 0xGGGGEEEE.
#[must_use]
pub fn header(tag: u32, vr: &str, length: u32) -> Vec<u8> {
    let mut out = tag_bytes(tag).to_vec();
    out.extend_from_slice(vr.as_bytes());
    if matches!(vr, "OB" | "OW" | "OF" | "OD" | "OL" | "OV" | "SQ" | "UC" | "UN" | "UR" | "UT" | "SV" | "UV") {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&length.to_le_bytes());
    } else {
        out.extend_from_slice(&(length as u16).to_le_bytes());
    }
    out
}

/// An element in explicit little endian, padded to even length.
#[must_use]
pub fn element(tag: u32, vr: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = padded(vr, value.as_ref());
    let mut out = header(tag, vr, value.len() as u32);
    out.extend_from_slice(&value);
    out
}

/// An element in implicit little endian.
#[must_use]
pub fn implicit(tag: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = padded("LO", value.as_ref());
    let mut out = tag_bytes(tag).to_vec();
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(&value);
    out
}

/// A 16-bit number.
#[must_use]
pub fn number(tag: u32, value: u16) -> Vec<u8> {
    element(tag, "US", value.to_le_bytes())
}

/// A sequence of stated length with items of stated length.
#[must_use]
pub fn sequence(tag: u32, items: &[Vec<u8>]) -> Vec<u8> {
    let body: Vec<u8> = items
        .iter()
        .flat_map(|item| [tag_bytes(0xFFFE_E000).to_vec(), (item.len() as u32).to_le_bytes().to_vec(), item.clone()])
        .flatten()
        .collect();
    element(tag, "SQ", body)
}

/// A sequence of one item, both without a stated length and closed by delimiters.
#[must_use]
pub fn open_sequence(tag: u32, item: &[u8]) -> Vec<u8> {
    let delimiter = |tag: u32, length: u32| [tag_bytes(tag), length.to_le_bytes()].concat();
    [
        header(tag, "SQ", UNDEFINED),
        delimiter(0xFFFE_E000, UNDEFINED),
        item.to_vec(),
        delimiter(0xFFFE_E00D, 0),
        delimiter(0xFFFE_E0DD, 0),
    ]
    .concat()
}

/// Compressed pixel data: an empty offset table, then the fragments.
#[must_use]
pub fn fragments(fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut out = header(0x7FE0_0010, "OB", UNDEFINED);
    for fragment in std::iter::once(&Vec::new()).chain(fragments) {
        let fragment = padded("OB", fragment);
        out.extend_from_slice(&tag_bytes(0xFFFE_E000));
        out.extend_from_slice(&(fragment.len() as u32).to_le_bytes());
        out.extend_from_slice(&fragment);
    }
    out.extend_from_slice(&tag_bytes(0xFFFE_E0DD));
    out.extend_from_slice(&[0; 4]);
    out
}

/// A file: preamble, meta group, data set as given (already deflated where the transfer syntax says so).
#[must_use]
pub fn file(transfer_syntax: &str, class: &str, data_set: &[u8]) -> Vec<u8> {
    let meta = [
        element(0x0002_0001, "OB", [0, 1]),
        element(0x0002_0002, "UI", class),
        element(0x0002_0003, "UI", "1.2.3.4"),
        element(0x0002_0010, "UI", transfer_syntax),
        element(0x0002_0012, "UI", "1.2.826.0.1"),
    ]
    .concat();
    let length = element(0x0002_0000, "UL", (meta.len() as u32).to_le_bytes());
    [vec![0; 128], b"DICM".to_vec(), length, meta, data_set.to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_by_hand() {
        assert_eq!(element(0x0008_0060, "CS", "MR"), [8, 0, 0x60, 0, b'C', b'S', 2, 0, b'M', b'R']);
        assert_eq!(element(0x0020_000D, "UI", "1"), [0x20, 0, 0x0D, 0, b'U', b'I', 2, 0, b'1', 0]);
        assert_eq!(sequence(0x0040_A730, &[vec![]]).len(), 12 + 8);
    }
}
