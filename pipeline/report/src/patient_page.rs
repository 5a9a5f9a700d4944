//! What one patient's page is made of. Every number is handed in; the page only prints.
//!
//! Rows are those of the cohort tables ([`oncology::cohort`]); they are matched by lesion identifier and visit.

use imaging::Note;
use oncology::marker::MarkerReading;
use oncology::{AssessmentRow, Date, EndpointRow, EventRow, LesionRow, MarginRow, MeasurementRow, VisitId};
use serde::{Deserialize, Serialize};

use crate::earlier_visit::EarlierVisit;
use crate::key_image::KeyImage;
use crate::margin_map::MarginMap;
use crate::provenance::{Provenance, RunBlock};
use crate::registration_picture::RegistrationPicture;
use crate::review::Review;

/// One patient's page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatientPage {
    /// Identifier or pseudonym; never a name.
    pub patient_id: String,
    /// Diagnosis in words; empty when not stated.
    pub diagnosis: String,
    /// Age group, stage, markers, in the order they are to be read.
    pub covariates: Vec<Covariate>,
    /// Criteria in the order of preference: the first one heads the page.
    pub criteria: Vec<CriterionInfo>,
    /// Imaging visits in order; the last is the current one, the one before it the prior.
    pub visits: Vec<Visit>,
    /// Visits before baseline, in order; no criterion uses them.
    pub earlier_visits: Vec<EarlierVisit>,
    /// Local and systemic treatments by date.
    pub treatments: Vec<Treatment>,
    /// Readings of tumour markers, drawn on the timeline.
    #[serde(default)]
    pub markers: Vec<MarkerReading>,
    /// How observation ended; `None` when not stated.
    pub follow_up_end: Option<FollowUpEnd>,
    /// Responses, one per criterion and visit.
    pub verdicts: Vec<Verdict>,
    /// Lesions in the order they are to be read.
    pub lesions: Vec<LesionRow>,
    /// Measurements of all lesions at all visits.
    pub measurements: Vec<MeasurementRow>,
    /// Ablative margins.
    pub margins: Vec<MarginRow>,
    /// Where on the tumours' surfaces which margin lies; matched to [`Self::margins`] by lesion and date of treatment.
    pub margin_maps: Vec<MarginMap>,
    /// Margin wanted around an ablated lesion in mm, drawn into the histograms; `None`: draw no line.
    pub margin_threshold_mm: Option<f64>,
    /// Dated events.
    pub events: Vec<EventRow>,
    /// Times to event.
    pub endpoints: Vec<EndpointRow>,
    /// Key images; shown in strips, one per lesion, a column per visit.
    pub key_images: Vec<KeyImage>,
    /// What a reader may decide and what readers decided; `None`: the page shows no review.
    #[serde(default)]
    pub review: Option<Review>,
    /// What to know and what to doubt.
    pub notes: Vec<Note>,
    /// One sentence per stage that ran.
    pub methods: Vec<String>,
    /// Versions and digests.
    pub provenance: Provenance,
    /// What differs between runs.
    pub run: RunBlock,
}

/// One fact about the patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Covariate {
    /// Name in words.
    pub name: String,
    /// Value with its unit.
    pub value: String,
}

/// How a criterion is called and where its lines stand in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriterionInfo {
    /// Identifier as in the rows, such as `recist_1_1`.
    pub id: String,
    /// Name as people say it, such as `RECIST 1.1`.
    pub title: String,
    /// Change of the sum from baseline that is a partial response, in percent (−30 in RECIST 1.1); `None`: draw no line.
    pub response_percent: Option<f64>,
    /// Change of the sum from nadir that is a progression, in percent (+20 in RECIST 1.1); `None`: draw no line.
    pub progression_percent: Option<f64>,
}

/// One imaging visit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// Its name: the date of the imaging study, with `-2`… for further time points of one day.
    pub id: VisitId,
    /// Days since baseline imaging.
    pub study_day: i64,
    /// `baseline`, `follow-up 1`, … in words.
    pub label: String,
    /// Why no criterion judges response here, and what was seen nevertheless; empty where response is judged.
    pub not_assessed: String,
    /// Series that were measured.
    pub series: Vec<SeriesUsed>,
    /// How well this visit lies on the baseline; `None` at baseline itself.
    pub registration: Option<RegistrationQuality>,
}

/// A series that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesUsed {
    /// Role, such as `ct_portal_venous`.
    pub role: String,
    /// Series description as scanned.
    pub description: String,
    /// Voxel spacing in words, such as `0.8 × 0.8 × 2.5 mm`; empty when unknown.
    pub spacing: String,
}

/// The verdict on a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Good enough.
    Pass,
    /// A reader should look.
    Review,
    /// Nothing that depends on it is reported.
    Fail,
}

/// How well a visit lies on the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationQuality {
    /// The verdict.
    pub quality: Quality,
    /// Expected residual error in mm; `None` with a reason when unknown.
    pub residual_mm: Option<f64>,
    /// Why it is not better.
    pub reasons: Vec<String>,
    /// What was measured of it, in the order it is to be read.
    pub figures: Vec<Covariate>,
    /// Baseline and this visit in one picture, a plane each.
    pub pictures: Vec<RegistrationPicture>,
}

/// One treatment session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Treatment {
    /// Its date.
    pub date: Date,
    /// Days since baseline imaging.
    pub study_day: i64,
    /// Treatment cycle, 1-based.
    pub cycle: Option<u32>,
    /// `MWA`, `TACE`, `systemic`, …
    pub modality: String,
    /// Lesions it aimed at.
    pub target_lesions: Vec<String>,
    /// Grade of the worst complication as recorded; empty when none was.
    pub complication_grade: String,
}

/// How observation of the patient ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowUpEnd {
    /// When.
    pub date: Date,
    /// Days since baseline imaging.
    pub study_day: i64,
    /// How.
    pub kind: FollowUpEndKind,
    /// Cause or source in words; may be empty.
    pub detail: String,
}

/// How observation of a patient ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowUpEndKind {
    /// Died.
    Death,
    /// Last known to be alive.
    LastContact,
    /// Left observation for another reason.
    Censored,
}

/// The response at one visit by one criterion, and what made it differ from the visit before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The row.
    pub row: AssessmentRow,
    /// What changed since the prior visit, a phrase each.
    pub what_changed: Vec<String>,
    /// What lowers the confidence in it, a phrase each; empty when nothing was noted.
    pub confidence_lowered_by: Vec<String>,
}
