//! Lists the files of an archive, through symbolic links and inside zip archives as well, without walking in circles.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use imaging::Note;

use super::{ArchiveError, relative};
use crate::{atomic, stored};

/// Every file below a folder, sorted by path; files that are still being written are left out. Links to files and folders are followed; a folder that was read already (a link in a
/// circle, or a second way to it) is not read again, with a note. Folders proper come before links, so that a file is found under
/// its own path where it has one.
pub(crate) fn list_files(root: &Path, notes: &mut Vec<Note>) -> Result<Vec<PathBuf>, ArchiveError> {
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    let (mut folders, mut links) = (vec![root.to_owned()], VecDeque::new());
    while let Some((folder, is_link)) =
        folders.pop().map(|f| (f, false)).or_else(|| links.pop_front().map(|l| (l, true)))
    {
        let own_path = fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
        if !seen.insert(own_path) {
            if is_link {
                let message = "the link leads to a folder of the archive that was read already; it is not read again";
                notes.push(Note::info("link_to_known_folder", relative(root, &folder), message));
            }
            continue;
        }
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(source) if folder == root => return Err(ArchiveError::Unreadable { path: folder, source }),
            Err(error) => {
                let message = format!("the folder cannot be listed ({error}); check its permissions, then index again");
                notes.push(Note::error("unreadable_folder", relative(root, &folder), message));
                continue;
            }
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            match (path.is_symlink(), fs::metadata(&path)) {
                (false, Ok(found)) if found.is_dir() => folders.push(path),
                (true, Ok(found)) if found.is_dir() => links.push_back(path),
                (_, Ok(found)) if found.is_file() && !atomic::is_part(&path) => files.push(path),
                (true, Err(error)) => {
                    let message = format!("the link leads nowhere ({error}); mend it or remove it");
                    notes.push(Note::warning("dead_link", relative(root, &path), message));
                }
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Every file of an archive, sorted by path: those of [`list_files`] with the members of zip archives as files below them; `root`
/// may be a zip archive.
pub(crate) fn list_archive(root: &Path, notes: &mut Vec<Note>) -> Result<Vec<PathBuf>, ArchiveError> {
    let found = if stored::is_zip(root) && root.is_file() { vec![root.to_owned()] } else { list_files(root, notes)? };
    let mut files = Vec::with_capacity(found.len());
    for path in found {
        if stored::is_zip(&path) {
            take_members(root, &path, &mut files, notes);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The files of one zip archive; what cannot be read of it becomes a note.
fn take_members(root: &Path, zip: &Path, files: &mut Vec<PathBuf>, notes: &mut Vec<Note>) {
    let own_name = zip.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = if zip == root { own_name } else { relative(root, zip) };
    match stored::members(zip) {
        Ok(members) => {
            files.extend(members.files);
            let note = |one: stored::MemberLeftOut| {
                Note::error("zip_member_left_out", &name, format!("{:?}: {}", one.name, one.reason))
            };
            notes.extend(members.left_out.into_iter().map(note));
        }
        Err(error) => {
            let message = format!("the zip archive cannot be read: {error}; its images are left out");
            notes.push(Note::error("unreadable_zip", name, message));
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_circles_end() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("archive"), folder.path().join("elsewhere"));
        fs::create_dir_all(inside.join("own")).unwrap();
        fs::create_dir_all(outside.join("deeper")).unwrap();
        fs::write(inside.join("own/a"), "a").unwrap();
        fs::write(inside.join("own/.part-x.dcm"), "being written").unwrap();
        fs::write(outside.join("deeper/b"), "b").unwrap();
        symlink(&outside, inside.join("linked")).unwrap();
        symlink(outside.join("deeper/b"), inside.join("c")).unwrap();
        symlink(&inside, outside.join("circle")).unwrap();
        symlink(inside.join("own"), inside.join("again")).unwrap();
        symlink(folder.path().join("nothing"), inside.join("dead")).unwrap();
        let mut notes = Vec::new();
        let files = list_files(&inside, &mut notes).unwrap();
        let found: Vec<String> = files.iter().map(|f| relative(&inside, f)).collect();
        assert_eq!(found, ["c", "linked/deeper/b", "own/a"]);
        let mut said: Vec<_> = notes.iter().map(|n| (n.code.as_str(), n.subject.as_str())).collect();
        said.sort_unstable();
        assert_eq!(
            said,
            [("dead_link", "dead"), ("link_to_known_folder", "again"), ("link_to_known_folder", "linked/circle")]
        );
    }
}
