//! Masks of critical structures beside a visit's outlines: how far each lesion and each ablation zone lies from them.

use std::path::Path;

use formats::nifti;
use imaging::{FrameId, Index3, LabelMap, Mask};
use serde_json::Value;

use crate::calls::call;
use crate::{folders, keep_first_visits};

const DONE: i32 = 0;

/// Columns of voxels between the largest lesion and the wall.
const N_BETWEEN: usize = 6;

fn labels(visit: &Path) -> LabelMap {
    nifti::read_labels(&visit.join("lesions.nii.gz"), FrameId::new("any")).unwrap()
}

/// The largest lesion of a visit.
fn largest(visit: &Path) -> Mask {
    let lesions = labels(visit);
    let n_of = |label: &u16| lesions.values().iter().filter(|v| *v == label).count();
    let largest = lesions.labels_present().into_iter().filter(|label| *label != 0).max_by_key(n_of).unwrap();
    lesions.label_mask(largest)
}

/// A wall across the image, so many columns beyond the largest lesion; its distance in mm from the outermost voxel's edge.
fn wall(visit: &Path, n_between: usize) -> (Mask, f64) {
    let lesion = largest(visit);
    let first = lesion.bounding_box().unwrap().1.i + 1 + n_between;
    let wall = Mask::from_fn(lesion.grid().clone(), |at: Index3| (first..first + 4).contains(&at.i));
    (wall, n_between as f64 * lesion.grid().spacing_mm()[0])
}

#[test]
fn distances_stand_in_the_tables_and_the_near_ones_on_the_page() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let archive = path("archive");
    let calls = ["phantom", "--scenario", "complete_ablation", "--patients", "1", "--seed", "5", "--out", &archive];
    assert_eq!(call(&calls).0, DONE);
    keep_first_visits(&dir.path().join("archive"), 2);
    let masks = dir.path().join("archive/masks/LT-001");
    let visits = folders(&masks);
    for folder in [masks.join("critical"), visits[0].join("critical")] {
        std::fs::create_dir_all(folder).unwrap();
    }
    let (near, expected_mm) = wall(&visits[0], N_BETWEEN);
    let (far, _) = wall(&visits[0], 3 * N_BETWEEN);
    nifti::write_mask(&masks.join("critical/Portal vein.nii.gz"), &far).unwrap();
    let own = visits[0].join("critical/portal vein.nii.gz");
    nifti::write_mask(&own, &near).unwrap();
    std::fs::rename(&own, own.with_file_name("portal vein.NII.GZ")).unwrap();
    // Later visits have grids of their own.
    for visit in &visits[1..] {
        let column = near.bounding_box().unwrap().0.i;
        let here = Mask::from_fn(labels(visit).grid().clone(), |at| (column..column + 4).contains(&at.i));
        std::fs::create_dir_all(visit.join("critical")).unwrap();
        nifti::write_mask(&visit.join("critical/Portal vein.nii.gz"), &here).unwrap();
    }
    // One that cannot be read is said and stops nobody.
    std::fs::write(masks.join("critical/lost.nhdr"), "NRRD0004\ndata file: gone.raw\n").unwrap();
    let study = include_str!("../../../../configs/study/default.toml")
        .replace("source = \"imported_or_model\"", "source = \"imported\"");
    std::fs::write(path("study.toml"), study).unwrap();
    let (code, said) = call(&["run", &path("study.toml"), "--archive", &archive, "--out", &path("out")]);
    assert_eq!(code, DONE, "{said}");
    let read = |name: &str| std::fs::read_to_string(dir.path().join("out").join(name)).unwrap();
    let result: Value = serde_json::from_str(&read("patients/LT-001/result.json")).unwrap();
    let rows: Vec<&Value> = result["measurements"].as_array().unwrap().iter().collect();
    let first = visits[0].file_name().unwrap().to_string_lossy().into_owned();
    let of = |quantity: &str, lesion: &Value| {
        let own = |row: &&&Value| {
            row["visit"] == first.as_str() && row["quantity"] == quantity && row["lesion_id"] == *lesion
        };
        rows.iter().find(own).map(|row| (*row).clone())
    };
    let n = |mask: &Mask| mask.n_voxels_set() as f64 * mask.grid().voxel_volume_mm3();
    let volume = n(&largest(&visits[0]));
    let own =
        rows.iter().find(|row| row["quantity"] == "volume" && (row["value"].as_f64().unwrap() - volume).abs() < 0.01);
    let lesion = &own.expect("the largest lesion is measured")["lesion_id"];
    let found = of("distance_portal_vein", lesion).expect("the visit's own file counts");
    let number = |name: &str| found[name].as_f64().unwrap();
    // The smooth surface rounds the lesion's outermost voxels off by less than one.
    assert!((number("value") - expected_mm).abs() < 1.0, "{found} {expected_mm}");
    assert!(number("low") < number("value") && number("value") < number("high"), "{found}");
    assert!(found["caliper_lps_mm"].as_str().unwrap().contains(';'), "{found}");
    // Later visits show ablation zones alone.
    assert!(rows.iter().any(|row| row["quantity"] == "zone_distance_portal_vein" && row["evaluable"] == true));
    let lost = of("distance_lost", lesion).expect("a row that says why");
    assert!(lost["evaluable"] == false && !lost["reason"].as_str().unwrap().is_empty(), "{lost}");
    assert!(read("patients/LT-001/report.html").contains("distance to portal vein"));
    assert!(read("cohort/measurements.csv").contains("distance_portal_vein"));
}
