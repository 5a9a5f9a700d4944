//! What the tracker made of a synthetic course, against the truth: links, new lesions, what became of each lesion.

use std::collections::{BTreeMap, BTreeSet};

use lesiontrace_oncology::LesionState;
use lesiontrace_oncology::tracking::LesionTrack;
use phantom::courses::{Course, TrueState};

/// A finding: visit and label.
type Place = (usize, u16);
/// A lesion from a finding of one visit to one of the next visit that shows it.
type Link = (Place, Place);

/// Sums over a cohort.
#[derive(Debug, Clone, Default)]
pub(crate) struct Score {
    pub(crate) n_patients: usize,
    pub(crate) links_true: usize,
    pub(crate) links_made: usize,
    pub(crate) links_right: usize,
    /// Links by tenth of confidence: made, right.
    pub(crate) confidence: BTreeMap<u32, (usize, usize)>,
    /// True new lesions that were outlined at a place imaged before.
    pub(crate) new_true: usize,
    /// Those called new, and those called equivocal at most.
    pub(crate) new_found: usize,
    pub(crate) new_equivocal: usize,
    /// Why true new lesions were not called new.
    pub(crate) why_not_new: BTreeMap<String, usize>,
    /// Lesions called new that are none, by what they are.
    pub(crate) false_new: BTreeMap<&'static str, usize>,
    /// True and given words, with how often.
    pub(crate) states: BTreeMap<(&'static str, String), usize>,
}

impl Score {
    pub(crate) fn precision(&self) -> f64 {
        self.links_right as f64 / self.links_made.max(1) as f64
    }
    pub(crate) fn recall(&self) -> f64 {
        self.links_right as f64 / self.links_true.max(1) as f64
    }
    pub(crate) fn new_recall(&self) -> f64 {
        self.new_found as f64 / self.new_true.max(1) as f64
    }
    pub(crate) fn false_new_per_patient(&self) -> f64 {
        self.false_new.values().sum::<usize>() as f64 / self.n_patients.max(1) as f64
    }

    /// Adds one patient.
    pub(crate) fn add(&mut self, course: &Course, tracks: &[LesionTrack]) {
        self.n_patients += 1;
        let truth: BTreeSet<Link> =
            (0..course.lesions.len()).flat_map(|lesion| between(&true_places(course, lesion))).collect();
        let mut made = BTreeSet::new();
        for track in tracks {
            let places = followed_places(track, tracks);
            for link in between(&places) {
                let right = truth.contains(&link);
                if made.insert(link) {
                    let confidence = track.sightings[&link.1.0].confidence;
                    let tenth = self.confidence.entry((confidence * 10.0).clamp(0.0, 9.0) as u32).or_default();
                    tenth.0 += 1;
                    tenth.1 += usize::from(right);
                }
            }
        }
        self.links_true += truth.len();
        self.links_made += made.len();
        self.links_right += made.intersection(&truth).count();
        self.add_new(course, tracks);
        self.add_states(course, tracks);
    }

    fn add_new(&mut self, course: &Course, tracks: &[LesionTrack]) {
        let mut found: BTreeMap<usize, bool> = BTreeMap::new();
        let is_new = |lesion: usize| course.lesions[lesion].begins > 0 && !course.lesions[lesion].is_benign;
        for track in tracks.iter().filter(|track| track.first_visit > 0) {
            let first = track.first_visit;
            let label = track.sightings[&first].labels.first().copied().unwrap_or_default();
            let holds = &course.visits[first].findings[usize::from(label) - 1].holds;
            let truly = holds.iter().copied().find(|lesion| is_new(*lesion) && !found.contains_key(lesion));
            let is_called = track.sightings.values().any(|seen| seen.state == LesionState::Present);
            match truly {
                Some(lesion) => {
                    found.insert(lesion, is_called);
                }
                None if is_called => {
                    let what = match holds.first() {
                        None => "nothing there",
                        Some(lesion) if course.lesions[*lesion].is_benign => "benign",
                        Some(lesion) if !has_earlier(course, *lesion, first) => "missed before",
                        Some(lesion) if was_gone(course, *lesion, first) => "came back",
                        Some(_) => "known lesion",
                    };
                    *self.false_new.entry(what).or_default() += 1;
                }
                None => {}
            }
        }
        for lesion in (0..course.lesions.len()).filter(|lesion| is_new(*lesion)) {
            let first = true_places(course, lesion).into_iter().next();
            let Some((first, _)) = first.filter(|(first, _)| can_be_judged(course, lesion, *first)) else { continue };
            debug_assert!(first > 0);
            self.new_true += 1;
            match found.get(&lesion) {
                Some(true) => self.new_found += 1,
                Some(false) => {
                    self.new_equivocal += 1;
                    *self.why_not_new.entry(reason_of(course, tracks, lesion)).or_default() += 1;
                }
                None => *self.why_not_new.entry("followed as another lesion".to_owned()).or_default() += 1,
            }
        }
    }

    fn add_states(&mut self, course: &Course, tracks: &[LesionTrack]) {
        for lesion in (0..course.lesions.len()).filter(|lesion| !course.lesions[*lesion].is_benign) {
            let places: BTreeSet<Place> =
                true_places(course, lesion).into_iter().flat_map(|(v, l)| at(v, &l)).collect();
            let Some((first, _)) = places.first().copied() else { continue };
            let share = |track: &&LesionTrack| {
                let own: BTreeSet<Place> =
                    followed_places(track, tracks).into_iter().flat_map(|(v, l)| at(v, &l)).collect();
                own.intersection(&places).count()
            };
            let Some(track) = tracks.iter().rev().max_by_key(share) else { continue };
            for visit in first + 1..course.visits.len() {
                let truth = true_word(course, lesion, visit);
                *self.states.entry((truth, given_word(track, tracks, visit))).or_default() += 1;
            }
        }
    }
}

/// Why a true new lesion was equivocal when first followed, without the lesions' numbers.
fn reason_of(course: &Course, tracks: &[LesionTrack], lesion: usize) -> String {
    let starts = |track: &&LesionTrack| {
        let label = track.sightings[&track.first_visit].labels.first().copied().unwrap_or_default();
        let finding = &course.visits[track.first_visit].findings[usize::from(label) - 1];
        track.first_visit > 0 && finding.holds.contains(&lesion)
    };
    let track = tracks.iter().find(starts);
    let reason = track.map_or("", |track| &track.sightings[&track.first_visit].reason);
    reason.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn at(visit: usize, labels: &[u16]) -> Vec<Place> {
    labels.iter().map(|label| (visit, *label)).collect()
}

fn between(places: &[(usize, Vec<u16>)]) -> Vec<Link> {
    let pairs = places.windows(2);
    pairs
        .flat_map(|w| {
            at(w[0].0, &w[0].1).into_iter().flat_map(|from| at(w[1].0, &w[1].1).into_iter().map(move |to| (from, to)))
        })
        .collect()
}

/// Visits that outline a lesion, with the labels of its findings.
fn true_places(course: &Course, lesion: usize) -> Vec<(usize, Vec<u16>)> {
    let labels = |visit: usize| -> Vec<u16> {
        let findings = course.visits[visit].findings.iter().enumerate();
        findings.filter(|(_, f)| f.holds.contains(&lesion)).map(|(n, _)| n as u16 + 1).collect()
    };
    (0..course.visits.len()).map(|visit| (visit, labels(visit))).filter(|(_, labels)| !labels.is_empty()).collect()
}

/// The same as the tracker says; a lesion grown together with another one has the other's labels.
fn followed_places(track: &LesionTrack, tracks: &[LesionTrack]) -> Vec<(usize, Vec<u16>)> {
    let labels = |(visit, seen): (&usize, &lesiontrace_oncology::tracking::Sighting)| {
        let carrier = seen.merged_into.as_ref().and_then(|id| tracks.iter().find(|t| t.id == *id));
        let labels = carrier.and_then(|c| c.sightings.get(visit)).map_or(&seen.labels, |s| &s.labels);
        (*visit, labels.clone())
    };
    track.sightings.iter().map(labels).filter(|(_, labels)| !labels.is_empty()).collect()
}

fn has_earlier(course: &Course, lesion: usize, visit: usize) -> bool {
    true_places(course, lesion).first().is_some_and(|(first, _)| *first < visit)
}

fn was_gone(course: &Course, lesion: usize, visit: usize) -> bool {
    visit > 0 && course.visits[visit - 1].states[lesion] == TrueState::Gone
}

/// Whether a new lesion can be told at all: an earlier visit imaged its place, and some visit gives it an outline of its own.
fn can_be_judged(course: &Course, lesion: usize, first: usize) -> bool {
    let mut own = course.visits.iter().flat_map(|visit| &visit.findings);
    let has_own = own.any(|f| f.holds.len() == 1 && f.holds.contains(&lesion));
    let finding = course.visits[first].findings.iter().find(|f| f.holds.contains(&lesion));
    has_own
        && finding.is_some_and(|f| {
            let z = f.outline.center().coords.z;
            course.visits[..first].iter().any(|v| z > v.covered_z_mm.0 && z < v.covered_z_mm.1)
        })
}

fn true_word(course: &Course, lesion: usize, visit: usize) -> &'static str {
    let own: Vec<_> = course.visits[visit].findings.iter().filter(|f| f.holds.contains(&lesion)).collect();
    let was_treated = (0..=visit).any(|v| course.visits[v].zones.iter().any(|zone| zone.lesion == lesion));
    match course.visits[visit].states[lesion] {
        TrueState::Outlined if was_treated => "viable at zone",
        TrueState::Outlined if own.iter().any(|f| f.holds.len() > 1) => "merged",
        TrueState::Outlined if own.len() > 1 => "split",
        TrueState::Outlined if was_gone(course, lesion, visit) => "reappeared",
        TrueState::Outlined => "seen",
        TrueState::Missed => "missed by outline",
        TrueState::Gone | TrueState::NotYet => "absent",
        TrueState::NotCovered => "not covered",
        TrueState::Ablated => "ablated",
    }
}

fn given_word(track: &LesionTrack, tracks: &[LesionTrack], visit: usize) -> String {
    let carries = |t: &LesionTrack| t.sightings.get(&visit).is_some_and(|s| s.merged_into.as_ref() == Some(&track.id));
    if tracks.iter().any(carries) {
        return "Merged".to_owned();
    }
    let event = track.event_at(visit).map(|event| format!("{event:?}"));
    event.unwrap_or_else(|| "not yet seen".to_owned())
}
