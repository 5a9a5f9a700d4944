//! Synthetic longitudinal patients with known truth, for the demo, for tests and for training a segmentation model.
//!
//! A patient is an analytic reference anatomy (LPS mm), lesions and ablation zones over time, a pose per visit and a scanner
//! grid per visit. Images and masks are sampled through the pose; diameters, volumes and margins come from the formulas, never
//! from the voxels. Values only: the program's `formats` crate writes the files.
#![warn(clippy::disallowed_methods)]

mod anatomy;
mod assess;
mod clinical;
#[cfg(test)]
mod cohort_checks;
pub mod courses;
mod ct;
mod ellipsoid;
mod follow_up;
mod lesions;
mod margin;
mod modality;
mod noise;
mod patient_truth;
mod phase_case;
mod placement;
mod plan;
mod pose;
mod random;
mod scanner;
mod scenario;
mod scene;
mod section;
mod star;
mod study;
mod tissue;
mod training;
mod training_looks;
mod training_solids;
pub mod truth;
mod vessel;
mod visit;

pub use clinical::{ClinicalTables, clinical_tables};
pub use patient_truth::cohort_truth;
pub use phase_case::{PhaseCase, phase_case};
pub use plan::{CohortSpec, PatientPlan, Person, cohort};
pub use scenario::{Diagnosis, Scenario, UnknownScenario};
pub use study::{Study, UnknownStudy, study_cohort};
pub use tissue::Phase;
pub use training::{TRAINING_LABELS, TRAINING_LOOKS, TrainingCase, Variety, random_training_case};
pub use truth::{CohortTruth, PatientTruth};
pub use visit::{Image, LesionRow, Modality, PetInfo, Series, Visit, ZoneRow};
