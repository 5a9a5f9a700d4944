//! Stage *load*: one DICOM series or NIfTI file becomes a volume with a checked grid.

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

/// The index has read these files: one that cannot be opened any more is a trouble of the machine (file server away, disk unmounted),
/// not of the data.
fn is_away(series: &SeriesPlan) -> bool {
    let nifti = series.entry.nifti.iter().map(|file| &file.path);
    series.entry.headers.iter().map(|header| &header.path).chain(nifti).any(|path| stored::open(path).is_err())
}

fn read(series: &SeriesPlan, notes: &mut Vec<Note>) -> Result<LoadedSeries, StageError> {
    if let Some(file) = &series.entry.nifti {
        return load_nifti(series, file);
    }
    let read = read_series(&series.entry.headers, &SuvOptions::STANDARD)
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
