//! Writes a file under a temporary name in its folder and renames it, so that no reader ever sees half a file.

use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// When the bytes are on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Before the file gets its name: a result that nothing else could tell to be lost.
    Synced,
    /// When the system gets to it: one of many files of a copy, which can be written again.
    Buffered,
}

/// Writes a file whole or not at all; its folder is made where it is missing. `fill` writes the content and may use the path of
/// the temporary file, which ends as the file's name does.
///
/// # Errors
/// What `fill` says, or why the file cannot be made, written or renamed.
pub fn write<E: From<io::Error>>(
    to: &Path,
    durability: Durability,
    fill: impl FnOnce(&mut NamedTempFile) -> Result<(), E>,
) -> Result<(), E> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut part = part_in(folder, &ending(to))?;
    fill(&mut part)?;
    Ok(finish(part, to, durability)?)
}

/// A file that is being written in a folder, under a name nothing reads; for content that decides the file's name.
///
/// # Errors
/// Why the file cannot be made.
pub fn part_in(folder: &Path, ending: &str) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(PART).suffix(ending).tempfile_in(folder)
}

/// Gives a file its name, in the folder it was written in.
///
/// # Errors
/// Why the file cannot be brought to the disk or renamed.
pub fn finish(part: NamedTempFile, to: &Path, durability: Durability) -> io::Result<()> {
    if durability == Durability::Synced {
        part.as_file().sync_data()?;
    }
    make_readable(part.path())?;
    part.persist(to).map_err(|error| error.error)?;
    Ok(())
}

/// What the name of a file that is still being written begins with.
const PART: &str = ".part-";

/// Whether a file is still being written, or was when its writer was killed: nothing reads it.
#[must_use]
pub fn is_part(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PART))
}

/// `.nii.gz` or the last extension.
fn ending(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    if name.ends_with(".nii.gz") {
        return ".nii.gz".to_owned();
    }
    path.extension().map_or_else(String::new, |extension| format!(".{}", extension.to_string_lossy()))
}

/// Temporary files are private to their owner; results get the usual mode so that a group can read them.
#[cfg(unix)]
fn make_readable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}
#[cfg(not(unix))]
fn make_readable(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/a.nii.gz");
        write::<io::Error>(&path, Durability::Synced, |part| {
            assert!(part.path().to_string_lossy().ends_with(".nii.gz"));
            part.write_all(b"whole")
        })
        .unwrap();
        let failed = write(&path, Durability::Buffered, |part| {
            part.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(std::fs::read_dir(folder.path().join("deep")).unwrap().count(), 1, "no part is left behind");
    }
}
