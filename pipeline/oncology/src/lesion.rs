//! What is known about a lesion apart from its pixels: identity, place, kind, role and how a size was coded.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §3; CDISC SDTM TU/TR for the wording of roles and states.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::exact::Exact;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);
        impl $name {
            /// From a text.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
identifier!(/// A patient's identifier (or pseudonym). Never a name.
    PatientId);
identifier!(/// A lesion's identifier within one patient: `L1`, `L2`, … in order of first sight.
    LesionId);
identifier!(/// DICOM Tracking Unique Identifier (0062,0021) of a lesion over time.
    TrackingUid);

/// The organ a lesion lies in. Anything else keeps the word it came with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Organ {
    /// Liver.
    Liver,
    /// Lung (both together, as RECIST counts paired organs once).
    Lung,
    /// Lymph nodes (all together).
    LymphNode,
    /// Another organ, by name in snake case.
    Other(String),
    /// Neither stated nor found out.
    Unknown,
}

impl From<String> for Organ {
    fn from(text: String) -> Self {
        match text.trim().to_lowercase().replace([' ', '-'], "_").as_str() {
            "liver" => Self::Liver,
            "lung" | "lungs" => Self::Lung,
            "lymph_node" | "lymph_nodes" | "node" => Self::LymphNode,
            "" | "unknown" => Self::Unknown,
            other => Self::Other(other.to_owned()),
        }
    }
}
impl From<Organ> for String {
    fn from(organ: Organ) -> Self {
        organ.to_string()
    }
}
impl fmt::Display for Organ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Liver => "liver",
            Self::Lung => "lung",
            Self::LymphNode => "lymph_node",
            Self::Other(name) => name,
            Self::Unknown => "unknown",
        })
    }
}

/// Lymph nodes are measured by their short axis, everything else by its longest diameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LesionKind {
    /// Non-nodal.
    Lesion,
    /// Lymph node.
    Node,
}

/// A lesion's part in the assessment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LesionRole {
    /// Measured at baseline and summed.
    Target,
    /// Followed, not summed.
    NonTarget,
    /// First seen after baseline.
    New,
    /// Seen but not recorded (a normal node, a finding below the size of disease).
    NotRecorded,
}

/// What became of a lesion at one visit, or at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LesionState {
    /// Seen.
    Present,
    /// The place was imaged and it was not there.
    Absent,
    /// Treated locally; a zone without viable tumour stands in its place.
    Ablated,
    /// Viable tumour at the zone on the first control, before complete ablation was ever documented.
    Residual,
    /// Viable tumour at the zone after complete ablation had been documented.
    LocalProgression,
    /// Grown together with another lesion.
    Merged,
    /// Two candidates fit about equally well; a reader decides.
    Uncertain,
    /// The place was not imaged, or registration failed.
    NotEvaluable,
}

macro_rules! snake_display {
    ($name:ty) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.serialize(f)
            }
        }
    };
}
snake_display!(LesionKind);
snake_display!(LesionRole);
snake_display!(LesionState);

/// How a lesion's size was coded at one visit.
///
/// Source: criteria conventions §1.3; CDISC TR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Longest diameter (lesion) or short axis (node) in mm.
    Measured(Exact),
    /// Believed present, too small to measure: counts 5 mm.
    TooSmallToMeasure,
    /// Not there any more: counts 0.
    Absent,
    /// Not evaluable, because.
    NotEvaluable(String),
    /// Merged into another lesion, which carries the common diameter: counts 0.
    MergedInto(LesionId),
}
