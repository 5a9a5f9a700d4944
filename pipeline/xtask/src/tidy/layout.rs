//! Where files lie, how they are named and how large they are.

use super::Violation;
use crate::repository::Repository;

const TOP_LEVEL: [&str; 9] =
    ["Cargo.toml", "Cargo.lock", "pipeline/", "models/", "configs/", "test_data/", "scripts/", "README.md", "LICENSE"];

/// Only what the layout names, and dot files.
pub(super) fn top_level(repository: &Repository) -> Vec<Violation> {
    let strange = repository.entries("").into_iter().filter(|e| !TOP_LEVEL.contains(e) && !e.starts_with('.'));
    strange
        .map(|e| Violation::file(e, "the top level holds only what the layout names; move it below one of its folders"))
        .collect()
}

const EMPTY_NAMES: [&str; 7] = ["util", "utils", "helper", "helpers", "common", "misc", "manager"];

/// No file or folder is called utils, helpers, common, misc or manager.
pub(super) fn telling_names(repository: &Repository) -> Vec<Violation> {
    let says_nothing =
        |path: &str| path.split('/').any(|part| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part)));
    let strange = repository.files.keys().filter(|path| says_nothing(path));
    strange.map(|path| Violation::file(path, "the name says nothing; name it by a term of the field")).collect()
}

const MAX_BYTES: usize = 1 << 20;

/// At most 1 MiB, models excepted (they have their own rule).
pub(super) fn small_files(repository: &Repository) -> Vec<Violation> {
    let is_model = |path: &str| path.rsplit_once('.').is_some_and(|(_, extension)| extension == "onnx");
    let large = repository.files.iter().filter(|(path, file)| file.bytes.len() > MAX_BYTES && !is_model(path));
    large
        .map(|(path, file)| {
            let message = format!(
                "{} KiB, expected at most 1024: make it smaller, or make it by a script",
                file.bytes.len() >> 10
            );
            Violation::file(path, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::paths;

    #[test]
    fn the_top_level_takes_dot_files_and_nothing_new() {
        let repository = Repository::of(&[("Cargo.toml", ""), (".ci/run", ""), ("docs/a.md", ""), ("notes.txt", "")]);
        assert_eq!(paths(&top_level(&repository)), ["docs/", "notes.txt"]);
    }

    #[test]
    fn a_name_is_compared_whole() {
        let repository = Repository::of(&[("a/utils.rs", ""), ("a/common/mod.rs", ""), ("a/uncommon.rs", "")]);
        assert_eq!(paths(&telling_names(&repository)), ["a/common/mod.rs", "a/utils.rs"]);
    }

    #[test]
    fn a_large_table_is_refused_and_a_large_model_is_not() {
        let large = "x".repeat(MAX_BYTES + 1);
        let repository = Repository::of(&[("models/a/model.onnx", &large), ("test_data/a.csv", &large)]);
        assert_eq!(paths(&small_files(&repository)), ["test_data/a.csv"]);
    }
}
