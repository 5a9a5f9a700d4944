//! Every schema is one, says what is known, and takes what the program takes.

use clap::ValueEnum as _;

use super::*;

#[test]
fn every_document_has_a_schema_that_is_one() {
    for document in Document::value_variants() {
        let schema = schema(*document).unwrap();
        jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{document:?}: {error}"));
        assert!(schema["properties"].as_object().unwrap().len() >= 2, "{document:?}: {schema}");
    }
}

#[test]
fn the_study_schema_takes_the_built_in_file_and_says_what_its_comments_say() {
    let schema = schema(Document::Study).unwrap();
    let file: toml::Table = toml::from_str(config::DEFAULT).unwrap();
    let file = serde_json::to_value(file).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&file).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let source = &schema["properties"]["models"]["properties"]["source"];
    assert_eq!(source["enum"], json!(["imported_or_model", "imported", "model"]));
    assert_eq!(source["default"], "imported_or_model");
    assert_eq!(source["description"], "imported_or_model | imported | model");
    let structures = schema["properties"]["structures"]["description"].as_str().unwrap();
    assert!(structures.starts_with("Regions of structure sets"), "{structures}");
    // Each key has its comment, but for those whose name or section says it.
    let silent = silent_keys(&schema);
    let explained = "cohort.name timeline.follow_up structures.lesion structures.organ structures.ablation_zone \
        structures.ignore registration.seed criteria.ids criteria.options endpoints.preset endpoints.options \
        reports.key_image_mm";
    assert_eq!(silent, explained.split_whitespace().collect::<Vec<_>>());
    let required = schema["required"].as_array().unwrap();
    assert!(required.contains(&json!("models")) && !required.contains(&json!("structures")), "{required:?}");
}

/// Keys of the sections without a description.
fn silent_keys(schema: &Value) -> Vec<String> {
    let sections = schema["properties"].as_object().unwrap().iter();
    let keys = sections.flat_map(|(section, of_section)| {
        let keys = of_section["properties"].as_object().into_iter().flatten();
        keys.filter(|(_, key)| key.get("description").is_none()).map(move |(key, _)| format!("{section}.{key}"))
    });
    keys.collect()
}

/// What one refuses, the other refuses: a change of every value of the built-in file to something else.
#[test]
fn a_study_file_that_the_schema_refuses_is_refused_by_the_program() {
    let schema = schema(Document::Study).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let file: toml::Table = toml::from_str(config::DEFAULT).unwrap();
    let (mut n_refused, mut n_taken) = (0, 0);
    for (section, keys) in &file {
        for key in keys.as_table().unwrap().keys() {
            let others = [toml::Value::from("no such word"), toml::Value::from(true), toml::Value::from(-7)];
            for other in others.into_iter().map(Some).chain([None]) {
                let mut changed = file.clone();
                let keys = changed[section].as_table_mut().unwrap();
                match other {
                    Some(other) => keys.insert(key.clone(), other),
                    None => keys.remove(key),
                };
                let by_program = changed.clone().try_into::<config::Study>().is_ok();
                let by_schema = validator.is_valid(&serde_json::to_value(&changed).unwrap());
                assert_eq!(by_schema, by_program, "[{section}] {key}: {changed:?}");
                if by_program { n_taken += 1 } else { n_refused += 1 }
            }
        }
    }
    assert!(n_refused > 100 && n_taken > 20, "{n_refused} {n_taken}");
}
