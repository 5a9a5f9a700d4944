//! What tests of several crates share: real data that are not in the repository, and how to say that they were not there; small
//! files of every kind, and damage done to them.

pub mod damage;
pub mod dicom_bytes;
pub mod packed;
pub mod seeds;
pub mod zip_bytes;

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Names the folder of real data, absolute or from the top of the repository; its contents stand in `test_data/README.md`.
pub const VARIABLE: &str = "LESIONTRACE_DATA";

/// The file or folder `path` of the real data, or `None` where there is none, said on stderr past the test's capture.
///
/// ```no_run
/// let Some(folder) = lesiontrace_testkit::real_data("survival") else { return };
/// let table = std::fs::read(folder.join("pbc.csv"));
/// ```
#[must_use]
pub fn real_data(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os(VARIABLE).filter(|root| !root.is_empty());
    let found = find(root.as_deref().map(Path::new), path);
    if let Err(reason) = &found {
        // Not `eprintln!`: the harness hides what a passing test prints. A closed stderr is nobody's error.
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr(), "NOT RUN: {test}: {reason}");
    }
    found.ok()
}

fn find(root: Option<&Path>, path: &str) -> Result<PathBuf, String> {
    let root = root.ok_or_else(|| format!("{VARIABLE} is unset; set it to the folder that holds {path}"))?;
    // Each test runs in the folder of its crate; the variable is read from the top.
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(root).join(path);
    if found.exists() { Ok(found) } else { Err(format!("{VARIABLE} is {}, which holds no {path}", root.display())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_names_the_variable_or_the_missing_path() {
        assert!(find(None, "survival").unwrap_err().contains("LESIONTRACE_DATA is unset"));
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(find(Some(here), "src/lib.rs"), Ok(here.join("src/lib.rs")));
        assert_eq!(find(Some(Path::new("pipeline")), "testkit").map(|found| found.join("src").is_dir()), Ok(true));
        assert!(find(Some(here), "gone").unwrap_err().ends_with("holds no gone"));
    }
}
