//! Documents that have to keep step with the tree.

use super::Violation;
use crate::repository::Repository;

fn says(repository: &Repository, document: &str, words: &str) -> bool {
    repository.text(document).is_some_and(|text| text.contains(words))
}

fn is_executable(repository: &Repository, path: &str) -> bool {
    repository.files.get(path).is_some_and(|file| file.executable)
}

/// The demo and the tests.
pub(super) fn commands(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for command in ["scripts/demo", "scripts/test"] {
        if !says(repository, "README.md", command) {
            violations.push(Violation::file("README.md", format!("does not name {command}")));
        }
    }
    for command in
        ["scripts/demo", "scripts/test", ".ci/run"].into_iter().filter(|path| !is_executable(repository, path))
    {
        violations.push(Violation::file(command, "expected an executable file"));
    }
    violations
}

/// Each folder below `test_data` and `configs` is named, with its slash, in the README beside it.
pub(super) fn folders(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for parent in ["test_data", "configs"] {
        let readme = format!("{parent}/README.md");
        for folder in repository.entries(parent).into_iter().filter(|entry| entry.ends_with('/')) {
            if !says(repository, &readme, folder) {
                violations.push(Violation::file(&readme, format!("does not describe {folder}")));
            }
        }
    }
    violations
}

/// Each script is named in the README beside it and can be run.
pub(super) fn scripts(repository: &Repository) -> Vec<Violation> {
    let readme = "scripts/README.md";
    let mut violations = Vec::new();
    for script in
        repository.entries("scripts").into_iter().filter(|entry| !entry.ends_with('/') && *entry != "README.md")
    {
        let path = format!("scripts/{script}");
        if !says(repository, readme, &format!("`{script}`")) {
            violations.push(Violation::file(readme, format!("does not describe `{script}`")));
        }
        let begins_with_interpreter = repository.text(&path).is_some_and(|text| text.starts_with("#!"));
        if begins_with_interpreter && !is_executable(repository, &path) {
            violations.push(Violation::file(path, "begins with #! and is not executable"));
        }
    }
    violations
}

/// Each crate has its line.
pub(super) fn architecture(repository: &Repository) -> Vec<Violation> {
    let document = "pipeline/ARCHITECTURE.md";
    let crates = repository.entries("pipeline").into_iter().filter_map(|entry| entry.strip_suffix('/'));
    let missing = crates.filter(|name| !says(repository, document, &format!("`{name}`")));
    missing.map(|name| Violation::file(document, format!("does not describe the crate `{name}`"))).collect()
}

/// A heading for what comes next, and one for results that change.
pub(super) fn changelog(repository: &Repository) -> Vec<Violation> {
    let document = "pipeline/CHANGELOG.md";
    let missing =
        ["## Unreleased", "### Changes results"].into_iter().filter(|words| !says(repository, document, words));
    missing.map(|words| Violation::file(document, format!("has no heading {words:?}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::paths;

    #[test]
    fn commands_must_be_named_and_executable() {
        let mut repository = Repository::of(&[
            ("README.md", "scripts/demo"),
            ("scripts/demo", ""),
            ("scripts/test", ""),
            (".ci/run", ""),
        ]);
        assert_eq!(paths(&commands(&repository)), ["README.md", "scripts/demo", "scripts/test", ".ci/run"]);
        for file in repository.files.values_mut() {
            file.executable = true;
        }
        assert_eq!(paths(&commands(&repository)), ["README.md"]);
    }

    #[test]
    fn folders_scripts_and_crates_must_be_described() {
        let repository = Repository::of(&[
            ("test_data/README.md", "| `oracles/` |"),
            ("test_data/oracles/a.json", ""),
            ("test_data/phantoms/a.json", ""),
            ("scripts/README.md", "`a`"),
            ("scripts/a", "#!/bin/sh"),
            ("scripts/b.py", ""),
            ("pipeline/imaging/src/lib.rs", ""),
            ("pipeline/ARCHITECTURE.md", "imaging"),
        ]);
        assert_eq!(paths(&folders(&repository)), ["test_data/README.md"]);
        assert_eq!(paths(&scripts(&repository)), ["scripts/a", "scripts/README.md"]);
        assert_eq!(paths(&architecture(&repository)), ["pipeline/ARCHITECTURE.md"]);
    }
}
