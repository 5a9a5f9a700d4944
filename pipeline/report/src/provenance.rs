//! What a page was made with: versions and digests in the page, clocks and machines in the footer.

use serde::{Deserialize, Serialize};

/// One thing that had a part in the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Program, criterion table, model, study file, …
    pub what: String,
    /// Its version; empty when it has none.
    pub version: String,
    /// Digest of its bytes, such as `sha256:…`; empty when it has none.
    pub digest: String,
}

/// Everything that had a part in the result; equal for equal runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// In the order they are to be read.
    pub components: Vec<Component>,
}

/// Everything that differs between two runs of the same input. Printed in `<footer class="run">` and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunBlock {
    /// When the page was made.
    pub generated_at: Option<String>,
    /// The command that made it.
    pub command_line: Option<String>,
    /// Processor, accelerator, threads.
    pub hardware: Option<String>,
    /// How long it took.
    pub duration: Option<String>,
}
