//! A map of the apparent diffusion coefficient beside the MR that lesions are outlined on.

use std::path::Path;

use formats::nifti;
use imaging::{Affine, FrameId, Grid, Mask, Point, Shape, Volume};
use serde_json::Value;

use crate::calls::call;

const DONE: i32 = 0;
const VISITS: [&str; 2] = ["2024-01-10", "2024-03-06"];
const LESION_MM: f64 = 9.0;
/// What diffuses in the lesion at each visit, and what in tissue, in 10^-6 mm²/s.
const LESION_ADC: [f32; 2] = [800.0, 1250.0];
const TISSUE_ADC: f32 = 1500.0;

fn grid(spacing_mm: [f64; 3]) -> Grid {
    let [ni, nj, nk] = spacing_mm.map(|mm| (120.0 / mm) as usize);
    let mut rows = [[0.0; 4], [0.0; 4], [0.0; 4], [0.0, 0.0, 0.0, 1.0]];
    for (axis, mm) in spacing_mm.into_iter().enumerate() {
        (rows[axis][axis], rows[axis][3]) = (mm, mm / 2.0 - 60.0);
    }
    Grid::new(Shape { ni, nj, nk }, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap()
}

fn is_within([x, y, z]: [f64; 3], radius_mm: f64) -> bool {
    (x - 10.0).powi(2) + (y + 12.0).powi(2) + (z - 3.0).powi(2) <= radius_mm * radius_mm
}

/// An archive of one patient: T1, ADC map on coarser voxels, outlines; at the first visit one voxel of the lesion was not computed.
fn archive(folder: &Path) {
    for (visit, adc) in VISITS.into_iter().zip(LESION_ADC) {
        let t1 = grid([2.0, 2.0, 4.0]);
        let mask = Mask::from_fn(t1.clone(), |at| is_within(t1.center(at).to_array(), LESION_MM));
        let tissue = Volume::from_fn(t1, |at| {
            let noise = ((at.i * 7919 + at.j * 104_729 + at.k * 1_299_709) % 61) as f32;
            if *mask.at(at) { 40.0 } else { 100.0 + noise }
        });
        let coarse = grid([3.0, 3.0, 5.0]);
        let mut map = Volume::from_fn(coarse.clone(), |at| {
            // A voxel of the outline reaches 2 mm beyond the ball.
            if is_within(coarse.center(at).to_array(), LESION_MM + 3.0) { adc } else { TISSUE_ADC }
        });
        if visit == VISITS[0] {
            let middle = coarse.nearest(Point::new(10.0, -12.0, 3.0)).unwrap();
            let linear = coarse.shape().linear(middle);
            map.values_mut()[linear] = 0.0;
        }
        let images = folder.join("MR-1").join(visit);
        let masks = folder.join("masks/MR-1").join(visit);
        for dir in [&images, &masks] {
            std::fs::create_dir_all(dir).unwrap();
        }
        nifti::write_image(&images.join("mr_t1.nii.gz"), &tissue).unwrap();
        nifti::write_image(&images.join("mr_adc.nii.gz"), &map).unwrap();
        nifti::write_mask(&masks.join("lesions.nii.gz"), &mask).unwrap();
        std::fs::write(masks.join("lesions.csv"), "label,organ,kind\n1,soft_tissue,lesion\n").unwrap();
    }
}

/// The rows of one quantity, visit by visit, of a run that is told which files share a frame of reference.
fn rows(folder: &Path, frame: &str, quantities: &[&str]) -> Vec<Vec<Value>> {
    let text = include_str!("../../../../configs/study/default.toml")
        .replace("source = \"imported_or_model\"", "source = \"imported\"")
        .replace("nifti_frame = \"file\"", &format!("nifti_frame = \"{frame}\""));
    let path = |name: &str| folder.join(format!("{name}-{frame}")).display().to_string();
    let (study, out, archive) = (path("study.toml"), path("out"), folder.join("archive").display().to_string());
    std::fs::write(&study, text).unwrap();
    let (code, said) = call(&["run", &study, "--archive", &archive, "--out", &out]);
    assert_eq!(code, DONE, "{said}");
    let result = std::fs::read_to_string(Path::new(&out).join("patients/MR-1/result.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    let all = result["measurements"].as_array().unwrap();
    let of = |quantity: &&str| all.iter().filter(|row| row["quantity"] == *quantity).cloned().collect();
    quantities.iter().map(of).collect()
}

#[test]
fn what_diffuses_in_a_lesion_stands_beside_its_diameters() {
    let dir = tempfile::tempdir().unwrap();
    archive(&dir.path().join("archive"));
    let names = ["adc_mean", "adc_min", "adc_p10", "adc_median", "adc_p90", "adc_max", "long_axis"];
    let found = rows(dir.path(), "visit", &names);
    assert!(found.iter().all(|rows| rows.len() == 2), "{found:?}");
    let value = |quantity: usize, visit: usize| found[quantity][visit]["value"].as_f64().unwrap();
    // The lesion's voxels alone: nothing of the tissue round it.
    assert_eq!([1, 3, 5].map(|quantity| value(quantity, 0)), [0.0, 800.0, 800.0]);
    assert_eq!([0, 1, 2, 3, 4, 5].map(|quantity| value(quantity, 1)), [1250.0; 6]);
    let first = &found[0][0];
    let reason = first["reason"].as_str().unwrap();
    let n: f64 = reason.strip_prefix("1 of its ").unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((value(0, 0) - 800.0 * (n - 1.0) / n).abs() < 0.05, "{first}");
    // A ball of 3.05 ml in voxels of 45 mm³.
    assert!((n - 67.9).abs() < 8.0, "{reason}");
    assert_eq!((first["unit"].as_str(), first["series_role"].as_str()), (Some("as stored"), Some("mr_adc")));
    assert_eq!(found[0][1]["reason"], "");
    let notes = std::fs::read_to_string(dir.path().join("out-visit/patients/MR-1/notes.json")).unwrap();
    assert!(notes.contains("adc_as_stored"), "{notes}");
}

#[test]
fn a_map_that_cannot_be_read_leaves_its_numbers_out_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let images = dir.path().join("archive");
    archive(&images);
    // As scanners' software writes maps: no number where nothing was computed.
    let unsound = Volume::from_fn(grid([3.0, 3.0, 5.0]), |at| if at.k == 0 { f32::NAN } else { 900.0 });
    nifti::write_image(&images.join("MR-1").join(VISITS[1]).join("mr_adc.nii.gz"), &unsound).unwrap();
    let found = rows(dir.path(), "visit", &["adc_mean", "long_axis"]);
    assert_eq!(found[0][0]["evaluable"], true);
    let reason = found[0][1]["reason"].as_str().unwrap();
    assert!(found[0][1]["value"].is_null() && reason.starts_with("mr_adc cannot be read: "), "{reason}");
    assert!(!reason.contains(dir.path().to_str().unwrap()) && reason.contains("no number"), "{reason}");
    assert!(found[1].iter().all(|row| row["evaluable"] == true), "{found:?}");
    let notes = std::fs::read_to_string(dir.path().join("out-visit/patients/MR-1/notes.json")).unwrap();
    assert!(notes.contains("series_unread"), "{notes}");
}

#[test]
fn a_map_of_another_frame_of_reference_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    archive(&dir.path().join("archive"));
    let found = rows(dir.path(), "file", &["adc_mean", "long_axis"]);
    for row in &found[0] {
        let reason = row["reason"].as_str().unwrap();
        assert!(row["value"].is_null() && reason.starts_with("the ADC map lies in another frame"), "{row}");
    }
    assert!(found[1].iter().all(|row| row["evaluable"] == true), "{found:?}");
}
