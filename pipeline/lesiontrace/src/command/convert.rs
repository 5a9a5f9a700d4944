//! `convert`: one DICOM series as NIfTI, in HU, SUVbw, Bq/ml or stored values; a radiotherapy dose in Gy.

use formats::dicom::{SliceHeader, SuvOptions, read_dose, read_series};
use formats::nifti;
use imaging::{Note, Volume};
use serde::Serialize;

use crate::cli::Convert;
use crate::exit::{self, Failure};
use crate::{image_input, out};

/// What was written.
#[derive(Serialize)]
struct Converted<'a> {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    voxel_to_patient_lps: [[f64; 4]; 4],
    unit: &'static str,
    modality: &'a str,
    series_uid: &'a str,
    notes: &'a [Note],
}

/// Reads the series, refuses what makes no volume, writes the file.
pub(crate) fn run(args: &Convert) -> Result<u8, Failure> {
    let options = SuvOptions { dose_unit: image_input::dose_unit(&args.dose_unit)?, ..SuvOptions::STANDARD };
    let mut notes = Vec::new();
    let refused = |error| image_input::refuse(args.json, error);
    let headers = image_input::series_headers(&args.series, args.volume).map_err(refused)?.note_into(&mut notes);
    let Read { image, unit, modality, series_uid } = read(&headers, &options, &mut notes)
        .map_err(|error| image_input::refuse(args.json, image_input::with_notes(error, &notes)))?;
    nifti::write_image_narrow(&args.out, &image).map_err(Failure::io)?;
    let grid = image.grid();
    let shape = grid.shape();
    let converted = Converted {
        shape: [shape.ni, shape.nj, shape.nk],
        spacing_mm: grid.spacing_mm(),
        voxel_to_patient_lps: grid.voxel_to_patient().to_rows(),
        unit,
        modality: &modality,
        series_uid: &series_uid,
        notes: &notes,
    };
    image_input::say(&notes);
    if args.json {
        out::print_json(&converted).map_err(Failure::io)?;
    } else {
        let [ni, nj, nk] = converted.shape;
        let spacing = converted.spacing_mm.map(|mm| format!("{mm:.3}")).join(" × ");
        let text = format!("{}: {ni} × {nj} × {nk} voxels of {spacing} mm, {}\n", args.out.display(), converted.unit);
        out::print(&text).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

/// A volume with what is said of it.
struct Read {
    image: Volume<f32>,
    unit: &'static str,
    modality: String,
    series_uid: String,
}

/// An image series, or a radiotherapy dose in gray.
fn read(headers: &[SliceHeader], options: &SuvOptions, notes: &mut Vec<Note>) -> anyhow::Result<Read> {
    if let [dose] = headers
        && dose.modality == "RTDOSE"
    {
        let image = read_dose(&dose.path)?.note_into(notes).dose_gy;
        return Ok(Read { image, unit: "Gy", modality: dose.modality.clone(), series_uid: dose.series_uid.clone() });
    }
    let series = read_series(headers, options)?.note_into(notes);
    let (unit, image) = (series.volume.unit(), series.volume.into_values());
    Ok(Read { image, unit, modality: series.modality, series_uid: series.series_uid })
}
