//! What one visit shows, before anything in it has an identity.

use std::collections::{BTreeMap, BTreeSet};

use imaging::{Mm, Mm3, Patient, Point};
use serde::{Deserialize, Serialize};

use crate::lesion::{LesionId, LesionKind, Organ};

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
    /// The farthest of its voxels from the centroid.
    pub reach: Mm,
    /// Known lesions whose last centre lies inside this finding.
    pub covers: BTreeSet<LesionId>,
    /// How it lies on known lesions as they were last outlined; those it does not touch are left out.
    pub overlaps: BTreeMap<LesionId, Overlap>,
    /// Why nothing could be seen at its place before this visit; `None` where an earlier visit shows the place.
    pub unseen_before: Option<String>,
    /// What speaks against a new lesion: seen before at a lower threshold, a cyst, a vessel's end, an artefact; `None` when nothing.
    pub doubt: Option<String>,
    /// Why it may be no lesion at all, such as a place a model was not made to look at; `None` where nothing says so.
    pub perhaps_none: Option<String>,
    /// The name a reader gave it: findings of one name are one lesion, findings of different names are not.
    pub reader_name: Option<String>,
}

/// How a finding and a known lesion's last outline lie on one another, in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlap {
    /// Share of the lesion's last outline that lies inside the finding.
    pub of_lesion: f64,
    /// Share of the finding that lies inside the lesion's last outline.
    pub of_finding: f64,
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
    /// Standard deviation of the zone's place: 0 for a zone of the same image; `None` for one that was carried from another visit
    /// with an error that is not known.
    #[serde(default)]
    pub sigma: Option<Mm>,
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
    /// Why absence cannot be judged at this visit (registration failed); `None` when it can.
    pub not_evaluable: Option<String>,
    /// Lesions whose place this visit does not image.
    pub not_covered: BTreeSet<LesionId>,
    /// Error of the registration to baseline, one standard deviation per axis; `None` where it is not known.
    pub registration_error: Option<Mm>,
    /// Names that readers gave at any visit: no other lesion is called so.
    pub reserved: BTreeSet<LesionId>,
    /// Visits that are a control on the day of a treatment, this one included: they document no complete ablation. Whether all
    /// was ablated is read on a later study; the control tells where the zone is (Ahmed et al. 2014, technical success).
    pub controls: BTreeSet<usize>,
}
