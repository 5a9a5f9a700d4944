//! One DICOM file of an archive: what decides whether it is cleaned and where it goes, read from its header.

use std::path::{Path, PathBuf};

use dicom::dictionary_std::tags;

use super::key::Key;
use super::refusal::{Flagged, LeftOut, judge, may_show_a_face};
use crate::dicom::element;
use crate::dicom::file::open_header;

/// A file as its header names it.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) path: PathBuf,
    pub(super) patient_id: String,
    pub(super) study_uid: String,
    pub(super) series_uid: String,
    pub(super) sop_instance_uid: String,
    pub(super) modality: String,
    /// Why it is left out.
    pub(super) left_out: Option<LeftOut>,
    /// What speaks against its pixels although it is kept.
    pub(super) flag: Option<LeftOut>,
    pub(super) may_show_a_face: bool,
}

/// What a file of an archive is.
pub(super) enum Found {
    /// A DICOM object.
    Instance(Box<Instance>),
    /// No DICOM, or a directory listing.
    Other,
    /// DICOM that cannot be read.
    Damaged,
}

/// Reads a header.
pub(super) fn inspect(path: &Path, flagged: Flagged) -> Found {
    let object = match open_header(path) {
        Ok(Some((object, _))) => object,
        Ok(None) => return Found::Other,
        Err(_) => return Found::Damaged,
    };
    let text = |tag| element::text(&object, tag).unwrap_or_default();
    if text(tags::SOP_CLASS_UID).is_empty() {
        let is_listing = object.get(tags::DIRECTORY_RECORD_SEQUENCE).is_some();
        return if is_listing { Found::Other } else { Found::Damaged };
    }
    let (mut left_out, flag) = judge(&object, flagged);
    let instance = Instance {
        path: path.to_owned(),
        patient_id: text(tags::PATIENT_ID),
        study_uid: text(tags::STUDY_INSTANCE_UID),
        series_uid: text(tags::SERIES_INSTANCE_UID),
        sop_instance_uid: text(tags::SOP_INSTANCE_UID),
        modality: text(tags::MODALITY),
        left_out: None,
        flag,
        may_show_a_face: may_show_a_face(&object),
    };
    let uids = [&instance.study_uid, &instance.series_uid, &instance.sop_instance_uid];
    if uids.iter().any(|uid| uid.is_empty()) {
        left_out = left_out.or(Some(LeftOut::NoUid));
    }
    if instance.patient_id.is_empty() {
        left_out = left_out.or(Some(LeftOut::NoPatientId));
    }
    Found::Instance(Box::new(Instance { left_out, ..instance }))
}

impl Instance {
    /// Where its cleaned copy goes, below the output folder: nothing of the old path.
    pub(super) fn place(&self, key: &Key) -> PathBuf {
        let name = |uid: &str| key.file_name(uid);
        [key.patient(&self.patient_id), name(&self.study_uid), name(&self.series_uid)]
            .iter()
            .collect::<PathBuf>()
            .join(format!("{}.dcm", name(&self.sop_instance_uid)))
    }

    /// The modality where it is one of the standard's short words, for the report.
    pub(super) fn modality_word(&self) -> String {
        let is_word = self.modality.len() <= 9 && self.modality.bytes().all(|b| b.is_ascii_uppercase());
        if is_word { self.modality.clone() } else { "OT".to_owned() }
    }
}
