//! A number that could be worked out, or the reason why not.

use serde::{Deserialize, Serialize};

/// A value, or the reason why there is none. On disk: the value itself, or `{"not_evaluable": "<reason>"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Estimate<T> {
    /// The value.
    Value(T),
    /// No honest value exists.
    NotEvaluable {
        /// Why there is none, in words a reader of the report understands.
        not_evaluable: String,
    },
}

impl<T> Estimate<T> {
    /// The absence of a value with its reason.
    #[must_use]
    pub fn not_evaluable(reason: impl Into<String>) -> Self {
        Self::NotEvaluable { not_evaluable: reason.into() }
    }

    /// The value, if there is one.
    #[must_use]
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::NotEvaluable { .. } => None,
        }
    }

    /// The reason, if there is no value.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Value(_) => None,
            Self::NotEvaluable { not_evaluable } => Some(not_evaluable),
        }
    }
}

impl<T, E: std::error::Error> From<Result<T, E>> for Estimate<T> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Self::Value(value),
            Err(error) => Self::not_evaluable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_to_disk_as_a_number_or_a_reason_and_comes_back() {
        for (estimate, text) in
            [(Estimate::Value(0.5), "0.5"), (Estimate::not_evaluable("no events"), r#"{"not_evaluable":"no events"}"#)]
        {
            assert_eq!(serde_json::to_string(&estimate).unwrap(), text);
            assert_eq!(serde_json::from_str::<Estimate<f64>>(text).unwrap(), estimate);
        }
    }
}
