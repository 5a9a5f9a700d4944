//! Hands the outlines of a synthetic course to the tracker as the program's stage *track* does.

use std::collections::{BTreeMap, BTreeSet};

use imaging::{Mm, Mm3, Patient, Point};
use lesiontrace_oncology::tracking::{
    Finding, LesionTrack, Overlap, TrackingOptions, VisitFindings, ZoneContact, follow, name_merges, settle_new_lesions,
};
use lesiontrace_oncology::{LesionId, LesionKind, Organ};
use phantom::courses::{Course, CourseFinding, CourseZone, Site};

/// As in the built-in study file.
const OPTIONS: TrackingOptions = TrackingOptions { max_distance: Mm(25.0), uncertain_ratio: 0.8 };
/// The contiguous rule: this distance, or the largest spacing where that is more.
const CONTIGUOUS_MM: f64 = 2.0;
/// As the stage links a zone: it covers this share of where the lesion was.
const ZONE_COVERS: f64 = 1.0 / 3.0;

/// What the tracker is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// The error of the registration, mm per axis.
    pub(crate) error_mm: f64,
    /// Whether a second, more sensitive look at earlier images is told.
    pub(crate) second_look: bool,
}

/// The lesions as the program follows them; the label of a finding is its number from 1.
pub(crate) fn followed(course: &Course, told: Told) -> Vec<LesionTrack> {
    let mut tracks: Vec<LesionTrack> = Vec::new();
    let mut zones: BTreeMap<(usize, LesionId), &CourseZone> = BTreeMap::new();
    for (n, visit) in course.visits.iter().enumerate() {
        for zone in &visit.zones {
            let is_linked = |track: &&LesionTrack| covered_share(course, track, zone, n, &zones) >= ZONE_COVERS;
            let linked: Vec<LesionId> = tracks.iter().filter(is_linked).map(|track| track.id.clone()).collect();
            zones.extend(linked.into_iter().map(|id| ((n, id), zone)));
        }
        let findings = (0..visit.findings.len()).map(|at| finding(course, n, at, &tracks, &zones, told)).collect();
        let (low, high) = visit.covered_z_mm;
        let is_outside = |p: Point<Patient>| p.coords.z < low + told.error_mm || p.coords.z > high - told.error_mm;
        let outside = tracks.iter().filter(|track| track.last_center().is_some_and(is_outside));
        let seen = VisitFindings {
            visit: n,
            findings,
            zones_visible: zones.keys().filter(|(at, _)| *at == n).map(|(_, id)| id.clone()).collect(),
            not_evaluable: None,
            not_covered: outside.map(|track| track.id.clone()).collect(),
            registration_error: Some(Mm(if n == 0 { 0.0 } else { told.error_mm })),
            reserved: BTreeSet::new(),
            controls: BTreeSet::new(),
        };
        tracks = follow(tracks, &seen, &OPTIONS).value;
    }
    name_merges(&mut tracks);
    settle_new_lesions(&mut tracks);
    tracks
}

/// The outlines a track had when it was last seen before visit `n`.
fn last_outlines<'a>(course: &'a Course, track: &LesionTrack, n: usize) -> Vec<&'a CourseFinding> {
    let last = track.sightings.range(..n).rev().find(|(_, seen)| !seen.labels.is_empty());
    let labels = last.map(|(visit, seen)| seen.labels.iter().map(move |label| (*visit, usize::from(*label) - 1)));
    labels.into_iter().flatten().map(|(visit, at)| &course.visits[visit].findings[at]).collect()
}

fn covered_share(
    course: &Course,
    track: &LesionTrack,
    zone: &CourseZone,
    n: usize,
    zones: &BTreeMap<(usize, LesionId), &CourseZone>,
) -> f64 {
    let first = zones.keys().filter(|(_, id)| *id == track.id).map(|(visit, _)| *visit).min().unwrap_or(n);
    let share = |before: usize| {
        let outlines = last_outlines(course, track, before);
        let points: Vec<Point<Patient>> = outlines.iter().flat_map(|f| f.outline.points()).collect();
        let inside = points.iter().filter(|p| p.distance(zone.center) <= zone.radius_mm).count();
        inside as f64 / points.len().max(1) as f64
    };
    share(first).max(share(n))
}

fn finding(
    course: &Course,
    n: usize,
    at: usize,
    tracks: &[LesionTrack],
    zones: &BTreeMap<(usize, LesionId), &CourseZone>,
    told: Told,
) -> Finding {
    let found = &course.visits[n].findings[at];
    let points: Vec<Point<Patient>> = found.outline.points().collect();
    let center = found.outline.center();
    let near = zones.iter().filter(|((visit, _), _)| *visit == n || *visit + 1 == n);
    let contiguous = Mm(found.outline.largest_spacing_mm().max(CONTIGUOUS_MM));
    let contact = near.map(|((_, treated), zone)| {
        let edge = points.iter().map(|p| p.distance(zone.center) - zone.radius_mm).fold(f64::INFINITY, f64::min);
        ZoneContact { treated: treated.clone(), distance: Mm(edge.max(0.0)), contiguous, sigma: Some(Mm(0.0)) }
    });
    let overlaps = tracks.iter().filter_map(|track| {
        let overlap = overlap(&last_outlines(course, track, n), found, &points)?;
        Some((track.id.clone(), overlap))
    });
    let holds_last = |track: &&LesionTrack| track.last_center().is_some_and(|last| found.outline.contains(last));
    Finding {
        label: at as u16 + 1,
        center,
        volume: Mm3(found.outline.volume_mm3()),
        organ: match found.site {
            Site::Liver => Organ::Liver,
            Site::Lung => Organ::Lung,
            Site::Node => Organ::LymphNode,
            Site::Untold => Organ::Unknown,
        },
        kind: if found.site == Site::Node { LesionKind::Node } else { LesionKind::Lesion },
        contact: contact.min_by(|a, b| a.distance.0.total_cmp(&b.distance.0)),
        reach: Mm(points.iter().map(|p| p.distance(center)).fold(0.0, f64::max)),
        covers: tracks.iter().filter(holds_last).map(|track| track.id.clone()).collect(),
        overlaps: overlaps.collect(),
        unseen_before: unseen_before(course, n, center, told),
        perhaps_none: None,
        doubt: doubt(course, n, found, center).filter(|_| told.second_look),
        reader_name: None,
    }
}

fn overlap(last: &[&CourseFinding], found: &CourseFinding, points: &[Point<Patient>]) -> Option<Overlap> {
    let touches = |f: &&CourseFinding| f.outline.reaches(&found.outline);
    if !last.iter().any(touches) {
        return None;
    }
    let known: Vec<Point<Patient>> = last.iter().flat_map(|f| f.outline.points()).collect();
    let of_finding = points.iter().filter(|p| last.iter().any(|f| f.outline.contains(**p))).count();
    let of_lesion = known.iter().filter(|p| found.outline.contains(**p)).count();
    (of_finding + of_lesion > 0).then(|| Overlap {
        of_lesion: of_lesion as f64 / known.len().max(1) as f64,
        of_finding: of_finding as f64 / points.len().max(1) as f64,
    })
}

/// The first visit, before `n`, that images a place.
fn first_covering(course: &Course, n: usize, p: Point<Patient>, margin: f64) -> Option<usize> {
    (0..n).find(|visit| {
        let (low, high) = course.visits[*visit].covered_z_mm;
        p.coords.z >= low + margin && p.coords.z <= high - margin
    })
}

fn unseen_before(course: &Course, n: usize, center: Point<Patient>, told: Told) -> Option<String> {
    let is_seen = n == 0 || first_covering(course, n, center, told.error_mm).is_some();
    (!is_seen).then(|| "no earlier visit images its place".to_owned())
}

/// What a second look at the first image that covers it shows at the finding's place.
fn doubt(course: &Course, n: usize, found: &CourseFinding, center: Point<Patient>) -> Option<String> {
    if found.looks_benign {
        return Some("nothing stands out in its outline".to_owned());
    }
    let before = &course.visits[first_covering(course, n, center, 0.0)?];
    let is_traced = match found.holds.last() {
        Some(lesion) => before.traces[*lesion],
        None => before.trace_of_nothing,
    };
    is_traced.then(|| "something stood out at its place before".to_owned())
}
