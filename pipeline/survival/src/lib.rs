//! Estimators over times and events; they know no patient, no file and no clock.
//!
//! Every function takes slices of small records and returns values that serialise with the field names of the program's
//! `survival` JSON. The unit of time is the caller's: all times of one call share it, and [`TimeUnit`] names it where a
//! result leaves the program. Two times are tied when they are exactly equal, so times in months must come from whole
//! days divided by one constant.
//!
//! An unknown is never a NaN: `None` inside an interval means that the bound is not reached, [`Estimate::NotEvaluable`]
//! carries its reason.
#![warn(clippy::disallowed_methods)]

pub mod chi_squared;
pub mod estimate;
pub mod observation;
mod tally;

pub mod kaplan_meier;

pub mod median;

pub mod follow_up;
pub mod landmarks;
pub mod restricted_mean;

pub mod log_rank;

pub mod turnbull;

pub mod competing_risks;
pub mod gray;

pub mod cox;
pub mod fine_gray;

pub mod bias;
pub mod profile;
pub mod proportion;
pub mod record;
pub mod screen;
pub mod summary;

pub use competing_risks::{CompetingRisksError, CumulativeIncidence, cumulative_incidence, states};
pub use cox::concordance::{Concordance, Ranked, concordance, stratified_concordance};
pub use cox::firth::{FirthFit, firth};
pub use cox::proportional_hazards::{ProportionalHazards, proportional_hazards};
pub use cox::{ChiSquaredTest, CoxError, CoxFit, CoxSubject, Ties, cox};
pub use estimate::Estimate;
pub use fine_gray::{FineGrayError, FineGrayFit, FineGraySubject, fine_gray};
pub use follow_up::{FollowUp, follow_up, reverse_kaplan_meier};
pub use gray::{GrayError, GrayTest, gray_test};
pub use kaplan_meier::{IntervalScale, KaplanMeier, kaplan_meier};
pub use landmarks::{Landmark, at_risk_from, landmarks};
pub use log_rank::{LogRank, LogRankError, Weighting, log_rank, log_rank_tests};
pub use median::{Convention, Median, median, quantile};
pub use observation::{Group, InputError, TimeToEvent, TimeToState, TimeUnit};
pub use profile::Profile;
pub use proportion::exact_interval;
pub use record::Record;
pub use restricted_mean::{RestrictedMean, RestrictedMeanError, restricted_mean};
pub use screen::{Screen, ScreenVariable, Univariable, screen};
pub use summary::{CoxSummary, GroupCurve, Penalty, SummaryOptions, SurvivalSummary, WeightedTests, summarise};
pub use turnbull::{EventWindow, Fall, Turnbull, TurnbullError, turnbull};

/// Two-sided 95 % point of the standard normal distribution, Φ⁻¹(0.975).
pub const Z_95: f64 = 1.959_963_984_540_054;
