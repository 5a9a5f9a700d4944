//! Which crate may use which: the direction of the architecture, and the one home of every heavy crate.

use toml::{Table, Value};

use super::Violation;
use crate::repository::Repository;

/// Our crates, and the siblings each may use. Everything points from the program down to the pure crates.
const DIRECTION: [(&str, &[&str]); 12] = [
    ("imaging", &[]),
    ("survival", &[]),
    ("oncology", &["imaging", "survival"]),
    ("report", &["imaging", "oncology", "survival"]),
    ("phantom", &["imaging"]),
    ("formats", &["imaging", "oncology"]),
    ("inference", &["imaging"]),
    ("transfer", &["formats"]),
    ("lesiontrace", &["imaging", "survival", "oncology", "report", "phantom", "formats", "inference", "transfer"]),
    ("testkit", &[]),
    ("fuzz", &["imaging", "oncology", "formats", "inference", "testkit", "transfer"]),
    ("xtask", &[]),
];

/// Crates that compute only.
const PURE: [&str; 5] = ["imaging", "survival", "oncology", "report", "phantom"];

/// Foreign crates that read or write, by the beginning of their names.
const TOUCHES_THE_WORLD: [&str; 13] = [
    "dicom",
    "nifti",
    "ort",
    "csv",
    "tempfile",
    "clap",
    "indicatif",
    "signal-hook",
    "tracing-subscriber",
    "walkdir",
    "reqwest",
    "rustls",
    "ureq",
];

/// Foreign crates that bring much with them, by the beginning of their names, and the one crate that may use them (and the
/// fuzz targets, which share test files with it).
const HEAVY: [(&str, &str); 12] = [
    // The first that fits counts: associations go over the network.
    ("dicom-ul", "transfer"),
    ("rustls", "transfer"),
    ("ureq", "transfer"),
    ("dicom", "formats"),
    ("nifti", "formats"),
    ("ort", "inference"),
    ("image", "report"),
    ("imageproc", "report"),
    ("minijinja", "report"),
    ("clap", "lesiontrace"),
    ("indicatif", "lesiontrace"),
    ("signal-hook", "lesiontrace"),
];

/// A crate's folder name, the path of its manifest and the manifest.
fn manifests(repository: &Repository) -> Vec<(&str, &str, Table)> {
    let manifests = repository.texts("/Cargo.toml").filter_map(|(path, text)| {
        let name = path.strip_prefix("pipeline/")?.strip_suffix("/Cargo.toml")?;
        Some((name, path, text.parse::<Table>().ok()?))
    });
    manifests.collect()
}

fn dependencies<'a>(manifest: &'a Table, table: &str) -> Vec<(&'a str, &'a Value)> {
    let table = manifest.get(table).and_then(Value::as_table);
    table.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
}

fn is_family(name: &str, family: &str) -> bool {
    name == family || name.strip_prefix(family).is_some_and(|rest| rest.starts_with('-'))
}

/// Siblings only downwards; a new crate has to be entered above.
pub(super) fn direction(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (name, path, manifest) in manifests(repository) {
        let Some((_, may_use)) = DIRECTION.iter().find(|(one, _)| *one == name) else {
            violations
                .push(Violation::file(path, "a crate without a place: enter it in pipeline/xtask/src/tidy/crates.rs"));
            continue;
        };
        for (used, _) in dependencies(&manifest, "dependencies") {
            if DIRECTION.iter().any(|(one, _)| *one == used) && !may_use.contains(&used) {
                violations
                    .push(Violation::file(path, format!("{name} may use {may_use:?} of the siblings, found {used}")));
            }
        }
    }
    violations
}

/// The lint that bans files, clocks and processes is on, and no crate that needs them is used.
pub(super) fn pure(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (name, path, manifest) in manifests(repository).into_iter().filter(|(name, ..)| PURE.contains(name)) {
        let library = format!("pipeline/{name}/src/lib.rs");
        if !repository.text(&library).is_some_and(|text| text.contains("#![warn(clippy::disallowed_methods)]")) {
            violations.push(Violation::file(library, "a pure crate begins with #![warn(clippy::disallowed_methods)]"));
        }
        for (used, _) in dependencies(&manifest, "dependencies") {
            if TOUCHES_THE_WORLD.iter().any(|family| is_family(used, family)) {
                violations.push(Violation::file(
                    path,
                    format!("a pure crate takes values, found {used}, which reads or writes"),
                ));
            }
        }
    }
    violations
}

/// One home each, tests included.
pub(super) fn heavy(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (name, path, manifest) in manifests(repository).into_iter().filter(|(name, ..)| *name != "fuzz") {
        for (used, _) in ["dependencies", "dev-dependencies"].iter().flat_map(|table| dependencies(&manifest, table)) {
            if let Some((_, home)) =
                HEAVY.iter().find(|(family, _)| is_family(used, family)).filter(|(_, home)| *home != name)
            {
                violations
                    .push(Violation::file(path, format!("{used} belongs to {home} alone: use {home}'s own types")));
            }
        }
    }
    violations
}

/// Every dependency names its version, and every crate its lints, by `workspace = true`.
pub(super) fn from_the_workspace(repository: &Repository) -> Vec<Violation> {
    let is_inherited =
        |value: Option<&Value>| value.and_then(|v| v.get("workspace")).and_then(Value::as_bool) == Some(true);
    let mut violations = Vec::new();
    for (_, path, manifest) in manifests(repository) {
        if !is_inherited(manifest.get("lints")) {
            violations.push(Violation::file(path, "expected [lints] workspace = true"));
        }
        let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
        for (used, value) in tables.iter().flat_map(|table| dependencies(&manifest, table)) {
            if !is_inherited(Some(value)) {
                let message =
                    format!("{used}: expected `{used}.workspace = true`, its version in [workspace.dependencies]");
                violations.push(Violation::file(path, message));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::paths;

    const PURE_LIB: &str = "//! Words.\n#![warn(clippy::disallowed_methods)]\n";

    #[test]
    fn an_arrow_upwards_is_refused() {
        let repository = Repository::of(&[
            ("pipeline/imaging/Cargo.toml", "[dependencies]\noncology.workspace = true\n"),
            ("pipeline/oncology/Cargo.toml", "[dependencies]\nimaging.workspace = true\nsurvival.workspace = true\n"),
            ("pipeline/viewer/Cargo.toml", ""),
        ]);
        assert_eq!(paths(&direction(&repository)), ["pipeline/imaging/Cargo.toml", "pipeline/viewer/Cargo.toml"]);
    }

    #[test]
    fn a_pure_crate_with_a_reader_of_files_or_without_the_lint_is_refused() {
        let repository = Repository::of(&[
            (
                "pipeline/imaging/Cargo.toml",
                "[dependencies]\ndicom-object.workspace = true\n[dev-dependencies]\ncsv.workspace = true\n",
            ),
            ("pipeline/imaging/src/lib.rs", PURE_LIB),
            ("pipeline/survival/Cargo.toml", ""),
            ("pipeline/survival/src/lib.rs", ""),
            ("pipeline/formats/Cargo.toml", "[dependencies]\ndicom.workspace = true\n"),
        ]);
        assert_eq!(paths(&pure(&repository)), ["pipeline/imaging/Cargo.toml", "pipeline/survival/src/lib.rs"]);
    }

    #[test]
    fn names_are_families_only_up_to_a_dash() {
        let repository = Repository::of(&[
            ("pipeline/report/Cargo.toml", "[dependencies]\nimage.workspace = true\nimageproc.workspace = true\n"),
            ("pipeline/imaging/Cargo.toml", "[dev-dependencies]\ndicom-core.workspace = true\n"),
            ("pipeline/transfer/Cargo.toml", "[dependencies]\ndicom-ul.workspace = true\n"),
            ("pipeline/formats/Cargo.toml", "[dependencies]\nureq.workspace = true\ndicom.workspace = true\n"),
        ]);
        assert_eq!(paths(&heavy(&repository)), ["pipeline/formats/Cargo.toml", "pipeline/imaging/Cargo.toml"]);
    }

    #[test]
    fn a_version_in_a_member_is_refused() {
        let good = "[lints]\nworkspace = true\n[dependencies]\ncsv = { workspace = true, features = [] }\n";
        let repository = Repository::of(&[
            ("pipeline/a/Cargo.toml", good),
            ("pipeline/b/Cargo.toml", "[lints]\nworkspace = true\n[dev-dependencies]\ncsv = \"1\"\n"),
            ("pipeline/c/Cargo.toml", ""),
        ]);
        assert_eq!(paths(&from_the_workspace(&repository)), ["pipeline/b/Cargo.toml", "pipeline/c/Cargo.toml"]);
    }
}
