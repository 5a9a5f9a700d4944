//! Cleans one file and writes its copy: attributes anew, pixels byte for byte, in the same transfer syntax.

use std::io::{BufWriter, Write};
use std::path::Path;

use dicom::core::header::Header as _;
use dicom::core::value::{PrimitiveValue, Value};
use dicom::dictionary_std::{tags, uids};
use dicom::object::{FileMetaTableBuilder, InMemDicomObject};
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::object::{Cleaner, Counts};
use crate::atomic::{self, Durability};
use crate::dicom::element;
use crate::dicom::file::open_whole;

/// Who wrote the file: the root of UUIDs and a name-based UUID of this program.
const IMPLEMENTATION: &str = "2.25.157318563904917622482713402156973390114";

/// Why a file could not be cleaned or written.
#[derive(Debug)]
pub(super) enum StoreError {
    /// It cannot be read whole, or not be written in its transfer syntax.
    Damaged,
    /// The output cannot be written.
    Io(std::io::Error),
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Cleans a file into `to`, whole or not at all.
pub(super) fn store(from: &Path, to: &Path, cleaner: &Cleaner<'_>, counts: &mut Counts) -> Result<(), StoreError> {
    let (object, transfer_syntax, _) = open_whole(from).map_err(|_| StoreError::Damaged)?;
    let mut cleaned = cleaner.clean(object, counts);
    let pixels = PlainPixels::take(&mut cleaned, &transfer_syntax);
    atomic::write(to, Durability::Buffered, |part| {
        let mut file = BufWriter::with_capacity(1 << 16, part.as_file_mut());
        write(&cleaned, &transfer_syntax, &mut file)?;
        if let Some(pixels) = pixels {
            pixels.write(&mut file)?;
        }
        Ok(file.flush()?)
    })
}

/// The pixels of an uncompressed little-endian file, where nothing comes after them: the writer of data sets copies a value and
/// writes it word by word, which takes longer than all the rest.
struct PlainPixels {
    /// Tag, value representation and length as they are written.
    header: Vec<u8>,
    bytes: Vec<u8>,
}

impl PlainPixels {
    fn take(object: &mut InMemDicomObject, transfer_syntax: &str) -> Option<Self> {
        let is_explicit = match transfer_syntax {
            uids::EXPLICIT_VR_LITTLE_ENDIAN => true,
            uids::IMPLICIT_VR_LITTLE_ENDIAN => false,
            _ => return None,
        };
        let last = object.iter().last().filter(|element| element.tag() == tags::PIXEL_DATA)?;
        let vr = last.vr();
        let mut bytes = match last.value() {
            Value::Primitive(PrimitiveValue::U8(bytes)) => bytes.to_vec(),
            Value::Primitive(PrimitiveValue::U16(words)) if cfg!(target_endian = "little") => {
                bytemuck::cast_slice::<u16, u8>(words).to_vec()
            }
            Value::Primitive(PrimitiveValue::U16(words)) => words.iter().flat_map(|word| word.to_le_bytes()).collect(),
            _ => return None,
        };
        // A value has an even length (PS3.5 section 6.2).
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length != u32::MAX)?;
        object.remove_element(tags::PIXEL_DATA);
        let mut header = vec![0xE0, 0x7F, 0x10, 0x00];
        if is_explicit {
            header.extend(vr.to_bytes());
            header.extend([0, 0]);
        }
        header.extend(length.to_le_bytes());
        Some(Self { header, bytes })
    }

    fn write(&self, file: &mut impl Write) -> std::io::Result<()> {
        file.write_all(&self.header)?;
        file.write_all(&self.bytes)
    }
}

fn write(object: &InMemDicomObject, transfer_syntax: &str, mut file: &mut dyn Write) -> Result<(), StoreError> {
    use dicom::encoding::TransferSyntaxIndex as _;
    use dicom::transfer_syntax::TransferSyntaxRegistry;
    let text = |tag| element::text(object, tag).unwrap_or_default();
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(text(tags::SOP_CLASS_UID))
        .media_storage_sop_instance_uid(text(tags::SOP_INSTANCE_UID))
        .transfer_syntax(transfer_syntax)
        .implementation_class_uid(IMPLEMENTATION)
        .implementation_version_name("LESIONTRACE")
        .build()
        .map_err(|_| StoreError::Damaged)?;
    file.write_all(&[0; 128]).and_then(|()| file.write_all(b"DICM")).map_err(StoreError::Io)?;
    meta.write(&mut file).map_err(|_| StoreError::Damaged)?;
    let is_deflated = transfer_syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
    let encoding = if is_deflated { uids::EXPLICIT_VR_LITTLE_ENDIAN } else { transfer_syntax };
    let syntax = TransferSyntaxRegistry.get(encoding).ok_or(StoreError::Damaged)?;
    if is_deflated {
        let mut deflated = DeflateEncoder::new(file, Compression::default());
        object.write_dataset_with_ts(&mut deflated, syntax).map_err(|_| StoreError::Damaged)?;
        deflated.finish().map_err(StoreError::Io)?;
        return Ok(());
    }
    object.write_dataset_with_ts(file, syntax).map_err(|_| StoreError::Damaged)
}

#[cfg(test)]
mod tests {
    use dicom::core::{DataElement, VR};
    use dicom::encoding::TransferSyntaxIndex as _;
    use dicom::transfer_syntax::TransferSyntaxRegistry;

    use super::*;

    #[test]
    fn pixels_written_apart_are_those_the_writer_of_data_sets_writes() {
        let words = || PrimitiveValue::U16((0..999_u16).map(|n| n.wrapping_mul(251)).collect());
        let odd = || PrimitiveValue::from((0..=8).collect::<Vec<u8>>());
        for uid in [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN] {
            for (vr, value) in [(VR::OW, words()), (VR::OB, odd())] {
                let mut object = InMemDicomObject::new_empty();
                object.put(DataElement::new(tags::ROWS, VR::US, PrimitiveValue::from(3_u16)));
                object.put(DataElement::new(tags::PIXEL_DATA, vr, value));
                let syntax = TransferSyntaxRegistry.get(uid).unwrap();
                let (mut whole, mut apart) = (Vec::new(), Vec::new());
                object.write_dataset_with_ts(&mut whole, syntax).unwrap();
                let pixels = PlainPixels::take(&mut object, uid).unwrap();
                object.write_dataset_with_ts(&mut apart, syntax).unwrap();
                pixels.write(&mut apart).unwrap();
                assert_eq!(whole, apart, "{uid} {vr:?}");
            }
        }
        let mut followed = InMemDicomObject::new_empty();
        followed.put(DataElement::new(tags::PIXEL_DATA, VR::OW, words()));
        followed.put(DataElement::new(tags::DATA_SET_TRAILING_PADDING, VR::OB, odd()));
        assert!(PlainPixels::take(&mut followed, uids::EXPLICIT_VR_LITTLE_ENDIAN).is_none());
    }
}
