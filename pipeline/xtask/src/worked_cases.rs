//! The worked cases of `test_data/criteria` in a form to read: what is given, what is expected, and why. `cargo xtask cases` writes
//! `CASES.md` beside them; `tidy` asks that it is what they say.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value;

/// The page, from the top of the repository.
pub(crate) const PAGE: &str = "test_data/criteria/CASES.md";
/// Where the cases lie.
pub(crate) const FOLDER: &str = "test_data/criteria/";

/// Writes the page.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(root.join(FOLDER)).context("reading the worked cases")? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, std::fs::read_to_string(&path)?);
        }
    }
    std::fs::write(root.join(PAGE), page(&files)?).with_context(|| format!("writing {PAGE}"))?;
    Ok(ExitCode::SUCCESS)
}

/// The page of the files, by name.
pub(crate) fn page(files: &BTreeMap<String, String>) -> anyhow::Result<String> {
    let mut text = String::from(
        "# Worked cases\n\nWhat the criteria must say, case by case; each is a test (`lesiontrace case FILE`). This page is \
         written from the\nfiles beside it by `cargo xtask cases`. Lengths are mm, times days, unless a name says otherwise.\n",
    );
    for (name, json) in files {
        let cases: Vec<Value> = serde_json::from_str(json).with_context(|| format!("reading {name}"))?;
        let _ = write!(text, "\n## {name}\n");
        for case in &cases {
            let word = |key: &str| case[key].as_str().unwrap_or_default();
            let _ = write!(text, "\n### {}: {}\n\n", word("id"), word("title"));
            for (label, key) in [("Given", "input"), ("Options", "options"), ("Expected", "expected")] {
                let told = told(&case[key]);
                if !told.is_empty() {
                    text.push_str(&item(&format!("{label}: {told}")));
                }
            }
            for (label, key) in [("Why", "rationale"), ("Source", "source")] {
                if !word(key).is_empty() {
                    text.push_str(&item(&format!("{label}: {}", word(key))));
                }
            }
        }
    }
    Ok(text)
}

/// A value in words: names without underscores, lists with commas, inner tables in brackets.
fn told(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(inner).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{} {}", name.replace('_', " "), inner(value));
            // By name: the order of a JSON object depends on how the library was built.
            let mut told: Vec<String> = fields.iter().map(field).collect();
            told.sort();
            told.join("; ")
        }
    }
}

fn inner(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => format!("({})", told(value)),
        plain => told(plain),
    }
}

/// A list item, broken at 118 characters.
fn item(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::from("-"));
    for word in text.replace('*', "\\*").split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 118 {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push_str(&line);
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_reads_as_sentences() {
        let json = r#"[{"id": "a-01", "title": "small", "input": {"baseline": [110], "timepoints": [{"day": 56, "values": [77]}]},
            "options": {}, "expected": {"target": ["PR"], "not_evaluable": null}, "rationale": "77 <= 0.7*110", "source": "spec"}]"#;
        let page = page(&BTreeMap::from([("a.json".to_owned(), json.to_owned())])).unwrap();
        let expected = "\n## a.json\n\n### a-01: small\n\n- Given: baseline (110); timepoints ((day 56; values (77)))\n\
                        - Expected: not evaluable none; target (PR)\n- Why: 77 <= 0.7\\*110\n- Source: spec\n";
        assert!(page.ends_with(expected), "{page}");
        assert!(item(&"word ".repeat(60)).lines().all(|line| line.chars().count() <= 118));
    }
}
