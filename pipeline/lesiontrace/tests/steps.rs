//! Single steps as a user calls them: files in, JSON and exit code out.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

mod files;

use std::path::Path;

use assert_cmd::Command;
use files::{Folder, affine, ball, ct, ellipsoid, grid, textured, textured_middle};
use formats::nifti;
use imaging::{FrameId, Volume};
use serde_json::Value;

const BAD_INPUT: i32 = 65;
const USAGE: i32 = 2;

fn lesiontrace(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    command.args(args);
    command
}

/// Stdout of a successful call as one JSON document.
fn json(args: &[&str]) -> Value {
    let output = lesiontrace(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit code, stdout and stderr of a call that fails.
fn failing(args: &[&str]) -> (i32, String, String) {
    let output = lesiontrace(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("expected a number, found {value}"))
}

fn near(found: &Value, expected: f64, tolerance: f64) {
    let found = number(found);
    assert!((found - expected).abs() <= tolerance, "expected {expected} ± {tolerance}, found {found}");
}

fn point(value: &Value) -> [f64; 3] {
    std::array::from_fn(|axis| number(&value[axis]))
}

fn test_data(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data").join(path).display().to_string()
}

#[test]
fn index_of_a_folder_without_images_is_bad_input_and_says_so() {
    let folder = Folder::new();
    folder.write("notes.txt", b"nothing here");
    let (code, stdout, stderr) = failing(&["index", &folder.path(""), "--json"]);
    assert_eq!((code, stdout.as_str()), (BAD_INPUT, ""));
    assert!(stderr.contains("no DICOM or NIfTI found under"), "{stderr}");
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
    let gap_mm = number(&serde_json::json!(files::along_normal(&written, 3)));
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

#[test]
fn an_ellipsoid_has_its_axes_its_end_points_and_its_volume() {
    let folder = Folder::new();
    let half_axes = [14.0, 9.0, 8.0];
    let centre = [4.3, -21.7, 33.0];
    let mask = ellipsoid(centre, half_axes);
    nifti::write_labels(Path::new(&folder.path("mask.nii.gz")), &mask.map(|set| u16::from(*set) * 3)).unwrap();
    let heat = Volume::from_fn(mask.grid().clone(), |at| if *mask.at(at) { 2.0 } else { 0.0 });
    nifti::write_image(Path::new(&folder.path("pet.nii.gz")), &heat).unwrap();
    let (mask_file, image) = (folder.path("mask.nii.gz"), folder.path("pet.nii.gz"));
    let found =
        json(&["measure", "--mask", &mask_file, "--image", &image, "--unit", "SUVbw", "--nodes", "3", "--json"]);
    let lesion = &found["lesions"][0];
    let half_a_pixel = 0.45;
    near(&lesion["long_axis_mm"], 28.0, half_a_pixel);
    near(&lesion["short_axis_mm"], 18.0, half_a_pixel);
    let volume = 4.0 / 3.0 * std::f64::consts::PI * 14.0 * 9.0 * 8.0;
    near(&lesion["volume_mm3"], volume, 0.02 * volume);
    let ends = [point(&lesion["long_axis_lps"][0]), point(&lesion["long_axis_lps"][1])];
    let expected = files::long_axis_ends(centre, half_axes[0]);
    let distance = |a: [f64; 3], b: [f64; 3]| (0..3).map(|n| (a[n] - b[n]).powi(2)).sum::<f64>().sqrt();
    let miss = |a: usize, b: usize| distance(ends[0], expected[a]).max(distance(ends[1], expected[b]));
    // The tip of an ellipse is flat: within 3 mm of it the diameter changes by less than half a pixel.
    assert!(miss(0, 1).min(miss(1, 0)) < 3.0, "{ends:?} is not {expected:?}");
    assert_eq!((lesion["label"].as_u64(), lesion["component"].as_u64()), (Some(3), Some(1)));
    assert_eq!((found["unit"].as_str(), lesion["kind"].as_str()), (Some("SUVbw"), Some("node")));
    near(&lesion["mean"], 2.0, 0.0);
    near(&lesion["suv_peak"], 2.0, 1e-9);
}

#[test]
fn an_image_on_another_grid_is_refused() {
    let folder = Folder::new();
    let mask = ellipsoid([4.3, -21.7, 33.0], [8.0, 7.0, 6.0]);
    nifti::write_mask(Path::new(&folder.path("mask.nii.gz")), &mask).unwrap();
    nifti::write_image(Path::new(&folder.path("image.nii.gz")), &Volume::filled(grid(6), 1.0_f32)).unwrap();
    let (mask, image) = (folder.path("mask.nii.gz"), folder.path("image.nii.gz"));
    let (code, stdout, _) = failing(&["measure", "--mask", &mask, "--image", &image, "--json"]);
    assert_eq!(code, BAD_INPUT);
    assert!(stdout.contains("not_evaluable"), "{stdout}");
}

#[test]
fn two_balls_have_their_smallest_margin_where_they_are_closest() {
    let folder = Folder::new();
    for (name, centre, radius) in [("tumour", [0.3, 0.2, -0.4], 8.0), ("zone", [2.3, 0.2, -0.4], 16.0)] {
        let path = folder.path(&format!("{name}.nii.gz"));
        nifti::write_mask(Path::new(&path), &ball(centre, radius)).unwrap();
    }
    let (tumour, zone) = (folder.path("tumour.nii.gz"), folder.path("zone.nii.gz"));
    let call = ["margin", "--tumour", &tumour, "--ablation", &zone, "--threshold-mm", "4", "--json"];
    let blind = json(&call);
    near(&blind["min_margin_mm"], 6.0, 0.5);
    near(&blind["tumour_coverage"], 1.0, 0.0);
    assert_eq!(blind["verdict"], "not_reportable");
    assert!(blind["interval_mm"]["not_evaluable"].is_string() && blind["technical_success"] == true);
    let mut with_error = call.to_vec();
    with_error.extend(["--registration-error-mm", "0.3"]);
    let sure = json(&with_error);
    assert_eq!(sure["verdict"], "adequate");
    assert!(number(&sure["interval_mm"][0]) > 4.0 && number(&sure["interval_mm"][0]) < number(&sure["min_margin_mm"]));
    let shares: f64 = ["lt0", "0_5", "5_10", "ge10"].iter().map(|bin| number(&sure["area_fraction"][*bin])).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
}

#[test]
fn a_shifted_image_is_carried_back_by_the_opposite_shift() {
    let folder = Folder::new();
    let shift = [7.0, -5.0, 6.0];
    nifti::write_image(Path::new(&folder.path("fixed.nii.gz")), &textured([0.0; 3])).unwrap();
    nifti::write_image(Path::new(&folder.path("moving.nii.gz")), &textured(shift)).unwrap();
    let (fixed, moving, out) = (folder.path("fixed.nii.gz"), folder.path("moving.nii.gz"), folder.path("out"));
    let found = json(&["register", &fixed, &moving, "--out", &out, "--json"]);
    // Judged where the image is: far from it, a rotation of a tenth of a degree would weigh as much as the shift.
    let middle = textured_middle();
    let moved: [f64; 3] = std::array::from_fn(|axis| middle[axis] + shift[axis]);
    for axis in 0..3 {
        let row = &found["moving_to_fixed"][axis];
        let linear: f64 = (0..3).map(|column| number(&row[column]) * moved[column]).sum();
        let carried = linear + number(&row[3]);
        assert!((carried - middle[axis]).abs() < 0.5, "axis {axis}: {carried} for {}", middle[axis]);
        near(&row[axis], 1.0, 0.01);
    }
    assert_eq!(found["transform"], "rigid");
    assert!(number(&found["metric_after"]) > 0.95, "{found}");
    for file in ["moving_to_fixed.json", "moving_to_fixed.tfm", "warped.nii.gz", "quality.json"] {
        assert!(Path::new(&out).join(file).is_file(), "{file}");
    }
    let itk = std::fs::read_to_string(Path::new(&out).join("moving_to_fixed.tfm")).unwrap();
    let numbers = |prefix: &str| -> Vec<f64> {
        let line = itk.lines().find_map(|line| line.strip_prefix(prefix)).unwrap();
        line.split_whitespace().map(|text| text.parse().unwrap()).collect()
    };
    // ITK: T(x) = A (x − c) + c + t, with A row by row, then t; it goes from the fixed to the moving image.
    let (parameters, center) = (numbers("Parameters: "), numbers("FixedParameters: "));
    for axis in 0..3 {
        let linear: f64 = (0..3).map(|n| parameters[3 * axis + n] * (middle[n] - center[n])).sum();
        let carried = linear + center[axis] + parameters[9 + axis];
        assert!((carried - moved[axis]).abs() < 0.5, "axis {axis}: {carried} for {}; {itk}", moved[axis]);
    }
}

#[test]
fn a_network_its_card_does_not_describe_is_named_with_both_digests() {
    let folder = Folder::new();
    let card = std::fs::read_to_string(test_data("models/bright-0.1.0/card.toml")).unwrap();
    folder.write("model/card.toml", card.as_bytes());
    folder.write("model/model.onnx", b"another network");
    let (code, _, stderr) = failing(&["model", "check", &folder.path("model")]);
    let expected = card.lines().find_map(|line| line.strip_prefix("sha256 = ")).unwrap().trim_matches('"');
    assert_eq!(code, BAD_INPUT);
    // SHA-256 of the text "another network", by sha256sum (coreutils 9.1).
    let found = "846aff4fd6d2927c778e61054697f7353c903766384ae6c797055bbfc0e2962e";
    assert!(stderr.contains(expected) && stderr.contains(found), "{stderr}");
}

#[test]
fn an_unknown_device_is_a_usage_error() {
    let model = test_data("models/bright-0.1.0");
    let (code, _, stderr) =
        failing(&["segment", "x.nii.gz", "--model", &model, "--out", "y.nii.gz", "--device", "gpu"]);
    assert_eq!(code, USAGE);
    assert!(stderr.contains("cpu, cuda:N"), "{stderr}");
}

#[test]
fn survival_of_six_rows_by_hand() {
    let folder = Folder::new();
    folder.write("t.csv", b"months,dead,stage\n1,1,a\n2,0,a\n3,1,b\n4,1,b\n5,0,a\n6,0,NA\n");
    let table = folder.path("t.csv");
    let svg = folder.path("km.svg");
    let found = json(&[
        "survival",
        &table,
        "--time",
        "months",
        "--event",
        "dead",
        "--landmarks",
        "3.5",
        "--plot",
        &svg,
        "--json",
    ]);
    let curve = &found["km"]["all"];
    assert_eq!((curve["n"].as_u64(), curve["events"].as_u64()), (Some(6), Some(3)));
    // 5/6, then times 3/4, then times 2/3.
    let surv = [5.0 / 6.0, 5.0 / 6.0, 0.625, 0.625 * 2.0 / 3.0, 0.625 * 2.0 / 3.0, 0.625 * 2.0 / 3.0];
    for (at, expected) in surv.iter().enumerate() {
        near(&curve["surv"][at], *expected, 1e-12);
    }
    near(&curve["median"], 4.0, 0.0);
    near(&found["landmarks"]["all"][0]["surv"], 0.625, 1e-12);
    assert_eq!(found["time_unit"], "months");
    assert!(std::fs::read_to_string(svg).unwrap().contains("<svg xmlns="));
    let grouped = json(&["survival", &table, "--time", "months", "--event", "dead=1", "--group", "stage", "--json"]);
    assert_eq!(grouped["km"]["a"]["n"], 3);
    assert_eq!(grouped["cautions"][0], "1 rows are left out because stage is missing");
}

#[test]
fn survival_screens_penalises_and_says_what_a_value_is_compared_with() {
    let folder = Folder::new();
    let mut table = "months,dead,low,age,sex,centre\n".to_owned();
    for row in 0..24 {
        let dead = if row % 4 == 3 { "0," } else { "1," };
        let low = if row % 4 == 0 { format!("{row}.5") } else { "NA".to_owned() };
        let sex = if row % 3 == 0 { "m" } else { "f" };
        table += &format!("{},{dead}{low},{},{sex},c{}\n", row + 1, 60 - row + row * 7 % 5 * 3, row % 2);
    }
    folder.write("t.csv", table.as_bytes());
    let found = json(&[
        "survival",
        &folder.path("t.csv"),
        "--time",
        "months",
        "--event",
        "dead",
        "--interval-low",
        "low",
        "--covariates",
        "age,sex=m",
        "--strata",
        "centre",
        "--firth",
        "--screen=0.1",
        "--ties",
        "breslow",
        "--json",
    ]);
    assert_eq!(found["references"]["sex=m"][0], "f");
    assert_eq!(found["cox"]["ties"], "breslow");
    let selected: Vec<_> =
        found["screen"]["univariable"].as_array().unwrap().iter().map(|one| &one["selected"]).collect();
    assert_eq!(selected, [true, false]);
    assert_eq!(found["screen"]["multivariable"]["terms"], serde_json::json!(["age"]));
    let (plain, penalised) = (found["cox"]["coef"][0].as_f64().unwrap(), found["firth"]["coef"][0].as_f64().unwrap());
    assert!(penalised.abs() < plain.abs(), "the penalty draws to 0: {penalised} from {plain}");
    assert_eq!(found["turnbull"]["all"]["n_between"], 6);
    assert!(found["cautions"][0].as_str().unwrap().starts_with("2 strata"), "{}", found["cautions"]);
}

#[test]
fn a_column_that_is_not_there_is_named_with_those_that_are() {
    let folder = Folder::new();
    folder.write("t.csv", b"months,dead\n1,1\n");
    let (code, _, stderr) = failing(&["survival", &folder.path("t.csv"), "--time", "days", "--event", "dead"]);
    assert_eq!(code, BAD_INPUT);
    assert!(stderr.contains("\"days\"") && stderr.contains("months, dead"), "{stderr}");
}

#[test]
fn sdtm_tables_become_responses() {
    let folder = Folder::new();
    folder.write("tu.csv", b"STUDYID,USUBJID,VISITNUM,VISIT,TULNKID,TUSTRESC\nT1,S1,1,BASELINE,T01,TARGET\n");
    let tr = "USUBJID,VISITNUM,VISIT,TRLNKID,TRTESTCD,TRORRES,TRORRESU,TRDTC\n\
              S1,1,BASELINE,T01,LDIAM,110,mm,2020-01-01\nS1,2,WEEK 8,T01,LDIAM,77,mm,2020-02-26\n";
    folder.write("tr.csv", tr.as_bytes());
    let (tu, tr, rs) = (folder.path("tu.csv"), folder.path("tr.csv"), folder.path("rs.csv"));
    let rows = json(&["assess", "--tu", &tu, "--tr", &tr, "--out", &rs, "--json"]);
    assert_eq!((rows[0]["overall"].as_str(), rows[0]["visit"].as_str()), (Some("PR"), Some("WEEK 8")));
    near(&rows[0]["sum_mm"], 77.0, 0.0);
    let written = std::fs::read_to_string(rs).unwrap();
    assert!(written.contains("T1,RS,S1,") && written.contains("OVRLRESP,Overall Response,PR,PR"), "{written}");
}

#[test]
fn worked_cases_pass_and_a_wrong_one_ends_with_1() {
    let cases = json(&["case", &test_data("criteria/recist_target.json"), "--json"]);
    let cases = cases.as_array().unwrap();
    assert!(!cases.is_empty() && cases.iter().all(|case| case["pass"] == true), "{cases:?}");
    let folder = Folder::new();
    let text = std::fs::read_to_string(test_data("criteria/recist_target.json")).unwrap();
    folder.write("wrong.json", text.replace("\"PR\"", "\"SD\"").as_bytes());
    assert_eq!(failing(&["case", &folder.path("wrong.json")]).0, 1);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_lesiontrace"))
        .args(["criterion", "show", "recist_1_1"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_phantom_is_not_written_over_something_else_and_knows_its_scenarios() {
    let folder = Folder::new();
    folder.write("archive/thesis.txt", b"not to be mixed with images");
    let (code, _, stderr) = failing(&["phantom", "--out", &folder.path("archive"), "--patients", "1"]);
    assert_eq!(code, BAD_INPUT);
    assert!(stderr.contains("new or empty folder"), "{stderr}");
    let (code, _, stderr) = failing(&["phantom", "--out", &folder.path("other"), "--scenario", "miracle"]);
    assert_eq!(code, USAGE);
    assert!(stderr.contains("complete_ablation"), "{stderr}");
}

#[test]
fn a_phantom_archive_reads_back_and_does_not_give_the_answer_away() {
    let folder = Folder::new();
    let out = folder.path("archive");
    lesiontrace(&["phantom", "--out", &out, "--patients", "1", "--scenario", "lost_to_follow_up"]).assert().success();
    let truth: Value = serde_json::from_slice(&std::fs::read(folder.path("archive/truth.json")).unwrap()).unwrap();
    let visit = &truth["patients"][0]["visits"][0];
    let rows = json(&["index", &out, "--json"]);
    let first = rows.as_array().unwrap().iter().find(|row| row["study_date"] == visit["date"]).unwrap();
    assert!(first["usable"] == true && first["spacing_mm"].is_array(), "{first}");
    let mask = Path::new(&out).join(visit["masks"]["lesions"].as_str().unwrap());
    let table = std::fs::read_to_string(mask.with_file_name("lesions.csv")).unwrap();
    assert_eq!(table, "label,organ,kind\n1,liver,lesion\n");
    let series = Path::new(&out).join("LT-001").join(visit["date"].as_str().unwrap()).join("Abdomen portal venous");
    let found =
        json(&["measure", "--mask", &mask.display().to_string(), "--image", &series.display().to_string(), "--json"]);
    let true_size = &visit["lesions"][0]["size"];
    let pixel = number(&visit["spacing_mm"][0]);
    near(&found["lesions"][0]["long_axis_mm"], number(&true_size["long_axis_mm"]), pixel);
    near(&found["lesions"][0]["volume_mm3"], number(&true_size["volume_mm3"]), 0.05 * number(&true_size["volume_mm3"]));
    assert_eq!(found["unit"], "HU");
}

#[test]
fn the_affine_written_by_the_tests_is_oblique() {
    let rows = affine([0.9, 0.8, 2.5]).to_rows();
    assert!((0..3).all(|row| (0..3).all(|column| rows[row][column].abs() > 0.01)), "{rows:?}");
}
