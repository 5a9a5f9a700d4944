//! What is true of a synthetic patient: the values behind `truth.json`, all from the analytic shapes, none from voxels.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::scenario::{Diagnosis, Scenario};

/// Version of the layout of `truth.json`.
pub const TRUTH_SCHEMA_VERSION: u32 = 1;

/// Where a lesion lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Organ {
    /// Liver.
    Liver,
    /// Lung.
    Lung,
    /// Lymph node.
    LymphNode,
}

/// Whether the long or the short axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Measured by its long axis.
    Lesion,
    /// Measured by its short axis.
    Node,
}

/// The part a lesion plays in the criteria.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// In the sum of diameters.
    Target,
    /// Followed without measuring.
    NonTarget,
    /// Not there at baseline.
    New,
}

/// What has become of a lesion at a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not there yet.
    NotYet,
    /// There.
    Present,
    /// No longer there.
    Absent,
    /// Ablated, nothing alive left.
    AblatedComplete,
    /// Ablated, living tissue at the zone's edge on the first control.
    Residual,
    /// Ablated completely before, living tissue at the zone's edge again.
    LocalProgression,
}

impl State {
    /// Whether images of the visit show the lesion.
    #[must_use]
    pub fn is_visible(self) -> bool {
        matches!(self, Self::Present | Self::Residual | Self::LocalProgression)
    }
}

/// A whole cohort.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CohortTruth {
    /// [`TRUTH_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Patients in the order of the cohort.
    pub patients: Vec<PatientTruth>,
}

/// One patient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PatientTruth {
    /// Identifier, `LT-001`…
    pub patient_id: String,
    /// The story.
    pub scenario: Scenario,
    /// What the liver tumours are.
    pub diagnosis: Diagnosis,
    /// All visits, baseline first.
    pub visits: Vec<VisitTruth>,
    /// All treatments in order.
    pub treatments: Vec<TreatmentTruth>,
    /// Events in order of their dates.
    pub events: Vec<EventTruth>,
    /// Day of death.
    pub death_date: Option<Date>,
    /// Last day the patient was known to be alive.
    pub last_contact_date: Date,
    /// Whether nobody knows what happened after the last contact.
    pub lost_to_follow_up: bool,
    /// The rule for ablated lesions in sums of diameters (criteria of the program, option `ablated_target`).
    pub ablated_target: String,
}

/// One visit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VisitTruth {
    /// 0 for baseline.
    pub number: usize,
    /// Day of the visit.
    pub date: Date,
    /// Its name: the day, with `-2` for the second visit of a day.
    pub visit: String,
    /// Days since baseline.
    pub study_day: i32,
    /// Frame of Reference UID of all images of the visit.
    pub frame_of_reference_uid: String,
    /// Voxels of the CT along i, j, k.
    pub shape: [usize; 3],
    /// Spacing of the CT along i, j, k, mm.
    pub spacing_mm: [f64; 3],
    /// Voxel to patient map of the CT (LPS, mm), rows.
    pub voxel_to_patient_lps: [[f64; 4]; 4],
    /// Where the masks of the visit are kept.
    pub masks: MaskFiles,
    /// Every lesion of the patient, whether there or not.
    pub lesions: Vec<LesionTruth>,
    /// Ablation zones there are.
    pub zones: Vec<ZoneTruth>,
    /// Expected response by RECIST 1.1.
    pub recist_1_1: Assessment,
    /// Expected response by mRECIST.
    pub mrecist: Assessment,
    /// Points of the liver at baseline and at this visit.
    pub landmarks: Vec<LandmarkPair>,
    /// Largest distance between the liver landmarks of baseline and visit after the best rigid motion, mm.
    pub deformation_beyond_rigid_mm: f64,
}

/// Paths of mask files relative to the folder of `truth.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskFiles {
    /// Lesion labels.
    pub lesions: String,
    /// Liver, with everything in it.
    pub organ: String,
    /// Ablation zone labels.
    pub ablation_zone: String,
}

/// One lesion at one visit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LesionTruth {
    /// Identifier within the patient, `L1`…
    pub lesion_id: String,
    /// Organ.
    pub organ: Organ,
    /// Lesion or node.
    pub kind: Kind,
    /// Part it plays.
    pub role: Role,
    /// What has become of it.
    pub state: State,
    /// Label in this visit's lesion mask, if it is visible.
    pub label: Option<u16>,
    /// The measures, if it is visible.
    pub size: Option<SizeTruth>,
    /// Standardised uptake value painted into the PET, g/ml, before the scanner's blur.
    pub suv: Option<f64>,
}

/// True measures of a visible lesion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SizeTruth {
    /// Longest diameter in one acquired slice, mm.
    pub long_axis_mm: f64,
    /// Longest chord perpendicular to it, mm.
    pub short_axis_mm: f64,
    /// Longest diameter of arterially enhancing tissue that does not cross the core, mm; none without arterial enhancement.
    pub viable_long_axis_mm: Option<f64>,
    /// Volume, mm³.
    pub volume_mm3: f64,
    /// Volume of the necrotic core, mm³.
    pub necrotic_volume_mm3: f64,
    /// The slice of the longest diameter.
    pub slice_k: usize,
    /// The ends of the longest diameter, LPS mm.
    pub long_axis_lps: [[f64; 3]; 2],
    /// The shape's centre, LPS mm.
    pub centre_lps: [f64; 3],
}

/// One ablation zone at one visit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneTruth {
    /// Identifier within the patient, `Z1`…
    pub zone_id: String,
    /// Label in this visit's zone mask.
    pub label: u16,
    /// The lesion it was made for.
    pub lesion_id: String,
    /// Session that made it.
    pub session: u32,
}

/// One treatment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreatmentTruth {
    /// Day.
    pub date: Date,
    /// Number of the session, from 1.
    pub session: u32,
    /// As in `treatments.csv`.
    pub modality: String,
    /// Lesions treated; empty for systemic treatment.
    pub target_lesions: Vec<String>,
    /// The margin of each zone.
    pub margins: Vec<MarginTruth>,
}

/// The margin of one zone around its tumour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarginTruth {
    /// Lesion.
    pub lesion_id: String,
    /// Zone.
    pub zone_id: String,
    /// Visit that shows the tumour.
    pub pre_date: Date,
    /// Visit that shows the zone.
    pub post_date: Date,
    /// Smallest signed distance of the tumour's surface inside the zone's, mm, in the reference anatomy.
    pub min_margin_mm: f64,
}

/// A response, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Assessment {
    /// Evaluable.
    Expected(Expected),
    /// Not evaluable.
    NotEvaluable {
        /// Why.
        not_evaluable: String,
    },
}

/// An expected response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Sum of diameters, mm.
    pub sum_mm: f64,
    /// Sum at baseline, mm.
    pub baseline_mm: f64,
    /// Smallest sum before this visit, mm; none at baseline.
    pub nadir_mm: Option<f64>,
    /// Targets; none at baseline.
    pub target: Option<Response>,
    /// Non-targets; none at baseline.
    pub non_target: Option<NonTarget>,
    /// Whether there is a new lesion.
    pub new_lesion: bool,
    /// The visit; none at baseline.
    pub overall: Option<Response>,
}

/// A response category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// Complete response.
    #[serde(rename = "CR")]
    Complete,
    /// Partial response.
    #[serde(rename = "PR")]
    Partial,
    /// Stable disease.
    #[serde(rename = "SD")]
    Stable,
    /// Progressive disease.
    #[serde(rename = "PD")]
    Progressive,
}

/// A response of the non-targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NonTarget {
    /// All gone.
    #[serde(rename = "CR")]
    Complete,
    /// Some are there.
    #[serde(rename = "NON-CR/NON-PD")]
    Persisting,
    /// There were none.
    #[serde(rename = "NA")]
    NotApplicable,
}

/// A place in the liver at two visits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LandmarkPair {
    /// At baseline, LPS mm.
    pub baseline_lps: [f64; 3],
    /// At the visit, LPS mm.
    pub visit_lps: [f64; 3],
}

/// Class of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventClass {
    /// Local tumour progression.
    Local,
    /// Elsewhere in the liver.
    DistantIntrahepatic,
    /// Outside the liver.
    Extrahepatic,
    /// Death.
    Death,
}

/// Why an event counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventCause {
    /// A lesion or focus that was not there before.
    New,
    /// A known lesion without local treatment has grown.
    GrowthOfKnownUntreated,
    /// A lesion that was treated and stayed visible has grown.
    GrowthOfTreated,
    /// The patient died.
    Death,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventTruth {
    /// Day.
    pub date: Date,
    /// Class.
    pub class: EventClass,
    /// Cause.
    pub cause: EventCause,
    /// The lesion, unless the event is death.
    pub lesion_id: Option<String>,
}
