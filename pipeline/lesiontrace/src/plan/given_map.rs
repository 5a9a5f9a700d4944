//! Maps between visits made elsewhere (elastix, ANTs, greedy), beside the outlines of a visit.

use std::path::{Path, PathBuf};

use formats::stored;
use imaging::Note;
use oncology::VisitId;

/// Name of the file before its ending.
const STEM: &str = "to_baseline";
/// Matrices as ITK text, displacement fields as NIfTI.
const ENDINGS: [&str; 4] = [".tfm", ".txt", ".nii.gz", ".nii"];

/// The map in a visit's mask folder: it leads from points of baseline to those of the visit, as ITK resamples the visit onto baseline.
pub(super) fn of_visit(folder: &Path, id: VisitId, notes: &mut Vec<Note>) -> Option<PathBuf> {
    let files = ENDINGS.iter().map(|ending| folder.join(format!("{STEM}{ending}")));
    let mut found = files.filter(|path| stored::is_file(path));
    let first = found.next()?;
    if let Some(other) = found.next() {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let message = format!(
            "the visit has two maps to baseline, {} and {}; the first is used: keep the one that is right",
            name(&first),
            name(&other)
        );
        notes.push(Note::warning("map_twice", id.to_string(), message));
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_maps_the_first_is_used_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (id, mut notes) = ("2024-03-01".parse().unwrap(), Vec::new());
        std::fs::write(folder.path().join("lesions.nii.gz"), "").unwrap();
        assert_eq!(of_visit(folder.path(), id, &mut notes), None);
        std::fs::write(folder.path().join("to_baseline.nii.gz"), "").unwrap();
        assert_eq!(of_visit(folder.path(), id, &mut notes), Some(folder.path().join("to_baseline.nii.gz")));
        assert!(notes.is_empty(), "{notes:?}");
        std::fs::write(folder.path().join("to_baseline.tfm"), "").unwrap();
        assert_eq!(of_visit(folder.path(), id, &mut notes), Some(folder.path().join("to_baseline.tfm")));
        assert_eq!(notes[0].code, "map_twice");
    }
}
