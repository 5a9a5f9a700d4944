//! The conventions of one statistics program, taken together.
//!
//! Source: R `survival` 3, SPSS Statistics (algorithms manual), lifelines 0.30.

use serde::{Deserialize, Serialize};

use crate::{Convention, IntervalScale, Ties, Weighting};

/// Whose conventions are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Log bounds, midpoint median with inverted bounds, Efron's ties.
    R,
    /// Plain bounds, first-time median ± z·se, Breslow's ties.
    Spss,
    /// Log-log bounds, first-time median with inverted bounds, Efron's ties.
    Lifelines,
}

impl Profile {
    /// The scale of the bounds of S.
    #[must_use]
    pub const fn interval_scale(self) -> IntervalScale {
        match self {
            Self::R => IntervalScale::Log,
            Self::Spss => IntervalScale::Plain,
            Self::Lifelines => IntervalScale::LogLog,
        }
    }

    /// The definition of the median and its interval.
    #[must_use]
    pub const fn convention(self) -> Convention {
        match self {
            Self::R => Convention::R,
            Self::Spss => Convention::Spss,
            Self::Lifelines => Convention::Lifelines,
        }
    }

    /// The treatment of ties in Cox models.
    #[must_use]
    pub const fn ties(self) -> Ties {
        match self {
            Self::R | Self::Lifelines => Ties::Efron,
            Self::Spss => Ties::Breslow,
        }
    }

    /// The weights behind the name Peto.
    #[must_use]
    pub const fn peto(self) -> Weighting {
        match self {
            Self::R | Self::Spss => Weighting::PetoPeto,
            Self::Lifelines => Weighting::PetoPetoModified,
        }
    }
}
