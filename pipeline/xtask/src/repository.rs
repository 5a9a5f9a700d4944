//! The files of the repository as git sees them: tracked, or new and not ignored.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Whether its owner may run it.
    pub(crate) executable: bool,
}

impl File {
    /// The text, where the file is text.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok().filter(|text| !text.contains('\0'))
    }
}

/// All files by path from the top, `/` between folders.
#[derive(Debug, Clone, Default)]
pub(crate) struct Repository {
    /// Path to file.
    pub(crate) files: BTreeMap<String, File>,
}

impl Repository {
    /// Reads what `git ls-files` names.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        // The owner of a checkout is often another user in a container; listing its files is harmless.
        let listed = Command::new("git")
            .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("starting git, which lists the files to check")?;
        if !listed.status.success() {
            bail!("expected a git checkout in {}: {}", root.display(), String::from_utf8_lossy(&listed.stderr).trim());
        }
        let names = String::from_utf8(listed.stdout).context("a file's name is not UTF-8")?;
        let mut files = BTreeMap::new();
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            let path = root.join(name);
            // Deleted and not yet committed, or a folder of another repository.
            if !path.is_file() {
                continue;
            }
            let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            files.insert(name.to_owned(), File { bytes, executable: is_executable(&path)? });
        }
        Ok(Self { files })
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).and_then(File::text)
    }

    /// Text files whose path ends so.
    pub(crate) fn texts<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.ends_with(ending))
            .filter_map(|(path, file)| Some((path.as_str(), file.text()?)))
    }

    /// Names of the folders and files directly below `folder` (`""` for the top), sorted; folders end with `/`.
    pub(crate) fn entries(&self, folder: &str) -> Vec<&str> {
        let below = self.files.keys().filter_map(|path| match folder {
            "" => Some(path.as_str()),
            _ => path.strip_prefix(folder)?.strip_prefix('/'),
        });
        let mut entries: Vec<&str> = below.map(|rest| rest.find('/').map_or(rest, |slash| &rest[..=slash])).collect();
        entries.sort_unstable();
        entries.dedup();
        entries
    }

    /// A repository in memory, for the tests of the rules.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |text: &str| File { bytes: text.as_bytes().to_vec(), executable: false };
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect() }
    }
}

#[cfg(unix)]
fn is_executable(path: &Path) -> anyhow::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = path.metadata().with_context(|| format!("reading {}", path.display()))?;
    Ok(metadata.permissions().mode() & 0o100 != 0)
}

#[cfg(not(unix))]
fn is_executable(_path: &Path) -> anyhow::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_name_folders_once() {
        let repository = Repository::of(&[("a/x.rs", ""), ("a/b/y.rs", ""), ("a/b/z.rs", ""), ("ab.md", "")]);
        assert_eq!(repository.entries(""), ["a/", "ab.md"]);
        assert_eq!(repository.entries("a"), ["b/", "x.rs"]);
    }
}
