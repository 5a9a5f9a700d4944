//! Which labels lie in which: by them an organ in several pieces hangs together.

use std::collections::BTreeSet;

use crate::card::{Card, Label, Role};

/// The labels that lie in an organ: those that are to be near it ([`crate::card::OnlyNear`]), and lesions and ablation zones of the
/// organ of its name. Nothing lies in a lesion or a zone.
pub(super) fn linked(organ: &Label, card: &Card) -> BTreeSet<u16> {
    if organ.role != Role::Organ {
        return BTreeSet::new();
    }
    let lies_in = |label: &&Label| {
        let near = label.only_near.as_ref().is_some_and(|near| near.labels.contains(&organ.index));
        let of_it = matches!(label.role, Role::Lesion | Role::AblationZone)
            && label.organ.is_some()
            && label.organ == organ.organ;
        label.index != organ.index && (near || of_it)
    };
    card.labels.iter().filter(lies_in).map(|label| label.index).collect()
}
