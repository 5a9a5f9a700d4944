//! Rules that name the role of a series from its headers, read from TOML so that a reader can change them.
//!
//! Every rule that fits gives a candidate with its reason; the highest weight names the role, at equal weight the earlier rule.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::SeriesRole;
use crate::dicom::header::SliceHeader;

mod conditions;

use conditions::{Conditions, Facts};

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

/// One rule: all conditions that are given must hold, and one of the groups of `either`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
struct Rule {
    role: SeriesRole,
    weight: u8,
    why: String,
    conditions: Conditions,
    either: Vec<Conditions>,
}

/// A role a series may have, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

    /// The rules of a file before the built-in ones: at equal weight the file's own come first.
    ///
    /// # Errors
    /// The file's text is no set of rules.
    pub fn beside_built_in(text: &str) -> Result<Self, RulesError> {
        let mut own = Self::parse(text)?;
        own.rules.extend(Self::built_in().rules.iter().cloned());
        Ok(own)
    }

    /// Every word the rules look for in a description, in lower case; some more than once.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        let conditions = self.rules.iter().flat_map(|rule| std::iter::once(&rule.conditions).chain(&rule.either));
        conditions.flat_map(Conditions::phrases).flat_map(|phrase| phrase.split(' '))
    }

    /// From the text of a file.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let file: RulesFile = toml::from_str(text)?;
        if file.schema != 1 {
            return Err(RulesError::Schema(file.schema));
        }
        for (n, rule) in file.rule.iter().enumerate() {
            for conditions in std::iter::once(&rule.conditions).chain(&rule.either) {
                let fault = |reason| RulesError::Rule { number: n + 1, role: rule.role, reason };
                conditions.fault().map_or(Ok(()), |reason| Err(fault(reason)))?;
            }
        }
        Ok(Self { rules: file.rule })
    }

    /// Every role a series of `n_slices` slices like this one may have, the most likely first.
    #[must_use]
    pub fn candidates(&self, header: &SliceHeader, n_slices: usize) -> Vec<RoleCandidate> {
        let facts = Facts::of(header, n_slices);
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

impl Rule {
    fn fits(&self, facts: &Facts<'_>) -> bool {
        self.conditions.hold(facts)
            && (self.either.is_empty() || self.either.iter().any(|conditions| conditions.hold(facts)))
    }
}

impl TryFrom<toml::Table> for Rule {
    type Error = toml::de::Error;

    fn try_from(mut table: toml::Table) -> Result<Self, toml::de::Error> {
        fn take<T: serde::de::DeserializeOwned>(table: &mut toml::Table, key: &str) -> Result<T, toml::de::Error> {
            let missing = || serde::de::Error::custom(format!("a rule has no key `{key}`"));
            table.remove(key).ok_or_else(missing)?.try_into()
        }
        let either = if table.contains_key("either") { take(&mut table, "either")? } else { Vec::new() };
        Ok(Self {
            role: take(&mut table, "role")?,
            weight: take(&mut table, "weight")?,
            why: take(&mut table, "why")?,
            either,
            conditions: toml::Value::Table(table).try_into()?,
        })
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
    fn own_rules_stand_before_the_built_in_ones() {
        let own = "schema = 1\n[[rule]]\nrole = \"ct_portal_venous\"\nweight = 60\nmodality = \"CT\"\n\
            any = [\"leber spaet\", \"arterial\"]\nwhy = \"our protocol\"\n";
        let rules = SeriesRules::beside_built_in(own).unwrap();
        let role = |text: &str| rules.candidates(&header("CT", text), 80)[0].role;
        // Delayed by the built-in rules, of weight 70; arterial by those of weight 60, which come later.
        assert_eq!(role("Leber spaet"), SeriesRole::CtDelayed);
        assert_eq!(role("Arterial 3.0"), SeriesRole::CtPortalVenous);
        assert_eq!(role("Dry Liver"), SeriesRole::CtNative);
        assert!(SeriesRules::beside_built_in(&own.replace("any", "anny")).is_err());
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
            ("why", "regex = \"(\"\nwhy"),
            ("why", "either = [{ role = \"ct\" }]\nwhy"),
            ("weight = 5\n", ""),
        ] {
            assert!(SeriesRules::parse(&rules.replace(from, to)).is_err(), "{to}");
        }
    }

    #[test]
    fn patterns_kernels_times_and_alternatives_are_conditions() {
        let rules = "schema = 1\n[[rule]]\nrole = \"ct_arterial\"\nweight = 5\nmodality = \"CT\"\nwhy = \"early\"\n\
            none = [\"bone\"]\n\
            either = [{ regex = \"(?i)^art(erial)?\\\\b\" }, { seconds_after_injection = [15.0, 50.0], kernel_any = [\"b30f\"] }]\n";
        let parsed = SeriesRules::parse(rules).unwrap();
        let fits = |header: &SliceHeader| !parsed.candidates(header, 80).is_empty();
        assert!(fits(&header("CT", "Art. 3.0")));
        assert!(!fits(&header("CT", "smart 3.0")));
        assert!(!fits(&header("CT", "Art. bone")));
        let time = |text: &str| text.parse::<jiff::civil::Time>().ok();
        let early = SliceHeader {
            contrast_start_time: time("10:00:00"),
            acquisition_time: time("10:00:35"),
            convolution_kernel: Some("B30f".into()),
            ..header("CT", "3.0")
        };
        assert!(fits(&early));
        let late = SliceHeader { acquisition_time: time("10:01:10"), ..early.clone() };
        assert!(!fits(&late));
        let sharp = SliceHeader { convolution_kernel: Some("B70f".into()), ..early.clone() };
        assert!(!fits(&sharp));
        let past_midnight =
            SliceHeader { contrast_start_time: time("23:59:50"), acquisition_time: time("00:00:20"), ..early };
        assert!(fits(&past_midnight));
    }
}
