//! One series put in order, its unit known from its headers, before a pixel is read: as one volume, or slice by slice.
//!
//! Source: DICOM PS3.3 C.7.6.2 (Image Plane), C.11.1 (Modality LUT); criteria of SUV: [`super::pet`].

use imaging::{Grid, GridError, Intensity, Note, Noted, Volume};

use super::geometry::{Blend, Reslice, SliceStack, stack};
use super::header::SliceHeader;
use super::pet::{SuvFactor, SuvOptions, suv_factor};
use super::pixels;
use super::pixels::SlicePixels;
use super::series::{ImageVolume, SeriesError, SeriesVolume, check_is_one_image_series};
use super::volumes::volumes_of;

/// A series in order, its pixels not yet read.
#[derive(Debug, Clone)]
pub struct OpenSeries {
    slices: Vec<SliceHeader>,
    grid: Grid,
    reslice: Option<Reslice>,
    unit: Unit,
    suv: Option<SuvFactor>,
}

/// Judges and orders the slices of one volume; no pixel is read. Errors and notes are those of [`super::read_series`], less those
/// of the pixels.
///
/// # Errors
/// The headers are those of no volume, or of several.
pub fn open_series(headers: &[SliceHeader], options: &SuvOptions) -> Result<Noted<OpenSeries>, SeriesError> {
    check_is_one_image_series(headers)?;
    let mut notes = Vec::new();
    match stack(headers) {
        Ok(stacked) if stacked.value.reslice.is_none() => {
            let stacked = stacked.note_into(&mut notes);
            Ok(in_order(headers, stacked, options, notes))
        }
        _ => {
            let only = only_volume(headers, &mut notes)?;
            let stacked = stack(&only)?.note_into(&mut notes);
            Ok(in_order(&only, stacked, options, notes))
        }
    }
}

/// The slices of the one volume of a series; what does not belong to it is left out with a note.
fn only_volume(headers: &[SliceHeader], notes: &mut Vec<Note>) -> Result<Vec<SliceHeader>, SeriesError> {
    let mut parts = volumes_of(headers.to_vec()).note_into(notes);
    if parts.len() > 1 {
        let names = parts.iter().map(|part| {
            let name = part.name.as_deref().unwrap_or("unnamed");
            format!("{name} ({} slices)", part.headers.len())
        });
        return Err(SeriesError::SeveralVolumes { series: headers[0].series_uid.clone(), volumes: names.collect() });
    }
    Ok(parts.pop().map_or_else(Vec::new, |part| part.headers))
}

fn in_order(
    headers: &[SliceHeader],
    SliceStack { order, grid, reslice }: SliceStack,
    options: &SuvOptions,
    mut notes: Vec<Note>,
) -> Noted<OpenSeries> {
    let slices: Vec<&SliceHeader> = order.iter().map(|&index| &headers[index]).collect();
    note_pixels(&slices, &mut notes);
    let (unit, suv) = unit_of(&slices, options, &mut notes);
    let slices = slices.into_iter().cloned().collect();
    Noted::new(OpenSeries { slices, grid, reslice, unit, suv }, notes)
}

/// What fills a CT where a resampled slice does not reach: the value scanners give to air outside the patient.
const AIR_HU: f32 = -1024.0;

impl OpenSeries {
    /// Where the voxels lie.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The unit as written at the borders: `HU`, `SUVbw`, `BQML` or `stored`.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        match self.unit {
            Unit::Hu => "HU",
            Unit::SuvBw(_) => "SUVbw",
            Unit::BqPerMl => "BQML",
            Unit::Stored => "stored",
        }
    }

    /// Modality as in the header.
    #[must_use]
    pub fn modality(&self) -> &str {
        &self.slices[0].modality
    }

    /// Series Instance UID.
    #[must_use]
    pub fn series_uid(&self) -> &str {
        &self.slices[0].series_uid
    }

    /// Reads all pixels, files in parallel.
    ///
    /// # Errors
    /// The pixels of a slice cannot be read, or claim more memory than their files can fill.
    pub fn read(self) -> Result<SeriesVolume, SeriesError> {
        let Self { slices, grid, reslice, unit, suv } = self;
        let series = slices[0].series_uid.clone();
        let in_order: Vec<&SliceHeader> = slices.iter().collect();
        let mut values = pixels::rescaled_values(&in_order).map_err(|(n, reason)| SeriesError::Pixels {
            series: series.clone(),
            file: slices[n].path.clone(),
            reason,
        })?;
        let mut source: Vec<usize> = (0..slices.len()).collect();
        if let Some(reslice) = reslice {
            let outside = if unit == Unit::Hu { AIR_HU } else { 0.0 };
            values = reslice.apply(&values, grid.shape(), outside);
            source = reslice.planes.iter().map(Blend::nearest).collect();
        }
        let volume =
            in_unit(values, grid, unit).map_err(|source| SeriesError::Grid { series: series.clone(), source })?;
        Ok(SeriesVolume {
            volume,
            series_uid: series,
            modality: slices[0].modality.clone(),
            sop_instance_uids: source.iter().map(|&n| slices[n].sop_instance_uid.clone()).collect(),
            files: source.iter().map(|&n| slices[n].path.clone()).collect(),
            suv,
        })
    }

    /// Gives every slice k, its values in the unit (i fastest, then j), in any order and from several threads, and keeps none of
    /// them. Ends as soon as one is not taken or cannot be read; whether all were taken. `false`, with no slice given, where the
    /// slices of the grid are not those of the files (gantry tilt, missing slices): [`OpenSeries::read`] says more.
    pub fn each_slice(&self, take: impl Fn(usize, &[f32]) -> bool + Sync) -> bool {
        if self.reslice.is_some() {
            return false;
        }
        let in_order: Vec<&SliceHeader> = self.slices.iter().collect();
        let Ok(slices) = SlicePixels::of(&in_order) else { return false };
        slices.each(|k, values| {
            if let Unit::SuvBw(factor) = self.unit {
                in_suv(values, factor);
            }
            take(k, values)
        })
    }
}

fn note_pixels(slices: &[&SliceHeader], notes: &mut Vec<Note>) {
    let first = slices[0];
    if let Some(padding) = slices.iter().find_map(|s| s.pixel_padding) {
        let message = format!(
            "voxels outside the field of view hold the padding value (stored {padding}); they keep it, rescaled like all others"
        );
        notes.push(Note::info("pixel_padding", first.series_uid.clone(), message));
    }
    if let Some(slice) = slices.iter().find(|s| pixels::is_lossy(&s.transfer_syntax)) {
        let message = format!("pixels are compressed with loss ({}); values may be off", slice.transfer_syntax_name());
        notes.push(Note::warning("lossy_compression", first.series_uid.clone(), message));
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Hu,
    SuvBw(f64),
    BqPerMl,
    Stored,
}

/// The unit the headers prove, and how SUV follows from them.
fn unit_of(slices: &[&SliceHeader], options: &SuvOptions, notes: &mut Vec<Note>) -> (Unit, Option<SuvFactor>) {
    let first = slices[0];
    match first.modality.as_str() {
        "CT" => (ct_unit(slices, notes), None),
        "PT" => match suv_factor(slices, options) {
            Ok(noted) => {
                let suv = noted.note_into(notes);
                (Unit::SuvBw(suv.factor), Some(suv))
            }
            Err(reason) => {
                let in_bqml = slices.iter().all(|s| s.pet.as_ref().is_some_and(|p| p.units.as_deref() == Some("BQML")));
                let message = format!("SUV is not evaluable: {reason}");
                notes.push(Note::warning("suv_not_evaluable", first.series_uid.clone(), message));
                (if in_bqml { Unit::BqPerMl } else { Unit::Stored }, None)
            }
        },
        _ => (Unit::Stored, None),
    }
}

/// Hounsfield units only where slope and intercept are stated in every slice and the rescale type does not deny it.
fn ct_unit(slices: &[&SliceHeader], notes: &mut Vec<Note>) -> Unit {
    let subject = slices[0].series_uid.clone();
    if slices.iter().any(|s| s.rescale_slope.is_none() || s.rescale_intercept.is_none()) {
        let message = "Rescale Slope and Intercept (0028,1053/1052) are missing, so the values are stored numbers, not HU; export the series again";
        notes.push(Note::warning("no_rescale", subject, message));
        return Unit::Stored;
    }
    match slices.iter().find_map(|s| s.rescale_type.as_deref().filter(|t| !t.starts_with("HU"))) {
        Some(other) => {
            let message = format!("Rescale Type (0028,1054) is {other}, so the values are not taken for HU");
            notes.push(Note::warning("not_hu", subject, message));
            Unit::Stored
        }
        None => Unit::Hu,
    }
}

fn in_unit(values: Vec<f32>, grid: Grid, unit: Unit) -> Result<ImageVolume, GridError> {
    fn typed<T: Intensity>(values: Vec<f32>, grid: Grid) -> Result<Volume<T>, GridError> {
        Volume::from_values(T::from_values(values), grid)
    }
    Ok(match unit {
        Unit::Hu => ImageVolume::Hu(typed(values, grid)?),
        Unit::BqPerMl => ImageVolume::BqPerMl(typed(values, grid)?),
        Unit::Stored => ImageVolume::Stored(typed(values, grid)?),
        Unit::SuvBw(factor) => {
            let mut suv = values;
            in_suv(&mut suv, factor);
            ImageVolume::SuvBw(typed(suv, grid)?)
        }
    })
}

fn in_suv(values: &mut [f32], factor: f64) {
    for value in values {
        *value = (f64::from(*value) * factor) as f32;
    }
}
