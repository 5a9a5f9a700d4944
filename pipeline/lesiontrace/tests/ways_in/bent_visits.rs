//! `[registration] transform = "deformable"`: a liver that changed its shape between two visits.

use std::path::Path;

use serde_json::Value;

use crate::calls::call;

const DONE: i32 = 0;

fn subfolders(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The verdict on the follow-up, and its margin.
fn outcome(folder: &Path, transform: &str) -> (Value, f64) {
    let study = include_str!("../../../../configs/study/default.toml");
    let study = study.replace("transform = \"deformable\"", &format!("transform = \"{transform}\""));
    assert!(study.contains(&format!("transform = \"{transform}\"")));
    std::fs::write(folder.join("study.toml"), study.replace("source = \"imported_or_model\"", "source = \"imported\""))
        .unwrap();
    let [study, archive, out] = ["study.toml", "archive", transform].map(|p| folder.join(p).display().to_string());
    let (code, said) = call(&["run", &study, "--archive", &archive, "--out", &out]);
    assert_eq!(code, DONE, "{said}");
    let result = std::fs::read_to_string(folder.join(transform).join("patients/LT-001/result.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["margins"].as_array().unwrap().len(), 1, "{result}");
    let text = result.to_string();
    assert!(!text.contains("\"bend\""), "the map itself does not belong into the result");
    (result["registrations"][1]["to_baseline"].clone(), result["margins"][0]["min_margin_mm"].as_f64().unwrap())
}

#[test]
fn a_bent_liver_is_followed_and_the_margin_is_that_of_the_tissue() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive").display().to_string();
    let calls = ["phantom", "--scenario", "large_deformation", "--patients", "1", "--seed", "5", "--out", &archive];
    assert_eq!(call(&calls).0, DONE);
    // Baseline and the first follow-up are enough.
    for folder in ["archive/LT-001", "archive/masks/LT-001"].map(|f| dir.path().join(f)) {
        for later in subfolders(&folder).into_iter().skip(2) {
            std::fs::remove_dir_all(folder.join(later)).unwrap();
        }
    }
    let truth: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.path().join("archive/truth.json")).unwrap()).unwrap();
    let truth = truth["patients"][0]["treatments"][0]["margins"][0]["min_margin_mm"].as_f64().unwrap();

    let (rigid, rigid_margin) = outcome(dir.path(), "rigid");
    let (bent, bent_margin) = outcome(dir.path(), "deformable");
    assert_eq!(
        (rigid["quality"].as_str(), bent["transform"].as_str()),
        (Some("review"), Some("deformable")),
        "{rigid}"
    );
    let residual = |found: &Value| found["residual"]["p95_mm"].as_f64().unwrap();
    assert!(residual(&bent) < 1.5 && residual(&rigid) > 3.0, "{} {}", residual(&bent), residual(&rigid));
    assert!(bent["metric_after"].as_f64() > rigid["metric_after"].as_f64());
    // The liver bends by up to 9 mm round the tumour: of the true margin a rigid map knows nothing.
    assert!((bent_margin - truth).abs() < 1.5, "{bent_margin} of {truth}, rigid {rigid_margin}");
    assert!((rigid_margin - truth).abs() > 3.0, "{rigid_margin} of {truth}");
}
