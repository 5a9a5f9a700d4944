//! Structure sets (RTSTRUCT) as imported masks: which of them were drawn on the measured series, and what their regions are.
//!
//! A structure set is used where it names the measured series as the one it refers to (DICOM PS3.3 C.8.8.5, RT Referenced Series);
//! a region is a lesion, a node, an organ or an ablation zone by its name, after `[structures]` of the study file. A name that no
//! list fits is not used and said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use formats::archive::TimepointImages;
use formats::dicom::rtstruct::read_rtstruct;
use imaging::Note;

use super::SeriesPlan;
use crate::config::Structures;

/// Modality of a structure set.
pub(super) const RTSTRUCT: &str = "RTSTRUCT";

/// What a region of a structure set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RegionKind {
    /// A lesion that is no lymph node.
    Lesion,
    /// A lymph node.
    Node,
    /// The organ; several regions are taken together.
    Organ,
    /// An ablation zone.
    AblationZone,
}

/// One region to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    /// ROI Number, or Segment Number.
    pub(crate) number: i64,
    /// ROI Name, or the segment's tracking identifier or label.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: RegionKind,
}

/// What kind of file outlines stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutlineFile {
    /// RTSTRUCT.
    StructureSet,
    /// DICOM SEG.
    Segmentation,
    /// A NIfTI or NRRD label map or mask; a region of number 0 is every label.
    LabelMap,
}

/// One structure set or segmentation to be used.
#[derive(Debug, Clone)]
pub(crate) struct StructurePlan {
    /// Its file.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) file: OutlineFile,
    /// Its regions that are used, by number.
    pub(crate) regions: Vec<Region>,
}

/// The images of a visit, and all of the patient's: outlines may be filed under the day of their study, while the series they
/// were drawn on counts to the day it was acquired.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days<'a> {
    /// The visit.
    pub(super) visit: &'a TimepointImages,
    /// Every time point of the patient.
    pub(super) all: &'a [TimepointImages],
}

impl<'a> Days<'a> {
    /// The files of a modality by path, and whether they are filed under the visit's own day.
    pub(super) fn files(&self, modality: &str) -> Vec<(&'a PathBuf, bool)> {
        let mut files: Vec<(&PathBuf, bool)> = Vec::new();
        for day in self.all {
            let is_own = day.study_date == self.visit.study_date;
            let headers = day.series.iter().filter(|s| s.row.modality == modality).flat_map(|s| &s.headers);
            files.extend(headers.map(|header| (&header.path, is_own)));
        }
        files.sort();
        files.dedup();
        files
    }
}

/// The structure sets of a patient that were drawn on the measured series and name something known, by path.
///
/// # Errors
/// One that may belong to the measured series cannot be read, or two of them hold a lesion of one name.
pub(super) fn of_visit(
    archive: &Path,
    days: Days<'_>,
    measure: &SeriesPlan,
    rules: &Structures,
    notes: &mut Vec<Note>,
) -> Result<Vec<StructurePlan>, String> {
    let mut plans = Vec::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (path, is_own) in days.files(RTSTRUCT) {
        let file = path.strip_prefix(archive).unwrap_or(path).display().to_string();
        let read = match read_rtstruct(path) {
            Ok(read) => read,
            Err(error) if is_own => return Err(format!("the structure set {file} cannot be used: {error}")),
            // Said on its own day.
            Err(_) => continue,
        };
        if !is_own && !read.value.referenced_series.contains(&measure.entry.row.series_uid) {
            continue;
        }
        let set = read.note_into(notes);
        if !set.referenced_series.contains(&measure.entry.row.series_uid) {
            let message = format!(
                "the structure set does not refer to the measured series {:?} and is not used",
                measure.entry.row.description
            );
            notes.push(Note::info("structure_set_of_other_series", file, message));
            continue;
        }
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
            plans.push(StructurePlan { path: path.clone(), file: OutlineFile::StructureSet, regions });
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
