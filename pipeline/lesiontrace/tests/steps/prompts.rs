//! `segment --point` and `--box`, end to end.

use std::path::Path;

use formats::nifti;
use imaging::{FrameId, Grid, Index3, Shape, Volume};

use super::images::runtime_is_here;
use super::{BAD_INPUT, SOME_FAILED, USAGE, failing, json, near, number, point, test_data};
use crate::files::{Folder, affine};

const FIRST: Index3 = Index3 { i: 18, j: 30, k: 9 };
const SECOND: Index3 = Index3 { i: 46, j: 14, k: 15 };

fn grid() -> Grid {
    Grid::new(Shape { ni: 64, nj: 50, nk: 24 }, affine([0.9, 1.1, 2.0]), FrameId::new("image")).unwrap()
}

/// Balls of 90 HU and radius 12 and 11 mm in 0 HU, oblique and off-centre.
fn image() -> Volume<f32> {
    let grid = grid();
    Volume::from_fn(grid.clone(), |at| {
        let far = |centre| grid.center(at).distance(grid.center(centre));
        if far(FIRST) < 12.0 || far(SECOND) < 11.0 { 90.0 } else { 0.0 }
    })
}

fn at(index: Index3) -> String {
    let [x, y, z] = grid().center(index).to_array();
    format!("{x},{y},{z}")
}

#[test]
fn lesions_under_points_and_boxes_are_outlined_and_said_how_far_to_trust() {
    if !runtime_is_here() {
        return;
    }
    let folder = Folder::new();
    let (image_file, out, spread) =
        (folder.path("image.nii.gz"), folder.path("labels.nii.gz"), folder.path("spread.nii.gz"));
    nifti::write_image(Path::new(&image_file), &image()).unwrap();
    let model = test_data("models/prompted-0.1.0");
    let corners = format!(
        "{},{}",
        at(Index3 { i: SECOND.i - 12, j: SECOND.j - 10, k: SECOND.k - 5 }),
        at(Index3 { i: SECOND.i + 12, j: SECOND.j + 10, k: SECOND.k + 5 })
    );
    let first = at(FIRST);
    let call =
        ["segment", &image_file, "--model", &model, "--out", &out, "--json", "--point", &first, "--box", &corners];
    let found = json(&[&call[..], &["--uncertainty", &spread]].concat());
    let lesions = found["lesions"].as_array().unwrap();
    assert_eq!(lesions.len(), 2);
    let written = nifti::read_labels(Path::new(&out), FrameId::new("image")).unwrap();
    for (n, (lesion, radius)) in lesions.iter().zip([12.0_f64, 11.0]).enumerate() {
        assert_eq!(
            (lesion["label"].as_u64(), lesion["trusted"].as_bool()),
            (Some(n as u64 + 1), Some(true)),
            "{lesion}"
        );
        let volume = 4.0 / 3.0 * std::f64::consts::PI * radius.powi(3);
        near(&lesion["volume_mm3"], volume, 0.15 * volume);
        assert_eq!(lesion["voxels"].as_u64(), Some(written.label_mask(n as u16 + 1).n_voxels_set() as u64));
        assert!(number(&lesion["agreement"]) > 0.8 && lesion["reasons"].as_array().unwrap().is_empty(), "{lesion}");
        assert_eq!(found["structures"][n]["name"], format!("lesion-{}", n + 1));
    }
    let said = point(&lesions[0]["prompt"]["point_lps_mm"]);
    assert_eq!(said, grid().center(FIRST).to_array());
    assert!(lesions[1]["prompt"]["box_lps_mm"][1][2].is_f64());
    let uncertainty = nifti::read_image(Path::new(&spread), FrameId::new("image")).unwrap();
    assert!(uncertainty.values().iter().all(|v| (0.0..=0.5).contains(v)));
    let memory = &found["memory"];
    assert!(number(&memory["peak_mib"]) <= number(&memory["bound_mib"]), "{memory}");
    let text = super::lesiontrace(&call[..6]).args(["--point", &first]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("lesion 1 (point ") && text.contains("views agree to "), "{text}");
}

#[test]
fn where_no_lesion_is_found_the_document_says_so_and_the_exit_code_too() {
    if !runtime_is_here() {
        return;
    }
    let folder = Folder::new();
    let (image_file, out) = (folder.path("image.nii.gz"), folder.path("labels.nii.gz"));
    // One voxel that nothing else is like, not even the mean round itself.
    let spike = Volume::from_fn(grid(), |at| if at == FIRST { 1e6 } else { 0.0 });
    nifti::write_image(Path::new(&image_file), &spike).unwrap();
    let model = test_data("models/prompted-0.1.0");
    let first = at(FIRST);
    let call = ["segment", &image_file, "--model", &model, "--out", &out, "--point", &first];
    let (code, stdout, _) = failing(&[&call[..], &["--json"]].concat());
    let found: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let lesion = &found["lesions"][0];
    assert_eq!(
        (code, lesion["voxels"].as_u64(), lesion["trusted"].as_bool()),
        (BAD_INPUT, Some(0), Some(false)),
        "{lesion}"
    );
    assert_eq!(lesion["volume_mm3"]["not_evaluable"], "no lesion found under the point");
    let (_, text, _) = failing(&call);
    assert!(text.contains("DO NOT TRUST: no lesion found under the point"), "{text}");
    assert!(Path::new(&out).exists() && code != SOME_FAILED);
}

#[test]
fn a_prompt_that_cannot_be_followed_is_refused_with_what_to_do() {
    let folder = Folder::new();
    let (image_file, out) = (folder.path("image.nii.gz"), folder.path("labels.nii.gz"));
    nifti::write_image(Path::new(&image_file), &image()).unwrap();
    let (model, other) = (test_data("models/prompted-0.1.0"), test_data("models/bright-0.1.0"));
    let call = |model: &str, more: &[&str]| {
        failing(&[&["segment", &image_file, "--model", model, "--out", &out], more].concat())
    };
    for (more, said) in [
        (&["--point", "1,2"][..], "--point: expected three numbers"),
        (&["--box", "1,2,3"][..], "--box: expected six numbers"),
        (&["--point", "1,2,3", "--each"][..], "--each: a point or box lies in one image"),
        (&["--point", "1,2,3", "--with", "pet.nii.gz"][..], "--with: a model that outlines"),
    ] {
        let (code, _, stderr) = call(&model, more);
        assert!(code == USAGE && stderr.contains(said), "{more:?}: {stderr}");
    }
    if !runtime_is_here() {
        return;
    }
    let (code, _, stderr) = call(&model, &[]);
    assert!(code == USAGE && stderr.contains("--point x,y,z"), "{stderr}");
    let (code, _, stderr) = call(&other, &["--point", "-12.5,8,3"]);
    assert!(code == USAGE && stderr.contains("takes no prompt"), "{stderr}");
    let (code, stdout, stderr) = call(&model, &["--point", "-900,8,3", "--json"]);
    assert!(
        code == BAD_INPUT && stdout.contains("not_evaluable") && stderr.contains("64 x 50 x 24 voxels"),
        "{stderr}"
    );
    let images = folder.path("images");
    std::fs::create_dir(&images).unwrap();
    nifti::write_image(&Path::new(&images).join("a.nii.gz"), &image()).unwrap();
    let results = folder.path("out");
    let (code, _, stderr) = failing(&["segment", &images, "--each", "--model", &model, "--out", &results]);
    assert!(code == USAGE && stderr.contains("each image needs its own"), "{stderr}");
    assert!(!Path::new(&out).exists());
    let checked = super::lesiontrace(&["model", "check", &model]).output().unwrap();
    assert!(String::from_utf8_lossy(&checked.stdout).contains("the network loads"));
    let listed = json(&["model", "list", &test_data("models"), "--json"]);
    assert_eq!(listed[1]["name"], "prompted", "{listed}");
}

/// A card of ten networks, the small ones first; and the same bytes at any number of threads.
#[test]
fn with_many_networks_the_memory_stated_holds_and_the_number_of_threads_changes_nothing() {
    if !runtime_is_here() {
        return;
    }
    let folder = Folder::new();
    let image_file = folder.path("image.nii.gz");
    nifti::write_image(Path::new(&image_file), &image()).unwrap();
    let model = format!("{}/../../models/lesion-voi-ct-0.2.0", env!("CARGO_MANIFEST_DIR"));
    let first = at(FIRST);
    let written = ["1", "4"].map(|n_threads| {
        let [out, spread] = ["labels", "spread"].map(|name| folder.path(&format!("{name}_{n_threads}.nii.gz")));
        let call = ["segment", &image_file, "--model", &model, "--out", &out, "--uncertainty", &spread, "--json"];
        let found = json(&[&call[..], &["--threads", n_threads, "--point", &first]].concat());
        let memory = &found["memory"];
        assert!(number(&memory["peak_mib"]) <= number(&memory["bound_mib"]), "{memory}");
        (found["lesions"].to_string(), [out, spread].map(|path| std::fs::read(path).unwrap()))
    });
    assert!(written[0] == written[1], "{} {}", written[0].0, written[1].0);
}
