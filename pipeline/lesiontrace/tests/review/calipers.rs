//! Calipers through the whole program: what belongs to no lesion is refused, what was drawn is shown, and targets beyond the criterion's
//! number are said.

use imaging::Point;

use super::*;

#[test]
fn a_caliper_elsewhere_changes_nothing_and_one_on_another_slice_is_said_on_the_page() {
    let cohort = finished();
    let before = comparable(&cohort.path("out"));
    let data = page_data(&cohort, "out", "A-1");
    let seen = data["review"]["lesions"][0]["visits"][1]["long_axis"].as_str().unwrap().to_owned();
    let masks = cohort.path(&format!("elsewhere/masks/A-1/{FOLLOW_UP}/lesions.nii.gz"));
    let labels = nifti::read_labels(&masks, FrameId::new("any")).unwrap();
    let grid = labels.grid();
    let moved = |by: [f64; 3]| {
        let ends = shortened(&seen, 1.0);
        let points = ends.split("; ").map(|point| {
            let mm: Vec<f64> = point.split(' ').map(|v| v.parse().unwrap()).collect();
            let voxel = grid.patient_to_voxel().apply(Point::new(mm[0], mm[1], mm[2])).to_array();
            let there = Point::new(voxel[0] + by[0], voxel[1] + by[1], voxel[2] + by[2]);
            grid.voxel_to_patient().apply(there).to_array().map(|mm| format!("{mm:.3}")).join(" ")
        });
        points.collect::<Vec<_>>().join("; ")
    };
    let put =
        |value: &str| apply(&cohort, &save(&cohort, "reads.json", &[read(&data, 0, FOLLOW_UP, "long_axis", value)]));
    for (value, why) in [(moved([0.0, 8.0, 0.0]), "beside it"), (moved([0.0, 0.0, 4.0]), "is outlined on slices")] {
        let (code, stderr) = put(&value);
        assert!(code == BAD_INPUT && stderr.contains(why), "{code} {stderr}");
    }
    assert_eq!(changed(&before, &comparable(&cohort.path("out"))), [""; 0]);
    let (code, stderr) = put(&moved([0.0, 0.0, 1.0]));
    assert_eq!(code, DONE, "{stderr}");
    let page = cohort.read("out/patients/A-1/report.html");
    assert!(page.contains("axis on slice") && page.contains("not shown"), "the picture is of another slice");
    assert!(cohort.read("out/patients/A-1/notes.json").contains("the long axis lies on slice"));
}

#[test]
fn targets_beyond_the_number_of_an_organ_are_said() {
    let cohort = Cohort::new(&["A-1"]);
    add_lesions(&cohort, "A-1", &[([18.0, 24.0, 29.0], 7.0), ([18.0, 42.0, 29.0], 6.0)]);
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let data = page_data(&cohort, "out", "A-1");
    let third = data["review"]["lesions"].as_array().unwrap().iter().position(|l| l["role"] != "target").unwrap();
    let file = save(&cohort, "reads.json", &[read(&data, third, "", "role", "target")]);
    let (code, stderr) = apply(&cohort, &file);
    assert_eq!(code, DONE, "{stderr}");
    let notes = cohort.read("out/patients/A-1/notes.json");
    assert!(notes.contains("too_many_targets_of_organ") && notes.contains("has 2 an organ at most"), "{notes}");
}
