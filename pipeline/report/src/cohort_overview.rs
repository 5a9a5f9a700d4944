//! What the overview of a cohort's page is made of: who is in it, what margins led to, how good the images and registrations
//! were, and what came out of models. Every number is handed in.

use imaging::Severity;
use oncology::{Date, Evaluable};
use serde::{Deserialize, Serialize};

use crate::cohort_page::Count;

/// One box of the patient flow: who is still in, and who leaves before the next box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowStep {
    /// Who is counted here.
    pub label: String,
    /// How many.
    pub n: u64,
    /// Who leaves after this box; their numbers and the next box add up to `n`.
    pub left: Vec<Leaving>,
}

/// Patients who leave the flow for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaving {
    /// Why.
    pub reason: String,
    /// How many.
    pub n: u64,
}

/// One ablation: its margin and what became of the treated lesion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarginOutcome {
    /// Identifier or pseudonym.
    pub patient_id: String,
    /// Lesion within the patient.
    pub lesion_id: String,
    /// Date of the ablation.
    pub treatment_date: Date,
    /// Smallest margin in mm; `None` when not evaluable.
    pub min_margin_mm: Option<f64>,
    /// Its 95 % interval.
    pub interval_mm: Option<[f64; 2]>,
    /// `adequate`, `inadequate`, `borderline` or `not_reportable`.
    pub verdict: String,
    /// What became of the lesion.
    pub outcome: LocalOutcome,
    /// How long it was followed, or until the event, in months; `None` when unknown.
    pub followed_months: Option<f64>,
}

/// What became of an ablated lesion until it was ablated again or observation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalOutcome {
    /// Local tumour progression after a complete ablation.
    Progression,
    /// Tumour was left at the zone.
    Residual,
    /// Neither was seen at the visits there were.
    Free,
    /// Nothing is known after the ablation.
    Unknown,
}

impl LocalOutcome {
    /// All of them, in the order they are drawn.
    pub const ALL: [Self; 4] = [Self::Progression, Self::Residual, Self::Free, Self::Unknown];
}

/// How well things went over the whole cohort.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityOverview {
    /// Registrations that passed, need a look, failed.
    pub registrations: [u64; 3],
    /// Other figures, in the order they are to be read.
    pub figures: Vec<Count>,
    /// What was noted, by code.
    pub flags: Vec<Flag>,
}

/// All notes of one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// Code of the notes.
    pub code: String,
    /// Gravest severity among them.
    pub severity: Severity,
    /// How many notes.
    pub n_notes: u64,
    /// Whose notes, ascending.
    pub patients: Vec<String>,
    /// One of the messages.
    pub example: String,
}

/// Cumulative incidences of the causes of one endpoint that exclude each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidenceCurves {
    /// Code of the endpoint.
    pub endpoint: String,
    /// What is shown, in words.
    pub title: String,
    /// Unit of every time here.
    pub time_unit: String,
    /// Times below which the numbers at risk stand.
    pub risk_times: Vec<f64>,
    /// Units at risk just before each of them.
    pub n_risk: Vec<u64>,
    /// Units observed.
    pub n: u64,
    /// End of the longest observation.
    pub last_time: f64,
    /// One curve per cause.
    pub causes: Vec<IncidenceCurve>,
}

/// The cumulative incidence of one cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidenceCurve {
    /// The cause in words.
    pub cause: String,
    /// Events of this cause.
    pub events: u64,
    /// Times of the steps, rising.
    pub time: Vec<f64>,
    /// Cumulative incidence from each time on.
    pub estimate: Vec<f64>,
    /// Lower end of its 95 % interval; `None` where it does not exist.
    pub lower: Vec<Option<f64>>,
    /// Upper end.
    pub upper: Vec<Option<f64>>,
}

/// Hazard ratios of one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HazardTable {
    /// Model and endpoint in words.
    pub title: String,
    /// How it was fitted and what to bear in mind.
    pub note: String,
    /// One row per term.
    pub rows: Vec<HazardRow>,
}

/// The hazard ratio of one term.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HazardRow {
    /// The term with its unit or its reference.
    pub term: String,
    /// Units in the model.
    pub n: u64,
    /// Events among them.
    pub events: u64,
    /// `[hazard ratio, lower, upper end of its 95 % interval]`, or why there is none.
    pub ratio: Evaluable<[f64; 3]>,
    /// Its p-value; `None` without a ratio.
    pub p: Option<f64>,
}
