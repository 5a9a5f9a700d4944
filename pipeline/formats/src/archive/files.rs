//! Lists the files of an archive, through symbolic links and inside zip archives as well, without walking in circles.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::{fs, io};

use imaging::Note;

use super::{ArchiveError, relative};
use crate::{atomic, stored};

/// Every file below a folder, sorted by path, as [`walk`] finds them.
pub(crate) fn list_files(root: &Path, notes: &mut Vec<Note>) -> Result<Vec<PathBuf>, ArchiveError> {
    let mut files = Vec::new();
    walk(root, notes, &mut |found| files.extend(found))?;
    files.sort();
    Ok(files)
}

/// Every file of an archive, sorted by path, as [`walk_archive`] finds them.
pub(crate) fn list_archive(root: &Path, notes: &mut Vec<Note>) -> Result<Vec<PathBuf>, ArchiveError> {
    let mut files = Vec::new();
    walk_archive(root, notes, &mut |found| files.extend(found))?;
    files.sort();
    Ok(files)
}

/// Hands over the files below a folder, folder by folder, each folder's sorted by path; files that are still being written are left
/// out. Links to files and folders are followed; a folder that was read already (a link in a circle, or a second way to it) is not
/// read again, with a note. Folders proper come before links, so that a file is found under its own path where it has one.
pub(crate) fn walk(root: &Path, notes: &mut Vec<Note>, take: &mut dyn FnMut(Vec<PathBuf>)) -> Result<(), ArchiveError> {
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
        match entries_of(&folder) {
            Ok(mut found) => {
                found.note_dead_links(root, notes);
                folders.append(&mut found.folders);
                links.extend(found.links);
                take(found.files);
            }
            Err(source) if folder == root => return Err(ArchiveError::Unreadable { path: folder, source }),
            Err(error) => {
                let message = format!("the folder cannot be listed ({error}); check its permissions, then index again");
                notes.push(Note::error("unreadable_folder", relative(root, &folder), message));
            }
        }
    }
    Ok(())
}

/// What lies directly in a folder, each kind sorted by path.
#[derive(Default)]
struct Entries {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    /// Links to folders.
    links: Vec<PathBuf>,
    /// Links to nothing.
    dead: Vec<(PathBuf, io::Error)>,
}

impl Entries {
    fn note_dead_links(&self, root: &Path, notes: &mut Vec<Note>) {
        notes.extend(self.dead.iter().map(|(path, error)| {
            let message = format!("the link leads nowhere ({error}); mend it or remove it");
            Note::warning("dead_link", relative(root, path), message)
        }));
    }
}

/// The kind of an entry comes with its name: a file server is asked again about links only.
fn entries_of(folder: &Path) -> io::Result<Entries> {
    let mut found = Entries::default();
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            found.folders.push(path);
        } else if kind.is_file() {
            found.files.push(path);
        } else if kind.is_symlink() {
            match fs::metadata(&path) {
                Ok(target) if target.is_dir() => found.links.push(path),
                Ok(target) if target.is_file() => found.files.push(path),
                Ok(_) => {}
                Err(error) => found.dead.push((path, error)),
            }
        }
    }
    found.files.retain(|path| !atomic::is_part(path));
    found.files.sort();
    found.folders.sort();
    found.links.sort();
    found.dead.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Hands over the files of an archive as [`walk`] does, with the members of zip archives as files below them; `root` may be a zip
/// archive.
pub(crate) fn walk_archive(
    root: &Path,
    notes: &mut Vec<Note>,
    take: &mut dyn FnMut(Vec<PathBuf>),
) -> Result<(), ArchiveError> {
    let mut of_zips = Vec::new();
    let mut with_members = |found: Vec<PathBuf>| {
        let (zips, mut files): (Vec<PathBuf>, Vec<PathBuf>) = found.into_iter().partition(|path| stored::is_zip(path));
        for zip in zips {
            take_members(root, &zip, &mut files, &mut of_zips);
        }
        take(files);
    };
    if stored::is_zip(root) && root.is_file() {
        with_members(vec![root.to_owned()]);
    } else {
        walk(root, notes, &mut with_members)?;
    }
    notes.append(&mut of_zips);
    Ok(())
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
