//! Table E.1-1 of the Basic Application Level Confidentiality Profile: which attribute is removed, emptied, replaced or kept.
//!
//! Source: DICOM PS3.15 2026c, annex E, Table E.1-1 (single attributes) and E.3 (options). Attributes new since 2024c carry the
//! basic action only.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use dicom::core::Tag;
use serde::Serialize;

/// The table, by group of attributes: `tag,name,basic,options`.
const TABLES: [&str; 3] = [
    include_str!("profile/patient_and_study.csv"),
    include_str!("profile/acquisition.csv"),
    include_str!("profile/content_and_therapy.csv"),
];

/// What the basic profile asks for. Where it leaves a choice to the object's definition, the one is taken that is right in
/// every object: a replacement where a value may be needed, emptiness where that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Basic {
    /// X: remove.
    Remove,
    /// Z and X/Z: leave empty.
    Empty,
    /// D, Z/D, X/D and X/Z/D: replace by a value that says nothing.
    Dummy,
    /// U: replace by another UID, the same everywhere.
    Uid,
    /// X/Z/U*: keep the items, with other UIDs.
    UidsWithin,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The attribute's name.
    pub name: &'static str,
    /// What the basic profile asks for.
    pub basic: Basic,
    /// Retain Longitudinal Temporal Information with Modified Dates has an action (C).
    pub dates: bool,
    /// Retain Patient Characteristics keeps it (K).
    pub patient: bool,
    /// Retain Device Identity keeps it (K).
    pub device: bool,
    /// Clean Descriptors has an action (C).
    pub descriptors: bool,
    /// Clean Structured Content has an action (C).
    pub content: bool,
}

static RULES: LazyLock<BTreeMap<Tag, Rule>> = LazyLock::new(|| {
    let rows = TABLES.iter().flat_map(|table| table.lines().skip(1));
    rows.map(|row| parse(row).expect("a test parses every row")).collect()
});

fn parse(row: &'static str) -> Option<(Tag, Rule)> {
    let [tag, name, basic, options] = <[&str; 4]>::try_from(row.split(',').collect::<Vec<_>>()).ok()?;
    let part = |range| u16::from_str_radix(tag.get(range)?, 16).ok();
    let basic = match basic {
        "X" => Basic::Remove,
        "Z" | "X/Z" => Basic::Empty,
        "D" | "Z/D" | "X/D" | "X/Z/D" => Basic::Dummy,
        "U" => Basic::Uid,
        "X/Z/U*" => Basic::UidsWithin,
        _ => return None,
    };
    let has = |option: &str| options.split(' ').any(|o| o == option);
    let rule = Rule {
        name,
        basic,
        dates: has("dates"),
        patient: has("patient"),
        device: has("device"),
        descriptors: has("descriptors"),
        content: has("content"),
    };
    Some((Tag(part(0..4)?, part(4..8)?), rule))
}

/// The row of an attribute, if the table has one. The repeating groups of curves and overlays and private attributes are not
/// rows: they are removed whole.
#[must_use]
pub fn rule_of(tag: Tag) -> Option<&'static Rule> {
    RULES.get(&tag)
}

/// Every row, by tag.
pub fn rules() -> impl Iterator<Item = (Tag, &'static Rule)> {
    RULES.iter().map(|(tag, rule)| (*tag, rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom::dictionary_std::tags;

    #[test]
    fn the_table_is_whole() {
        let rows: Vec<&str> = TABLES.iter().flat_map(|t| t.lines().skip(1)).collect();
        assert!(rows.iter().all(|row| parse(row).is_some()));
        let of = |basic: &[&str]| rows.iter().filter(|r| basic.contains(&r.split(',').nth(2).unwrap())).count();
        // Counted in dicom-anonymizer 2.1.0 (table of PS3.15 2026c): 655 rows, three of them repeating groups (X).
        assert_eq!([of(&["X"]), of(&["D"]), of(&["U"]), of(&["Z"])], [412, 93, 55, 42]);
        assert_eq!([of(&["X/D"]), of(&["X/Z"]), of(&["X/Z/D"]), of(&["Z/D"]), of(&["X/Z/U*"])], [23, 11, 8, 6, 2]);
        assert_eq!(rules().count(), 652, "no attribute has two rows");
        let n = |of: fn(&Rule) -> bool| rules().filter(|(_, rule)| of(rule)).count();
        // Counted in idiscore 1.2.0 (scraped from PS3.15 2024c).
        assert_eq!([n(|r| r.patient), n(|r| r.device), n(|r| r.content)], [10, 46, 3]);
        assert_eq!([n(|r| r.dates), n(|r| r.descriptors)], [165, 125]);
    }

    #[test]
    fn single_rows_by_hand() {
        let name = rule_of(tags::PATIENT_NAME).unwrap();
        assert_eq!((name.basic, name.patient, name.dates), (Basic::Empty, false, false));
        assert!(rule_of(tags::PATIENT_WEIGHT).unwrap().patient);
        assert!(rule_of(tags::STUDY_DATE).unwrap().dates);
        assert!(!rule_of(tags::PATIENT_BIRTH_DATE).unwrap().dates);
        assert!(rule_of(tags::SERIES_DESCRIPTION).unwrap().descriptors);
        assert_eq!(rule_of(tags::SOP_INSTANCE_UID).unwrap().basic, Basic::Uid);
        assert_eq!(rule_of(tags::SOP_CLASS_UID), None);
    }
}
