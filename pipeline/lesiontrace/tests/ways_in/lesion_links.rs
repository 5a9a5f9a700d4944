//! `track`: lesion matching alone, from a run's folder and from label maps of elsewhere.

use assert_cmd::Command;
use serde_json::Value;

use super::*;

fn tracked(folder: &str) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    let output = command.args(["track", folder, "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn matching_alone_gives_the_lesions_of_the_run_and_says_what_it_assumes() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let found = tracked(&cohort.path("out").display().to_string());
    let links = found["links"].as_array().unwrap();
    let lesions = table(&cohort, "out/cohort/lesions.csv", &["patient_id", "lesion_id", "tracking_uid", "state"]);
    assert!(!lesions.is_empty());
    for lesion in &lesions {
        let is_its = |link: &&Value| {
            link["patient_id"] == lesion["patient_id"] && link["tracking_uid"] == lesion["tracking_uid"]
        };
        let own: Vec<&Value> = links.iter().filter(is_its).collect();
        assert_eq!(own.len(), 2, "one link a visit: {own:?}");
        assert_eq!((&own[0]["from"], own[0]["to"]["date"].as_str()), (&Value::Null, Some(BASELINE)));
        assert_eq!(own[1]["from"], own[0]["to"]);
        assert_eq!(own[1]["state"].as_str(), Some(lesion["state"].as_str()), "{own:?}");
    }
    // The same label maps without the run's registrations.
    for day in [BASELINE, FOLLOW_UP] {
        let from = cohort.path(&format!("out/patients/A-1/{day}/ct_portal_venous/lesions.nii.gz"));
        cohort.write(&format!("maps/{day}.nii.gz"), "");
        std::fs::copy(from, cohort.path(&format!("maps/{day}.nii.gz"))).unwrap();
    }
    let alone = tracked(&cohort.path("maps").display().to_string());
    assert_eq!(alone["notes"][0]["code"], "one_frame_assumed");
    assert_eq!(alone["links"][1]["state"], "present", "{alone}");
}

#[test]
fn a_folder_without_dates_or_with_two_maps_of_one_is_refused() {
    let cohort = Cohort::new(&["A-1"]);
    cohort.write("none/readme.txt", "");
    for path in ["twice/2020-03-02.nii.gz", "twice/2020-03-02/lesions.nii.gz"] {
        cohort.write(path, "");
    }
    for (folder, wanted) in [
        ("none", "expected label maps of at least two dates"),
        ("twice", "has two label maps of 2020-03-02"),
        ("missing", "cannot read the folder"),
    ] {
        let (code, stderr) = call(&["track", &cohort.path(folder).display().to_string()]);
        assert!(code == 65 && stderr.contains(wanted), "{code} {stderr}");
    }
}
