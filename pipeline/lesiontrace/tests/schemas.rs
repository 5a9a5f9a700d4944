//! `schema` as a user calls it, and what a run leaves held against it; study files of `init` and of `phantom --study`.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod calls;
#[path = "files/cohort.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod cohort;

use std::path::Path;

use assert_cmd::Command;
use calls::{call, run};
use cohort::Cohort;
use jsonschema::Validator;
use serde_json::{Value, json};

fn schema(document: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_lesiontrace")).args(["schema", document]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn errors(validator: &Validator, document: &Value) -> Vec<String> {
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn toml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap()
}

#[test]
fn what_a_run_leaves_is_what_its_schemas_say() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let reads = "patient_id,lesion_id,item,value,reader,read_at\nA-1,L1,role,non_target,R1,2024-03-04T09:30:00Z\n";
    cohort.write("archive/clinical/reads.csv", reads);
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, 0, "{stderr}");
    for (document, least) in [("result", 12), ("reads", 2), ("sources", 2), ("status", 10)] {
        let validator = jsonschema::validator_for(&schema(document)).unwrap();
        let written: Value = serde_json::from_str(&cohort.read(&format!("out/patients/A-1/{document}.json"))).unwrap();
        assert!(written.as_object().unwrap().len() >= least, "{document}: {written}");
        assert_eq!(errors(&validator, &written), [""; 0], "{document}");
        // Every key that is written is one the schema names.
        let schema = schema(document);
        for key in written.as_object().unwrap().keys() {
            assert!(schema["properties"].get(key).is_some(), "{document}: {key} is not in the schema");
        }
        let (first, mut damaged) = (schema["required"][0].as_str().unwrap().to_owned(), written);
        damaged.as_object_mut().unwrap().remove(&first);
        assert!(!validator.is_valid(&damaged), "{document} without {first}");
    }
    for (document, file) in
        [("notes", "patients/A-1/notes.json"), ("notes", "notes.json"), ("manifest", "manifest.json")]
    {
        let validator = jsonschema::validator_for(&schema(document)).unwrap();
        let written: Value = serde_json::from_str(&cohort.read(&format!("out/{file}"))).unwrap();
        assert_eq!(errors(&validator, &written), [""; 0], "{file}");
        assert!(!validator.is_valid(&json!("text")), "{document}");
    }
    let manifest: Value = serde_json::from_str(&cohort.read("out/manifest.json")).unwrap();
    let digest = manifest["program_sha256"].as_str().unwrap();
    assert!(digest.len() == 64 && digest != "0".repeat(64), "{digest}");
    let validator = jsonschema::validator_for(&schema("result")).unwrap();
    let mut result: Value = serde_json::from_str(&cohort.read("out/patients/B-2/result.json")).unwrap();
    assert_eq!(errors(&validator, &result), [""; 0]);
    result["measurements"][0]["value"] = json!("12 mm");
    assert_eq!(errors(&validator, &result).len(), 1);
}

#[test]
fn a_study_file_names_its_schema_and_keeps_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert_eq!(call(&["init", &at("").display().to_string()]).0, 0);
    let text = std::fs::read_to_string(at("study.toml")).unwrap();
    assert_eq!(text.lines().next(), Some("#:schema ./study.schema.json"));
    let beside: Value = serde_json::from_str(&std::fs::read_to_string(at("study.schema.json")).unwrap()).unwrap();
    assert_eq!(beside, schema("study"));
    let validator = jsonschema::validator_for(&beside).unwrap();
    let archive = at("archive").display().to_string();
    assert_eq!(call(&["phantom", "--study", "narayanan2024", "--patients", "1", "--out", &archive]).0, 0);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/study");
    let mut files: Vec<_> = std::fs::read_dir(shipped).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.extend([at("study.toml"), at("archive/study.toml")]);
    assert!(files.len() >= 3);
    for file in files {
        assert_eq!(errors(&validator, &toml(&file)), [""; 0], "{}", file.display());
    }
    let mut misspelt = toml(&at("study.toml"));
    misspelt["tracking"]["max_distnace_mm"] = json!(25.0);
    let told = errors(&validator, &misspelt);
    assert!(told.len() == 1 && told[0].contains("max_distnace_mm"), "{told:?}");
}
