//! What a reader's marks say of lesions over time.

use std::collections::{BTreeMap, BTreeSet};

use imaging::{Mm, Mm3, Note};
use oncology::tracking::Finding;
use oncology::{LesionId, LesionKind};

use super::Tracked;
use crate::stages::find::VisitFacts;
use crate::stages::marks::{Mark, Unmeasured};

/// The names readers gave, which no other lesion may get.
pub(super) fn readers(visits: &[VisitFacts]) -> BTreeSet<LesionId> {
    visits.iter().flat_map(marks).map(|mark| LesionId::new(mark.name.clone())).collect()
}

fn marks(visit: &VisitFacts) -> impl Iterator<Item = &Mark> {
    visit.marked.by_label.values().chain(visit.marked.unmeasured.iter().map(|u| &u.mark))
}

/// A marked lesion without an outline as a finding: it has a place and a name, and no size.
pub(super) fn finding(unmeasured: &Unmeasured, visit: &VisitFacts) -> Finding {
    let mark = &unmeasured.mark;
    Finding {
        label: unmeasured.label,
        center: visit.to_baseline.to_fixed(unmeasured.point),
        volume: Mm3(0.0),
        organ: mark.organ.clone(),
        kind: if mark.is_node { LesionKind::Node } else { LesionKind::Lesion },
        contact: None,
        reach: Mm(0.0),
        covers: BTreeSet::new(),
        overlaps: BTreeMap::new(),
        unseen_before: None,
        doubt: None,
        perhaps_none: None,
        reader_name: Some(mark.name.clone()),
    }
}

/// The role a reader states of each lesion (the first one stated), with what a reader should know of names.
pub(super) fn roles(visits: &[VisitFacts], tracked: &mut Tracked) {
    for track in &tracked.tracks {
        let Some(name) = &track.reader_name else { continue };
        if track.id.as_str() != name {
            let message = format!(
                "the reader's {name} is followed as {}: it was first seen before it was marked, or its name was taken",
                track.id
            );
            tracked.notes.push(Note::info("reader_name", track.id.as_str(), message));
        }
        let stated: Vec<_> = visits.iter().flat_map(marks).filter(|m| m.name == *name).filter_map(|m| m.role).collect();
        if let Some(role) = stated.first() {
            tracked.roles.insert(track.id.clone(), *role);
        }
        if stated.iter().any(|role| Some(role) != stated.first()) {
            let message = format!("the reader gives {name} different roles; the first one is used");
            tracked.notes.push(Note::warning("reader_role_changes", track.id.as_str(), message));
        }
    }
}
