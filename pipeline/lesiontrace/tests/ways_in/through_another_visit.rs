//! A visit that shows nothing of what baseline shows is carried there through one that shows both.

use std::path::Path;

use imaging::{Affine, Grid, LabelMap, Shape, Volume};
use serde_json::Value;

use super::*;

/// A body 260 mm long, winding and of changing girth so that no height looks like another, with balls of several sizes and values, HU.
fn body([x, y, z]: [f64; 3]) -> f32 {
    let (axis, girth) = ([9.0 * (z / 23.0).sin(), 7.0 * (z / 31.0).cos()], 44.0 + 9.0 * (z / 47.0).sin());
    if (x - axis[0]).hypot(y - axis[1]) > girth || !(0.0..=260.0).contains(&z) {
        return -900.0;
    }
    let ball = |n: i32| {
        let turn = f64::from(n) * 2.4;
        let far = 8.0 + 4.0 * f64::from(n % 9);
        let at = [far * turn.cos(), far * turn.sin(), 6.0 + f64::from(n * 37 % 250)];
        let squared = (x - at[0]).powi(2) + (y - at[1]).powi(2) + (z - at[2]).powi(2);
        if squared <= (5.0 + f64::from(n % 5)).powi(2) { 60.0 - 20.0 * (n % 7) as f32 } else { 0.0 }
    };
    50.0 + (0..90).map(ball).sum::<f32>()
}

/// Lesions of the body by label: middle and radius, mm.
const LESIONS: [([f64; 3], f64); 2] = [([10.0, 5.0, 60.0], 9.0), ([-12.0, 8.0, 205.0], 10.0)];

/// Writes a visit that shows the body from one height to another, the patient lying elsewhere by `shift` mm.
fn visit(archive: &Path, date: &str, [from, to]: [f64; 2], shift: [f64; 3]) {
    let shape = Shape { ni: 46, nj: 46, nk: ((to - from) / 4.0) as usize };
    let rows = [
        [3.0, 0.0, 0.0, -67.5 + shift[0]],
        [0.0, 3.0, 0.0, -67.5 + shift[1]],
        [0.0, 0.0, 4.0, from + shift[2]],
        [0.0, 0.0, 0.0, 1.0],
    ];
    let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("visit")).unwrap();
    let place = |at| {
        let p = grid.center(at).to_array();
        [p[0] - shift[0], p[1] - shift[1], p[2] - shift[2]]
    };
    let lesion = |p: [f64; 3]| {
        let holds = |(c, r): &([f64; 3], f64)| (0..3).map(|a| (p[a] - c[a]).powi(2)).sum::<f64>() <= r * r;
        LESIONS.iter().position(holds).map_or(0, |n| n as u16 + 1)
    };
    let noise = |at: imaging::Index3| ((at.i * 7919 + at.j * 104_729 + at.k * 1_299_709 + from as usize) % 17) as f32;
    let image = Volume::from_fn(grid.clone(), |at| {
        let p = place(at);
        if lesion(p) > 0 { 10.0 + noise(at) } else { body(p) + noise(at) }
    });
    let labels = LabelMap::from_fn(grid.clone(), |at| lesion(place(at)));
    let (images, masks) = (archive.join("P-1").join(date), archive.join("masks/P-1").join(date));
    std::fs::create_dir_all(&images).unwrap();
    std::fs::create_dir_all(&masks).unwrap();
    nifti::write_image(&images.join("ct_portal_venous.nii.gz"), &image).unwrap();
    nifti::write_labels(&masks.join("lesions.nii.gz"), &labels).unwrap();
}

#[test]
fn two_visits_that_share_nothing_are_joined_by_one_that_shows_both() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    visit(&archive, "2024-01-10", [2.0, 118.0], [0.0; 3]);
    visit(&archive, "2024-03-10", [2.0, 254.0], [6.0, -5.0, 9.0]);
    visit(&archive, "2024-05-10", [142.0, 254.0], [-7.0, 4.0, 30.0]);
    let out = folder.path().join("out");
    let paths = [&archive, &out].map(|path| path.display().to_string());
    let (code, stderr) = call(&["run", "--archive", &paths[0], "--out", &paths[1]]);
    assert_eq!(code, DONE, "{stderr}");
    let read = |file: &str| std::fs::read_to_string(out.join("patients/P-1").join(file)).unwrap();
    let result: Value = serde_json::from_str(&read("result.json")).unwrap();
    let registered = result["registrations"].as_array().unwrap();
    let last = registered.iter().find(|r| r["visit"] == "2024-05-10").unwrap();
    assert_eq!(last["to_baseline"]["quality"], "review", "{}", last["to_baseline"]["reasons"]);
    let why = last["to_baseline"]["reasons"][0].as_str().unwrap();
    assert!(why.starts_with("carried to baseline through the visit of 2024-03-10, as directly it failed"), "{why}");
    assert!(read("notes.json").contains("registered_through"));
    // Where the last visit really lies, to a millimetre and a half.
    let rows = &last["to_baseline"]["moving_to_fixed"];
    let at: [f64; 3] = [-12.0 - 7.0, 8.0 + 4.0, 205.0 + 30.0];
    let carried: Vec<f64> = linear(rows, at);
    for (axis, wanted) in LESIONS[1].0.iter().enumerate() {
        assert!((carried[axis] - wanted).abs() < 1.5, "axis {axis}: {carried:?}");
    }
    // One lesion each, though the upper one was never seen beside baseline.
    let lesions = std::fs::read_to_string(out.join("cohort/lesions.csv")).unwrap();
    assert_eq!(lesions.lines().count(), 3, "{lesions}");
}

/// A point through a matrix as it stands in the result.
fn linear(map: &Value, p: [f64; 3]) -> Vec<f64> {
    let affine: Affine<imaging::Patient, imaging::Patient> = serde_json::from_value(map.clone()).unwrap();
    affine.apply(imaging::Point::new(p[0], p[1], p[2])).to_array().to_vec()
}
