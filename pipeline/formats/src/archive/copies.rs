//! Instances that lie in an archive more than once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imaging::Note;

use super::relative;
use crate::dicom::header::SliceHeader;

/// The headers of one series without its copies.
pub(super) struct WithoutCopies {
    /// Sorted by path and frame.
    pub(super) headers: Vec<SliceHeader>,
    /// Files that say they are another patient's instance, with what to say of each.
    pub(super) conflicts: Vec<(PathBuf, Note)>,
    /// What to say of copies.
    pub(super) note: Option<Note>,
}

/// The same SOP Instance twice (a copied folder): the first path stays, with a note.
pub(super) fn without_copies(series_uid: &str, mut headers: Vec<SliceHeader>, root: &Path) -> WithoutCopies {
    headers.sort_by(|a, b| (&a.path, a.frame).cmp(&(&b.path, b.frame)));
    let mut kept: BTreeMap<(String, Option<u32>), SliceHeader> = BTreeMap::new();
    let (mut elsewhere, mut conflicts, mut n_copies) = (Vec::new(), Vec::new(), 0);
    for header in headers {
        let key = (header.sop_instance_uid.clone(), header.frame);
        let Some(first) = kept.get(&key) else {
            kept.insert(key, header);
            continue;
        };
        let of_patient = first.patient_id == header.patient_id;
        let same = of_patient && first.position == header.position;
        if of_patient && !same {
            // Both stay: stacking refuses the series, because nothing says which of them belongs to it.
            elsewhere.push(header);
            continue;
        }
        if !same {
            let message = format!(
                "its SOP Instance UID is that of {} but its patient is not; the file is left out: ask the archive which one is right",
                relative(root, &first.path)
            );
            let note = Note::error("conflicting_instance", relative(root, &header.path), message);
            conflicts.push((header.path.clone(), note));
        }
        // A file counts once, however many frames it holds.
        n_copies += usize::from(same && header.frame.unwrap_or(0) == 0);
    }
    let mut headers: Vec<SliceHeader> = kept.into_values().chain(elsewhere).collect();
    headers.sort_by(|a, b| (&a.path, a.frame).cmp(&(&b.path, b.frame)));
    let note = (n_copies > 0).then(|| {
        let message =
            format!("{n_copies} file(s) of the series lie in the archive twice; the first copy (by path) is used");
        Note::info("duplicate_file", series_uid, message)
    });
    WithoutCopies { headers, conflicts, note }
}
