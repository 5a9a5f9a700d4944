//! `frozen.json`: a locked analysis. It holds program, stages, study, criteria, preset and models of the run that was frozen; a later
//! run on the same folder with any other is refused, so that nobody tries definitions until the result pleases.

use std::path::Path;

use anyhow::Context as _;

use crate::out;
use crate::run::Settings;

/// Name of the file in an output folder.
const NAME: &str = "frozen.json";

/// Whether an output folder's analysis is frozen.
pub(crate) fn is_frozen(out: &Path) -> bool {
    out.join(NAME).exists()
}

/// Refuses what is not made with the same as the frozen analysis of an output folder, naming every difference. A file that cannot be
/// read refuses everything.
pub(crate) fn check(out: &Path, now: &Settings) -> anyhow::Result<()> {
    let path = out.join(NAME);
    if !path.exists() {
        return Ok(());
    }
    let broken = || {
        format!(
            "{}: expected what the analysis was frozen with; nothing is run on a frozen folder without it: bring the file back, or choose another --out",
            path.display()
        )
    };
    let frozen: Settings = serde_json::from_slice(&std::fs::read(&path).with_context(broken)?).with_context(broken)?;
    let changes = now.changes_since(&frozen);
    anyhow::ensure!(
        changes.is_empty(),
        "the analysis in {} is frozen ({NAME}) and this run would be made with something else: {}; run with what was frozen, or choose another --out for another analysis",
        out.display(),
        changes.join(", ")
    );
    Ok(())
}

/// Freezes an analysis, unless it is frozen already.
pub(crate) fn freeze(out: &Path, now: &Settings) -> anyhow::Result<()> {
    check(out, now)?;
    if is_frozen(out) { Ok(()) } else { out::write_json(&out.join(NAME), now) }
}
