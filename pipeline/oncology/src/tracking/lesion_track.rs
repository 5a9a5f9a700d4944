//! One lesion over all visits, and what became of it at each.

use std::collections::{BTreeMap, BTreeSet};

use imaging::{Mm, Mm3, Patient, Point};
use serde::{Deserialize, Serialize};

use super::finding::ZoneContact;
use crate::lesion::{LesionId, LesionKind, LesionState, Organ};

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
    /// What was outlined, for the visits after it; `None` where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<SeenExtent>,
    /// Whether the visit does not image its place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_covered: bool,
}

/// Place and size of a lesion as one visit outlined it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeenExtent {
    /// Centroid in the baseline frame, freed of what all lesions of the visit were displaced by.
    pub place: Point<Patient>,
    /// Error of the place, one standard deviation per axis.
    pub error: Mm,
    /// Volume of all its pieces.
    pub volume: Mm3,
    /// The farthest voxel from the centroid.
    pub reach: Mm,
}

/// What happened to a lesion between two visits, in the words of a follow-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackEvent {
    /// Seen for the first time.
    New,
    /// Seen again.
    Seen,
    /// Seen, below the size that can be measured.
    TooSmall,
    /// Its place was imaged and it was not there.
    Absent,
    /// Its place was not imaged.
    NotCovered,
    /// Seen in several pieces.
    Split,
    /// Grown together with another lesion, which carries the common outline.
    Merged,
    /// A zone without viable tumour stands in its place.
    Ablated,
    /// Viable tumour at the zone before complete ablation was documented.
    Residual,
    /// Viable tumour at the zone afterwards.
    LocalProgression,
    /// Seen again after it had been absent.
    Reappeared,
    /// A reader should say.
    Uncertain,
    /// Registration failed.
    NotEvaluable,
}

/// A sphere of this diameter is too small to measure, mm. Source: Eisenhauer et al. 2009 (RECIST 1.1), default of 5 mm.
const TOO_SMALL_MM: f64 = 5.0;

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
    /// Why it may be no lesion at all, as it was first found; `None` where nothing said so. The visits at which that still
    /// stands are uncertain ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perhaps_none: Option<String>,
    /// What was seen, by visit.
    pub sightings: BTreeMap<usize, Sighting>,
}

impl Sighting {
    /// Nothing was outlined.
    pub fn without_outline(state: LesionState, reason: String) -> Self {
        Self {
            state,
            labels: Vec::new(),
            center: None,
            confidence: 1.0,
            runner_up: None,
            merged_into: None,
            contact: None,
            reason,
            extent: None,
            not_covered: false,
        }
    }
    /// The diameter of a sphere of its volume; `None` where nothing was outlined.
    pub fn diameter(&self) -> Option<Mm> {
        self.extent.map(|extent| sphere_diameter(extent.volume))
    }
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
    /// What happened to it by a visit.
    pub fn event_at(&self, visit: usize) -> Option<TrackEvent> {
        let seen = self.sightings.get(&visit)?;
        let before = self.sightings.range(..visit).rev().find(|(_, s)| s.state != LesionState::NotEvaluable);
        Some(match seen.state {
            LesionState::Present if visit == self.first_visit && visit > 0 => TrackEvent::New,
            LesionState::Present if seen.labels.len() > 1 => TrackEvent::Split,
            LesionState::Present if before.is_some_and(|(_, s)| s.state == LesionState::Absent) => {
                TrackEvent::Reappeared
            }
            LesionState::Present if seen.diameter().is_some_and(|mm| mm.0 < TOO_SMALL_MM) => TrackEvent::TooSmall,
            LesionState::Present => TrackEvent::Seen,
            LesionState::Absent => TrackEvent::Absent,
            LesionState::Ablated => TrackEvent::Ablated,
            LesionState::Residual => TrackEvent::Residual,
            LesionState::LocalProgression => TrackEvent::LocalProgression,
            LesionState::Merged => TrackEvent::Merged,
            LesionState::Uncertain => TrackEvent::Uncertain,
            LesionState::NotEvaluable if seen.not_covered => TrackEvent::NotCovered,
            LesionState::NotEvaluable => TrackEvent::NotEvaluable,
        })
    }
    /// The state at a visit.
    pub fn state_at(&self, visit: usize) -> Option<LesionState> {
        self.sightings.get(&visit).map(|s| s.state)
    }
}

/// The diameter of a sphere of a volume.
pub(super) fn sphere_diameter(volume: Mm3) -> Mm {
    Mm((6.0 * volume.0 / std::f64::consts::PI).cbrt())
}
