//! Cleans one file and writes its copy: attributes anew, pixels byte for byte, in the same transfer syntax.

use std::io::{BufWriter, Write};
use std::path::Path;

use dicom::core::DataElement;
use dicom::core::value::{PrimitiveValue, Value};
use dicom::dictionary_std::{tags, uids};
use dicom::object::{FileMetaTableBuilder, InMemDicomObject};
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::object::{Cleaner, Counts};
use crate::atomic::{self, Durability};
use crate::dicom::element;
use crate::dicom::file::{EXPLICIT_BIG_ENDIAN, open_whole};

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
    if transfer_syntax != EXPLICIT_BIG_ENDIAN {
        pixels_as_bytes(&mut cleaned);
    }
    atomic::write(to, Durability::Buffered, |part| {
        let mut file = BufWriter::with_capacity(1 << 16, part.as_file_mut());
        write(&cleaned, &transfer_syntax, &mut file)?;
        Ok(file.flush()?)
    })
}

/// Words of pixels as the bytes they are written in, little-endian: a writer takes bytes at once and words one by one.
fn pixels_as_bytes(object: &mut InMemDicomObject) {
    let Ok(element) = object.take_element(tags::PIXEL_DATA) else { return };
    let vr = element.vr();
    object.put(match element.value() {
        Value::Primitive(PrimitiveValue::U16(words)) => {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            DataElement::new(tags::PIXEL_DATA, vr, PrimitiveValue::from(bytes))
        }
        _ => element,
    });
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
