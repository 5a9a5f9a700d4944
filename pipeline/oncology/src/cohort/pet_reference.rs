//! What a visit's PET says beside its lesions (`pet_references.csv`): by it uptake of two visits may be compared, or not.
//!
//! Source: Wahl et al. 2009 (PERCIST 1.0), Table 1.

use serde::{Deserialize, Serialize};

use crate::time::Date;
use crate::visit_id::VisitId;

/// The reference uptake and the conditions of one PET (`pet_references.csv`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PetReferenceRow {
    /// Patient identifier or pseudonym.
    pub patient_id: String,
    /// Date of the PET's visit.
    pub date: Date,
    /// Days since baseline imaging.
    pub study_day: i64,
    /// Role of the PET.
    pub series_role: String,
    /// Where the reference lies: `liver`, a sphere of 3 cm in its right half.
    pub region: String,
    /// Mean of the sphere, SUVbw; empty where `reason` says why.
    pub mean: Option<f64>,
    /// Standard deviation, SUVbw.
    pub sd: Option<f64>,
    /// Hottest voxel, SUVbw.
    pub max: Option<f64>,
    /// Voxels of the sphere.
    pub n_voxels: Option<u64>,
    /// Its centre, LPS mm.
    pub x_mm: Option<f64>,
    /// Its centre, LPS mm.
    pub y_mm: Option<f64>,
    /// Its centre, LPS mm.
    pub z_mm: Option<f64>,
    /// Why there is no reference.
    pub reason: String,
    /// Lean body mass by body weight: SUL = SUVbw times this.
    pub sul_per_suv: Option<f64>,
    /// Formula of the lean body mass.
    pub sul_formula: String,
    /// Why there is no SUL.
    pub sul_reason: String,
    /// Minutes from injection to scan.
    pub uptake_min: Option<f64>,
    /// Why they are not known.
    pub uptake_reason: String,
    /// Manufacturer and model; empty where not stated.
    pub scanner: String,
    /// The visit: its date, and which time point of that day.
    pub visit: VisitId,
}
