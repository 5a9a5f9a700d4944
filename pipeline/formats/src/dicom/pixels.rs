//! The pixels of one file as stored numbers, and as rescaled values in f32.
//!
//! Source: DICOM PS3.3 C.7.6.3 (Image Pixel module), C.11.1 (Modality LUT), PS3.5 section 8 (encoding of pixel data).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use dicom::core::Tag;
use dicom::dictionary_std::{tags, uids};
use dicom::object::{DefaultDicomObject, FileMetaTableBuilder, InMemDicomObject};
use dicom_pixeldata::PixelDecoder;

use super::element;
use super::header::{SliceHeader, open_whole, reason_of};
use super::pixel_offset::PixelPlace;

/// How stored integers lie in their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PixelForm {
    bits_allocated: u32,
    bits_stored: u32,
    high_bit: u32,
    signed: bool,
}

/// The values of one single-frame file, row by row: stored · slope + intercept, in f32; slope 1 and intercept 0 where the
/// file states none. `Err` is a reason for a message about this file.
pub(super) fn rescaled_values(header: &SliceHeader) -> Result<Vec<f32>, String> {
    let slope = header.rescale_slope.unwrap_or(1.0);
    let intercept = header.rescale_intercept.unwrap_or(0.0);
    let n_pixels = header.rows as usize * header.columns as usize;
    let values = match header.pixels {
        PixelPlace::At(offset) => {
            let form = form_of(header)?;
            let n_bytes = n_pixels as u64 * u64::from(form.bits_allocated / 8);
            unpack(&read_at(&header.path, offset, n_bytes).map_err(|e| e.to_string())?, form, n_pixels)?
        }
        PixelPlace::Inside => parsed_values(header, n_pixels)?,
        PixelPlace::Truncated => return Err("it is truncated; copy or export the file again".to_owned()),
    };
    Ok(values.into_iter().map(|stored| (stored * slope + intercept) as f32).collect())
}

fn read_at(path: &Path, offset: u64, n_bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(n_bytes as usize);
    file.take(n_bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Stored values of one frame by a full reading of the file. Decoders are foreign: a panic inside one becomes a reason.
fn parsed_values(header: &SliceHeader, n_pixels: usize) -> Result<Vec<f64>, String> {
    let (object, transfer_syntax) = open_whole(&header.path).map_err(|e| e.to_string())?;
    if let Some(bytes) = bytes_of(&object, tags::FLOAT_PIXEL_DATA) {
        let values = bytes.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        return exactly(n_pixels, values);
    }
    if let Some(bytes) = bytes_of(&object, tags::DOUBLE_FLOAT_PIXEL_DATA) {
        let values =
            bytes.chunks_exact(8).map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]));
        return exactly(n_pixels, values);
    }
    let form = form_of(header)?;
    let pixel_data = object.get(tags::PIXEL_DATA).ok_or("it has no Pixel Data (7FE0,0010)")?;
    if pixel_data.fragments().is_some() {
        return unpack(&decode(object, &transfer_syntax)?, form, n_pixels);
    }
    if transfer_syntax == "1.2.840.10008.1.2.2" && form.bits_allocated == 32 {
        return Err("32-bit big endian pixels are not supported; convert with gdcmconv --raw".to_owned());
    }
    let bytes = bytes_of(&object, tags::PIXEL_DATA).ok_or("its Pixel Data cannot be read")?;
    unpack(&bytes, form, n_pixels)
}

fn decode(object: InMemDicomObject, transfer_syntax: &str) -> Result<Vec<u8>, String> {
    let advice = "decompress it first (gdcmconv --raw or dcmdjpeg)";
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(transfer_syntax)
        .media_storage_sop_class_uid(element::text(&object, tags::SOP_CLASS_UID).unwrap_or_default())
        .media_storage_sop_instance_uid(element::text(&object, tags::SOP_INSTANCE_UID).unwrap_or_default())
        .build()
        .map_err(|e| reason_of(&e))?;
    let file: DefaultDicomObject = object.with_exact_meta(meta);
    match catch_unwind(AssertUnwindSafe(|| file.decode_pixel_data().map(|p| p.data().to_vec()))) {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(e)) => Err(format!("its compressed pixels cannot be decoded ({}); {advice}", reason_of(&e))),
        Err(_) => Err(format!("its compressed pixels cannot be decoded (the decoder gave up); {advice}")),
    }
}

fn bytes_of(object: &InMemDicomObject, tag: Tag) -> Option<Vec<u8>> {
    object.get(tag)?.to_bytes().ok().map(std::borrow::Cow::into_owned)
}

fn form_of(header: &SliceHeader) -> Result<PixelForm, String> {
    let &SliceHeader { bits_allocated, bits_stored, high_bit, .. } = header;
    let signed = header.signed.ok_or("it has no Pixel Representation (0028,0103)")?;
    let fits =
        bits_stored >= 1 && bits_stored <= bits_allocated && high_bit < bits_allocated && high_bit + 1 >= bits_stored;
    if matches!(bits_allocated, 8 | 16 | 32) && fits {
        Ok(PixelForm { bits_allocated, bits_stored, high_bit, signed })
    } else {
        Err(format!(
            "its pixels have an unsupported form (allocated {bits_allocated}, stored {bits_stored}, high bit {high_bit}; expected 8, 16 or 32 allocated bits)"
        ))
    }
}

/// Integers from little-endian bytes: only the stored bits count, the highest of them is the sign.
fn unpack(bytes: &[u8], form: PixelForm, n_pixels: usize) -> Result<Vec<f64>, String> {
    let shift = form.high_bit + 1 - form.bits_stored;
    let value = |raw: u32| {
        let up = 32 - form.bits_stored;
        let placed = (raw >> shift) << up;
        if form.signed { f64::from((placed as i32) >> up) } else { f64::from(placed >> up) }
    };
    match form.bits_allocated {
        8 => exactly(n_pixels, bytes.iter().map(|b| value(u32::from(*b)))),
        16 => exactly(n_pixels, bytes.chunks_exact(2).map(|b| value(u32::from(u16::from_le_bytes([b[0], b[1]]))))),
        _ => exactly(n_pixels, bytes.chunks_exact(4).map(|b| value(u32::from_le_bytes([b[0], b[1], b[2], b[3]])))),
    }
}

/// The first `n` values; a reason when there are fewer. (A padding byte at the end is allowed.)
fn exactly(n: usize, values: impl Iterator<Item = f64>) -> Result<Vec<f64>, String> {
    let values: Vec<f64> = values.take(n).collect();
    if values.len() == n {
        Ok(values)
    } else {
        Err(format!("it holds {} pixels where rows x columns say {n}; copy or export the file again", values.len()))
    }
}

/// Whether a transfer syntax compresses with loss.
pub(super) fn is_lossy(transfer_syntax: &str) -> bool {
    [uids::JPEG_BASELINE8_BIT, uids::JPEG_EXTENDED12_BIT, uids::JPEGLS_NEAR_LOSSLESS, uids::JPEG2000]
        .contains(&transfer_syntax)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_stored_bits_ignore_what_lies_above_them() {
        let form = PixelForm { bits_allocated: 16, bits_stored: 12, high_bit: 11, signed: true };
        // 0xF7FF: overlay bits above, 0x7FF = 2047; 0x0800 = -2048; 0x0FFF = -1.
        let bytes = [0xFF, 0xF7, 0x00, 0x08, 0xFF, 0x0F];
        assert_eq!(unpack(&bytes, form, 3).unwrap(), [2047.0, -2048.0, -1.0]);
        let unsigned = PixelForm { signed: false, ..form };
        assert_eq!(unpack(&bytes, unsigned, 3).unwrap(), [2047.0, 2048.0, 4095.0]);
        assert!(unpack(&bytes, form, 4).is_err());
    }

    #[test]
    fn thirty_two_bits_and_a_shifted_high_bit() {
        let wide = PixelForm { bits_allocated: 32, bits_stored: 32, high_bit: 31, signed: true };
        assert_eq!(unpack(&(-5_i32).to_le_bytes(), wide, 1).unwrap(), [-5.0]);
        let high = PixelForm { bits_allocated: 16, bits_stored: 12, high_bit: 15, signed: false };
        assert_eq!(unpack(&0x1230_u16.to_le_bytes(), high, 1).unwrap(), [f64::from(0x123)]);
    }
}
