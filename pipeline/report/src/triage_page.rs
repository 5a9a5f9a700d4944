//! What the triage page shows: what an archive holds, what is usable, what is missing for which criterion, and why.

use imaging::Note;
use oncology::{Date, VisitId};
use serde::{Deserialize, Serialize};

use crate::cohort_page::Count;
use crate::provenance::{Provenance, RunBlock};

/// The triage of an archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriagePage {
    /// Name of the archive.
    pub title: String,
    /// What is counted at the top.
    pub counts: Vec<Count>,
    /// Patients, in order.
    pub patients: Vec<TriagePatient>,
    /// What to doubt about the archive.
    pub notes: Vec<Note>,
    /// Versions and digests.
    pub provenance: Provenance,
    /// What differs between two calls.
    pub run: RunBlock,
}

/// One patient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriagePatient {
    /// Identifier as in the images.
    pub patient_id: String,
    /// Visits, earliest first; what has no known day stands last.
    pub visits: Vec<TriageVisit>,
    /// Days of treatment, earliest first.
    pub treatments: Vec<Date>,
    /// What each criterion finds; the same criteria in the same order for every patient.
    pub needs: Vec<TriageNeed>,
    /// Series that cannot be used, each with its reasons.
    pub unusable: Vec<String>,
}

/// One visit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageVisit {
    /// Its name; `None` gathers series without a day.
    pub visit: Option<VisitId>,
    /// `baseline`, `6 weeks`, … in words; empty when not known.
    pub label: String,
    /// Roles of usable series.
    pub roles: Vec<String>,
    /// Number of series.
    pub n_series: u64,
    /// Number of them that are usable.
    pub n_usable: u64,
}

/// What one criterion finds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageNeed {
    /// The criterion.
    pub criterion: String,
    /// How far it can be assessed.
    pub readiness: TriageReadiness,
    /// What is missing and what to doubt, each a sentence.
    pub missing: Vec<String>,
}

/// How far a criterion can be assessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriageReadiness {
    /// Everything it needs is there.
    Ready,
    /// Some visits can be assessed.
    Partly,
    /// Nothing can be assessed.
    Missing,
}
