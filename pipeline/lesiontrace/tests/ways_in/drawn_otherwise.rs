//! What is written down otherwise means the same: a zone under two labels, lesions numbered otherwise, all visits in one frame of
//! reference although the patient moved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use formats::{archive, nifti};
use imaging::FrameId;

use crate::calls::call;
use crate::{folders, keep_first_visits};

const DONE: i32 = 0;

/// One patient of a scenario, outlines handed in.
struct Patient {
    dir: tempfile::TempDir,
}

/// What a run says: tracking UIDs, margins, events and sums of a patient, each row by the columns that must not change.
type Said = BTreeMap<&'static str, Vec<String>>;

impl Patient {
    /// With the first visits alone.
    fn new(scenario: &str, n_visits: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let patient = Self { dir };
        let calls = ["phantom", "--scenario", scenario, "--patients", "1", "--seed", "11"];
        let out = patient.path("archive");
        assert_eq!(call(&[&calls[..], &["--out", &out]].concat()).0, DONE);
        let study = include_str!("../../../../configs/study/default.toml")
            .replace("source = \"imported_or_model\"", "source = \"imported\"");
        std::fs::write(patient.path("study.toml"), study).unwrap();
        keep_first_visits(&patient.dir.path().join("archive"), n_visits);
        patient
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn mask(&self, visit: usize, name: &str) -> PathBuf {
        folders(&self.dir.path().join("archive/masks/LT-001"))[visit].join(name)
    }

    fn run(&self, out: &str) -> Said {
        let (code, said) =
            call(&["run", &self.path("study.toml"), "--archive", &self.path("archive"), "--out", &self.path(out)]);
        assert_eq!(code, DONE, "{said}");
        let columns: [(&str, &[&str]); 4] = [
            ("lesions", &["lesion_id", "tracking_uid", "state"]),
            ("margins", &["lesion_id", "min_margin_mm", "verdict"]),
            ("events", &["lesion_id", "date", "event", "class"]),
            ("assessments", &["criterion", "date", "sum_mm", "overall"]),
        ];
        columns
            .into_iter()
            .map(|(table, wanted)| (table, self.rows(&format!("{out}/cohort/{table}.csv"), wanted)))
            .collect()
    }

    fn rows(&self, path: &str, wanted: &[&str]) -> Vec<String> {
        let mut reader = csv::Reader::from_path(self.path(path)).unwrap();
        let header = reader.headers().unwrap().clone();
        let columns: Vec<usize> = wanted.iter().map(|w| header.iter().position(|h| h == *w).unwrap()).collect();
        let row =
            |record: csv::StringRecord| columns.iter().map(|c| record[*c].to_owned()).collect::<Vec<_>>().join(" ");
        reader.records().map(|record| row(record.unwrap())).collect()
    }
}

/// Gives every voxel of a label map another label.
fn relabel(path: &Path, label: impl Fn(u16, imaging::Index3) -> u16) {
    let mut map = nifti::read_labels(path, FrameId::new("any")).unwrap();
    let shape = map.shape();
    for n in 0..shape.n_voxels() {
        let old = map.values()[n];
        map.values_mut()[n] = if old == 0 { 0 } else { label(old, shape.index(n)) };
    }
    nifti::write_labels(path, &map).unwrap();
}

#[test]
fn a_zone_under_two_labels_is_one_zone_and_who_moved_within_one_frame_of_reference_is_followed() {
    let patient = Patient::new("local_progression", 4);
    let as_drawn = patient.run("out");
    assert!(!as_drawn["margins"].is_empty() && as_drawn["events"].iter().any(|row| row.ends_with("local")));
    for visit in 1..4 {
        let file = patient.mask(visit, "ablation_zone.nii.gz");
        let zone = nifti::read_mask(&file, FrameId::new("any")).unwrap();
        let (low, high) = zone.bounding_box().unwrap();
        let middle = usize::midpoint(low.j, high.j);
        relabel(&file, |old, at| if at.j < middle { old } else { old + 10 });
    }
    assert_eq!(patient.run("split"), as_drawn);
    put_into_one_frame(&patient.dir.path().join("archive/LT-001"));
    assert_eq!(patient.run("one_frame"), as_drawn);
    let notes = std::fs::read_to_string(patient.path("one_frame/patients/LT-001/notes.json")).unwrap();
    assert!(notes.contains("same_frame_moved"), "{notes}");
}

/// Gives all images the frame of reference of the first visit's.
fn put_into_one_frame(images: &Path) {
    let index = archive::index(images).unwrap().value;
    let headers: Vec<_> = index.series().flat_map(|s| s.headers.unpack()).collect();
    let padded = |uid: &str| [uid.as_bytes(), &[0_u8; 1][..uid.len() % 2]].concat();
    let first = headers.iter().min_by_key(|h| h.study_date).unwrap();
    let frame = padded(first.frame_uid.as_deref().unwrap());
    for header in &headers {
        let own = padded(header.frame_uid.as_deref().unwrap());
        assert_eq!(own.len(), frame.len(), "choose another seed: the identifiers must be as long as one another");
        let mut bytes = std::fs::read(&header.path).unwrap();
        let at = bytes.windows(own.len()).position(|part| part == own).unwrap();
        bytes[at..at + own.len()].copy_from_slice(&frame);
        std::fs::write(&header.path, bytes).unwrap();
    }
}

/// A lesion's number follows the order of its label; its tracking UID must not pass to another one with it.
#[test]
fn a_tracking_uid_stays_with_its_lesion_when_labels_change_places() {
    let patient = Patient::new("complete_ablation", 3);
    let uids = |out: &str| {
        patient.run(out);
        let rows = patient.rows(&format!("{out}/cohort/lesions.csv"), &["tracking_uid", "x_mm", "y_mm"]);
        rows.into_iter().collect::<std::collections::BTreeSet<String>>()
    };
    let before = uids("out");
    assert!(before.len() > 1, "{before:?}");
    relabel(&patient.mask(0, "lesions.nii.gz"), |old, _| 10 - old);
    let rows = std::fs::read_to_string(patient.mask(0, "lesions.csv")).unwrap();
    let turned = rows.lines().enumerate().map(|(n, line)| {
        let (label, rest) = line.split_once(',').unwrap();
        if n == 0 { line.to_owned() } else { format!("{},{rest}", 10 - label.parse::<u16>().unwrap()) }
    });
    std::fs::write(patient.mask(0, "lesions.csv"), turned.collect::<Vec<_>>().join("\n")).unwrap();
    assert_eq!(uids("turned"), before);
}
