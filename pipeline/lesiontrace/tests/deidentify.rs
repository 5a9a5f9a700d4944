//! `deidentify`: a run on the copy measures the same things, and nothing of the patients' names is left.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
mod calls;
#[path = "files/cohort.rs"]
mod cohort;

use std::collections::BTreeMap;

use calls::{call, entry, run, status};
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable};
use formats::deidentify::open_or_make;
use formats::dicom::write::{ModalityToWrite, PetToWrite, SeriesToWrite, write_series};
use imaging::{Affine, FrameId, Grid, Shape, Volume};
use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use serde_json::Value;

const DONE: i32 = 0;
const SOME_FAILED: i32 = 1;
const USAGE: i32 = 2;

fn deidentify(cohort: &Cohort, more: &[&str]) -> (i32, String) {
    deidentify_to(cohort, "copy", more)
}

fn deidentify_to(cohort: &Cohort, out: &str, more: &[&str]) -> (i32, String) {
    let [archive, out, key] = ["archive", out, "study.key"].map(|p| cohort.path(p).display().to_string());
    let mut args = vec!["deidentify", &archive, &out, "--key", &key];
    args.extend(more);
    call(&args)
}

fn rows(cohort: &Cohort, path: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(cohort.path(path)).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let row = |record: csv::StringRecord| header.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// Rows of one patient by these columns; dates as days since baseline.
fn of_patient(cohort: &Cohort, path: &str, id: &str, baseline: Date, columns: &[&str]) -> Vec<Vec<String>> {
    let days = |text: &str| text.parse::<Date>().map_or(text.to_owned(), |d| (d - baseline).get_days().to_string());
    let of = |row: &BTreeMap<String, String>| columns.iter().map(|c| days(&row[*c])).collect::<Vec<String>>();
    let mut found: Vec<Vec<String>> = rows(cohort, path).iter().filter(|row| row["patient_id"] == id).map(of).collect();
    found.sort();
    found
}

#[test]
fn a_run_on_the_copy_measures_the_same_on_days_that_keep_their_distance() {
    let cohort = Cohort::new(&["Doe-1", "Roe-2"]);
    let masks = cohort.path("archive/masks/Doe-1");
    for file in ["portal_vein.nii.gz", "Doe.nii.gz"] {
        std::fs::create_dir_all(masks.join("critical")).unwrap();
        std::fs::copy(masks.join(BASELINE).join("lesions.nii.gz"), masks.join("critical").join(file)).unwrap();
    }
    assert_eq!(run(&cohort, "out", &[]).0, DONE);
    std::fs::remove_file(masks.join("critical/Doe.nii.gz")).unwrap();
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    std::fs::write(masks.join("critical/Doe.nii.gz"), "left out by its name").unwrap();
    let (code, stderr) = deidentify(&cohort, &[]);
    assert_eq!(code, DONE, "{stderr}");
    let [study_file, copy, out] = ["study.toml", "copy", "out_copy"].map(|p| cohort.path(p).display().to_string());
    let (code, stderr) = call(&["run", &study_file, "--archive", &copy, "--out", &out]);
    assert_eq!(code, DONE, "{stderr}");
    let (key, _) = open_or_make(&cohort.path("study.key"), &[]).unwrap();
    let tables: [(&str, &[&str]); 4] = [
        ("measurements", &["lesion_id", "date", "study_day", "series_role", "quantity", "value", "unit", "evaluable"]),
        ("assessments", &["criterion", "date", "study_day", "sum_mm", "target", "new_lesion", "overall"]),
        ("margins", &["lesion_id", "treatment_date", "study_date", "min_margin_mm", "verdict"]),
        ("endpoints", &["endpoint", "origin_date", "end_date", "days", "event", "censor_reason"]),
    ];
    let baseline = date(2020, 3, 2);
    let mut n_rows = 0;
    for id in ["Doe-1", "Roe-2"] {
        assert_eq!(entry(&status(&cohort, "out_copy"), &key.patient(id))["state"], "done");
        let moved = baseline.checked_add(key.shift_days(id).days()).unwrap();
        for (table, columns) in tables {
            let of = |out: &str, id: &str, baseline| {
                of_patient(&cohort, &format!("{out}/cohort/{table}.csv"), id, baseline, columns)
            };
            let (original, copied) = (of("out", id, baseline), of("out_copy", &key.patient(id), moved));
            assert_eq!(original, copied, "{table} of {id}");
            n_rows += original.len();
        }
    }
    assert!(n_rows > 30, "{n_rows}");
    for (path, bytes) in comparable(&cohort.path("copy")) {
        let text = [path.to_string_lossy().as_bytes(), b"\n", &bytes].concat();
        for name in ["Doe", "Roe", BASELINE, FOLLOW_UP, "20200302", "20200511"] {
            assert!(!text.windows(name.len()).any(|w| w == name.as_bytes()), "{} holds {name}", path.display());
        }
    }
    let report: Value = serde_json::from_str(&cohort.read("copy/deidentification.json")).unwrap();
    assert_eq!((&report["n_written"], &report["n_failed"]), (&48.into(), &0.into()));
    assert_eq!(report["masks"]["n_written"], 14, "{}", report["masks"]);
    let measured = cohort.read("out_copy/cohort/measurements.csv");
    assert!(measured.contains("distance_portal_vein") && !cohort.read("out/cohort/measurements.csv").contains("_doe"));
    assert!(cohort.read("copy/deidentification.csv").contains("attribute,\"(0010,0010)\",PatientName,replaced,48"));
}

#[test]
fn a_damaged_file_is_named_by_its_hash_and_a_key_with_the_data_is_refused() {
    let cohort = Cohort::new(&["Doe-1"]);
    let slice = std::fs::read(cohort.path(&format!("archive/0/{BASELINE}/IM0003.dcm"))).unwrap();
    std::fs::remove_file(cohort.path(&format!("archive/0/{BASELINE}/IM0003.dcm"))).unwrap();
    std::fs::write(cohort.path("archive/Doe.dcm"), &slice[..slice.len() - 100]).unwrap();
    let (code, stderr) = deidentify(&cohort, &["--report", &cohort.path("told.json").display().to_string()]);
    assert_eq!(code, SOME_FAILED, "{stderr}");
    assert!(!stderr.contains("Doe.dcm") && !cohort.read("told.json").contains("Doe"));
    assert!(cohort.read("told.csv").contains("failed,1,"));
    let [archive, out] = ["archive", "copy"].map(|p| cohort.path(p).display().to_string());
    for inside in ["archive/key", "copy/key"] {
        let (code, stderr) = call(&["deidentify", &archive, &out, "--key", &cohort.path(inside).display().to_string()]);
        assert_eq!(code, USAGE, "{stderr}");
        assert!(!cohort.path(inside).exists());
    }
    let (code, _) = call(&["deidentify", &archive, &archive, "--key", &cohort.path("study.key").display().to_string()]);
    assert_eq!(code, USAGE);
}

/// Two slices that say they are pictures of a screen.
fn screen_pictures(cohort: &Cohort) {
    let rows = [[4.0, 0.0, 0.0, -9.0], [0.0, 4.0, 0.0, 4.0], [0.0, 0.0, 5.0, 1.0], [0.0, 0.0, 0.0, 1.0]];
    let grid =
        Grid::new(Shape { ni: 4, nj: 3, nk: 2 }, Affine::from_rows(rows).unwrap(), FrameId::new("1.2.8")).unwrap();
    let volume = Volume::from_fn(grid, |at| at.i as f32);
    let series = SeriesToWrite {
        volume: &volume,
        modality: ModalityToWrite::Ct { kvp: 120.0, contrast: None },
        patient_id: "Doe-1".to_owned(),
        patient_sex: None,
        patient_weight_kg: None,
        patient_height_m: None,
        study_uid: "1.2.5".to_owned(),
        series_uid: "1.2.6".to_owned(),
        sop_instance_uids: (0..2).map(|k| format!("1.2.7.{k}")).collect(),
        study_datetime: date(2020, 3, 2).at(9, 0, 0, 0),
        acquisition_datetime: date(2020, 3, 2).at(9, 30, 0, 0),
        study_description: "CT".to_owned(),
        series_description: "Screen".to_owned(),
        series_number: 9,
        slice_thickness_mm: 5.0,
        image_type: ["DERIVED", "SECONDARY", "SCREEN SAVE"].map(str::to_owned).to_vec(),
        manufacturer: "test".to_owned(),
    };
    write_series(&cohort.path("archive/screen"), &series).unwrap();
}

/// Puts a Station Name (0008,1010) before the Study Description of a slice.
fn name_station(cohort: &Cohort, slice: &str, station: [u8; 8]) {
    let path = cohort.path(slice);
    let mut bytes = std::fs::read(&path).unwrap();
    let description = [0x08, 0x00, 0x30, 0x10, b'L', b'O'];
    let at = bytes.windows(6).position(|six| six == description).unwrap();
    bytes.splice(at..at, [&[0x08, 0x00, 0x10, 0x10, b'S', b'H', 8, 0], station.as_slice()].concat());
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn what_may_stay_is_asked_for_by_name_and_said_in_the_report() {
    let cohort = Cohort::new(&["Doe-1"]);
    name_station(&cohort, &format!("archive/0/{BASELINE}/IM0003.dcm"), *b"SCANNER7");
    screen_pictures(&cohort);
    let n_files = 24;
    for (out, flags, n_written, keeps_station) in [
        ("copy", &[][..], n_files, false),
        ("with_devices", &["--retain-device-identity"][..], n_files, true),
        ("with_flagged", &["--keep-flagged"][..], n_files + 2, false),
        ("with_both", &["--keep-flagged", "--retain-device-identity"][..], n_files + 2, true),
    ] {
        let (code, stderr) = deidentify_to(&cohort, out, flags);
        assert_eq!(code, DONE, "{out}: {stderr}");
        let copied = comparable(&cohort.path(out));
        let holds = |text: &[u8]| copied.values().any(|bytes| bytes.windows(text.len()).any(|w| w == text));
        assert_eq!(holds(b"SCANNER7"), keeps_station, "{out}");
        assert!(!holds(b"Doe-1"), "{out}");
        let report: Value = serde_json::from_str(&cohort.read(&format!("{out}/deidentification.json"))).unwrap();
        assert_eq!(report["n_written"], n_written, "{out}");
        let table = cohort.read(&format!("{out}/deidentification.csv"));
        let of_screen =
            |what: &str| table.lines().filter(|l| l.starts_with(what) && l.contains("screen_picture")).count();
        let is_kept = n_written > n_files;
        assert_eq!((of_screen("file,") > 0, of_screen("left_out,") > 0), (is_kept, !is_kept), "{out}: {table}");
    }
}

/// A PET whose injection lies before midnight and whose scan lies after it.
fn pet(cohort: &Cohort) {
    let rows = [[4.0, 0.0, 0.0, -9.0], [0.0, 4.0, 0.0, 4.0], [0.0, 0.0, 5.0, 1.0], [0.0, 0.0, 0.0, 1.0]];
    let grid =
        Grid::new(Shape { ni: 4, nj: 3, nk: 2 }, Affine::from_rows(rows).unwrap(), FrameId::new("1.2.9")).unwrap();
    let volume = Volume::from_fn(grid, |at| (at.i * 700 + at.j * 31 + at.k * 113) as f32);
    let pet = PetToWrite {
        units: "BQML".to_owned(),
        decay_correction: "START".to_owned(),
        corrected_image: ["DECY", "ATTN"].map(str::to_owned).to_vec(),
        suv_type: None,
        radiopharmaceutical: "Fluorodeoxyglucose".to_owned(),
        total_dose_bq: 350e6,
        half_life_s: 6586.2,
        injection: date(2020, 3, 1).at(23, 40, 0, 0),
    };
    let series = SeriesToWrite {
        volume: &volume,
        modality: ModalityToWrite::Pet(Box::new(pet)),
        patient_id: "Doe-1".to_owned(),
        patient_sex: Some("F".to_owned()),
        patient_weight_kg: Some(61.5),
        patient_height_m: None,
        study_uid: "1.2.1".to_owned(),
        series_uid: "1.2.2".to_owned(),
        sop_instance_uids: (0..2).map(|k| format!("1.2.3.{k}")).collect(),
        study_datetime: date(2020, 3, 2).at(0, 30, 0, 0),
        acquisition_datetime: date(2020, 3, 2).at(0, 41, 10, 0),
        study_description: "PET CT".to_owned(),
        series_description: "PET WB".to_owned(),
        series_number: 5,
        slice_thickness_mm: 5.0,
        image_type: ["ORIGINAL", "PRIMARY"].map(str::to_owned).to_vec(),
        manufacturer: "test".to_owned(),
    };
    write_series(&cohort.path("archive/pet"), &series).unwrap();
}

#[test]
fn the_suv_of_a_pet_across_midnight_is_the_same() {
    let cohort = Cohort::new(&["Doe-1"]);
    std::fs::remove_dir_all(cohort.path("archive")).unwrap();
    pet(&cohort);
    assert_eq!(deidentify(&cohort, &[]).0, DONE);
    let factor = |folder: &str| {
        let folder = cohort.path(folder).display().to_string();
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
        let output = command.args(["suv", &folder, "--json"]).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        (document["factor"].as_f64().unwrap(), document["decay_reference"].clone())
    };
    let (original, copied) = (factor("archive/pet"), factor("copy"));
    assert_eq!(original, copied);
    // 61,500 g / (350 MBq × 2^(−3670 s / 6586.2 s)).
    let by_hand = 61_500.0 / (350e6 * (-3670.0 / 6586.2 * std::f64::consts::LN_2).exp());
    assert!((original.0 / by_hand - 1.0).abs() < 1e-6, "{} {by_hand}", original.0);
}
