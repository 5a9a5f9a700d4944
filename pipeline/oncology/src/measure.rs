//! Measurements of one lesion in one image, one a file, each with definition, source and edge cases.

pub mod uptake;
pub mod viable;
