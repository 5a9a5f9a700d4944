//! Lesions a reader marked and nobody outlined are outlined within a run by the network of `[models.prompted]`.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
mod calls;
#[path = "files/cohort.rs"]
mod cohort;

use std::collections::BTreeMap;
use std::path::Path;

use calls::{call, entry, run, status};
use cohort::{BASELINE, Cohort, FOLLOW_UP, comparable, lesion, study};
use formats::nifti;
use imaging::{FrameId, Index3};

const DONE: i32 = 0;
const BAD_INPUT: i32 = 65;

/// Half axes of the lesion, mm, and its HU, at which a network of random weights trusts its outline.
const LESION: [(&str, f64, f32); 2] = [(BASELINE, 9.0, 200.0), (FOLLOW_UP, 12.5, 180.0)];

fn model(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data/models").join(name).display().to_string()
}

/// A study without a model that finds lesions, with a network for marks on CT.
fn with_network(folder: &str) -> String {
    study("source = \"imported\"").replace("[models.prompted]\n", &format!("[models.prompted]\nCT = {folder:?}\n"))
}

/// A patient whose lesion stands out on both visits, is marked, and is outlined nowhere; beside it a mark in the air round the patient.
fn marked() -> Cohort {
    let cohort = Cohort::new(&["A-1"]);
    let mut marks = "patient_id,lesion_id,study_date,x_mm,y_mm,z_mm,organ,role\n".to_owned();
    for (day, half_mm, lesion_hu) in LESION {
        let series = cohort.path(&format!("archive/0/{day}"));
        let file = cohort.path(&format!("archive/A-1/{day}/ct_portal_venous.nii.gz"));
        assert_eq!(call(&["convert", &series.display().to_string(), &file.display().to_string()]).0, DONE);
        std::fs::remove_dir_all(&series).unwrap();
        let mut image = nifti::read_image(&file, FrameId::new("f")).unwrap();
        let shape = image.shape();
        for (n, hu) in image.values_mut().iter_mut().enumerate() {
            if lesion(shape.index(n), half_mm) {
                *hu = lesion_hu;
            }
        }
        nifti::write_image(&file, &image).unwrap();
        let masks = cohort.path(&format!("archive/masks/A-1/{day}"));
        let labels = nifti::read_labels(&masks.join("lesions.nii.gz"), FrameId::new("f")).unwrap();
        nifti::write_labels(&masks.join("lesions.nii.gz"), &labels.map(|_| 0)).unwrap();
        let of = |name: &str, at: Index3| {
            let [x, y, z] = image.grid().center(at).to_array();
            format!("A-1,{name},{day},{x:.3},{y:.3},{z:.3},liver,target\n")
        };
        marks.push_str(&of("seg7", Index3 { i: 14, j: 11, k: 5 }));
        marks.push_str(&of("air", Index3 { i: 1, j: 1, k: 1 }));
    }
    std::fs::remove_dir_all(cohort.path("archive/0")).unwrap();
    cohort.write("archive/clinical/lesions.csv", &marks);
    cohort
}

fn table(cohort: &Cohort, path: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(cohort.path(path)).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn runtime_is_here() -> bool {
    let (_, stderr) = call(&["model", "check", &model("prompted-0.1.0")]);
    let is_here = !stderr.contains("fetch_onnxruntime");
    if !is_here {
        eprintln!("NOT RUN: no ONNX Runtime");
    }
    is_here
}

#[test]
fn a_marked_lesion_is_outlined_measured_and_followed_and_what_is_not_to_be_trusted_is_seen_alone() {
    if !runtime_is_here() {
        return;
    }
    let cohort = marked();
    cohort.write("study.toml", &with_network(&model("prompted-0.1.0")));
    let (code, stderr) = run(&cohort, "out", &["--threads", "1"]);
    assert_eq!(code, DONE, "{stderr}");
    let rows = table(&cohort, "out/cohort/measurements.csv");
    let of = |name: &str, day: &str, quantity: &str| {
        let row = rows.iter().find(|r| r["lesion_id"] == name && r["date"] == day && r["quantity"] == quantity);
        row.unwrap_or_else(|| panic!("{name} {day} {quantity}: {rows:?}")).clone()
    };
    for (day, half_mm, _) in LESION {
        let axis: f64 = of("seg7", day, "long_axis")["value"].parse().unwrap();
        // A voxel is 3 by 2.6 mm in plane.
        assert!((axis - 2.0 * half_mm).abs() < 3.0, "{day}: {axis}");
        let air = of("air", day, "long_axis");
        assert!(air["evaluable"] == "false" && air["value"].is_empty(), "{air:?}");
        assert!(air["reason"].contains("seen by the reader, not measured: the outline that the network"), "{air:?}");
    }
    let lesions = table(&cohort, "out/cohort/lesions.csv");
    let seg7 = lesions.iter().find(|l| l["lesion_id"] == "seg7").unwrap();
    assert_eq!(
        (&*seg7["source"], &*seg7["organ"], &*seg7["role"]),
        ("model:prompted-0.1.0", "liver", "target"),
        "{lesions:?}"
    );
    let notes = cohort.read("out/patients/A-1/notes.json");
    assert!(notes.contains("outlined_from_mark") && notes.contains("mark_outline_not_trusted"), "{notes}");
    let page = cohort.read("out/patients/A-1/report.html");
    assert!(page.contains("were outlined from the mark by the network prompted-0.1.0"), "the methods name it");
    let manifest = cohort.read("out/manifest.json");
    for said in ["model prompted", "model prompted, model-1.onnx", "card of model prompted"] {
        assert!(manifest.contains(said), "{said}: {manifest}");
    }
    assert_eq!(run(&cohort, "again", &["--threads", "2"]).0, DONE);
    assert!(comparable(&cohort.path("out")) == comparable(&cohort.path("again")), "the threads change a byte");
    // Another card is another result.
    let copy = cohort.path("model").display().to_string();
    std::fs::create_dir_all(&copy).unwrap();
    for file in ["card.toml", "model.onnx", "model-1.onnx"] {
        std::fs::copy(Path::new(&model("prompted-0.1.0")).join(file), cohort.path("model").join(file)).unwrap();
    }
    let card = cohort.read("model/card.toml").replace("least_agreement = 0.8", "least_agreement = 0.999");
    cohort.write("model/card.toml", &card);
    cohort.write("study.toml", &with_network(&copy));
    assert_eq!(run(&cohort, "out", &["--resume"]).0, DONE);
    assert_eq!(entry(&status(&cohort, "out"), "A-1")["attempt"], 2);
    let rows = table(&cohort, "out/cohort/measurements.csv");
    let seg7: Vec<_> = rows.iter().filter(|r| r["lesion_id"] == "seg7" && r["date"] == FOLLOW_UP).collect();
    assert!(seg7.len() == 1 && seg7[0]["reason"].contains("views agree to"), "{seg7:?}");
}

#[test]
fn a_folder_of_another_kind_of_network_is_refused_by_its_key() {
    if !runtime_is_here() {
        return;
    }
    let cohort = marked();
    let finder = model("bright-0.1.0");
    cohort.write("study.toml", &with_network(&finder));
    let (code, stderr) = run(&cohort, "out", &[]);
    assert!(code == BAD_INPUT && stderr.contains("[models.prompted] CT") && stderr.contains("takes none"), "{stderr}");
    let text = with_network(&model("prompted-0.1.0"));
    cohort.write("study.toml", &text.replace("\nCT = ", "\nMR = "));
    let (code, stderr) = run(&cohort, "out", &[]);
    assert!(code == BAD_INPUT && stderr.contains("made for CT"), "{stderr}");
    cohort.write("study.toml", &text.replace("\nCT = ", "\nUS = "));
    let (code, stderr) = run(&cohort, "out", &[]);
    assert!(code == 2 && stderr.contains("US"), "{stderr}");
}
