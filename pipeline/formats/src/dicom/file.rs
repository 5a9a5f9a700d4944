//! Opens one DICOM file: with or without preamble and meta group, whole or up to its pixels.
//!
//! Source: DICOM PS3.10 section 7 (file format), PS3.5 annex A (transfer syntaxes).

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use dicom::core::Tag;
use dicom::dictionary_std::uids;
use dicom::object::file::ReadPreamble;
use dicom::object::{FileMetaTable, InMemDicomObject, OpenFileOptions};
use dicom::transfer_syntax::entries;

use super::header::HeaderError;
use crate::stored;

/// Reading a header stops here: Float, Double Float and ordinary Pixel Data all come later.
const FIRST_PIXEL_TAG: Tag = Tag(0x7FE0, 0x0001);

/// Deflated Explicit VR Little Endian; the meta group that says so lies within the first bytes.
const DEFLATED: &str = uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;

/// Bytes read to tell what kind of file it is.
const N_START: u64 = 1024;

/// Whether the first bytes of a file are those of a DICOM file, with or without preamble.
#[must_use]
pub fn looks_like_dicom(start: &[u8]) -> bool {
    if start.get(128..132) == Some(b"DICM") {
        return true;
    }
    // Without a preamble a file begins with group 0002 (meta) or 0008 (a bare data set), little endian, element below 0x20.
    matches!(start.get(..4), Some([0x02 | 0x08, 0x00, element, 0x00]) if *element <= 0x18)
        && start.get(6..8).is_some_and(|length| start[4].is_ascii_uppercase() || length == [0, 0])
}

/// The data set of one file up to its pixels with its transfer syntax; `None` where the file is no DICOM file.
pub(crate) fn open_header(path: &Path) -> Result<Option<(InMemDicomObject, String)>, HeaderError> {
    let unreadable = |e: std::io::Error| HeaderError::Unreadable { path: path.to_owned(), reason: e.to_string() };
    let mut start = Vec::with_capacity(N_START as usize);
    let file = stored::open(path).map_err(unreadable)?;
    file.take(N_START).read_to_end(&mut start).map_err(unreadable)?;
    if !looks_like_dicom(&start) {
        return Ok(None);
    }
    open(path, &start, Some(FIRST_PIXEL_TAG)).map(Some)
}

/// The whole data set of one file with its transfer syntax.
pub(crate) fn open_whole(path: &Path) -> Result<(InMemDicomObject, String), HeaderError> {
    let mut start = Vec::with_capacity(N_START as usize);
    stored::open(path)
        .and_then(|file| file.take(N_START).read_to_end(&mut start))
        .map_err(|e| HeaderError::Unreadable { path: path.to_owned(), reason: e.to_string() })?;
    open(path, &start, None)
}

/// Opens a file up to a tag. The parser is foreign and files are hostile: a panic inside it becomes an error of this file.
fn open(path: &Path, start: &[u8], until: Option<Tag>) -> Result<(InMemDicomObject, String), HeaderError> {
    let damaged = |reason: String| HeaderError::Damaged { path: path.to_owned(), reason };
    let has_meta = start.get(128..132) == Some(b"DICM") || start.first() == Some(&0x02);
    let deflated = start.windows(DEFLATED.len()).any(|w| w == DEFLATED.as_bytes());
    let parse = || match (has_meta, deflated) {
        (true, true) => Ok((open_deflated(path)?, DEFLATED.to_owned())),
        (true, false) => open_with_meta(path, until),
        (false, _) => open_bare(path, start),
    };
    match catch_unwind(AssertUnwindSafe(parse)) {
        Ok(result) => result.map_err(damaged),
        Err(_) => Err(damaged("the parser gave up on it".to_owned())),
    }
}

fn open_with_meta(path: &Path, until: Option<Tag>) -> Result<(InMemDicomObject, String), String> {
    let options = OpenFileOptions::new().read_preamble(ReadPreamble::Auto);
    let options = until.map_or(options.clone(), |tag| options.read_until(tag));
    let file = stored::open(path).map_err(|e| e.to_string())?;
    let object = options.from_reader(file).map_err(|e| reason_of(&e))?;
    let transfer_syntax = object.meta().transfer_syntax().trim_end_matches('\0').to_owned();
    Ok((object.into_inner(), transfer_syntax))
}

/// A deflated data set may unpack to this many bytes: more is no image but a bomb.
const MAX_INFLATED: u64 = 1 << 31;

/// A deflated file, unpacked within a bound.
fn open_deflated(path: &Path) -> Result<InMemDicomObject, String> {
    let bytes = stored::read(path).map_err(|e| e.to_string())?;
    let start = if bytes.get(128..132) == Some(b"DICM") { 128 } else { 0 };
    let mut reader = std::io::Cursor::new(&bytes[start..]);
    FileMetaTable::from_reader(&mut reader).map_err(|e| reason_of(&e))?;
    let packed = &bytes[start + reader.position() as usize..];
    let mut data_set = Vec::new();
    flate2::read::DeflateDecoder::new(packed)
        .take(MAX_INFLATED)
        .read_to_end(&mut data_set)
        .map_err(|e| format!("it cannot be inflated: {e}"))?;
    if data_set.len() as u64 == MAX_INFLATED {
        return Err("it inflates to more than 2 GiB".to_owned());
    }
    let syntax = entries::EXPLICIT_VR_LITTLE_ENDIAN.erased();
    InMemDicomObject::read_dataset_with_ts(std::io::Cursor::new(data_set), &syntax).map_err(|e| reason_of(&e))
}

/// A bare data set (no preamble, no meta group): explicit or implicit little endian, told apart by the first value
/// representation.
fn open_bare(path: &Path, start: &[u8]) -> Result<(InMemDicomObject, String), String> {
    let explicit = start.get(4..6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase));
    let syntax = if explicit {
        entries::EXPLICIT_VR_LITTLE_ENDIAN.erased()
    } else {
        entries::IMPLICIT_VR_LITTLE_ENDIAN.erased()
    };
    let file = stored::open(path).map_err(|e| e.to_string())?;
    let object =
        InMemDicomObject::read_dataset_with_ts(std::io::BufReader::new(file), &syntax).map_err(|e| reason_of(&e))?;
    Ok((object, syntax.uid().to_owned()))
}

/// An error with its causes on one line.
pub(crate) fn reason_of(error: &dyn std::error::Error) -> String {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !reason.contains(&text) {
            reason.push_str(": ");
            reason.push_str(&text);
        }
        source = cause.source();
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_nifti_files_do_not_look_like_dicom() {
        assert!(!looks_like_dicom(b"patient_id,date\n"));
        assert!(!looks_like_dicom(&[]));
        assert!(!looks_like_dicom(&[0x5c, 0x01, 0x00, 0x00, 0, 0, 0, 0]));
        // (0008,0005) CS, explicit, and (0008,0008), implicit.
        assert!(looks_like_dicom(&[8, 0, 5, 0, b'C', b'S', 10, 0]));
        assert!(looks_like_dicom(&[8, 0, 8, 0, 22, 0, 0, 0]));
        let mut with_preamble = vec![0; 128];
        with_preamble.extend_from_slice(b"DICM");
        assert!(looks_like_dicom(&with_preamble));
    }
}
