//! One row per thing: the shapes of the cohort tables, shared by everything that writes, reads or draws them.
//!
//! The first columns and their order are the program's published contract; more may follow behind them. Units stand in the
//! column names. An empty cell means "does not apply" and always has a reason beside it where a value was expected.

use serde::{Deserialize, Serialize};

mod pet_reference;

pub use pet_reference::PetReferenceRow;

use crate::time::Date;
use crate::visit_id::VisitId;

/// One lesion of one patient (`lesions.csv`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LesionRow {
    /// Patient identifier or pseudonym.
    pub patient_id: String,
    /// Lesion within the patient, `L1`, `L2`, … in order of first sight.
    pub lesion_id: String,
    /// DICOM Tracking Unique Identifier.
    pub tracking_uid: String,
    /// Organ, snake case.
    pub organ: String,
    /// `lesion` or `node`.
    pub kind: String,
    /// `target`, `non_target`, `new` or `not_recorded`.
    pub role: String,
    /// Date of the study that first showed it.
    pub first_seen_date: Date,
    /// State at the last visit.
    pub state: String,
    /// Centroid in the baseline frame, LPS mm.
    pub x_mm: f64,
    /// Centroid in the baseline frame, LPS mm.
    pub y_mm: f64,
    /// Centroid in the baseline frame, LPS mm.
    pub z_mm: f64,
    /// Who found it: `imported_mask`, `model:<name>`, `reader`.
    pub source: String,
    /// Visit that first showed it.
    pub first_seen_visit: VisitId,
}

/// One measured quantity of one lesion at one visit (`measurements.csv`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasurementRow {
    /// Patient identifier or pseudonym.
    pub patient_id: String,
    /// Lesion within the patient.
    pub lesion_id: String,
    /// Date of the imaging study measured.
    pub date: Date,
    /// Days since baseline imaging.
    pub study_day: i64,
    /// Role of the series measured, such as `ct_portal_venous`.
    pub series_role: String,
    /// `long_axis`, `short_axis`, `max_3d_diameter`, `volume`; of enhancing tissue `viable_long_axis`, `viable_short_axis`,
    /// `viable_cross_product`, `viable_volume`; of a PET `suv_max`, `suv_peak`, `sul_peak`, `suv_mean`, metabolic volume `mtv_41pct`,
    /// `mtv_50pct` (of the lesion's SUVmax), `mtv_suv4` (from SUV 4.0 on) and glycolysis `tlg_41pct`, `tlg_50pct`, `tlg_suv4`; of an
    /// ADC map `adc_mean`, `adc_min`, `adc_p10`, `adc_median`, `adc_p90`, `adc_max`; of a dose `dose_mean`, `dose_min`, `dose_max`,
    /// `dose_d95`, `dose_d90`, `dose_d98` and `dose_v20gy` (share that received 20 Gy); from critical structures `distance_NAME` and,
    /// of the ablation zone, `zone_distance_NAME`; of a lesion in pieces `long_axis_piece_1` and so on.
    pub quantity: String,
    /// The number; empty when not evaluable.
    pub value: Option<f64>,
    /// Its unit: `mm`, `mm2`, `mm3`, `SUVbw`, `SUL`, `SUVbw*ml`, `Gy`, `%`, `HU`, `as stored` (no unit is read from its header).
    pub unit: String,
    /// Lower end of the 95 % band, where one is known; of long and short axes one voxel less, as large as it is along the diameter.
    pub low: Option<f64>,
    /// Upper end of the 95 % band, where one is known; of long and short axes one voxel more.
    pub high: Option<f64>,
    /// How it was measured, in a word.
    pub method: String,
    /// Whether the number counts.
    pub evaluable: bool,
    /// Why not, or what to doubt.
    pub reason: String,
    /// State of the lesion at this visit.
    pub state: String,
    /// End points of the caliper in LPS mm, `x y z; x y z`, for diameters.
    pub caliper_lps_mm: String,
    /// SOP Instance UID of the slice measured, for diameters.
    pub sop_instance_uid: String,
    /// Visit measured: its date, and which time point of that day.
    pub visit: VisitId,
}

/// The ablative margin of one treated lesion (`margins.csv`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarginRow {
    /// Patient identifier or pseudonym.
    pub patient_id: String,
    /// Lesion within the patient.
    pub lesion_id: String,
    /// Date of the ablation.
    pub treatment_date: Date,
    /// Date of the study that shows the zone.
    pub study_date: Date,
    /// Minimal ablative margin; negative where tumour lies outside the zone. Empty when not reportable.
    pub min_margin_mm: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low_mm: Option<f64>,
    /// Upper end of its 95 % interval.
    pub high_mm: Option<f64>,
    /// Fifth area-weighted percentile.
    pub p5_mm: Option<f64>,
    /// Share of the tumour surface with a margin below 0.
    pub frac_lt0: Option<f64>,
    /// Share in [0, 5) mm.
    pub frac_0_5: Option<f64>,
    /// Share in [5, 10) mm.
    pub frac_5_10: Option<f64>,
    /// Share of 10 mm and more.
    pub frac_ge10: Option<f64>,
    /// Share of the surface left out at the organ's capsule.
    pub excluded_capsule_fraction: Option<f64>,
    /// `adequate`, `inadequate`, `borderline` or `not_reportable`.
    pub verdict: String,
    /// Why, separated by `; `.
    pub reasons: String,
    /// Share of the tumour's volume inside the zone.
    pub tumour_coverage: Option<f64>,
    /// Counts per 1 mm bin from −15 mm, separated by spaces, for the histogram.
    pub histogram_counts: String,
    /// Visit that shows the tumour before the ablation.
    pub tumour_visit: VisitId,
    /// Visit that shows the zone after it.
    pub zone_visit: VisitId,
    /// First area-weighted percentile of the margin.
    #[serde(default)]
    pub p1_mm: Option<f64>,
    /// Tenth.
    #[serde(default)]
    pub p10_mm: Option<f64>,
    /// Median.
    #[serde(default)]
    pub p50_mm: Option<f64>,
    /// Volume of the tumour outside the zone.
    #[serde(default)]
    pub residual_mm3: Option<f64>,
    /// Its share of the tumour.
    #[serde(default)]
    pub residual_fraction: Option<f64>,
    /// Where the margin is thinnest, seen from the tumour's centre, such as `left anterior cranial`; empty where the margin is as thin
    /// all around.
    #[serde(default)]
    pub thinnest_direction: String,
    /// Where the tumour outside the zone lies; empty below 1 % of the tumour, and where it lies all around.
    #[serde(default)]
    pub residual_direction: String,
}

/// The response of one patient at one visit by one criterion (`assessments.csv`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssessmentRow {
    /// Patient identifier or pseudonym.
    pub patient_id: String,
    /// Criterion, such as `recist_1_1`.
    pub criterion: String,
    /// Date of the visit.
    pub date: Date,
    /// Days since baseline imaging.
    pub study_day: i64,
    /// Sum of diameters; empty when a target is missing.
    pub sum_mm: Option<f64>,
    /// Sum at baseline.
    pub baseline_mm: Option<f64>,
    /// Smallest complete sum before this visit.
    pub nadir_mm: Option<f64>,
    /// Target response; `BASELINE` at the baseline visit.
    pub target: String,
    /// Non-target response.
    pub non_target: String,
    /// `Y`, `N` or `E` (equivocal).
    pub new_lesion: String,
    /// Overall response.
    pub overall: String,
    /// The rule and the numbers, as a sentence.
    pub why: String,
    /// What would change the verdict, in mm.
    pub flips_if: String,
    /// How ablated targets were counted: `viable`, `rebaseline` or `whole`.
    pub ablated_target: String,
    /// The nearest other target response by the sum; empty where no length decides.
    pub next_target: String,
    /// By how much the sum would have to change for it, mm; negative: shrink.
    pub next_target_mm: Option<f64>,
    /// Half-width of the 95 % band of the sum, mm; empty where an error of measurement is not known.
    pub sum_half_width_mm: Option<f64>,
    /// Whether that band reaches the other response.
    pub within_error: Option<bool>,
    /// Overall responses over all legal choices of targets, from best to worst, separated by `|`; empty with a single choice.
    pub over_selections: String,
    /// Number of those choices; the first ones only where there are more than the program tries.
    pub n_selections: Option<u64>,
    /// The visit: its date, and which time point of that day.
    pub visit: VisitId,
    /// Whether a non-target is seen at the visit; empty where the criterion does not judge non-targets one by one.
    #[serde(default)]
    pub non_target_seen: Option<bool>,
}

/// One dated event (`events.csv`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRow {
    /// Patient identifier or pseudonym.
    pub patient_id: String,
    /// Lesion, empty for events of the patient (death).
    pub lesion_id: String,
    /// Date of the event.
    pub date: Date,
    /// `progression`, `residual`, `complete_ablation`, `death`, `treatment`, …
    pub event: String,
    /// `local`, `distant_intrahepatic`, `extrahepatic`, `residual` or empty.
    pub class: String,
    /// `new`, `growth_of_known_untreated`, `focus_at_zone`, …
    pub cause: String,
    /// Treatment cycle the event belongs to, 1-based; empty before the first.
    pub cycle: Option<u32>,
    /// Last date known to be free of the event.
    pub interval_low_date: Option<Date>,
    /// Whether a reader should look.
    pub needs_review: bool,
    /// The rule and the distance, as a sentence.
    pub why: String,
    /// Distance of the focus from the nearest ablation zone, edge to edge, mm; empty where there is no zone.
    #[serde(default)]
    pub distance_mm: Option<f64>,
    /// Lower end of its 95 % interval; empty where its error is not known.
    #[serde(default)]
    pub distance_low_mm: Option<f64>,
    /// Upper end.
    #[serde(default)]
    pub distance_high_mm: Option<f64>,
    /// The largest distance that is local.
    #[serde(default)]
    pub rule_mm: Option<f64>,
    /// The class on the other side of the rule, where the interval crosses it.
    #[serde(default)]
    pub other_class: String,
}

/// One time to event (`endpoints.csv`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointRow {
    /// Patient identifier or pseudonym.
    pub patient_id: String,
    /// Patient, treated lesion or cycle, whatever the endpoint counts.
    pub unit_id: String,
    /// `OS`, `PFS`, `PFS_local`, `PFS_distant`, `TTP`, `LTPFS`, …
    pub endpoint: String,
    /// Time origin.
    pub origin_date: Date,
    /// Date of event or censoring.
    pub end_date: Date,
    /// Whole days between them.
    pub days: i64,
    /// Months of the preset's length.
    pub months: f64,
    /// 1 event, 0 censored.
    pub event: u8,
    /// Cause of the event.
    pub cause: String,
    /// Competing event, if that ended follow-up.
    pub competing: String,
    /// Why censored.
    pub censor_reason: String,
    /// Last date known to be free of the event.
    pub interval_low_date: Option<Date>,
}
