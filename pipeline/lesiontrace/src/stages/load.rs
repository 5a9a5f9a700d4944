//! Stage *load*: one DICOM series becomes a volume with a checked grid.

use formats::dicom::pet::SuvOptions;
use formats::dicom::series::{ImageVolume, read_series};
use imaging::{Note, Volume};

use crate::plan::SeriesPlan;
use crate::stages::segment::StageError;

/// A series in memory.
#[derive(Debug, Clone)]
pub(crate) struct LoadedSeries {
    /// The numbers, in `unit`.
    pub(crate) image: Volume<f32>,
    /// `HU`, `SUVbw`, `BQML` or `stored`.
    pub(crate) unit: &'static str,
    /// SOP Instance UID of each slice.
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
    let read = read_series(&series.entry.headers, &SuvOptions::STANDARD)
        .map_err(|error| StageError::new("load", error.code(), error.to_string()))?;
    notes.extend(series.entry.notes.iter().cloned());
    let read = read.note_into(notes);
    let unit = read.volume.unit();
    let image = match read.volume {
        ImageVolume::Stored(volume) => volume,
        other => other.to_values(),
    };
    Ok(LoadedSeries {
        image,
        unit,
        sop_instance_uids: read.sop_instance_uids,
        role: series.role.clone(),
        description: series.entry.row.description.clone(),
        modality: read.modality,
    })
}
