//! The tables a study prints about its cohort: who was treated, how, and what came of it, by group.
//!
//! Source: the tables of Xu et al. 2021 and Narayanan et al. 2024, and what STROBE (von Elm 2007) asks of them: every unit that
//! is not in a number is counted beside it, with the reason.

pub mod best;
pub mod characteristics;
pub mod column;
pub mod node_response;
pub mod patterns;
pub mod predictors;
pub mod readings;
pub mod reporting;
pub mod response;
pub mod sensitivity;
pub mod summaries;
pub mod therapy;
pub mod time_to_event;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cohort::{AssessmentRow, EndpointRow, EventRow, LesionRow, MarginRow, MeasurementRow};
use crate::criteria::cycle::CycleResponse;
use crate::lesion::LesionId;
use crate::marker::MarkerReading;
use crate::oligometastatic::{AbscopalCandidate, Burden};
use crate::reads::ReadRow;
use crate::time::Date;
use crate::treatment::{ClinicalFacts, Cycle, CycleRule, Treatment, cycles_of};
use crate::visit_id::VisitId;

pub use best::BestOf;
pub use reporting::{Layout, Reporting, Success, Summary};

/// What the clinic and the reading of the images add to a patient's rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyFacts {
    /// Death, contact and treatments, each with the lesions it was found to treat.
    pub clinical: ClinicalFacts,
    /// Further columns of `patients.csv`.
    pub covariates: BTreeMap<String, String>,
    /// Readings of tumour markers.
    pub markers: Vec<MarkerReading>,
    /// Tumour burden at each response time point, baseline first.
    pub burdens: Vec<(VisitId, Burden)>,
    /// Untreated lesions that shrank.
    pub abscopal: Vec<AbscopalCandidate>,
    /// Responses of treatment cycles after the first, each by every criterion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later_cycles: Vec<CycleResponse>,
}

/// One patient as the tables need it.
#[derive(Debug, Clone, Copy)]
pub struct StudyPatient<'a> {
    /// Identifier or pseudonym.
    pub id: &'a str,
    /// Diagnosis in words; empty when not recorded.
    pub diagnosis: &'a str,
    /// What the clinic knows; `None` in results of versions that did not keep it.
    pub facts: Option<&'a StudyFacts>,
    /// Imaging visits, baseline first.
    pub visits: &'a [VisitId],
    /// What readers decided.
    pub reads: &'a [ReadRow],
    /// Rows of `lesions.csv`.
    pub lesions: &'a [LesionRow],
    /// Rows of `measurements.csv`.
    pub measurements: &'a [MeasurementRow],
    /// Rows of `margins.csv`.
    pub margins: &'a [MarginRow],
    /// Rows of `assessments.csv`.
    pub assessments: &'a [AssessmentRow],
    /// Rows of `events.csv`.
    pub events: &'a [EventRow],
    /// Rows of `endpoints.csv`.
    pub endpoints: &'a [EndpointRow],
    /// Rows that the other class of an unsure distance would change.
    pub other_endpoints: &'a [EndpointRow],
    /// Best overall responses.
    pub best: &'a [BestOf],
}

/// Why nothing clinical is known of a patient.
pub const NO_FACTS: &str = "the result of an earlier version does not keep it; run again";

impl StudyPatient<'_> {
    /// The locoregional sessions by date, and their cycles.
    pub fn course(&self, rule: CycleRule) -> (Vec<Treatment>, Vec<Cycle>) {
        let Some(facts) = self.facts else { return (Vec::new(), Vec::new()) };
        let first_seen =
            self.lesions.iter().map(|row| (LesionId::new(row.lesion_id.clone()), row.first_seen_date)).collect();
        cycles_of(&facts.clinical, &first_seen, rule)
    }

    /// The lesions treated in the first cycle, by identifier.
    pub fn first_targets(&self, rule: CycleRule) -> Vec<LesionId> {
        let (sessions, cycles) = self.course(rule);
        let of = cycles.first().map_or(&[][..], |cycle| cycle.sessions.as_slice());
        let mut targets: Vec<LesionId> =
            of.iter().flat_map(|session| sessions[*session].target_lesions.iter().cloned()).collect();
        targets.sort();
        targets.dedup();
        targets
    }

    /// The time origin of the patient's own endpoints.
    pub fn origin(&self) -> Option<Date> {
        self.endpoints.iter().find(|row| row.unit_id == self.id).map(|row| row.origin_date)
    }

    /// The longest diameter (short axis of a node) of a lesion at the last visit up to a date, mm.
    pub fn diameter_until(&self, lesion: &str, until: Date) -> Option<f64> {
        let is_node = self.lesions.iter().any(|row| row.lesion_id == lesion && row.kind == "node");
        let quantity = if is_node { "short_axis" } else { "long_axis" };
        let own = self.measurements.iter().filter(|row| row.lesion_id == lesion && row.quantity == quantity);
        let fits = own.filter(|row| row.evaluable && row.visit <= VisitId::first(until));
        fits.max_by_key(|row| row.visit).and_then(|row| row.value).filter(|value| *value > 0.0)
    }
}

/// Patients that are compared as one.
#[derive(Debug, Clone)]
pub struct StudyGroup<'a> {
    /// Name; `all` for everybody.
    pub name: String,
    /// Its patients, in the cohort's order.
    pub patients: Vec<StudyPatient<'a>>,
}

/// Name of the group that holds everybody.
pub const ALL: &str = "all";

/// More diagnoses than this are no groups to compare.
const MOST_GROUPS: usize = 6;

/// Everybody, then each diagnosis, the most frequent first; everybody alone where there is one diagnosis or more than six.
pub fn groups<'a>(patients: &[StudyPatient<'a>]) -> Vec<StudyGroup<'a>> {
    let mut by_name: BTreeMap<&str, Vec<StudyPatient<'a>>> = BTreeMap::new();
    for patient in patients {
        let name = if patient.diagnosis.is_empty() { "diagnosis not recorded" } else { patient.diagnosis };
        by_name.entry(name).or_default().push(*patient);
    }
    let all = StudyGroup { name: ALL.to_owned(), patients: patients.to_vec() };
    if !(2..=MOST_GROUPS).contains(&by_name.len()) {
        return vec![all];
    }
    let mut groups: Vec<StudyGroup<'a>> =
        by_name.into_iter().map(|(name, patients)| StudyGroup { name: name.to_owned(), patients }).collect();
    groups.sort_by(|a, b| b.patients.len().cmp(&a.patients.len()).then(a.name.cmp(&b.name)));
    groups.insert(0, all);
    groups
}

/// Percent of a share; `None` of nothing.
pub fn percent(n: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| 100.0 * n as f64 / of as f64)
}

/// What is not in a number, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<String, usize>);

impl LeftOut {
    /// One more for a reason.
    pub fn add(&mut self, reason: impl Into<String>) {
        *self.0.entry(reason.into()).or_default() += 1;
    }

    /// How many in all.
    pub fn n(&self) -> usize {
        self.0.values().sum()
    }

    /// `2 no imaging; 1 died before`, the most frequent reason first; empty for none.
    pub fn reasons(&self) -> String {
        let mut reasons: Vec<(&String, &usize)> = self.0.iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        reasons.iter().map(|(reason, n)| format!("{n} {reason}")).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::modality::Modality;
    use crate::treatment::DeathCause;

    /// A patient without anything but a name.
    pub(crate) fn patient<'a>(id: &'a str, diagnosis: &'a str) -> StudyPatient<'a> {
        StudyPatient {
            id,
            diagnosis,
            facts: None,
            visits: &[],
            reads: &[],
            lesions: &[],
            measurements: &[],
            margins: &[],
            assessments: &[],
            events: &[],
            endpoints: &[],
            other_endpoints: &[],
            best: &[],
        }
    }

    /// A unit followed for some days of 30 to a month, with or without the event.
    pub(crate) fn followed(endpoint: &str, unit: &str, days: i64, event: u8) -> EndpointRow {
        EndpointRow {
            patient_id: String::new(),
            unit_id: unit.to_owned(),
            endpoint: endpoint.to_owned(),
            origin_date: "2024-01-01".parse().unwrap(),
            end_date: "2024-01-01".parse().unwrap(),
            days,
            months: days as f64 / 30.0,
            event,
            cause: String::new(),
            competing: String::new(),
            censor_reason: String::new(),
            interval_low_date: None,
        }
    }

    /// A treatment of one lesion.
    pub(crate) fn treated(date: Date, modality: Modality, lesion: &str) -> Treatment {
        Treatment {
            date,
            session: String::new(),
            cycle: None,
            modality,
            target_lesions: vec![LesionId::new(lesion)],
            complication_grade: String::new(),
        }
    }

    /// What the clinic knows of a patient with these treatments.
    pub(crate) fn facts_with(treatments: Vec<Treatment>) -> StudyFacts {
        StudyFacts {
            clinical: ClinicalFacts {
                patient_id: "1".to_owned(),
                death_date: None,
                death_cause: DeathCause::Unknown,
                last_contact_date: None,
                treatments,
            },
            covariates: BTreeMap::new(),
            markers: Vec::new(),
            burdens: Vec::new(),
            abscopal: Vec::new(),
            later_cycles: Vec::new(),
        }
    }

    #[test]
    fn everybody_comes_first_then_the_larger_groups() {
        let patients = [patient("1", "CRLM"), patient("2", "HCC"), patient("3", "HCC"), patient("4", "")];
        let found: Vec<(String, usize)> = groups(&patients).into_iter().map(|g| (g.name, g.patients.len())).collect();
        let expected = [("all", 4), ("HCC", 2), ("CRLM", 1), ("diagnosis not recorded", 1)];
        assert_eq!(found, expected.map(|(name, n)| (name.to_owned(), n)));
        assert_eq!(groups(&patients[1..3]).len(), 1, "one diagnosis is no comparison");
    }

    #[test]
    fn what_is_left_out_is_told_by_reason() {
        let mut left = LeftOut::default();
        assert_eq!((left.n(), left.reasons()), (0, String::new()));
        for reason in ["died before", "no imaging", "no imaging"] {
            left.add(reason);
        }
        assert_eq!((left.n(), left.reasons()), (3, "2 no imaging; 1 died before".to_owned()));
    }
}
