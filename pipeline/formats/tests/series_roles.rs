//! The built-in series rules against series labelled by eye (`test_data/series_roles`): precision and recall of each role, on the 300
//! they were made on, on a half of these, and on 100 that were labelled before the rules were run on them; and against written
//! phantoms, whose times, modality and slice thickness alone tell their role.
//! The descriptions are read through `LESIONTRACE_DATA`; where it is unset this test says that it did not run.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

use std::collections::BTreeMap;
use std::path::Path;

use imaging::{FrameId, Grid, Point, Shape, Volume};
use jiff::Span;
use jiff::civil::{DateTime, Time, date};
use lesiontrace_formats::archive::index_by;
use lesiontrace_formats::dicom::role::{candidates_of, role_of};
use lesiontrace_formats::dicom::{
    Contrast, ModalityToWrite, PetToWrite, SeriesRole, SeriesRules, SeriesToWrite, SliceHeader, derived_uid,
    write_series,
};
use nalgebra::Rotation3;

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
        self.count(said, label);
        if said != label {
            let candidates = candidates_of(&header(row), SeriesRules::built_in(), 1);
            let kept = if candidates.iter().any(|c| c.role.as_str() == label) { " (kept)" } else { "" };
            self.wrong.push(format!("{:?}: {label}, said {said}{kept}", row["SeriesDescription"]));
        }
    }

    fn count(&mut self, said: &'static str, label: &'static str) {
        self.n += 1;
        self.roles.entry(said).or_default()[1] += 1;
        let of_label = self.roles.entry(label).or_default();
        of_label[2] += 1;
        of_label[0] += usize::from(said == label);
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

/// A small oblique series, its description without a word of a phase.
fn write_phantom(root: &Path, n: usize, modality: ModalityToWrite, scanned: DateTime, thickness_mm: f64) {
    let directions = *Rotation3::from_euler_angles(0.1, -0.05, 0.2).matrix();
    let frame = FrameId::new(derived_uid(&["roles", &n.to_string()]));
    let shape = Shape { ni: 5, nj: 4, nk: 3 };
    let grid = Grid::from_directions(shape, Point::new(-9.0, 4.0, 60.0), [1.5, 1.5, thickness_mm], directions, frame);
    let volume = Volume::from_fn(grid.unwrap(), |at| (at.i + 7 * at.j + 31 * at.k) as f32);
    let uid = |what: &str| derived_uid(&["roles", what, &n.to_string()]);
    let series = SeriesToWrite {
        volume: &volume,
        modality,
        patient_id: format!("P{n}"),
        patient_sex: Some("F".into()),
        patient_weight_kg: Some(70.0),
        patient_height_m: None,
        study_uid: uid("study"),
        series_uid: uid("series"),
        sop_instance_uids: (0..3).map(|k| uid(&format!("slice {k}"))).collect(),
        study_datetime: scanned,
        acquisition_datetime: scanned,
        study_description: "Abdomen".into(),
        series_description: "Abdomen 3.0".into(),
        series_number: 1,
        slice_thickness_mm: thickness_mm,
        image_type: vec!["ORIGINAL".into(), "PRIMARY".into(), "AXIAL".into()],
        manufacturer: "test".into(),
    };
    write_series(&root.join(n.to_string()), &series).unwrap();
}

fn ct_injected_at(start_time: Option<Time>) -> ModalityToWrite {
    let contrast = Contrast { agent: "Iomeprol".into(), route: "IV".into(), start_time };
    ModalityToWrite::Ct { kvp: 120.0, contrast: Some(contrast) }
}

fn pet(units: &str, injection: DateTime) -> ModalityToWrite {
    ModalityToWrite::Pet(Box::new(PetToWrite {
        units: units.into(),
        decay_correction: "START".into(),
        corrected_image: vec!["DECY".into(), "ATTN".into()],
        suv_type: None,
        radiopharmaceutical: "Fluorodeoxyglucose".into(),
        total_dose_bq: 3.7e8,
        half_life_s: 6586.2,
        injection,
    }))
}

#[test]
fn phantoms_get_the_role_of_their_times_modality_and_thickness() {
    use SeriesRole as R;
    let dir = tempfile::tempdir().unwrap();
    let mut labels: Vec<SeriesRole> = Vec::new();
    let mut written = |modality, scanned, thickness, role| {
        write_phantom(dir.path(), labels.len(), modality, scanned, thickness);
        labels.push(role);
    };
    // In the morning and over midnight; between the windows, and without a time, a CT has no phase.
    let phases: [(i64, SeriesRole); 16] = [
        (5, R::Ct),
        (14, R::Ct),
        (15, R::CtArterial),
        (25, R::CtArterial),
        (45, R::CtArterial),
        (46, R::Ct),
        (59, R::Ct),
        (60, R::CtPortalVenous),
        (75, R::CtPortalVenous),
        (100, R::CtPortalVenous),
        (101, R::Ct),
        (149, R::Ct),
        (150, R::CtDelayed),
        (300, R::CtDelayed),
        (900, R::CtDelayed),
        (901, R::Ct),
    ];
    for injected in [date(2024, 5, 6).at(9, 30, 0, 0), date(2024, 5, 6).at(23, 59, 50, 0)] {
        for (seconds, role) in phases {
            for thickness in [1.0, 5.0] {
                let scanned = injected.checked_add(Span::new().seconds(seconds)).unwrap();
                written(ct_injected_at(Some(injected.time())), scanned, thickness, role);
            }
        }
        written(ct_injected_at(None), injected, 3.0, R::Ct);
        written(ModalityToWrite::Ct { kvp: 120.0, contrast: None }, injected, 3.0, R::Ct);
        for units in ["BQML", "GML", "CNTS"] {
            let scanned = injected.checked_add(Span::new().hours(1)).unwrap();
            written(pet(units, injected), scanned, 4.0, R::Pet);
        }
    }
    let mut counts = Counts { roles: BTreeMap::new(), wrong: Vec::new(), n: 0 };
    // A study's own rule for thick slices stands before the built-in ones.
    let thick = "schema = 1\n[[rule]]\nrole = \"other\"\nweight = 99\nmodality = \"CT\"\nthickness_mm = [4.5, 20.0]\nwhy = \"thick\"\n";
    for (rules, is_thick) in [(None, false), (Some(SeriesRules::beside_built_in(thick).unwrap()), true)] {
        let archive = index_by(dir.path(), rules.as_ref().unwrap_or(SeriesRules::built_in()), &|_| {}).unwrap().value;
        assert_eq!(archive.series().count(), labels.len());
        for entry in archive.series() {
            let n: usize = entry.row.patient_id[1..].parse().unwrap();
            let own = is_thick && entry.headers.first().unwrap().slice_thickness == Some(5.0);
            let label = if own { R::Other } else { labels[n] };
            counts.count(entry.row.role.as_str(), label.as_str());
        }
    }
    counts.print("phantoms by time, modality and thickness");
    assert_eq!((counts.right(), counts.n), (148, 148));
}
