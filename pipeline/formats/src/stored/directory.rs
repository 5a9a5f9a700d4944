//! The central directory of a zip archive: which members there are, and where their bytes lie.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::SystemTime;

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
    /// Names of two files each; neither is an entry.
    contradictory: BTreeSet<String>,
}

/// A member that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberLeftOut {
    /// Its name, a long one cut short, or its number where it has no readable one.
    pub(crate) name: String,
    /// Why, and what to do.
    pub(crate) reason: &'static str,
}

/// What changes when an archive is written anew: its size and its time of change.
type State = (u64, Option<SystemTime>);

/// Directories of the archives opened last: reading one for each of its files would take longer than the files.
static OPENED: LazyLock<Mutex<Opened>> = LazyLock::new(|| Mutex::new(Opened::default()));

/// So many members of archives are remembered, some 150 bytes each, and in any case those of the archive opened last.
const MOST_REMEMBERED: usize = 200_000;

#[derive(Default)]
struct Opened {
    archives: BTreeMap<PathBuf, OpenedOne>,
    /// Number of times an archive was asked for.
    n_asked: u64,
}

struct OpenedOne {
    state: State,
    directory: Arc<Directory>,
    asked_at: u64,
}

impl Opened {
    /// What is remembered of an archive in this state.
    fn get(&mut self, zip: &Path, state: State) -> Option<Arc<Directory>> {
        self.n_asked += 1;
        let one = self.archives.get_mut(zip).filter(|one| one.state == state)?;
        one.asked_at = self.n_asked;
        Some(Arc::clone(&one.directory))
    }

    /// Remembers an archive, and forgets those that nobody asked for the longest.
    fn remember(&mut self, zip: &Path, state: State, directory: &Arc<Directory>, most: usize) {
        let one = OpenedOne { state, directory: Arc::clone(directory), asked_at: self.n_asked };
        self.archives.insert(zip.to_owned(), one);
        while self.archives.len() > 1 && self.n_members() > most {
            let oldest = self.archives.iter().min_by_key(|(_, one)| one.asked_at).map(|(path, _)| path.clone());
            oldest.and_then(|path| self.archives.remove(&path));
        }
    }

    fn n_members(&self) -> usize {
        self.archives.values().map(|one| one.directory.entries.len()).sum()
    }
}

/// Bytes of a member's own header before its name.
const LOCAL_HEADER: usize = 30;

/// Bytes of a member's header in the central directory before its name.
const CENTRAL_HEADER: usize = 46;

/// Places of checksum and true size in that header.
const CONTENT_FIELDS: [usize; 8] = [16, 17, 18, 19, 24, 25, 26, 27];

/// Characters of a name that a note shows: names may be 64 KiB long.
const MAX_SHOWN: usize = 200;

const NO_ENCODING: &str = "its name is in no encoding this program knows; pack the archive again";

/// Why neither of two files of one name is read.
pub(super) const TWO_FILES: &str =
    "the archive holds two files of this name, and nothing says which is right; pack it again";

pub(super) fn damaged(what: &str) -> io::Error {
    let message = format!("the zip archive is damaged ({what}); copy or export it again");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The directory of an archive, read once, and again when the archive has changed since.
pub(super) fn directory_of(zip: &Path) -> io::Result<Arc<Directory>> {
    let metadata = std::fs::metadata(zip)?;
    let state: State = (metadata.len(), metadata.modified().ok());
    let mut opened = OPENED.lock().map_err(|_| io::Error::other("another reader of the archive failed"))?;
    if let Some(directory) = opened.get(zip, state) {
        return Ok(directory);
    }
    let directory = Arc::new(Directory::read(zip)?);
    opened.remember(zip, state, &directory, MOST_REMEMBERED);
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
        let start = archive.central_directory_start();
        let ambiguous = if archive.has_duplicate_names() { names_of_two_files(zip, start)? } else { BTreeSet::new() };
        let mut directory = Self::default();
        for n in 0..archive.len() {
            let member = archive.by_index_data(n).map_err(|error| damaged(&error.to_string()))?;
            match member.name() {
                Ok(name) if ambiguous.contains(member.name_raw()) => directory.leave_out(&name, TWO_FILES),
                Ok(name) => directory.take(&name, &member),
                Err(_) => directory.leave_out(&format!("member {}", n + 1), NO_ENCODING),
            }
        }
        Ok(directory)
    }

    fn take(&mut self, name: &str, member: &ZipFileEntry<'_>) {
        let slashed = name.replace('\\', "/");
        if slashed.ends_with('/') || member.is_dir() {
            return;
        }
        let method = member.compression();
        let entry = Entry {
            is_deflated: method == CompressionMethod::Deflated,
            crc: member.crc32(),
            packed_size: member.compressed_size(),
            size: member.size(),
            header_at: member.header_start(),
        };
        let Some(path) = path_below(&slashed) else {
            return self.leave_out(name, "its name leads out of the archive or is none; pack it again");
        };
        if member.encrypted() {
            self.leave_out(name, "it is encrypted; unpack the archive with its password first");
        } else if member.is_symlink() {
            self.leave_out(name, "it is a symbolic link; pack the file itself");
        } else if is_zip(Path::new(&path)) {
            self.leave_out(name, "it is a zip archive inside a zip archive; unpack the outer one");
        } else if !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
            let reason = "it is packed by another method than deflate; pack the archive again (zip, 7z -mm=Deflate)";
            self.leave_out(name, reason);
        } else if !entry.is_deflated && entry.size != entry.packed_size {
            self.leave_out(name, "its sizes contradict each other; copy or export the archive again");
        } else {
            self.enter(name, path, entry);
        }
    }

    /// A copy of a file that is there already is no other file.
    fn enter(&mut self, name: &str, path: String, entry: Entry) {
        let content = |e: &Entry| (e.size, e.crc);
        match self.entries.get(&path).map(content) {
            Some(first) if first != content(&entry) => {
                self.entries.remove(&path);
                self.contradictory.insert(path);
                self.leave_out(name, TWO_FILES);
            }
            None if !self.contradictory.contains(&path) => drop(self.entries.insert(path, entry)),
            _ => {}
        }
    }

    fn leave_out(&mut self, name: &str, reason: &'static str) {
        let mut shown: String = name.chars().take(MAX_SHOWN).collect();
        if shown.len() < name.len() {
            shown.push('…');
        }
        self.left_out.push(MemberLeftOut { name: shown, reason });
    }
}

/// The path of a member below its archive; `None` where it leads elsewhere or nowhere.
fn path_below(name: &str) -> Option<String> {
    let parts = Path::new(name).components().filter(|part| *part != Component::CurDir);
    let parts: Option<Vec<&str>> = parts.map(|part| Some(part).filter(is_name)?.as_os_str().to_str()).collect();
    parts.map(|parts| parts.join("/")).filter(|path| !path.is_empty() && !path.contains('\0'))
}

fn is_name(part: &Component<'_>) -> bool {
    matches!(part, Component::Normal(_))
}

/// Names, as written, under which the central directory lists files of different content: [`ZipArchive`] would take the last of
/// each and say nothing.
fn names_of_two_files(zip: &Path, start: u64) -> io::Result<BTreeSet<Vec<u8>>> {
    let mut file = io::BufReader::new(File::open(zip)?);
    file.seek(SeekFrom::Start(start))?;
    let mut contents: BTreeMap<Vec<u8>, BTreeSet<[u8; 8]>> = BTreeMap::new();
    let mut header = [0_u8; CENTRAL_HEADER];
    while file.read_exact(&mut header).is_ok() && header[..4] == *b"PK\x01\x02" {
        let length = |at: usize| i64::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let mut name = vec![0; length(28) as usize];
        file.read_exact(&mut name)?;
        file.seek_relative(length(30) + length(32))?;
        contents.entry(name).or_default().insert(CONTENT_FIELDS.map(|at| header[at]));
    }
    Ok(contents.into_iter().filter(|(_, of)| of.len() > 1).map(|(name, _)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_nobody_asked_for_are_forgotten_and_the_last_one_never_is() {
        let of = |n: usize| {
            let entry = Entry { is_deflated: false, crc: 0, packed_size: 1, size: 1, header_at: 0 };
            let entries = (0..n).map(|k| (format!("{k}"), entry.clone())).collect();
            Arc::new(Directory { entries, ..Directory::default() })
        };
        let mut opened = Opened::default();
        let state = (1, None);
        for (name, n) in [("a", 4), ("b", 4), ("c", 2)] {
            assert!(opened.get(Path::new(name), state).is_none());
            opened.remember(Path::new(name), state, &of(n), 10);
        }
        assert!(opened.get(Path::new("a"), (2, None)).is_none(), "written anew since");
        assert!(opened.get(Path::new("a"), state).is_some());
        opened.remember(Path::new("d"), state, &of(3), 10);
        let names: Vec<&str> = opened.archives.keys().filter_map(|path| path.to_str()).collect();
        assert_eq!(names, ["a", "c", "d"], "b was asked for before a");
        opened.remember(Path::new("large"), state, &of(50), 10);
        assert_eq!(opened.archives.len(), 1);
    }
}
