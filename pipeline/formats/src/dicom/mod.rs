//! DICOM in and out: headers, series, volumes, SUV, structure sets.
//!
//! Source: DICOM PS3.3 (information objects), PS3.5 (encoding), PS3.10 (files), edition 2024e.

mod codec;
pub mod decimal;
pub(crate) mod element;
pub(crate) mod file;
mod functional_groups;
pub mod geometry;
mod guard;
pub mod header;
pub mod identifier;
pub mod instance;
pub mod open_series;
pub mod packed_headers;
pub mod pet;
pub mod pixel_offset;
mod pixels;
pub mod role;
pub mod rtdose;
pub mod rtstruct;
pub mod seg;
pub mod series;
pub mod sr;
pub mod uid;
pub mod volume_key;
pub mod volumes;
pub mod write;

pub use file::looks_like_dicom;
pub use geometry::{GeometryError, SliceStack};
pub use header::{HeaderError, SliceHeader};
pub use open_series::{OpenSeries, open_series};
pub use packed_headers::PackedHeaders;
pub use pet::{DoseUnit, LeanBodyFormula, PetHeader, SulFactor, SuvError, SuvFactor, SuvOptions, sul_factor};
pub use role::{Plane, RoleCandidate, RulesError, SeriesRole, SeriesRules};
pub use rtdose::{DoseError, DoseVolume, read_dose};
pub use rtstruct::{RtStruct, RtStructError, read_rtstruct};
pub use seg::{SegError, Segment, Segmentation, SegmentationType, read_segmentation};
pub use series::{ImageVolume, SeriesError, SeriesVolume, read_series};
pub use uid::{derived_uid, is_uid};
pub use volumes::{SeriesPart, volumes_of};
pub use write::{Contrast, ModalityToWrite, PetToWrite, SeriesToWrite, WriteError, write_series};
