//! Outlines of the model that comes with the program: what a run makes of them, against the truth of a synthetic patient.

use serde_json::Value;

use crate::calls::call;

const DONE: i32 = 0;

/// A liver tumour is ablated, and a metastasis grows in a lung, where the model was not made to look: *perhaps no lesion* at first
/// sight, it is one when it has grown, and the progression bears the day of its first sight. Nothing else is an event.
#[test]
fn a_metastasis_in_a_lung_is_progression_by_the_models_own_outlines() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let archive = path("archive");
    let calls = ["phantom", "--scenario", "extrahepatic_lung", "--patients", "1", "--seed", "1", "--out", &archive];
    assert_eq!(call(&calls).0, DONE);
    let study = include_str!("../../../../configs/study/default.toml")
        .replace("source = \"imported_or_model\"", "source = \"model\"");
    std::fs::write(path("study.toml"), study).unwrap();
    let (code, said) = call(&["run", &path("study.toml"), "--archive", &archive, "--out", &path("out")]);
    assert_eq!(code, DONE, "{said}");
    let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(path(name)).unwrap()).unwrap() };
    let result = read("out/patients/LT-001/result.json");
    let truth = &read("archive/truth.json")["patients"][0];
    let list = |of: &Value, key: &str| of[key].as_array().unwrap().clone();
    let is_of = |event: &Value, words: [&str; 2]| event[words[0]] == words[1];
    let found: Vec<Value> =
        list(&result, "events").into_iter().filter(|event| is_of(event, ["event", "progression"])).collect();
    let [found] = found.as_slice() else { panic!("{found:?}") };
    let real = list(truth, "events").into_iter().find(|event| is_of(event, ["class", "extrahepatic"])).unwrap();
    assert_eq!((&found["date"], &found["class"]), (&real["date"], &real["class"]));
    let lesion = found["lesion_id"].as_str().unwrap();
    let states: Vec<Value> = list(&result, "measurements")
        .into_iter()
        .filter(|row| row["lesion_id"] == lesion && row["quantity"] == "volume")
        .map(|row| row["state"].clone())
        .collect();
    assert_eq!(states, ["uncertain", "present"]);
    let notes = read("out/patients/LT-001/notes.json").to_string();
    assert!(notes.contains("lesion_in_doubt_grown") && notes.contains("looked_in_part_of_the_body"), "{notes}");
}
