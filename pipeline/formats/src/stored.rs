//! Opens a file where it lies: on disk, or inside a zip archive (`archive/P01.zip/scans/1/IM0001.dcm`), which is not unpacked to disk.
//!
//! A stored member is read in place. A deflated one is unpacked into memory as far as it is asked for, and given up with its last
//! reader; a larger one than [`MAX_INFLATED_MIB`] is refused. Encrypted members, links, names that lead out of the archive, archives
//! inside archives and different files of one name are left out with a reason.
//!
//! Source: APPNOTE.TXT 6.3.10 (PKWARE): central directory, zip64, methods 0 (stored) and 8 (deflated).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use directory::{Directory, Entry, directory_of};
use inflating::Inflating;

mod directory;
mod inflating;

pub(crate) use directory::MemberLeftOut;
pub use inflating::MAX_INFLATED_MIB;

/// A file open for reading, on disk or inside a zip archive.
#[derive(Debug)]
pub struct Stored(Source);

#[derive(Debug)]
enum Source {
    /// A file, or a stored member of a zip archive: a run of bytes of a file.
    Run { file: File, start: u64, length: Option<u64>, at: u64 },
    /// A deflated member.
    Member { member: Arc<Inflating>, at: u64 },
}

/// Opens a file for reading.
pub fn open(path: &Path) -> io::Result<Stored> {
    match File::open(path) {
        Ok(file) => Ok(Stored(Source::Run { file, start: 0, length: None, at: 0 })),
        Err(error) => match member_of(path) {
            Some((zip, entry)) => open_member(path, &zip, &entry),
            None => Err(error),
        },
    }
}

/// The whole content of a file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Number of bytes of a file, unpacked.
pub fn size_of(path: &Path) -> io::Result<u64> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) => member_of(path).map_or(Err(error), |(_, entry)| Ok(entry.size)),
    }
}

/// Whether a path names a file, on disk or inside a zip archive.
#[must_use]
pub fn is_file(path: &Path) -> bool {
    path.is_file() || member_of(path).is_some()
}

/// The files that lie directly in a folder, on disk or inside a zip archive, by path; none where there is no such folder.
#[must_use]
pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = if let Ok(entries) = std::fs::read_dir(folder) {
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect()
    } else {
        let zip = folder.ancestors().find(|ancestor| is_zip(ancestor) && ancestor.is_file());
        let members = zip.and_then(|zip| members(zip).ok());
        let files = members.into_iter().flat_map(|members| members.files);
        files.filter(|path| path.parent() == Some(folder)).collect()
    };
    files.sort();
    files
}

/// What changes when a file's content does: its size with its time of change or, inside a zip archive, its checksum.
pub fn fingerprint(path: &Path) -> io::Result<String> {
    match std::fs::metadata(path) {
        Ok(metadata) => {
            let changed = metadata.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            Ok(format!("{} {changed:?}", metadata.len()))
        }
        Err(error) => {
            member_of(path).map_or(Err(error), |(_, entry)| Ok(format!("{} crc32 {:08x}", entry.size, entry.crc)))
        }
    }
}

/// Whether a file is a zip archive by its name.
#[must_use]
pub fn is_zip(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip"))
}

/// The files in a zip archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// Paths below the archive, sorted.
    pub(crate) files: Vec<PathBuf>,
    /// Members that cannot be read, each with its reason.
    pub(crate) left_out: Vec<MemberLeftOut>,
}

/// Lists a zip archive by its directory alone.
pub(crate) fn members(zip: &Path) -> io::Result<Members> {
    let directory: Arc<Directory> = directory_of(zip)?;
    let files = directory.entries.keys().map(|name| zip.join(name)).collect();
    Ok(Members { files, left_out: directory.left_out.clone() })
}

/// The archive and the member that a path names.
fn member_of(path: &Path) -> Option<(PathBuf, Entry)> {
    let zip = path.ancestors().skip(1).find(|ancestor| is_zip(ancestor) && ancestor.is_file())?;
    let name = path.strip_prefix(zip).ok()?.to_str()?;
    let entry = directory_of(zip).ok()?.entries.get(name)?.clone();
    Some((zip.to_owned(), entry))
}

fn open_member(path: &Path, zip: &Path, entry: &Entry) -> io::Result<Stored> {
    if entry.is_deflated {
        return Ok(Stored(Source::Member { member: inflating::open(path, zip, entry)?, at: 0 }));
    }
    let (mut file, start) = directory::open_data(zip, entry)?;
    file.seek(SeekFrom::Start(start))?;
    Ok(Stored(Source::Run { file, start, length: Some(entry.size), at: 0 }))
}

impl Read for Stored {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::Run { file, length: None, .. } => file.read(out),
            Source::Run { file, length: Some(length), at, .. } => {
                let n = out.len().min(usize::try_from(length.saturating_sub(*at)).unwrap_or(usize::MAX));
                let n = file.read(&mut out[..n])?;
                *at += n as u64;
                Ok(n)
            }
            Source::Member { member, at } => {
                let n = member.read_at(*at, out)?;
                *at += n as u64;
                Ok(n)
            }
        }
    }
}

impl Seek for Stored {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (length, at) = match &mut self.0 {
            Source::Run { file, length: None, .. } => return file.seek(to),
            Source::Run { length: Some(length), at, .. } => (*length, *at),
            Source::Member { member, at } => (member.size(), *at),
        };
        let target = match to {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::Current(by) => at.checked_add_signed(by),
            SeekFrom::End(by) => length.checked_add_signed(by),
        };
        let target = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        match &mut self.0 {
            Source::Run { file, start, at, .. } => {
                file.seek(SeekFrom::Start(start.saturating_add(target.min(length))))?;
                *at = target;
            }
            Source::Member { at, .. } => *at = target,
        }
        Ok(target)
    }
}

/// Keeps the deflated members among some files unpacked as long as it lives, so that many readers of one file unpack it once.
#[derive(Debug)]
pub(crate) struct Held {
    _files: Vec<Stored>,
}

/// Opens the files that lie inside zip archives and keeps them open; files on disk need no holding.
pub(crate) fn hold<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Held {
    let members = paths.into_iter().filter(|path| path.ancestors().skip(1).any(is_zip));
    Held { _files: members.filter_map(|path| open(path).ok()).collect() }
}

#[cfg(test)]
mod tests;
