//! `segment --point` and `--box`: the lesions a reader points at, each with how far it can be trusted.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use formats::nifti;
use imaging::Noted;
use inference::{Prompt, PromptedLesion};
use oncology::Evaluable;
use serde::Serialize;

use super::segment::{Document, Loaded, check_units, failure};
use super::segment_memory::Allowed;
use crate::cli::Segment;
use crate::exit::{self, Failure};
use crate::image_input::{self, InputImage};
use crate::out;

/// One lesion.
#[derive(Serialize)]
struct Lesion {
    label: u16,
    prompt: Prompt,
    spacing_mm: f64,
    agreement: Evaluable<f64>,
    trusted: bool,
    reasons: Vec<String>,
    voxels: usize,
    volume_mm3: Evaluable<f64>,
}

/// What `segment` says of any image, and the lesions.
#[derive(Serialize)]
struct PromptedDocument {
    #[serde(flatten)]
    document: Document,
    lesions: Vec<Lesion>,
}

/// The prompts of a command line, points before boxes. Errors: text that is no prompt, prompts for many images or several together.
pub(crate) fn prompts(args: &Segment) -> Result<Vec<Prompt>, Failure> {
    let usage = |message: String| Failure::usage(anyhow::anyhow!(message));
    let mut prompts = Vec::with_capacity(args.points.len() + args.boxes.len());
    for text in &args.points {
        let example = "three numbers X,Y,Z such as -41.5,-20,118 (DICOM LPS, mm)";
        let at = numbers(text).ok_or_else(|| usage(format!("--point: expected {example}, found {text:?}")))?;
        prompts.push(Prompt::Point(at));
    }
    for text in &args.boxes {
        let example = "six numbers X1,Y1,Z1,X2,Y2,Z2 such as -60,-40,100,-20,0,140 (DICOM LPS, mm)";
        let [a, b, c, d, e, f] =
            numbers(text).ok_or_else(|| usage(format!("--box: expected {example}, found {text:?}")))?;
        prompts.push(Prompt::Box([[a, b, c], [d, e, f]]));
    }
    let asked = !prompts.is_empty() || args.uncertainty.is_some();
    if asked && args.each {
        let message =
            "--each: a point or box lies in one image; call the images one by one, each with its own --point or --box";
        return Err(usage(message.to_owned()));
    }
    if asked && !args.further.is_empty() {
        let message = "--with: a model that outlines the lesion under a prompt sees one image; leave --with out";
        return Err(usage(message.to_owned()));
    }
    if args.uncertainty.as_ref() == Some(&args.out) {
        return Err(usage("--uncertainty: expected another file than --out, found the same".to_owned()));
    }
    Ok(prompts)
}

/// So many numbers with commas between them.
fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let numbers: Option<Vec<f64>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    numbers?.try_into().ok()
}

/// Outlines the lesions, writes them, and says how far to trust each. Exit code: bad input when none was found, some failed when one
/// was not.
pub(crate) fn run(args: &Segment, loaded: &Loaded, input: &InputImage, prompts: &[Prompt]) -> Result<u8, Failure> {
    let mut notes = Vec::new();
    let images = std::slice::from_ref(input);
    check_units(loaded.segmenter.card(), images, &[args.image.as_path()], &mut notes)
        .and_then(|()| check_modality(loaded, input))
        .map_err(|error| image_input::refuse(args.json, error))?;
    let allowed = Allowed::new(loaded, input.image.grid(), prompts.len()).map_err(|error| failure(args.json, error))?;
    let found = loaded.segmenter.segment_prompted(&input.image, prompts, &|n, of| allowed.watch(n, of));
    let found = found.map_err(|error| failure(args.json, allowed.reason(error)))?;
    allowed.done().map_err(|error| failure(args.json, error))?;
    let Noted { value: found, notes: said } = found;
    notes.extend(input.notes.iter().cloned());
    write(&args.out, |path| nifti::write_labels(path, &found.segmentation.labels))?;
    if let Some(path) = &args.uncertainty {
        write(path, |path| nifti::write_image(path, &found.uncertainty))?;
    }
    let voxel_mm3 = input.image.grid().voxel_volume_mm3();
    let lesions: Vec<Lesion> = found.lesions.into_iter().map(|lesion| Lesion::new(lesion, voxel_mm3)).collect();
    let document = Document::new(Noted::new(found.segmentation, said), voxel_mm3, allowed.memory(), notes);
    let document = PromptedDocument { document, lesions };
    image_input::say(document.document.notes());
    if args.json {
        out::print_json(&document).map_err(Failure::io)?;
    } else {
        out::print(&document.text(&args.out)).map_err(Failure::io)?;
    }
    Ok(match document.lesions.iter().filter(|lesion| lesion.voxels == 0).count() {
        0 => exit::DONE,
        empty if empty == document.lesions.len() => exit::BAD_INPUT,
        _ => exit::SOME_FAILED,
    })
}

/// A series of another modality than the network was trained on is refused; MR has no unit that would tell.
fn check_modality(loaded: &Loaded, input: &InputImage) -> anyhow::Result<()> {
    let wanted = &loaded.segmenter.card().input.modality;
    match &input.modality {
        Some(found) if found != wanted => {
            anyhow::bail!("the model expects {wanted}, the series is {found}; take a model made for {found}")
        }
        Some(_) | None => Ok(()),
    }
}

fn write<E: std::error::Error + Send + Sync + 'static>(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), Failure> {
    write(path).with_context(|| format!("writing {}", path.display())).map_err(Failure::io)
}

impl Lesion {
    fn new(lesion: PromptedLesion, voxel_mm3: f64) -> Self {
        let none = || Evaluable::not(lesion.reasons.join("; "));
        Self {
            label: lesion.label,
            prompt: lesion.prompt,
            spacing_mm: lesion.spacing_mm,
            agreement: lesion.agreement.map_or_else(none, Evaluable::Value),
            trusted: lesion.trusted,
            voxels: lesion.n_voxels,
            volume_mm3: match lesion.n_voxels {
                0 => none(),
                n => Evaluable::Value(n as f64 * voxel_mm3),
            },
            reasons: lesion.reasons,
        }
    }
}

impl PromptedDocument {
    /// For a terminal.
    fn text(&self, out: &Path) -> String {
        let mut text = self.document.text(out);
        for lesion in &self.lesions {
            let Lesion { label, prompt, spacing_mm, .. } = lesion;
            let _ = write!(text, "lesion {label} ({prompt}), seen at {spacing_mm:.2} mm: ");
            let _ = match &lesion.agreement {
                Evaluable::Value(agreement) if lesion.trusted => writeln!(text, "views agree to {agreement:.2}"),
                Evaluable::Value(_) | Evaluable::NotEvaluable(_) => {
                    writeln!(text, "DO NOT TRUST: {}", lesion.reasons.join("; "))
                }
            };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_many_as_asked_for() {
        assert_eq!(numbers::<3>("-41.5, 20,1e2"), Some([-41.5, 20.0, 100.0]));
        for text in ["", "1,2", "1,2,3,4", "1,2,x", "1;2;3", "1,,3"] {
            assert_eq!(numbers::<3>(text), None, "{text}");
        }
    }
}
