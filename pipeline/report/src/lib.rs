//! Turns values into pages, figures and key images; reads nothing and computes no medical number.
//!
//! Three pages: [`render_patient`], [`render_cohort`] and, of an archive before anything is measured, [`render_triage`]. Each is one self-contained HTML text (style, figures and images
//! inside) that opens from a file, without a network. The same input gives the same bytes; whatever differs between two
//! runs of the same input ([`RunBlock`]) stands alone in the element `<footer class="run">`.
#![warn(clippy::disallowed_methods)]

pub mod cohort_overview;
pub mod cohort_page;
mod cohort_view;
pub mod contact_sheet;
mod course_view;
mod doubts;
pub mod earlier_visit;
mod error;
pub mod figure;
mod figure_files;
pub mod key_image;
pub mod key_picture;
mod lesion_table;
pub mod margin_map;
mod margin_view;
mod numerals;
mod overview_view;
pub mod patient_page;
mod patient_view;
pub mod provenance;
pub mod registration_map;
pub mod registration_picture;
mod render;
pub mod review;
mod size_drawing;
mod strip;
pub mod study_table;
pub mod triage_page;
mod triage_view;
mod verdict_view;
pub mod viewer;
mod viewer_view;
mod wording;

pub use cohort_overview::{
    Flag, FlowStep, HazardRow, HazardTable, IncidenceCurve, IncidenceCurves, Leaving, LocalOutcome, MarginOutcome,
    QualityOverview,
};
pub use cohort_page::{
    BestResponse, CohortPage, Count, EndpointCurves, KmCurve, LandmarkRate, LedgerRow, PatientLine, ResponseCount,
    ResponseTable, SumOverTime, SwimmerEnd, SwimmerLane, SwimmerMark, SwimmerSegment,
};
pub use contact_sheet::{Tile, contact_sheet};
pub use doubts::{Registered, n_doubts};
pub use earlier_visit::{EarlierFinding, EarlierVisit};
pub use error::ReportError;
pub use figure_files::{FigureFile, cohort_figures};
pub use key_image::{KeyImage, Orientation, Outline, OutlineRole, PixelToPatient};
pub use key_picture::{KeyPicture, key_picture};
pub use margin_map::MarginMap;
pub use patient_page::{
    Covariate, CriterionInfo, FollowUpEnd, FollowUpEndKind, PatientPage, Quality, RegistrationQuality, SeriesUsed,
    Treatment, Verdict, Visit,
};
pub use provenance::{Component, Provenance, RunBlock};
pub use registration_map::{BlockMark, StretchMap};
pub use registration_picture::RegistrationPicture;
pub use render::{RESEARCH_USE_NOTICE, render_cohort, render_patient, render_patient_with_viewer, render_triage};
pub use review::{Review, ReviewLesion, ReviewVisit};
pub use study_table::{StudyLine, StudyTable};
pub use triage_page::{TriageNeed, TriagePage, TriagePatient, TriageReadiness, TriageVisit};
pub use viewer::{ShownFirst, Viewer, ViewerLesion, ViewerSighting, ViewerVolume};
