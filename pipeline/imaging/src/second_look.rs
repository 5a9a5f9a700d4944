//! A second look at the images where an outline claims a new lesion: does anything stand out there now, did it stand out before, and
//! could it be something else?
//!
//! An outline alone cannot tell a new lesion from one that was overlooked before, nor from an outline of nothing. The image can: the
//! contrast of the outlined place against its surroundings is held against that of every other place of the same shape in the organ,
//! so that noise, texture, vessels and the wandering of a search need no model. What is called rare is rare in this organ of this
//! image.
//!
//! Source of the question: Eisenhauer et al. 2009 (RECIST 1.1) §4.3.5, a new lesion is unequivocal and not due to technique.

mod before;
mod doubt;
mod now;
mod places;
mod runs_on;
mod scene;
mod template;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use before::{Before, Pair, look_back};
pub use doubt::{Doubt, doubt};
pub use now::{Now, look};
pub use scene::Scene;

/// Fewest places of the organ that a share can be counted over.
const MIN_PLACES: usize = 60;
/// Most of them: shares are told to a third of a percent.
const MAX_PLACES: usize = 300;

/// Why an image says nothing about a place.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NotSeen {
    /// The organ has too little room besides the place.
    #[error(
        "the organ has only {n} other places of that size to compare with, at least {MIN_PLACES} are needed: read the place by eye"
    )]
    TooFewPlaces {
        /// Places found.
        n: usize,
    },
    /// The place is not in the organ, or the image does not hold it.
    #[error(
        "less than half of the outline, or nothing round it, lies in the organ's outline on that image: read the place by eye"
    )]
    NotInOrgan,
}
