//! Structure sets (RTSTRUCT) as imported masks: which of them were drawn on the measured series, and what their regions are.
//!
//! A structure set is used where it names the measured series as the one it refers to (DICOM PS3.3 C.8.8.5, RT Referenced Series);
//! a region is a lesion, a node, an organ or an ablation zone by its name, after `[structures]` of the study file. A name that no
//! list fits is not used and said.

use std::collections::BTreeMap;

use formats::dicom::rtstruct::read_rtstruct;
use imaging::Note;

use super::SeriesPlan;
use super::outlines::{Days, DicomOutlines, OutlineFile, Region, RegionKind, StructurePlan, drawn_on};
use crate::config::Structures;

/// The structure sets of a patient that were drawn on the measured series and name something known, by path.
///
/// # Errors
/// One of the visit's day cannot be read, or two of them hold a lesion of one name.
pub(super) fn of_visit(
    days: Days<'_>,
    measure: &SeriesPlan,
    rules: &Structures,
    notes: &mut Vec<Note>,
) -> Result<Vec<StructurePlan>, String> {
    let mut plans = Vec::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let kind = DicomOutlines::StructureSets;
    let sets = drawn_on(measure, kind, days, read_rtstruct, |set, uid| set.referenced_series.contains(uid), notes)?;
    for (path, file, set) in sets {
        let named = set.rois.iter().map(|roi| (roi.number, roi.name.as_str()));
        let regions = regions(named, rules, &file, notes);
        for region in regions.iter().filter(|r| r.kind != RegionKind::Organ) {
            if let Some(other) = names.insert(region.name.clone(), file.clone()) {
                return Err(format!(
                    "two regions are called {:?}, in {other} and {file}: keep the structure set that is right",
                    region.name
                ));
            }
        }
        if !regions.is_empty() {
            plans.push(StructurePlan { path, file: OutlineFile::StructureSet, regions });
        }
    }
    Ok(plans)
}

/// The regions whose name a rule knows; the others are said.
pub(super) fn regions<'a>(
    named: impl Iterator<Item = (i64, &'a str)>,
    rules: &Structures,
    file: &str,
    notes: &mut Vec<Note>,
) -> Vec<Region> {
    let mut regions = Vec::new();
    let mut unknown = Vec::new();
    for (number, name) in named {
        match kind_of(name, rules) {
            Some(kind) => regions.push(Region { number, name: name.to_owned(), kind }),
            None if fits_any(&rules.ignore, name) => {}
            None => unknown.push(format!("{name:?}")),
        }
    }
    if !unknown.is_empty() {
        let message = format!(
            "regions whose name says nothing to this study are not used: {}; add the names to a list of [structures] (or to its ignore list)",
            unknown.join(", ")
        );
        notes.push(Note::warning("unknown_region", file.to_owned(), message));
    }
    regions
}

/// The first list that fits; nodes before lesions, so that `gtvn*` may stand beside `gtv*`.
pub(super) fn kind_of(name: &str, rules: &Structures) -> Option<RegionKind> {
    let lists = [
        (&rules.node, RegionKind::Node),
        (&rules.ablation_zone, RegionKind::AblationZone),
        (&rules.organ, RegionKind::Organ),
        (&rules.lesion, RegionKind::Lesion),
    ];
    lists.into_iter().find(|(list, _)| fits_any(list, name)).map(|(_, kind)| kind)
}

pub(super) fn fits_any(list: &[String], name: &str) -> bool {
    list.iter().any(|pattern| fits(&pattern.to_lowercase(), &name.trim().to_lowercase()))
}

/// Whether a name fits a pattern in which `*` stands for any run of characters.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, rest)) => name.strip_prefix(before).is_some_and(|left| {
            let starts = left.char_indices().map(|(at, _)| at).chain([left.len()]);
            starts.into_iter().any(|at| fits(rest, &left[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn names_fit_patterns_without_regard_to_case() {
        for (pattern, name, expected) in [
            ("gtv*", "GTV_Mass_CT", true),
            ("gtv*", "PGTV", false),
            ("*zone*", "Ablation Zone 2", true),
            ("liver", "Liver ", true),
            ("liver", "Liver-GTV", false),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
        ] {
            assert_eq!(fits_any(&[pattern.to_owned()], name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn built_in_names_and_an_unknown_one_is_said() {
        let rules = config::load(None).unwrap().study.structures;
        let mut notes = Vec::new();
        let names = ["GTV_Mass_CT", "GTVn1", "Liver", "Ablation zone 1", "BODY", "blob"];
        let found = regions((1..).zip(names), &rules, "set.dcm", &mut notes);
        let kinds: Vec<RegionKind> = found.iter().map(|r| r.kind).collect();
        assert_eq!(kinds, [RegionKind::Lesion, RegionKind::Node, RegionKind::Organ, RegionKind::AblationZone]);
        assert_eq!(notes.len(), 1);
        assert!(notes[0].message.contains("\"blob\"") && !notes[0].message.contains("BODY"), "{}", notes[0].message);
    }
}
