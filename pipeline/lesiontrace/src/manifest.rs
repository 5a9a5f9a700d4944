//! What a run was made with: program, study, criteria, preset, model, ONNX Runtime; written to `manifest.json` and into every
//! page's footer.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use inference::{Device, RuntimeOptions, Segmenter};
use oncology::criteria::CriterionTable;
use oncology::endpoint::Preset;
use serde::{Deserialize, Serialize};

use crate::config::{LoadedStudy, MaskSource};
use crate::out;
use crate::stages;

/// One thing that decides what comes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Program, criterion table, model, study file, …
    pub(crate) what: String,
    /// Its version; empty when it has none.
    pub(crate) version: String,
    /// SHA-256 of its bytes, if it has bytes of its own.
    pub(crate) sha256: Option<String>,
}

/// Everything a run needs besides the data, checked before the first patient.
pub(crate) struct Equipment {
    /// The study.
    pub(crate) study: LoadedStudy,
    /// Criteria, the leading one first.
    pub(crate) tables: Vec<CriterionTable>,
    /// Endpoint definitions.
    pub(crate) preset: Preset,
    /// The model, where the study may need one.
    pub(crate) segmenter: Option<Segmenter>,
    /// Why there is no model, for patients that turn out to need one.
    pub(crate) no_model: String,
    /// What a run was made with.
    pub(crate) parts: Vec<Part>,
}

impl Equipment {
    /// Digest of everything that decides what comes out, apart from the data.
    pub(crate) fn digest(&self) -> String {
        let stages: Vec<String> = stages::ALL.iter().map(|s| format!("{} {}", s.name, s.version)).collect();
        out::sha256_hex(format!("{:?} {stages:?}", self.parts).as_bytes())
    }
}

/// Checks criteria, preset and model of a study. `needs_model` says whether any visit has no imported masks.
pub(crate) fn equip(
    study: LoadedStudy,
    runtime: Option<&Path>,
    n_threads: usize,
    needs_model: bool,
) -> anyhow::Result<Equipment> {
    let mut parts = vec![
        Part { what: "lesiontrace".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), sha256: None },
        Part { what: "study file".to_owned(), version: String::new(), sha256: Some(study.digest.clone()) },
    ];
    if let Some(rules) = &study.rules_file {
        let what = format!("series rules {} and the built-in ones", rules.name);
        parts.push(Part { what, version: String::new(), sha256: Some(rules.digest.clone()) });
    }
    let mut tables = Vec::new();
    for id in &study.study.criteria.ids {
        let table = CriterionTable::built_in(id).with_context(|| format!("[criteria] ids names {id:?}"))?;
        parts.push(part(&format!("criterion {id}"), &table.version.to_string(), table.text()));
        tables.push(table);
    }
    let preset = Preset::built_in(&study.study.endpoints.preset).context("[endpoints] preset")?;
    parts.push(part(&format!("preset {}", preset.id), &preset.version.to_string(), preset.text()));
    let (segmenter, no_model) = match (study.study.models.source, needs_model) {
        (MaskSource::Imported, _) => {
            (None, "[models] source is \"imported\" and the visit has no imported masks".to_owned())
        }
        (_, false) => (None, "no visit needed the model when the run began".to_owned()),
        (_, true) => (Some(open_model(&study, runtime, n_threads)?), String::new()),
    };
    if let Some(segmenter) = &segmenter {
        let card = segmenter.card();
        let what = format!("model {}", card.name);
        parts.push(Part { what, version: card.version.clone(), sha256: Some(card.sha256.clone()) });
        let runtime = segmenter.execution();
        let what = format!("inference on {}", runtime.execution_provider);
        parts.push(Part { what, version: String::new(), sha256: runtime.library_sha256.clone() });
    }
    Ok(Equipment { study, tables, preset, segmenter, no_model, parts })
}

fn part(what: &str, version: &str, text: &str) -> Part {
    Part { what: what.to_owned(), version: version.to_owned(), sha256: Some(out::sha256_hex(text.as_bytes())) }
}

fn open_model(study: &LoadedStudy, runtime: Option<&Path>, n_threads: usize) -> anyhow::Result<Segmenter> {
    let keys = &study.study.models;
    let folder = if keys.segmentation.as_os_str().is_empty() { shipped_model()? } else { keys.segmentation.clone() };
    let device: Device = keys.device.parse().map_err(|e| anyhow::anyhow!("[models] device: {e}"))?;
    let options = RuntimeOptions { library: runtime.map(Path::to_owned), device, n_threads };
    let segmenter =
        Segmenter::open(&folder, &options).with_context(|| format!("opening the model in {}", folder.display()))?;
    anyhow::ensure!(
        segmenter.card().prompt.is_none(),
        "the model in {} outlines the lesion under a prompt; [models] segmentation needs one that finds lesions by itself: outline them with `lesiontrace segment --point` and import the masks",
        folder.display()
    );
    let n_images = segmenter.card().n_images();
    anyhow::ensure!(
        n_images == 1,
        "the model in {} sees {n_images} images together; a run shows a model the measured series alone: run it with `lesiontrace segment --with` and import its masks",
        folder.display()
    );
    Ok(segmenter)
}

/// Name of the model shipped with the program.
const SHIPPED: &str = "phantom-liver-0.2.0";

/// The shipped model's folder: `models/` beside the program, above it, or in the current folder.
pub(crate) fn shipped_model() -> anyhow::Result<PathBuf> {
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
