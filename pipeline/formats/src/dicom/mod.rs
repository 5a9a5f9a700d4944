//! DICOM in and out: headers, series, volumes, SUV, structure sets.
//!
//! Source: DICOM PS3.3 (information objects), PS3.5 (encoding), PS3.10 (files), edition 2024e.

pub mod decimal;
mod element;
pub mod geometry;
pub mod header;
pub mod pet;
pub mod pixel_offset;
mod pixels;
pub mod role;
pub mod rtstruct;
pub mod series;
pub mod uid;
pub mod write;

pub use geometry::{GeometryError, SliceStack};
pub use header::{HeaderError, SliceHeader};
pub use pet::{DoseUnit, PetHeader, SuvError, SuvFactor, SuvOptions};
pub use role::{Plane, SeriesRole};
pub use rtstruct::{RtStruct, RtStructError, read_rtstruct};
pub use series::{ImageVolume, SeriesError, SeriesVolume, read_series};
pub use uid::derived_uid;
pub use write::{Contrast, ModalityToWrite, PetToWrite, SeriesToWrite, WriteError, write_series};
