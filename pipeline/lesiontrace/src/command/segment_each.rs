//! `segment --each`: every image of a folder with one model that is loaded once; a case that cannot be read or segmented is said and
//! left out, and the others go on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use anyhow::Context as _;
use serde::Serialize;

use super::segment::{Document, Failed, Loaded, To, one, read};
use crate::cli::Segment;
use crate::exit::{self, Failure};
use crate::image_input::{self, InputImage};
use crate::out;

/// One image of the folder, and where its labels go.
pub(crate) struct Case {
    image: PathBuf,
    out: PathBuf,
}

/// What came of a case.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Done {
        image: String,
        labels: String,
        #[serde(flatten)]
        document: Box<Document>,
    },
    Failed {
        image: String,
        not_evaluable: String,
    },
}

/// What is said of all cases, put together as they end. Texts of single cases that stay until the end would lie between the memory of
/// one image and of the next, and the process would grow from case to case.
struct Report {
    as_json: bool,
    text: String,
    n_done: usize,
    n_failed: usize,
}

/// The images of a folder by name: NIfTI files, and folders, each of them one DICOM series. Two that would be written to one file,
/// and results that would lie among the images, are usage errors.
pub(crate) fn cases(folder: &Path, out: &Path) -> Result<Vec<Case>, Failure> {
    let entries = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>())
        .with_context(|| format!("expected a folder of images at {} (--each)", folder.display()))
        .map_err(Failure::io)?;
    if out.exists() && out.canonicalize().ok() == folder.canonicalize().ok() {
        let message = "--each: the results would lie among the images; name another folder with --out";
        return Err(Failure::usage(anyhow::anyhow!(message)));
    }
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for image in entries {
        let Some(name) = case_name(&image) else { continue };
        if let Some(other) = found.insert(name, image.clone()) {
            let message = format!(
                "--each: {} and {} would both be written to one file; rename one",
                other.display(),
                image.display()
            );
            return Err(Failure::usage(anyhow::anyhow!(message)));
        }
    }
    if found.is_empty() {
        let message = format!("expected NIfTI files or folders of DICOM series in {}, found none", folder.display());
        return Err(Failure::bad_input(anyhow::anyhow!(message)));
    }
    let case = |(name, image)| Case { image, out: out.join(format!("{name}.nii.gz")) };
    Ok(found.into_iter().map(case).collect())
}

/// A folder's or NIfTI file's name without its ending; hidden ones and other files are no case.
fn case_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str().filter(|name| !name.starts_with('.'))?;
    let stem = name.strip_suffix(".nii.gz").or_else(|| name.strip_suffix(".nii"));
    if path.is_dir() { Some(name.to_owned()) } else { stem.map(str::to_owned) }
}

/// Segments the cases one after another; the next image is read meanwhile, unless memory is bounded.
pub(crate) fn run(args: &Segment, cases: &[Case], loaded: &Loaded) -> Result<u8, Failure> {
    if loaded.segmenter.card().prompt.is_some() {
        let message = "--each: the model outlines the lesion under a prompt, and each image needs its own; call it image by image, with --point or --box";
        return Err(Failure::usage(anyhow::anyhow!(message)));
    }
    let n_images = loaded.segmenter.card().n_images();
    if n_images != 1 {
        let message = format!("--each: the model sees {n_images} images together; call it case by case, with --with");
        return Err(Failure::usage(anyhow::anyhow!(message)));
    }
    let mut report = Report::new(args.json, cases.len());
    if loaded.allowed_bytes.is_some() {
        for case in cases {
            report.take(&outcome(loaded, case, read(&[&case.image]))?)?;
        }
    } else {
        std::thread::scope(|scope| {
            let (hand_over, handed_over) = sync_channel(0);
            scope.spawn(move || {
                // An error of handing over is the end of the work at the other side.
                let _ = cases.iter().try_for_each(|case| hand_over.send((case, read(&[&case.image]))));
            });
            handed_over.into_iter().try_for_each(|(case, images)| report.take(&outcome(loaded, case, images)?))
        })?;
    }
    report.print()
}

/// Segments a case; a result that cannot be written ends the work, any other fault is the case's own.
fn outcome(loaded: &Loaded, case: &Case, images: anyhow::Result<Vec<InputImage>>) -> Result<Outcome, Failure> {
    let image = case.image.display().to_string();
    let failed = |not_evaluable: String| {
        tracing::error!("{}", out::plain_line(&format!("{image}: {not_evaluable}")));
        Ok(Outcome::Failed { image: image.clone(), not_evaluable })
    };
    let images = match images {
        Ok(images) => images,
        Err(error) => return failed(format!("{error:#}")),
    };
    match one(loaded, &images, &[&case.image], To { labels: &case.out, findings: None }) {
        Ok(document) => {
            image_input::say(document.notes());
            let labels = case.out.display().to_string();
            Ok(Outcome::Done { image, labels, document: Box::new(document) })
        }
        Err(Failed::Unfit(error)) => failed(format!("{error:#}")),
        Err(Failed::Segment(error)) => failed(error.to_string()),
        Err(Failed::Output(error)) => Err(Failure::io(error)),
    }
}

impl Report {
    /// Room for so many cases.
    fn new(as_json: bool, n_cases: usize) -> Self {
        // A case takes some 2 KiB: the text is moved as seldom as can be.
        Self { as_json, text: String::with_capacity(n_cases * 4096), n_done: 0, n_failed: 0 }
    }

    fn take(&mut self, outcome: &Outcome) -> Result<(), Failure> {
        match outcome {
            Outcome::Done { .. } => self.n_done += 1,
            Outcome::Failed { .. } => self.n_failed += 1,
        }
        match outcome {
            _ if self.as_json => {
                self.text.push_str(if self.text.is_empty() { "{\n\"cases\": [\n" } else { ",\n" });
                self.text.push_str(&out::json_text(outcome).map_err(Failure::internal)?);
            }
            Outcome::Done { labels, document, .. } => self.text.push_str(&document.text(Path::new(labels))),
            Outcome::Failed { image, not_evaluable } => {
                self.text.push_str(&format!("{image}: not evaluable: {not_evaluable}\n"));
            }
        }
        Ok(())
    }

    fn print(mut self) -> Result<u8, Failure> {
        let Self { n_done, n_failed, .. } = self;
        let end = if self.as_json {
            format!("\n],\n\"n_done\": {n_done},\n\"n_failed\": {n_failed}\n}}\n")
        } else {
            format!("{n_done} segmented, {n_failed} not evaluable\n")
        };
        self.text.push_str(&end);
        out::print(&self.text).map_err(Failure::io)?;
        Ok(if n_failed == 0 { exit::DONE } else { exit::SOME_FAILED })
    }
}
