//! Files below the mask folder that no visit reads: a folder of another name or date would otherwise be dropped in silence, and its visit
//! outlined by the model.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use formats::archive::ArchiveIndex;
use formats::image_file::files_of;
use imaging::Note;

use super::{MaskPlan, PatientPlan};
use crate::config::{MaskSource, Study};
use crate::out;

/// One note that counts them and names the first; files of patients nobody asked for are none of them.
pub(super) fn note(archive: &Path, index: &ArchiveIndex, patients: &[PatientPlan], study: &Study) -> Option<Note> {
    if study.models.source == MaskSource::Model {
        return None;
    }
    let root = archive.join(&study.models.masks);
    let planned: BTreeSet<String> = patients.iter().map(|patient| out::safe_name(&patient.id)).collect();
    let others: BTreeSet<String> = index.patients.iter().map(|of| out::safe_name(&of.patient_id)).collect();
    let read: BTreeSet<PathBuf> = patients.iter().flat_map(read).collect();
    let is_unread = |path: &&PathBuf| {
        let below = path.strip_prefix(&root).ok().and_then(|below| below.components().next());
        let Some(folder) = below.map(|first| first.as_os_str().to_string_lossy().into_owned()) else { return false };
        (planned.contains(&folder) || !others.contains(&folder)) && !read.contains(*path)
    };
    let unread: Vec<&PathBuf> = index.nifti_files.iter().filter(is_unread).collect();
    let first = unread.first()?;
    let message = format!(
        "{} files below {} are read by no visit (the first: {}): outlines lie in {}/<patient>/<visit>/ as lesions, organ or ablation_zone, each visit called as `run --dry-run` calls it (2024-03-01)",
        unread.len(),
        study.models.masks.display(),
        first.strip_prefix(archive).unwrap_or(first).display(),
        study.models.masks.display()
    );
    Some(Note::warning("masks_not_read", "archive", message))
}

/// Every file that a patient's outlines and critical structures come from.
fn read(patient: &PatientPlan) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for visit in patient.visits.iter().chain(&patient.history) {
        if let Some(MaskPlan::Folder(masks)) = &visit.masks {
            files.push(masks.lesions.clone());
            files.extend(masks.organ.iter().chain(&masks.ablation_zone).cloned());
        }
        files.extend(visit.given_map.clone());
        files.extend(visit.critical.iter().map(|structure| structure.path.clone()));
    }
    files.iter().flat_map(|file| files_of(file)).collect()
}
