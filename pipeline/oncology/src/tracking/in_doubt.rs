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
    let why = finding.perhaps_none.as_ref().filter(|_| finding.reader_name.is_none())?;
    Some(format!("perhaps no lesion: {why}"))
}

/// Looks back when all visits are known: from the visit on at which a lesion in doubt has grown since an earlier one, it is one. A lesion
/// that a reader named is one at every visit.
pub fn settle_lesions_in_doubt(tracks: &mut [LesionTrack]) {
    for track in tracks.iter_mut().filter(|track| track.perhaps_none.is_some()) {
        let from = if track.reader_name.is_some() { Some(track.first_visit) } else { grown_at(track) };
        let Some(from) = from else { continue };
        let first = track.sightings.get(&track.first_visit).map(|seen| seen.reason.clone());
        for (_, seen) in track.sightings.range_mut(from..) {
            if seen.state == LesionState::Uncertain && Some(&seen.reason) == first.as_ref() {
                seen.state = LesionState::Present;
                seen.reason = String::new();
            }
        }
    }
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
        let options = TrackingOptions { max_distance: Mm(25.0), uncertain_ratio: 0.8 };
        let mut tracks = Vec::new();
        for (visit, mm) in diameters.iter().enumerate() {
            let finding = Finding {
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
                reader_name: reader.map(str::to_owned),
            };
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
        let tracks = followed(diameters, reader);
        assert_eq!(tracks.len(), 1);
        tracks[0].sightings.values().map(|seen| seen.state).collect()
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
