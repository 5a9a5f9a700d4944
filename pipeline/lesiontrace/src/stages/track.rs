//! Stage *track*: findings of all visits become lesions over time. The matching is `oncology::tracking`; here the geometry is
//! prepared: centres in the baseline frame, distances to ablation zones, and which lesion a zone was made for.

use std::collections::{BTreeMap, BTreeSet};

use formats::clinical::TreatmentRecord;
use imaging::registration::moved_as_a_body;
use imaging::{
    Affine, FrameId, Index3, Mask, Mm, Mm3, Note, Patient, Point, Refinement, Surface, TriangleTree,
    diameter::mask_centroid,
};
use oncology::reads::Reviewed;
use oncology::tracking::{
    Finding, LesionTrack, Sighting, TrackingOptions, VisitFindings, ZoneContact, follow, name_merges,
    settle_lesions_in_doubt, settle_new_lesions,
};
use oncology::{Date, LesionId, LesionRole, LesionState};

use crate::config::Tracking;
use crate::stages::find::{VisitFacts, controls};
use crate::stages::register::restate;
use crate::stages::segment::{Instance, StageError};

mod names;
pub(crate) mod places;

/// A zone belongs to a lesion when it covers this share of where the lesion was before treatment. Origin: a third leaves room
/// for a mis-registration of half a diameter and still tells neighbours apart.
const ZONE_COVERS: f64 = 1.0 / 3.0;

/// The contiguous rule: a focus within this distance of a zone belongs to it (or within the largest spacing, if larger).
/// Source: criteria conventions §5.1.
const CONTIGUOUS: Mm = Mm(2.0);

/// Everything of a patient that tracking made.
#[derive(Debug, Clone)]
pub(crate) struct Tracked {
    /// The lesions.
    pub(crate) tracks: Vec<LesionTrack>,
    /// Zones seen, by visit and treated lesion: their labels, the one that covers most of the lesion first.
    pub(crate) zones: BTreeMap<(usize, LesionId), Vec<u16>>,
    /// Dates on which a lesion was treated locally, with the index of the treatment.
    pub(crate) treated: BTreeMap<LesionId, Vec<Date>>,
    /// Roles a reader chose.
    pub(crate) roles: BTreeMap<LesionId, LesionRole>,
    /// What readers decided afterwards.
    pub(crate) reviewed: Reviewed,
    /// What to doubt.
    pub(crate) notes: Vec<Note>,
}

/// Follows every lesion of a patient over the visits.
pub(crate) fn track(
    visits: &[VisitFacts],
    treatments: &[TreatmentRecord],
    keys: &Tracking,
) -> Result<Tracked, StageError> {
    let options = TrackingOptions { max_distance: Mm(keys.max_distance_mm), uncertain_ratio: keys.uncertain_ratio };
    let mut tracked = Tracked {
        tracks: Vec::new(),
        zones: BTreeMap::new(),
        treated: BTreeMap::new(),
        roles: BTreeMap::new(),
        reviewed: Reviewed::default(),
        notes: Vec::new(),
    };
    let (reserved, controls) = (names::readers(visits), controls(visits));
    for (n, visit) in visits.iter().enumerate() {
        link_zones(visits, n, treatments, &mut tracked)?;
        let seen =
            VisitFindings { reserved: reserved.clone(), controls: controls.clone(), ..findings(visits, n, &tracked)? };
        let followed = follow(std::mem::take(&mut tracked.tracks), &seen, &options);
        let mut notes = Vec::new();
        tracked.tracks = followed.note_into(&mut notes);
        for note in &mut notes {
            note.message = format!("{}: {}", visit.id, note.message);
        }
        tracked.notes.extend(notes);
    }
    names::roles(visits, &mut tracked);
    name_merges(&mut tracked.tracks);
    settle_new_lesions(&mut tracked.tracks);
    settle_lesions_in_doubt(&mut tracked.tracks);
    tracked.notes.extend(tracked.tracks.iter().filter_map(|track| in_doubt(track, visits)));
    unmatched_treatments(visits, treatments, &mut tracked);
    Ok(tracked)
}

/// What a reader is to know of a finding that may be no lesion.
fn in_doubt(track: &LesionTrack, visits: &[VisitFacts]) -> Option<Note> {
    let why = track.perhaps_none.as_ref()?;
    let first = visits[track.first_visit].id;
    if track.is_perhaps_none() {
        let message = format!(
            "{first}: {} is perhaps no lesion: {why}; it counts once it has grown by 5 mm and 20 %, or a reader says that it is one (finding = accept)",
            track.id
        );
        return Some(Note::warning("lesion_in_doubt", track.id.as_str(), message));
    }
    let is_certain = |seen: &Sighting| !seen.labels.is_empty() && seen.state != LesionState::Uncertain;
    let (from, _) = track.sightings.iter().find(|(_, seen)| is_certain(seen))?;
    let message = format!(
        "{first}: {} was perhaps no lesion: {why}; by {} it had grown or lay where nothing speaks against it, and is one from there on; where the criterion dates new lesions back it is new from its first sight",
        track.id, visits[*from].id
    );
    (*from > track.first_visit).then(|| Note::info("lesion_in_doubt_grown", track.id.as_str(), message))
}

/// How a mask moves from a visit's own frame into another visit's, through baseline: by the matrices, or where one of the two maps
/// bends, as a body.
fn between(mask: &Mask, from: &VisitFacts, to: &VisitFacts) -> Result<Affine<Patient, Patient>, StageError> {
    let (from, to) = (&from.to_baseline, &to.to_baseline);
    let found = if (from.bend.is_none() && to.bend.is_none()) || mask.is_empty_mask() {
        to.moving_to_fixed.inverse().map(|from_baseline| from.moving_to_fixed.then(&from_baseline))
    } else {
        moved_as_a_body(mask, |p| to.to_moving(from.to_fixed(p)))
    };
    found.ok_or_else(|| StageError::new("track", "registration", "a registration cannot be inverted"))
}

/// A mask of one visit in the frame of another.
pub(crate) fn carried(mask: &Mask, from: &VisitFacts, to: &VisitFacts) -> Result<Mask, StageError> {
    let frame: FrameId = to.measured.grid.frame().clone();
    // In one frame of reference, too, the patient may have moved.
    let is_placed = |visit: &VisitFacts| visit.to_baseline.is_as_placed();
    if from.id == to.id || (from.measured.grid.frame() == &frame && is_placed(from) && is_placed(to)) {
        return Ok(mask.clone());
    }
    restate(mask, &between(mask, from, to)?, frame)
}

/// The last visit before a date at which a lesion was present, with its labels there.
fn last_sight(track: &LesionTrack, before: usize) -> Option<(usize, &[u16])> {
    let mut earlier = track.sightings.range(..before).rev();
    earlier.find(|(_, s)| !s.labels.is_empty()).map(|(visit, s)| (*visit, s.labels.as_slice()))
}

/// Decides which lesion each zone of a visit was made for: the one whose place before treatment it covers.
fn link_zones(
    visits: &[VisitFacts],
    n: usize,
    treatments: &[TreatmentRecord],
    tracked: &mut Tracked,
) -> Result<(), StageError> {
    let visit = &visits[n];
    let mut shares: BTreeMap<LesionId, Vec<(f64, u16)>> = BTreeMap::new();
    for track in &tracked.tracks {
        for zone in &visit.zones {
            let share = covered_share(track, zone, visits, n, tracked)?;
            shares.entry(track.id.clone()).or_default().push((share, zone.label));
        }
    }
    let linked = zones_of_lesions(&shares);
    let has_lesion = |label: u16| linked.values().flatten().any(|(_, of)| *of == label);
    for zone in visit.zones.iter().filter(|zone| !has_lesion(zone.label)) {
        tracked.notes.push(Note::warning(
            "zone_without_lesion",
            format!("zone {}", zone.label),
            format!("{}: an ablation zone covers no lesion seen before; its margin is not evaluable", visit.id),
        ));
    }
    for (lesion, mut labels) in linked {
        note_treatment(visits, n, &lesion, treatments, tracked);
        labels.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        tracked.zones.insert((n, lesion), labels.into_iter().map(|(_, label)| label).collect());
    }
    Ok(())
}

/// The zones made for each lesion, from the share of it that each zone covers: those that cover enough of it alone, and those that do so
/// together, as where one zone was drawn under several labels; of these each counts for the lesion it covers most of.
fn zones_of_lesions(shares: &BTreeMap<LesionId, Vec<(f64, u16)>>) -> BTreeMap<LesionId, Vec<(f64, u16)>> {
    let most = |label: u16| {
        let of_zone = shares.values().flatten().filter(|(_, of)| *of == label).map(|(share, _)| *share);
        of_zone.fold(0.0, f64::max)
    };
    let of_lesion = |of: &Vec<(f64, u16)>| -> Vec<(f64, u16)> {
        let is_own = |&(share, label): &(f64, u16)| share >= ZONE_COVERS || (share > 0.0 && share >= most(label));
        of.iter().copied().filter(is_own).collect()
    };
    let own = shares.iter().map(|(id, of)| (id.clone(), of_lesion(of)));
    own.filter(|(_, of)| of.iter().map(|(share, _)| share).sum::<f64>() >= ZONE_COVERS).collect()
}

/// The larger share that lies inside a zone of visit `n`: of the lesion as it was before its first zone, or of the focus seen last.
fn covered_share(
    track: &LesionTrack,
    zone: &Instance,
    visits: &[VisitFacts],
    n: usize,
    tracked: &Tracked,
) -> Result<f64, StageError> {
    let first_zone = tracked.zones.keys().filter(|(_, id)| *id == track.id).map(|(visit, _)| *visit).min().unwrap_or(n);
    let mut largest = 0.0_f64;
    for before in [first_zone, n] {
        if let Some((seen_at, labels)) = last_sight(track, before) {
            let share = share_inside(labels, &zone.mask, visits, seen_at, n)?;
            largest = largest.max(share);
        }
    }
    Ok(largest)
}

/// The share of lesions of visit `seen_at` that lies inside a mask of visit `n`.
fn share_inside(
    labels: &[u16],
    zone: &Mask,
    visits: &[VisitFacts],
    seen_at: usize,
    n: usize,
) -> Result<f64, StageError> {
    let (mut inside, mut all) = (0_usize, 0_usize);
    for lesion in labels.iter().filter_map(|label| visits[seen_at].lesion(*label)) {
        let here = carried(&lesion.mask, &visits[seen_at], &visits[n])?;
        for at in here.indices_set() {
            all += 1;
            inside += usize::from(contains(zone, here.grid().center(at)));
        }
    }
    Ok(if all == 0 { 0.0 } else { inside as f64 / all as f64 })
}

fn contains(mask: &Mask, p: Point<Patient>) -> bool {
    mask.grid().nearest(p).is_some_and(|at| *mask.at(at))
}

/// A lesion is treated when its zone first shows, and again when a further ablation follows viable tumour at the zone.
fn note_treatment(
    visits: &[VisitFacts],
    n: usize,
    lesion: &LesionId,
    treatments: &[TreatmentRecord],
    tracked: &mut Tracked,
) {
    let dates = tracked.treated.entry(lesion.clone()).or_default();
    let since = dates.last().copied();
    let before = n.checked_sub(1).map(|n| visits[n].date());
    let ablations = treatments.iter().filter(|t| t.modality.leaves_ablation_zone() && visits[n].is_after(t.date));
    let new: Vec<Date> = ablations.map(|t| t.date).filter(|d| since.is_none_or(|s| *d > s)).collect();
    let viable_before = n > 0
        && tracked
            .tracks
            .iter()
            .any(|t| t.id == *lesion && t.sightings.get(&(n - 1)).is_some_and(|s| !s.labels.is_empty()));
    match (since, new.iter().rev().find(|d| before.is_none_or(|b| **d >= b))) {
        (None, Some(date)) => dates.push(*date),
        (Some(_), Some(date)) if viable_before => dates.push(*date),
        (None, None) => tracked.notes.push(Note::warning(
            "zone_without_treatment",
            lesion.as_str(),
            format!(
                "{}: an ablation zone stands at {lesion}, but treatments.csv has no ablation before it",
                visits[n].id
            ),
        )),
        _ => {}
    }
}

fn unmatched_treatments(visits: &[VisitFacts], treatments: &[TreatmentRecord], tracked: &mut Tracked) {
    let matched: BTreeSet<Date> = tracked.treated.values().flatten().copied().collect();
    let last = visits.last().map(VisitFacts::date);
    for treatment in treatments.iter().filter(|t| t.modality.leaves_ablation_zone() && !matched.contains(&t.date)) {
        let message = if last.is_some_and(|last| treatment.date > last) {
            format!("no imaging after the {} of {}: its result is not evaluable", treatment.modality, treatment.date)
        } else {
            format!(
                "no ablation zone was found for the {} of {} (treatments.csv, line {})",
                treatment.modality, treatment.date, treatment.line
            )
        };
        tracked.notes.push(Note::warning("treatment_without_zone", treatment.date.to_string(), message));
    }
}

/// The findings of visit `n` with everything tracking wants to know of them.
fn findings(visits: &[VisitFacts], n: usize, tracked: &Tracked) -> Result<VisitFindings, StageError> {
    let visit = &visits[n];
    let zones = zone_surfaces(visits, n, tracked)?;
    let spacing = visit.measured.grid.spacing_mm();
    let contiguous = Mm(CONTIGUOUS.0.max(spacing[0]).max(spacing[1]).max(spacing[2]));
    let known = places::last_outlines(visits, n, &tracked.tracks)?;
    let mut findings = Vec::new();
    for lesion in &visit.lesions {
        let Some(center) = mask_centroid(&lesion.mask) else { continue };
        let mut covers = BTreeSet::new();
        for track in &tracked.tracks {
            if let Some(last) = track.last_center() {
                let here = visit.to_baseline.to_moving(last);
                if here.is_some_and(|p| contains(&lesion.mask, p)) {
                    covers.insert(track.id.clone());
                }
            }
        }
        let place = visit.to_baseline.to_fixed(center);
        findings.push(Finding {
            label: lesion.label,
            center: place,
            volume: Mm3(lesion.mask.n_voxels_set() as f64 * lesion.mask.grid().voxel_volume_mm3()),
            organ: lesion.organ.clone(),
            kind: lesion.kind,
            contact: nearest_zone(lesion, &zones, contiguous, (visits, n)),
            reach: places::reach(&lesion.mask, center),
            covers,
            overlaps: places::overlaps(lesion, &known),
            unseen_before: places::unseen_before(visits, n, place),
            doubt: visit.doubts.get(&lesion.label).cloned(),
            perhaps_none: visit.in_doubt.get(&lesion.label).cloned(),
            reader_name: visit.marked.by_label.get(&lesion.label).map(|mark| mark.name.clone()),
        });
    }
    findings.extend(visit.marked.unmeasured.iter().map(|unmeasured| names::finding(unmeasured, visit)));
    let zones_visible = tracked.zones.keys().filter(|(visit, _)| *visit == n).map(|(_, id)| id.clone()).collect();
    let not_evaluable = visit.not_evaluable();
    Ok(VisitFindings {
        visit: n,
        findings,
        zones_visible,
        not_evaluable,
        not_covered: places::not_covered(visits, n, &tracked.tracks),
        registration_error: places::registration_error(visits, n),
        reserved: BTreeSet::new(),
        controls: BTreeSet::new(),
    })
}

/// A zone's surface in the frame of the visit under study.
struct ZoneSurface {
    /// The visit that shows it.
    visit: usize,
    treated: LesionId,
    mask: Mask,
    tree: TriangleTree,
}

/// Zones of this visit and of the one before it, carried here: the zone may have shrunk since.
fn zone_surfaces(visits: &[VisitFacts], n: usize, tracked: &Tracked) -> Result<Vec<ZoneSurface>, StageError> {
    let mut surfaces = Vec::new();
    let near = tracked.zones.iter().filter(|((at, _), _)| *at == n || *at + 1 == n);
    for ((at, treated), label) in near.flat_map(|(key, labels)| labels.iter().map(move |label| (key, label))) {
        let Some(zone) = visits[*at].zones.iter().find(|z| z.label == *label) else { continue };
        if *at != n && visits[n].not_evaluable().is_some() {
            continue;
        }
        let mask = carried(&zone.mask, &visits[*at], &visits[n])?;
        let surface = Surface::of_mask(&mask, Refinement::OwnGrid);
        let tree = surface.ok().and_then(|s| TriangleTree::new(s.triangles().to_vec()));
        if let Some(tree) = tree {
            surfaces.push(ZoneSurface { visit: *at, treated: treated.clone(), mask, tree });
        }
    }
    Ok(surfaces)
}

/// Edge-to-edge distance: from the lesion's own surface to the zone's; 0 where one voxel of the lesion lies inside the zone.
fn nearest_zone(
    lesion: &Instance,
    zones: &[ZoneSurface],
    contiguous: Mm,
    (visits, n): (&[VisitFacts], usize),
) -> Option<ZoneContact> {
    let inside = |zone: &ZoneSurface, at: Index3| contains(&zone.mask, lesion.mask.grid().center(at));
    let edge: Vec<Point<Patient>> = match Surface::of_mask(&lesion.mask, Refinement::OwnGrid) {
        Ok(surface) => surface.triangles().iter().flatten().copied().collect(),
        Err(_) => lesion.mask.indices_set().map(|at| lesion.mask.grid().center(at)).collect(),
    };
    let distance = |zone: &ZoneSurface| {
        if lesion.mask.indices_set().any(|at| inside(zone, at)) {
            return 0.0;
        }
        zone.tree.distances(&edge).into_iter().fold(f64::INFINITY, f64::min)
    };
    let nearest = zones.iter().map(|zone| (zone, distance(zone))).min_by(|a, b| a.1.total_cmp(&b.1))?;
    let sigma = if nearest.0.visit == n { Some(Mm(0.0)) } else { carried_sigma(visits, [nearest.0.visit, n], lesion) };
    Some(ZoneContact { treated: nearest.0.treated.clone(), distance: Mm(nearest.1), contiguous, sigma })
}

/// Standard deviation of what is carried from one visit to another, at a lesion of the other; `None` where either is not known.
fn carried_sigma(visits: &[VisitFacts], [from, to]: [usize; 2], lesion: &Instance) -> Option<Mm> {
    let center = mask_centroid(&lesion.mask)?;
    let place = visits[to].to_baseline.to_fixed(center);
    let of = |visit: usize| match visit {
        0 => Some(0.0),
        visit => Some(visits[visit].to_baseline.error_at(place)?.sigma().0),
    };
    Some(Mm(of(from)?.hypot(of(to)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_belong_to_the_lesions_they_cover_alone_or_together() {
        let shares = |of: &[(&str, &[(f64, u16)])]| {
            of.iter().map(|(id, shares)| (LesionId::new(*id), shares.to_vec())).collect::<BTreeMap<_, _>>()
        };
        let labels = |of: &[(&str, &[(f64, u16)])]| {
            let found = zones_of_lesions(&shares(of));
            found
                .into_iter()
                .map(|(id, zones)| (id.to_string(), zones.iter().map(|z| z.1).collect::<Vec<_>>()))
                .collect()
        };
        let one = |id: &str, zones: &[u16]| (id.to_owned(), zones.to_vec());
        let found: Vec<(String, Vec<u16>)> = labels(&[("L1", &[(0.3, 1), (0.25, 2)])]);
        assert_eq!(found, [one("L1", &[1, 2])], "two labels of one zone");
        // A neighbour's zone that just touches the lesion stays the neighbour's.
        let found: Vec<(String, Vec<u16>)> = labels(&[("L1", &[(0.9, 1), (0.05, 2)]), ("L2", &[(0.1, 1), (0.8, 2)])]);
        assert_eq!(found, [one("L1", &[1]), one("L2", &[2])]);
        let found: Vec<(String, Vec<u16>)> = labels(&[("L1", &[(0.9, 1)]), ("L2", &[(0.5, 1)])]);
        assert_eq!(found, [one("L1", &[1]), one("L2", &[1])], "one zone for two lesions");
        let found: Vec<(String, Vec<u16>)> = labels(&[("L1", &[(0.2, 1)])]);
        assert!(found.is_empty(), "{found:?}");
    }
}
