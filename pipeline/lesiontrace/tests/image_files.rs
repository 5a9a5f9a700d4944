//! BIDS trees, NRRD files, masks on other voxels and radiotherapy doses in a run, and de-identified copies of them.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
mod calls;
#[path = "files/cohort.rs"]
mod cohort;
#[path = "files/label_files.rs"]
mod label_files;

use std::collections::BTreeMap;
use std::path::Path;

use calls::{call, entry, run, status};
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable, study};
use formats::deidentify::open_or_make;
use formats::image_file;
use imaging::resample::resample_mask;
use imaging::{Affine, FrameId, Grid, Mask, Shape, Volume};
use label_files::{as_bids, write_nhdr, write_nrrd};

const DONE: i32 = 0;
const SOME_FAILED: i32 = 1;

/// Positions in NIfTI are 32-bit floats: sizes may differ by one step of the rounding to 0.01 mm.
const TOLERANCE_MM: f64 = 0.0101;

type Row = BTreeMap<String, String>;

fn rows(cohort: &Cohort, path: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(cohort.path(path)).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let row = |record: csv::StringRecord| header.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
    reader.records().map(|record| row(record.unwrap())).collect()
}

fn run_on(cohort: &Cohort, archive: &str, out: &str) -> (i32, String) {
    let [study, archive, out] = ["study.toml", archive, out].map(|p| cohort.path(p).display().to_string());
    call(&["run", &study, "--archive", &archive, "--out", &out])
}

/// Value by study day and quantity of one patient's measurements.
fn values(cohort: &Cohort, out: &str, id: &str) -> BTreeMap<(String, String), String> {
    let all = rows(cohort, &format!("{out}/cohort/measurements.csv"));
    let of_patient = all.into_iter().filter(|row| row["patient_id"] == id);
    of_patient.map(|row| ((row["study_day"].clone(), row["quantity"].clone()), row["value"].clone())).collect()
}

fn assert_same(one: &BTreeMap<(String, String), String>, other: &BTreeMap<(String, String), String>, tolerance: f64) {
    assert!(one.keys().eq(other.keys()) && one.len() >= 4, "{one:?} {other:?}");
    for (key, value) in one {
        match (value.parse::<f64>(), other[key].parse::<f64>()) {
            (Ok(a), Ok(b)) => assert!((a - b).abs() <= tolerance.max(1e-6 * a), "{key:?}: {a} {b}"),
            _ => assert_eq!(value, &other[key], "{key:?}"),
        }
    }
}

#[test]
fn a_bids_tree_with_derivatives_and_its_copy_give_the_results_of_the_dicom_they_were_made_from() {
    let ids = ["Doe1", "Roe2"];
    let cohort = Cohort::new(&ids);
    let of_liver = study("source = \"imported\"").replace("lesion_organ = \"\"", "lesion_organ = \"liver\"");
    cohort.write("study.toml", &of_liver);
    as_bids(&cohort, &ids);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let (code, stderr) = run_on(&cohort, "bids", "out_bids");
    assert_eq!(code, DONE, "{stderr}");
    let [bids, copy, key] = ["bids", "copy", "study.key"].map(|p| cohort.path(p).display().to_string());
    let (code, stderr) = call(&["deidentify", &bids, &copy, "--key", &key]);
    assert_eq!(code, DONE, "{stderr}");
    let (code, stderr) = run_on(&cohort, "copy", "out_copy");
    assert_eq!(code, DONE, "{stderr}");
    let (key, _) = open_or_make(&cohort.path("study.key"), &[]).unwrap();
    for id in ids {
        let of_dicom = values(&cohort, "out", id);
        let of_bids = values(&cohort, "out_bids", id);
        assert_same(&of_dicom, &of_bids, TOLERANCE_MM);
        assert_eq!(of_bids, values(&cohort, "out_copy", &key.patient(id)), "the copy measures the same");
    }
    for (path, bytes) in comparable(&cohort.path("copy")) {
        let text = [path.to_string_lossy().as_bytes(), b"\n", &bytes].concat();
        for name in ["Doe1", "Roe2", BASELINE, FOLLOW_UP, "20200302", "20200511"] {
            assert!(!text.windows(name.len()).any(|w| w == name.as_bytes()), "{} holds {name}", path.display());
        }
    }
}

#[test]
fn nrrd_images_and_masks_are_read_as_nifti_is() {
    let cohort = Cohort::new(&["A-1"]);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    for day in [BASELINE, FOLLOW_UP] {
        let series = cohort.path(&format!("archive/0/{day}")).display().to_string();
        let nifti = cohort.path(&format!("{day}.nii")).display().to_string();
        assert_eq!(call(&["convert", &series, &nifti]).0, DONE);
        assert_eq!(call(&["convert", &series, &format!("{nifti}.gz")]).0, DONE);
        let image = image_file::read_image(cohort.path(&format!("{day}.nii")).as_path(), FrameId::new("f")).unwrap();
        let packed = image_file::read_image(&cohort.path(&format!("{day}.nii.gz")), FrameId::new("f")).unwrap();
        assert!(image == packed, "slice by slice as in one piece");
        // The follow-up's files are detached headers with their data beside them.
        let ending = if day == FOLLOW_UP { "nhdr" } else { "nrrd" };
        let write = |path: &Path, image: &Volume<f32>| {
            if ending == "nhdr" { write_nhdr(path, image) } else { write_nrrd(path, image) }
        };
        write(&cohort.path(&format!("nrrd/A-1/{day}/ct_portal_venous.{ending}")), &image);
        for name in ["lesions", "organ"] {
            let from = cohort.path(&format!("archive/masks/A-1/{day}/{name}.nii.gz"));
            let mask = image_file::read_image(&from, FrameId::new("f")).unwrap();
            write(&cohort.path(&format!("nrrd/masks/A-1/{day}/{name}.{ending}")), &mask);
        }
        let rows = format!("masks/A-1/{day}/lesions.csv");
        cohort.write(&format!("nrrd/{rows}"), &cohort.read(&format!("archive/{rows}")));
    }
    let (code, stderr) = run_on(&cohort, "nrrd", "out_nrrd");
    assert_eq!(code, DONE, "{stderr}");
    assert_same(&values(&cohort, "out", "A-1"), &values(&cohort, "out_nrrd", "A-1"), TOLERANCE_MM);
    // A detached header whose data changed is another input, and one without its data is not usable and says why.
    let before = digest_of(&cohort, "out_nrrd");
    let data = cohort.path(&format!("nrrd/A-1/{FOLLOW_UP}/ct_portal_venous.raw"));
    let mut bytes = std::fs::read(&data).unwrap();
    bytes.extend([0; 4]);
    std::fs::write(&data, &bytes).unwrap();
    assert_eq!(run_on(&cohort, "nrrd", "again").0, DONE);
    assert_ne!(digest_of(&cohort, "again"), before, "resuming would have kept an old result");
    std::fs::remove_file(&data).unwrap();
    let (code, stderr) = run_on(&cohort, "nrrd", "without");
    assert_ne!(code, DONE, "{stderr}");
    let message = entry(&status(&cohort, "without"), "A-1")["message"].to_string();
    assert!(message.contains("does not lie beside it"), "{message}");
}

/// By what a result is known to be up to date.
fn digest_of(cohort: &Cohort, out: &str) -> String {
    let text = cohort.read(&format!("{out}/patients/A-1/status.json"));
    let status: serde_json::Value = serde_json::from_str(&text).unwrap();
    status["key"].to_string()
}

/// A mask on voxels of half the size, turned the other way round along i and shifted by a part of a voxel.
fn on_other_voxels(mask: &Mask) -> Mask {
    let rows = mask.grid().voxel_to_patient().to_rows();
    let Shape { ni, nj, nk } = mask.shape();
    let last = (ni - 1) as f64;
    let turned: [[f64; 4]; 4] = std::array::from_fn(|r| {
        let [i, j, k, origin] = rows[r];
        if r == 3 { [0.0, 0.0, 0.0, 1.0] } else { [-i / 2.0, j / 2.0, k / 2.0, origin + i * last - 0.3 * j - 0.2 * k] }
    });
    let shape = Shape { ni: 2 * ni, nj: 2 * nj, nk: 2 * nk };
    let grid = Grid::new(shape, Affine::from_rows(turned).unwrap(), mask.grid().frame().clone()).unwrap();
    resample_mask(mask, &grid, &Affine::identity())
}

#[test]
fn a_mask_on_other_voxels_is_refused_unless_the_study_says_that_it_lies_in_the_same_frame() {
    let cohort = Cohort::new(&["A-1"]);
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    let path = cohort.path(&format!("archive/masks/A-1/{BASELINE}/lesions.nii.gz"));
    let labels = image_file::read_labels(&path, FrameId::new("f")).unwrap();
    let finer = on_other_voxels(&labels.map(|v| *v != 0));
    std::fs::remove_file(&path).unwrap();
    write_nrrd(&path.with_file_name("lesions.nrrd"), &finer.map(|set| f32::from(u8::from(*set))));
    assert_eq!(run(&cohort, "refused", &[]).0, SOME_FAILED);
    let failed = entry(&status(&cohort, "refused"), "A-1");
    assert_eq!(failed["code"], "mask_off_grid");
    let frame = study("source = \"imported\"").replace("mask_grid = \"series\"", "mask_grid = \"frame\"");
    cohort.write("study.toml", &frame);
    let (code, stderr) = run(&cohort, "frame", &[]);
    assert_eq!(code, DONE, "{stderr}");
    assert!(cohort.read("frame/patients/A-1/notes.json").contains("mask_resampled"));
    let lesion = |out: &str| {
        let row = &rows(&cohort, &format!("{out}/cohort/lesions.csv"))[0];
        ["x_mm", "y_mm", "z_mm"].map(|c| row[c].parse::<f64>().unwrap())
    };
    let apart = lesion("out").iter().zip(lesion("frame")).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    assert!(apart < 0.5, "{apart} mm: the mask lies where it was drawn");
    let long =
        |out: &str| values(&cohort, out, "A-1")[&("0".to_owned(), "long_axis".to_owned())].parse::<f64>().unwrap();
    assert!((long("out") - long("frame")).abs() < 3.0, "within a voxel: {} {}", long("out"), long("frame"));
}

/// Numbers of pydicom and SimpleITK: `scripts/make_dose_phantom.py`.
const DOSE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test_data/oracles/dose");

#[test]
fn a_dose_in_the_measured_frame_adds_grays_to_each_lesion_and_outlines_nothing() {
    let cohort = Cohort::new(&["A-1"]);
    std::fs::copy(format!("{DOSE}/rtdose.dcm"), cohort.path("archive/dose.dcm")).unwrap();
    let (code, stderr) = run(&cohort, "out", &[]);
    assert_eq!(code, DONE, "{stderr}");
    let text = std::fs::read_to_string(format!("{DOSE}/expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let found = rows(&cohort, "out/cohort/measurements.csv");
    let doses: Vec<&Row> = found.iter().filter(|row| row["quantity"].starts_with("dose_")).collect();
    assert_eq!(doses.len(), 7, "{doses:?}");
    for row in doses {
        assert_eq!((row["date"].as_str(), row["series_role"].as_str()), (BASELINE, "dose"));
        let (value, wanted) = (row["value"].parse::<f64>().unwrap(), expected[&row["quantity"]].as_f64().unwrap());
        assert!((value - wanted).abs() <= 0.0051, "{}: {value} {wanted}", row["quantity"]);
    }
    let notes = cohort.read("out/patients/A-1/notes.json");
    assert!(notes.contains("dose_read") && !notes.contains("series_not_usable"), "{notes}");
    let second = std::fs::read(cohort.path("archive/dose.dcm")).unwrap();
    let other = String::from_utf8_lossy(b"1.2.826.0.1.88.7.2").into_owned();
    let changed: Vec<u8> = replaced(&second, b"1.2.826.0.1.88.7.1", other.as_bytes());
    std::fs::write(cohort.path("archive/second.dcm"), changed).unwrap();
    assert_eq!(run(&cohort, "twice", &[]).0, DONE);
    let found = rows(&cohort, "twice/cohort/measurements.csv");
    let doses: Vec<&Row> = found.iter().filter(|row| row["quantity"].starts_with("dose_")).collect();
    assert!(doses.iter().all(|row| row["evaluable"] == "false" && row["reason"].contains("2 doses")), "{doses:?}");
    assert!(doses.len() == 7 && found.iter().any(|row| row["quantity"] == "long_axis" && row["evaluable"] == "true"));
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}
