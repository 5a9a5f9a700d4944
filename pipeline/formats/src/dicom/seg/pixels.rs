//! The pixels of all frames of a segmentation as they are stored: one bit, one byte or two bytes each.

use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;
use imaging::grid::MAX_VOXELS;

use crate::dicom::codec;
use crate::dicom::header::SliceHeader;
use crate::dicom::pixels::MAX_FRAME_PIXELS;

/// Stored pixels, frame after frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pixels {
    Bits(Vec<u8>),
    Bytes(Vec<u8>),
    Words(Vec<u8>),
}

impl Pixels {
    /// `Err` is a reason for a message about the file.
    pub(super) fn read(object: &InMemDicomObject, header: &SliceHeader) -> Result<Self, String> {
        let n_frames = header.n_frames as usize;
        let n_pixels = header.rows as usize * header.columns as usize;
        if n_pixels > MAX_FRAME_PIXELS || n_frames.saturating_mul(n_pixels) > MAX_VOXELS {
            return Err(format!("it claims {n_frames} frames of {n_pixels} pixels, as no segmentation has"));
        }
        if !matches!(header.bits_allocated, 1 | 8 | 16) {
            return Err(format!("its pixels have {} bits, expected 1, 8 or 16", header.bits_allocated));
        }
        let element = object.get(tags::PIXEL_DATA).ok_or("it has no Pixel Data (7FE0,0010)")?;
        let bytes = if let Some(fragments) = element.fragments() {
            let offsets = element.value().offset_table().unwrap_or_default();
            let mut all = Vec::new();
            for frame in 0..n_frames {
                let code = codec::frame_bytes(fragments, offsets, frame, n_frames)?;
                all.extend(codec::decode_frame(header, &code)?);
            }
            all
        } else {
            element.to_bytes().map_err(|e| e.to_string())?.into_owned()
        };
        let n_bits = n_frames.saturating_mul(n_pixels).saturating_mul(header.bits_allocated as usize);
        if n_pixels == 0 || bytes.len() < n_bits.div_ceil(8) {
            return Err(format!("its pixels are cut short ({} bytes, expected {})", bytes.len(), n_bits.div_ceil(8)));
        }
        match header.bits_allocated {
            1 => Ok(Self::Bits(bytes)),
            8 => Ok(Self::Bytes(bytes)),
            _ => Ok(Self::Words(bytes)),
        }
    }

    /// The value of the n-th pixel of all frames.
    pub(super) fn value(&self, n: usize) -> u16 {
        match self {
            Self::Bits(bytes) => u16::from((bytes[n / 8] >> (n % 8)) & 1),
            Self::Bytes(bytes) => u16::from(bytes[n]),
            Self::Words(bytes) => u16::from_le_bytes([bytes[2 * n], bytes[2 * n + 1]]),
        }
    }
}
