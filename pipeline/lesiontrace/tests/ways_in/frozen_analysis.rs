//! `run --freeze`: an analysis that was locked is run again only as it was.

use crate::calls::{run, status};
use crate::cohort::Cohort;

const DONE: i32 = 0;
const USAGE: i32 = 2;

#[test]
fn a_frozen_analysis_is_run_again_only_with_what_it_was_frozen_with() {
    let cohort = Cohort::new(&["A-1"]);
    assert_eq!(run(&cohort, "out", &["--freeze", "--dry-run"]).0, DONE);
    assert!(!cohort.path("out/frozen.json").exists(), "a dry run freezes nothing");
    assert_eq!(run(&cohort, "out", &["--freeze"]).0, DONE);
    let (frozen, page) = (cohort.read("out/frozen.json"), cohort.read("out/cohort/report.html"));
    assert!(frozen.contains("criterion recist_1_1") && frozen.contains("\"study file\""), "{frozen}");
    assert!(page.contains("The analysis is frozen"));
    // The same again, and new data, are welcome.
    let people = cohort.read("archive/clinical/patients.csv");
    cohort.write("archive/clinical/patients.csv", &people.replace("2020-06-01", "2020-07-01"));
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    let before = cohort.read("out/cohort/measurements.csv");

    let study = cohort.read("study.toml");
    cohort.write("study.toml", &study.replace("ids = [\"recist_1_1\", \"mrecist\"]", "ids = [\"recist_1_1\"]"));
    for more in [&["--resume"][..], &["--force"], &["--dry-run"], &["--freeze"]] {
        let (code, said) = run(&cohort, "out", more);
        assert_eq!(code, USAGE, "{more:?}: {said}");
        for told in ["frozen", "study file changed", "criterion mrecist is gone", "another --out"] {
            assert!(said.contains(told), "{told}: {said}");
        }
    }
    assert_eq!((cohort.read("out/frozen.json"), cohort.read("out/cohort/measurements.csv")), (frozen.clone(), before));
    assert_eq!(status(&cohort, "out")["counts"]["done"], 1);
    assert_eq!(run(&cohort, "elsewhere", &[]).0, DONE, "another folder is free");
    assert!(!cohort.read("elsewhere/cohort/report.html").contains("The analysis is frozen"));

    cohort.write("study.toml", &study);
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    cohort.write("out/frozen.json", "{}");
    let (code, said) = run(&cohort, "out", &["--resume"]);
    assert!(code == USAGE && said.contains("expected what the analysis was frozen with"), "{code} {said}");
}
