//! `export` as a user calls it: DICOM objects of a tiny cohort, read back by the program's own readers.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

#[path = "files/calls.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod calls;
#[path = "files/cohort.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod cohort;

use std::path::PathBuf;

use assert_cmd::Command;
use calls::run;
use cohort::{BASELINE, Cohort, FOLLOW_UP};
use formats::dicom::header::{SliceHeader, read_header};
use formats::dicom::read_segmentation;
use formats::dicom::sr::{self, Quantity, SrGroup, read_measurement_report};
use formats::nifti;
use serde_json::Value;

/// Exit code, stdout as JSON (null where there is none) and stderr.
fn export(cohort: &Cohort, kinds: &str, more: &[&str]) -> (i32, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    command.arg("export").arg(cohort.path("out")).args(["--dicom", kinds, "--json"]).args(more);
    let output = command.output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), json, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn object(cohort: &Cohort, id: &str, visit: &str, kind: &str) -> PathBuf {
    cohort.path(&format!("out/patients/{id}/dicom/{visit}_ct_portal_venous_{kind}.dcm"))
}

#[test]
fn outlines_become_segmentations_that_hold_every_voxel_and_each_lesions_identity() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    assert_eq!(run(&cohort, "out", &[]).0, 0);
    let (code, json, stderr) = export(&cohort, "seg", &[]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(json["objects"].as_array().unwrap().len(), 4);
    let lesions = cohort.read("out/cohort/lesions.csv");
    let tracking_uid = lesions.lines().find(|l| l.starts_with("A-1,L1,")).unwrap().split(',').nth(2).unwrap();
    for visit in [BASELINE, FOLLOW_UP] {
        let seg = read_segmentation(&object(&cohort, "A-1", visit, "seg")).unwrap().value;
        let names: Vec<&str> = seg.segments.iter().map(|s| s.label.as_str()).collect();
        assert_eq!(names, ["L1", "liver"], "{visit}");
        assert_eq!(seg.segments[0].tracking_uid.as_deref(), Some(tracking_uid), "{visit}");
        let mask = cohort.path(&format!("out/patients/A-1/{visit}/ct_portal_venous/lesions.nii.gz"));
        let mask = nifti::read_labels(&mask, seg.grid().frame().clone()).unwrap();
        let placed = seg.mask_on(1, mask.grid()).unwrap();
        assert_eq!(placed.notes, [], "{visit}");
        let same = mask.values().iter().zip(placed.value.values()).all(|(label, set)| (*label == 1) == *set);
        assert!(same && placed.value.n_voxels_set() > 50, "{visit}");
    }
    let ablated = read_segmentation(&object(&cohort, "B-2", FOLLOW_UP, "seg")).unwrap().value;
    let names: Vec<&str> = ablated.segments.iter().map(|s| s.label.as_str()).collect();
    assert_eq!(names, ["Ablation zone of L1", "liver"]);
    let path = object(&cohort, "A-1", BASELINE, "seg");
    let first = std::fs::read(&path).unwrap();
    export(&cohort, "seg", &[]);
    assert_eq!(first, std::fs::read(&path).unwrap(), "the same results give the same bytes");
}

#[test]
fn measurements_and_responses_become_reports_with_the_tables_numbers() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    assert_eq!(run(&cohort, "out", &[]).0, 0);
    let (code, json, stderr) = export(&cohort, "seg,sr", &[]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(json["objects"].as_array().unwrap().len(), 8);
    let table = cohort.read("out/cohort/measurements.csv");
    let cell = |quantity: &str| -> f64 {
        let start = format!("A-1,L1,{FOLLOW_UP},70,ct_portal_venous,{quantity},");
        table.lines().find_map(|l| l.strip_prefix(&start)).unwrap().split(',').next().unwrap().parse().unwrap()
    };
    let report = read_measurement_report(&object(&cohort, "A-1", FOLLOW_UP, "sr")).unwrap().value;
    let seg = read_segmentation(&object(&cohort, "A-1", FOLLOW_UP, "seg")).unwrap().value;
    let [planar, volumetric] = report.groups.as_slice() else { panic!("{}", report.groups.len()) };
    let number = |group: &SrGroup, quantity| {
        let found = group.measurements.iter().find(|m| m.quantity == quantity).unwrap();
        let sr::Value::Number(number) = found.value else { panic!("{quantity:?}") };
        number
    };
    assert_eq!(number(planar, Quantity::LongAxis), cell("long_axis"));
    assert_eq!(number(planar, Quantity::ShortAxis), cell("short_axis"));
    // Read in ml.
    assert!((number(volumetric, Quantity::Volume) * 1000.0 - cell("volume")).abs() < 1e-6);
    assert_eq!(volumetric.segment.as_ref().unwrap().sop_instance_uid, seg.sop_instance_uid);
    assert_eq!([&planar.tracking_uid, &volumetric.tracking_uid], [&seg.segments[0].tracking_uid; 2]);
    // The line on the image is as long as the number says, which was rounded with the ends to 0.01 mm.
    let folder = cohort.path(&format!("archive/0/{FOLLOW_UP}"));
    let headers: Vec<SliceHeader> =
        std::fs::read_dir(folder).unwrap().filter_map(|file| read_header(&file.unwrap().path()).unwrap()).collect();
    let (ends, _) = planar.measurements[0].regions[0].in_patient(&headers.iter().collect::<Vec<_>>()).unwrap();
    assert!((ends[0].distance(ends[1]) - cell("long_axis")).abs() < 0.03, "{ends:?}");
    let ablated = read_measurement_report(&object(&cohort, "B-2", FOLLOW_UP, "sr")).unwrap().value;
    assert_eq!((ablated.groups.len(), ablated.groups[0].name().as_str()), (1, "L1"));
    assert!(ablated.groups[0].segment.is_none(), "the zone is never measured as tumour");
}

#[test]
fn key_images_become_secondary_captures_with_the_pixels_of_their_png() {
    let cohort = Cohort::new(&["A-1", "B-2"]);
    assert_eq!(run(&cohort, "out", &[]).0, 0);
    let (code, json, stderr) = export(&cohort, "key", &[]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(json["objects"].as_array().unwrap().len(), 4, "one lesion each, two visits: {json}");
    let dcm = cohort.path(&format!("out/patients/A-1/dicom/{FOLLOW_UP}_ct_portal_venous_L1_key.dcm"));
    let png = cohort.path(&format!("out/patients/A-1/key_images/{FOLLOW_UP}_ct_portal_venous_L1.png"));
    let (first, png) = (std::fs::read(&dcm).unwrap(), std::fs::read(png).unwrap());
    let header = read_header(&dcm).unwrap().unwrap();
    // Width and height stand at bytes 16 to 24 of a PNG.
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!([header.columns, header.rows], [side(16), side(20)]);
    let source = read_header(
        &cohort.path(&format!("archive/0/{FOLLOW_UP}")).read_dir().unwrap().next().unwrap().unwrap().path(),
    );
    assert_eq!(header.study_uid, source.unwrap().unwrap().study_uid);
    export(&cohort, "key", &[]);
    assert_eq!(first, std::fs::read(&dcm).unwrap(), "the same results give the same bytes");
    // A record that has lost images of the series: the lesion it concerns is refused with the remedy, and has no PNG.
    let path = cohort.path("out/patients/A-1/sources.json");
    let whole = std::fs::read(&path).unwrap();
    let mut record: Value = serde_json::from_slice(&whole).unwrap();
    record["visits"][1]["slices"].as_array_mut().unwrap().truncate(1);
    std::fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
    let (code, json, stderr) = export(&cohort, "key", &[]);
    assert_eq!((code, json["objects"].as_array().unwrap().len()), (1, 3), "{stderr}");
    let refused = &json["refused"][0];
    assert_eq!([&refused["patient_id"], &refused["visit"]], ["A-1", FOLLOW_UP]);
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.starts_with("L1: slice ") && reason.contains("--force"), "{reason}");
    let pngs = cohort.path("out/patients/A-1/key_images").read_dir().unwrap();
    assert_eq!(pngs.count(), 1, "no PNG without its object");
    std::fs::write(&path, whole).unwrap();
    assert_eq!(export(&cohort, "key", &[]).0, 0);
    // A reader says that it is no lesion: its picture goes with the results it told of.
    let reads = "patient_id,lesion_id,item,value,reader,read_at\nA-1,L1,finding,reject,R1,2024-03-04T09:30:00Z\n";
    cohort.write("reads.csv", reads);
    let [out, reads] = ["out", "reads.csv"].map(|name| cohort.path(name).display().to_string());
    let (code, stderr) = calls::call(&["review", "apply", &out, "--reads", &reads]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(export(&cohort, "key", &[]).0, 0);
    assert!(!dcm.is_file() && !cohort.path("out/patients/A-1/key_images").exists());
}

#[test]
fn what_cannot_be_exported_is_said_with_the_remedy() {
    let cohort = Cohort::new(&["A-1"]);
    let kept = cohort::study("source = \"imported\"");
    let line = kept.lines().find(|line| line.starts_with("keep = ")).unwrap();
    cohort.write("study.toml", &kept.replace(line, "keep = []"));
    assert_eq!(run(&cohort, "out", &[]).0, 0);
    let (code, json, stderr) = export(&cohort, "seg", &[]);
    assert_eq!(code, 65, "{json}");
    assert!(stderr.contains("[outputs] keep") && stderr.contains("\"lesions\""), "{stderr}");
    let (code, json, _) = export(&cohort, "pdf", &[]);
    assert_eq!(code, 65);
    assert!(json["refused"][0]["reason"].as_str().unwrap().contains("report.pdf"), "{json}");
    cohort.write("out/patients/A-1/report.pdf", "%PDF-1.7\n");
    let (code, json, stderr) = export(&cohort, "pdf", &[]);
    assert_eq!((code, &json["objects"][0]["modality"]), (0, &"DOC".into()), "{stderr}");
    cohort.write("study.toml", &kept);
    assert_eq!(run(&cohort, "out", &[]).0, 0);
    std::fs::rename(cohort.path("archive"), cohort.path("moved")).unwrap();
    let (code, _, stderr) = export(&cohort, "seg", &[]);
    assert_eq!(code, 65, "{stderr}");
    let moved = cohort.path("moved").display().to_string();
    let (code, json, stderr) = export(&cohort, "seg", &["--archive", &moved]);
    assert_eq!((code, json["objects"].as_array().unwrap().len()), (0, 2), "{stderr}");
}
