//! Findings that are perhaps no lesion: they are followed and counted once they have grown.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.5 for what is equivocal until a later scan confirms it; the least growth is that of
//! progression (§4.3.1), here of the sphere of the same volume. The rule is the project's own.

use imaging::Mm;

use super::finding::Finding;
use super::lesion_track::{LesionTrack, Sighting};
use crate::lesion::LesionState;

/// Least growth that confirms a lesion, mm and share.
const GROWN_MM: f64 = 5.0;
const GROWN_SHARE: f64 = 0.2;

/// Why a finding without a reader's name is uncertain from its first sight on; `None` where nothing speaks against it.
pub(super) fn doubt(finding: &Finding) -> Option<String> {
    let why = finding.perhaps_none.as_deref().filter(|_| finding.reader_name.is_none())?;
    Some(told(why))
}

fn told(why: &str) -> String {
    format!("perhaps no lesion: {why}")
}

/// Whether a lesion in doubt is outlined here by findings against which nothing speaks, and nothing but the doubt stood against it.
pub(super) fn is_cleared(track: &LesionTrack, first: &Sighting, pieces: &[&Finding]) -> bool {
    let is_own = track.perhaps_none.as_deref().is_some_and(|why| first.reason == told(why));
    is_own && pieces.iter().any(|finding| finding.perhaps_none.is_none())
}

/// Looks back when all visits are known: a lesion in doubt is one from the visit on at which it has grown since an earlier one or is
/// outlined where nothing speaks against it. A lesion that a reader named is one at every visit.
pub fn settle_lesions_in_doubt(tracks: &mut [LesionTrack]) {
    for track in tracks.iter_mut().filter(|track| track.perhaps_none.is_some()) {
        if track.reader_name.is_some() {
            lift(track, track.first_visit);
        } else if let Some(from) = [grown_at(track), cleared_at(track)].into_iter().flatten().min() {
            lift(track, from);
        }
    }
}

impl LesionTrack {
    /// Whether at a visit it is perhaps no lesion.
    pub fn is_perhaps_none_at(&self, visit: usize) -> bool {
        let reason = self.perhaps_none.as_deref().map(told);
        let seen = self.sightings.get(&visit).filter(|seen| seen.state == LesionState::Uncertain);
        seen.is_some_and(|seen| Some(&seen.reason) == reason.as_ref())
    }

    /// Whether it is perhaps none, and at no visit one.
    pub fn is_perhaps_none(&self) -> bool {
        let outlined = || self.sightings.iter().filter(|(_, seen)| !seen.labels.is_empty());
        self.perhaps_none.is_some()
            && outlined().any(|(visit, _)| self.is_perhaps_none_at(*visit))
            && outlined().all(|(_, seen)| seen.state == LesionState::Uncertain)
    }
}

/// A reader says that it is a lesion: it is one at every visit.
pub fn confirm(track: &mut LesionTrack) {
    lift(track, track.first_visit);
    track.perhaps_none = None;
}

/// Takes the doubt away from a visit on; what is uncertain for another reason stays so.
fn lift(track: &mut LesionTrack, from: usize) {
    let Some(reason) = track.perhaps_none.as_deref().map(told) else { return };
    let doubted = |seen: &&mut Sighting| seen.state == LesionState::Uncertain && seen.reason == reason;
    for seen in track.sightings.range_mut(from..).map(|(_, seen)| seen).filter(doubted) {
        seen.state = LesionState::Present;
        seen.reason = String::new();
    }
}

/// The first visit that outlines it without a doubt.
fn cleared_at(track: &LesionTrack) -> Option<usize> {
    let is_certain = |seen: &Sighting| seen.state == LesionState::Present && !seen.labels.is_empty();
    track.sightings.iter().find(|(_, seen)| is_certain(seen)).map(|(visit, _)| *visit)
}

/// The first visit at which the lesion, outlined in one piece, is larger than at an earlier one by what progression asks for.
fn grown_at(track: &LesionTrack) -> Option<usize> {
    let whole = |seen: &Sighting| seen.diameter().filter(|_| seen.labels.len() == 1);
    let mut smallest: Option<Mm> = None;
    for (visit, seen) in &track.sightings {
        let Some(now) = whole(seen) else { continue };
        if smallest.is_some_and(|then| now.0 - then.0 >= GROWN_MM && now.0 >= then.0 * (1.0 + GROWN_SHARE)) {
            return Some(*visit);
        }
        smallest = Some(smallest.map_or(now, |then| Mm(then.0.min(now.0))));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use imaging::{Mm3, Point};

    use super::super::{TrackingOptions, VisitFindings, follow};
    use super::*;
    use crate::lesion::{LesionKind, Organ};

    /// A finding outside the organ with the volume of a sphere of each diameter, visit by visit.
    fn followed(diameters: &[f64], reader: Option<&str>) -> Vec<LesionTrack> {
        followed_with(diameters, |finding, _| finding.reader_name = reader.map(str::to_owned))
    }

    fn followed_with(diameters: &[f64], change: impl Fn(&mut Finding, usize)) -> Vec<LesionTrack> {
        let options = TrackingOptions { max_distance: Mm(25.0), uncertain_ratio: 0.8 };
        let mut tracks = Vec::new();
        for (visit, mm) in diameters.iter().enumerate() {
            let mut finding = Finding {
                label: 1,
                center: Point::new(0.0, 0.0, 0.0),
                volume: Mm3(mm.powi(3) * std::f64::consts::PI / 6.0),
                organ: Organ::Lung,
                kind: LesionKind::Lesion,
                contact: None,
                reach: Mm(mm / 2.0),
                covers: BTreeSet::new(),
                overlaps: BTreeMap::new(),
                unseen_before: None,
                doubt: None,
                perhaps_none: Some("outside the liver".to_owned()),
                reader_name: None,
            };
            change(&mut finding, visit);
            let seen = VisitFindings {
                visit,
                findings: vec![finding],
                zones_visible: BTreeSet::new(),
                not_evaluable: None,
                not_covered: BTreeSet::new(),
                registration_error: None,
                reserved: BTreeSet::new(),
                controls: BTreeSet::new(),
            };
            tracks = follow(tracks, &seen, &options).value;
        }
        settle_lesions_in_doubt(&mut tracks);
        tracks
    }

    fn states(diameters: &[f64], reader: Option<&str>) -> Vec<LesionState> {
        states_of(&followed(diameters, reader))
    }

    fn states_of(tracks: &[LesionTrack]) -> Vec<LesionState> {
        assert_eq!(tracks.len(), 1);
        tracks[0].sightings.values().map(|seen| seen.state).collect()
    }

    #[test]
    fn what_is_later_outlined_in_the_organ_is_a_lesion_from_there_on() {
        use LesionState::{Present, Uncertain};
        let inside = followed_with(&[12.0, 12.0, 12.0], |finding, visit| {
            if visit == 1 {
                finding.perhaps_none = None;
            }
        });
        assert_eq!(states_of(&inside), [Uncertain, Present, Present]);
    }

    #[test]
    fn growth_lifts_no_other_doubt() {
        use LesionState::Uncertain;
        let tracks = followed_with(&[9.0, 12.0, 18.0], |finding, visit| {
            if visit == 0 {
                finding.center = Point::new(200.0, 0.0, 0.0);
                finding.perhaps_none = None;
            }
            finding.unseen_before = Some("its place was not imaged before".to_owned());
        });
        let second = &tracks[1];
        assert_eq!(second.sightings.values().map(|seen| seen.state).collect::<Vec<_>>(), [Uncertain, Uncertain]);
        assert!(second.sightings[&2].reason.starts_with("whether it is new"), "{:?}", second.sightings[&2]);
    }

    #[test]
    fn a_reader_who_confirms_takes_the_doubt_away_at_every_visit() {
        let mut tracks = followed(&[12.0, 12.0], None);
        confirm(&mut tracks[0]);
        assert_eq!(states_of(&tracks), [LesionState::Present; 2]);
        assert_eq!(tracks[0].perhaps_none, None);
    }

    #[test]
    fn a_finding_in_doubt_is_a_lesion_from_the_visit_on_that_shows_it_grown() {
        use LesionState::{Present, Uncertain};
        assert_eq!(states(&[12.0, 12.5, 17.1, 16.0], None), [Uncertain, Uncertain, Present, Present]);
        assert_eq!(states(&[12.0, 16.9], None), [Uncertain, Uncertain]);
        assert_eq!(states(&[30.0, 35.5], None), [Uncertain, Uncertain], "18 %");
        assert_eq!(states(&[20.0, 12.0, 17.5], None), [Uncertain, Uncertain, Present]);
        assert_eq!(states(&[12.0, 12.0], Some("T1")), [Present, Present]);
        let reason = &followed(&[12.0], None)[0].sightings[&0].reason;
        assert_eq!(reason, "perhaps no lesion: outside the liver");
    }
}
