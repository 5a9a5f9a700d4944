//! `suv`: the SUV factor of a PET series with what it was computed from, or the reason there is none.

use formats::dicom::pet::suv_factor;
use formats::dicom::{SliceHeader, SuvFactor, SuvOptions};
use imaging::Note;
use serde::Serialize;

use crate::cli::Suv;
use crate::exit::{self, Failure};
use crate::{image_input, out};

/// The factor and what to doubt in it.
#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    suv: SuvFactor,
    notes: Vec<Note>,
}

/// Prints the factor; a refusal exits with the code of bad input.
pub(crate) fn run(args: &Suv) -> Result<u8, Failure> {
    let options = SuvOptions { dose_unit: image_input::dose_unit(&args.dose_unit)?, ..SuvOptions::STANDARD };
    let mut notes = Vec::new();
    let headers = image_input::series_headers(&args.series, None)
        .map_err(|error| image_input::refuse(args.json, error))?
        .note_into(&mut notes);
    let slices: Vec<&SliceHeader> = headers.iter().collect();
    let suv =
        suv_factor(&slices, &options).map_err(|error| image_input::refuse(args.json, error))?.note_into(&mut notes);
    image_input::say(&notes);
    if args.json {
        out::print_json(&Document { suv, notes }).map_err(Failure::io)?;
    } else {
        let reference = suv.decay_reference.as_deref().unwrap_or("not stated");
        let text = format!("SUVbw = value [{}] × {:e}, decay reference {reference}\n", suv.from, suv.factor);
        out::print(&text).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}
