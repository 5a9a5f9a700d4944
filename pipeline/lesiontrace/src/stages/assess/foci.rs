//! Foci of progression and of residual tumour, each with the nearest ablation zone.

use std::collections::{BTreeMap, BTreeSet};

use oncology::criteria::cycle::CycleResponse;
use oncology::criteria::patient::ProgressionPart;
use oncology::criteria::{CriterionResult, CriterionTable};
use oncology::progression::{FocusFacts, ProgressionCause, ZoneRelation};
use oncology::tracking::LesionTrack;
use oncology::{Date, Evaluable, LesionId, LesionState};

use super::{is_adequate, response_visits};
use crate::stages::find::{VisitFacts, controls};
use crate::stages::track::Tracked;

/// Every focus of progression or residual tumour at its first sight: foci at zones by their state, the rest by the leading
/// criterion.
pub(super) fn foci(
    visits: &[VisitFacts],
    tracked: &Tracked,
    treated: &BTreeMap<LesionId, Vec<Date>>,
    leading: Option<&CriterionResult>,
) -> Vec<FocusFacts> {
    let treated_organ = tracked.tracks.iter().find(|t| treated.contains_key(&t.id)).map(|t| t.organ.clone());
    let focus = |track, n, cause| FocusFacts {
        treated_organ: treated_organ.clone(),
        ..focus(track, n, cause, visits, tracked)
    };
    let mut foci = Vec::new();
    let judged = response_visits(visits);
    for track in &tracked.tracks {
        for pair in judged.windows(2) {
            if at_zone(track.state_at(pair[1])) && !at_zone(track.state_at(pair[0])) {
                foci.push(focus(track, pair[1], ProgressionCause::New));
            }
        }
    }
    let mut seen = BTreeSet::new();
    for (place, visit) in leading.map_or(&[][..], |result| result.visits.as_slice()).iter().enumerate() {
        if !leading.is_some_and(|result| result.is_lasting(place)) {
            continue;
        }
        for (lesion, part) in &visit.progressed {
            let Some(track) = tracked.tracks.iter().find(|t| t.id == *lesion) else { continue };
            let at = judged[visit.visit];
            if at_zone(track.state_at(at)) || !seen.insert(lesion.clone()) {
                continue;
            }
            let was_treated = treated.get(lesion).is_some_and(|dates| dates.iter().any(|d| *d < visit.date));
            let cause = match part {
                ProgressionPart::New => ProgressionCause::New,
                _ if was_treated => ProgressionCause::GrowthOfTreated,
                _ => ProgressionCause::GrowthOfKnownUntreated,
            };
            foci.push(focus(track, at, cause));
        }
    }
    foci
}

fn at_zone(state: Option<LesionState>) -> bool {
    matches!(state, Some(LesionState::Residual | LesionState::LocalProgression))
}

fn focus(
    track: &LesionTrack,
    n: usize,
    cause: ProgressionCause,
    visits: &[VisitFacts],
    tracked: &Tracked,
) -> FocusFacts {
    let negative = (0..n).rev().find(|m| visits[*m].is_response() && is_adequate(&visits[*m]));
    let contact = track.sightings.get(&n).and_then(|s| s.contact.as_ref());
    let spacing = visits[n].measured.grid.spacing_mm().into_iter().fold(0.0, f64::max);
    let zone = contact.map(|contact| {
        // The edge of either outline is known to half a voxel; a zone of another visit was carried besides.
        let carried = contact.sigma.map_or(0.0, |sigma| sigma.0);
        let reach = 1.959_963_984_540_054 * carried.hypot(spacing / 2.0);
        let treated = tracked.tracks.iter().find(|t| t.id == contact.treated);
        let complete = treated.and_then(|t| t.complete_ablation(&controls(visits))).filter(|m| *m < n);
        ZoneRelation {
            treated: contact.treated.clone(),
            distance_mm: Evaluable::Value(contact.distance.0),
            interval_mm: contact.sigma.map(|_| ((contact.distance.0 - reach).max(0.0), contact.distance.0 + reach)),
            error_unknown: contact.sigma.is_none(),
            largest_spacing_mm: spacing,
            complete_ablation: complete.map(|m| visits[m].date()),
        }
    });
    FocusFacts {
        lesion: track.id.clone(),
        organ: track.organ.clone(),
        date: visits[n].date(),
        last_negative_date: negative.map(|m| visits[m].date()),
        cause,
        zone,
        treated_organ: None,
    }
}

/// Lesions that grew after a later cycle treated them. A lesion that the first cycle's course already calls progressing must
/// shrink and grow anew to be told from that; what lies at an ablation zone is judged there.
pub(super) fn foci_of_later_cycles(
    visits: &[VisitFacts],
    tracked: &Tracked,
    leading: Option<&CriterionTable>,
    cycles: &[CycleResponse],
) -> Vec<FocusFacts> {
    let judged = response_visits(visits);
    let own = cycles.iter().filter(|cycle| leading.is_some_and(|table| table.id == cycle.criterion));
    let mut foci = Vec::new();
    for (visit, lesion) in own.flat_map(|cycle| &cycle.grown) {
        let Some(track) = tracked.tracks.iter().find(|track| track.id == *lesion) else { continue };
        let at = judged[*visit];
        if !at_zone(track.state_at(at)) {
            foci.push(focus(track, at, ProgressionCause::GrowthOfTreated, visits, tracked));
        }
    }
    foci
}
