//! Opens one DICOM file: with or without preamble and meta group, whole or up to its pixels.
//!
//! Source: DICOM PS3.10 section 7 (file format), PS3.5 annex A (transfer syntaxes).

use std::fs::File;
use std::io::{BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use dicom::core::Tag;
use dicom::dictionary_std::uids;
use dicom::encoding::TransferSyntaxIndex as _;
use dicom::encoding::transfer_syntax::Codec;
use dicom::object::InMemDicomObject;
use dicom::transfer_syntax::{TransferSyntaxRegistry, entries};
use flate2::read::DeflateDecoder;

use super::guard::read_data_set;
use super::header::HeaderError;
use super::meta_group::read_meta;

/// Reading a header stops here: Float, Double Float and ordinary Pixel Data all come later.
const FIRST_PIXEL_TAG: Tag = Tag(0x7FE0, 0x0001);

/// Deflated Explicit VR Little Endian.
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
    let file = File::open(path).map_err(unreadable)?;
    file.take(N_START).read_to_end(&mut start).map_err(unreadable)?;
    if !looks_like_dicom(&start) {
        return Ok(None);
    }
    open(path, &start, Some(FIRST_PIXEL_TAG)).map(Some)
}

/// The whole data set of one file with its transfer syntax.
pub(crate) fn open_whole(path: &Path) -> Result<(InMemDicomObject, String), HeaderError> {
    let mut start = Vec::with_capacity(N_START as usize);
    File::open(path)
        .and_then(|file| file.take(N_START).read_to_end(&mut start))
        .map_err(|e| HeaderError::Unreadable { path: path.to_owned(), reason: e.to_string() })?;
    open(path, &start, None)
}

/// Opens a file up to a tag. The parser is foreign and files are hostile: a panic inside it becomes an error of this file.
fn open(path: &Path, start: &[u8], until: Option<Tag>) -> Result<(InMemDicomObject, String), HeaderError> {
    let damaged = |reason: String| HeaderError::Damaged { path: path.to_owned(), reason };
    match catch_unwind(AssertUnwindSafe(|| parse(path, start, until))) {
        Ok(result) => result.map_err(damaged),
        Err(_) => Err(damaged("the parser gave up on it".to_owned())),
    }
}

fn parse(path: &Path, start: &[u8], until: Option<Tag>) -> Result<(InMemDicomObject, String), String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let n_bytes = file.metadata().map_err(|e| e.to_string())?.len();
    let mut reader = BufReader::new(file);
    let (uid, data_set_at) = if start.get(128..132) == Some(b"DICM") {
        let meta = read_meta(&mut reader, 132)?;
        (meta.transfer_syntax, meta.data_set_at)
    } else if start.first() == Some(&0x02) {
        let meta = read_meta(&mut reader, 0)?;
        (meta.transfer_syntax, meta.data_set_at)
    } else {
        (syntax_of_bare(start).to_owned(), 0)
    };
    let n_bytes = n_bytes.saturating_sub(data_set_at);
    if uid == DEFLATED {
        return Ok((read_deflated(reader, n_bytes, until)?, uid));
    }
    let syntax = TransferSyntaxRegistry.get(&uid).filter(|s| !matches!(s.codec(), Codec::Dataset(_)));
    let syntax = syntax.ok_or_else(|| format!("its transfer syntax {uid:?} is not known"))?;
    Ok((read_data_set(reader, syntax, n_bytes, until)?, uid))
}

/// A bare data set (no preamble, no meta group): explicit or implicit little endian, told apart by the first value
/// representation.
fn syntax_of_bare(start: &[u8]) -> &'static str {
    let explicit = start.get(4..6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase));
    if explicit { uids::EXPLICIT_VR_LITTLE_ENDIAN } else { uids::IMPLICIT_VR_LITTLE_ENDIAN }
}

/// A deflated data set may always unpack to this many bytes (a multi-frame image of 512 rows, columns and slices).
const SMALL_INFLATED: u64 = 256 << 20;

/// A larger one only to this many times its packed size (images pack 2 to 5 times, masks some 100 times), and to 2 GiB.
const MAX_INFLATION: u64 = 128;

/// A deflated data set may unpack to this many bytes: more is no image but a bomb.
const MAX_INFLATED: u64 = 1 << 31;

/// What comes before the pixels of a deflated file may unpack to this many bytes.
const MAX_INFLATED_HEADER: u64 = 64 << 20;

/// A deflated data set, unpacked within bounds; up to a tag it is unpacked no further than that.
fn read_deflated(packed: impl Read, n_packed: u64, until: Option<Tag>) -> Result<InMemDicomObject, String> {
    let syntax = entries::EXPLICIT_VR_LITTLE_ENDIAN.erased();
    let bomb = |limit: u64| format!("{n_packed} bytes inflate to more than {limit}, as those of no image do");
    let inflated = DeflateDecoder::new(packed);
    if until.is_some() {
        let mut bounded = inflated.take(MAX_INFLATED_HEADER);
        let object = read_data_set(&mut bounded, &syntax, MAX_INFLATED_HEADER, until)?;
        return if bounded.limit() == 0 { Err(bomb(MAX_INFLATED_HEADER)) } else { Ok(object) };
    }
    let limit = n_packed.saturating_mul(MAX_INFLATION).clamp(SMALL_INFLATED, MAX_INFLATED);
    let mut data_set = Vec::new();
    inflated.take(limit).read_to_end(&mut data_set).map_err(|e| format!("it cannot be inflated: {e}"))?;
    if data_set.len() as u64 == limit {
        return Err(bomb(limit));
    }
    read_data_set(data_set.as_slice(), &syntax, data_set.len() as u64, None)
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
