//! Lesions keep their identity: findings of one visit are matched with the lesions known so far, in the baseline frame; what stands at
//! an ablation zone is told from what is new.
//!
//! Source: one-to-one assignment after Kuhn 1955; the words for states at a zone after Ahmed et al. 2014 and Puijk et al. 2021
//! (criteria conventions §5.0, §5.1): viable tumour at the zone is *residual* until complete ablation was once documented,
//! *local progression* afterwards.

mod assignment;
mod displacement;
mod finding;
mod grouping;
mod in_doubt;
mod known;
mod lesion_track;
mod likelihood;
mod linking;
mod new_lesion;

use std::collections::BTreeMap;

use imaging::{Mm, Mm3, Note, Noted};

pub use finding::{Finding, Overlap, VisitFindings, ZoneContact};
pub use in_doubt::{confirm as confirm_lesion, settle_lesions_in_doubt};
pub use lesion_track::{LesionTrack, SeenExtent, Sighting, TrackEvent};
pub use new_lesion::settle_new_lesions;

use crate::lesion::{LesionId, LesionState};
use grouping::{Group, found, group};
use linking::Comparison;

/// What may be matched with what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackingOptions {
    /// Findings farther from a lesion's last centre than this are another lesion.
    pub max_distance: Mm,
    /// Best mismatch over the runner-up's, each in units of its error, above which a match is uncertain (0 always … 1 hardly ever).
    pub uncertain_ratio: f64,
}

/// Above this probability of the best assignment against every other one a match is never uncertain.
const SURE: f64 = 0.9;

/// Takes the lesions known so far one visit further.
pub fn follow(
    mut tracks: Vec<LesionTrack>,
    seen: &VisitFindings,
    options: &TrackingOptions,
) -> Noted<Vec<LesionTrack>> {
    let mut notes = Vec::new();
    let mut comparison = Comparison::new(&tracks, seen, options);
    let links = comparison.links();
    let is_linked = |n: &usize| links.iter().any(|link| link.finding == *n);
    let foci = foci(&tracks, seen, is_linked);
    let at_zones: Vec<usize> = foci.values().flatten().copied().collect();
    let groups = group(&comparison, &links, &at_zones);
    let mut sightings: BTreeMap<usize, Sighting> = BTreeMap::new();
    for group in &groups.groups {
        sightings.insert(group.link.track, matched(&comparison, seen, group, options, &mut notes));
        for (track, confidence) in group.tracks.iter().skip(1) {
            sightings.insert(*track, merged(seen, group, *confidence));
        }
    }
    for (n, track) in tracks.iter().enumerate() {
        let foci = foci.get(&track.id).map_or(&[][..], Vec::as_slice);
        sightings.entry(n).or_insert_with(|| unmatched(track, seen, foci, &comparison));
    }
    let mut fresh = Vec::new();
    for (n, piece_of) in &groups.alone {
        let nearly = comparison.nearly(*n, &links);
        let instead = [nearly, *piece_of].into_iter().flatten().min_by(|a, b| a.1.total_cmp(&b.1));
        let mut sighting = sighting_of(&comparison, seen, &[*n], LesionState::Present);
        if let Some((reason, other)) = new_lesion::doubt(seen, *n, instead, &tracks) {
            sighting.state = LesionState::Uncertain;
            sighting.reason = reason;
            sighting.runner_up = other;
        } else if let Some(reason) = in_doubt::doubt(&seen.findings[*n]) {
            sighting.state = LesionState::Uncertain;
            sighting.reason = reason;
        }
        fresh.push((*n, sighting));
    }
    for (n, sighting) in sightings {
        let track = &mut tracks[n];
        if track.reader_name.is_none() && sighting.state != LesionState::Merged {
            let mut named = seen.findings.iter().filter(|f| sighting.labels.contains(&f.label));
            track.reader_name = named.find_map(|f| f.reader_name.clone());
        }
        track.sightings.insert(seen.visit, sighting);
    }
    for (n, sighting) in fresh {
        let track = first_sighting(&tracks, seen, n, sighting);
        tracks.push(track);
    }
    Noted::new(tracks, notes)
}

/// Findings that are no lesion known and stand at an ablation zone, by the lesion treated there.
fn foci(
    tracks: &[LesionTrack],
    seen: &VisitFindings,
    is_linked: impl Fn(&usize) -> bool,
) -> BTreeMap<LesionId, Vec<usize>> {
    let mut foci: BTreeMap<LesionId, Vec<usize>> = BTreeMap::new();
    for n in (0..seen.findings.len()).filter(|n| !is_linked(n)) {
        let contact = seen.findings[n].contact.as_ref().filter(|c| c.distance.0 <= c.contiguous.0);
        if let Some(contact) = contact.filter(|c| tracks.iter().any(|t| t.id == c.treated)) {
            foci.entry(contact.treated.clone()).or_default().push(n);
        }
    }
    foci
}

fn matched(
    comparison: &Comparison<'_>,
    seen: &VisitFindings,
    group: &Group,
    options: &TrackingOptions,
    notes: &mut Vec<Note>,
) -> Sighting {
    let track = &comparison.tracks[group.link.track];
    let mut sighting = sighting_of(comparison, seen, &group.findings, LesionState::Present);
    sighting.confidence = group.link.confidence.min(group.pieces_confidence);
    let runner_up = group.link.runner_up.map(|(n, ratio)| (&comparison.tracks[n].id, ratio));
    sighting.runner_up = runner_up.map(|(id, _)| id.clone());
    if let Some((other, ratio)) = runner_up
        && ratio >= options.uncertain_ratio
        && group.link.confidence < SURE
        && group.tracks.len() == 1
    {
        sighting.state = LesionState::Uncertain;
        sighting.reason = format!("fits {} and {other} about equally well", track.id);
        notes.push(Note::warning(
            "uncertain_match",
            track.id.as_str(),
            format!("visit {}: the finding {}; a reader should confirm its identity", seen.visit + 1, sighting.reason),
        ));
        return sighting;
    }
    // What was equivocal as a new lesion does not become one by being seen again.
    let first = track.sightings.get(&track.first_visit);
    let is_doubted = track.first_visit > 0 || track.perhaps_none.is_some();
    let pieces: Vec<&Finding> = group.findings.iter().map(|n| &seen.findings[*n]).collect();
    let is_open = |first: &&Sighting| {
        is_doubted && first.state == LesionState::Uncertain && !in_doubt::is_cleared(track, first, &pieces)
    };
    if let Some(first) = first.filter(is_open) {
        sighting.state = LesionState::Uncertain;
        sighting.reason.clone_from(&first.reason);
    }
    sighting
}

fn merged(seen: &VisitFindings, group: &Group, confidence: f64) -> Sighting {
    let label = seen.findings[group.link.finding].label;
    let mut sighting = Sighting::without_outline(LesionState::Merged, format!("its place lies inside finding {label}"));
    sighting.labels = vec![label];
    sighting.confidence = confidence;
    sighting
}

/// What was seen, the largest piece first.
fn sighting_of(comparison: &Comparison<'_>, seen: &VisitFindings, pieces: &[usize], state: LesionState) -> Sighting {
    let mut pieces = pieces.to_vec();
    pieces.sort_by(|a, b| seen.findings[*b].volume.0.total_cmp(&seen.findings[*a].volume.0).then(a.cmp(b)));
    let mut sighting = Sighting::without_outline(state, String::new());
    sighting.labels = pieces.iter().map(|n| seen.findings[*n].label).collect();
    let largest = &seen.findings[pieces[0]];
    sighting.center = Some(largest.center);
    sighting.contact.clone_from(&largest.contact);
    sighting.extent = found(&seen.findings, &pieces).map(|found| {
        let (place, left) = comparison.displacement.freed(found.center);
        let error = left.hypot(likelihood::outline_error_mm(found.reach));
        SeenExtent { place, error: Mm(error), volume: Mm3(found.volume), reach: Mm(found.reach) }
    });
    sighting
}

fn unmatched(track: &LesionTrack, seen: &VisitFindings, foci: &[usize], comparison: &Comparison<'_>) -> Sighting {
    if !foci.is_empty() {
        let state = if track.complete_ablation(&seen.controls).is_some_and(|visit| visit < seen.visit) {
            LesionState::LocalProgression
        } else {
            LesionState::Residual
        };
        let mut sighting = sighting_of(comparison, seen, foci, state);
        sighting.labels = foci.iter().map(|n| seen.findings[*n].label).collect();
        return sighting;
    }
    let empty = Sighting::without_outline;
    if let Some(reason) = &seen.not_evaluable {
        return empty(LesionState::NotEvaluable, reason.clone());
    }
    if seen.zones_visible.contains(&track.id) {
        return empty(LesionState::Ablated, String::new());
    }
    if seen.not_covered.contains(&track.id) {
        let reason = "its place lies outside the image of this visit";
        return Sighting { not_covered: true, ..empty(LesionState::NotEvaluable, reason.to_owned()) };
    }
    empty(LesionState::Absent, String::new())
}

fn first_sighting(tracks: &[LesionTrack], seen: &VisitFindings, finding: usize, sighting: Sighting) -> LesionTrack {
    let finding = &seen.findings[finding];
    let is_free = |id: &LesionId| tracks.iter().all(|t| t.id != *id);
    let named = finding.reader_name.as_ref().map(LesionId::new).filter(is_free);
    let mut numbered = (tracks.len() + 1..).map(|n| LesionId::new(format!("L{n}")));
    let id = named.or_else(|| numbered.find(|id| is_free(id) && !seen.reserved.contains(id)));
    LesionTrack {
        id: id.expect("numbers do not end"),
        reader_name: finding.reader_name.clone(),
        organ: finding.organ.clone(),
        kind: finding.kind,
        first_visit: seen.visit,
        perhaps_none: finding.perhaps_none.clone().filter(|_| finding.reader_name.is_none()),
        sightings: BTreeMap::from([(seen.visit, sighting)]),
    }
}

/// Names, per merged lesion, the lesion that carries the common diameter now.
pub fn name_merges(tracks: &mut [LesionTrack]) {
    let carriers: BTreeMap<(usize, u16), LesionId> = tracks
        .iter()
        .flat_map(|t| t.sightings.iter().map(move |(visit, s)| (t, *visit, s)))
        .filter(|(_, _, s)| s.state != LesionState::Merged)
        .flat_map(|(t, visit, s)| s.labels.iter().map(move |label| ((visit, *label), t.id.clone())))
        .collect();
    for track in tracks {
        for (visit, sighting) in &mut track.sightings {
            if sighting.state == LesionState::Merged {
                sighting.merged_into =
                    sighting.labels.first().and_then(|label| carriers.get(&(*visit, *label)).cloned());
                sighting.labels.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use crate::lesion::{LesionKind, Organ};
    use imaging::Point;

    const OPTIONS: TrackingOptions = TrackingOptions { max_distance: Mm(25.0), uncertain_ratio: 0.8 };

    fn finding(label: u16, x: f64) -> Finding {
        Finding {
            label,
            center: Point::new(x, 0.0, 0.0),
            volume: Mm3(4000.0),
            organ: Organ::Liver,
            kind: LesionKind::Lesion,
            contact: None,
            reach: Mm(10.0),
            covers: BTreeSet::new(),
            overlaps: BTreeMap::new(),
            unseen_before: None,
            doubt: None,
            perhaps_none: None,
            reader_name: None,
        }
    }

    fn visit(visit: usize, findings: Vec<Finding>) -> VisitFindings {
        let zones_visible = BTreeSet::new();
        VisitFindings {
            visit,
            findings,
            zones_visible,
            not_evaluable: None,
            not_covered: BTreeSet::new(),
            registration_error: None,
            reserved: BTreeSet::new(),
            controls: BTreeSet::new(),
        }
    }

    fn states(tracks: &[LesionTrack], visit: usize) -> Vec<Option<LesionState>> {
        tracks.iter().map(|t| t.state_at(visit)).collect()
    }

    #[test]
    fn labels_may_change_their_order_and_identities_stay() {
        let tracks = follow(Vec::new(), &visit(0, vec![finding(1, 0.0), finding(2, 60.0)]), &OPTIONS).value;
        let tracks =
            follow(tracks, &visit(1, vec![finding(1, 58.0), finding(2, 3.0), finding(3, 120.0)]), &OPTIONS).value;
        assert_eq!(tracks[0].sightings[&1].labels, [2]);
        assert_eq!(tracks[1].sightings[&1].labels, [1]);
        assert_eq!((tracks[2].id.as_str(), tracks[2].first_visit), ("L3", 1));
    }

    #[test]
    fn two_candidates_at_the_same_distance_are_uncertain() {
        let tracks = follow(Vec::new(), &visit(0, vec![finding(1, 0.0), finding(2, 20.0)]), &OPTIONS).value;
        let next = follow(tracks, &visit(1, vec![finding(1, 10.5)]), &OPTIONS);
        assert_eq!(states(&next.value, 1), [Some(LesionState::Absent), Some(LesionState::Uncertain)]);
        assert_eq!(next.notes[0].code, "uncertain_match");
    }

    #[test]
    fn a_focus_at_a_zone_is_residual_first_and_local_progression_after_complete_ablation() {
        let l1 = LesionId::new("L1");
        let focus = |distance| Finding {
            contact: Some(ZoneContact {
                treated: LesionId::new("L1"),
                distance: Mm(distance),
                contiguous: Mm(2.5),
                sigma: Some(Mm(0.0)),
            }),
            ..finding(1, 14.0)
        };
        let with_zone =
            |n, findings| VisitFindings { zones_visible: BTreeSet::from([l1.clone()]), ..visit(n, findings) };
        let start = follow(Vec::new(), &visit(0, vec![finding(1, 0.0)]), &OPTIONS).value;
        let residual = follow(start.clone(), &with_zone(1, vec![focus(0.0)]), &OPTIONS).value;
        assert_eq!(states(&residual, 1), [Some(LesionState::Residual)]);
        let ablated = follow(start, &with_zone(1, vec![]), &OPTIONS).value;
        assert_eq!(states(&ablated, 1), [Some(LesionState::Ablated)]);
        let local = follow(ablated.clone(), &with_zone(2, vec![focus(1.0)]), &OPTIONS).value;
        assert_eq!(states(&local, 2), [Some(LesionState::LocalProgression)]);
        let after_control = VisitFindings { controls: BTreeSet::from([1]), ..with_zone(2, vec![focus(1.0)]) };
        let residual = follow(ablated.clone(), &after_control, &OPTIONS).value;
        assert_eq!(states(&residual, 2), [Some(LesionState::Residual)], "a control on the day documents no success");
        let elsewhere = follow(ablated, &with_zone(2, vec![focus(2.6)]), &OPTIONS).value;
        assert_eq!(states(&elsewhere, 2), [Some(LesionState::Ablated), Some(LesionState::Present)]);
    }

    #[test]
    fn a_readers_name_is_identity_however_far_and_two_names_are_two_lesions() {
        let named = |label, x, name: &str| Finding { reader_name: Some(name.to_owned()), ..finding(label, x) };
        let reserved = BTreeSet::from(["A", "L2", "B"].map(LesionId::new));
        let seen = |n, findings| VisitFindings { reserved: reserved.clone(), ..visit(n, findings) };
        let tracks = follow(Vec::new(), &seen(0, vec![named(1, 0.0, "A"), finding(2, 60.0)]), &OPTIONS).value;
        assert_eq!(tracks.iter().map(|t| t.id.as_str()).collect::<Vec<_>>(), ["A", "L3"], "L2 is a reader's name");
        // A jumped 50 mm, farther than the gate; B stands where A was; L2 is where the unnamed lesion was and names it.
        let next = vec![named(1, 50.0, "A"), named(2, 1.0, "B"), named(3, 61.0, "L2")];
        let tracks = follow(tracks, &seen(1, next), &OPTIONS).value;
        assert_eq!(tracks[0].sightings[&1].labels, [1]);
        assert_eq!(
            (tracks[1].sightings[&1].labels.as_slice(), tracks[1].reader_name.as_deref()),
            (&[3][..], Some("L2"))
        );
        assert_eq!((tracks[2].id.as_str(), tracks[2].first_visit), ("B", 1));
    }

    #[test]
    fn a_piece_of_an_outline_is_found_again_however_far_its_middle_lies() {
        let both = Finding { reach: Mm(40.0), volume: Mm3(8000.0), ..finding(1, 0.0) };
        let start = follow(Vec::new(), &visit(0, vec![both]), &OPTIONS).value;
        let overlap = |of_finding| BTreeMap::from([(LesionId::new("L1"), Overlap { of_lesion: 0.5, of_finding })]);
        let piece = Finding { overlaps: overlap(1.0), ..finding(1, 30.0) };
        let tracks = follow(start.clone(), &visit(1, vec![piece]), &OPTIONS).value;
        assert_eq!((tracks.len(), states(&tracks, 1)), (1, vec![Some(LesionState::Present)]));
        let tracks = follow(start, &visit(1, vec![finding(1, 30.0)]), &OPTIONS).value;
        assert_eq!(states(&tracks, 1), [Some(LesionState::Absent), Some(LesionState::Present)], "beside it, a new one");
    }

    #[test]
    fn a_failed_registration_makes_absence_not_evaluable() {
        let tracks = follow(Vec::new(), &visit(0, vec![finding(1, 0.0)]), &OPTIONS).value;
        let seen = VisitFindings { not_evaluable: Some("registration failed".to_owned()), ..visit(1, vec![]) };
        let tracks = follow(tracks, &seen, &OPTIONS).value;
        assert_eq!(states(&tracks, 1), [Some(LesionState::NotEvaluable)]);
    }

    #[test]
    fn a_lesion_swallowed_by_its_neighbour_is_merged_into_it() {
        let tracks = follow(Vec::new(), &visit(0, vec![finding(1, 0.0), finding(2, 20.0)]), &OPTIONS).value;
        let both = Finding { covers: BTreeSet::from([LesionId::new("L1"), LesionId::new("L2")]), ..finding(1, 3.0) };
        let mut tracks = follow(tracks, &visit(1, vec![both]), &OPTIONS).value;
        name_merges(&mut tracks);
        assert_eq!(states(&tracks, 1), [Some(LesionState::Present), Some(LesionState::Merged)]);
        assert_eq!(tracks[1].sightings[&1].merged_into, Some(LesionId::new("L1")));
    }
}
