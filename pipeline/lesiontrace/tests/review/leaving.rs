//! What leaves the house after a review: objects of results that are no more do not go out, new ones name those they replace, and a
//! reader's caliper leaves under the reader's name.

use std::process::Command;

use super::*;

/// Exit code, stdout and stderr of a call that finds no browser.
fn called(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    let output = command.args(args).env("PATH", "").env_remove("CHROMIUM").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn export(cohort: &Cohort, kinds: &str) -> (i32, Value, String) {
    let [out, archive] = ["out", "elsewhere"].map(|name| cohort.path(name).display().to_string());
    let (code, stdout, stderr) = called(&["export", &out, "--dicom", kinds, "--json", "--archive", &archive]);
    (code, serde_json::from_str(&stdout).unwrap_or_default(), stderr)
}

fn dry_push(cohort: &Cohort) -> (i32, String, String) {
    let out = cohort.path("out").display().to_string();
    called(&["push", &out, "http://127.0.0.1:1/dicom-web", "--dry-run"])
}

fn uid(json: &Value, patient: &str, visit: &str, modality: &str) -> String {
    let objects = json["objects"].as_array().unwrap();
    let is_it = |o: &&Value| o["patient_id"] == patient && o["visit"] == visit && o["modality"] == modality;
    objects.iter().find(is_it).unwrap()["sop_instance_uid"].as_str().unwrap().to_owned()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn objects_of_results_that_changed_are_not_sent_and_their_successors_name_them() {
    let cohort = finished();
    let (code, first, stderr) = export(&cohort, "seg,sr");
    assert_eq!(code, DONE, "{stderr}");
    let (code, names, _) = dry_push(&cohort);
    assert_eq!((code, names.lines().count()), (DONE, 8));
    let data = page_data(&cohort, "out", "A-1");
    let at = &data["review"]["lesions"][0]["visits"][1];
    let drawn = shortened(at["long_axis"].as_str().unwrap(), 1.1);
    let mut caliper = read(&data, 0, FOLLOW_UP, "long_axis", &drawn);
    caliper["reader"] = json!("Dr Jones");
    let (code, stderr) = apply(&cohort, &save(&cohort, "reads.json", &[caliper]));
    assert_eq!(code, DONE, "{stderr}");
    let (code, names, stderr) = dry_push(&cohort);
    assert_eq!((code, names.lines().count()), (1, 4), "{names}");
    assert!(names.lines().all(|name| name.contains("B-2")) && stderr.contains("results that have changed"), "{stderr}");
    // Made anew they go out; what did not change kept its identity.
    let (code, second, stderr) = export(&cohort, "seg,sr");
    assert_eq!(code, DONE, "{stderr}");
    assert_eq!(dry_push(&cohort).0, DONE);
    let of = |json: &Value, patient, modality| uid(json, patient, FOLLOW_UP, modality);
    for (patient, modality) in [("B-2", "SR"), ("B-2", "SEG"), ("A-1", "SEG")] {
        assert_eq!(of(&first, patient, modality), of(&second, patient, modality), "{patient} {modality}");
    }
    assert_ne!(of(&first, "A-1", "SR"), of(&second, "A-1", "SR"));
    let path = cohort.path(&format!("out/patients/A-1/dicom/{FOLLOW_UP}_ct_portal_venous_sr.dcm"));
    let report = std::fs::read(&path).unwrap();
    assert!(holds(&report, &of(&first, "A-1", "SR")), "the report names the one it replaces");
    assert_eq!(report.windows(8).filter(|window| window == b"Dr Jones").count(), 1, "of two axes, one is hers");
    assert_eq!(export(&cohort, "seg,sr").1, second, "nothing changed, nothing is new");
    assert_eq!(std::fs::read(&path).unwrap(), report);
}

#[test]
fn a_printed_report_of_earlier_results_is_not_wrapped_as_if_it_were_of_these() {
    let cohort = finished();
    for patient in ["A-1", "B-2"] {
        cohort.write(&format!("out/patients/{patient}/report.pdf"), "%PDF-1.7\n");
    }
    let (code, json, stderr) = export(&cohort, "pdf");
    assert_eq!((code, json["objects"].as_array().unwrap().len()), (DONE, 2), "{stderr}");
    let data = page_data(&cohort, "out", "A-1");
    let file = save(&cohort, "reads.json", &[read(&data, 0, "", "finding", "reject")]);
    assert_eq!(apply(&cohort, &file).0, DONE);
    let (_, names, stderr) = dry_push(&cohort);
    assert!(!names.contains("A-1") && stderr.contains("A-1"), "{names}{stderr}");
    let (code, json, _) = export(&cohort, "pdf");
    assert_eq!((code, json["objects"].as_array().unwrap().len()), (1, 1));
    let reason = json["refused"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("older than the report") && reason.contains("chromium"), "{reason}");
}
