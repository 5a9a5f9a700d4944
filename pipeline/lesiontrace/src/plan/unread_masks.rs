//! Files below the mask folder that no visit reads: a folder of another name or date would otherwise be dropped in silence, and its visit
//! outlined by the model.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use formats::image_file::files_of;
use imaging::Note;

use super::{MaskPlan, PatientPlan};
use crate::config::{MaskSource, Study};
use crate::out;

/// The files below the mask folder that nobody was found to read so far.
pub(super) struct Unread<'a> {
    archive: &'a Path,
    study: &'a Study,
    /// Of patients with images, by their folder.
    of_patients: BTreeMap<String, OfPatient<'a>>,
    /// Of folders that are no such patient's.
    of_nobody: Vec<&'a PathBuf>,
}

#[derive(Default)]
struct OfPatient<'a> {
    /// Of patients nobody asked for nothing is said.
    is_planned: bool,
    unread: Vec<&'a PathBuf>,
}

impl<'a> Unread<'a> {
    /// All of `files` below the mask folder, before any patient is planned; nothing where the study takes no masks from it.
    pub(super) fn new(archive: &'a Path, files: &'a [PathBuf], known: &BTreeSet<String>, study: &'a Study) -> Self {
        let root = archive.join(&study.models.masks);
        let folder_of = |id: &String| (out::safe_name(id), OfPatient::default());
        let of_patients = known.iter().map(folder_of).collect();
        let mut new = Self { archive, study, of_patients, of_nobody: Vec::new() };
        let files = files.iter().filter(|_| study.models.source != MaskSource::Model);
        for path in files {
            let below = path.strip_prefix(&root).ok().and_then(|below| below.components().next());
            let Some(folder) = below.map(|first| first.as_os_str().to_string_lossy().into_owned()) else { continue };
            new.of_patients.get_mut(&folder).map_or(&mut new.of_nobody, |own| &mut own.unread).push(path);
        }
        new
    }

    /// Takes out what a patient's visits read.
    pub(super) fn are_read_by(&mut self, patient: &PatientPlan) {
        let Some(own) = self.of_patients.get_mut(&out::safe_name(&patient.id)) else { return };
        let read: BTreeSet<PathBuf> = read(patient).into_iter().collect();
        own.is_planned = true;
        own.unread.retain(|path| !read.contains(*path));
    }

    /// One note that counts them and names the first.
    pub(super) fn note(self) -> Option<Note> {
        let planned = self.of_patients.into_values().filter(|own| own.is_planned);
        let unread: Vec<&PathBuf> = planned.flat_map(|own| own.unread).chain(self.of_nobody).collect();
        let first = unread.iter().min()?;
        let masks = self.study.models.masks.display();
        let message = format!(
            "{} files below {masks} are read by no visit (the first: {}): outlines lie in {masks}/<patient>/<visit>/ as lesions, organ or ablation_zone, each visit called as `run --dry-run` calls it (2024-03-01)",
            unread.len(),
            first.strip_prefix(self.archive).unwrap_or(first).display(),
        );
        Some(Note::warning("masks_not_read", "archive", message))
    }
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
