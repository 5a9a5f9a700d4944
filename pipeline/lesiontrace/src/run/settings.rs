//! `equipment.json`: with what the latest run was made, so that `collect` knows, and a later run can say what changed since.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::Study;
use crate::manifest::{Equipment, Part};
use crate::rules::RuleTexts;
use crate::stages;

/// Program, study, criteria, models and stages of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    schema_version: u32,
    /// Digest of all of them: the first half of a patient's key.
    #[serde(default)]
    pub(crate) digest: String,
    pub(crate) parts: Vec<Part>,
    #[serde(default)]
    pub(crate) stages: BTreeMap<String, u32>,
    criteria: Vec<String>,
    cohort: String,
    margin_threshold_mm: f64,
    /// The study itself; runs of older versions did not keep it.
    #[serde(default)]
    pub(crate) study: Option<Study>,
    /// The texts of its criteria and preset; runs of older versions knew built-in ones only.
    #[serde(default)]
    pub(crate) rules: Option<RuleTexts>,
}

/// Name of the file in an output folder.
const NAME: &str = "equipment.json";

impl Settings {
    /// Of a run that begins.
    pub(crate) fn of(equipment: &Equipment) -> Self {
        let study = &equipment.study.study;
        Self {
            schema_version: 1,
            digest: equipment.digest()[..32].to_owned(),
            parts: equipment.parts.clone(),
            stages: stages::ALL.iter().map(|stage| (stage.name.to_owned(), stage.version)).collect(),
            criteria: equipment.rules.tables.iter().map(|table| table.id.clone()).collect(),
            cohort: study.cohort.name.clone(),
            margin_threshold_mm: study.endpoints.margin_threshold_mm,
            study: Some(study.clone()),
            rules: Some(equipment.rules.texts()),
        }
    }

    /// Those of the latest run on an output folder; `None` where there is none, or it cannot be read.
    pub(crate) fn read(out: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(out.join(NAME)).ok()?).ok()
    }

    /// For `collect` and later runs.
    pub(crate) fn write(&self, out: &Path) -> anyhow::Result<()> {
        crate::out::write_json(&out.join(NAME), self)
    }

    /// What is not as it was, in words.
    pub(crate) fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let named = |settings: &Self| -> BTreeMap<String, (String, Option<String>)> {
            let named = |part: &Part| (part.what.clone(), (part.version.clone(), part.sha256.clone()));
            settings.parts.iter().map(named).collect()
        };
        let (then, now) = (named(before), named(self));
        for (what, part) in &now {
            match then.get(what) {
                None => changes.push(format!("{what} is new")),
                Some(earlier) if earlier == part => {}
                Some((version, _)) if *version != part.0 => changes.push(format!("{what} {version} → {}", part.0)),
                Some(_) => changes.push(format!("{what} changed")),
            }
        }
        changes.extend(then.keys().filter(|what| !now.contains_key(*what)).map(|what| format!("{what} is gone")));
        for (stage, version) in &self.stages {
            match before.stages.get(stage) {
                Some(earlier) if earlier == version => {}
                Some(earlier) => changes.push(format!("stage {stage} {earlier} → {version}")),
                None => changes.push(format!("stage {stage} is new")),
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(parts: &[(&str, &str, &str)], measure: u32) -> Settings {
        let part = |(what, version, sha256): &(&str, &str, &str)| Part {
            what: (*what).to_owned(),
            version: (*version).to_owned(),
            sha256: Some((*sha256).to_owned()),
        };
        Settings {
            schema_version: 1,
            digest: String::new(),
            parts: parts.iter().map(part).collect(),
            stages: BTreeMap::from([("measure".to_owned(), measure)]),
            criteria: Vec::new(),
            cohort: String::new(),
            margin_threshold_mm: 5.0,
            study: None,
            rules: None,
        }
    }

    #[test]
    fn what_changed_is_named() {
        let before =
            settings(&[("study file", "", "a"), ("criterion recist_1_1", "3", "b"), ("model liver", "1", "c")], 3);
        let now = settings(
            &[("study file", "", "d"), ("criterion recist_1_1", "4", "e"), ("criterion mrecist", "1", "f")],
            4,
        );
        assert_eq!(now.changes_since(&now), [""; 0]);
        assert_eq!(
            now.changes_since(&before),
            [
                "criterion mrecist is new",
                "criterion recist_1_1 3 → 4",
                "study file changed",
                "model liver is gone",
                "stage measure 3 → 4"
            ]
        );
    }
}
