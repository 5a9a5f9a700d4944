//! The words of a response: of target lesions, of non-target lesions, of new lesions, and overall.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1) §4.3; CDISC RS controlled terms for the spelling.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A word that is no response of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a {kind} response (one of {allowed}), found {found:?}")]
pub struct UnknownResponse {
    /// Which kind was expected.
    pub kind: &'static str,
    /// The words that exist.
    pub allowed: String,
    /// What stood there.
    pub found: String,
}

macro_rules! response {
    ($(#[$doc:meta])* $name:ident, $kind:literal, { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum $name {
            $($(#[$vdoc])* $variant),+
        }
        impl $name {
            /// Every value, in the order of the response tables.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The word as it stands in tables.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl FromStr for $name {
            type Err = UnknownResponse;
            fn from_str(text: &str) -> Result<Self, UnknownResponse> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| UnknownResponse {
                    kind: $kind,
                    allowed: Self::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(", "),
                    found: text.to_owned(),
                })
            }
        }
        impl TryFrom<String> for $name {
            type Error = UnknownResponse;
            fn try_from(text: String) -> Result<Self, UnknownResponse> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }
    };
}

pub(super) use response;

response!(
    /// Response of the target lesions at one visit.
    TargetResponse, "target", {
        /// Complete response.
        Complete = "CR",
        /// Partial response.
        Partial = "PR",
        /// Stable disease.
        Stable = "SD",
        /// Progressive disease.
        Progressive = "PD",
        /// A target could not be evaluated and the rest does not prove progression.
        NotEvaluable = "NE",
        /// The patient has no target lesion.
        NotApplicable = "NA",
    }
);

response!(
    /// Response of the non-target lesions at one visit.
    NonTargetResponse, "non-target", {
        /// All gone.
        Complete = "CR",
        /// At least one persists, none is unequivocally worse.
        Persistent = "NON-CR/NON-PD",
        /// Unequivocal progression.
        Progressive = "PD",
        /// Not all were evaluated and none is known to progress.
        NotEvaluable = "NE",
        /// The patient has no non-target lesion.
        NotApplicable = "NA",
    }
);

response!(
    /// Whether a lesion appeared that was not there at baseline.
    NewLesionResponse, "new lesion", {
        /// None.
        No = "N",
        /// Perhaps: it does not count until confirmed.
        Equivocal = "E",
        /// Unequivocal.
        Yes = "Y",
    }
);

response!(
    /// Overall response of the patient at one visit, and the best of them.
    OverallResponse, "overall", {
        /// Complete response.
        Complete = "CR",
        /// Partial response.
        Partial = "PR",
        /// Stable disease.
        Stable = "SD",
        /// Non-target disease only, neither gone nor progressing.
        NonTargetPersistent = "NON-CR/NON-PD",
        /// Progressive disease.
        Progressive = "PD",
        /// Not evaluable.
        NotEvaluable = "NE",
        /// No disease at baseline and none since.
        NoDisease = "NED",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_a_stranger_is_refused() {
        for value in OverallResponse::ALL {
            assert_eq!(value.as_str().parse::<OverallResponse>().unwrap(), *value);
        }
        let error = "iUPD".parse::<OverallResponse>().unwrap_err();
        assert!(error.to_string().contains("NON-CR/NON-PD") && error.to_string().contains("iUPD"));
    }
}
