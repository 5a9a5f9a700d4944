//! By what a study judges: built-in criteria and presets or the study's own, with the settings of the study file put over them.

use std::path::Path;

use anyhow::Context as _;
use oncology::criteria::CriterionTable;
use oncology::criteria::further::Further;
use oncology::criteria::table::BUILT_IN;
use oncology::endpoint::Preset;
use serde::{Deserialize, Serialize};

use crate::altered::altered;
use crate::config::{self, LoadedStudy, OwnFiles, Study};
use crate::manifest::Part;
use crate::{models, out};

/// The final texts of a run's rules, as kept in its output folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuleTexts {
    /// Criteria, the leading one first.
    pub(crate) criteria: Vec<String>,
    /// The preset.
    pub(crate) preset: String,
    /// Identifiers of the criteria beside them.
    #[serde(default)]
    pub(crate) further: Vec<String>,
}

/// By what a study judges.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Criteria, the leading one first.
    pub(crate) tables: Vec<CriterionTable>,
    /// Endpoint definitions.
    pub(crate) preset: Preset,
    /// Criteria judged beside them.
    pub(crate) further: Vec<Further>,
    /// Their versions and digests.
    pub(crate) parts: Vec<Part>,
}

/// A study file that a run can use: what it names exists. Said before any image is looked at, which may take hours.
pub(crate) fn load_study(path: Option<&Path>) -> anyhow::Result<LoadedStudy> {
    let study = config::load(path)?;
    let name = || path.map_or_else(|| "the built-in study file".to_owned(), |path| path.display().to_string());
    Rules::of(&study.study, &study.own_rules).with_context(name)?;
    models::device(&study).with_context(name)?;
    Ok(study)
}

impl Rules {
    /// The criteria and the preset a study names.
    pub(crate) fn of(study: &Study, own: &OwnFiles) -> anyhow::Result<Self> {
        let own_tables = own.criteria.iter().map(|text| own_criterion(text)).collect::<Result<Vec<_>, _>>()?;
        for id in study.criteria.options.keys() {
            let is_used = study.criteria.ids.contains(id);
            anyhow::ensure!(is_used, "[criteria.options.{id}]: [criteria] ids does not name {id:?}");
        }
        let tables = study.criteria.ids.iter().map(|id| criterion(id, study, &own_tables)).collect::<Result<_, _>>()?;
        Ok(Self::from_parsed(tables, preset(study, own)?, further(&study.criteria.further)?))
    }

    /// From the texts a run kept.
    pub(crate) fn from_texts(texts: &RuleTexts) -> anyhow::Result<Self> {
        let tables = texts.criteria.iter().map(|text| CriterionTable::parse(text)).collect::<Result<_, _>>()?;
        Ok(Self::from_parsed(tables, Preset::parse(&texts.preset)?, further(&texts.further)?))
    }

    /// Their texts, to be kept.
    pub(crate) fn texts(&self) -> RuleTexts {
        RuleTexts {
            criteria: self.tables.iter().map(|table| table.text().to_owned()).collect(),
            preset: self.preset.text().to_owned(),
            further: self.further.iter().map(|further| further.id().to_owned()).collect(),
        }
    }

    fn from_parsed(tables: Vec<CriterionTable>, preset: Preset, further: Vec<Further>) -> Self {
        let parts = tables.iter().map(|t| part(&format!("criterion {}", t.id), t.version, t.text()));
        let of_preset = part(&format!("preset {}", preset.id), preset.version, preset.text());
        let of_further = further.iter().map(|one| {
            let (version, text) = one.version_and_text();
            part(&format!("criterion {}", one.id()), version, text)
        });
        let parts = parts.chain(of_further).chain(std::iter::once(of_preset)).collect();
        Self { tables, preset, further, parts }
    }
}

fn further(ids: &[String]) -> anyhow::Result<Vec<Further>> {
    let one =
        |id: &String| Further::built_in(id).map_err(|why| anyhow::anyhow!("[criteria] further names {id:?}: {why}"));
    ids.iter().map(one).collect()
}

fn own_criterion(text: &str) -> anyhow::Result<CriterionTable> {
    let table = CriterionTable::parse(text).context("[criteria] files")?;
    let is_built_in = BUILT_IN.iter().any(|(id, _)| *id == table.id);
    anyhow::ensure!(!is_built_in, "[criteria] files: {:?} is built in; give the file an id of its own", table.id);
    Ok(table)
}

/// A criterion with the study's settings over it. One that is altered bears its digest in its identifier: rows of tables name it.
fn criterion(id: &str, study: &Study, own: &[CriterionTable]) -> anyhow::Result<CriterionTable> {
    let known = match own.iter().find(|table| table.id == id) {
        Some(table) => table.clone(),
        None => CriterionTable::built_in(id).with_context(|| format!("[criteria] ids names {id:?}"))?,
    };
    let Some(settings) = study.criteria.options.get(id).filter(|settings| !settings.is_empty()) else {
        return Ok(known);
    };
    let said = || format!("[criteria.options.{id}]");
    let text = altered(known.text(), settings).with_context(said)?;
    let digest = &out::sha256_hex(text.as_bytes())[..8];
    let mut file: toml::Table = text.parse().with_context(said)?;
    file.insert("id".to_owned(), toml::Value::String(format!("{id}+{digest}")));
    CriterionTable::parse(&toml::to_string(&file).with_context(said)?).with_context(said)
}

fn preset(study: &Study, own: &OwnFiles) -> anyhow::Result<Preset> {
    let known = match &own.preset {
        Some(text) => {
            let preset = Preset::parse(text).context("[endpoints] preset_file")?;
            let is_built_in = Preset::built_in(&preset.id).is_ok();
            anyhow::ensure!(!is_built_in, "[endpoints] preset_file: {:?} is built in; give it another id", preset.id);
            preset
        }
        None => Preset::built_in(&study.endpoints.preset).context("[endpoints] preset")?,
    };
    let text = altered(known.text(), &study.endpoints.options).context("[endpoints.options]")?;
    Preset::parse(&text).context("[endpoints.options]")
}

fn part(what: &str, version: u32, text: &str) -> Part {
    Part { what: what.to_owned(), version: version.to_string(), sha256: Some(out::sha256_hex(text.as_bytes())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study(criteria: &str, endpoints: &str) -> Study {
        let text = config::DEFAULT
            .replace("ids = [\"recist_1_1\", \"mrecist\"]\n", criteria)
            .replace("preset = \"default\"\n", endpoints);
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn an_altered_criterion_bears_another_name_and_comes_back_from_its_text() {
        let study = study(
            "ids = [\"recist_1_1\"]\noptions.recist_1_1.options.pr_persistence = \"strict\"\n",
            "preset = \"xu2021\"\noptions.cutoff = \"2026-06-30\"\n",
        );
        let rules = Rules::of(&study, &OwnFiles::default()).unwrap();
        let id = &rules.tables[0].id;
        assert!(id.starts_with("recist_1_1+") && id.len() == 19, "{id}");
        assert_eq!(rules.preset.cutoff, Some("2026-06-30".parse().unwrap()));
        let again = Rules::from_texts(&rules.texts()).unwrap();
        assert_eq!((&again.tables, &again.preset, &again.parts), (&rules.tables, &rules.preset, &rules.parts));
    }

    #[test]
    fn own_files_stand_beside_the_built_in_ones() {
        let mine = CriterionTable::built_in("recist_1_1").unwrap().text().replacen("\"recist_1_1\"", "\"mine\"", 1);
        let own = OwnFiles { criteria: vec![mine], preset: None };
        let both = study("ids = [\"mine\", \"recist_1_1\"]\n", "preset = \"default\"\n");
        let rules = Rules::of(&both, &own).unwrap();
        assert_eq!(rules.tables.iter().map(|t| t.id.as_str()).collect::<Vec<_>>(), ["mine", "recist_1_1"]);
        assert!(format!("{:#}", Rules::of(&both, &OwnFiles::default()).unwrap_err()).contains("\"mine\""));
        let taken =
            OwnFiles { criteria: vec![CriterionTable::built_in("irecist").unwrap().text().to_owned()], preset: None };
        assert!(Rules::of(&both, &taken).unwrap_err().to_string().contains("built in"));
    }

    #[test]
    fn settings_of_a_criterion_that_is_not_used_are_a_mistake() {
        let study =
            study("ids = [\"mrecist\"]\noptions.recist_1_1.thresholds.pd_abs_mm = 3\n", "preset = \"default\"\n");
        assert!(Rules::of(&study, &OwnFiles::default()).unwrap_err().to_string().contains("does not name"));
    }

    #[test]
    fn what_no_run_could_use_is_refused_before_any_image_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("study.toml");
        let said = |from: &str, to: &str| {
            assert!(config::DEFAULT.contains(from), "{from}");
            std::fs::write(&path, config::DEFAULT.replacen(from, to, 1)).unwrap();
            format!("{:#}", load_study(Some(&path)).unwrap_err())
        };
        for (from, to, told) in [
            ("\"mrecist\"", "\"mrecits\"", ["[criteria] ids names \"mrecits\"", "recist_1_1"]),
            ("preset = \"default\"", "preset = \"nope\"", ["[endpoints] preset", "default"]),
            ("device = \"cpu\"", "device = \"gpu9\"", ["[models] device", "cuda"]),
        ] {
            let said = said(from, to);
            assert!(said.contains("study.toml") && told.iter().all(|told| said.contains(told)), "{said}");
        }
        let gone = format!("{:#}", load_study(Some(&folder.path().join("gone.toml"))).unwrap_err());
        assert!(gone.contains("gone.toml") && gone.contains("lesiontrace init"), "{gone}");
    }
}
