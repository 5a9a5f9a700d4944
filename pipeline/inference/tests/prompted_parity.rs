//! The mean probability under a point and a box as `scripts/lesion_voi/predict.py` gives it with the same two networks:
//! `scripts/make_prompted_test_model.py` made networks, image and answers; `answers.json` names the tools and their versions.
//!
//! Where ONNX Runtime's library is absent this test says so loudly and checks nothing.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use imaging::{FrameId, Grid, Index3, Point, Shape, Volume};
use lesiontrace_inference::{Device, Prompt, RuntimeOptions, Segmenter, Surroundings};
use nalgebra::{Matrix3, Vector3};

/// Largest difference of a probability: single precision on another machine, and sixteen bits in the file.
const TOLERANCE: f64 = 1e-4;

#[derive(serde::Deserialize)]
struct Answers {
    tool: String,
    spacing_mm_zyx: [f64; 3],
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    model: String,
    click_zyx: [f64; 3],
    box_zyx: Option<[[f64; 3]; 2]>,
    spacing_mm: f64,
    agreement: f64,
    n_voxels: usize,
}

fn test_data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data").join(path)
}

/// The values of a version 1 .npy file of 16-bit numbers, and its shape.
fn npy(name: &str) -> ([usize; 3], Vec<[u8; 2]>) {
    let bytes = fs::read(test_data("oracles/prompted").join(name)).unwrap();
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).unwrap();
    assert!(header.contains("2'") && header.contains("'fortran_order': False"), "{header}");
    let shape = header.split_once('(').unwrap().1.split_once(')').unwrap().0;
    let shape: Vec<usize> = shape.split(',').map(|n| n.trim().parse().unwrap()).collect();
    (shape.try_into().unwrap(), bytes[end..].chunks_exact(2).map(|b| [b[0], b[1]]).collect())
}

/// The oracle's image stored as a scanner may: columns run to the right of the patient, so that x runs against them.
fn image(spacing_mm_zyx: [f64; 3]) -> Volume<f32> {
    let ([nk, nj, ni], values) = npy("image.npy");
    let [sz, sy, sx] = spacing_mm_zyx;
    let directions = Matrix3::from_diagonal(&Vector3::new(-1.0, 1.0, 1.0));
    let (shape, first) = (Shape { ni, nj, nk }, Point::new(70.0, -40.0, 300.0));
    let grid = Grid::from_directions(shape, first, [sx, sy, sz], directions, FrameId::new("f")).unwrap();
    Volume::from_fn(grid, |at| f32::from(i16::from_le_bytes(values[shape.linear(Index3 { i: ni - 1 - at.i, ..at })])))
}

#[test]
fn probabilities_are_those_of_the_program_the_networks_are_tried_out_with() {
    if let Err(error) = Surroundings::of_this_process().find(None) {
        eprintln!("NOT RUN: {error}");
        return;
    }
    let answers: Answers =
        serde_json::from_str(&fs::read_to_string(test_data("oracles/prompted/answers.json")).unwrap()).unwrap();
    let image = image(answers.spacing_mm_zyx);
    let options = RuntimeOptions { library: None, device: Device::Cpu, n_threads: 2 };
    let (grid, shape) = (image.grid(), image.shape());
    let last = (shape.ni - 1) as f64;
    let lps = |[z, y, x]: [f64; 3]| grid.voxel_to_patient().apply(Point::new(last - x, y, z)).to_array();
    assert_eq!(answers.cases.len(), 3);
    for case in answers.cases {
        let segmenter = Segmenter::open(&test_data("models").join(&case.model), &options).unwrap();
        let prompt = case.box_zyx.map_or(Prompt::Point(lps(case.click_zyx)), |corners| Prompt::Box(corners.map(lps)));
        let got = segmenter.prompted_output(&image, &prompt).unwrap();
        assert!((got.spacing_mm - case.spacing_mm).abs() < 1e-6, "{}: {} mm", case.name, got.spacing_mm);
        let (_, wanted) = npy(&format!("{}.npy", case.name));
        let difference = |(n, p): (usize, &f32)| {
            let at = shape.index(n);
            let wanted = u16::from_le_bytes(wanted[shape.linear(Index3 { i: shape.ni - 1 - at.i, ..at })]);
            (f64::from(*p) - f64::from(wanted) / 65535.0).abs()
        };
        let largest = got.probability.values().iter().enumerate().map(difference).fold(0.0, f64::max);
        println!("{}: {largest:.1e} beside {}", case.name, answers.tool);
        assert!(largest < TOLERANCE, "{}: {largest} beside {}", case.name, answers.tool);
        let watch = |_, _| ControlFlow::Continue(());
        let found = segmenter.segment_prompted(&image, &[prompt], &watch).unwrap().value;
        // A voxel at one half may go either way, and moves Dice by its share.
        assert!(found.lesions[0].n_voxels.abs_diff(case.n_voxels) <= 1, "{:?}", found.lesions);
        assert!((found.lesions[0].agreement.unwrap() - case.agreement).abs() < 1e-3, "{:?}", found.lesions);
        let n_others = if case.name == "sized" { 3 } else { 1 };
        assert_eq!(found.segmentation.provenance.other_networks_sha256.len(), n_others);
    }
}
