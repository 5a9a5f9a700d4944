//! Tells from a header whether a file holds all the uncompressed pixels it promises, without reading them.
//!
//! Source: DICOM PS3.5 section 7.1 (data element encoding), section 8.2 (native pixel data).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use dicom::dictionary_std::uids;

/// Explicit VR Big Endian, retired.
const EXPLICIT_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// Whether the file is shorter than its pixel data element says. `n_pixel_bytes` is what rows, columns, frames and bits ask for;
/// compressed files are not judged here (their decoder notices).
pub(super) fn is_truncated(path: &Path, transfer_syntax: &str, n_pixel_bytes: u64) -> io::Result<bool> {
    let (explicit, big_endian) = match transfer_syntax {
        uids::IMPLICIT_VR_LITTLE_ENDIAN => (false, false),
        uids::EXPLICIT_VR_LITTLE_ENDIAN => (true, false),
        EXPLICIT_BIG_ENDIAN => (true, true),
        _ => return Ok(false),
    };
    let file = File::open(path)?;
    let file_length = file.metadata()?.len();
    // In a whole file the pixels' element header lies before the last n_pixel_bytes bytes.
    let Some(header_length) = file_length.checked_sub(n_pixel_bytes) else { return Ok(true) };
    let mut header = Vec::new();
    file.take(header_length).read_to_end(&mut header)?;
    Ok(!(0..header.len())
        .any(|at| holds_pixels(&header[at..], explicit, big_endian, n_pixel_bytes, file_length - at as u64)))
}

/// Whether an element header of (Float, Double Float or ordinary) Pixel Data begins here, with a length that is asked for and
/// that the rest of the file holds.
fn holds_pixels(bytes: &[u8], explicit: bool, big_endian: bool, n_pixel_bytes: u64, n_left: u64) -> bool {
    let is_pixel_tag = match bytes.get(..4) {
        Some([0xE0, 0x7F, element, 0x00]) => !big_endian && matches!(element, 0x08..=0x10),
        Some([0x7F, 0xE0, 0x00, element]) => big_endian && matches!(element, 0x08..=0x10),
        _ => false,
    };
    let length_at = if explicit { 8 } else { 4 };
    let Some(&[a, b, c, d]) = is_pixel_tag.then(|| bytes.get(length_at..length_at + 4)).flatten() else { return false };
    if explicit && !matches!(bytes.get(4..6), Some(b"OW" | b"OB" | b"OF" | b"OD")) {
        return false;
    }
    let length = if big_endian { u32::from_be_bytes([a, b, c, d]) } else { u32::from_le_bytes([a, b, c, d]) };
    let length = u64::from(length);
    length >= n_pixel_bytes && length_at as u64 + 4 + length <= n_left
}
