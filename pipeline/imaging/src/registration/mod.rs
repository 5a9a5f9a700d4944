//! Brings two images of one patient into one frame of reference, and says how far the result may be trusted.
//!
//! The pair is compared at random points of the fixed image on a pyramid of 8, 4 and 2 mm; the motion is found by a grid search
//! on the coarsest level and damped Gauss–Newton steps below it. Normalised correlation follows Evangelidis and Psarakis,
//! *IEEE TPAMI* 2008;30:1858 (enhanced correlation coefficient); mutual information follows Mattes et al., *IEEE TMI* 2003;22:120.
//! A registration that converged may still be wrong: [`Registration::quality`] comes from starting again from elsewhere, from
//! registering the other way round, and from looking in blocks for what a rigid motion left over.

mod block;
mod blur;
mod carry;
mod chain;
pub mod deformable;
mod descent;
mod evaluate;
mod itk;
mod joint;
mod level;
mod moments;
mod motion;
mod options;
mod padding;
mod pair;
mod partial;
mod point_error;
mod prepared;
mod quality;
mod register;
mod result;
mod rigid_fit;
mod sample;
mod start;
mod unseen;
mod verdict;
mod warp;

pub use block::BlockResidual;
pub use carry::moved_as_a_body;
pub use itk::{ItkError, read_itk_transform, write_itk_transform};
pub use options::{Metric, RegistrationError, RegistrationOptions, TransformKind};
pub use padding::scanned_part;
pub use pair::Pair;
pub use point_error::{LocalEvidence, PointError, WITHIN_95};
pub use quality::{
    ERROR_FAIL_MM, ERROR_PASS_MM, MATCHED_FAIL, MATCHED_PASS, MIN_OVERLAP, MOTION_PASS_MM, OVERLAP_PASS,
    RESIDUAL_FAIL_MM, RESIDUAL_OTHER_MM, RESIDUAL_PASS_MM, SIZE_FAIL, SIZE_PASS,
};
pub use register::{judge, register, register_affine, register_rigid};
pub use result::{Quality, Registration, Spread};
pub use unseen::Unseen;
pub use warp::{warp_image, warp_labels, warp_mask};

#[cfg(test)]
mod coverage_tests;
#[cfg(test)]
mod tests;
