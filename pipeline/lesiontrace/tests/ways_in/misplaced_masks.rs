//! Outlines in a folder of another name than the visit's: read by nobody, and said.

use crate::calls::run;
use crate::cohort::{BASELINE, Cohort};

#[test]
fn masks_that_no_visit_reads_are_named_with_where_they_belong() {
    let cohort = Cohort::new(&["Doe-1"]);
    run(&cohort, "out", &[]);
    assert!(!cohort.read("out/notes.json").contains("masks_not_read"));
    let masks = cohort.path("archive/masks/Doe-1");
    std::fs::rename(masks.join(BASELINE), masks.join(BASELINE.replace('-', ""))).unwrap();
    run(&cohort, "out2", &[]);
    let notes = cohort.read("out2/notes.json");
    let place = format!("masks/Doe-1/{}/", BASELINE.replace('-', ""));
    assert!(notes.contains("masks_not_read") && notes.contains(&place), "{notes}");
}
