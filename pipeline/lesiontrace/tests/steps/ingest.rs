//! What reads an archive: `index`, `convert`, `suv`.

use std::path::Path;

use formats::nifti;
use imaging::FrameId;
use serde_json::Value;

use super::{BAD_INPUT, failing, json, lesiontrace, near, number};
use crate::files::{Folder, ct};

#[test]
fn index_of_a_folder_without_images_is_bad_input_and_says_so() {
    let folder = Folder::new();
    folder.write("notes.txt", b"nothing here");
    let (code, stdout, stderr) = failing(&["index", &folder.path(""), "--json"]);
    assert_eq!((code, stdout.as_str()), (BAD_INPUT, ""));
    assert!(stderr.contains("no DICOM, NIfTI or NRRD found under"), "{stderr}");
}

#[test]
fn index_says_role_and_usability_and_notes_a_truncated_file() {
    let folder = Folder::new();
    ct(&folder, "portal", 6);
    let whole = std::fs::read(folder.path("portal/IM0003.dcm")).unwrap();
    folder.write("broken.dcm", &whole[..300]);
    let output =
        lesiontrace(&["index", &folder.path(""), "--json", "--out", &folder.path("table.csv")]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.contains("broken.dcm"), "{stderr}");
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    let row = &rows[0];
    assert_eq!((row["role"].as_str(), row["usable"].as_bool()), (Some("ct_portal_venous"), Some(true)));
    assert_eq!((row["patient_id"].as_str(), row["study_date"].as_str()), (Some("P-1"), Some("2019-03-04")));
    assert_eq!(row["n_slices"], 6);
    let table = std::fs::read_to_string(folder.path("table.csv")).unwrap();
    assert!(table.starts_with("patient_id,study_date,series_uid,modality,description,role,rank,n_slices,"), "{table}");
    assert!(table.contains("ct_portal_venous,1,6,0.9,0.8,2.5,true"), "{table}");
}

#[test]
fn convert_keeps_the_map_from_voxels_to_the_patient_and_the_values() {
    let folder = Folder::new();
    let written = ct(&folder, "portal", 6);
    let out = folder.path("portal.nii.gz");
    let found = json(&["convert", &folder.path("portal"), &out, "--json"]);
    assert_eq!((found["unit"].as_str(), &found["shape"]), (Some("HU"), &serde_json::json!([16, 12, 6])));
    let rows = written.grid().voxel_to_patient().to_rows();
    for (row, expected) in rows.iter().enumerate() {
        for (column, expected) in expected.iter().enumerate() {
            near(&found["voxel_to_patient_lps"][row][column], *expected, 1e-9);
        }
    }
    let read = nifti::read_image(Path::new(&out), FrameId::new("again")).unwrap();
    assert_eq!(read.values(), written.values());
    assert!(read.grid().max_distance_mm(written.grid()) < 1e-3);
}

#[test]
fn a_missing_slice_is_refused_with_its_position() {
    let folder = Folder::new();
    let written = ct(&folder, "portal", 7);
    std::fs::remove_file(folder.path("portal/IM0004.dcm")).unwrap();
    let out = folder.path("portal.nii.gz");
    let (code, stdout, stderr) = failing(&["convert", &folder.path("portal"), &out, "--json"]);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let reason = document["not_evaluable"].as_str().unwrap();
    let gap_mm = number(&serde_json::json!(crate::files::along_normal(&written, 3)));
    assert_eq!(code, BAD_INPUT);
    assert!(reason.contains(&format!("{gap_mm:.2}")) || reason.contains(&format!("{gap_mm:.1}")), "{gap_mm}: {reason}");
    assert!(stderr.contains("missing"), "{stderr}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn suv_of_a_ct_is_refused_with_a_reason_as_json() {
    let folder = Folder::new();
    ct(&folder, "portal", 3);
    let (code, stdout, _) = failing(&["suv", &folder.path("portal"), "--json"]);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, BAD_INPUT);
    assert!(document["not_evaluable"].as_str().unwrap().contains("found modality CT"), "{document}");
}
