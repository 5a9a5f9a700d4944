//! What the cohort's page is made of. Every number is handed in; the page only prints.

use imaging::Note;
use oncology::{Date, Evaluable};
use serde::{Deserialize, Serialize};

use crate::cohort_overview::{FlowStep, HazardTable, IncidenceCurves, MarginOutcome, QualityOverview};
use crate::patient_page::CriterionInfo;
use crate::provenance::{Provenance, RunBlock};
use crate::study_table::StudyTable;

/// The cohort's page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CohortPage {
    /// Name of the cohort.
    pub title: String,
    /// Head counts in the order they are to be read.
    pub counts: Vec<Count>,
    /// Who is in the cohort, who is not and why; empty: no flow is drawn.
    pub flow: Vec<FlowStep>,
    /// Criteria in the order of preference.
    pub criteria: Vec<CriterionInfo>,
    /// Best overall response, one table per criterion.
    pub responses: Vec<ResponseTable>,
    /// Best overall response per patient and criterion, for the waterfall.
    pub best_responses: Vec<BestResponse>,
    /// Sum of diameters over time, one line per patient, for the spider plot.
    pub sums: Vec<SumOverTime>,
    /// Tables as a study prints them, in order.
    pub study_tables: Vec<StudyTable>,
    /// Kaplan–Meier curves, one figure per endpoint.
    pub endpoints: Vec<EndpointCurves>,
    /// Cumulative incidences, one figure per endpoint.
    pub incidences: Vec<IncidenceCurves>,
    /// Hazard ratios, one figure per model.
    pub hazards: Vec<HazardTable>,
    /// One entry per ablation.
    pub margin_outcomes: Vec<MarginOutcome>,
    /// Margin wanted around an ablated lesion in mm; `None`: draw no line.
    pub margin_threshold_mm: Option<f64>,
    /// How well things went.
    pub quality: QualityOverview,
    /// One lane per patient.
    pub swimmer: Vec<SwimmerLane>,
    /// One line per patient.
    pub patients: Vec<PatientLine>,
    /// What was done, what failed and what to do.
    pub ledger: Vec<LedgerRow>,
    /// What to know and what to doubt.
    pub notes: Vec<Note>,
    /// One sentence per stage that ran.
    pub methods: Vec<String>,
    /// Publications that numbers in brackets among the methods stand for, from 1.
    #[serde(default)]
    pub references: Vec<String>,
    /// Versions and digests.
    pub provenance: Provenance,
    /// What differs between runs.
    pub run: RunBlock,
}

/// A number with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// What is counted.
    pub label: String,
    /// How many.
    pub value: String,
}

/// Best overall response by one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseTable {
    /// Criterion identifier.
    pub criterion: String,
    /// Patients counted.
    pub n: u64,
    /// Responses in the order they are to be read.
    pub rows: Vec<ResponseCount>,
    /// Sentences below the table, such as the objective response rate with its interval.
    pub summary: Vec<String>,
}

/// How many patients had one best response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseCount {
    /// Code, such as `PR`.
    pub response: String,
    /// Patients.
    pub n: u64,
}

/// The best response of one patient by one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestResponse {
    /// Identifier or pseudonym.
    pub patient_id: String,
    /// Criterion identifier.
    pub criterion: String,
    /// Code, such as `PR`.
    pub response: String,
    /// Best change of the sum from baseline in percent, or why there is none.
    pub best_change_percent: Evaluable<f64>,
}

/// The sum of one patient over time by one criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SumOverTime {
    /// Identifier or pseudonym.
    pub patient_id: String,
    /// Criterion identifier.
    pub criterion: String,
    /// `[days since baseline, change of the sum from baseline in percent]` by day.
    pub points: Vec<[f64; 2]>,
}

/// The Kaplan–Meier curves of one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointCurves {
    /// Code, such as `LTPFS`.
    pub endpoint: String,
    /// Name in words.
    pub title: String,
    /// What counts as an event and as censoring, in a sentence.
    pub definition: String,
    /// Unit of every time here, such as `months`.
    pub time_unit: String,
    /// Times below which the numbers at risk stand: from 0, rising. They are the axis' ticks too.
    pub risk_times: Vec<f64>,
    /// One curve per group.
    pub curves: Vec<KmCurve>,
    /// Comparison of the groups in a sentence; empty for one group.
    pub comparison: String,
    /// What biases the curves or their comparison.
    #[serde(default)]
    pub cautions: Vec<String>,
}

/// One Kaplan–Meier curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KmCurve {
    /// Group; empty when there is one only.
    pub group: String,
    /// Units observed.
    pub n: u64,
    /// Events among them.
    pub events: u64,
    /// Times of the steps, rising; between them, and before the first (at 1), the curve is flat.
    pub time: Vec<f64>,
    /// Survival from each time on.
    pub survival: Vec<f64>,
    /// Lower end of its 95 % interval; `None` where it does not exist.
    pub lower: Vec<Option<f64>>,
    /// Upper end.
    pub upper: Vec<Option<f64>>,
    /// Times of censoring.
    pub censored: Vec<f64>,
    /// Number at risk just before each of [`EndpointCurves::risk_times`].
    pub n_risk: Vec<u64>,
    /// End of the longest observation: the curve is drawn up to here.
    pub last_time: f64,
    /// Median, or why it was not reached.
    pub median: Evaluable<f64>,
    /// Its 95 % interval; `None` where an end was not reached.
    pub median_interval: [Option<f64>; 2],
    /// Survival at times agreed beforehand.
    pub landmarks: Vec<LandmarkRate>,
}

/// Survival at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LandmarkRate {
    /// The time.
    pub time: f64,
    /// Survival at it, or why there is none.
    pub survival: Evaluable<f64>,
    /// Its 95 % interval.
    pub interval: [Option<f64>; 2],
    /// At risk just before it.
    pub n_risk: u64,
}

/// One patient's lane in the swimmer plot. Days count from baseline imaging.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwimmerLane {
    /// Identifier or pseudonym.
    pub patient_id: String,
    /// Last day observed.
    pub end_day: i64,
    /// How observation ended.
    pub end: SwimmerEnd,
    /// Stretches of one response.
    pub segments: Vec<SwimmerSegment>,
    /// Treatments and progressions.
    pub marks: Vec<SwimmerMark>,
}

/// A stretch of time in one response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwimmerSegment {
    /// First day.
    pub from_day: i64,
    /// Last day.
    pub to_day: i64,
    /// Code, such as `SD`.
    pub response: String,
}

/// How a lane ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwimmerEnd {
    /// Died.
    Death,
    /// Under observation.
    Ongoing,
    /// Lost or censored.
    Censored,
}

/// Something that happened on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "snake_case")]
pub enum SwimmerMark {
    /// A treatment session.
    Treatment {
        /// Day.
        day: i64,
        /// Modality.
        label: String,
    },
    /// A progression.
    Progression {
        /// Day.
        day: i64,
        /// `local`, `distant_intrahepatic`, …
        label: String,
    },
}

/// One patient in the list of patients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatientLine {
    /// Identifier or pseudonym.
    pub patient_id: String,
    /// Name of the patient's folder below `patients/`; `None` when there is no report.
    pub folder: Option<String>,
    /// Diagnosis in words.
    pub diagnosis: String,
    /// Imaging visits.
    pub n_visits: u64,
    /// Lesions tracked.
    pub n_lesions: u64,
    /// First and last imaging.
    pub imaging: Option<[Date; 2]>,
    /// Best overall response, parallel to [`CohortPage::criteria`].
    pub best: Vec<String>,
    /// Latest overall response, parallel to [`CohortPage::criteria`].
    pub latest: Vec<String>,
    /// Smallest ablative margin in mm; `None` without an ablation or where none is evaluable.
    pub min_margin_mm: Option<f64>,
    /// Verdict on the smallest margin, such as `borderline`; empty without one. The list is filtered by it.
    pub margin_verdict: String,
    /// Smallest ablative margin in words, such as `3.2 mm, borderline`; empty without an ablation.
    pub margin: String,
    /// Warnings and errors noted.
    pub n_doubts: u64,
}

/// One patient in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRow {
    /// Identifier or pseudonym.
    pub patient_id: String,
    /// `done`, `failed`, `running`, `missing`, `stale`, `interrupted`.
    pub state: String,
    /// Stage it stopped in; empty when done.
    pub stage: String,
    /// Machine-readable code; empty when done.
    pub code: String,
    /// Why; empty when done.
    pub message: String,
    /// What to do; empty when done.
    pub remedy: String,
}

impl KmCurve {
    /// A curve as the estimator gives it, with the numbers at risk just before `risk_times`.
    ///
    /// Times at which more subjects leave than have an event are times of censoring.
    #[must_use]
    pub fn from_estimate(group: impl Into<String>, curve: &survival::KaplanMeier, risk_times: &[f64]) -> Self {
        let left = |index: usize| curve.n_risk[index] - curve.n_risk.get(index + 1).copied().unwrap_or(0);
        Self {
            group: group.into(),
            n: curve.n as u64,
            events: curve.events as u64,
            time: curve.time.clone(),
            survival: curve.surv.clone(),
            lower: curve.lower.clone(),
            upper: curve.upper.clone(),
            censored: (0..curve.time.len()).filter(|&i| left(i) > curve.n_event[i]).map(|i| curve.time[i]).collect(),
            n_risk: risk_times.iter().map(|&time| curve.n_risk_at(time) as u64).collect(),
            last_time: curve.last_time(),
            median: Evaluable::not("the median was not handed in"),
            median_interval: [None, None],
            landmarks: Vec::new(),
        }
    }

    /// The same curve with its median and the median's interval.
    #[must_use]
    pub fn with_median(self, median: Evaluable<f64>, median_interval: [Option<f64>; 2]) -> Self {
        Self { median, median_interval, ..self }
    }
}
