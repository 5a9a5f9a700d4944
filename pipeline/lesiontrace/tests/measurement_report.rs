//! A reader's structured report (SR, TID 1500) in the archive: its lesions are marks, its numbers stand in the notes.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

use std::path::Path;

use assert_cmd::Command;
use formats::dicom::write::{ModalityToWrite, SeriesToWrite, write_series};
use formats::nifti;
use imaging::{Affine, FrameId, Grid, LabelMap, Point, Shape, Volume};
use jiff::civil::date;

/// What `scripts/make_measurement_report.py` drew on, three slices more.
fn grid() -> Grid {
    let rows = [
        [0.96 * 0.8, -0.28 * 0.6, 0.0, -120.5],
        [0.28 * 0.8, 0.96 * 0.6, 0.0, 40.25],
        [0.0, 0.0, 3.0, -310.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    let frame = FrameId::new("1.2.826.0.1.55.9");
    Grid::new(Shape { ni: 64, nj: 64, nk: 4 }, Affine::from_rows(rows).unwrap(), frame).unwrap()
}

fn archive(folder: &Path) {
    let volume = Volume::from_fn(grid(), |at| if at.i < 3 { -200.0 } else { 80.0 + at.j as f32 });
    let series = SeriesToWrite {
        volume: &volume,
        modality: ModalityToWrite::Ct { kvp: 120.0, contrast: None },
        patient_id: "SR-1".to_owned(),
        patient_sex: None,
        patient_weight_kg: None,
        patient_height_m: None,
        study_uid: "1.2.826.0.1.55.1".to_owned(),
        series_uid: "1.2.826.0.1.55.2".to_owned(),
        sop_instance_uids: (0..4).map(|k| format!("1.2.826.0.1.55.{}", [3, 31, 32, 33][k])).collect(),
        study_datetime: date(2020, 3, 2).at(9, 0, 0, 0),
        acquisition_datetime: date(2020, 3, 2).at(9, 1, 0, 0),
        study_description: "Abdomen".to_owned(),
        series_description: "Abdomen portal venous".to_owned(),
        series_number: 3,
        slice_thickness_mm: 3.0,
        image_type: ["ORIGINAL", "PRIMARY", "AXIAL"].map(str::to_owned).to_vec(),
        manufacturer: "test".to_owned(),
    };
    write_series(&folder.join("ct"), &series).unwrap();
    // The middle of T1's line, as the script prints it.
    let t1 = Point::new(-109.76, 60.57, -310.0);
    let near = |at| u16::from(grid().center(at).distance(t1) < 6.0);
    let masks = folder.join("masks/SR-1/2020-03-02");
    std::fs::create_dir_all(&masks).unwrap();
    nifti::write_labels(&masks.join("lesions.nii.gz"), &LabelMap::from_fn(grid(), near)).unwrap();
    std::fs::write(masks.join("lesions.csv"), "label,organ,kind\n1,unknown,lesion\n").unwrap();
    let report = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data/oracles/sr/measurement_report.dcm");
    std::fs::copy(report, folder.join("report.dcm")).unwrap();
}

/// A run on the archive with imported outlines; its tables and notes.
fn run(folder: &Path, input: &Path) -> (String, String, String) {
    let (study, out) = (folder.join("study.toml"), folder.join("out"));
    let built_in = include_str!("../../../configs/study/default.toml");
    std::fs::write(&study, built_in.replace("source = \"imported_or_model\"", "source = \"imported\"")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lesiontrace"));
    let output = command.arg("run").arg(&study).arg("--archive").arg(input).arg("--out").arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    (read("cohort/lesions.csv"), read("cohort/measurements.csv"), read("patients/SR-1/notes.json"))
}

#[test]
fn segments_of_a_segmentation_are_outlines_and_a_report_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("archive");
    archive(&input);
    std::fs::remove_dir_all(input.join("masks")).unwrap();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data/oracles/sr/segmentation.dcm");
    std::fs::copy(stored, input.join("segmentation.dcm")).unwrap();
    let (lesions, measured, notes) = run(folder.path(), &input);
    assert!(lesions.contains("SR-1,T3,"), "{lesions}");
    // 9 × 7 × 2 voxels of 0.8 × 0.6 × 3 mm.
    let volume = measured.lines().find(|line| line.starts_with("SR-1,T3,") && line.contains(",volume,")).unwrap();
    let value: f64 =
        volume.split(',').find_map(|cell| cell.parse().ok().filter(|v| *v > 100.0 && *v < 1000.0)).unwrap();
    assert!((value - 126.0 * 1.44).abs() < 0.01, "{volume}");
    assert!(folder.path().join("out/patients/SR-1/2020-03-02/ct_portal_venous/organ.nii.gz").is_file());
    assert!(notes.contains("unknown_segment") && notes.contains("blob"), "{notes}");
}

#[test]
fn lesions_of_a_report_are_marks_and_its_numbers_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("archive");
    archive(&input);
    let (lesions, measured, notes) = run(folder.path(), &input);
    assert!(lesions.contains("SR-1,T1,") && lesions.contains(",liver,"), "{lesions}");
    assert!(lesions.contains("SR-1,T2,"), "seen by the reader, not outlined: {lesions}");
    let t2: Vec<&str> = measured.lines().filter(|line| line.starts_with("SR-1,T2,")).collect();
    assert!(!t2.is_empty() && t2.iter().all(|line| line.contains("false")), "{measured}");
    assert!(notes.contains("report_values") && notes.contains("Long axis 18.35755975 mm"), "{notes}");
    assert!(notes.contains("T3: no mark of the report report.dcm: the segmentation it was measured on is not among"));
    assert!(!notes.contains("Reader^One"));
}
