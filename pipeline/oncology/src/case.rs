//! Worked cases a clinician can read: what a rule gives beside what is expected, and whether they agree.
//!
//! Source: the case files' own schema; every leaf of `expected` is compared, numbers within the case's tolerance, `cause`
//! and `*_note` leaves and whatever a case lists in `not_tested` excepted.

mod endpoint_cases;
mod event_cases;
mod immune_cases;
mod margin_cases;
mod metabolic_cases;
mod response_cases;
mod statistics_cases;

use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// One case, run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseOutcome {
    /// Identifier of the case.
    pub id: String,
    /// Category.
    pub category: String,
    /// What the rules give, with the keys of `expected`; `{"not_evaluable": reason}` when the case could not be run.
    pub got: Value,
    /// What is expected.
    pub expected: Value,
    /// Whether they agree.
    pub pass: bool,
}

/// Why a case could not be run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaseError {
    /// A rule family that is not built.
    #[error("category {0:?} is not implemented")]
    NotImplemented(String),
    /// What another crate says of its category.
    #[error("{category} case: {message}")]
    Elsewhere {
        /// Category.
        category: String,
        /// Its message.
        message: String,
    },
    /// An input this category does not know.
    #[error("{category} case: {message}")]
    Input {
        /// Category.
        category: &'static str,
        /// What was expected and found.
        message: String,
    },
}

/// What every category's function takes.
struct CaseInput<'a> {
    input: &'a Value,
    options: &'a Value,
}

/// A category whose rules live in another crate: what it gives for an input, or why not; `None` for any other category.
pub type Elsewhere<'a> = &'a dyn Fn(&str, &Value) -> Option<Result<Map<String, Value>, String>>;

/// Runs one case of a case file.
pub fn run_case(case: &Value) -> CaseOutcome {
    run_case_with(case, &|_, _| None)
}

/// Runs one case of a case file, categories of other crates among them.
pub fn run_case_with(case: &Value, elsewhere: Elsewhere<'_>) -> CaseOutcome {
    let text = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let (id, category, expected) = (text("id"), text("category"), case["expected"].clone());
    let input = CaseInput { input: &case["input"], options: &case["options"] };
    let found = elsewhere(&category, &case["input"])
        .map(|found| found.map_err(|message| CaseError::Elsewhere { category: category.clone(), message }));
    let got = match found.unwrap_or_else(|| run(&category, &input)) {
        Ok(all) => keep_keys(all, &expected),
        Err(error) => {
            let got = serde_json::json!({ "not_evaluable": error.to_string() });
            return CaseOutcome { id, category, got, expected, pass: false };
        }
    };
    let comparison = Comparison { tolerance: &case["tolerance"], not_tested: &case["not_tested"] };
    let pass = expected.is_object() && comparison.agrees("", &got, &expected);
    CaseOutcome { id, category, got, expected, pass }
}

fn run(category: &str, case: &CaseInput<'_>) -> Result<Map<String, Value>, CaseError> {
    match category {
        "recist_target" => response_cases::target(case),
        "recist_selection" => response_cases::selection(case),
        "recist_combined" => response_cases::combined(case),
        "recist_bor" => response_cases::best(case),
        "mrecist" => response_cases::mrecist(case),
        "easl" => metabolic_cases::extent(case),
        "percist" => metabolic_cases::percist_case(case),
        "eortc_pet" => metabolic_cases::eortc_case(case),
        "deauville" => metabolic_cases::deauville_case(case),
        "narayanan2024_response" => metabolic_cases::enhancement(case),
        "irecist" => immune_cases::course(case),
        "irecist_ibor" => immune_cases::best(case),
        "pet" if case.input.get("sex").is_some() => metabolic_cases::lean(case),
        "margin" => margin_cases::margin(case),
        "stats" => statistics_cases::statistics(case),
        "ablation_events" => event_cases::ablation(case),
        "tte" => endpoint_cases::time_to_event(case),
        other => Err(CaseError::NotImplemented(other.to_owned())),
    }
}

fn keep_keys(all: Map<String, Value>, expected: &Value) -> Value {
    let is_expected = |key: &String| expected.as_object().is_some_and(|expected| expected.contains_key(key));
    Value::Object(all.into_iter().filter(|(key, _)| is_expected(key)).collect())
}

struct Comparison<'a> {
    tolerance: &'a Value,
    not_tested: &'a Value,
}

impl Comparison<'_> {
    fn agrees(&self, key: &str, got: &Value, expected: &Value) -> bool {
        if self.is_left_out(key) {
            return true;
        }
        match (got, expected) {
            (Value::Object(got), Value::Object(expected)) => expected.iter().all(|(key, expected)| {
                self.agrees(key, got.get(key).unwrap_or(&Value::Null), expected)
                    && (got.contains_key(key) || self.is_left_out(key))
            }),
            (Value::Array(got), Value::Array(expected)) => {
                got.len() == expected.len()
                    && got.iter().zip(expected).all(|(got, expected)| self.agrees(key, got, expected))
            }
            (Value::Number(got), Value::Number(expected)) => match (got.as_f64(), expected.as_f64()) {
                (Some(got), Some(expected)) => (got - expected).abs() <= self.tolerance_of(key),
                _ => false,
            },
            (got, expected) => got == expected,
        }
    }

    fn is_left_out(&self, key: &str) -> bool {
        let listed = match self.not_tested {
            Value::Array(keys) => keys.iter().any(|listed| listed.as_str() == Some(key)),
            Value::String(listed) => listed == key,
            _ => false,
        };
        key == "cause" || key.ends_with("_note") || listed
    }

    /// The tolerance whose key is the longest that equals, begins or ends the leaf's key.
    fn tolerance_of(&self, key: &str) -> f64 {
        let named = self.tolerance.as_object().into_iter().flatten();
        let fitting = named.filter(|(name, _)| key.starts_with(name.as_str()) || key.ends_with(name.as_str()));
        let longest = fitting.max_by_key(|(name, _)| name.len()).and_then(|(_, value)| value.as_f64());
        longest.or_else(|| self.tolerance["abs"].as_f64()).unwrap_or(1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn case(expected: &Value, tolerance: &Value) -> Value {
        json!({"id": "x", "category": "recist_target", "input": {"kinds": ["lesion"], "baseline": [110],
            "timepoints": [{"day": 56, "values": [77]}]}, "options": {}, "expected": expected, "tolerance": tolerance})
    }

    #[test]
    fn a_wrong_expectation_fails_and_a_right_one_passes() {
        assert!(run_case(&case(&json!({"target": ["PR"], "sum": [77.0]}), &json!({}))).pass);
        assert!(!run_case(&case(&json!({"target": ["SD"]}), &json!({}))).pass);
        assert!(!run_case(&case(&json!({"sum": [77.1]}), &json!({"sum": 0.05}))).pass);
        assert!(run_case(&case(&json!({"sum": [77.1]}), &json!({"sum": 0.2}))).pass);
        assert!(!run_case(&case(&json!({"no_such_key": 1}), &json!({}))).pass);
    }

    #[test]
    fn an_unbuilt_category_does_not_pass() {
        let outcome = run_case(&json!({"id": "m", "category": "margin", "input": {}, "expected": {}}));
        assert!(!outcome.pass && outcome.got["not_evaluable"].as_str().unwrap().contains("margin"));
    }

    #[test]
    fn an_unknown_option_is_refused() {
        let mut unknown = case(&json!({"target": ["PR"]}), &json!({}));
        unknown["options"] = json!({"strictness": 3});
        assert!(run_case(&unknown).got["not_evaluable"].as_str().unwrap().contains("strictness"));
    }
}
