//! Lesions keep their identity: findings of one visit are matched one to one with the lesions known so far, in the baseline
//! frame; what stands at an ablation zone is told from what is new.
//!
//! Source: one-to-one assignment after Kuhn 1955; the words for states at a zone after Ahmed et al. 2014 and Puijk et al. 2021
//! (criteria conventions §5.0, §5.1): viable tumour at the zone is *residual* until complete ablation was once documented,
//! *local progression* afterwards.

mod assignment;

use std::collections::{BTreeMap, BTreeSet};

use imaging::{Mm, Mm3, Note, Noted, Patient, Point};
use serde::{Deserialize, Serialize};

use crate::lesion::{LesionId, LesionKind, LesionState, Organ};

/// A lesion-like finding at one visit, before it has an identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Label in the visit's lesion map.
    pub label: u16,
    /// Centroid, carried into the baseline frame.
    pub center: Point<Patient>,
    /// Volume.
    pub volume: Mm3,
    /// Organ it lies in.
    pub organ: Organ,
    /// Lymph node or not.
    pub kind: LesionKind,
    /// The nearest ablation zone and the edge-to-edge distance to it, if any zone is known.
    pub contact: Option<ZoneContact>,
    /// Known lesions whose last centre lies inside this finding.
    pub covers: BTreeSet<LesionId>,
    /// The name a reader gave it: findings of one name are one lesion, findings of different names are not.
    pub reader_name: Option<String>,
}

/// How near a finding stands to an ablation zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneContact {
    /// The lesion treated there.
    pub treated: LesionId,
    /// Distance from edge to edge; 0 when they touch or overlap.
    pub distance: Mm,
    /// At or below this distance the finding belongs to the zone (contiguous rule: 2 mm, or the largest spacing if larger).
    pub contiguous: Mm,
}

/// Everything seen at one visit.
#[derive(Debug, Clone, PartialEq)]
pub struct VisitFindings {
    /// Number of the visit, 0 = baseline.
    pub visit: usize,
    /// The findings.
    pub findings: Vec<Finding>,
    /// Treated lesions whose ablation zone is visible at this visit.
    pub zones_visible: BTreeSet<LesionId>,
    /// Why absence cannot be judged at this visit (registration failed, place not imaged); `None` when it can.
    pub not_evaluable: Option<String>,
    /// Names that readers gave at any visit: no other lesion is called so.
    pub reserved: BTreeSet<LesionId>,
    /// Visits that are a control on the day of a treatment, this one included: they document no complete ablation. Whether all
    /// was ablated is read on a later study; the control tells where the zone is (Ahmed et al. 2014, technical success).
    pub controls: BTreeSet<usize>,
}

/// What may be matched with what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackingOptions {
    /// Findings farther from a lesion's last centre than this are another lesion.
    pub max_distance: Mm,
    /// Best cost over runner-up's cost above which a match is uncertain (0 never … 1 always).
    pub uncertain_ratio: f64,
}

/// What was seen of one lesion at one visit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// What became of it.
    pub state: LesionState,
    /// Labels in the visit's lesion map; several where fragments or foci belong to one lesion; empty when none.
    pub labels: Vec<u16>,
    /// Centroid in the baseline frame, of the largest label.
    pub center: Option<Point<Patient>>,
    /// 1 − cost of the match, 0 to 1; 1 for a first sighting.
    pub confidence: f64,
    /// The other lesion this finding might belong to.
    pub runner_up: Option<LesionId>,
    /// The lesion it grew together with.
    pub merged_into: Option<LesionId>,
    /// The nearest ablation zone, if one is known.
    pub contact: Option<ZoneContact>,
    /// Why the state is not evaluable or uncertain; empty otherwise.
    pub reason: String,
}

/// One lesion over all visits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LesionTrack {
    /// `L1`, `L2`, … in order of first sight, or the name a reader gave it then.
    pub id: LesionId,
    /// The name a reader gave it, at first sight or later.
    pub reader_name: Option<String>,
    /// Organ.
    pub organ: Organ,
    /// Lymph node or not.
    pub kind: LesionKind,
    /// Visit that first showed it.
    pub first_visit: usize,
    /// What was seen, by visit.
    pub sightings: BTreeMap<usize, Sighting>,
}

impl LesionTrack {
    /// The last centre known, in the baseline frame.
    pub fn last_center(&self) -> Option<Point<Patient>> {
        self.sightings.values().rev().find_map(|s| s.center)
    }
    /// The first visit that documents complete ablation. Controls on the day of a treatment do not.
    pub fn complete_ablation(&self, controls: &BTreeSet<usize>) -> Option<usize> {
        let mut ablated = self.sightings.iter().filter(|(_, s)| s.state == LesionState::Ablated);
        ablated.find(|(visit, _)| !controls.contains(visit)).map(|(visit, _)| *visit)
    }
    /// The state at a visit.
    pub fn state_at(&self, visit: usize) -> Option<LesionState> {
        self.sightings.get(&visit).map(|s| s.state)
    }
}

/// A pair that must not be made costs more than leaving finding and lesion alone.
const FORBIDDEN: f64 = 10.0;
/// What it costs to leave a finding alone (it becomes a new lesion); the cost of a pair runs from 0 to 1.
const ALONE: f64 = 1.0;

/// Takes the lesions known so far one visit further.
pub fn follow(
    mut tracks: Vec<LesionTrack>,
    seen: &VisitFindings,
    options: &TrackingOptions,
) -> Noted<Vec<LesionTrack>> {
    let mut notes = Vec::new();
    let pairs = match_findings(&tracks, seen, options);
    let mut taken = BTreeSet::new();
    for pair in &pairs {
        taken.insert(pair.finding);
        let sighting = matched(&tracks, seen, pair, options, &mut notes);
        let track = &mut tracks[pair.track];
        track.sightings.insert(seen.visit, sighting);
        if track.reader_name.is_none() {
            track.reader_name.clone_from(&seen.findings[pair.finding].reader_name);
        }
    }
    let mut foci: BTreeMap<LesionId, Vec<usize>> = BTreeMap::new();
    let mut fresh = Vec::new();
    for (n, finding) in seen.findings.iter().enumerate().filter(|(n, _)| !taken.contains(n)) {
        match finding.contact.as_ref().filter(|c| c.distance.0 <= c.contiguous.0) {
            Some(contact) if tracks.iter().any(|t| t.id == contact.treated) => {
                foci.entry(contact.treated.clone()).or_default().push(n);
            }
            _ => fresh.push(n),
        }
    }
    for track in &mut tracks {
        if !track.sightings.contains_key(&seen.visit) {
            let sighting = unmatched(track, seen, foci.get(&track.id).map_or(&[][..], Vec::as_slice));
            track.sightings.insert(seen.visit, sighting);
        }
    }
    for n in fresh {
        let track = first_sighting(&tracks, seen, n);
        tracks.push(track);
    }
    Noted::new(tracks, notes)
}

struct Pair {
    track: usize,
    finding: usize,
    cost: f64,
    runner_up: Option<usize>,
    runner_up_cost: f64,
}

/// Distance over gate, plus a small share for a change of volume, so that of two lesions near by the alike are matched.
fn cost(track: &LesionTrack, finding: &Finding, options: &TrackingOptions) -> f64 {
    match (&track.reader_name, &finding.reader_name) {
        (Some(known), Some(named)) if known == named => return 0.0,
        (Some(_), Some(_)) => return FORBIDDEN,
        _ => {}
    }
    let Some(center) = track.last_center() else { return FORBIDDEN };
    let gate = options.max_distance.0;
    let distance = center.distance(finding.center);
    if distance > gate || track.kind != finding.kind || !same_place(&track.organ, &finding.organ) {
        return FORBIDDEN;
    }
    distance / gate
}

/// Organs differ only when both are known and differ.
fn same_place(a: &Organ, b: &Organ) -> bool {
    a == b || *a == Organ::Unknown || *b == Organ::Unknown
}

fn match_findings(tracks: &[LesionTrack], seen: &VisitFindings, options: &TrackingOptions) -> Vec<Pair> {
    let open: Vec<usize> = (0..tracks.len()).filter(|n| !seen.zones_visible.contains(&tracks[*n].id)).collect();
    let n_findings = seen.findings.len();
    let costs: Vec<Vec<f64>> = seen
        .findings
        .iter()
        .map(|finding| {
            let pairs = open.iter().map(|n| cost(&tracks[*n], finding, options));
            pairs.chain(std::iter::repeat_n(ALONE, n_findings)).collect()
        })
        .collect();
    let columns = assignment::assign(&costs);
    let made = columns
        .iter()
        .enumerate()
        .filter(|(finding, column)| **column < open.len() && costs[*finding][**column] <= ALONE);
    made.map(|(finding, column)| {
        let others = (0..open.len()).filter(|other| other != column);
        let runner_up = others.min_by(|a, b| costs[finding][*a].total_cmp(&costs[finding][*b]));
        Pair {
            track: open[*column],
            finding,
            cost: costs[finding][*column],
            runner_up: runner_up.map(|n| open[n]),
            runner_up_cost: runner_up.map_or(FORBIDDEN, |n| costs[finding][n]),
        }
    })
    .collect()
}

fn matched(
    tracks: &[LesionTrack],
    seen: &VisitFindings,
    pair: &Pair,
    options: &TrackingOptions,
    notes: &mut Vec<Note>,
) -> Sighting {
    let finding = &seen.findings[pair.finding];
    let close = pair.runner_up_cost <= ALONE && pair.cost >= options.uncertain_ratio * pair.runner_up_cost;
    let runner_up = pair.runner_up.filter(|_| pair.runner_up_cost <= ALONE).map(|n| tracks[n].id.clone());
    let mut sighting = sighting_of(finding, LesionState::Present);
    sighting.confidence = 1.0 - pair.cost;
    if close && let Some(other) = &runner_up {
        sighting.state = LesionState::Uncertain;
        sighting.reason = format!("fits {} and {other} about equally well", tracks[pair.track].id);
        notes.push(Note::warning(
            "uncertain_match",
            tracks[pair.track].id.as_str(),
            format!("visit {}: the finding {}; a reader should confirm its identity", seen.visit + 1, sighting.reason),
        ));
    }
    sighting.runner_up = runner_up;
    sighting
}

fn sighting_of(finding: &Finding, state: LesionState) -> Sighting {
    Sighting {
        state,
        labels: vec![finding.label],
        center: Some(finding.center),
        confidence: 1.0,
        runner_up: None,
        merged_into: None,
        contact: finding.contact.clone(),
        reason: String::new(),
    }
}

fn unmatched(track: &LesionTrack, seen: &VisitFindings, foci: &[usize]) -> Sighting {
    let empty = |state, reason: String| Sighting {
        state,
        labels: Vec::new(),
        center: None,
        confidence: 1.0,
        runner_up: None,
        merged_into: None,
        contact: None,
        reason,
    };
    let largest =
        foci.iter().max_by(|a, b| seen.findings[**a].volume.0.total_cmp(&seen.findings[**b].volume.0).then(b.cmp(a)));
    if let Some(largest) = largest {
        let state = if track.complete_ablation(&seen.controls).is_some_and(|visit| visit < seen.visit) {
            LesionState::LocalProgression
        } else {
            LesionState::Residual
        };
        let mut sighting = sighting_of(&seen.findings[*largest], state);
        sighting.labels = foci.iter().map(|n| seen.findings[*n].label).collect();
        return sighting;
    }
    if let Some(reason) = &seen.not_evaluable {
        return empty(LesionState::NotEvaluable, reason.clone());
    }
    if seen.zones_visible.contains(&track.id) {
        return empty(LesionState::Ablated, String::new());
    }
    if let Some(other) = seen.findings.iter().find(|f| f.covers.contains(&track.id)) {
        let mut sighting = empty(LesionState::Merged, format!("its place lies inside finding {}", other.label));
        sighting.labels = vec![other.label];
        return sighting;
    }
    empty(LesionState::Absent, String::new())
}

fn first_sighting(tracks: &[LesionTrack], seen: &VisitFindings, finding: usize) -> LesionTrack {
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
        sightings: BTreeMap::from([(seen.visit, sighting_of(finding, LesionState::Present))]),
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

    const OPTIONS: TrackingOptions = TrackingOptions { max_distance: Mm(25.0), uncertain_ratio: 0.8 };

    fn finding(label: u16, x: f64) -> Finding {
        Finding {
            label,
            center: Point::new(x, 0.0, 0.0),
            volume: Mm3(4000.0),
            organ: Organ::Liver,
            kind: LesionKind::Lesion,
            contact: None,
            covers: BTreeSet::new(),
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
            contact: Some(ZoneContact { treated: LesionId::new("L1"), distance: Mm(distance), contiguous: Mm(2.5) }),
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
