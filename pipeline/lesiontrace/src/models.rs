//! The networks of a study, opened and checked before the first patient: the one that finds lesions by itself, and those that
//! outline what a reader marked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use inference::{Device, RuntimeOptions, Segmenter};

use crate::config::{LoadedStudy, MaskSource, Modality};
use crate::manifest::Part;
use crate::out;
use crate::plan::CohortPlan;

/// Which networks the visits of a cohort need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Some visit has no imported masks.
    pub(crate) finder: bool,
    /// Some visit has a reader's marks.
    pub(crate) prompted: bool,
}

impl Needs {
    /// Of all visits of a cohort.
    pub(crate) fn of(cohort: &CohortPlan) -> Self {
        let mut needs = Self { finder: false, prompted: false };
        for patient in &cohort.patients {
            for visit in patient.open().visits {
                needs.finder |= visit.masks.is_none();
                needs.prompted |= !visit.marks.is_empty();
            }
        }
        needs
    }
}

/// A network that is open.
pub(crate) struct Opened {
    /// The network.
    pub(crate) network: Segmenter,
    /// Digest of its card, its weights and what runs it: of all that decides its answer to an image.
    pub(crate) digest: String,
}

/// The networks of a study.
pub(crate) struct Networks {
    /// The one that finds lesions by itself, where the study may need it.
    pub(crate) finder: Option<Opened>,
    /// Why there is none, for patients that turn out to need it.
    pub(crate) no_finder: String,
    /// Those that outline what a reader marked, by the modality they were made for; none where nobody marked anything.
    pub(crate) prompted: BTreeMap<Modality, Opened>,
    /// Their names, versions and digests.
    pub(crate) parts: Vec<Part>,
}

/// The device a study names.
pub(crate) fn device(study: &LoadedStudy) -> anyhow::Result<Device> {
    study.study.models.device.parse().map_err(|e| anyhow::anyhow!("[models] device: {e}"))
}

/// Opens what the cohort needs.
pub(crate) fn open(
    study: &LoadedStudy,
    runtime: Option<&Path>,
    n_threads: usize,
    needs: Needs,
) -> anyhow::Result<Networks> {
    let keys = &study.study.models;
    let device = device(study)?;
    let options = RuntimeOptions { library: runtime.map(Path::to_owned), device, n_threads };
    let mut parts = Vec::new();
    let (finder, no_finder) = match (keys.source, needs.finder) {
        (MaskSource::Imported, _) => {
            (None, "[models] source is \"imported\" and the visit has no imported masks".to_owned())
        }
        (_, false) => (None, "no visit needed the model when the run began".to_owned()),
        (_, true) => (Some(open_finder(&keys.segmentation, &options, &mut parts)?), String::new()),
    };
    let mut prompted = BTreeMap::new();
    for (modality, folder) in keys.prompted.iter().filter(|_| needs.prompted) {
        prompted.insert(*modality, open_prompted(*modality, folder, &options, &mut parts)?);
    }
    if let Some(opened) = finder.iter().chain(prompted.values()).next() {
        let ran = opened.network.execution();
        let what = format!("inference on {}", ran.execution_provider);
        parts.push(Part { what, version: String::new(), sha256: ran.library_sha256.clone() });
    }
    Ok(Networks { finder, no_finder, prompted, parts })
}

fn open_finder(folder: &Path, options: &RuntimeOptions, parts: &mut Vec<Part>) -> anyhow::Result<Opened> {
    let folder = if folder.as_os_str().is_empty() { shipped()? } else { folder.to_owned() };
    let opened = open_one(&folder, options, parts)?;
    let network = &opened.network;
    anyhow::ensure!(
        network.card().prompt.is_none(),
        "the model in {} outlines the lesion under a prompt; [models] segmentation needs one that finds lesions by itself: name this one in [models.prompted], and mark lesions in clinical/lesions.csv",
        folder.display()
    );
    let n_images = network.card().n_images();
    anyhow::ensure!(
        n_images == 1,
        "the model in {} sees {n_images} images together; a run shows a model the measured series alone: run it with `lesiontrace segment --with` and import its masks",
        folder.display()
    );
    Ok(opened)
}

fn open_prompted(
    modality: Modality,
    folder: &Path,
    options: &RuntimeOptions,
    parts: &mut Vec<Part>,
) -> anyhow::Result<Opened> {
    let opened = open_one(folder, options, parts).with_context(|| format!("[models.prompted] {modality}"))?;
    let network = &opened.network;
    anyhow::ensure!(
        network.card().prompt.is_some(),
        "[models.prompted] {modality}: expected a network that outlines the lesion under a prompt (a card with a table [prompt]), found {}, which takes none; name it with [models] segmentation",
        folder.display()
    );
    let made_for = &network.card().input.modality;
    anyhow::ensure!(
        *made_for == modality.to_string(),
        "[models.prompted] {modality}: expected a network made for {modality}, found {}, made for {made_for}; write {made_for} = …, or name another folder",
        folder.display()
    );
    Ok(opened)
}

/// Opens a model; its card, its network and those of other folds become parts of what the run was made with.
fn open_one(folder: &Path, options: &RuntimeOptions, parts: &mut Vec<Part>) -> anyhow::Result<Opened> {
    let opening = || format!("opening the model in {}", folder.display());
    let network = Segmenter::open(folder, options).with_context(opening)?;
    let card = network.card();
    let part =
        |what: String, sha256: &str| Part { what, version: card.version.clone(), sha256: Some(sha256.to_owned()) };
    let text = std::fs::read(folder.join("card.toml")).with_context(opening)?;
    let mut own = Vec::new();
    own.push(part(format!("card of model {}", card.name), &out::sha256_hex(&text)));
    own.push(part(format!("model {}", card.name), &card.sha256));
    own.extend(card.other_networks().map(|other| part(format!("model {}, {}", card.name, other.file), &other.sha256)));
    let ran = network.execution();
    let digest = format!("{own:?} {} {:?}", ran.execution_provider, ran.library_sha256);
    parts.extend(own);
    Ok(Opened { network, digest: out::sha256_hex(digest.as_bytes()) })
}

/// Name of the model shipped with the program.
pub(crate) const SHIPPED: &str = "phantom-liver-0.2.2";

/// The shipped model's folder: `models/` beside the program, above it, or in the current folder.
pub(crate) fn shipped() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let current = std::env::current_dir().unwrap_or_default();
    let candidates: Vec<PathBuf> = program
        .ancestors()
        .skip(1)
        .chain(current.ancestors())
        .map(|folder| folder.join("models").join(SHIPPED))
        .collect();
    candidates.iter().find(|folder| folder.join("card.toml").is_file()).cloned().with_context(|| {
        format!(
            "expected the model {SHIPPED} in a models/ folder beside the program or above it, found none; name one with [models] segmentation, or import masks with [models] source = \"imported\""
        )
    })
}
