//! `segment`: one image through one model, onto the image's own grid.

use std::fmt::Write as _;

use formats::nifti;
use imaging::Note;
use inference::{Device, Provenance, Role, RuntimeOptions, SegmentError, Segmenter};
use serde::Serialize;

use crate::cli::{Global, Segment};
use crate::exit::{self, Failure};
use crate::{image_input, out, schedule, session};

/// One structure found.
#[derive(Serialize)]
struct Structure {
    index: u16,
    name: String,
    role: Role,
    organ: Option<String>,
    voxels: usize,
    volume_mm3: f64,
}

/// What was found, by which model, and what to doubt.
#[derive(Serialize)]
struct Document {
    structures: Vec<Structure>,
    provenance: Provenance,
    notes: Vec<Note>,
}

/// Segments and writes the label map.
pub(crate) fn run(args: &Segment, global: &Global) -> Result<u8, Failure> {
    let device = args.device.parse::<Device>().map_err(Failure::usage)?;
    let mut input = image_input::read(&args.image, "image").map_err(|error| image_input::refuse(args.json, error))?;
    let mut notes = std::mem::take(&mut input.notes);
    let options = RuntimeOptions { library: global.onnxruntime.clone(), device, n_threads: session::n_threads(global) };
    let segmenter = Segmenter::open(&args.model, &options).map_err(failure)?;
    let wanted = segmenter.card().input.unit.as_str();
    match input.unit {
        Some(found) if !wanted.is_empty() && found != wanted => {
            let reason = format!("the model expects {wanted}, the image holds {found}; name a series in {wanted}");
            return Err(image_input::refuse(args.json, anyhow::anyhow!(reason)));
        }
        None if !wanted.is_empty() => {
            let message = format!(
                "a NIfTI file does not state its unit; its values are taken for {wanted}, as the model expects"
            );
            notes.push(Note::info("unit_not_stated", args.image.display().to_string(), message));
        }
        Some(_) | None => {}
    }
    if let Some(text) = &args.memory {
        let allowed = schedule::parse_memory(text).map_err(Failure::usage)?;
        segmenter.refuse_above(allowed, input.image.grid()).map_err(failure)?;
    }
    let found = segmenter.segment(&input.image).map_err(failure)?.note_into(&mut notes);
    nifti::write_labels(&args.out, &found.labels).map_err(Failure::io)?;
    let voxel_mm3 = input.image.grid().voxel_volume_mm3();
    let structures = found.structures.into_iter().map(|s| Structure {
        index: s.index,
        name: s.name,
        role: s.role,
        organ: s.organ,
        voxels: s.n_voxels,
        volume_mm3: s.n_voxels as f64 * voxel_mm3,
    });
    image_input::say(&notes);
    let document = Document { structures: structures.collect(), provenance: found.provenance, notes };
    if args.json {
        out::print_json(&document).map_err(Failure::io)?;
    } else {
        let mut text =
            format!("{} by {} {}\n", args.out.display(), document.provenance.model, document.provenance.model_version);
        for s in &document.structures {
            let _ = writeln!(text, "{:>3} {:<20} {:>9} voxels {:>12.1} mm³", s.index, s.name, s.voxels, s.volume_mm3);
        }
        out::print(&text).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

/// A runtime or device that is not there, or too little memory, is a matter of the command line, all else of the data.
fn failure(error: SegmentError) -> Failure {
    match error {
        SegmentError::Runtime(error) => Failure::usage(error),
        error @ SegmentError::Memory { .. } => Failure::usage(error),
        other => Failure::io(other),
    }
}
