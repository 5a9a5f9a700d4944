//! A lesion that falls into pieces counts with the sum of their longest diameters, in the tables, in the response and on the page.

use std::path::Path;

use formats::nifti;
use imaging::FrameId;
use serde_json::Value;

use crate::calls::call;
use crate::{folders, keep_first_visits};

const DONE: i32 = 0;

/// Cuts a slab of three columns out of the middle of the largest lesion.
fn cut_in_two(masks: &Path) {
    let file = masks.join("lesions.nii.gz");
    let mut lesions = nifti::read_labels(&file, FrameId::new("any")).unwrap();
    let n_of = |label: u16| lesions.values().iter().filter(|v| **v == label).count();
    let largest = lesions.labels_present().into_iter().filter(|label| *label != 0).max_by_key(|l| n_of(*l)).unwrap();
    let (low, high) = lesions.label_mask(largest).bounding_box().unwrap();
    let middle = usize::midpoint(low.i, high.i);
    let shape = lesions.shape();
    for n in 0..shape.n_voxels() {
        if lesions.values()[n] == largest && shape.index(n).i.abs_diff(middle) <= 1 {
            lesions.values_mut()[n] = 0;
        }
    }
    nifti::write_labels(&file, &lesions).unwrap();
}

#[test]
fn fragments_are_added_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let archive = path("archive");
    let calls =
        ["phantom", "--scenario", "stable_then_progression", "--patients", "1", "--seed", "5", "--out", &archive];
    assert_eq!(call(&calls).0, DONE);
    keep_first_visits(&dir.path().join("archive"), 2);
    let masks = dir.path().join("archive/masks/LT-001");
    let visits = folders(&masks);
    let cut = visits[1].file_name().unwrap().to_string_lossy().into_owned();
    cut_in_two(&visits[1]);
    let study = include_str!("../../../../configs/study/default.toml")
        .replace("source = \"imported_or_model\"", "source = \"imported\"");
    std::fs::write(path("study.toml"), study).unwrap();
    let (code, said) = call(&["run", &path("study.toml"), "--archive", &archive, "--out", &path("out")]);
    assert_eq!(code, DONE, "{said}");
    let read = |name: &str| std::fs::read_to_string(dir.path().join("out").join(name)).unwrap();
    let result: Value = serde_json::from_str(&read("patients/LT-001/result.json")).unwrap();
    let rows: Vec<&Value> =
        result["measurements"].as_array().unwrap().iter().filter(|row| row["visit"] == cut.as_str()).collect();
    let in_pieces = rows.iter().find(|row| row["quantity"] == "long_axis_piece_2").expect("one lesion is in pieces");
    let value = |quantity: &str| {
        let own = |row: &&&Value| row["lesion_id"] == in_pieces["lesion_id"] && row["quantity"] == quantity;
        let own: Vec<_> = rows.iter().filter(own).collect();
        assert_eq!(own.len(), 1, "{quantity}: one row is one thing");
        own[0]["value"].as_f64().unwrap()
    };
    let whole = value("long_axis");
    assert!((whole - value("long_axis_piece_1") - value("long_axis_piece_2")).abs() < 1e-9);
    let judged = result["assessments"].as_array().unwrap().iter();
    let judged = judged.filter(|row| row["criterion"] == "recist_1_1" && row["visit"] == cut.as_str());
    let targets = result["lesions"].as_array().unwrap().iter().filter(|lesion| lesion["role"] == "target");
    let sum: f64 = targets
        .map(|lesion| {
            let own = |row: &&&Value| row["lesion_id"] == lesion["lesion_id"] && row["quantity"] == "long_axis";
            rows.iter().find(own).unwrap()["value"].as_f64().unwrap()
        })
        .sum();
    assert!(judged.clone().all(|row| (row["sum_mm"].as_f64().unwrap() - sum).abs() < 1e-9), "{sum}");
    assert_eq!(judged.count(), 1);
    let page = read("patients/LT-001/report.html");
    assert!(page.contains("in 2 pieces: ") && page.contains("mm, added"), "the page says what was added");
    assert!(page.contains("perhaps a gap in its outline"), "and asks to look");
    let tr = read("cohort/tr.csv");
    assert!(tr.lines().any(|line| line.contains("LDIAM") && line.contains(&format!(",{whole},mm"))), "{whole}");
}
