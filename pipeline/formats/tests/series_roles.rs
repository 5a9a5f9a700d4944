//! The built-in series rules against series labelled by eye (`test_data/series_roles`): precision and recall of each role, on the 300
//! they were made on, on a half of these, and on 100 that were labelled before the rules were run on them.
//! The descriptions are read through `LESIONTRACE_DATA`; where it is unset this test says that it did not run.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

use std::collections::BTreeMap;

use lesiontrace_formats::dicom::SeriesRules;
use lesiontrace_formats::dicom::role::{candidates_of, role_of};
use lesiontrace_formats::dicom::{SeriesRole, SliceHeader};

const LABELS: &str = include_str!("../../../test_data/series_roles/labels.csv");
const HOLDOUT: &str = include_str!("../../../test_data/series_roles/holdout.csv");

/// A header that says only what the index says.
fn header(row: &BTreeMap<String, String>) -> SliceHeader {
    let mut header = SliceHeader::blank(&row["Modality"]);
    header.series_description.clone_from(&row["SeriesDescription"]);
    header.study_description.clone_from(&row["StudyDescription"]);
    (header.rows, header.columns) = (512, 512);
    header
}

/// Right, said and labelled of each role, and the wrong ones in words.
struct Counts {
    roles: BTreeMap<&'static str, [usize; 3]>,
    wrong: Vec<String>,
    n: usize,
}

impl Counts {
    /// `None` where there are no real data. Every `step`th label from the `first` counts.
    fn of(labels: &str, first: usize, step: usize) -> Option<Self> {
        let mut reader = csv::Reader::from_path(testkit::real_data("index/idc_series.csv")?).unwrap();
        let rows: BTreeMap<String, BTreeMap<String, String>> = reader
            .deserialize::<BTreeMap<String, String>>()
            .map(|row| row.map(|row| (row["SeriesInstanceUID"].clone(), row)).unwrap())
            .collect();
        let mut counts = Self { roles: BTreeMap::new(), wrong: Vec::new(), n: 0 };
        for line in labels.lines().skip(1 + first).step_by(step) {
            let (series, label) = line.split_once(',').unwrap();
            counts.add(&rows[series], label);
        }
        Some(counts)
    }

    fn add(&mut self, row: &BTreeMap<String, String>, label: &str) {
        let said = role_of(&header(row)).as_str();
        let label = SeriesRole::ALL.iter().find(|r| r.as_str() == label).unwrap().as_str();
        self.n += 1;
        self.roles.entry(said).or_default()[1] += 1;
        let of_label = self.roles.entry(label).or_default();
        of_label[2] += 1;
        of_label[0] += usize::from(said == label);
        if said != label {
            let candidates = candidates_of(&header(row), SeriesRules::built_in(), 1);
            let kept = if candidates.iter().any(|c| c.role.as_str() == label) { " (kept)" } else { "" };
            self.wrong.push(format!("{:?}: {label}, said {said}{kept}", row["SeriesDescription"]));
        }
    }

    fn right(&self) -> usize {
        self.roles.values().map(|c| c[0]).sum()
    }

    fn print(&self, name: &str) {
        println!("{name}: {}", share(self.right(), self.n));
        for (role, [right, said, labelled]) in &self.roles {
            println!("{role},{},{}", share(*right, *said), share(*right, *labelled));
        }
        println!("{} wrong:\n{}", self.wrong.len(), self.wrong.join("\n"));
    }
}

/// `12/13 (67–99 %)`: a share with its 95 % interval (Wilson 1927, JASA 22:209).
fn share(k: usize, n: usize) -> String {
    if n == 0 {
        return "0/0".to_owned();
    }
    let (k, n, z) = (k as f64, n as f64, 1.959_963_984_540_054_f64);
    let (p, z2) = (k / n, z * z);
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    format!("{k}/{n} ({:.0}–{:.0} %)", 100.0 * (middle - half).max(0.0), 100.0 * (middle + half).min(1.0))
}

#[test]
fn the_interval_of_a_share_is_wilsons() {
    // By hand: middle 0.789, half-width 0.193.
    assert_eq!(share(9, 10), "9/10 (60–98 %)");
}

#[test]
fn labelled_series_get_their_role() {
    let Some(counts) = Counts::of(LABELS, 0, 1) else { return };
    counts.print("300 labelled series");
    Counts::of(LABELS, 1, 2).unwrap().print("every second of them");
    let right = counts.right();
    assert!(right * 100 >= 300 * 95, "{right} of 300");
    for (role, [right, said, labelled]) in counts.roles.iter().filter(|(_, c)| c[2] >= 5) {
        assert!(
            right * 100 >= said * 90 && right * 100 >= labelled * 90,
            "{role}: {right} of {said} said, {labelled} labelled"
        );
    }
}

#[test]
fn held_out_series_get_their_role() {
    let Some(counts) = Counts::of(HOLDOUT, 0, 1) else { return };
    counts.print("100 held-out series");
    assert_eq!(counts.n, 100);
}
