//! Cleans one file and writes its copy: attributes anew, pixels byte for byte, in the same transfer syntax.

use std::io::{BufWriter, Write};
use std::path::Path;

use dicom::dictionary_std::{tags, uids};
use dicom::object::{FileMetaTableBuilder, InMemDicomObject};
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::object::{Cleaner, Counts};
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

/// Cleans a file into `to`, whole or not at all.
pub(super) fn store(from: &Path, to: &Path, cleaner: &Cleaner<'_>, counts: &mut Counts) -> Result<(), StoreError> {
    let (object, transfer_syntax) = open_whole(from).map_err(|_| StoreError::Damaged)?;
    let cleaned = cleaner.clean(object, counts);
    write_atomic(to, |file| write(&cleaned, &transfer_syntax, file))
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

/// Writes a file under a temporary name in its folder and renames it; the folder is made where it is missing.
pub(super) fn write_atomic(
    to: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let folder = to.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(StoreError::Io)?;
    let mut part = tempfile::Builder::new().prefix(".part-").tempfile_in(folder).map_err(StoreError::Io)?;
    {
        let mut file = BufWriter::with_capacity(1 << 16, part.as_file_mut());
        write(&mut file)?;
        file.flush().map_err(StoreError::Io)?;
    }
    make_readable(part.as_file()).map_err(StoreError::Io)?;
    part.persist(to).map_err(|error| StoreError::Io(error.error))?;
    Ok(())
}

/// Temporary files are private to their owner; results get the usual mode.
#[cfg(unix)]
fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}
#[cfg(not(unix))]
fn make_readable(_file: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}
