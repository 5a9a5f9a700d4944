//! Measurements of one lesion in one image, one a file, each with definition, source and edge cases.

pub mod avid;
pub mod contrast_phase;
pub mod diffusion;
pub mod dose;
pub mod lean_body_mass;
pub mod metabolic_volume;
pub mod suv_peak;
pub mod uptake;
pub mod uptake_reference;
pub mod viable;
pub mod voxels;
