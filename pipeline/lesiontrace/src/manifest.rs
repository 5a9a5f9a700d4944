//! What a run was made with: program, study, criteria, preset, model, ONNX Runtime; written to `manifest.json` and into every
//! page's footer.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{LoadedStudy, Modality};
use crate::models::{self, Needs, Networks, Opened};
use crate::niivue::Niivue;
use crate::out;
use crate::rules::Rules;
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
    /// By what it judges.
    pub(crate) rules: Rules,
    /// The model, where the study may need one.
    pub(crate) segmenter: Option<Opened>,
    /// Why there is no model, for patients that turn out to need one.
    pub(crate) no_model: String,
    /// Networks that outline what a reader marked, by modality.
    pub(crate) prompted: BTreeMap<Modality, Opened>,
    /// What a run was made with.
    pub(crate) parts: Vec<Part>,
    /// What draws the viewer of the pages, where they are to have one. It decides nothing but how a page looks, and is no part.
    pub(crate) viewer: Option<Niivue>,
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
    let rules = Rules::of(&study.study, &study.own_rules)?;
    parts.extend(rules.parts.iter().cloned());
    let Networks { finder: segmenter, no_finder: no_model, prompted, parts: of_networks } =
        models::open(&study, runtime, n_threads, needs)?;
    parts.extend(of_networks);
    Ok(Equipment { study, rules, segmenter, no_model, prompted, parts, viewer: None })
}
