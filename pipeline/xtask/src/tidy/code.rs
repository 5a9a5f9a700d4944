//! What Rust code may not hold outside tests, and how long it may get.

use std::collections::BTreeSet;

use super::Violation;
use crate::repository::Repository;
use crate::rust_text::RustText;

const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 70;

/// Rust files outside tests, benches and modules declared for tests only.
fn production(repository: &Repository) -> Vec<(&str, RustText)> {
    let files: Vec<(&str, RustText)> = repository.texts(".rs").map(|(path, text)| (path, RustText::of(text))).collect();
    let test_files: BTreeSet<String> = files.iter().flat_map(|(path, text)| test_modules_of(path, text)).collect();
    let is_test = |path: &str| path.contains("/tests/") || path.contains("/benches/") || test_files.contains(path);
    files.into_iter().filter(|(path, _)| !is_test(path)).collect()
}

/// Where the test-only modules of a file can lie.
fn test_modules_of(path: &str, text: &RustText) -> Vec<String> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let below = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => path.trim_end_matches(".rs").to_owned(),
    };
    text.test_modules.iter().flat_map(|name| [format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")]).collect()
}

/// At most 400 lines before the tests.
pub(super) fn short_files(repository: &Repository) -> Vec<Violation> {
    let long = production(repository).into_iter().filter(|(_, text)| text.n_lines > MAX_FILE_LINES);
    long.map(|(path, text)| {
        let message =
            format!("{} lines before its tests, expected at most {MAX_FILE_LINES}: split it by ideas", text.n_lines);
        Violation::file(path, message)
    })
    .collect()
}

/// At most 70 lines.
pub(super) fn short_functions(repository: &Repository) -> Vec<Violation> {
    let long = |(path, text): (&str, RustText)| -> Vec<Violation> {
        let functions = text.functions().into_iter().filter(|f| f.n_lines > MAX_FUNCTION_LINES);
        functions
            .map(|f| {
                let message = format!(
                    "`{}` has {} lines, expected at most {MAX_FUNCTION_LINES}: name its parts",
                    f.name, f.n_lines
                );
                Violation::line(path, f.line, message)
            })
            .collect()
    };
    production(repository).into_iter().flat_map(long).collect()
}

fn lines_with(repository: &Repository, wanted: &[&str], message: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in production(repository) {
        let lines = wanted.iter().flat_map(|wanted| text.lines_with(wanted));
        violations.extend(lines.map(|line| Violation::line(path, line, message)));
    }
    violations
}

/// No `.unwrap()`.
pub(super) fn no_unwrap(repository: &Repository) -> Vec<Violation> {
    lines_with(
        repository,
        &[".unwrap()"],
        "`unwrap` outside tests: return an error, or `expect` with the reason it holds",
    )
}

/// No bare `allow`.
pub(super) fn no_bare_allow(repository: &Repository) -> Vec<Violation> {
    lines_with(repository, &["#[allow(", "#![allow("], "write #[expect(lint, reason = \"…\")]")
}

/// Words of unfinished work; in two parts, so that this file may name them.
const OPEN: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const STUBS: [&str; 2] = ["todo!(", "unimplemented!("];

/// No unfinished work, in code or in the words beside it, and in no script.
pub(super) fn nothing_left_open(repository: &Repository) -> Vec<Violation> {
    let mut violations = lines_with(repository, &STUBS, "unfinished code: finish it or leave it out");
    for (path, file) in &repository.files {
        let Some(text) = file.text().filter(|_| path != "Cargo.lock" && !path.starts_with("test_data/")) else {
            continue;
        };
        for (n, line) in text.lines().enumerate().filter(|(_, line)| OPEN.iter().any(|word| has_word(line, word))) {
            let message = format!("unfinished: {:?}; finish it, or write an issue", line.trim());
            violations.push(Violation::line(path, n + 1, message));
        }
    }
    violations
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
        !line[..at].ends_with(part_of_word) && !line[at + word.len()..].starts_with(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::paths;

    #[test]
    fn length_is_counted_before_the_tests() {
        let code = "fn a() {}\n".repeat(MAX_FILE_LINES);
        let tests = format!("{code}#[cfg(test)]\nmod tests {{\n{code}}}\n");
        let long = format!("{code}fn b() {{}}\n");
        let repository =
            Repository::of(&[("a/src/short.rs", &tests), ("a/src/long.rs", &long), ("a/tests/t.rs", &long)]);
        assert_eq!(paths(&short_files(&repository)), ["a/src/long.rs"]);
    }

    #[test]
    fn a_function_of_seventy_lines_passes_and_one_more_does_not() {
        let function = |n_lines: usize| format!("fn a() {{\n{}}}\n", "    b();\n".repeat(n_lines - 2));
        let repository = Repository::of(&[("a/70.rs", &function(70)), ("a/71.rs", &function(71))]);
        assert_eq!(paths(&short_functions(&repository)), ["a/71.rs"]);
    }

    #[test]
    fn unwraps_of_tests_in_their_own_file_are_fine() {
        let repository = Repository::of(&[
            ("a/src/grid.rs", "#[cfg(test)]\nmod checks;\n"),
            ("a/src/grid/checks.rs", "fn c() { d.unwrap() }"),
            ("a/src/mask.rs", "\nfn c() { d.unwrap() }"),
        ]);
        assert_eq!(
            no_unwrap(&repository),
            [Violation::line("a/src/mask.rs", 2, no_unwrap(&repository)[0].message.clone())]
        );
    }

    #[test]
    fn unfinished_work_is_found_in_comments_scripts_and_code() {
        let comment = format!("// {}: later", OPEN[0]);
        let repository = Repository::of(&[
            ("a.rs", &comment),
            ("b.sh", &comment),
            ("c.rs", "fn c() { unimplemented!() }"),
            ("d.rs", &format!("let {}S = 1;", OPEN[0])),
        ]);
        let mut found = nothing_left_open(&repository);
        found.sort();
        assert_eq!(paths(&found), ["a.rs", "b.sh", "c.rs"]);
    }

    #[test]
    fn a_bare_allow_is_refused() {
        let repository = Repository::of(&[("a.rs", "#[allow(dead_code)]\nfn a() {}\n"), ("b.rs", "// #[allow(x)]\n")]);
        assert_eq!(paths(&no_bare_allow(&repository)), ["a.rs"]);
    }
}
