//! Which files are sent.

use std::path::{Path, PathBuf};

use formats::atomic::is_part;
use formats::dicom::looks_like_dicom;

use crate::TransferError;

/// What of a folder is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// The objects `export` wrote: `patients/<id>/dicom/*.dcm`.
    Results,
    /// Every DICOM file below the folder.
    EveryFile,
}

/// The files to send, sorted by path.
///
/// # Errors
/// A folder cannot be listed.
pub fn objects_of(folder: &Path, selection: Selection) -> Result<Vec<PathBuf>, TransferError> {
    let mut files = Vec::new();
    match selection {
        Selection::Results => {
            for patient in entries(&folder.join("patients"))? {
                let objects = patient.join("dicom");
                if objects.is_dir() {
                    files.extend(entries(&objects)?.into_iter().filter(|path| is_named_dicom(path)));
                }
            }
        }
        Selection::EveryFile => {
            let mut folders = vec![folder.to_owned()];
            while let Some(folder) = folders.pop() {
                for path in entries(&folder)? {
                    // Links are not followed: what is sent lies in the folder that was named.
                    match path.symlink_metadata() {
                        Ok(found) if found.is_dir() => folders.push(path),
                        Ok(found) if found.is_file() && begins_as_dicom(&path) => files.push(path),
                        _ => {}
                    }
                }
            }
        }
    }
    files.sort();
    Ok(files)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, TransferError> {
    let entries = std::fs::read_dir(folder).map_err(TransferError::file(folder))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    Ok(paths.map_err(TransferError::file(folder))?.into_iter().filter(|path| !is_part(path)).collect())
}

fn is_named_dicom(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "dcm")
}

fn begins_as_dicom(path: &Path) -> bool {
    use std::io::Read as _;
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(132).read_to_end(&mut start));
    read.is_ok() && looks_like_dicom(&start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_the_objects_of_patients_and_every_file_is_every_dicom_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut dicom = vec![0; 128];
        dicom.extend(b"DICM");
        for path in ["patients/A/dicom/b.dcm", "patients/A/dicom/a.dcm", "patients/A/dicom/.part-x.dcm", "other/c"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &dicom).unwrap();
        }
        std::fs::create_dir_all(folder.path().join("patients/B")).unwrap();
        std::fs::write(folder.path().join("patients/A/dicom/notes.txt"), "words").unwrap();
        let names = |selection| {
            let files = objects_of(folder.path(), selection).unwrap();
            files.iter().map(|f| f.strip_prefix(folder.path()).unwrap().display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(Selection::Results), ["patients/A/dicom/a.dcm", "patients/A/dicom/b.dcm"]);
        assert_eq!(names(Selection::EveryFile), ["other/c", "patients/A/dicom/a.dcm", "patients/A/dicom/b.dcm"]);
        assert!(objects_of(&folder.path().join("other"), Selection::Results).is_err());
    }
}
