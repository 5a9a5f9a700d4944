//! Response criteria: tables as data, rules as code, one file per idea.
//!
//! RECIST 1.1, mRECIST and iRECIST assess a whole patient; the other families ([`family`]) judge one pair of numbers or
//! findings. The order of reading is the order of an assessment: the table, the choice of targets, the response of targets and of
//! non-targets, the overall response of a visit, the course over all visits, the best response, and the patient as a whole.

pub mod best_response;
mod change;
pub mod course;
pub mod cycle;
pub mod deauville;
pub mod enhancement;
pub mod eortc;
pub mod extent;
pub mod family;
pub mod further;
pub mod immune;
pub mod immune_patient;
pub mod immune_response;
pub mod input;
pub mod lirads;
pub mod matrix;
pub mod metabolic;
pub mod new_lesion;
pub mod next_class;
pub mod non_target;
pub mod patient;
mod patient_roles;
mod patient_visits;
pub mod percist;
pub mod pet_adjunct;
pub mod progression_date;
pub mod reasoned;
pub mod response;
mod robustness;
pub mod selection;
pub mod selection_range;
pub mod settings;
pub mod size;
pub mod sourced;
pub mod table;
pub mod target;
mod treated;

pub use best_response::{BestResponseRules, best_response};
pub use course::{CourseVisit, VisitVerdict, follow};
pub use patient::{
    ChosenRole, CriterionResult, LesionVisit, NodulePattern, PriorTherapy, ReaderCall, ResponseError, ResponseInput,
    TrackedLesion, VisitInfo, assess,
};
pub use response::{NewLesionResponse, NonTargetResponse, OverallResponse, TargetResponse};
pub use table::{CriterionTable, TableError};
