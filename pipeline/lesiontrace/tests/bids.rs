//! `run --bids`: names, tables and masks of the data set, and that it is written anew by `collect --bids`.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod calls;
#[path = "files/cohort.rs"]
mod cohort;

use calls::{call, run};
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable};

/// Cells of a table by their column, row by row.
fn rows(text: &str) -> Vec<Vec<(&str, &str)>> {
    let header: Vec<&str> = text.lines().next().unwrap().split('\t').collect();
    text.lines().skip(1).map(|line| header.iter().copied().zip(line.split('\t')).collect()).collect()
}

fn cell<'a>(row: &[(&'a str, &'a str)], name: &str) -> &'a str {
    row.iter().find(|(column, _)| *column == name).unwrap_or_else(|| panic!("{name}: {row:?}")).1
}

#[test]
fn outlines_and_numbers_stand_under_the_names_of_the_standard() {
    let cohort = Cohort::new(&["A-1", "B 2"]);
    let (code, stderr) = run(&cohort, "out", &["--bids"]);
    assert_eq!(code, 0, "{stderr}");
    let description: serde_json::Value =
        serde_json::from_str(&cohort.read("out/bids/dataset_description.json")).unwrap();
    assert_eq!(description["DatasetType"], "derivative");
    assert_eq!(description["GeneratedBy"][0]["Name"], "lesiontrace");
    let participants = cohort.read("out/bids/participants.tsv");
    let participants = rows(&participants);
    let ids: Vec<&str> = participants.iter().map(|row| cell(row, "participant_id")).collect();
    assert_eq!(ids, ["sub-A1", "sub-B2"]);
    assert_eq!([cell(&participants[1], "patient_id"), cell(&participants[1], "diagnosis")], ["B 2", "HCC"]);
    let sessions = cohort.read("out/bids/sub-A1/sub-A1_sessions.tsv");
    let sessions = rows(&sessions);
    assert_eq!(cell(&sessions[1], "session_id"), "ses-20200511");
    assert_eq!([cell(&sessions[1], "study_day"), cell(&sessions[1], "overall")], ["70", "PD"]);
    let at = |id: &str, day: &str, what: &str| {
        format!("out/bids/sub-{id}/ses-{day}/anat/sub-{id}_ses-{day}_acq-portalvenous_{what}")
    };
    for (visit, day) in [(BASELINE, "20200302"), (FOLLOW_UP, "20200511")] {
        for (file, what) in [("lesions", "desc-lesions_dseg"), ("organ", "desc-organ_mask")] {
            let own = cohort.path(&format!("out/patients/A-1/{visit}/ct_portal_venous/{file}.nii.gz"));
            let copy = cohort.path(&at("A1", day, &format!("{what}.nii.gz")));
            assert_eq!(std::fs::read(own).unwrap(), std::fs::read(&copy).unwrap(), "{}", copy.display());
        }
    }
    let labels = cohort.read(&at("A1", "20200511", "desc-lesions_dseg.tsv"));
    let label = &rows(&labels)[0];
    let table = cohort.read("out/cohort/measurements.csv");
    let long =
        table.lines().find(|l| l.starts_with(&format!("A-1,L1,{FOLLOW_UP}")) && l.contains(",long_axis,")).unwrap();
    assert_eq!([cell(label, "index"), cell(label, "name"), cell(label, "role")], ["1", "L1", "target"]);
    assert_eq!(cell(label, "long_axis_mm"), long.split(',').nth(6).unwrap());
    let zone = cohort.read(&at("B2", "20200511", "desc-ablationzones_dseg.tsv"));
    assert_eq!(cell(&rows(&zone)[0], "name"), "L1", "made for this lesion");
    let first = comparable(&cohort.path("out/bids"));
    std::fs::write(cohort.path("out/bids/sub-A1/left_over.tsv"), "x").unwrap();
    assert_eq!(call(&["collect", &cohort.path("out").display().to_string(), "--bids"]).0, 0);
    assert!(first == comparable(&cohort.path("out/bids")), "the same results give the same bytes, and no more");
    // Without its record, or with one of another version, a patient is left out and named; the others stay.
    for damaged in [None, Some("{}")] {
        let record = cohort.path("out/patients/A-1/sources.json");
        match damaged {
            None => std::fs::remove_file(&record).unwrap(),
            Some(text) => std::fs::write(&record, text).unwrap(),
        }
        let (code, stderr) = call(&["collect", &cohort.path("out").display().to_string(), "--bids"]);
        assert_eq!(code, 1, "{stderr}");
        let line = stderr.lines().find(|line| line.contains("left out of the BIDS data set")).unwrap_or_default();
        assert!(line.contains("patient A-1") && line.contains("--force"), "{stderr}");
        let left = cohort.read("out/bids/participants.tsv");
        assert_eq!(rows(&left).iter().map(|row| cell(row, "participant_id")).collect::<Vec<_>>(), ["sub-B2"]);
        assert!(!cohort.path("out/bids/sub-A1").exists() && cohort.path("out/bids/sub-B2").is_dir());
        let parts = std::fs::read_dir(cohort.path("out")).unwrap().flatten();
        assert!(parts.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with(".part")));
    }
}
