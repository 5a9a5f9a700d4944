//! `convert`: one DICOM series as NIfTI, in HU, SUVbw, Bq/ml or stored values; a radiotherapy dose in Gy.

use formats::dicom::{SliceHeader, SuvOptions, open_series, read_dose};
use formats::nifti;
use imaging::{Grid, Note};
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
    let Written { grid, unit, modality, series_uid } = write(args, &headers, &options, &mut notes)?;
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

/// What is said of the file.
struct Written {
    grid: Grid,
    unit: &'static str,
    modality: String,
    series_uid: String,
}

/// An image series, or a radiotherapy dose in gray.
fn write(
    args: &Convert,
    headers: &[SliceHeader],
    options: &SuvOptions,
    notes: &mut Vec<Note>,
) -> Result<Written, Failure> {
    if let [dose] = headers
        && dose.modality == "RTDOSE"
    {
        let image = read_dose(&dose.path).map_err(|error| refused(args, error, notes))?.note_into(notes).dose_gy;
        nifti::write_image_narrow(&args.out, &image).map_err(Failure::io)?;
        let (modality, series_uid) = (dose.modality.clone(), dose.series_uid.clone());
        return Ok(Written { grid: image.grid().clone(), unit: "Gy", modality, series_uid });
    }
    let series = open_series(headers, options).map_err(|error| refused(args, error, notes))?.note_into(notes);
    let written = Written {
        grid: series.grid().clone(),
        unit: series.unit(),
        modality: series.modality().to_owned(),
        series_uid: series.series_uid().to_owned(),
    };
    // Integers, as nearly all series hold, need no memory for the whole of them.
    let slice_by_slice = nifti::write_integer_slices(&args.out, series.grid(), |file| {
        series.each_slice(|k, values| file.put(k, values))
    });
    if !slice_by_slice.map_err(Failure::io)? {
        let image = series.read().map_err(|error| refused(args, error, notes))?.volume.into_values();
        nifti::write_image_narrow(&args.out, &image).map_err(Failure::io)?;
    }
    Ok(written)
}

fn refused(args: &Convert, error: impl Into<anyhow::Error>, notes: &[Note]) -> Failure {
    image_input::refuse(args.json, image_input::with_notes(error, notes))
}
