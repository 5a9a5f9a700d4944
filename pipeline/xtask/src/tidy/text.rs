//! Words: no path of a machine, prose of a readable width, links that lead somewhere.

use super::Violation;
use crate::repository::Repository;

/// First folders of paths that exist on one machine only.
const MACHINE_FOLDERS: [&str; 5] = ["home", "root", "Users", "mnt", "tmp"];

/// No absolute path below a user's, a mounted or a temporary folder.
pub(super) fn machine_paths(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, file) in &repository.files {
        for (n, line) in file.text().into_iter().flat_map(str::lines).enumerate() {
            if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| names_folder(line, folder)) {
                let message =
                    format!("a path below {folder} exists on one machine only: take it from a variable or an option");
                violations.push(Violation::line(path, n + 1, message));
            }
        }
    }
    violations
}

/// Whether the line holds `/folder/` as the beginning of a path.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(&format!("/{folder}/")).any(|(at, _)| {
        let inside_a_path = |c: char| c.is_alphanumeric() || "_.-})$*".contains(c);
        !line[..at].ends_with(inside_a_path)
    })
}

const MAX_WIDTH: usize = 120;

/// Markdown lines of at most 120 characters; tables and code keep theirs.
pub(super) fn width(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in repository.texts(".md") {
        let mut in_code = false;
        for (n, line) in text.lines().enumerate() {
            in_code ^= line.trim_start().starts_with("```");
            let n_characters = line.chars().count();
            if n_characters > MAX_WIDTH && !in_code && !line.starts_with('|') {
                let message = format!("{n_characters} characters, expected at most {MAX_WIDTH}: break the line");
                violations.push(Violation::line(path, n + 1, message));
            }
        }
    }
    violations
}

/// A link of a Markdown file to a place in the repository leads to a file or folder.
pub(super) fn links(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in repository.texts(".md") {
        for (n, line) in text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
                if target.is_empty() || target.contains("://") || exists(repository, path, target) {
                    continue;
                }
                violations.push(Violation::line(path, n + 1, format!("the link to {target} leads nowhere")));
            }
        }
    }
    violations
}

fn exists(repository: &Repository, from: &str, target: &str) -> bool {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    let wanted = parts.join("/");
    repository.files.contains_key(&wanted) || !repository.entries(&wanted).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::paths;

    #[test]
    fn an_absolute_path_is_found_and_a_relative_one_is_not() {
        let home = MACHINE_FOLDERS[0];
        let bad = format!("see \"/{home}/somebody/data\"");
        let fine = format!("pipeline/{home}/page.rs, $XDG/{home}/x, https://example.org/{home}/x");
        let repository = Repository::of(&[("a.md", &bad), ("b.md", &fine)]);
        assert_eq!(paths(&machine_paths(&repository)), ["a.md"]);
    }

    #[test]
    fn tables_and_code_may_be_wide() {
        let wide = "ä".repeat(MAX_WIDTH + 1);
        let repository = Repository::of(&[
            ("a.md", &wide),
            ("b.md", &format!("```\n{wide}\n```\n| {wide} |\n{}", "ä".repeat(MAX_WIDTH))),
        ]);
        assert_eq!(paths(&width(&repository)), ["a.md"]);
    }

    #[test]
    fn links_are_followed_from_their_file() {
        let text = "[a](../configs/README.md#x) [b](https://example.org) [c](sub) [d](#here) [e](gone.md)";
        let repository =
            Repository::of(&[("pipeline/A.md", text), ("configs/README.md", ""), ("pipeline/sub/x.rs", "")]);
        let found = links(&repository);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("gone.md"));
    }
}
