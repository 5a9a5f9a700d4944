//! Every schema is one, says what is known, and takes what the program takes.

use clap::ValueEnum as _;

use super::*;

#[test]
fn every_document_has_a_schema_that_is_one() {
    for document in Document::value_variants() {
        let schema = schema(*document).unwrap();
        jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{document:?}: {error}"));
        let object = if schema["type"] == "array" { &schema["items"] } else { &schema };
        assert!(object["properties"].as_object().unwrap().len() >= 2, "{document:?}: {schema}");
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

/// Every file that lies in the repository, and one with a word that is none.
#[test]
fn the_schemas_of_published_files_take_them_and_refuse_what_the_program_refuses() {
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let files = |folder: &str| {
        let entries = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|e| e == "toml") && path.is_file()).collect::<Vec<_>>()
    };
    let by_diameter =
        |path: &std::path::PathBuf| CriterionTable::parse(&std::fs::read_to_string(path).unwrap()).is_ok();
    let criteria = files("configs/criteria").into_iter().filter(by_diameter).collect();
    for (document, files) in [(Document::Criterion, criteria), (Document::Preset, files("configs/presets"))] {
        let schema = schema(document).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert!(!files.is_empty(), "{document:?}");
        for path in files {
            let file: toml::Table = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let mut file = serde_json::to_value(file).unwrap();
            let errors: Vec<String> =
                validator.iter_errors(&file).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
            file.as_object_mut().unwrap().insert("no_such_key".to_owned(), json!(1));
            assert!(!validator.is_valid(&file), "{}", path.display());
        }
    }
    let criterion = schema(Document::Criterion).unwrap();
    let decrease = &criterion["properties"]["thresholds"]["properties"]["pr_decrease_percent"];
    assert!(decrease["description"].as_str().unwrap().starts_with("recist_1_1: 30. "), "{decrease}");
    let months = &schema(Document::Preset).unwrap()["properties"]["days_per_month"];
    assert!(months["description"].as_str().unwrap().starts_with("default: "), "{months}");
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
