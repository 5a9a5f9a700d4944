//! Images named on the command line: a NIfTI file, or a folder with exactly one DICOM series.
//!
//! A NIfTI file states neither frame of reference nor unit: the caller gives the frame, and the unit stays unknown.

use std::path::Path;

use anyhow::Context as _;
use formats::archive::{self, SeriesEntry};
use formats::dicom::{DoseUnit, SliceHeader, SuvOptions, read_series};
use formats::nifti;
use imaging::{FrameId, Mask, Note, Noted, Severity, Volume};
use oncology::Evaluable;
use serde::Serialize;

use crate::exit::Failure;
use crate::out::{self, plain_line};

/// An image with what its file proves about it.
#[derive(Debug, Clone)]
pub(crate) struct InputImage {
    /// The numbers, in `unit`.
    pub(crate) image: Volume<f32>,
    /// `HU`, `SUVbw`, `BQML` or `stored`; `None` for NIfTI.
    pub(crate) unit: Option<&'static str>,
    /// DICOM modality; `None` for NIfTI.
    pub(crate) modality: Option<String>,
    /// What to doubt.
    pub(crate) notes: Vec<Note>,
}

impl InputImage {
    /// What stands where the image does not reach: air for CT, else its smallest value.
    pub(crate) fn outside_value(&self) -> f32 {
        if self.unit == Some("HU") {
            return AIR_HU;
        }
        self.image.values().iter().copied().fold(f32::INFINITY, f32::min)
    }
}

/// Values of the lowest and of the highest voxels of a CT in HU: air or lung below, no more than metal above.
const LOOKS_LIKE_HU: ([f32; 2], [f32; 2]) = ([-3100.0, -500.0], [100.0, 32_767.0]);
/// The least part of the voxels of a CT of a body that are soft tissue.
const SOFT_TISSUE: ([f32; 2], f64) = ([-150.0, 250.0], 0.02);

impl InputImage {
    /// Whether an image whose file states no unit has the values of a CT in HU: air, soft tissue and nothing beyond metal.
    pub(crate) fn looks_like_hu(&self) -> bool {
        let values = self.image.values();
        let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
        let within = |[from, to]: [f32; 2], v: f32| (from..=to).contains(&v);
        let n_soft = values.iter().filter(|v| within(SOFT_TISSUE.0, **v)).count();
        let is_soft = n_soft as f64 >= SOFT_TISSUE.1 * values.len() as f64;
        self.unit.is_none() && within(LOOKS_LIKE_HU.0, low) && within(LOOKS_LIKE_HU.1, high) && is_soft
    }
}

/// The value scanners give to air outside the patient.
const AIR_HU: f32 = -1024.0;

/// Reads an image; `frame` is the frame of a NIfTI file, a DICOM series has its own.
pub(crate) fn read(path: &Path, frame: &str) -> anyhow::Result<InputImage> {
    if !path.is_dir() {
        let image = nifti::read_image(path, FrameId::new(frame))?;
        return Ok(InputImage { image, unit: None, modality: None, notes: Vec::new() });
    }
    let mut notes = Vec::new();
    let headers = series_headers(path, None)?.note_into(&mut notes);
    let series = read_series(&headers, &SuvOptions::STANDARD)
        .map_err(|error| with_notes(error, &notes))
        .with_context(|| format!("reading the series in {}", path.display()))?
        .note_into(&mut notes);
    let unit = Some(series.volume.unit());
    Ok(InputImage { image: series.volume.to_values(), unit, modality: Some(series.modality), notes })
}

/// Reads a mask that belongs to an image: every voxel that is not 0, in the image's frame.
pub(crate) fn read_mask_of(path: &Path, image: &Volume<f32>) -> anyhow::Result<Mask> {
    Ok(nifti::read_mask(path, image.grid().frame().clone())?)
}

/// The headers of the one image series in a folder, or of the volume of this number (from 1) of a series that holds several.
pub(crate) fn series_headers(folder: &Path, volume: Option<usize>) -> anyhow::Result<Noted<Vec<SliceHeader>>> {
    let mut notes = Vec::new();
    let index = archive::index(folder)?.note_into(&mut notes);
    let (images, others): (Vec<&SeriesEntry>, Vec<&SeriesEntry>) =
        index.series().partition(|series| series.headers.unpack().iter().any(SliceHeader::is_image));
    notes.extend(others.iter().map(|other| {
        let message = format!("a series of modality {} lies beside the images; it was not read", other.row.modality);
        Note::info("other_series", other.row.series_uid.clone(), message)
    }));
    let identity = |s: &SeriesEntry| (s.row.series_uid.clone(), s.row.patient_id.clone(), s.row.study_date);
    let of_one_series = images.windows(2).all(|pair| identity(pair[0]) == identity(pair[1]));
    let chosen = volume.filter(|_| of_one_series).and_then(|n| images.get(n.wrapping_sub(1)));
    match images.as_slice() {
        several if let Some(entry) = chosen => {
            notes.extend(entry.notes.iter().filter(|_| several.len() == 1).cloned());
            Ok(Noted::new(entry.headers.unpack(), notes))
        }
        [one] if volume.is_none() => {
            notes.extend(one.notes.iter().cloned());
            Ok(Noted::new(one.headers.unpack(), notes))
        }
        [] => anyhow::bail!(
            "expected one DICOM image series in {}, found none that can be read: {}",
            folder.display(),
            if notes.is_empty() { "there are only NIfTI files".to_owned() } else { joined(&notes) }
        ),
        volumes if of_one_series => {
            let named = volumes.iter().enumerate().take(SERIES_NAMED).map(|(n, entry)| {
                let name = entry.row.volume.as_deref().unwrap_or("the only one");
                format!("{} = {name} ({} slice(s))", n + 1, entry.row.n_slices)
            });
            anyhow::bail!(
                "series {} holds {} volume(s): {}; expected one: choose it with `lesiontrace convert --volume N`",
                volumes[0].row.series_uid,
                volumes.len(),
                named.collect::<Vec<_>>().join(", ")
            )
        }
        several => {
            let named = several.iter().take(SERIES_NAMED).map(|series| {
                let row = &series.row;
                let volume = row.volume.as_ref().map_or_else(String::new, |volume| format!(" ({volume})"));
                format!(
                    "{} \"{}\" {}{volume} of patient {}",
                    row.modality, row.description, row.series_uid, row.patient_id
                )
            });
            anyhow::bail!(
                "expected one DICOM image series in {}, found {}: {}; name a folder that holds one series alone",
                folder.display(),
                several.len(),
                named.collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// How many of several series an error names.
const SERIES_NAMED: usize = 6;

/// The unit a PET's dose is written in, by the word used on the command line.
pub(crate) fn dose_unit(word: &str) -> Result<DoseUnit, Failure> {
    match word {
        "bq" => Ok(DoseUnit::Bq),
        "kbq" => Ok(DoseUnit::Kbq),
        "mbq" => Ok(DoseUnit::Mbq),
        "mci" => Ok(DoseUnit::Mci),
        other => Err(Failure::usage(anyhow::anyhow!("--dose-unit: expected bq, kbq, mbq or mci, found {other:?}"))),
    }
}

/// Says every note that is more than information on stderr.
pub(crate) fn say(notes: &[Note]) {
    for note in notes.iter().filter(|note| note.severity > Severity::Info) {
        tracing::warn!("{}", plain_line(&format!("{}: {}", note.subject, note.message)));
    }
}

/// The notes' messages; of those that differ in the file's name alone the first, with the number of the others.
fn joined(notes: &[Note]) -> String {
    let mut alike: Vec<(String, &str, usize)> = Vec::new();
    for note in notes {
        let kind = note.message.replace(&note.subject, "");
        match alike.iter_mut().find(|(other, ..)| *other == kind) {
            Some((.., n)) => *n += 1,
            None => alike.push((kind, &note.message, 0)),
        }
    }
    let said = alike.iter().map(|(_, message, n)| match n {
        0 => (*message).to_owned(),
        n => format!("{message} (and {n} more like it)"),
    });
    said.collect::<Vec<_>>().join("; ")
}

/// An error with what was found before it, which may well be its cause.
pub(crate) fn with_notes(error: impl Into<anyhow::Error>, notes: &[Note]) -> anyhow::Error {
    let error = error.into();
    let before: Vec<Note> = notes.iter().filter(|note| note.severity > Severity::Info).cloned().collect();
    if before.is_empty() { error } else { anyhow::anyhow!("{error}; found before: {}", joined(&before)) }
}

/// A result that is refused: with `--json` the reason is the one document on stdout; the exit code says bad input either way.
pub(crate) fn refuse(json: bool, error: impl Into<anyhow::Error>) -> Failure {
    #[derive(Serialize)]
    struct Refused {
        not_evaluable: String,
    }
    let failure = Failure::io(error);
    if json && let Err(printing) = out::print_json(&Refused { not_evaluable: failure.to_string() }) {
        return Failure::io(printing);
    }
    failure
}

/// A value, or the reason why there is none, for JSON.
pub(crate) fn or_reason<T>(value: Option<T>, reason: &str) -> Evaluable<T> {
    value.map_or_else(|| Evaluable::not(reason), Evaluable::Value)
}
