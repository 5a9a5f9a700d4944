//! Whether a finding that fits no known lesion is called new, or only equivocally so.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.5: a new lesion must be unequivocal, not due to another technique or a place that
//! was not looked at; an equivocal one is confirmed or refuted by the next scan.

use super::finding::VisitFindings;
use super::lesion_track::LesionTrack;
use crate::lesion::{LesionId, LesionState};

/// Below this logarithm of the odds a finding may be a known lesion: odds of 3 to 2.
const NEARLY: f64 = 0.4;
/// A smaller sphere at the last visit is not called new, mm: too small to measure (RECIST 1.1).
const CALLED_AT_ONCE_MM: f64 = 5.0;
/// A smaller sphere that is not seen again is not called new, mm. Tuned with the costs (`likelihood.rs`).
const CALLED_THOUGH_GONE_MM: f64 = 8.0;

/// What a finding left alone might be instead: the lesion, and how much less likely that is (a logarithm).
pub(super) type Instead = Option<(usize, f64)>;

/// Why a finding first seen at a follow-up is not called new, with the lesion it may be; `None` when it is.
pub(super) fn doubt(
    seen: &VisitFindings,
    finding: usize,
    instead: Instead,
    tracks: &[LesionTrack],
) -> Option<(String, Option<LesionId>)> {
    let found = &seen.findings[finding];
    if seen.visit == 0 || found.reader_name.is_some() {
        return None;
    }
    if let Some(reason) = &seen.not_evaluable {
        return Some((format!("whether it is new cannot be said: {reason}"), None));
    }
    if let Some(reason) = &found.unseen_before {
        return Some((format!("whether it is new cannot be said: {reason}"), None));
    }
    if let Some(reason) = &found.doubt {
        return Some((format!("perhaps not new: {reason}"), None));
    }
    let (track, _) = instead.filter(|(_, less)| *less < NEARLY)?;
    let id = &tracks[track].id;
    Some((format!("perhaps not new: it may belong to {id}"), Some(id.clone())))
}

/// Looks back when all visits are known: what was small, seen once and not again, and what was very small
/// at the last one, is equivocal. Lesions that readers named stay as they are.
pub fn settle_new_lesions(tracks: &mut [LesionTrack]) {
    for track in tracks.iter_mut().filter(|track| track.first_visit > 0 && track.reader_name.is_none()) {
        let later = track.sightings.range(track.first_visit + 1..).map(|(_, seen)| seen.state);
        let judged: Vec<LesionState> = later.filter(|state| *state != LesionState::NotEvaluable).collect();
        let Some(first) = track.sightings.get_mut(&track.first_visit) else { continue };
        if first.state != LesionState::Present {
            continue;
        }
        let is_below = |limit: f64| first.diameter().is_some_and(|mm| mm.0 < limit);
        let reason = match judged.as_slice() {
            [_, ..] if is_below(CALLED_THOUGH_GONE_MM) && judged.iter().all(|state| *state == LesionState::Absent) => {
                "seen at one visit and not again"
            }
            [] if is_below(CALLED_AT_ONCE_MM) => "small, and no later visit confirms it",
            _ => continue,
        };
        first.state = LesionState::Uncertain;
        reason.clone_into(&mut first.reason);
    }
}
