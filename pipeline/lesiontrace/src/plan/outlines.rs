//! Outlines in DICOM (structure sets, segmentations) as imported masks: which files were drawn on the measured series, wherever in
//! the patient's folders they are filed.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use formats::archive::TimepointImages;
use imaging::{Note, Noted};
use oncology::Date;
use serde::{Deserialize, Serialize};

use super::SeriesPlan;

/// What a region of a structure set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum RegionKind {
    /// A lesion that is no lymph node.
    Lesion,
    /// A lymph node.
    Node,
    /// The organ; several regions are taken together.
    Organ,
    /// An ablation zone.
    AblationZone,
}

/// One region to be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Region {
    /// ROI Number, or Segment Number.
    pub(crate) number: i64,
    /// ROI Name, or the segment's tracking identifier or label.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: RegionKind,
}

/// What kind of file outlines stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OutlineFile {
    /// RTSTRUCT.
    StructureSet,
    /// DICOM SEG.
    Segmentation,
    /// A NIfTI or NRRD label map or mask; a region of number 0 is every label.
    LabelMap,
}

/// Outlines in DICOM, which are found by their modality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DicomOutlines {
    StructureSets,
    Segmentations,
}

impl DicomOutlines {
    /// Modality of such a file.
    pub(super) const fn modality(self) -> &'static str {
        match self {
            Self::StructureSets => "RTSTRUCT",
            Self::Segmentations => "SEG",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::StructureSets => "structure set",
            Self::Segmentations => "segmentation",
        }
    }

    /// Codes of the notes on one that cannot be read and one drawn on another series.
    fn codes(self) -> [&'static str; 2] {
        match self {
            Self::StructureSets => ["unreadable_structure_set", "structure_set_of_other_series"],
            Self::Segmentations => ["unreadable_segmentation", "segmentation_of_other_series"],
        }
    }
}

/// One structure set or segmentation to be used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StructurePlan {
    /// Its file.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) file: OutlineFile,
    /// Its regions that are used, by number.
    pub(crate) regions: Vec<Region>,
}

/// The images of a visit, and all of the patient's: outlines may be filed under the day of their study, while the series they
/// were drawn on counts to the day it was acquired.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days<'a> {
    /// Folder of the archive.
    pub(super) archive: &'a Path,
    /// The visit.
    pub(super) visit: &'a TimepointImages,
    /// Every time point of the patient.
    pub(super) all: &'a [TimepointImages],
}

/// A file of outlines by its path and its name in the archive, and the day it is filed under.
struct Filed {
    path: PathBuf,
    name: String,
    is_other_day: bool,
    day: Option<Date>,
}

impl Days<'_> {
    /// The files of a kind, by path.
    fn files(&self, kind: DicomOutlines) -> Vec<Filed> {
        let mut files: Vec<Filed> = Vec::new();
        for day in self.all {
            let is_other_day = day.study_date != self.visit.study_date;
            let headers =
                day.series.iter().filter(|s| s.row.modality == kind.modality()).flat_map(|s| s.headers.unpack());
            files.extend(headers.map(|header| {
                let name = header.path.strip_prefix(self.archive).unwrap_or(&header.path).display().to_string();
                Filed { path: header.path, name, is_other_day, day: day.study_date }
            }));
        }
        // The visit's own day first: a file filed twice counts as the visit's.
        files.sort_by(|a, b| (&a.path, a.is_other_day, a.day).cmp(&(&b.path, b.is_other_day, b.day)));
        files.dedup_by(|a, b| a.path == b.path);
        files
    }
}

/// The files of a kind that were drawn on the measured series, by path, each with its name in the archive and its content. One that
/// was drawn on another series is said on its own day; one of another day that cannot be read is said here, since it may have been
/// drawn on this series.
///
/// # Errors
/// One of the visit's own day cannot be read.
pub(super) fn drawn_on<T, E: Display>(
    measure: &SeriesPlan,
    kind: DicomOutlines,
    days: Days<'_>,
    read: impl Fn(&Path) -> Result<Noted<T>, E>,
    refers_to: impl Fn(&T, &String) -> bool,
    notes: &mut Vec<Note>,
) -> Result<Vec<(PathBuf, String, T)>, String> {
    let mut drawn = Vec::new();
    let [unreadable, of_other_series] = kind.codes();
    for Filed { path, name, is_other_day, day } in days.files(kind) {
        let content = match read(&path) {
            Ok(content) => content,
            Err(error) if !is_other_day => return Err(format!("the {} {name} cannot be used: {error}", kind.name())),
            Err(error) => {
                let day = day.map_or_else(|| "no day".to_owned(), |day| day.to_string());
                let message = format!(
                    "the {} is filed under {day} and cannot be read, so that it may hold outlines of this visit: {error}",
                    kind.name()
                );
                notes.push(Note::warning(unreadable, name, message));
                continue;
            }
        };
        let refers = refers_to(&content.value, &measure.entry.row.series_uid);
        if refers {
            drawn.push((path, name, content.note_into(notes)));
        } else if !is_other_day {
            content.note_into(notes);
            let message = format!(
                "the {} does not refer to the measured series {:?} and is not used",
                kind.name(),
                measure.entry.row.description
            );
            notes.push(Note::info(of_other_series, name, message));
        }
    }
    Ok(drawn)
}
