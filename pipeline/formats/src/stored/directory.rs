//! The central directory of a zip archive: which members there are, and where their bytes lie.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use zip::read::ZipFileEntry;
use zip::{CompressionMethod, ZipArchive};

use super::is_zip;

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) is_deflated: bool,
    pub(super) crc: u32,
    pub(super) packed_size: u64,
    pub(super) size: u64,
    header_at: u64,
}

/// Members by name; what is left out, and why.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) left_out: Vec<MemberLeftOut>,
}

/// A member that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberLeftOut {
    /// Its name, or its number where it has no readable one.
    pub(crate) name: String,
    /// Why, and what to do.
    pub(crate) reason: &'static str,
}

/// Directories of the archives opened so far: reading one for each of its files would take longer than the files.
static OPENED: LazyLock<Mutex<BTreeMap<PathBuf, Arc<Directory>>>> = LazyLock::new(Mutex::default);

/// Bytes of a member's own header before its name.
const LOCAL_HEADER: usize = 30;

pub(super) fn damaged(what: &str) -> io::Error {
    let message = format!("the zip archive is damaged ({what}); copy or export it again");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The directory of an archive, read once.
pub(super) fn directory_of(zip: &Path) -> io::Result<Arc<Directory>> {
    let mut opened = OPENED.lock().map_err(|_| io::Error::other("another reader of the archive failed"))?;
    if let Some(directory) = opened.get(zip) {
        return Ok(Arc::clone(directory));
    }
    let directory = Arc::new(Directory::read(zip)?);
    opened.insert(zip.to_owned(), Arc::clone(&directory));
    Ok(directory)
}

/// The archive open, and where a member's bytes begin in it.
pub(super) fn open_data(zip: &Path, entry: &Entry) -> io::Result<(File, u64)> {
    let mut file = File::open(zip)?;
    file.seek(SeekFrom::Start(entry.header_at))?;
    let mut header = [0_u8; LOCAL_HEADER];
    file.read_exact(&mut header)?;
    if header[..4] != *b"PK\x03\x04" {
        return Err(damaged("a member's own header is missing"));
    }
    let length = |at: usize| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let start = entry.header_at + LOCAL_HEADER as u64 + length(26) + length(28);
    if start.checked_add(entry.packed_size).is_none_or(|end| file.metadata().is_ok_and(|m| end > m.len())) {
        return Err(damaged("a member ends behind the archive's end"));
    }
    Ok((file, start))
}

impl Directory {
    fn read(zip: &Path) -> io::Result<Self> {
        let archive =
            ZipArchive::new(io::BufReader::new(File::open(zip)?)).map_err(|error| damaged(&error.to_string()))?;
        let mut directory = Self::default();
        for n in 0..archive.len() {
            let member = archive.by_index_data(n).map_err(|error| damaged(&error.to_string()))?;
            if let Ok(name) = member.name() {
                directory.take(&name.replace('\\', "/"), &member);
            } else {
                let reason = "its name is in no encoding this program knows; pack the archive again";
                directory.left_out.push(MemberLeftOut { name: format!("member {}", n + 1), reason });
            }
        }
        Ok(directory)
    }

    fn take(&mut self, name: &str, member: &ZipFileEntry<'_>) {
        if name.ends_with('/') || member.is_dir() {
            return;
        }
        let stays_inside = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
        let method = member.compression();
        let reason = if !stays_inside || name.contains('\0') {
            "its name leads out of the archive"
        } else if member.encrypted() {
            "it is encrypted; unpack the archive with its password first"
        } else if member.is_symlink() {
            "it is a symbolic link; pack the file itself"
        } else if is_zip(Path::new(name)) {
            "it is a zip archive inside a zip archive; unpack the outer one"
        } else if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
            "it is packed by another method than deflate; pack the archive again (zip, 7z -mm=Deflate)"
        } else if self.entries.contains_key(name) {
            "the archive holds two files of this name; pack it again"
        } else {
            let entry = Entry {
                is_deflated: method == CompressionMethod::Deflated,
                crc: member.crc32(),
                packed_size: member.compressed_size(),
                size: member.size(),
                header_at: member.header_start(),
            };
            if !entry.is_deflated && entry.size != entry.packed_size {
                "its sizes contradict each other; copy or export the archive again"
            } else {
                self.entries.insert(name.to_owned(), entry);
                return;
            }
        };
        self.left_out.push(MemberLeftOut { name: name.to_owned(), reason });
    }
}
