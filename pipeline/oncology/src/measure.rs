//! Measurements of one lesion in one image, one a file, each with definition, source and edge cases.

pub mod contrast_phase;
pub mod dose;
pub mod lean_body_mass;
pub mod uptake;
pub mod viable;
