//! What `segment` says of images and cards it cannot take at their word: units, findings that touch, refusals in JSON.

use std::path::Path;

use formats::nifti;
use imaging::{FrameId, Volume};
use serde_json::Value;

use super::images::runtime_is_here;
use super::{BAD_INPUT, USAGE, failing, json, test_data};
use crate::files::{Folder, ball};

/// A liver of 100 HU in air, with two tumours of 180 HU that touch over a neck of 3 mm.
fn ct() -> Volume<f32> {
    let (body, one, other) = (ball([0.0; 3], 20.0), ball([-5.8, 0.0, 0.0], 6.0), ball([5.8, 0.0, 0.0], 6.0));
    Volume::from_fn(body.grid().clone(), |at| match (*body.at(at), *one.at(at) || *other.at(at)) {
        (_, true) => 180.0,
        (true, false) => 100.0,
        (false, false) => -1000.0,
    })
}

fn written(folder: &Folder, name: &str, image: &Volume<f32>) -> String {
    let path = folder.path(name);
    nifti::write_image(Path::new(&path), image).unwrap();
    path
}

fn codes(found: &Value) -> Vec<&str> {
    found["notes"].as_array().unwrap().iter().map(|note| note["code"].as_str().unwrap()).collect()
}

/// The model `bright` with another card; `change` is made in its text.
fn bright(folder: &Folder, change: (&str, &str)) -> String {
    let card = std::fs::read_to_string(test_data("models/bright-0.1.0/card.toml")).unwrap();
    assert!(card.contains(change.0), "{}", change.0);
    folder.write("model/card.toml", card.replacen(change.0, change.1, 1).as_bytes());
    std::fs::copy(test_data("models/bright-0.1.0/model.onnx"), folder.path("model/model.onnx")).unwrap();
    folder.path("model")
}

#[test]
fn a_ct_without_its_intercept_is_refused_and_a_windowed_one_warned_of() {
    if !runtime_is_here() {
        return;
    }
    let folder = Folder::new();
    let (model, out) = (test_data("models/bright-0.1.0"), folder.path("labels.nii.gz"));
    let call = |image: &str| ["segment", image, "--model", &model, "--out", &out, "--json"].map(str::to_owned);
    let hu = written(&folder, "hu.nii.gz", &ct());
    let found = json(&call(&hu).each_ref().map(String::as_str));
    assert!(!codes(&found).contains(&"not_like_hu"), "{found}");
    // With padding of -2000, no value lies where the check for values below 0 would look.
    let mut stored = ct().map(|hu| hu + 1024.0);
    stored.values_mut()[..2000].fill(-2000.0);
    let stored = written(&folder, "stored.nii.gz", &stored);
    let (code, stdout, _) = failing(&call(&stored).each_ref().map(String::as_str));
    let refused: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, BAD_INPUT);
    assert!(refused["not_evaluable"].as_str().unwrap().contains("intercept"), "{refused}");
    let windowed = written(&folder, "windowed.nii.gz", &ct().map(|hu| hu.clamp(0.0, 255.0)));
    let found = json(&call(&windowed).each_ref().map(String::as_str));
    assert!(codes(&found).contains(&"not_like_hu"), "{found}");
}

#[test]
fn findings_that_the_card_splits_are_written_or_said() {
    if !runtime_is_here() {
        return;
    }
    let folder = Folder::new();
    let image = written(&folder, "image.nii.gz", &ct());
    let model = bright(&folder, ("min_volume_mm3 = 20.0", "min_volume_mm3 = 20.0\nsplit_at_necks_mm = 6.0"));
    let (out, findings) = (folder.path("labels.nii.gz"), folder.path("findings.nii.gz"));
    let found = json(&["segment", &image, "--model", &model, "--out", &out, "--json"]);
    let note = found["notes"].as_array().unwrap().iter().find(|note| note["code"] == "findings_not_written").unwrap();
    assert!(note["message"].as_str().unwrap().starts_with("2 finding(s) of tumour"), "{note}");
    let found = json(&["segment", &image, "--model", &model, "--out", &out, "--findings", &findings, "--json"]);
    assert!(!codes(&found).contains(&"findings_not_written"), "{found}");
    let read = |path: &str| nifti::read_labels(Path::new(path), FrameId::new("f")).unwrap();
    let (labels, numbers) = (read(&out), read(&findings));
    assert_eq!(numbers.labels_present(), [1, 2]);
    assert!(labels.values().iter().zip(numbers.values()).all(|(label, number)| (*label == 2) == (*number != 0)));
    let plain = test_data("models/bright-0.1.0");
    let (code, _, stderr) = failing(&["segment", &image, "--model", &plain, "--out", &out, "--findings", &findings]);
    assert_eq!(code, USAGE);
    assert!(stderr.contains("split_at_necks_mm"), "{stderr}");
}

#[test]
fn a_refusal_in_json_is_a_document_with_its_reason() {
    if !runtime_is_here() {
        return;
    }
    let folder = Folder::new();
    let out = folder.path("labels.nii.gz");
    let mut image = ct();
    let whole = written(&folder, "whole.nii.gz", &image);
    image.values_mut()[4321] = f32::NAN;
    let nan = written(&folder, "nan.nii.gz", &image);
    let refusal = |image: &str, model: &str| {
        let (code, stdout, stderr) = failing(&["segment", image, "--model", model, "--out", &out, "--json"]);
        assert_eq!(code, BAD_INPUT, "{stderr}");
        let refused: Value = serde_json::from_str(&stdout).unwrap();
        refused["not_evaluable"].as_str().unwrap().to_owned()
    };
    let plain = test_data("models/bright-0.1.0");
    assert!(refusal(&nan, &plain).contains("finite"));
    let digest = "36272b7903fa42c13589d875533418b241bbe9fa912082bd0273e23666774e35";
    assert!(refusal(&whole, &bright(&folder, (digest, &"0".repeat(64)))).contains("SHA-256"));
    let unknown = refusal(&whole, &bright(&folder, ("card_version = 1", "card_version = 1\ncolour = \"red\"")));
    assert_eq!(unknown.matches("unknown field").count(), 1, "said once: {unknown}");
}
