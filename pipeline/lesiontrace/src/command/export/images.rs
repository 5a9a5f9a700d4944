//! The images of the archive by their identifiers: an object carries patient and study of the image it was made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use formats::archive;
use formats::dicom::write::{SourceImage, read_source};
use imaging::Note;

use crate::source_record::VisitSource;

/// Files by SOP Instance UID.
pub(super) struct Images {
    files: BTreeMap<String, PathBuf>,
    root: PathBuf,
}

impl Images {
    /// Reads the headers of an archive.
    pub(super) fn index(root: &Path) -> anyhow::Result<Self> {
        let indexed = archive::index(root)?.value;
        let headers = indexed.series().flat_map(|series| series.headers.unpack());
        let files = headers.map(|header| (header.sop_instance_uid, header.path)).collect();
        Ok(Self { files, root: root.to_owned() })
    }

    /// The first image of a visit's measured series that is there. `Err` is a reason for a message.
    pub(super) fn source(
        &self,
        patient_id: &str,
        visit: &VisitSource,
        notes: &mut Vec<Note>,
    ) -> Result<SourceImage, String> {
        if visit.slices.is_empty() {
            return Err(
                "the measured image is no DICOM: there is no patient, study or slice for an object to refer to"
                    .to_owned(),
            );
        }
        let file = visit.slices.iter().find_map(|slice| self.files.get(&slice.sop_instance_uid));
        let file = file.ok_or_else(|| {
            format!(
                "expected the images of the measured series {} under {}, found none of them; name the folder where the archive lies now with --archive",
                visit.series_role,
                self.root.display()
            )
        })?;
        let source = read_source(file).map_err(|error| error.to_string())?.note_into(notes);
        if source.patient_id() != patient_id {
            return Err(format!(
                "the image of the measured series {} belongs to another Patient ID now; run the patient again with --force",
                visit.series_role
            ));
        }
        Ok(source)
    }
}
