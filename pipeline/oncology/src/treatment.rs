//! Treatments, and their grouping from sessions into cycles.
//!
//! Source: Xu et al. 2021 for the grouping (a session opens a new cycle when it treats a lesion that was not there at the
//! baseline of the running cycle, at least 8 weeks after its first session).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lesion::LesionId;
use crate::modality::Modality;
use crate::time::{Date, Days};

/// One treatment session of a patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Treatment {
    /// Its date.
    pub date: Date,
    /// Session as recorded; empty when not.
    pub session: String,
    /// Cycle as recorded; the grouping rule decides where empty.
    pub cycle: Option<u32>,
    /// What was done.
    pub modality: Modality,
    /// Lesions treated; empty when not recorded or not local.
    pub target_lesions: Vec<LesionId>,
    /// Grade of complications as recorded; empty when not.
    pub complication_grade: String,
}

/// What caused a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeathCause {
    /// The cancer under study, its progression or its treatment.
    Disease,
    /// Anything else.
    Other,
    /// Not stated.
    #[default]
    Unknown,
}

impl DeathCause {
    /// From the column `death_cause` of `patients.csv`: `disease` or `cancer`, `other`, empty or `unknown`; any other word is
    /// not guessed.
    pub fn from_word(word: &str) -> Option<Self> {
        match word.trim().to_lowercase().as_str() {
            "disease" | "cancer" => Some(Self::Disease),
            "other" => Some(Self::Other),
            "" | "unknown" => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// What the clinic knows of a patient apart from images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClinicalFacts {
    /// Patient identifier or pseudonym.
    pub patient_id: String,
    /// Date of death.
    pub death_date: Option<Date>,
    /// What caused it.
    #[serde(default)]
    pub death_cause: DeathCause,
    /// Last date known to be alive.
    pub last_contact_date: Option<Date>,
    /// Treatments, in any order.
    pub treatments: Vec<Treatment>,
}

/// When a session opens a new cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewCycle {
    /// Only when it treats a lesion that was not there at the baseline of the running cycle.
    NeedsNewLesion,
    /// Whenever enough time has passed.
    AnySession,
}

/// How sessions are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CycleRule {
    /// Least days from the first session of the running cycle.
    pub gap_days: i64,
    /// Whether a new lesion is needed besides.
    pub new_cycle: NewCycle,
}

/// One cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// Indices of its sessions in the list given.
    pub sessions: Vec<usize>,
    /// Date of its first session.
    pub start: Date,
    /// Date of its last session.
    pub completion: Date,
}

/// Groups sessions, given in chronological order, into cycles. `treats_new(session, start)` says whether a session treats a
/// lesion that was not there at the baseline of the cycle that started on that date.
pub fn group_cycles(sessions: &[Date], rule: CycleRule, treats_new: impl Fn(usize, Date) -> bool) -> Vec<Cycle> {
    let mut cycles: Vec<Cycle> = Vec::new();
    for (index, date) in sessions.iter().enumerate() {
        let opens = cycles.last().is_none_or(|running| {
            let late = Days::between(running.start, *date).0 >= rule.gap_days;
            late && (rule.new_cycle == NewCycle::AnySession || treats_new(index, running.start))
        });
        match cycles.last_mut().filter(|_| !opens) {
            Some(running) => {
                running.sessions.push(index);
                running.completion = *date;
            }
            None => cycles.push(Cycle { sessions: vec![index], start: *date, completion: *date }),
        }
    }
    cycles
}

/// The locoregional sessions of a patient in cycles; indices point into the treatments sorted by date, which come back too.
/// Recorded cycle numbers are kept where every session has one. `first_seen` says when each lesion was first seen.
pub fn cycles_of(
    clinical: &ClinicalFacts,
    first_seen: &BTreeMap<LesionId, Date>,
    rule: CycleRule,
) -> (Vec<Treatment>, Vec<Cycle>) {
    let mut local: Vec<Treatment> =
        clinical.treatments.iter().filter(|treatment| treatment.modality.is_locoregional()).cloned().collect();
    local.sort_by_key(|treatment| treatment.date);
    let recorded: Option<Vec<u32>> = local.iter().map(|treatment| treatment.cycle).collect();
    if let Some(recorded) = recorded {
        let cycles = by_record(&local, &recorded);
        return (local, cycles);
    }
    let dates: Vec<Date> = local.iter().map(|treatment| treatment.date).collect();
    let treats_new = |session: usize, start: Date| {
        local[session].target_lesions.iter().any(|lesion| first_seen.get(lesion).is_some_and(|seen| *seen > start))
    };
    let cycles = group_cycles(&dates, rule, treats_new);
    (local, cycles)
}

fn by_record(local: &[Treatment], recorded: &[u32]) -> Vec<Cycle> {
    let mut sessions: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, number) in recorded.iter().enumerate() {
        sessions.entry(*number).or_default().push(index);
    }
    let cycle = |sessions: Vec<usize>| {
        let (first, last) = (*sessions.first()?, *sessions.last()?);
        Some(Cycle { start: local[first].date, completion: local[last].date, sessions })
    };
    sessions.into_values().filter_map(cycle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const RULE: CycleRule = CycleRule { gap_days: 56, new_cycle: NewCycle::NeedsNewLesion };

    #[test]
    fn a_late_session_on_an_old_lesion_stays_in_its_cycle() {
        let dates = [date(2024, 1, 1), date(2024, 4, 1), date(2024, 8, 1)];
        let cycles = group_cycles(&dates, RULE, |session, _| session == 2);
        assert_eq!(cycles.iter().map(|cycle| cycle.sessions.clone()).collect::<Vec<_>>(), [vec![0, 1], vec![2]]);
        assert_eq!(cycles[0].completion, date(2024, 4, 1));
        let any = CycleRule { new_cycle: NewCycle::AnySession, ..RULE };
        assert_eq!(group_cycles(&dates, any, |_, _| false).len(), 3);
    }

    #[test]
    fn recorded_cycles_win() {
        let session = |day: Date, cycle: u32| Treatment {
            date: day,
            session: String::new(),
            cycle: Some(cycle),
            modality: Modality::Mwa,
            target_lesions: Vec::new(),
            complication_grade: String::new(),
        };
        let clinical = ClinicalFacts {
            patient_id: "P1".to_owned(),
            death_date: None,
            death_cause: DeathCause::Unknown,
            last_contact_date: None,
            treatments: vec![session(date(2024, 3, 1), 2), session(date(2024, 2, 1), 1)],
        };
        let (local, cycles) = cycles_of(&clinical, &BTreeMap::new(), RULE);
        assert_eq!((local[0].date, cycles.len()), (date(2024, 2, 1), 2));
    }
}
