//! The whole way through ONNX Runtime. Where its library is absent these tests say so loudly and check nothing: run
//! `scripts/fetch_onnxruntime` first (the project's own checks do).

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

use std::fs;
use std::path::{Path, PathBuf};

use imaging::{FrameId, Grid, Index3, Point, Shape, Volume};
use lesiontrace_inference::{Device, Model, RuntimeError, RuntimeOptions, SegmentError, Segmenter, Surroundings};
use nalgebra::Matrix3;

fn test_data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data").join(path)
}

fn options(device: Device) -> RuntimeOptions {
    RuntimeOptions { library: None, device, n_threads: 2 }
}

/// Whether there is a library; said loudly if not.
fn runtime_is_here() -> bool {
    match Surroundings::of_this_process().find(None) {
        Ok(_) => true,
        Err(error) => {
            eprintln!("NOT RUN: {error}");
            false
        }
    }
}

fn grid(shape: Shape, spacing_mm: [f64; 3], directions: Matrix3<f64>) -> Grid {
    Grid::from_directions(shape, Point::new(10.0, 20.0, 30.0), spacing_mm, directions, FrameId::new("f")).unwrap()
}

#[derive(serde::Deserialize)]
struct Oracle {
    tool: String,
    logits: Vec<At>,
    sum_of_logits: Vec<f64>,
    n_voxels_of_label: Vec<usize>,
}

#[derive(serde::Deserialize)]
struct At {
    c: usize,
    k: usize,
    j: usize,
    i: usize,
    value: f32,
}

/// Other machines and releases of the runtime may round differently; on the machine of the oracle the difference is 0.
const LOGIT_TOLERANCE: f32 = 1e-4;

#[test]
fn the_seeded_network_answers_as_in_python() {
    if !runtime_is_here() {
        return;
    }
    let oracle: Oracle =
        serde_json::from_str(&fs::read_to_string(test_data("oracles/seeded/logits.json")).unwrap()).unwrap();
    let grid = grid(Shape { ni: 12, nj: 10, nk: 8 }, [1.0, 2.0, 3.0], Matrix3::identity());
    let image = Volume::from_fn(grid, |at| ((7 * at.i + 13 * at.j + 29 * at.k) % 31) as f32 / 31.0);
    let segmenter = Segmenter::open(&test_data("models/seeded-0.1.0"), &options(Device::Cpu)).unwrap();
    let got = segmenter.network_output(&image).unwrap().value.values;
    for at in &oracle.logits {
        let logit = got[[at.c, at.k, at.j, at.i]];
        assert!((logit - at.value).abs() < LOGIT_TOLERANCE, "{logit} is {} in {}", at.value, oracle.tool);
    }
    for (channel, sum) in oracle.sum_of_logits.iter().enumerate() {
        let got: f64 = got.index_axis(ndarray::Axis(0), channel).iter().map(|v| f64::from(*v)).sum();
        assert!((got - sum).abs() < 1e-2, "{got} is {sum} in {}", oracle.tool);
    }
    let segmentation = segmenter.segment(&image).unwrap().value;
    let counts: Vec<usize> = segmentation.structures.iter().map(|s| s.n_voxels).collect();
    assert_eq!(counts, oracle.n_voxels_of_label[1..]);
    let execution = segmentation.provenance.execution;
    assert_eq!(execution.execution_provider, "CPUExecutionProvider");
    assert!(execution.runtime.starts_with("ONNX Runtime, "), "{}", execution.runtime);
    assert_eq!(execution.library_sha256.map(|digest| digest.len()), Some(64));
    assert!(!execution.some_operators_on_cpu);
}

/// Sagittal: columns run to anterior, rows to inferior, slices to the right of the patient.
fn sagittal() -> Matrix3<f64> {
    Matrix3::new(0.0, 0.0, -1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
}

#[test]
fn a_result_that_moves_to_the_patients_left_shows_which_way_the_axes_run() {
    if !runtime_is_here() {
        return;
    }
    let segmenter = Segmenter::open(&test_data("models/shifted-0.1.0"), &options(Device::Cpu)).unwrap();
    // Left is −k here: the label of the voxel at k 5 appears at k 4, and nowhere else.
    let grid = grid(Shape { ni: 21, nj: 18, nk: 11 }, [1.0, 1.5, 2.0], sagittal());
    let bright = Index3 { i: 3, j: 12, k: 5 };
    let image = Volume::from_fn(grid, |at| if at == bright { 200.0 } else { -50.0 });
    let labels = segmenter.segment(&image).unwrap().value.labels;
    let set: Vec<Index3> = labels.label_mask(2).indices_set().collect();
    assert_eq!(set, [Index3 { k: 4, ..bright }]);
    assert_eq!(labels.label_mask(1).n_voxels_set(), 0);
}

#[test]
fn permuted_axes_of_a_card_permute_what_the_network_sees() {
    if !runtime_is_here() {
        return;
    }
    // The same network under a card that calls its last axis z: what moved along x moves along z, to superior.
    let dir = tempfile::tempdir().unwrap();
    let from = test_data("models/shifted-0.1.0");
    let card = fs::read_to_string(from.join("card.toml")).unwrap().replace("\"nczyx\"", "\"ncxyz\"");
    fs::write(dir.path().join("card.toml"), card).unwrap();
    fs::copy(from.join("model.onnx"), dir.path().join("model.onnx")).unwrap();
    let segmenter = Segmenter::open(dir.path(), &options(Device::Cpu)).unwrap();
    let grid = grid(Shape { ni: 21, nj: 18, nk: 11 }, [1.0, 1.5, 2.0], sagittal());
    let bright = Index3 { i: 3, j: 12, k: 5 };
    let image = Volume::from_fn(grid, |at| if at == bright { 200.0 } else { -50.0 });
    let labels = segmenter.segment(&image).unwrap().value.labels;
    assert_eq!(labels.label_mask(2).indices_set().collect::<Vec<_>>(), [Index3 { j: 11, ..bright }]);
}

#[test]
fn several_threads_share_one_session() {
    if !runtime_is_here() {
        return;
    }
    let segmenter = Segmenter::open(&test_data("models/bright-0.1.0"), &options(Device::Cpu)).unwrap();
    let grid = grid(Shape { ni: 40, nj: 30, nk: 20 }, [1.0, 1.2, 2.0], Matrix3::identity());
    let image = Volume::from_fn(grid, |at| if at.i > 25 && at.k < 9 { 180.0 } else { 90.0 - at.j as f32 * 5.0 });
    let alone = segmenter.segment(&image).unwrap();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(|| segmenter.segment(&image).unwrap())).collect();
        for one in all {
            assert_eq!(one.join().unwrap(), alone);
        }
    });
}

#[test]
fn a_device_that_is_not_there_is_an_error_and_no_way_back_to_the_cpu() {
    if !runtime_is_here() {
        return;
    }
    for device in [Device::Cuda(7), Device::TensorRt(7), Device::OpenVino] {
        match Segmenter::open(&test_data("models/bright-0.1.0"), &options(device)) {
            Err(SegmentError::Runtime(RuntimeError::Device { .. })) => {}
            Err(other) => panic!("{device}: {other}"),
            Ok(_) => assert_eq!(device, Device::OpenVino, "{device} was opened"),
        }
    }
}

#[test]
fn card_and_network_that_contradict_each_other_are_refused() {
    if !runtime_is_here() {
        return;
    }
    let model = Model::open(&test_data("models/bright-0.1.0")).unwrap();
    let refused = |card: lesiontrace_inference::Card| {
        let error = lesiontrace_inference::OnnxNetwork::load(&model.network, &card, &options(Device::Cpu)).unwrap_err();
        assert!(matches!(error, RuntimeError::Card { .. }), "{error}");
        error.to_string()
    };
    let mut card = model.card.clone();
    card.input.name = "volume".to_owned();
    assert!(refused(card).contains("found image"));
    let mut card = model.card.clone();
    card.labels.pop();
    assert!(refused(card).contains("axis c of output logits to be 2, found 3"));
    let mut card = model.card.clone();
    card.input.axes = "ncyx".to_owned().try_into().unwrap();
    assert!(refused(card).contains("axes ncyx, found 5 axes"));
    let garbage =
        lesiontrace_inference::OnnxNetwork::load(b"not a network", &model.card, &options(Device::Cpu)).unwrap_err();
    assert!(matches!(garbage, RuntimeError::Network { .. }), "{garbage}");
}

#[test]
fn a_library_that_is_none_is_an_error_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("libonnxruntime.so");
    fs::write(&library, "not a library").unwrap();
    let options = RuntimeOptions { library: Some(library.clone()), device: Device::Cpu, n_threads: 1 };
    let Err(error) = Segmenter::open(&test_data("models/bright-0.1.0"), &options) else { panic!("was opened") };
    let message = error.to_string();
    let expected =
        matches!(&error, SegmentError::Runtime(RuntimeError::Load { .. } | RuntimeError::OtherLoaded { .. }));
    assert!(expected && message.contains(&library.display().to_string()), "{message}");
}
