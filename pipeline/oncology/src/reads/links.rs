//! Links between visits, taken apart and put together as a reader says. Everything that names a lesion follows.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::Followed;
use super::state::part_name;
use crate::lesion::{LesionId, LesionState};
use crate::time::Date;
use crate::tracking::{LesionTrack, Sighting};
use crate::visit_id::VisitId;

/// Takes a lesion apart: what is outlined from visit `at` on becomes a lesion of its own, and the lesion itself is absent there (its
/// zone stands where it was ablated).
pub(super) fn split(followed: &mut Followed, id: &LesionId, at: usize, visits: &[VisitId]) -> Result<(), String> {
    let Followed { tracks, zones, .. } = followed;
    if zones.keys().any(|(visit, treated)| treated == id && *visit > at && !zones.contains_key(&(at, id.clone()))) {
        return Err(format!("{id} was ablated after that visit; which of the two was treated, outlines must say"));
    }
    let track = tracks.iter_mut().find(|track| track.id == *id).ok_or_else(|| format!("{id} is not there any more"))?;
    let part = LesionTrack {
        id: part_name(id, visits[at]),
        reader_name: None,
        first_visit: at,
        perhaps_none: None,
        sightings: track.sightings.range(at..).map(|(visit, seen)| (*visit, of_part(seen))).collect(),
        ..track.clone()
    };
    for (visit, seen) in track.sightings.range_mut(at..) {
        let left = if zones.contains_key(&(*visit, id.clone())) { LesionState::Ablated } else { LesionState::Absent };
        if !matches!(seen.state, LesionState::NotEvaluable | LesionState::Ablated) {
            *seen = blank(left);
        }
    }
    tracks.push(part);
    Ok(())
}

/// What was seen of a lesion as it was seen of the part: a focus at the zone is a lesion beside it now.
fn of_part(seen: &Sighting) -> Sighting {
    let state = match seen.state {
        LesionState::Residual | LesionState::LocalProgression | LesionState::Uncertain => LesionState::Present,
        LesionState::Ablated => LesionState::Absent,
        state => state,
    };
    Sighting { state, runner_up: None, ..seen.clone() }
}

fn blank(state: LesionState) -> Sighting {
    Sighting::without_outline(state, String::new())
}

/// Puts a lesion together with one seen before, under whose name both are followed.
pub(super) fn merge(
    followed: &mut Followed,
    id: &LesionId,
    into: &LesionId,
    controls: &BTreeSet<usize>,
) -> Result<(), String> {
    let at = |id: &LesionId, tracks: &[LesionTrack]| {
        tracks.iter().position(|track| track.id == *id).ok_or_else(|| format!("{id} is not there any more"))
    };
    let kept = at(into, &followed.tracks)?;
    let gone = followed.tracks.remove(at(id, &followed.tracks)?);
    let kept = if at(into, &followed.tracks)? == kept { kept } else { kept - 1 };
    let complete = followed.tracks[kept].complete_ablation(controls);
    let track = &mut followed.tracks[kept];
    for (visit, seen) in gone.sightings {
        let was_complete = complete.is_some_and(|first| first < visit);
        let together = match track.sightings.remove(&visit) {
            Some(own) => joined(own, seen, was_complete),
            None => seen,
        };
        track.sightings.insert(visit, together);
    }
    rename(followed, id, Some(into));
    Ok(())
}

/// Two lesions at one visit as one.
fn joined(own: Sighting, other: Sighting, was_complete: bool) -> Sighting {
    let is_outlined = |seen: &Sighting| !seen.labels.is_empty() && seen.state != LesionState::Merged;
    match (is_outlined(&own), is_outlined(&other)) {
        (true, true) => {
            let labels = own.labels.iter().chain(&other.labels).copied().collect();
            Sighting { labels, runner_up: None, ..own }
        }
        (false, true) if own.state == LesionState::Ablated => {
            let state = if was_complete { LesionState::LocalProgression } else { LesionState::Residual };
            Sighting { state, runner_up: None, ..other }
        }
        (false, true) => Sighting { runner_up: None, ..other },
        (false, false) if own.state == LesionState::Absent && other.state == LesionState::NotEvaluable => other,
        _ => own,
    }
}

/// Takes a lesion out: the finding is none.
pub(super) fn reject(followed: &mut Followed, id: &LesionId) -> Result<(), String> {
    if !followed.tracks.iter().any(|track| track.id == *id) {
        return Err(format!("{id} is not there any more"));
    }
    followed.tracks.retain(|track| track.id != *id);
    rename(followed, id, None);
    Ok(())
}

/// Everything else that names a lesion names another one, or none.
fn rename(followed: &mut Followed, id: &LesionId, to: Option<&LesionId>) {
    for seen in followed.tracks.iter_mut().flat_map(|track| track.sightings.values_mut()) {
        if seen.runner_up.as_ref() == Some(id) {
            seen.runner_up = to.cloned();
            if to.is_none() && seen.state == LesionState::Uncertain {
                seen.state = LesionState::Present;
            }
        }
        if seen.merged_into.as_ref() == Some(id) {
            seen.merged_into = to.cloned();
        }
        match (&mut seen.contact, to) {
            (Some(contact), Some(to)) if contact.treated == *id => contact.treated = to.clone(),
            (Some(contact), None) if contact.treated == *id => seen.contact = None,
            _ => {}
        }
    }
    let mut zones: BTreeMap<(usize, LesionId), Vec<u16>> = BTreeMap::new();
    for ((visit, treated), labels) in std::mem::take(&mut followed.zones) {
        let treated = if treated == *id { to.cloned() } else { Some(treated) };
        let Some(treated) = treated else { continue };
        let own = zones.entry((visit, treated)).or_default();
        own.extend(labels.into_iter().filter(|label| !own.contains(label)).collect::<Vec<_>>());
    }
    followed.zones = zones;
    if let Some(dates) = followed.treated.remove(id)
        && let Some(to) = to
    {
        let own: &mut Vec<Date> = followed.treated.entry(to.clone()).or_default();
        own.extend(dates);
        own.sort();
        own.dedup();
    }
    followed.roles.remove(id);
}
