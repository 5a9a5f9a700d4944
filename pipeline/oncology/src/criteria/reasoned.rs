//! A response with its reason and what would change it.
//!
//! Source: the project's own rule that no verdict stands without them.

/// A response, why, and what would flip it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reasoned<R> {
    /// The response.
    pub response: R,
    /// Rule and numbers, as a sentence.
    pub why: String,
    /// What would change the response; empty where nothing measured would.
    pub flips_if: String,
}

impl<R> Reasoned<R> {
    pub(super) fn new(response: R, why: impl Into<String>, flips_if: impl Into<String>) -> Self {
        Self { response, why: why.into(), flips_if: flips_if.into() }
    }
}
