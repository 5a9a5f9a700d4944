//! Two scans of one day, round a treatment: which is planning and which is control.

use super::*;

#[test]
fn two_scans_round_a_treatment_are_told_apart_by_its_time() {
    let cohort = Cohort::new(&["A-1"]);
    treated_on_baseline_day(&cohort, "A-1,2020-03-02,MWA,12:00\n");
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let notes = notes(&cohort, "A-1");
    assert!(notes.contains("two_scans_round_treatment") && notes.contains("2020-03-02-2 after it"), "{notes}");
    assert!(notes.contains("scan_without_outlines") && notes.contains("masks/<patient>/2020-03-02-2"), "{notes}");
    assert!(!notes.contains("baseline_outside_window"), "the planning scan is the baseline: {notes}");
    let [archive, series, patients] =
        ["archive", "series.csv", "patients.csv"].map(|p| cohort.path(p).display().to_string());
    assert_eq!(call(&["index", &archive, "--out", &series, "--patients", &patients]).0, DONE);
    let labels: Vec<String> =
        table(&cohort, "series.csv", &["visit"]).into_iter().map(|row| row["visit"].clone()).collect();
    let [before, after, later] = labels.as_slice() else { panic!("{labels:?}") };
    assert!(before.ends_with("(before it)") && after.ends_with("(after it)") && !later.contains("it)"), "{labels:?}");
    let needs = table(&cohort, "patients.csv", &["criterion", "n_visits", "readiness"]);
    let margin = needs.iter().find(|row| row["criterion"] == "margin").unwrap();
    assert_eq!([&*margin["n_visits"], &*margin["readiness"]], ["3", "ready"], "tumour and zone are both imaged");
    let found = responses(&cohort);
    assert_eq!((found.len(), found[FOLLOW_UP].0.as_str()), (2, "PD"), "{found:?}");
}

/// A NIfTI file states no time: its folder says which time point of the day it is.
#[test]
fn folders_of_nifti_files_name_planning_and_control() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    as_nifti(&cohort, &["A-1", "B-2"]);
    // The follow-up of B-2, who was ablated, becomes the control of baseline's day.
    let control = format!("{BASELINE}-2");
    for below in ["as_nifti/B-2", "as_nifti/masks/B-2"] {
        let from = |day: &str| cohort.path(&format!("{below}/{day}"));
        std::fs::rename(from(FOLLOW_UP), from(&control)).unwrap();
    }
    cohort.write("as_nifti/clinical/treatments.csv", &format!("patient_id,date,modality\nB-2,{BASELINE},MWA\n"));
    let (code, stderr) = run_on(&cohort, "as_nifti", "out");
    assert_eq!(code, DONE, "{stderr}");
    let margins = table(&cohort, "out/cohort/margins.csv", &["patient_id", "tumour_visit", "zone_visit"]);
    let told: Vec<_> =
        margins.iter().map(|row| (&*row["patient_id"], &*row["tumour_visit"], &*row["zone_visit"])).collect();
    assert_eq!(told, [("B-2", BASELINE, &*control)]);
    let rows = table(&cohort, "out/cohort/assessments.csv", &["patient_id", "visit"]);
    assert!(rows.iter().all(|row| row["visit"] != control), "{rows:?}");
    let key = cohort.path("study.key").display().to_string();
    let [archive, copy] = ["as_nifti", "copy"].map(|p| cohort.path(p).display().to_string());
    assert_eq!(call(&["deidentify", &archive, &copy, "--key", &key]).0, DONE);
    let (code, stderr) = run_on(&cohort, "copy", "out_of_copy");
    assert_eq!(code, DONE, "{stderr}");
    let of_copy = table(&cohort, "out_of_copy/cohort/margins.csv", &["tumour_visit", "zone_visit"]);
    assert_eq!(of_copy.len(), 1, "{of_copy:?}");
    assert_eq!(of_copy[0]["zone_visit"], format!("{}-2", of_copy[0]["tumour_visit"]), "the visits move together");
}

#[test]
fn two_scans_that_cannot_be_ordered_round_a_treatment_are_not_evaluable() {
    let cohort = Cohort::new(&["A-1"]);
    treated_on_baseline_day(&cohort, "A-1,2020-03-02,MWA,\n");
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let notes = notes(&cohort, "A-1");
    assert!(notes.contains("unordered_day") && notes.contains("give its time in treatments.csv"), "{notes}");
    let found = responses(&cohort);
    assert_eq!(found[FOLLOW_UP].0, "NE", "{found:?}");
}

#[test]
fn two_scans_round_a_treatment_are_told_apart_by_the_zone_on_the_later_one() {
    let cohort = Cohort::new(&["A-1"]);
    treated_on_baseline_day(&cohort, "A-1,2020-03-02,MWA,\n");
    std::fs::remove_dir_all(cohort.path("archive/masks")).unwrap();
    for (name, folder, region) in [
        ("a", format!("archive/0/{BASELINE}"), "GTV_1"),
        ("b", format!("archive/evening/{BASELINE}"), "Ablation zone 1"),
        ("c", format!("archive/0/{FOLLOW_UP}"), "GTV_1"),
    ] {
        let set = cohort.path(&format!("archive/set-{name}.dcm"));
        more_dicom::structure_set(&set, &cohort.path(&folder), &[("Liver", 9.4), (region, 4.4)]);
    }
    let (code, stderr) = run(&cohort, "out", &["--threads", "1"]);
    assert_eq!(code, DONE, "{stderr}");
    assert_eq!(run(&cohort, "again", &["--threads", "2"]).0, DONE);
    assert!(comparable(&cohort.path("out")) == comparable(&cohort.path("again")), "the threads change a byte");
    let notes = notes(&cohort, "A-1");
    assert!(notes.contains("by the ablation zone outlined on the later one"), "{notes}");
    assert!(!notes.contains("structure_set_of_other_series"), "each set is used at one visit of the day: {notes}");
    let found = responses(&cohort);
    assert_eq!(found.len(), 2, "the control is no response time point: {found:?}");
    // The squares of this test are too small to be registered: what is asked is that the day stands in no way.
    assert!(!found[FOLLOW_UP].1.contains("cannot be ordered"), "{found:?}");
    let margins = table(&cohort, "out/cohort/margins.csv", &["study_date", "tumour_visit", "zone_visit"]);
    assert_eq!(margins.len(), 1, "{margins:?}");
    let of = |column: &str| margins[0][column].clone();
    assert_eq!([of("study_date"), of("tumour_visit"), of("zone_visit")], [BASELINE, BASELINE, "2020-03-02-2"]);
    assert!(cohort.path("out/patients/A-1/2020-03-02-2/ct_portal_venous/ablation_zone.nii.gz").is_file());
}
