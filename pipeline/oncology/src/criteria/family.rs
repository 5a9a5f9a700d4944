//! Criteria beside those of the RECIST family: one small file of rules each, read and checked in the same way.
//!
//! Source: each file in `configs/criteria` names its own; the built-in ones are embedded.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::sourced::Sources;
use super::table::{self, TableError};

/// The built-in criteria of other families: identifier and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("easl", include_str!("../../../../configs/criteria/easl.toml")),
    ("qeasl", include_str!("../../../../configs/criteria/qeasl.toml")),
    ("vrecist", include_str!("../../../../configs/criteria/vrecist.toml")),
    ("percist_1_0", include_str!("../../../../configs/criteria/percist_1_0.toml")),
    ("eortc_1999", include_str!("../../../../configs/criteria/eortc_1999.toml")),
    ("deauville", include_str!("../../../../configs/criteria/deauville.toml")),
    ("narayanan2024_response", include_str!("../../../../configs/criteria/narayanan2024_response.toml")),
];

/// One criterion with the rules of its family, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyTable<T> {
    /// Identifier, such as `easl`.
    pub id: String,
    /// Name for readers.
    pub title: String,
    /// Version of the file.
    pub version: u32,
    /// Publication.
    pub source: String,
    /// Its numbers and options.
    pub rules: T,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyFile<T> {
    id: String,
    title: String,
    version: u32,
    source: String,
    rules: T,
}

impl<T: Sources + DeserializeOwned> FamilyTable<T> {
    /// Reads and checks a criterion file.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let file: FamilyFile<T> = toml::from_str(text).map_err(|error| TableError::Unreadable(error.to_string()))?;
        let sources = [("source", file.source.as_str())].into_iter().chain(file.rules.sources());
        for (key, source) in sources {
            if source.trim().is_empty() {
                return Err(TableError::MissingSource(key.to_owned()));
            }
        }
        let FamilyFile { id, title, version, source, rules } = file;
        Ok(Self { id, title, version, source, rules, text: text.to_owned() })
    }

    /// A built-in criterion of this family by its identifier.
    pub fn built_in(id: &str) -> Result<Self, TableError> {
        Self::parse(text_of(id)?)
    }

    /// The file's text, byte for byte, for its digest.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What every criterion file says of itself, whatever its family.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Heading {
    /// Identifier.
    pub id: String,
    /// Name for readers.
    pub title: String,
    /// Version of the file.
    pub version: u32,
    /// Publication.
    pub source: String,
}

/// Heading and text of every built-in criterion of every family, those that assess a patient alone first.
pub fn all() -> Result<Vec<(Heading, &'static str)>, TableError> {
    let texts = table::BUILT_IN.iter().chain(BUILT_IN).map(|(_, text)| *text);
    let read = |text| toml::from_str(text).map_err(|error| TableError::Unreadable(error.to_string()));
    texts.map(|text| Ok((read(text)?, text))).collect()
}

/// The text of a built-in criterion of any family.
pub fn text_of(id: &str) -> Result<&'static str, TableError> {
    let mut every = table::BUILT_IN.iter().chain(BUILT_IN);
    every.find(|(name, _)| *name == id).map(|(_, text)| *text).ok_or_else(|| TableError::Unknown {
        found: id.to_owned(),
        available: table::BUILT_IN.iter().chain(BUILT_IN).map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::criteria::deauville::DeauvilleRules;
    use crate::criteria::eortc::EortcRules;
    use crate::criteria::extent::ExtentRules;

    #[test]
    fn every_file_bears_its_own_name() {
        let names: Vec<&str> = table::BUILT_IN.iter().chain(BUILT_IN).map(|(name, _)| *name).collect();
        assert_eq!(all().unwrap().iter().map(|(heading, _)| heading.id.as_str()).collect::<Vec<_>>(), names);
    }

    #[test]
    fn another_family_an_unknown_key_and_a_missing_source_are_refused() {
        assert!(matches!(FamilyTable::<EortcRules>::built_in("easl"), Err(TableError::Unreadable(_))));
        assert!(matches!(FamilyTable::<ExtentRules>::built_in("eas"), Err(TableError::Unknown { .. })));
        let text = text_of("deauville").unwrap();
        let unknown = text.replace("[rules]", "[rules]\nfactor = { value = 3, source = \"x\" }");
        assert!(matches!(FamilyTable::<DeauvilleRules>::parse(&unknown), Err(TableError::Unreadable(_))));
        let bare =
            text.replace("Barrington 2014: 5 is markedly above the liver, two to three times its largest uptake", "");
        assert_eq!(
            FamilyTable::<DeauvilleRules>::parse(&bare),
            Err(TableError::MissingSource("markedly_factor".to_owned()))
        );
    }
}
