//! Rules that name the role of a series from its headers, read from TOML so that a reader can change them.
//!
//! Every rule that fits gives a candidate with its reason; the highest weight names the role, at equal weight the earlier rule.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Plane, SeriesRole, has_phrase, plane_of, words};
use crate::dicom::header::SliceHeader;

/// The rules the program was built with (`configs/series/default.toml`).
static BUILT_IN: LazyLock<SeriesRules> = LazyLock::new(|| {
    SeriesRules::parse(include_str!("../../../../../configs/series/default.toml"))
        .expect("a test parses the built-in rules")
});

/// What can be wrong with a file of rules.
#[derive(Debug, Error)]
pub enum RulesError {
    /// Not TOML of this shape.
    #[error("the series rules cannot be read: {0}")]
    Parse(#[from] toml::de::Error),
    /// Another version of the shape.
    #[error("the series rules have schema {0}, expected 1")]
    Schema(u32),
    /// A rule that can never fit.
    #[error("rule {number} ({role}): {reason}")]
    Rule {
        /// Its place in the file, from 1.
        number: usize,
        /// Its role.
        role: SeriesRole,
        /// What is wrong.
        reason: &'static str,
    },
}

/// A set of rules.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesRules {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    schema: u32,
    rule: Vec<Rule>,
}

/// One rule: all conditions that are given must hold.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    role: SeriesRole,
    weight: u8,
    modality: String,
    #[serde(default)]
    any: Vec<String>,
    #[serde(default)]
    all: Vec<String>,
    #[serde(default)]
    none: Vec<String>,
    #[serde(default)]
    study_any: Vec<String>,
    image_type: Option<String>,
    contrast: Option<bool>,
    plane: Option<Plane>,
    thickness_mm: Option<[f64; 2]>,
    n_slices: Option<[f64; 2]>,
    echo_time_ms: Option<[f64; 2]>,
    repetition_time_ms: Option<[f64; 2]>,
    b_value: Option<[f64; 2]>,
    why: String,
}

/// A role a series may have, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleCandidate {
    /// The role.
    pub role: SeriesRole,
    /// Weight of its rule, 0 to 100.
    pub weight: u8,
    /// The rule's reason.
    pub reason: String,
}

impl SeriesRules {
    /// The rules built into the program.
    #[must_use]
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Every word the rules look for in a description, in lower case; some more than once.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        let phrases = self.rules.iter().flat_map(|r| [&r.any, &r.all, &r.none, &r.study_any]).flatten();
        phrases.flat_map(|phrase| phrase.split(' '))
    }

    /// From the text of a file.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let file: RulesFile = toml::from_str(text)?;
        if file.schema != 1 {
            return Err(RulesError::Schema(file.schema));
        }
        for (n, rule) in file.rule.iter().enumerate() {
            let fault = |reason| RulesError::Rule { number: n + 1, role: rule.role, reason };
            let ranges = [rule.thickness_mm, rule.n_slices, rule.echo_time_ms, rule.repetition_time_ms, rule.b_value];
            if ranges
                .into_iter()
                .flatten()
                .any(|[least, most]| !matches!(least.partial_cmp(&most), Some(o) if o.is_le()))
            {
                return Err(fault("a range whose least is above its most"));
            }
            let phrases = rule.any.iter().chain(&rule.all).chain(&rule.none).chain(&rule.study_any);
            if phrases.into_iter().any(|p| words(p).trim() != p.as_str()) {
                return Err(fault("a phrase with capitals or punctuation never fits: write lower-case words"));
            }
        }
        Ok(Self { rules: file.rule })
    }

    /// Every role a series of `n_slices` slices like this one may have, the most likely first.
    #[must_use]
    pub fn candidates(&self, header: &SliceHeader, n_slices: usize) -> Vec<RoleCandidate> {
        let facts = Facts {
            header,
            n_slices,
            series: words(&header.series_description),
            study: words(&header.study_description),
        };
        let mut found: Vec<RoleCandidate> = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.fits(&facts)) {
            if !found.iter().any(|c| c.role == rule.role && c.weight >= rule.weight) {
                found.push(RoleCandidate { role: rule.role, weight: rule.weight, reason: rule.why.clone() });
            }
        }
        found.sort_by_key(|c| std::cmp::Reverse(c.weight));
        found
    }
}

/// What rules look at.
struct Facts<'a> {
    header: &'a SliceHeader,
    n_slices: usize,
    series: String,
    study: String,
}

impl Rule {
    fn fits(&self, facts: &Facts<'_>) -> bool {
        let Facts { header, n_slices, series, study } = facts;
        let has = |phrase: &String| has_phrase(series, &[phrase]);
        let within = |range: Option<[f64; 2]>, value: Option<f64>| {
            range.is_none_or(|[least, most]| value.is_some_and(|v| RangeInclusive::new(least, most).contains(&v)))
        };
        self.modality == header.modality
            && (self.any.is_empty() || self.any.iter().any(has))
            && self.all.iter().all(has)
            && !self.none.iter().any(has)
            && (self.study_any.is_empty() || self.study_any.iter().any(|p| has_phrase(study, &[p])))
            && self.image_type.as_ref().is_none_or(|t| header.image_type.iter().any(|v| v.eq_ignore_ascii_case(t)))
            && self.contrast.is_none_or(|c| c == header.contrast_agent.is_some())
            && self.plane.is_none_or(|p| header.orientation.is_some_and(|o| plane_of(o) == p))
            && within(self.thickness_mm, header.slice_thickness)
            && within(self.n_slices, Some(*n_slices as f64))
            && within(self.echo_time_ms, header.echo_time_ms)
            && within(self.repetition_time_ms, header.repetition_time_ms)
            && within(self.b_value, header.key.b_value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dicom::role::tests::header;

    #[test]
    fn the_built_in_rules_are_read_and_rank_their_candidates() {
        let candidates = SeriesRules::built_in().candidates(&header("CT", "Arterial and portal venous"), 80);
        let roles: Vec<_> = candidates.iter().map(|c| (c.role, c.weight)).collect();
        assert_eq!(roles, [(SeriesRole::CtArterial, 60), (SeriesRole::CtPortalVenous, 50), (SeriesRole::Ct, 10)]);
        assert_eq!(candidates[0].reason, "the description says: arterial phase");
        let both = SeriesRules::built_in().candidates(&header("CT", "ABDOMEN W/WO"), 80);
        assert_eq!(both[0].role, SeriesRole::Ct);
    }

    #[test]
    fn conditions_are_all_needed_and_nonsense_is_refused() {
        let rules = "schema = 1\n[[rule]]\nrole = \"ct\"\nweight = 5\nmodality = \"CT\"\nplane = \"axial\"\n\
            thickness_mm = [0.0, 3.0]\nn_slices = [20, 2000]\ncontrast = false\nwhy = \"thin\"\n";
        let parsed = SeriesRules::parse(rules).unwrap();
        let thin = header("CT", "x");
        assert_eq!(parsed.candidates(&thin, 20).len(), 1);
        assert!(parsed.candidates(&thin, 19).is_empty());
        let thick = SliceHeader { slice_thickness: Some(3.5), ..header("CT", "x") };
        assert!(parsed.candidates(&thick, 20).is_empty());
        for (from, to) in [
            ("schema = 1", "schema = 2"),
            ("[0.0, 3.0]", "[3.0, 0.0]"),
            ("plane", "plain"),
            ("why", "any = [\"A-b\"]\nwhy"),
        ] {
            assert!(SeriesRules::parse(&rules.replace(from, to)).is_err(), "{to}");
        }
    }
}
