//! What works on images and masks: `measure`, `margin`, `compare-masks`, `register`, `segment`.

use std::path::Path;

use formats::nifti;
use imaging::{FrameId, Volume};

use super::{BAD_INPUT, SOME_FAILED, USAGE, failing, json, near, number, point, test_data};
use crate::files::{Folder, affine, ball, ellipsoid, grid, textured, textured_by, textured_middle};

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
    near(&lesion["surface_volume_mm3"], volume, 0.02 * volume);
    // Knud Thomsen's formula, right within 1.1 %.
    let powers = [14.0 * 9.0, 14.0 * 8.0, 9.0 * 8.0].map(|product: f64| product.powf(1.6075));
    let area = 4.0 * std::f64::consts::PI * (powers.iter().sum::<f64>() / 3.0).powf(1.0 / 1.6075);
    near(&lesion["surface_area_mm2"], area, 0.03 * area);
    near(&lesion["sphericity"], (36.0 * std::f64::consts::PI * volume * volume).cbrt() / area, 0.03);
    let ends = [point(&lesion["long_axis_lps"][0]), point(&lesion["long_axis_lps"][1])];
    let expected = crate::files::long_axis_ends(centre, half_axes[0]);
    let distance = |a: [f64; 3], b: [f64; 3]| (0..3).map(|n| (a[n] - b[n]).powi(2)).sum::<f64>().sqrt();
    let miss = |a: usize, b: usize| distance(ends[0], expected[a]).max(distance(ends[1], expected[b]));
    // The tip of an ellipse is flat: within 3 mm of it the diameter changes by less than half a pixel.
    assert!(miss(0, 1).min(miss(1, 0)) < 3.0, "{ends:?} is not {expected:?}");
    assert_eq!((lesion["label"].as_u64(), lesion["component"].as_u64()), (Some(3), Some(1)));
    assert_eq!((found["unit"].as_str(), lesion["kind"].as_str()), (Some("SUVbw"), Some("node")));
    near(&lesion["mean"], 2.0, 0.0);
    for value in ["min", "p10", "median", "p90", "max"] {
        near(&lesion[value], 2.0, 0.0);
    }
    near(&lesion["sd"], 0.0, 0.0);
    near(&lesion["suv_peak"], 2.0, 1e-9);
}

#[test]
fn the_values_of_a_lesion_are_told_in_their_order() {
    let folder = Folder::new();
    let mask = ball([0.3, 0.2, -0.4], 8.0);
    nifti::write_mask(Path::new(&folder.path("mask.nii.gz")), &mask).unwrap();
    // 0, 1, 2, … in the voxels of the lesion, and far larger values beside it.
    let set: Vec<usize> = mask.values().iter().enumerate().filter(|(_, set)| **set).map(|(n, _)| n).collect();
    let shape = mask.shape();
    let value = |at| set.binary_search(&shape.linear(at)).map_or(1.0e6_f32, |n| n as f32);
    let image = Volume::from_fn(mask.grid().clone(), value);
    nifti::write_image(Path::new(&folder.path("adc.nii.gz")), &image).unwrap();
    let (mask_file, image) = (folder.path("mask.nii.gz"), folder.path("adc.nii.gz"));
    let found = json(&["measure", "--mask", &mask_file, "--image", &image, "--json"]);
    let (lesion, n) = (&found["lesions"][0], set.len() as f64);
    let last = n - 1.0;
    for (name, expected) in
        [("min", 0.0), ("p10", 0.1 * last), ("median", 0.5 * last), ("p90", 0.9 * last), ("max", last)]
    {
        near(&lesion[name], expected, 1e-3);
    }
    near(&lesion["mean"], 0.5 * last, 1e-6);
    // Of the numbers from 0 to n - 1: n (n + 1) / 12 with n - 1 in the denominator.
    near(&lesion["sd"], (n * (n + 1.0) / 12.0).sqrt(), 1e-6 * n);
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
    // Thinnest opposite to where the zone's centre lies, 2 mm to the patient's left.
    assert_eq!((sure["thinnest_direction"].as_str(), sure["method"].as_str()), (Some("right"), Some("sub_voxel")));
    assert!(sure["residual_direction"]["not_evaluable"].is_string());
    for (preset, success) in [("narayanan2024", true), ("default", true)] {
        let by = [&call[..], &["--preset", preset]].concat();
        assert_eq!(json(&by)["technical_success"], success, "6 mm are more than 4");
    }
    let strict = [
        "margin",
        "--tumour",
        &tumour,
        "--ablation",
        &zone,
        "--threshold-mm",
        "7",
        "--preset",
        "narayanan2024",
        "--json",
    ];
    assert_eq!(json(&strict)["technical_success"], false, "6 mm are not more than 7");
    let voxels = json(&[&call[..], &["--qam-compat"]].concat());
    // Between the centres of border voxels, which lie inside both surfaces.
    assert!((4.5..6.0).contains(&number(&voxels["min_margin_mm"])), "{voxels}");
    assert_eq!((voxels["method"].as_str(), voxels["verdict"].as_str()), (Some("qam_compat"), Some("not_reportable")));
    assert_eq!(number(&voxels["tumour_coverage"]), 1.0);
}

#[test]
fn a_ball_moved_by_two_millimetres_agrees_but_for_that() {
    let folder = Folder::new();
    let (reference, candidate) = (folder.path("reference.nii.gz"), folder.path("candidate.nii.gz"));
    nifti::write_mask(Path::new(&reference), &ball([0.3, 0.2, -0.4], 12.0)).unwrap();
    nifti::write_mask(Path::new(&candidate), &ball([2.3, 0.2, -0.4], 12.0)).unwrap();
    let found = json(&["compare-masks", &reference, &candidate, "--tolerance-mm", "0.2,4", "--json"]);
    let label = &found["labels"][0];
    assert_eq!((found["labels"].as_array().unwrap().len(), label["label"].as_str()), (1, Some("1")));
    // Two balls of radius r at distance d share 1 − 3d/4r + d³/16r³ of their volume.
    near(&label["dice"], 1.0 - 0.125 + 8.0 / 16.0 / 1728.0, 0.02);
    near(&label["hd95_mm"], 2.0, 1.0);
    near(&label["surface_dice"][1]["value"], 1.0, 0.0);
    assert!(number(&label["surface_dice"][0]["value"]) < 0.7, "{}", label["surface_dice"]);
    let lesions = &label["lesions"];
    assert_eq!((lesions["found"].as_u64(), lesions["false_positives_per_scan"].as_u64()), (Some(1), Some(0)));
    nifti::write_mask(Path::new(&candidate), &ball([2.3, 0.2, -0.4], 0.0)).unwrap();
    let nothing = json(&["compare-masks", &reference, &candidate, "--json"]);
    near(&nothing["labels"][0]["dice"], 0.0, 0.0);
    assert!(nothing["labels"][0]["hd95_mm"]["not_evaluable"].is_string());
    assert!(nothing["hd95_definition"].as_str().unwrap().starts_with("surface-distance 0.1"), "{nothing}");
    let empty = folder.path("empty.nii.gz");
    nifti::write_mask(Path::new(&empty), &ball([0.0; 3], 5.0).map(|_| false)).unwrap();
    let missing = json(&["compare-masks", &reference, &empty, "--json"]);
    let surface_dice = number(&missing["labels"][0]["surface_dice"][0]["value"]);
    assert!(surface_dice == 0.0 && surface_dice.is_sign_positive(), "{surface_dice}");
    assert_eq!(nothing["labels"][0]["lesions"]["missed"], 1);
}

#[test]
fn an_image_too_large_for_the_memory_allowed_is_refused_with_the_figure() {
    let folder = Folder::new();
    let image = folder.path("image.nii.gz");
    nifti::write_image(Path::new(&image), &textured([0.0; 3])).unwrap();
    let (model, out) = (test_data("models/bright-0.1.0"), folder.path("labels.nii.gz"));
    let call = ["segment", &image, "--model", &model, "--out", &out, "--memory", "1MiB"];
    let (code, _, stderr) = failing(&call);
    assert_eq!(code, USAGE);
    // Without ONNX Runtime the model is not even opened, and that is what is said.
    assert!(stderr.contains("1 MiB are allowed") || stderr.contains("fetch_onnxruntime"), "{stderr}");
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
fn a_map_carries_an_image_again_and_not_the_wrong_way() {
    let folder = Folder::new();
    let [fixed, moving, out, again] = ["fixed.nii.gz", "moving.nii.gz", "out", "again.nii.gz"].map(|f| folder.path(f));
    nifti::write_image(Path::new(&fixed), &textured([0.0; 3])).unwrap();
    nifti::write_image(Path::new(&moving), &textured([7.0, -5.0, 6.0])).unwrap();
    json(&["register", &fixed, &moving, "--out", &out, "--json"]);
    for map in ["moving_to_fixed.json", "moving_to_fixed.tfm"] {
        let map = format!("{out}/{map}");
        let said = json(&["warp", &moving, "--transform", &map, "--like", &fixed, "--out", &again, "--json"]);
        assert!(number(&said["covered_fraction"]) > 0.8, "{said}");
        assert!(largest_difference(&again, &format!("{out}/warped.nii.gz")) < 0.01);
    }
    let far = "#Insight Transform File V1.0\nTransform: TranslationTransform_double_3_3\nParameters: 900 0 0\nFixedParameters: \n";
    folder.write("far.tfm", far.as_bytes());
    let call = ["warp", &moving, "--transform", &folder.path("far.tfm"), "--like", &fixed, "--out", &again, "--json"];
    let (code, stdout, _) = failing(&call);
    assert!(code == BAD_INPUT && stdout.contains("no part of the image"), "{code} {stdout}");
    let (code, _, stderr) = failing(&["warp", &moving, "--transform", &fixed, "--like", &fixed, "--out", &again]);
    assert!(code == BAD_INPUT && stderr.contains("1 x 3"), "{code} {stderr}");
}

#[test]
fn maps_are_gone_through_in_their_order_and_the_image_is_resampled_once() {
    let folder = Folder::new();
    let [fixed, moving, out, again] = ["fixed.nii.gz", "moving.nii.gz", "out", "again.nii.gz"].map(|f| folder.path(f));
    nifti::write_image(Path::new(&fixed), &textured([0.0; 3])).unwrap();
    nifti::write_image(Path::new(&moving), &textured([7.0, -5.0, 6.0])).unwrap();
    json(&["register", &fixed, &moving, "--out", &out, "--json"]);
    // A quarter turn about z does not commute with a shift.
    let head = "#Insight Transform File V1.0\nTransform: Euler3DTransform_double_3_3\nParameters: 0 0";
    let turn = format!("{head} 1.5707963267948966 11.3 0 0\nFixedParameters: 0 0 0 0\n");
    let back = format!("{head} -1.5707963267948966 0 11.3 0\nFixedParameters: 0 0 0 0\n");
    folder.write("turn.tfm", turn.as_bytes());
    folder.write("back.tfm", back.as_bytes());
    let [turn, back, found] = ["turn.tfm", "back.tfm", "out/moving_to_fixed.json"].map(|f| folder.path(f));
    let through = |maps: [&str; 3]| {
        let [a, b, c] = maps;
        let call = ["warp", &moving, "--transform", a, "--transform", b, "--transform", c, "--like", &fixed, "--out"];
        json(&[&call[..], &[&again, "--json"]].concat());
        largest_difference(&again, &format!("{out}/warped.nii.gz"))
    };
    assert!(through([&turn, &back, &found]) < 0.01);
    assert!(through([&turn, &found, &back]) > 20.0);
}

#[test]
fn a_bent_image_is_carried_back_and_its_field_says_how() {
    let folder = Folder::new();
    let [fixed, moving, out, again] = ["fixed.nii.gz", "moving.nii.gz", "out", "again.nii.gz"].map(|f| folder.path(f));
    let middle = textured_middle();
    let bend = |p: [f64; 3]| {
        let squared: f64 = p.iter().zip(middle).map(|(p, m)| (p - m).powi(2)).sum();
        [4.0, -3.0, 4.0 + 6.0 * (-squared / (2.0 * 25.0 * 25.0)).exp()]
    };
    nifti::write_image(Path::new(&fixed), &textured([0.0; 3])).unwrap();
    nifti::write_image(Path::new(&moving), &textured_by(bend)).unwrap();
    let found = json(&["register", &fixed, &moving, "--out", &out, "--transform", "deformable", "--json"]);
    assert!(found["transform"] == "deformable" && found.get("moving_to_fixed").is_none(), "{found}");
    assert!(number(&found["metric_after"]) > number(&found["metric_before"]), "{found}");
    let stretch = [&found["jacobian"]["min"], &found["jacobian"]["max"]].map(number);
    assert!(stretch[0] > 0.0 && stretch[0] < 1.0 && stretch[1] > 1.0, "{stretch:?}");
    assert!(number(&found["field_error_mm"]) < 0.001, "{found}");
    let map = format!("{out}/moving_to_fixed.json");
    json(&["warp", &moving, "--transform", &map, "--like", &fixed, "--out", &again, "--json"]);
    let apart = largest_difference(&again, &format!("{out}/warped.nii.gz"));
    assert!(apart < 0.1, "{apart} of values from 0 to 240");
    // The field as another program would hand it on, judged; then the straight map, which leaves the bend over.
    let field = format!("{out}/moving_to_fixed_displacement.nii.gz");
    let judged =
        |map: &str| json(&["register", &fixed, &moving, "--out", &folder.path("judged"), "--given", map, "--json"]);
    let same = judged(&field);
    assert!(same["transform"] == "deformable" && same["quality"] == found["quality"], "{same} {found}");
    let [likeness, own] = [&same["metric_after"], &found["metric_after"]].map(number);
    assert!((likeness - own).abs() < 0.005, "{likeness} {own}");
    let shift = "#Insight Transform File V1.0\nTransform: TranslationTransform_double_3_3\nParameters: 4 -3 4\nFixedParameters: \n";
    folder.write("shift.tfm", shift.as_bytes());
    let straight = judged(&folder.path("shift.tfm"));
    assert!(straight["transform"] == "rigid" && number(&straight["metric_after"]) < own, "{straight}");
    let refused = ["register", &fixed, &moving, "--out", &out, "--given", &fixed];
    let (code, _, stderr) = failing(&refused);
    assert!(code == BAD_INPUT && stderr.contains("1 x 3"), "{code} {stderr}");
}

/// Of two images' voxels.
fn largest_difference(a: &str, b: &str) -> f32 {
    let read = |path: &str| nifti::read_image(Path::new(path), FrameId::new("image")).unwrap();
    let (a, b) = (read(a), read(b));
    assert_eq!(a.shape(), b.shape());
    a.values().iter().zip(b.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
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

/// Whether the program finds ONNX Runtime; said loudly if not.
pub(crate) fn runtime_is_here() -> bool {
    let (_, _, stderr) =
        failing(&["segment", "gone.nii.gz", "--model", &test_data("models/bright-0.1.0"), "--out", "y"]);
    assert!(stderr.contains("gone.nii.gz"), "{stderr}");
    let loaded = super::lesiontrace(&["model", "check", &test_data("models/bright-0.1.0")]).output().unwrap();
    let text = String::from_utf8_lossy(&loaded.stdout).into_owned() + &String::from_utf8_lossy(&loaded.stderr);
    let is_here = !text.contains("fetch_onnxruntime");
    if !is_here {
        eprintln!("NOT RUN: no ONNX Runtime");
    }
    is_here
}

#[test]
fn a_gpu_that_is_not_there_is_an_error_and_never_the_cpu_instead() {
    let folder = Folder::new();
    let image = folder.path("image.nii.gz");
    nifti::write_image(Path::new(&image), &textured([0.0; 3])).unwrap();
    if !runtime_is_here() {
        return;
    }
    let (model, out) = (test_data("models/bright-0.1.0"), folder.path("labels.nii.gz"));
    let output =
        super::lesiontrace(&["segment", &image, "--model", &model, "--out", &out, "--device", "cuda:0", "--json"]);
    let output = { output }.output().unwrap();
    if output.status.success() {
        // A machine with a GPU and a build of the runtime for it.
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["provenance"]["execution"]["execution_provider"], "CUDAExecutionProvider");
        return;
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(USAGE), "{stderr}");
    assert!(stderr.contains("the device cuda:0 cannot be used") && stderr.contains("--device cpu"), "{stderr}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn each_image_of_a_folder_is_a_case_and_a_corrupt_one_is_said_and_left_out() {
    let folder = Folder::new();
    let images = folder.path("images");
    std::fs::create_dir(&images).unwrap();
    for name in ["a.nii.gz", "c.nii"] {
        nifti::write_image(&Path::new(&images).join(name), &textured([0.0; 3])).unwrap();
    }
    let whole = std::fs::read(Path::new(&images).join("a.nii.gz")).unwrap();
    std::fs::write(Path::new(&images).join("b.nii.gz"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(Path::new(&images).join("notes.txt"), "none of them").unwrap();
    let (model, out) = (test_data("models/bright-0.1.0"), folder.path("out"));
    let (code, _, stderr) = failing(&["segment", &images, "--each", "--model", &model, "--out", &images]);
    assert_eq!(code, USAGE, "{stderr}");
    if !runtime_is_here() {
        return;
    }
    for more in [&[][..], &["--memory", "4GiB"][..]] {
        let call = [&["segment", &images, "--each", "--model", &model, "--out", &out, "--json"], more].concat();
        let (code, stdout, stderr) = failing(&call);
        assert_eq!(code, SOME_FAILED, "{stderr}");
        let found: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((&found["n_done"], &found["n_failed"]), (&2.into(), &1.into()), "{found}");
        assert!(found["cases"][1]["not_evaluable"].as_str().is_some_and(|why| !why.is_empty()), "{found}");
        assert_eq!(found["cases"][0]["structures"], found["cases"][2]["structures"]);
        let memory = &found["cases"][2]["memory"];
        assert!(number(&memory["peak_mib"]) <= number(&memory["bound_mib"]), "{memory}");
        assert!(stderr.contains("b.nii.gz"), "{stderr}");
    }
    let written = |name: &str| std::fs::read(Path::new(&out).join(name)).unwrap();
    assert_eq!(written("a.nii.gz"), written("c.nii.gz"));
    assert!(!Path::new(&out).join("b.nii.gz").exists());
}

#[test]
fn the_affine_written_by_the_tests_is_oblique() {
    let rows = affine([0.9, 0.8, 2.5]).to_rows();
    assert!((0..3).all(|row| (0..3).all(|column| rows[row][column].abs() > 0.01)), "{rows:?}");
}
