//! A reader's marks (`clinical/lesions.csv`) laid on what was outlined: each mark names the outline it lies in, or the nearest one
//! within a stated distance; a mark without an outline is a lesion that was seen and not measured.

use std::collections::{BTreeMap, BTreeSet};

use formats::clinical::SeedRecord;
use imaging::{Note, Patient, Point};
use oncology::{LesionKind, LesionRole, Organ};
use serde::{Deserialize, Serialize};

use crate::stages::segment::{Found, Instance};

/// What a reader says of a lesion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The reader's name of the lesion.
    pub(crate) name: String,
    /// Organ, if stated.
    pub(crate) organ: Organ,
    /// Lymph node, if stated.
    pub(crate) is_node: bool,
    /// Role, if stated.
    pub(crate) role: Option<LesionRole>,
}

/// A marked lesion without an outline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unmeasured {
    /// A label no outline of the visit has.
    pub(crate) label: u16,
    /// What the reader says.
    pub(crate) mark: Mark,
    /// Where, in the visit's own frame.
    pub(crate) point: Point<Patient>,
    /// Why nothing is measured.
    pub(crate) reason: String,
}

/// Marks of one visit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Marked {
    /// By label of the outline.
    pub(crate) by_label: BTreeMap<u16, Mark>,
    /// Marks without an outline, in the table's order.
    pub(crate) unmeasured: Vec<Unmeasured>,
}

/// Lays the marks on the outlines and gives these the organ and kind the reader states. One outline takes one mark: first those that
/// lie inside, then the nearest.
pub(crate) fn lay(seeds: &[SeedRecord], found: &mut Found, max_distance_mm: f64, notes: &mut Vec<Note>) -> Marked {
    let mut marked = Marked::default();
    let mut open: Vec<(&SeedRecord, Mark)> = seeds.iter().map(|seed| (seed, mark_of(seed, notes))).collect();
    let mut seen = BTreeSet::new();
    open.retain(|(seed, _)| seen.insert(seed.lesion_id.clone()) || said_twice(seed, notes));
    open.retain(|(seed, mark)| {
        let inside = found.lesions.iter().find(|l| contains(l, seed.point) && !marked.by_label.contains_key(&l.label));
        inside.map(|lesion| marked.by_label.insert(lesion.label, mark.clone())).is_none()
    });
    let mut next_label = found.lesions.iter().map(|l| l.label).max().unwrap_or(0);
    for (seed, mark) in open {
        let free = found.lesions.iter().filter(|l| !marked.by_label.contains_key(&l.label));
        let nearest = free.map(|l| (distance_mm(l, seed.point), l.label)).min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((distance, label)) = nearest.filter(|(distance, _)| *distance <= max_distance_mm) {
            let message = format!(
                "the mark {} lies {distance:.1} mm outside the nearest outline; it is taken for that lesion ([tracking] mark_distance_mm)",
                mark.name
            );
            notes.push(Note::warning("mark_outside_outline", mark.name.clone(), message));
            marked.by_label.insert(label, mark);
            continue;
        }
        next_label = next_label.saturating_add(1);
        let reason = reason(seed, found, &marked, nearest.map(|(distance, _)| distance), max_distance_mm);
        notes.push(Note::warning("mark_without_outline", mark.name.clone(), format!("{}: {reason}", mark.name)));
        marked.unmeasured.push(Unmeasured { label: next_label, mark, point: seed.point, reason });
    }
    for lesion in &mut found.lesions {
        if let Some(mark) = marked.by_label.get(&lesion.label) {
            name(lesion, mark, notes);
        }
    }
    marked
}

/// Says of marks whose outline by a network is not to be trusted why nothing is measured.
pub(crate) fn say_why(doubted: &BTreeMap<String, String>, marked: &mut Marked, notes: &mut [Note]) {
    for unmeasured in &mut marked.unmeasured {
        let name = &unmeasured.mark.name;
        let Some(why) = doubted.get(name) else { continue };
        unmeasured.reason = format!("seen by the reader, not measured: {why}");
        let own = notes.iter_mut().filter(|note| note.code == "mark_without_outline" && note.subject == *name);
        for note in own {
            *note = Note::warning("mark_outline_not_trusted", name.clone(), format!("{name}: {}", unmeasured.reason));
        }
    }
}

fn said_twice(seed: &SeedRecord, notes: &mut Vec<Note>) -> bool {
    let message = format!(
        "lesions.csv, line {}: {} is marked twice on {}; the first mark is used",
        seed.line, seed.lesion_id, seed.visit
    );
    notes.push(Note::warning("mark_twice", seed.lesion_id.clone(), message));
    false
}

fn reason(seed: &SeedRecord, found: &Found, marked: &Marked, nearest_mm: Option<f64>, max_distance_mm: f64) -> String {
    if found.lesion_map.grid().nearest(seed.point).is_none() {
        return "seen by the reader, not measured: the mark lies outside the measured image".to_owned();
    }
    let inside = found.lesions.iter().find(|l| contains(l, seed.point));
    match (inside.and_then(|l| marked.by_label.get(&l.label)), nearest_mm) {
        (Some(other), _) => {
            format!(
                "seen by the reader, not measured: the mark lies in the outline of {}, which is one lesion",
                other.name
            )
        }
        (None, Some(mm)) => format!(
            "seen by the reader, not measured: no outline within {max_distance_mm} mm of the mark (the nearest free one is {mm:.1} mm away)"
        ),
        (None, None) => "seen by the reader, not measured: no outline is left for the mark".to_owned(),
    }
}

/// What a row says: `role` holds target, non_target or node, or two of them.
fn mark_of(seed: &SeedRecord, notes: &mut Vec<Note>) -> Mark {
    let organ = Organ::from(seed.organ.clone());
    let mut mark = Mark { name: seed.lesion_id.clone(), is_node: organ == Organ::LymphNode, organ, role: None };
    let words = seed.role.to_lowercase().replace("non target", "non_target").replace("non-target", "non_target");
    for word in words.split([' ', ';', ',', '/']).filter(|word| !word.is_empty()) {
        match word {
            "target" => mark.role = Some(LesionRole::Target),
            "non_target" | "nontarget" => mark.role = Some(LesionRole::NonTarget),
            "node" => mark.is_node = true,
            other => {
                let message = format!(
                    "lesions.csv, line {}, column role: expected target, non_target or node, found {other:?}; the word is not used",
                    seed.line
                );
                notes.push(Note::warning("mark_role", seed.lesion_id.clone(), message));
            }
        }
    }
    mark
}

fn name(lesion: &mut Instance, mark: &Mark, notes: &mut Vec<Note>) {
    if mark.organ != Organ::Unknown {
        if lesion.organ != Organ::Unknown && lesion.organ != mark.organ {
            let message = format!(
                "{} lies in {} by its outline and in {} by the reader, who is followed",
                mark.name, lesion.organ, mark.organ
            );
            notes.push(Note::warning("mark_other_organ", mark.name.clone(), message));
        }
        lesion.organ = mark.organ.clone();
    }
    if mark.is_node {
        lesion.kind = LesionKind::Node;
    }
}

fn contains(lesion: &Instance, p: Point<Patient>) -> bool {
    lesion.mask.grid().nearest(p).is_some_and(|at| *lesion.mask.at(at))
}

/// From a point to the nearest voxel centre of an outline.
fn distance_mm(lesion: &Instance, p: Point<Patient>) -> f64 {
    let grid = lesion.mask.grid();
    lesion.mask.indices_set().map(|at| grid.center(at).distance(p)).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests;
