//! Unknown is not zero: a value, or the reason why there is none.

use serde::{Deserialize, Serialize};

/// A value, or why it could not be had. Serialises as the bare value or as `{"not_evaluable": "<reason>"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evaluable<T> {
    /// The value.
    Value(T),
    /// Why there is none, as a sentence a reader can act on.
    NotEvaluable(String),
}

impl<T> Evaluable<T> {
    /// No value, and why.
    pub fn not(reason: impl Into<String>) -> Self {
        Self::NotEvaluable(reason.into())
    }
    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::NotEvaluable(_) => None,
        }
    }
    /// The reason, if there is no value.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Value(_) => None,
            Self::NotEvaluable(reason) => Some(reason),
        }
    }
    /// Another value for the same evaluability.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Evaluable<U> {
        match self {
            Self::Value(value) => Evaluable::Value(f(value)),
            Self::NotEvaluable(reason) => Evaluable::NotEvaluable(reason),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OnDisk<T> {
    NotEvaluable { not_evaluable: String },
    Value(T),
}

impl<T: Serialize> Serialize for Evaluable<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::NotEvaluable(reason) => {
                OnDisk::<()>::NotEvaluable { not_evaluable: reason.clone() }.serialize(serializer)
            }
        }
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Evaluable<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match OnDisk::<T>::deserialize(deserializer)? {
            OnDisk::Value(value) => Self::Value(value),
            OnDisk::NotEvaluable { not_evaluable } => Self::NotEvaluable(not_evaluable),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_takes_the_place_of_a_number() {
        let absent: Evaluable<f64> = Evaluable::not("no arterial phase");
        let text = serde_json::to_string(&absent).unwrap();
        assert_eq!(text, r#"{"not_evaluable":"no arterial phase"}"#);
        assert_eq!(serde_json::from_str::<Evaluable<f64>>(&text).unwrap(), absent);
        assert_eq!(serde_json::from_str::<Evaluable<f64>>("12.5").unwrap(), Evaluable::Value(12.5));
    }
}
