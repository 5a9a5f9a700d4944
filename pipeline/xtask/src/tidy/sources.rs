//! Criteria and presets: every number with its source, and at least one worked case each.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use toml::{Table, Value};

use super::Violation;
use crate::dictionary;
use crate::repository::Repository;
use crate::worked_cases::{FOLDER, PAGE, page};

const FOLDERS: [&str; 2] = ["configs/criteria/", "configs/presets/"];

fn tables(repository: &Repository) -> Vec<(&str, Result<Table, String>)> {
    let files = repository.texts(".toml").filter(|(path, _)| FOLDERS.iter().any(|folder| path.starts_with(folder)));
    files.map(|(path, text)| (path, text.parse::<Table>().map_err(|error| error.to_string()))).collect()
}

/// A number stands in a table with `source`, and a table with a value has one; `version` counts editions.
pub(super) fn numbers(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, table) in tables(repository) {
        match table {
            Ok(mut table) => {
                table.remove("version");
                let mut without = Vec::new();
                unsourced(&Value::Table(table), "", false, &mut without);
                let message = |key: &String| format!("{key}: a number or value without `source`: say who says so");
                violations.extend(without.iter().map(|key| Violation::file(path, message(key))));
            }
            Err(error) => violations.push(Violation::file(path, format!("expected TOML: {error}"))),
        }
    }
    violations
}

fn unsourced(value: &Value, key: &str, has_source: bool, without: &mut Vec<String>) {
    match value {
        Value::Integer(_) | Value::Float(_) if !has_source => without.push(key.to_owned()),
        Value::Array(values) => values.iter().for_each(|value| unsourced(value, key, has_source, without)),
        Value::Table(table) => {
            let source = table.get("source").and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
            if table.contains_key("value") && !source {
                without.push(key.to_owned());
                return;
            }
            // The source of the whole file is not the source of a number in it.
            let has_source = has_source || (source && !key.is_empty());
            for (name, value) in table {
                unsourced(value, &format!("{key}.{name}"), has_source, without);
            }
        }
        _ => {}
    }
}

/// `CASES.md` is what `cargo xtask cases` writes.
pub(super) fn page_of_cases(repository: &Repository) -> Vec<Violation> {
    let files: BTreeMap<String, String> = repository
        .texts(".json")
        .filter_map(|(path, text)| Some((path.strip_prefix(FOLDER)?.to_owned(), text.to_owned())))
        .filter(|(name, _)| !name.contains('/'))
        .collect();
    match page(&files) {
        Ok(page) if repository.text(PAGE) == Some(page.as_str()) || files.is_empty() => Vec::new(),
        Ok(_) => vec![Violation::file(PAGE, "is not what the cases beside it say: run cargo xtask cases")],
        Err(error) => vec![Violation::file(FOLDER, format!("{error:#}"))],
    }
}

/// Data dictionary and the built-in table of columns are what the rows document.
pub(super) fn data_dictionary(repository: &Repository) -> Vec<Violation> {
    let rows = repository.texts(".rs").filter(|(path, _)| path.starts_with(dictionary::FOLDER));
    let tables = match dictionary::read(rows.map(|(_, text)| text)) {
        Ok(tables) => tables,
        Err(error) => return vec![Violation::file(dictionary::FOLDER, format!("{error:#}"))],
    };
    let made = [(dictionary::PAGE, dictionary::page(&tables)), (dictionary::TABLE, dictionary::table(&tables))];
    let stale = made.iter().filter(|(path, text)| repository.text(path) != Some(text.as_str()));
    stale.map(|(path, _)| Violation::file(*path, "is not what the rows document: run cargo xtask dictionary")).collect()
}

/// A case in `test_data/criteria` works the table: it names it as preset or criterion, or its category is the table's family.
pub(super) fn worked_cases(repository: &Repository) -> Vec<Violation> {
    let files = repository.texts(".json").filter(|(path, _)| path.starts_with("test_data/criteria/"));
    let cases: Vec<Json> =
        files.filter_map(|(_, text)| serde_json::from_str::<Vec<Json>>(text).ok()).flatten().collect();
    let mut violations = Vec::new();
    for (path, table) in tables(repository) {
        let Ok(table) = table else { continue };
        let id = table.get("id").and_then(Value::as_str).unwrap_or_default();
        let stem = path.rsplit('/').next().and_then(|file| file.strip_suffix(".toml")).unwrap_or_default();
        if id != stem {
            violations
                .push(Violation::file(path, format!("expected id = {stem:?} as the file is named, found {id:?}")));
        } else if !cases.iter().any(|case| works(case, id)) {
            let message = format!(
                "no worked case: add one with options.preset or options.criterion {id:?} to test_data/criteria"
            );
            violations.push(Violation::file(path, message));
        }
    }
    violations
}

fn works(case: &Json, id: &str) -> bool {
    let named = ["preset", "criterion"].iter().any(|key| case["options"][*key].as_str() == Some(id));
    // recist_1_1 is worked by the categories recist_target, recist_bor, …
    let family = id.trim_end_matches(|c: char| c == '_' || c.is_ascii_digit());
    let category = case["category"].as_str().unwrap_or_default();
    named
        || category == id
        || category.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::paths;

    #[test]
    fn a_number_without_its_own_source_is_found() {
        let text = "id = \"a\"\nversion = 1\nsource = \"whole file\"\ncells = [[\"CR\"]]\n[thresholds]\n\
                    good_mm = { value = 10, source = \"Author 2009\" }\nbad_mm = { value = 10, source = \" \" }\nbare_mm = 5\n\
                    window = { value = { days = 7 }, source = \"Author 2018\" }\n";
        let repository = Repository::of(&[("configs/criteria/a.toml", text)]);
        let messages: Vec<String> = numbers(&repository).into_iter().map(|v| v.message).collect();
        assert_eq!(messages.len(), 2);
        assert!(messages[0].starts_with(".thresholds.bad_mm") && messages[1].starts_with(".thresholds.bare_mm"));
    }

    #[test]
    fn a_table_without_a_case_or_with_another_id_is_found() {
        let cases =
            r#"[{"category": "recist_target", "options": {}}, {"category": "tte", "options": {"preset": "xu2021"}}]"#;
        let repository = Repository::of(&[
            ("configs/criteria/recist_1_1.toml", "id = \"recist_1_1\""),
            ("configs/criteria/mrecist.toml", "id = \"mrecist\""),
            ("configs/presets/xu2021.toml", "id = \"xu2021\""),
            ("configs/presets/copy.toml", "id = \"xu2021\""),
            ("test_data/criteria/a.json", cases),
        ]);
        let mut found = worked_cases(&repository);
        found.sort();
        assert_eq!(paths(&found), ["configs/criteria/mrecist.toml", "configs/presets/copy.toml"]);
    }
}
