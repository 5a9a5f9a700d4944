//! The stored bytes of one frame, whatever the file's compression.
//!
//! JPEG-LS and RLE are decoded here; JPEG and JPEG 2000 by the `dicom-pixeldata` crate, one frame at a time. What cannot be
//! decoded is refused with the command that converts it.
//!
//! Source: DICOM PS3.5 section 8.2 and annex A.4 (encapsulated pixel data).

use std::panic::{AssertUnwindSafe, catch_unwind};

use dicom::core::value::PixelFragmentSequence;
use dicom::core::{DataElement, PrimitiveValue, VR};
use dicom::dictionary_std::{tags, uids};
use dicom::object::{FileMetaTableBuilder, InMemDicomObject};
use dicom_pixeldata::PixelDecoder;

use super::file::reason_of;
use super::header::SliceHeader;

mod fragments;
mod jpeg;
mod jpeg2000;
mod jpeg_ls;
mod rle;

pub(super) use fragments::frame_bytes;

/// The stored pixels of one compressed frame, little endian, `bits_allocated` / 8 bytes each.
pub(super) fn decode_frame(header: &SliceHeader, code: &[u8]) -> Result<Vec<u8>, String> {
    let n_pixels = header.rows as usize * header.columns as usize;
    let n_bytes = (header.bits_allocated as usize).div_ceil(8);
    let decoded = match header.transfer_syntax.as_str() {
        uids::JPEGLS_LOSSLESS | uids::JPEGLS_NEAR_LOSSLESS => {
            let image = jpeg_ls::decode(code, header.columns as usize, header.rows as usize);
            image.map(|image| as_bytes(&image.samples, n_bytes))
        }
        uids::RLE_LOSSLESS => rle::decode(code, n_pixels, n_bytes),
        uids::JPEG2000 | uids::JPEG2000_LOSSLESS | HTJ2K_LOSSLESS | HTJ2K_LOSSLESS_RPCL | HTJ2K => {
            jpeg2000::check(code, header)?;
            by_crate(header, code)
        }
        uids::JPEG_BASELINE8_BIT | uids::JPEG_EXTENDED12_BIT | uids::JPEG_LOSSLESS | uids::JPEG_LOSSLESS_SV1 => {
            jpeg::check(code, header)?;
            by_crate(header, code)
        }
        _ => by_crate(header, code),
    };
    decoded.map_err(|reason| {
        format!(
            "its compressed pixels cannot be decoded ({reason}); decompress it first: {}",
            advice(&header.transfer_syntax)
        )
    })
}

const HTJ2K_LOSSLESS: &str = "1.2.840.10008.1.2.4.201";
const HTJ2K_LOSSLESS_RPCL: &str = "1.2.840.10008.1.2.4.202";
/// HTJ2K, with or without loss.
pub(super) const HTJ2K: &str = "1.2.840.10008.1.2.4.203";

/// The command that decompresses a file of this transfer syntax.
fn advice(transfer_syntax: &str) -> &'static str {
    match transfer_syntax {
        uids::JPEG_BASELINE8_BIT | uids::JPEG_EXTENDED12_BIT | uids::JPEG_LOSSLESS | uids::JPEG_LOSSLESS_SV1 => {
            "dcmdjpeg IN OUT"
        }
        uids::JPEGLS_LOSSLESS | uids::JPEGLS_NEAR_LOSSLESS => "dcmdjpls IN OUT",
        uids::RLE_LOSSLESS => "dcmdrle IN OUT",
        _ => "gdcmconv --raw IN OUT",
    }
}

fn as_bytes(samples: &[u16], n_bytes: usize) -> Vec<u8> {
    samples.iter().flat_map(|s| [s.to_le_bytes()[0], s.to_le_bytes()[1]].into_iter().take(n_bytes.min(2))).collect()
}

/// One frame as a file of its own, decoded by the foreign crate. Decoders meet hostile data: a panic becomes a reason.
fn by_crate(header: &SliceHeader, code: &[u8]) -> Result<Vec<u8>, String> {
    let mut object = InMemDicomObject::new_empty();
    let mut put = |tag, value: u32| {
        object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value as u16)));
    };
    put(tags::ROWS, header.rows);
    put(tags::COLUMNS, header.columns);
    put(tags::SAMPLES_PER_PIXEL, 1);
    put(tags::BITS_ALLOCATED, header.bits_allocated);
    put(tags::BITS_STORED, header.bits_stored);
    put(tags::HIGH_BIT, header.high_bit);
    put(tags::PIXEL_REPRESENTATION, u32::from(header.signed == Some(true)));
    object.put(DataElement::new(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, PrimitiveValue::from("MONOCHROME2")));
    let sequence = PixelFragmentSequence::new_fragments(vec![code.to_vec()]);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, sequence));
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(&*header.transfer_syntax)
        .media_storage_sop_class_uid(&*header.sop_class_uid)
        .media_storage_sop_instance_uid(&*header.sop_instance_uid)
        .build()
        .map_err(|e| reason_of(&e))?;
    let file = object.with_exact_meta(meta);
    match catch_unwind(AssertUnwindSafe(|| file.decode_pixel_data().map(|p| p.data().to_vec()))) {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(e)) => Err(reason_of(&e)),
        Err(_) => Err("the decoder gave up".to_owned()),
    }
}
