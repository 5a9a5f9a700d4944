//! Finds where the uncompressed pixels of a file begin, and with that whether the file holds all it promises.
//!
//! Source: DICOM PS3.5 section 7.1 (data element encoding), section 8.2 (native pixel data).

use std::io;

use dicom::dictionary_std::uids;
use serde::{Deserialize, Serialize};

use super::file::{EXPLICIT_BIG_ENDIAN, Start};

/// Where the pixels of a file lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PixelPlace {
    /// Uncompressed little-endian integers from this byte of the file on.
    At(u64),
    /// Compressed, big-endian or floating point: only a full reading finds them.
    Inside,
    /// The file ends before its pixels do.
    Truncated,
}

/// Looks for the pixel data element, which needs `n_pixel_bytes` (what rows, columns, frames and bits ask for). Compressed files
/// are not judged here: their decoder notices.
pub(super) fn place_of_pixels(start: &mut Start, transfer_syntax: &str, n_pixel_bytes: u64) -> io::Result<PixelPlace> {
    let (explicit, big_endian) = match transfer_syntax {
        uids::IMPLICIT_VR_LITTLE_ENDIAN => (false, false),
        uids::EXPLICIT_VR_LITTLE_ENDIAN => (true, false),
        EXPLICIT_BIG_ENDIAN => (true, true),
        _ => return Ok(PixelPlace::Inside),
    };
    let file_length = start.file_length;
    // In a whole file the pixels' element header lies before the last n_pixel_bytes bytes.
    let Some(header_length) = file_length.checked_sub(n_pixel_bytes) else { return Ok(PixelPlace::Truncated) };
    start.extend(header_length)?;
    let header = &start.bytes[..start.bytes.len().min(header_length as usize)];
    let length_at = if explicit { 8 } else { 4 };
    // Backwards: the image's own pixels come after those of any icon in its header.
    for at in (0..header.len()).rev() {
        let bytes = &header[at..];
        let Some(element) = pixel_element(bytes, explicit, big_endian) else { continue };
        let Some(&[a, b, c, d]) = bytes.get(length_at..length_at + 4) else { continue };
        let length = if big_endian { u32::from_be_bytes([a, b, c, d]) } else { u32::from_le_bytes([a, b, c, d]) };
        let pixels_at = (at + length_at + 4) as u64;
        if u64::from(length) >= n_pixel_bytes && pixels_at + u64::from(length) <= file_length {
            let plain = element == 0x10 && !big_endian;
            return Ok(if plain { PixelPlace::At(pixels_at) } else { PixelPlace::Inside });
        }
    }
    Ok(PixelPlace::Truncated)
}

/// The element number where a Float (08), Double Float (09) or ordinary (10) Pixel Data element begins.
fn pixel_element(bytes: &[u8], explicit: bool, big_endian: bool) -> Option<u8> {
    let element = match *bytes.get(..4)? {
        [0xE0, 0x7F, element @ (0x08 | 0x09 | 0x10), 0x00] if !big_endian => element,
        [0x7F, 0xE0, 0x00, element @ (0x08 | 0x09 | 0x10)] if big_endian => element,
        _ => return None,
    };
    let known_form = !explicit || matches!(bytes.get(4..6)?, b"OW" | b"OB" | b"OF" | b"OD");
    known_form.then_some(element)
}
