//! Stage *load*: one DICOM series or NIfTI file becomes a volume with a checked grid.

use std::path::PathBuf;

use formats::dicom::pet::SuvOptions;
use formats::dicom::series::read_series;
use formats::image_file;
use formats::nifti_archive::{NiftiSeries, NiftiUnit};
use formats::stored;
use imaging::{Note, Volume};

use crate::hounsfield::NotHu;
use crate::plan::SeriesPlan;
use crate::stages::segment::StageError;

/// A series in memory.
#[derive(Debug, Clone)]
pub(crate) struct LoadedSeries {
    /// The numbers, in `unit`.
    pub(crate) image: Volume<f32>,
    /// `HU`, `SUVbw`, `BQML` or `stored`.
    pub(crate) unit: &'static str,
    /// SOP Instance UID of each slice; empty for a NIfTI file.
    pub(crate) sop_instance_uids: Vec<String>,
    /// The series' role.
    pub(crate) role: String,
    /// Series Description.
    pub(crate) description: String,
    /// DICOM modality.
    pub(crate) modality: String,
}

/// Reads a series; what to doubt goes into `notes`.
pub(crate) fn load(series: &SeriesPlan, notes: &mut Vec<Note>) -> Result<LoadedSeries, StageError> {
    read(series, notes).map_err(|error| StageError { transient: is_away(series), ..error })
}

/// Reads a series that no verdict rests on: where it cannot be read, its own numbers are not evaluable, for the reason that comes back, and
/// a note says so.
///
/// # Errors
/// The machine's trouble, not the series': it may be read another time.
pub(crate) fn load_if_sound(
    series: &SeriesPlan,
    notes: &mut Vec<Note>,
) -> Result<Result<LoadedSeries, String>, StageError> {
    match load(series, notes) {
        Err(error) if !error.transient => {
            let message = named_alone(error.message, &files_of(series));
            let reason = format!("{} cannot be read: {message}", series.role);
            notes.push(Note::error("series_unread", series.role.clone(), reason.clone()));
            Ok(Err(reason))
        }
        read => read.map(Ok),
    }
}

/// The index has read these files: one that cannot be opened any more is a trouble of the machine (file server away, disk unmounted),
/// not of the data.
fn is_away(series: &SeriesPlan) -> bool {
    files_of(series).iter().any(|path| stored::open(path).is_err())
}

/// The files of a series.
pub(crate) fn files_of(series: &SeriesPlan) -> Vec<PathBuf> {
    let headers = series.entry.headers.unpack();
    let nifti = series.entry.nifti.iter().map(|file| file.path.clone());
    headers.into_iter().map(|header| header.path).chain(nifti).collect()
}

/// A text with the names of these files alone: a page is the same wherever the archive lies.
pub(crate) fn named_alone<'a>(text: String, files: impl IntoIterator<Item = &'a PathBuf>) -> String {
    files.into_iter().fold(text, |text, path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        text.replace(&*path.to_string_lossy(), &name)
    })
}

fn read(series: &SeriesPlan, notes: &mut Vec<Note>) -> Result<LoadedSeries, StageError> {
    if let Some(file) = &series.entry.nifti {
        return load_nifti(series, file);
    }
    let read = read_series(&series.entry.headers.unpack(), &SuvOptions::STANDARD)
        .map_err(|error| StageError::new("load", error.code(), error.to_string()))?;
    notes.extend(series.entry.notes.iter().cloned());
    let read = read.note_into(notes);
    let unit = read.volume.unit();
    Ok(LoadedSeries {
        image: read.volume.into_values(),
        unit,
        sop_instance_uids: read.sop_instance_uids,
        role: series.role.clone(),
        description: series.entry.row.description.clone(),
        modality: read.modality,
    })
}

fn load_nifti(series: &SeriesPlan, file: &NiftiSeries) -> Result<LoadedSeries, StageError> {
    let wrong = |code: &str, message: String| StageError::new("load", code, message);
    let image = image_file::read_image(&file.path, file.frame.clone()).map_err(|e| wrong("nifti", e.to_string()))?;
    if image.values().iter().any(|v| !v.is_finite()) {
        let message = format!("{} holds voxels that are no number; write the image again without them", file.file);
        return Err(wrong("nifti_not_finite", message));
    }
    let not_hu = NotHu::of(image.values()).filter(|_| file.unit == NiftiUnit::Hu);
    if let Some(not_hu @ (NotHu::Offset(_) | NotHu::NothingBelowWater(_))) = not_hu {
        let message = format!(
            "{} should hold HU, but {}; convert the series again with slope and intercept applied",
            file.file,
            not_hu.why()
        );
        return Err(wrong("nifti_not_hu", message));
    }
    Ok(LoadedSeries {
        image,
        unit: file.unit.as_str(),
        sop_instance_uids: Vec::new(),
        role: series.role.clone(),
        description: series.entry.row.description.clone(),
        modality: series.entry.row.modality.clone(),
    })
}
