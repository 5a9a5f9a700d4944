//! By what a study judges: criteria and a preset, built in or brought along as files, and settings put over them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::Study;

/// By which criteria response is assessed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Criteria {
    /// Criteria, the first one leading.
    pub(crate) ids: Vec<String>,
    /// Criteria judged beside them on the same measurements: `easl`, `qeasl`, `vrecist`, `eortc_1999`, `percist_1_0`, `deauville`.
    #[serde(default)]
    pub(crate) further: Vec<String>,
    /// Files of own criteria, which `ids` may name; relative to the study file.
    #[serde(default)]
    pub(crate) files: Vec<PathBuf>,
    /// Settings put over a criterion, by its identifier.
    #[serde(default)]
    pub(crate) options: BTreeMap<String, toml::Table>,
}

/// Which endpoints are dated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoints {
    /// Frozen option set.
    pub(crate) preset: String,
    /// File of an own preset, in place of `preset`; relative to the study file; empty for none.
    #[serde(default)]
    pub(crate) preset_file: PathBuf,
    /// Settings put over the preset.
    #[serde(default)]
    pub(crate) options: toml::Table,
    /// Margin wanted, mm (strictly more).
    pub(crate) margin_threshold_mm: f64,
}

/// The texts of a study's own criteria and preset, as its files hold them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnFiles {
    /// Criteria, in the order of the study file.
    pub(crate) criteria: Vec<String>,
    /// A preset of its own.
    pub(crate) preset: Option<String>,
}

/// Reads the files a study names; their paths are relative to the study file.
pub(super) fn own_files(path: Option<&Path>, study: &Study) -> anyhow::Result<OwnFiles> {
    let folder = path.and_then(Path::parent).unwrap_or(Path::new(""));
    let read = |key: &str, file: &PathBuf| {
        let path = folder.join(file);
        std::fs::read_to_string(&path)
            .with_context(|| format!("{key}: expected a file at {} (relative to the study file)", path.display()))
    };
    let criteria = study.criteria.files.iter().map(|file| read("[criteria] files", file)).collect::<Result<_, _>>()?;
    let file = &study.endpoints.preset_file;
    let preset = (!file.as_os_str().is_empty()).then(|| read("[endpoints] preset_file", file)).transpose()?;
    Ok(OwnFiles { criteria, preset })
}
