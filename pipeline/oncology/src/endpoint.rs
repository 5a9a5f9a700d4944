//! Times to event: one engine, and endpoints as data.
//!
//! Source: FDA 2018 (Clinical Trial Endpoints for the Approval of Cancer Drugs); Puijk et al. 2021 for endpoints after
//! ablation; the files in `configs/presets` for what each preset takes from which study.

pub mod crude;
pub mod derive;
pub mod patient;
pub mod preset;
pub mod rule;
pub mod timeline;
mod unit;
pub mod window;

pub use derive::{TimeToEvent, derive};
pub use patient::{EndpointInput, ImagingVisit, endpoints};
pub use preset::{Preset, PresetError};
pub use rule::EndpointRule;
pub use timeline::Timeline;
