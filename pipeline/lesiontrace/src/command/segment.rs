//! `segment`: one image, or several the model sees together, through one model onto the first one's grid; or each image of a folder.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use formats::nifti;
use imaging::{LabelMap, Note, Noted, Volume};
use inference::{Card, Device, Provenance, Role, RuntimeOptions, SegmentError, Segmentation, Segmenter};
use serde::Serialize;

use super::segment_each;
use super::segment_memory::{Allowed, Memory};
use super::segment_prompted;
use crate::cli::{Global, Segment};
use crate::exit::{self, Failure};
use crate::hounsfield::NotHu;
use crate::image_input::{self, InputImage};
use crate::{out, process_memory, schedule, session};

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
pub(crate) struct Document {
    structures: Vec<Structure>,
    provenance: Provenance,
    memory: Memory,
    notes: Vec<Note>,
}

/// A model that is loaded, and what it may use.
pub(crate) struct Loaded {
    /// The model.
    pub(crate) segmenter: Segmenter,
    /// `--memory`, in bytes.
    pub(crate) allowed_bytes: Option<u64>,
    /// What the process held with the model loaded and no image, in bytes.
    pub(crate) held_bytes: u64,
}

/// Segments and writes the label map.
pub(crate) fn run(args: &Segment, global: &Global) -> Result<u8, Failure> {
    let device = args.device.parse::<Device>().map_err(Failure::usage)?;
    let allowed_bytes = args.memory.as_deref().map(schedule::parse_memory).transpose().map_err(Failure::usage)?;
    let prompts = segment_prompted::prompts(args)?;
    if args.each {
        let cases = segment_each::cases(&args.image, &args.out)?;
        return segment_each::run(args, &cases, &load(args, global, device, allowed_bytes, &[])?);
    }
    let paths: Vec<&Path> = std::iter::once(&args.image).chain(&args.further).map(AsRef::as_ref).collect();
    let images = read(&paths).map_err(|error| image_input::refuse(args.json, error))?;
    let loaded = load(args, global, device, allowed_bytes, &images)?;
    if !prompts.is_empty() || args.uncertainty.is_some() {
        return segment_prompted::run(args, &loaded, &images[0], &prompts);
    }
    let to = To { labels: &args.out, findings: args.findings.as_deref() };
    let document = one(&loaded, &images, &paths, to).map_err(|failed| match failed {
        Failed::Unfit(error) => image_input::refuse(args.json, error),
        Failed::Segment(error) => failure(args.json, error),
        Failed::Output(error) => Failure::io(error),
    })?;
    image_input::say(&document.notes);
    if args.json {
        out::print_json(&document).map_err(Failure::io)?;
    } else {
        out::print(&document.text(&args.out)).map_err(Failure::io)?;
    }
    Ok(exit::DONE)
}

fn load(
    args: &Segment,
    global: &Global,
    device: Device,
    allowed_bytes: Option<u64>,
    images: &[InputImage],
) -> Result<Loaded, Failure> {
    let options = RuntimeOptions { library: global.onnxruntime.clone(), device, n_threads: session::n_threads(global) };
    let segmenter = Segmenter::open(&args.model, &options).map_err(|error| failure(args.json, error))?;
    check_findings(args, segmenter.card()).map_err(Failure::usage)?;
    let of_images: usize = images.iter().map(|input| size_of_val(input.image.values())).sum();
    let held_bytes = process_memory::held().unwrap_or_default().saturating_sub(of_images as u64);
    Ok(Loaded { segmenter, allowed_bytes, held_bytes })
}

/// `--findings` is for a card that splits findings, and for one image.
fn check_findings(args: &Segment, card: &Card) -> anyhow::Result<()> {
    if args.findings.is_none() {
        return Ok(());
    }
    if args.each {
        anyhow::bail!("--findings: one file holds the findings of one image; call the images one by one");
    }
    if args.findings.as_ref() == Some(&args.out) {
        anyhow::bail!("--findings: expected another file than --out, found the same");
    }
    if card.labels.iter().all(|label| label.split_at_necks_mm.is_none()) {
        anyhow::bail!(
            "--findings: no label of the model {} is split at necks (split_at_necks_mm in its card)",
            card.name
        );
    }
    Ok(())
}

/// Reads the images of one case, each in the first one's frame where it states none.
pub(crate) fn read(paths: &[&Path]) -> anyhow::Result<Vec<InputImage>> {
    paths.iter().map(|path| image_input::read(path, "image")).collect()
}

/// Why a case has no result.
pub(crate) enum Failed {
    /// The images are not what the model expects.
    Unfit(anyhow::Error),
    /// The engine gave none.
    Segment(SegmentError),
    /// It cannot be written.
    Output(anyhow::Error),
}

/// Files to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct To<'a> {
    /// The label map.
    pub(crate) labels: &'a Path,
    /// A number for each finding, where the card splits them.
    pub(crate) findings: Option<&'a Path>,
}

/// Segments the images of one case and writes the label map.
pub(crate) fn one(loaded: &Loaded, images: &[InputImage], paths: &[&Path], to: To<'_>) -> Result<Document, Failed> {
    let (segmenter, mut notes) = (&loaded.segmenter, Vec::new());
    check_units(segmenter.card(), images, paths, &mut notes).map_err(Failed::Unfit)?;
    let volumes: Vec<&Volume<f32>> = images.iter().map(|input| &input.image).collect();
    let grid = volumes[0].grid();
    let allowed = Allowed::new(loaded, grid, 0).map_err(Failed::Segment)?;
    let found = segmenter.segment_images(&volumes, &|n, of| allowed.watch(n, of));
    let found = found.map_err(|error| Failed::Segment(allowed.reason(error)))?;
    allowed.done().map_err(Failed::Segment)?;
    write_labels(to.labels, &found.value.labels)?;
    match (to.findings, &found.value.findings) {
        (Some(path), Some(findings)) => write_labels(path, findings)?,
        (None, Some(findings)) => notes.extend(not_written(segmenter.card(), findings)),
        (_, None) => {}
    }
    let voxel_mm3 = grid.voxel_volume_mm3();
    notes.extend(images.iter().flat_map(|input| input.notes.clone()));
    Ok(Document::new(found, voxel_mm3, allowed.memory(), notes))
}

/// Refuses images in another unit than the card names; where a file states none, that is noted, and numbers that are to be HU are
/// looked at: without their intercept they are refused, otherwise unlike HU warned of.
pub(crate) fn check_units(
    card: &Card,
    images: &[InputImage],
    paths: &[&Path],
    notes: &mut Vec<Note>,
) -> anyhow::Result<()> {
    let wanted = std::iter::once(&card.input.unit).chain(card.further_images.iter().map(|image| &image.unit));
    for ((input, path), wanted) in images.iter().zip(paths).zip(wanted).filter(|(_, wanted)| !wanted.is_empty()) {
        match input.unit {
            Some(found) if found != wanted => {
                anyhow::bail!("the model expects {wanted}, the image holds {found}; name a series in {wanted}")
            }
            Some(_) => {}
            None => {
                let message = format!(
                    "a NIfTI file does not state its unit; its values are taken for {wanted}, as the model expects"
                );
                notes.push(Note::info("unit_not_stated", path.display().to_string(), message));
                check_hu(input, path, wanted, notes)?;
            }
        }
    }
    Ok(())
}

fn write_labels(path: &Path, labels: &LabelMap) -> Result<(), Failed> {
    nifti::write_labels(path, labels).with_context(|| format!("writing {}", path.display())).map_err(Failed::Output)
}

/// Findings that touch are one in the label map: that the card splits them is said where nobody asked for their numbers.
fn not_written(card: &Card, findings: &LabelMap) -> Option<Note> {
    let split: Vec<&str> =
        card.labels.iter().filter(|label| label.split_at_necks_mm.is_some()).map(|label| label.name.as_str()).collect();
    let n = findings.labels_present().len();
    let message = format!(
        "{n} finding(s) of {} once split at necks, as the card asks; the label map holds them unsplit: --findings FILE writes a number for each",
        split.join(", ")
    );
    (n > 0).then(|| Note::warning("findings_not_written", split.join(", "), message))
}

/// Looks at numbers that are taken for HU.
fn check_hu(input: &InputImage, path: &Path, wanted: &str, notes: &mut Vec<Note>) -> anyhow::Result<()> {
    match NotHu::of(input.image.values()).filter(|_| wanted == "HU") {
        Some(NotHu::Offset(why)) => {
            let place = path.display();
            anyhow::bail!(
                "the model expects HU, but in {place} {why}; convert the series again with slope and intercept applied"
            )
        }
        Some(doubt) => {
            let message = format!("the model expects HU, but {}: what it finds there means nothing", doubt.why());
            notes.push(Note::warning("not_like_hu", path.display().to_string(), message));
        }
        None => {}
    }
    Ok(())
}

impl Document {
    /// Of what was found.
    pub(crate) fn new(found: Noted<Segmentation>, voxel_mm3: f64, memory: Memory, mut notes: Vec<Note>) -> Self {
        let found = found.note_into(&mut notes);
        let structures = found.structures.into_iter().map(|s| Structure {
            index: s.index,
            name: s.name,
            role: s.role,
            organ: s.organ,
            voxels: s.n_voxels,
            volume_mm3: s.n_voxels as f64 * voxel_mm3,
        });
        Self { structures: structures.collect(), provenance: found.provenance, memory, notes }
    }

    /// What to doubt.
    pub(crate) fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// For a terminal.
    pub(crate) fn text(&self, out: &Path) -> String {
        let mut text = format!("{} by {} {}\n", out.display(), self.provenance.model, self.provenance.model_version);
        for s in &self.structures {
            let _ = writeln!(text, "{:>3} {:<20} {:>9} voxels {:>12.1} mm³", s.index, s.name, s.voxels, s.volume_mm3);
        }
        text
    }
}

/// A runtime or device that is not there, too little memory, or a prompt too many or too few is a matter of the command line; all
/// else of the data, and with `json` the reason is the document on stdout.
pub(crate) fn failure(json: bool, error: SegmentError) -> Failure {
    match error {
        SegmentError::Runtime(error) => Failure::usage(error),
        error @ (SegmentError::Memory { .. }
        | SegmentError::PromptMissing { .. }
        | SegmentError::PromptNotWanted { .. }) => Failure::usage(error),
        other => image_input::refuse(json, other),
    }
}
