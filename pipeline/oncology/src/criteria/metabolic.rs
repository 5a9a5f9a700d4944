//! The words of a metabolic response.
//!
//! Source: Young et al. 1999 (EORTC); Wahl et al. 2009 (PERCIST); Cheson et al. 2014 (Lugano).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::response::{UnknownResponse, response};

response!(
    /// Metabolic response.
    MetabolicResponse, "metabolic", {
        /// Complete.
        Complete = "CMR",
        /// Partial.
        Partial = "PMR",
        /// Stable (EORTC, PERCIST).
        Stable = "SMD",
        /// No response (Lugano).
        NoResponse = "NMR",
        /// Progression.
        Progressive = "PMD",
        /// Not evaluable.
        NotEvaluable = "NE",
    }
);
