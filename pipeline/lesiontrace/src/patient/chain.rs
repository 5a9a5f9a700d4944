//! Visits that could not be registered to baseline directly, tried through another visit that could.
//!
//! Baseline and such a visit may show too little of the same body, or the liver may have become another one by surgery and growth, while
//! a visit between them resembles both. The errors of both steps add, and the verdict is *review* at best.

use imaging::Note;
use imaging::registration::{Quality, Registration};

use super::visits::{Setting, register_pair};
use crate::plan::PatientPlan;
use crate::stages::find::VisitFacts;
use crate::stages::segment::StageError;

/// Visits tried for each that failed.
const MOST_TRIED: usize = 2;

/// Puts a registration through another visit in the place of one that failed, where there is one. Visits with a map that was given
/// are left with it.
pub(super) fn try_through_others(
    patient: &PatientPlan,
    setting: Setting<'_>,
    visits: &mut [VisitFacts],
) -> Result<(), StageError> {
    for n in 1..visits.len() {
        if visits[n].to_baseline.quality < Quality::Fail || patient.visits[n].given_map.is_some() {
            continue;
        }
        for middle in candidates(patient, visits, n) {
            let mut notes = Vec::new();
            let last = register_pair(patient, setting, middle, n, &mut notes)?;
            let Some(found) = through(&visits[middle].to_baseline, &last) else { continue };
            take(visits, n, middle, found);
            visits[n].notes.extend(notes);
            break;
        }
    }
    Ok(())
}

/// Visits of the same modality that were registered to baseline directly, the best and then the nearest in order first.
fn candidates(patient: &PatientPlan, visits: &[VisitFacts], n: usize) -> Vec<usize> {
    let modality = |n: usize| patient.visits[n].measure.entry.row.modality.as_str();
    let can = |m: &usize| {
        let direct = &visits[*m].to_baseline;
        *m != n && modality(*m) == modality(n) && direct.quality < Quality::Fail && direct.links.is_empty()
    };
    let mut others: Vec<usize> = (1..visits.len()).filter(can).collect();
    others.sort_by_key(|m| (visits[*m].to_baseline.quality, m.abs_diff(n), *m));
    others.truncate(MOST_TRIED);
    others
}

/// The map from the visit to baseline through a middle one; `None` where it is no better than none.
fn through(first: &Registration, last: &Registration) -> Option<Registration> {
    let found = if last.quality < Quality::Fail { first.after(last).ok()? } else { return None };
    (found.quality < Quality::Fail).then_some(found)
}

fn take(visits: &mut [VisitFacts], n: usize, middle: usize, mut found: Registration) {
    let (directly, by) = (visits[n].to_baseline.reasons.join("; "), visits[middle].id);
    let why = format!("carried to baseline through the visit of {by}, as directly it failed ({directly})");
    found.reasons.insert(0, why.clone());
    let subject = visits[n].measured.role.clone();
    visits[n].notes.push(Note::warning("registered_through", subject, format!("{}: {why}", visits[n].id)));
    visits[n].to_baseline = found;
}
