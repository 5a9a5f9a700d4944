//! Patients, time points, lesions, tracking, measurements, criteria, events and endpoints. Knows no file, model or page.
#![warn(clippy::disallowed_methods)]

pub mod adam;
pub mod adjudication;
pub mod agreement;
pub mod case;
pub mod cohort;
pub mod criteria;
pub mod efficacy;
pub mod endpoint;
pub mod evaluable;
pub mod event;
pub mod exact;
pub mod lesion;
pub mod marker;
pub mod measure;
pub mod modality;
pub mod oligometastatic;
pub mod partial_date;
pub mod progression;
pub mod reads;
pub mod sdtm;
pub mod study;
pub mod time;
pub mod tracking;
pub mod treatment;
pub mod treatment_table;
pub mod validation;
pub mod visit_id;
pub mod visit_window;

pub use cohort::{AssessmentRow, EndpointRow, EventRow, LesionRow, MarginRow, MeasurementRow, PetReferenceRow};
pub use criteria::{CriterionResult, CriterionTable, ResponseInput};
pub use evaluable::Evaluable;
pub use exact::Exact;
pub use lesion::{LesionId, LesionKind, LesionRole, LesionState, Organ, PatientId, Size, TrackingUid};
pub use modality::Modality;
pub use time::{Date, Days};
pub use visit_id::VisitId;
