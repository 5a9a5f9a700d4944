//! Synthetic longitudinal patients with known truth, for the demo, for tests and for training a segmentation model.
//!
//! A patient is an analytic reference anatomy (LPS mm), lesions and ablation zones over time, a pose per visit and a scanner
//! grid per visit. Images and masks are sampled through the pose; diameters, volumes and margins come from the formulas, never
//! from the voxels. Values only: the program's `formats` crate writes the files.
#![warn(clippy::disallowed_methods)]

mod anatomy;
mod ct;
mod noise;
mod placement;
mod pose;
mod random;
mod scene;
mod star;
mod tissue;
mod training;
mod vessel;

pub use tissue::Phase;
pub use training::{TRAINING_LABELS, random_training_case};
