//! Masks of critical structures (vessels, bowel, nerves, bile ducts) beside the outlines of a visit.
//!
//! They lie in `masks/<patient>/<visit>/critical/`, one file a structure, which is called by the file's name; those of
//! `masks/<patient>/critical/` count at every visit that has no file of this name. Names are the same without regard to case.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use formats::image_file::{is_image, stem};
use formats::stored;
use imaging::Note;
use serde::{Deserialize, Serialize};

/// One structure to keep away from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CriticalPlan {
    /// As it ends the names of quantities, in lower case: `portal_vein` in `distance_portal_vein`.
    pub(crate) name: String,
    /// Its mask.
    pub(crate) path: PathBuf,
}

/// Folder of the masks.
const FOLDER: &str = "critical";

/// The structures of a visit, by name: those of the patient's folder, and in their place those of the visit's.
pub(super) fn of_visit(patient: &Path, visit: &Path, notes: &mut Vec<Note>) -> Vec<CriticalPlan> {
    let mut found: BTreeMap<String, CriticalPlan> = BTreeMap::new();
    for folder in [patient, visit] {
        let mut here: BTreeMap<String, CriticalPlan> = BTreeMap::new();
        for path in stored::files_in(&folder.join(FOLDER)).into_iter().filter(|path| is_image(path)) {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = name_of(stem(&file));
            if let Some(first) = here.get(&name) {
                let message = format!(
                    "{file} is of the same structure as {}, which is used; keep the one that is right",
                    first.path.file_name().unwrap_or_default().to_string_lossy()
                );
                notes.push(Note::warning("critical_structure_twice", name, message));
                continue;
            }
            here.insert(name.clone(), CriticalPlan { name, path });
        }
        found.extend(here);
    }
    found.into_values().collect()
}

/// A file's name as a part of a quantity's: small letters, digits, `-` and `_`, else `_`.
fn name_of(stem: &str) -> String {
    stem.trim().to_lowercase().chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    fn files(found: &[CriticalPlan], root: &Path) -> Vec<(String, String)> {
        let file = |plan: &CriticalPlan| plan.path.strip_prefix(root).unwrap().display().to_string();
        found.iter().map(|plan| (plan.name.clone(), file(plan))).collect()
    }

    #[test]
    fn the_visits_own_file_counts_before_the_patients() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "critical/Bowel.nii.gz",
            "critical/portal vein.nrrd",
            "v1/critical/bowel.NII.GZ",
            "v1/critical/notes.txt",
            "v1/critical/Bowel.nrrd",
            "v1/critical/deeper/nerve.nii.gz",
        ] {
            write(dir.path(), file);
        }
        let mut notes = Vec::new();
        let found = of_visit(dir.path(), &dir.path().join("v1"), &mut notes);
        let pair = |name: &str, file: &str| (name.to_owned(), file.to_owned());
        assert_eq!(
            files(&found, dir.path()),
            [pair("bowel", "v1/critical/Bowel.nrrd"), pair("portal_vein", "critical/portal vein.nrrd")]
        );
        assert!(notes.len() == 1 && notes[0].message.starts_with("bowel.NII.GZ is of the same structure"), "{notes:?}");
        let other = of_visit(dir.path(), &dir.path().join("v2"), &mut notes);
        assert_eq!(files(&other, dir.path())[0], pair("bowel", "critical/Bowel.nii.gz"));
        assert!(of_visit(&dir.path().join("no"), &dir.path().join("no/v1"), &mut notes).is_empty());
    }
}
