//! Opens one DICOM file: with or without preamble and meta group, whole or up to its pixels.
//!
//! Source: DICOM PS3.10 section 7 (file format), PS3.5 annex A (transfer syntaxes).

use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
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
use crate::stored::{self, Stored};

mod meta;

/// Explicit VR Big Endian, retired.
pub(super) const EXPLICIT_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// Reading a header stops here: Float, Double Float and ordinary Pixel Data all come later.
const FIRST_PIXEL_TAG: Tag = Tag(0x7FE0, 0x0001);

const DEFLATED: &str = uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;

/// Bytes read first: what tells the kind of a file, its meta group and, in most files, its whole header.
const N_START: u64 = 16 * 1024;

/// A meta group longer than this is no meta group.
const MAX_META: u64 = 1 << 20;

/// Whether the first bytes of a file are those of a DICOM file, with or without preamble.
#[must_use]
pub fn looks_like_dicom(start: &[u8]) -> bool {
    if start.get(128..132) == Some(b"DICM") {
        return true;
    }
    // Without a preamble a file begins with group 0002 (meta) or 0008 (a bare data set), element below 0x20.
    match start.get(..8) {
        Some(&[0x02 | 0x08, 0x00, element, 0x00, vr, _, length_6, length_7]) if element <= 0x18 => {
            vr.is_ascii_uppercase() || [length_6, length_7] == [0, 0]
        }
        Some(&[0x00, 0x08, 0x00, element, vr, ..]) if element <= 0x18 => vr.is_ascii_uppercase(),
        _ => false,
    }
}

/// A file with its first bytes, by which its kind and the place of its pixels are told without reading it again.
pub(crate) struct Start {
    /// The first bytes, all of a short file.
    pub(super) bytes: Vec<u8>,
    /// Length of the file.
    pub(super) file_length: u64,
    file: Stored,
}

impl Start {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut file = stored::open(path)?;
        let file_length = stored::size_of(path)?;
        let mut bytes = Vec::with_capacity(N_START.min(file_length) as usize);
        file.by_ref().take(N_START).read_to_end(&mut bytes)?;
        Ok(Self { bytes, file_length, file })
    }

    /// Reads on until this many bytes are there, or the file ends.
    pub(super) fn extend(&mut self, n_bytes: u64) -> io::Result<()> {
        let n_read = self.bytes.len() as u64;
        let missing = n_bytes.saturating_sub(n_read);
        self.file.seek(SeekFrom::Start(n_read))?;
        self.file.by_ref().take(missing).read_to_end(&mut self.bytes)?;
        Ok(())
    }
}

/// The data set of one file up to its pixels with its transfer syntax and first bytes; `None` where the file is no DICOM file.
pub(crate) fn open_header(path: &Path) -> Result<Option<(InMemDicomObject, String, Start)>, HeaderError> {
    let mut start = Start::read(path).map_err(|e| unreadable(path, &e))?;
    if !looks_like_dicom(&start.bytes) {
        return Ok(None);
    }
    let (object, transfer_syntax) = open(path, &mut start, Some(FIRST_PIXEL_TAG))?;
    Ok(Some((object, transfer_syntax, start)))
}

/// The whole data set of one file with its transfer syntax and first bytes.
pub(crate) fn open_whole(path: &Path) -> Result<(InMemDicomObject, String, Start), HeaderError> {
    let mut start = Start::read(path).map_err(|e| unreadable(path, &e))?;
    let (object, transfer_syntax) = open(path, &mut start, None)?;
    Ok((object, transfer_syntax, start))
}

/// Where the data set of a file begins that was opened before.
pub(super) fn data_at(start: &Start) -> u64 {
    meta::parse(&start.bytes).map_or(0, |meta| meta.data_at as u64)
}

fn unreadable(path: &Path, error: &io::Error) -> HeaderError {
    HeaderError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

/// Opens a file up to a tag. The parser is foreign and files are hostile: a panic inside it becomes an error of this file.
fn open(path: &Path, start: &mut Start, until: Option<Tag>) -> Result<(InMemDicomObject, String), HeaderError> {
    let damaged = |reason: String| HeaderError::Damaged { path: path.to_owned(), reason };
    let mut found = meta::parse(&start.bytes);
    if found.is_none() {
        start.extend(MAX_META).map_err(|e| unreadable(path, &e))?;
        found = meta::parse(&start.bytes);
    }
    let meta = found.ok_or_else(|| damaged("its meta group (0002) or what follows it is cut short".to_owned()))?;
    let n_bytes = start.file_length.saturating_sub(meta.data_at as u64);
    let rest = BufReader::new(Cursor::new(&start.bytes[meta.data_at..]).chain(&mut start.file));
    let parse = || parsed(&meta.transfer_syntax, rest, n_bytes, until);
    match catch_unwind(AssertUnwindSafe(parse)) {
        Ok(result) => result.map(|object| (object, meta.transfer_syntax)).map_err(damaged),
        Err(_) => Err(damaged("the parser gave up on it".to_owned())),
    }
}

/// A data set of `n_bytes` bytes and the transfer syntax given, up to a tag.
fn parsed(uid: &str, data_set: impl Read, n_bytes: u64, until: Option<Tag>) -> Result<InMemDicomObject, String> {
    if uid == DEFLATED {
        return read_deflated(data_set, n_bytes, until);
    }
    let syntax = TransferSyntaxRegistry.get(uid).filter(|s| !matches!(s.codec(), Codec::Dataset(_)));
    let syntax = syntax.ok_or_else(|| format!("its transfer syntax {uid:?} is not known"))?;
    read_data_set(data_set, syntax, n_bytes, until)
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
        // (0008,0005) CS, explicit of either order, and (0008,0008), implicit.
        assert!(looks_like_dicom(&[0, 8, 0, 5, b'C', b'S', 0, 10]));
        assert!(looks_like_dicom(&[8, 0, 5, 0, b'C', b'S', 10, 0]));
        assert!(looks_like_dicom(&[8, 0, 8, 0, 22, 0, 0, 0]));
        let mut with_preamble = vec![0; 128];
        with_preamble.extend_from_slice(b"DICM");
        assert!(looks_like_dicom(&with_preamble));
    }
}
