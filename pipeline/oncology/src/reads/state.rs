//! What a reader can have seen: the lesions as the program followed them, and a digest of each place a read can be bound to.

use std::collections::BTreeMap;

use imaging::Grid;

use super::apply::ReaderAxes;
use crate::lesion::{LesionId, LesionKind, LesionState};
use crate::visit_id::VisitId;

/// One lesion at one visit.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadableSight {
    /// What became of it.
    pub state: LesionState,
    /// Digest of what is outlined and measured there; the same as long as that is the same.
    pub digest: String,
    /// Its long axis in words; empty where there is none.
    pub long_axis: String,
    /// Its short axis in words.
    pub short_axis: String,
    /// The diameters themselves.
    pub found: ReaderAxes,
    /// Boxes round what is outlined, by slice; empty where nothing is.
    pub outlined: BTreeMap<usize, Vec<Box2>>,
}

/// A rectangle of a slice: its first and its last corner, in voxels along columns and rows.
pub type Box2 = [[f64; 2]; 2];

/// One lesion as the program followed it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadableLesion {
    /// Its name.
    pub id: LesionId,
    /// Its tracking UID.
    pub tracking_uid: String,
    /// Its part by the leading criterion.
    pub role: String,
    /// Lymph node or not.
    pub kind: LesionKind,
    /// Whether it is perhaps none, at every visit that outlines it.
    pub in_doubt: bool,
    /// What was seen, by index of the visit; the first entry is its first sight.
    pub at: BTreeMap<usize, ReadableSight>,
}

/// One patient as the program followed him.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadState {
    /// Patient identifier or pseudonym.
    pub patient_id: String,
    /// Visits in order.
    pub visits: Vec<VisitId>,
    /// Grid of the measured series of each visit.
    pub grids: Vec<Grid>,
    /// Lesions.
    pub lesions: Vec<ReadableLesion>,
}

/// The name of what a split makes of a lesion from a visit on.
#[must_use]
pub fn part_name(lesion: &LesionId, visit: VisitId) -> LesionId {
    LesionId::new(format!("{lesion}.{visit}"))
}

impl ReadState {
    /// Index of a visit.
    pub(super) fn visit(&self, name: &str) -> Option<usize> {
        self.visits.iter().position(|visit| visit.to_string() == name)
    }

    /// A lesion, or the part of one that a split made, with the index of the split.
    pub(super) fn lesion(&self, id: &str) -> Option<(&ReadableLesion, Option<usize>)> {
        if let Some(lesion) = self.lesions.iter().find(|lesion| lesion.id.as_str() == id) {
            return Some((lesion, None));
        }
        let (whole, visit) = id.rsplit_once('.')?;
        let at = self.visit(visit)?;
        let lesion = self.lesions.iter().find(|lesion| lesion.id.as_str() == whole)?;
        lesion.at.contains_key(&at).then_some((lesion, Some(at)))
    }
}
