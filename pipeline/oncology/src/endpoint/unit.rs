//! What an endpoint follows: a patient, a cycle, a treated lesion, or a response, each from its origin on.
//!
//! Source: Xu et al. 2021 for cycles as units; Puijk et al. 2021 for treated lesions as units, and for disease-free survival
//! as an endpoint of those whose disease was removed completely.

use std::collections::{BTreeMap, BTreeSet};

use super::patient::EndpointInput;
use super::preset::{Origin, Preset};
use super::rule::{Eligible, EndpointRule, Level};
use crate::lesion::LesionId;
use crate::modality::Modality;
use crate::time::Date;
use crate::treatment::{Cycle, Treatment};

/// One unit: what is followed, from when, and which lesions are its targets.
pub(super) struct Unit {
    pub(super) id: String,
    pub(super) origin: Date,
    pub(super) targets: BTreeSet<LesionId>,
    /// Only progression booked on these counts as local; `None` for all lesions.
    pub(super) only: Option<BTreeSet<LesionId>>,
}

/// A patient's treatments as the units see them.
pub(super) struct Course<'a> {
    pub(super) input: &'a EndpointInput,
    pub(super) sessions: &'a [Treatment],
    pub(super) cycles: &'a [Cycle],
    pub(super) preset: &'a Preset,
    pub(super) first_progression: Option<Date>,
}

impl Course<'_> {
    /// The units of an endpoint; none for a patient it is not meant for.
    pub(super) fn units(&self, rule: &EndpointRule) -> Vec<Unit> {
        let Self { input, sessions, cycles, preset, first_progression } = *self;
        let patient = || patient_unit(input, sessions, cycles, preset, first_progression);
        if rule.eligible == Eligible::DiseaseFree
            && !patient().first().is_some_and(|unit| is_disease_free(input, unit.origin))
        {
            return Vec::new();
        }
        match rule.level {
            Level::Patient => patient(),
            Level::Cycle => cycle_units(sessions, cycles, preset, first_progression),
            Level::TreatedLesion => lesion_units(sessions, cycles, preset, first_progression),
            Level::Response | Level::ConfirmedResponse => {
                let first =
                    if rule.level == Level::Response { input.first_response } else { input.first_confirmed_response };
                let responded = |unit: Unit| Some(Unit { origin: first?, ..unit });
                patient().into_iter().filter_map(responded).collect()
            }
        }
    }
}

/// Whether every lesion known up to the origin was completely ablated, as documented, or resected.
fn is_disease_free(input: &EndpointInput, origin: Date) -> bool {
    let resected = |lesion: &LesionId| {
        let surgery = |treatment: &&Treatment| treatment.modality == Modality::Surgery;
        input.clinical.treatments.iter().filter(surgery).any(|treatment| treatment.target_lesions.contains(lesion))
    };
    let ablated = |lesion: &LesionId| {
        input.events.iter().any(|event| event.event == "complete_ablation" && event.lesion_id == lesion.as_str())
    };
    let mut known = input.first_seen.iter().filter(|(_, seen)| **seen <= origin).map(|(lesion, _)| lesion).peekable();
    known.peek().is_some() && known.all(|lesion| ablated(lesion) || resected(lesion))
}

fn patient_unit(
    input: &EndpointInput,
    sessions: &[Treatment],
    cycles: &[Cycle],
    preset: &Preset,
    first_progression: Option<Date>,
) -> Vec<Unit> {
    let id = input.clinical.patient_id.clone();
    let Some(cycle) = cycles.first() else {
        let unit = |origin| Unit { id: id.clone(), origin, targets: BTreeSet::new(), only: None };
        return first_systemic(input).or(input.baseline_date).map(unit).into_iter().collect();
    };
    let origin = origin_of(sessions, &cycle.sessions, preset, first_progression);
    vec![Unit { id, origin, targets: targets_of(sessions, &cycle.sessions), only: None }]
}

/// Start of systemic therapy: the origin of a patient without locoregional treatment, whose therapy is then not a new one.
pub(super) fn first_systemic(input: &EndpointInput) -> Option<Date> {
    input.clinical.treatments.iter().filter(|t| !t.modality.is_locoregional()).map(|t| t.date).min()
}

fn cycle_units(
    sessions: &[Treatment],
    cycles: &[Cycle],
    preset: &Preset,
    first_progression: Option<Date>,
) -> Vec<Unit> {
    let unit = |(index, cycle): (usize, &Cycle)| {
        // Only the first cycle precedes all progression: later cycles treat what progressed.
        let progression = first_progression.filter(|_| index == 0);
        Unit {
            id: format!("C{}", index + 1),
            origin: origin_of(sessions, &cycle.sessions, preset, progression),
            targets: targets_of(sessions, &cycle.sessions),
            only: Some(targets_of(sessions, &cycle.sessions)),
        }
    };
    cycles.iter().enumerate().map(unit).collect()
}

fn lesion_units(
    sessions: &[Treatment],
    cycles: &[Cycle],
    preset: &Preset,
    first_progression: Option<Date>,
) -> Vec<Unit> {
    let mut units: BTreeMap<LesionId, Unit> = BTreeMap::new();
    for (index, cycle) in cycles.iter().enumerate() {
        for lesion in targets_of(sessions, &cycle.sessions) {
            let treats = |session: &&usize| sessions[**session].target_lesions.contains(&lesion);
            let own: Vec<usize> = cycle.sessions.iter().filter(treats).copied().collect();
            let progression = first_progression.filter(|_| index == 0);
            let origin = origin_of(sessions, &own, preset, progression);
            let of = BTreeSet::from([lesion.clone()]);
            // A lesion treated again in a later cycle is followed from its first.
            let unit = Unit { id: lesion.to_string(), origin, targets: of.clone(), only: Some(of) };
            units.entry(lesion).or_insert(unit);
        }
    }
    units.into_values().collect()
}

/// Last session that does not follow a progression, or the first session. A session after a documented progression treats
/// that progression: moving the origin behind it would hide the event.
fn origin_of(sessions: &[Treatment], of: &[usize], preset: &Preset, first_progression: Option<Date>) -> Date {
    let dates = || of.iter().map(|session| sessions[*session].date);
    let first = dates().min().unwrap_or_else(|| sessions[0].date);
    match preset.origin {
        Origin::FirstTreatment => first,
        Origin::CycleCompletion => {
            let before = dates().filter(|date| first_progression.is_none_or(|progression| *date <= progression));
            before.max().unwrap_or(first)
        }
    }
}

fn targets_of(sessions: &[Treatment], of: &[usize]) -> BTreeSet<LesionId> {
    of.iter().flat_map(|session| sessions[*session].target_lesions.iter().cloned()).collect()
}
