//! What a run was made with: program, study, criteria, preset, model, ONNX Runtime; written to `manifest.json` and into every
//! page's footer.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use oncology::criteria::CriterionTable;
use oncology::endpoint::Preset;
use serde::{Deserialize, Serialize};

use crate::config::{LoadedStudy, Modality, Study};
use crate::models::{self, Needs, Networks, Opened};
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
    pub(crate) segmenter: Option<Opened>,
    /// Why there is no model, for patients that turn out to need one.
    pub(crate) no_model: String,
    /// Networks that outline what a reader marked, by modality.
    pub(crate) prompted: BTreeMap<Modality, Opened>,
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

/// Checks criteria, preset and models of a study.
pub(crate) fn equip(
    study: LoadedStudy,
    runtime: Option<&Path>,
    n_threads: usize,
    needs: Needs,
) -> anyhow::Result<Equipment> {
    let mut parts = vec![
        Part { what: "lesiontrace".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), sha256: None },
        Part { what: "study file".to_owned(), version: String::new(), sha256: Some(study.digest.clone()) },
    ];
    if let Some(rules) = &study.rules_file {
        let what = format!("series rules {} and the built-in ones", rules.name);
        parts.push(Part { what, version: String::new(), sha256: Some(rules.digest.clone()) });
    }
    let Rules { tables, preset, parts: of_rules } = rules(&study.study)?;
    parts.extend(of_rules);
    let Networks { finder: segmenter, no_finder: no_model, prompted, parts: of_networks } =
        models::open(&study, runtime, n_threads, needs)?;
    parts.extend(of_networks);
    Ok(Equipment { study, tables, preset, segmenter, no_model, prompted, parts })
}

/// By what a study judges.
pub(crate) struct Rules {
    /// Criteria, the leading one first.
    pub(crate) tables: Vec<CriterionTable>,
    /// Endpoint definitions.
    pub(crate) preset: Preset,
    /// Their versions and digests.
    pub(crate) parts: Vec<Part>,
}

/// The criteria and the preset a study names.
pub(crate) fn rules(study: &Study) -> anyhow::Result<Rules> {
    let (mut tables, mut parts) = (Vec::new(), Vec::new());
    for id in &study.criteria.ids {
        let table = CriterionTable::built_in(id).with_context(|| format!("[criteria] ids names {id:?}"))?;
        parts.push(part(&format!("criterion {id}"), &table.version.to_string(), table.text()));
        tables.push(table);
    }
    let preset = Preset::built_in(&study.endpoints.preset).context("[endpoints] preset")?;
    parts.push(part(&format!("preset {}", preset.id), &preset.version.to_string(), preset.text()));
    Ok(Rules { tables, preset, parts })
}

fn part(what: &str, version: &str, text: &str) -> Part {
    Part { what: what.to_owned(), version: version.to_owned(), sha256: Some(out::sha256_hex(text.as_bytes())) }
}
