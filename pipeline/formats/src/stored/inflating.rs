//! A deflated member of a zip archive, unpacked into memory as far as somebody has read it, shared by all who read it at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, Weak};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::directory::{Entry, damaged, open_data};

/// A larger deflated member is refused: it would be unpacked into memory. (A stored member is read in place, whatever its size.)
pub const MAX_INFLATED_MIB: u64 = 1024;

/// Deflate packs at most about 1030 to 1.
const MAX_DEFLATE: u64 = 1100;

/// Bytes unpacked at a time.
const STEP: usize = 64 * 1024;

/// Members somebody reads now.
static OPENED: LazyLock<Mutex<BTreeMap<PathBuf, Weak<Inflating>>>> = LazyLock::new(Mutex::default);

/// One member.
#[derive(Debug)]
pub(super) struct Inflating {
    size: u64,
    crc: u32,
    state: Mutex<State>,
}

/// What has been unpacked.
#[derive(Debug)]
struct State {
    /// `None` once all is unpacked, or after a fault.
    decoder: Option<DeflateDecoder<BufReader<Take<File>>>>,
    bytes: Vec<u8>,
}

/// Opens a member, or joins those who read it.
pub(super) fn open(path: &Path, zip: &Path, entry: &Entry) -> io::Result<Arc<Inflating>> {
    if entry.size > MAX_INFLATED_MIB << 20 {
        let message = format!(
            "it is deflated and holds {} MiB, of which no more than {MAX_INFLATED_MIB} are unpacked into memory; unpack the archive",
            entry.size >> 20
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    if entry.size / MAX_DEFLATE > entry.packed_size {
        return Err(damaged("a member claims to unpack to more than it can hold"));
    }
    let mut opened = OPENED.lock().map_err(|_| io::Error::other("another reader of the archive failed"))?;
    if let Some(member) = opened.get(path).and_then(Weak::upgrade) {
        return Ok(member);
    }
    let (mut file, start) = open_data(zip, entry)?;
    file.seek(SeekFrom::Start(start))?;
    let packed = BufReader::new(file.take(entry.packed_size));
    let state = State { decoder: Some(DeflateDecoder::new(packed)), bytes: Vec::new() };
    let member = Arc::new(Inflating { size: entry.size, crc: entry.crc, state: Mutex::new(state) });
    opened.retain(|_, other| other.strong_count() > 0);
    opened.insert(path.to_owned(), Arc::downgrade(&member));
    Ok(member)
}

impl Inflating {
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Copies the bytes from a place on; fewer at the member's end.
    pub(super) fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<usize> {
        if at >= self.size || out.is_empty() {
            return Ok(0);
        }
        let mut state = self.state.lock().map_err(|_| io::Error::other("another reader of the archive failed"))?;
        let end = at.saturating_add(out.len() as u64).min(self.size) as usize;
        self.unpack_to(&mut state, end)?;
        let from = &state.bytes[at as usize..end];
        out[..from.len()].copy_from_slice(from);
        Ok(from.len())
    }

    /// Unpacks until there are so many bytes; at the end size and checksum must be those of the directory.
    fn unpack_to(&self, state: &mut State, end: usize) -> io::Result<()> {
        while state.bytes.len() < end {
            let decoder = state.decoder.as_mut().ok_or_else(|| damaged("a member cannot be unpacked"))?;
            let before = state.bytes.len();
            let wanted = STEP.max(end - before).min(self.size as usize - before) as u64;
            let result = decoder.by_ref().take(wanted).read_to_end(&mut state.bytes);
            let ends_early = result.is_err() || state.bytes.len() == before;
            if ends_early {
                state.decoder = None;
                return Err(damaged("a member ends early"));
            }
            if state.bytes.len() as u64 == self.size {
                let is_whole = decoder.read(&mut [0]).is_ok_and(|n| n == 0);
                state.decoder = None;
                let mut crc = Crc::new();
                crc.update(&state.bytes);
                if !is_whole || crc.sum() != self.crc {
                    state.bytes.clear();
                    return Err(damaged("a member's checksum is wrong"));
                }
            }
        }
        Ok(())
    }
}
