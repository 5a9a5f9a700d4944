//! Reads put into force on the lesions of a patient: links first, then what is decided of the lesions they leave, rejections last.

use std::collections::{BTreeMap, BTreeSet};

use imaging::Chord;

use super::caliper;
use super::check::{Read, check};
use super::decision::{Axis, Decision};
use super::links::{merge, reject, split};
use super::row::{Outcome, ReadRow};
use super::settle::settle;
use super::state::{ReadState, part_name};
use crate::criteria::patient::ReaderCall;
use crate::lesion::{LesionId, LesionRole, LesionState};
use crate::time::Date;
use crate::tracking::{LesionTrack, confirm_lesion};

/// Diameters a reader drew; `None` leaves the program's.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ReaderAxes {
    /// Longest diameter.
    pub long: Option<Chord>,
    /// Perpendicular to it.
    pub short: Option<Chord>,
}

/// What readers decided that is no link.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reviewed {
    /// Part in the assessment.
    pub roles: BTreeMap<LesionId, LesionRole>,
    /// Calls by index of the visit and lesion.
    pub calls: BTreeMap<(usize, LesionId), ReaderCall>,
    /// Diameters by index of the visit and lesion.
    pub axes: BTreeMap<(usize, LesionId), ReaderAxes>,
}

/// The lesions of a patient over time, with everything that names them.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// The lesions.
    pub tracks: Vec<LesionTrack>,
    /// Labels of ablation zones, by index of the visit and treated lesion.
    pub zones: BTreeMap<(usize, LesionId), Vec<u16>>,
    /// Dates of local treatment.
    pub treated: BTreeMap<LesionId, Vec<Date>>,
    /// Roles that marks state.
    pub roles: BTreeMap<LesionId, LesionRole>,
    /// What readers decided.
    pub reviewed: Reviewed,
}

/// Lesions after the reads, and what became of each read.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The lesions.
    pub followed: Followed,
    /// The reads with their outcome, in a fixed order, each once.
    pub reads: Vec<ReadRow>,
}

/// Puts reads into force. The same reads in any order give the same; `controls` are visits that document no complete ablation.
#[must_use]
pub fn apply(rows: &[ReadRow], state: &ReadState, mut followed: Followed, controls: &BTreeSet<usize>) -> Applied {
    let mut rows: Vec<ReadRow> = rows.to_vec();
    rows.sort_by_key(order);
    rows.dedup_by(|a, b| a.as_read() == b.as_read());
    let checked: Vec<Result<Read, String>> = rows.iter().map(|row| check(row, state)).collect();
    let good: Vec<Read> = checked.iter().filter_map(|read| read.as_ref().ok().cloned()).collect();
    let mut settled = settle(&good).into_iter();
    let mut outcomes: Vec<(Outcome, String)> = checked
        .iter()
        .map(|read| match read {
            Err(reason) => (Outcome::Refused, reason.clone()),
            Ok(_) => settled.next().expect("each good read has an outcome"),
        })
        .collect();
    let mut names = Names::default();
    for step in [Step::Split, Step::Merge, Step::Rest, Step::Call, Step::Reject] {
        for (read, outcome) in checked.iter().zip(&mut outcomes) {
            let Ok(read) = read else { continue };
            if outcome.0 != Outcome::Applied || Step::of(&read.decision) != step {
                continue;
            }
            if let Err(reason) = names.put(read, state, &mut followed, controls) {
                *outcome = (Outcome::Refused, reason);
            }
        }
    }
    names.weigh_calipers(&checked, &mut outcomes, state, &mut followed);
    for (row, (outcome, reason)) in rows.iter_mut().zip(outcomes) {
        row.old = old(row, state);
        (row.outcome, row.reason) = (outcome, reason);
    }
    Applied { followed, reads: rows }
}

fn order(row: &ReadRow) -> (ReadRow, ReadRow) {
    let key = ReadRow {
        patient_id: row.patient_id.clone(),
        lesion_id: row.lesion_id.clone(),
        item: row.item.clone(),
        visit: row.visit.clone(),
        ..ReadRow::default()
    };
    (key, row.as_read())
}

/// What the program had found of the item of a read.
fn old(row: &ReadRow, state: &ReadState) -> String {
    let Some((lesion, _)) = state.lesion(&row.lesion_id) else { return String::new() };
    let sight = state.visit(&row.visit).and_then(|at| lesion.at.get(&at));
    match (row.item.as_str(), sight) {
        ("finding", _) if lesion.in_doubt => "perhaps no lesion".to_owned(),
        ("finding", _) => "accept".to_owned(),
        ("role", _) => lesion.role.clone(),
        ("kind", _) => lesion.kind.to_string(),
        ("same_as", _) => "a lesion of its own".to_owned(),
        ("split", _) => "one lesion".to_owned(),
        ("evaluable" | "call", Some(sight)) => sight.state.to_string(),
        ("long_axis", Some(sight)) => sight.long_axis.clone(),
        ("short_axis", Some(sight)) => sight.short_axis.clone(),
        _ => String::new(),
    }
}

/// In which order decisions are put into force.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Split,
    Merge,
    Rest,
    /// What a call may say rests on roles and links.
    Call,
    Reject,
}

impl Step {
    fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Split(_) => Self::Split,
            Decision::SameAs(_) => Self::Merge,
            Decision::Rejected(_) => Self::Reject,
            Decision::Call(_) => Self::Call,
            _ => Self::Rest,
        }
    }
}

/// Under which name lesions are followed after links were changed.
#[derive(Default)]
struct Names {
    splits: BTreeMap<LesionId, BTreeSet<usize>>,
    merged: BTreeMap<LesionId, LesionId>,
}

impl Names {
    /// The lesion that a name means at a visit.
    fn at(&self, id: &LesionId, visit: usize, state: &ReadState) -> LesionId {
        let split = self.splits.get(id).and_then(|splits| splits.range(..=visit).next_back());
        let own = split.map_or_else(|| id.clone(), |at| part_name(id, state.visits[*at]));
        self.kept(&own)
    }

    /// The lesion under whose name one is followed.
    fn kept(&self, id: &LesionId) -> LesionId {
        let mut name = id;
        while let Some(into) = self.merged.get(name) {
            name = into;
        }
        name.clone()
    }

    fn put(
        &mut self,
        read: &Read,
        state: &ReadState,
        followed: &mut Followed,
        controls: &BTreeSet<usize>,
    ) -> Result<(), String> {
        let id = LesionId::new(read.row.lesion_id.clone());
        let visit = read.visit.unwrap_or(0);
        match &read.decision {
            Decision::Split(true) => {
                let own = self.at(&id, visit, state);
                split(followed, &own, visit, &state.visits)?;
                self.rename_part(followed, &own, &id, visit, state);
            }
            Decision::SameAs(Some(other)) => {
                let into = self.kept(other);
                if into == id {
                    return Err(format!("same_as: {other} is followed as {id} already"));
                }
                merge(followed, &self.kept(&id), &into, controls)?;
                self.merged.insert(id, into);
            }
            Decision::Rejected(true) => reject(followed, &self.own(&id, followed)?)?,
            Decision::Accepted => {
                let own = self.own(&id, followed)?;
                followed.tracks.iter_mut().filter(|track| track.id == own).for_each(confirm_lesion);
            }
            Decision::Role(Some(role)) => {
                let own = self.own(&id, followed)?;
                // Who gives it a part says that it is a lesion.
                if *role != LesionRole::NotRecorded {
                    followed.tracks.iter_mut().filter(|track| track.id == own).for_each(confirm_lesion);
                }
                followed.reviewed.roles.insert(own, *role);
            }
            Decision::Kind(Some(kind)) => {
                let own = self.own(&id, followed)?;
                followed.tracks.iter_mut().filter(|track| track.id == own).for_each(|track| track.kind = *kind);
            }
            Decision::NotEvaluable(true) => self.not_evaluable(read, &id, state, followed)?,
            Decision::Call(Some(call)) => {
                let own = self.there(&id, visit, state, followed)?;
                not_by_size(&own, state, followed)?;
                followed.reviewed.calls.insert((visit, own), *call);
            }
            Decision::Caliper(axis, Some(chord)) => {
                let own = self.there(&id, visit, state, followed)?;
                let axes = followed.reviewed.axes.entry((visit, own)).or_default();
                match axis {
                    Axis::Long => axes.long = Some(*chord),
                    Axis::Short => axes.short = Some(*chord),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A second split of one lesion is named by the lesion, not by its first part.
    fn rename_part(
        &mut self,
        followed: &mut Followed,
        split: &LesionId,
        id: &LesionId,
        visit: usize,
        state: &ReadState,
    ) {
        let (made, wanted) = (part_name(split, state.visits[visit]), part_name(id, state.visits[visit]));
        followed.tracks.iter_mut().filter(|track| track.id == made).for_each(|track| track.id = wanted.clone());
        self.splits.entry(id.clone()).or_default().insert(visit);
    }

    /// The lesion a decision on a whole lesion is about; one that was put together with another is decided there.
    fn own(&self, id: &LesionId, followed: &Followed) -> Result<LesionId, String> {
        if let Some(into) = self.merged.get(id) {
            return Err(format!("{id} is followed as {}; decide it there", self.kept(into)));
        }
        exists(id, followed)
    }

    /// The lesion a decision at a visit is about.
    fn there(&self, id: &LesionId, visit: usize, state: &ReadState, followed: &Followed) -> Result<LesionId, String> {
        exists(&self.at(id, visit, state), followed)
    }

    /// Holds the diameters that count together against each other; what cannot be leaves the program's, what is to be doubted is said.
    fn weigh_calipers(
        &self,
        checked: &[Result<Read, String>],
        outcomes: &mut [(Outcome, String)],
        state: &ReadState,
        followed: &mut Followed,
    ) {
        let mut refused = BTreeSet::new();
        for (read, outcome) in checked.iter().zip(outcomes) {
            let Ok(Read { row, decision: Decision::Caliper(_, Some(_)), visit: Some(visit), .. }) = read else {
                continue;
            };
            let own = (*visit, self.at(&LesionId::new(row.lesion_id.clone()), *visit, state));
            let (Some(drawn), Some(sight)) = (
                followed.reviewed.axes.get(&own),
                state.lesion(&row.lesion_id).and_then(|(lesion, _)| lesion.at.get(visit)),
            ) else {
                continue;
            };
            if outcome.0 == Outcome::Applied {
                *outcome = match caliper::fit_together(drawn, &sight.found, state.grids.get(*visit)) {
                    Ok(doubts) => (Outcome::Applied, doubts),
                    Err(reason) => {
                        refused.insert(own);
                        (Outcome::Refused, reason)
                    }
                };
            }
        }
        followed.reviewed.axes.retain(|place, _| !refused.contains(place));
    }

    fn not_evaluable(
        &self,
        read: &Read,
        id: &LesionId,
        state: &ReadState,
        followed: &mut Followed,
    ) -> Result<(), String> {
        let visit = read.visit.unwrap_or(0);
        let own = self.there(id, visit, state, followed)?;
        let tracks = followed.tracks.iter_mut().filter(|track| track.id == own);
        for seen in tracks.filter_map(|track| track.sightings.get_mut(&visit)) {
            seen.state = LesionState::NotEvaluable;
            seen.reason = format!("not evaluable by the reader: {}", read.row.comment.trim());
            seen.labels.clear();
        }
        Ok(())
    }
}

/// A call decides nothing of a target, by its role with the readers' changes; a part that a split made is new and no target.
fn not_by_size(own: &LesionId, state: &ReadState, followed: &Followed) -> Result<(), String> {
    let by_reader = followed.reviewed.roles.get(own).copied();
    let found = || state.lesions.iter().any(|lesion| lesion.id == *own && lesion.role == "target");
    if by_reader.map_or_else(found, |role| role == LesionRole::Target) {
        return Err(format!(
            "call: {own} is a target, which is judged by its size; draw its caliper or change its role"
        ));
    }
    Ok(())
}

fn exists(id: &LesionId, followed: &Followed) -> Result<LesionId, String> {
    let is_there = followed.tracks.iter().any(|track| track.id == *id);
    is_there.then(|| id.clone()).ok_or_else(|| format!("{id} is there only while the split that made it is in force"))
}
