//! The built-in series rules against 300 series labelled by eye (`test_data/series_roles`): precision and recall of each role.
//! The descriptions are read through `LESIONTRACE_DATA`; where it is unset this test says that it did not run.

use std::collections::BTreeMap;

use lesiontrace_formats::dicom::SeriesRules;
use lesiontrace_formats::dicom::role::{candidates_of, role_of};
use lesiontrace_formats::dicom::{SeriesRole, SliceHeader};

const LABELS: &str = include_str!("../../../test_data/series_roles/labels.csv");

/// A header that says only what the index says.
fn header(row: &BTreeMap<String, String>) -> SliceHeader {
    let mut header = SliceHeader::blank(&row["Modality"]);
    header.series_description.clone_from(&row["SeriesDescription"]);
    header.study_description.clone_from(&row["StudyDescription"]);
    (header.rows, header.columns) = (512, 512);
    header
}

#[test]
fn labelled_series_get_their_role() {
    let Some(path) = testkit::real_data("index/idc_series.csv") else { return };
    let mut reader = csv::Reader::from_path(path).unwrap();
    let rows: BTreeMap<String, BTreeMap<String, String>> = reader
        .deserialize::<BTreeMap<String, String>>()
        .map(|row| row.map(|row| (row["SeriesInstanceUID"].clone(), row)).unwrap())
        .collect();
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new(); // right, said, labelled
    let mut wrong = Vec::new();
    for line in LABELS.lines().skip(1) {
        let (series, label) = line.split_once(',').unwrap();
        let row = &rows[series];
        let said = role_of(&header(row)).as_str();
        counts.entry(said).or_default()[1] += 1;
        let of_label =
            counts.entry(SeriesRole::ALL.iter().find(|r| r.as_str() == label).unwrap().as_str()).or_default();
        of_label[2] += 1;
        of_label[0] += usize::from(said == label);
        if said != label {
            let kept = candidates_of(&header(row), SeriesRules::built_in(), 1).iter().any(|c| c.role.as_str() == label);
            wrong.push(format!(
                "{:?}: {label}, said {said}{}",
                row["SeriesDescription"],
                if kept { " (kept)" } else { "" }
            ));
        }
    }
    for (role, [right, said, labelled]) in &counts {
        println!("{role:<18} precision {right}/{said}, recall {right}/{labelled}");
    }
    println!("{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let right: usize = counts.values().map(|c| c[0]).sum();
    assert!(right * 100 >= 300 * 95, "{right} of 300");
    for (role, [right, said, labelled]) in counts.iter().filter(|(_, c)| c[2] >= 5) {
        assert!(
            right * 100 >= said * 90 && right * 100 >= labelled * 90,
            "{role}: {right} of {said} said, {labelled} labelled"
        );
    }
}
