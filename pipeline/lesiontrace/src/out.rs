//! Writing results: to a temporary name, then renamed, so that no reader ever sees half a file.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use formats::atomic::{self, Durability};
use serde::Serialize;

/// Writes a file atomically, creating its folder.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let fill = |part: &mut tempfile::NamedTempFile| part.write_all(bytes);
    atomic::write::<std::io::Error>(path, Durability::Synced, fill).with_context(|| disk_full(path))
}

/// A file that is written piece by piece under a temporary name; finishing gives it its own.
pub(crate) struct Growing {
    path: PathBuf,
    part: tempfile::NamedTempFile,
}

impl Growing {
    /// Begins a file, creating its folder.
    pub(crate) fn new(path: PathBuf) -> anyhow::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let part = std::fs::create_dir_all(folder).and_then(|()| atomic::part_in(folder, ""));
        let part = part.with_context(|| disk_full(&path))?;
        Ok(Self { path, part })
    }

    /// Adds a piece.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.part.write_all(bytes).with_context(|| disk_full(&self.path))
    }

    /// The file is whole.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        atomic::finish(self.part, &self.path, Durability::Synced).with_context(|| disk_full(&self.path))
    }
}

fn disk_full(path: &Path) -> String {
    format!("writing {} (is the disk full?)", path.display())
}

/// Writes a value as pretty JSON, atomically, with a final newline.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value).context("turning a result into JSON")?;
    bytes.push(b'\n');
    write_atomic(path, &bytes)
}

/// Removes the files of a folder that `keep` does not want; a folder that is not there has none.
pub(crate) fn keep_only(folder: &Path, keep: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("reading {}", folder.display()))?,
    };
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
        if !keep(&path.file_name().unwrap_or_default().to_string_lossy()) {
            std::fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Characters that are not seen and change what is: marks that turn the direction of writing, and spaces of no width.
///
/// Source: Unicode Technical Report 36, section 3.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A text for a terminal: what an archive says must not steer it. Control characters but line ends and tabs, and characters that
/// are not seen, become U+FFFD.
pub(crate) fn plain(text: &str) -> String {
    text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t') || is_unseen(c), "\u{fffd}")
}

/// [`plain`] on one line: nothing in it looks like a line of its own.
pub(crate) fn plain_line(text: &str) -> String {
    plain(text).replace(['\n', '\t'], "\u{fffd}")
}

/// Prints a [`plain`] text on stdout. A closed pipe (`| head`) is a reader who has seen enough, not an error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    print_raw(plain(text).as_bytes())
}

/// Prints one JSON document on stdout; characters that are not seen are written as their number, so that nothing is lost.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", json_text(value)?))
}

/// Prints bytes as they are: no text of others is in them.
pub(crate) fn print_raw(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("writing to stdout"),
    }
}

/// What [`print_json`] prints, without the line's end.
pub(crate) fn json_text(value: &impl Serialize) -> anyhow::Result<String> {
    let text = serde_json::to_string_pretty(value).context("turning a result into JSON")?;
    let shown = |c: char| if is_unseen(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Ok(if text.contains(is_unseen) { text.chars().map(shown).collect() } else { text })
}

/// The folder of one patient in an output folder.
pub(crate) fn patient_folder(out: &Path, patient_id: &str) -> PathBuf {
    out.join("patients").join(safe_name(patient_id))
}

/// A patient identifier as a folder name: percent-encoded outside `[A-Za-z0-9._-]` (a leading dot too); longer than 64 bytes:
/// a prefix and 12 hexadecimal digits of its SHA-256.
pub(crate) fn safe_name(id: &str) -> String {
    let mut name = String::new();
    for (position, byte) in id.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || (byte == b'.' && position > 0);
        if plain {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    if name.len() <= 64 {
        return name;
    }
    format!("{}-{}", &name[..51], &sha256_hex(id.as_bytes())[..12])
}

/// SHA-256 as lower-case hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_keep_plain_ids_and_encode_the_rest() {
        assert_eq!(safe_name("CRLM-CT-1004"), "CRLM-CT-1004");
        assert_eq!(safe_name("../x y"), "%2E.%2Fx%20y");
        let long = safe_name(&"ä".repeat(40));
        assert_eq!(long.len(), 64);
        assert_ne!(long, safe_name(&"ä".repeat(41)));
    }

    #[test]
    fn texts_of_an_archive_do_not_steer_a_terminal() {
        assert_eq!(plain("é\u{1b}[2J\r\n\t\u{202e}x"), "é\u{fffd}[2J\u{fffd}\n\t\u{fffd}x");
        assert_eq!(plain_line("a\nERROR b"), "a\u{fffd}ERROR b");
    }

    #[test]
    fn a_full_disk_is_reported_as_such_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        write_atomic(&folder.path().join("a/b.txt"), b"x").unwrap();
        assert_eq!(std::fs::read(folder.path().join("a/b.txt")).unwrap(), b"x");
        assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
        let mut growing = Growing::new(folder.path().join("c/d.txt")).unwrap();
        growing.append(b"x").unwrap();
        growing.append(b"y").unwrap();
        assert!(!folder.path().join("c/d.txt").exists(), "nobody reads half a file");
        growing.finish().unwrap();
        assert_eq!(std::fs::read(folder.path().join("c/d.txt")).unwrap(), b"xy");
        drop(Growing::new(folder.path().join("c/e.txt")).unwrap());
        assert_eq!(std::fs::read_dir(folder.path().join("c")).unwrap().count(), 1);
    }
}
