//! A network made elsewhere: U-Net3+ for lung metastases on mouse MR (napari-deepmeta, MIT), slices of 128 × 128.
//!
//! The reference arrays hold one slice after the other, rows from top to bottom: array index [s][row][column] is voxel k = s,
//! j = row, i = column of a volume, which is how the volume is built here, and the card's orientation is `native`, so that the
//! network sees rows as y and columns as x. Needs `LESIONTRACE_DATA` and ONNX Runtime; says loudly what is missing.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

use std::fs;
use std::path::{Path, PathBuf};

use imaging::{FrameId, Grid, Point, Shape, Volume};
use lesiontrace_inference::{Device, RuntimeOptions, Segmenter, Surroundings};
use nalgebra::Matrix3;

const CARD: &str = include_str!("../../../test_data/oracles/deepmeta/card.toml");
const SLICE: usize = 128 * 128;

/// The bytes of a version 1 .npy file in C order, after checking its type and shape.
fn npy(path: &Path, descr: &str, shape: &str) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).unwrap();
    for wanted in [format!("'descr': '{descr}'"), "'fortran_order': False".to_owned(), format!("'shape': {shape}")] {
        assert!(header.contains(&wanted), "{header}");
    }
    bytes[end..].to_vec()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn data() -> Option<PathBuf> {
    let folder = testkit::real_data("onnx")?;
    if let Err(error) = Surroundings::of_this_process().find(None) {
        eprintln!("NOT RUN: {error}");
        return None;
    }
    Some(folder)
}

#[test]
fn deepmeta_gives_the_logits_and_labels_of_python() {
    let Some(data) = data() else { return };
    let model = tempfile::tempdir().unwrap();
    fs::write(model.path().join("card.toml"), CARD).unwrap();
    let file = "deepmeta_unet3plus.onnx";
    fs::copy(data.join(file), model.path().join(file)).unwrap();

    let values = floats(&npy(&data.join("input_f32_slices40to59.npy"), "<f4", "(20, 1, 128, 128)"));
    let shape = Shape { ni: 128, nj: 128, nk: 20 };
    let grid = Grid::from_directions(
        shape,
        Point::new(-9.0, 4.0, 12.0),
        [0.2, 0.2, 0.6],
        Matrix3::new(0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
        FrameId::new("mouse"),
    )
    .unwrap();
    let image = Volume::from_values(values, grid).unwrap();
    let options = RuntimeOptions { library: None, device: Device::Cpu, n_threads: 2 };
    let segmenter = Segmenter::open(model.path(), &options).unwrap();

    // Slices 40 to 59: slice 50 is k = 10.
    let wanted = floats(&npy(&data.join("logits_slice50_f32_3x128x128.npy"), "<f4", "(3, 128, 128)"));
    let slice_50 = Volume::from_values(
        image.values()[10 * SLICE..11 * SLICE].to_vec(),
        Grid::new(Shape { nk: 1, ..shape }, *image.grid().voxel_to_patient(), FrameId::new("mouse")).unwrap(),
    )
    .unwrap();
    let got = segmenter.network_output(&slice_50).unwrap().value.values;
    let mut worst = 0.0_f32;
    for (channel, wanted) in wanted.chunks_exact(SLICE).enumerate() {
        for (at, wanted) in wanted.iter().enumerate() {
            worst = worst.max((got[[channel, 0, at / 128, at % 128]] - wanted).abs());
        }
    }
    println!("largest difference of a logit in slice 50: {worst:e}");
    assert!(worst < 1e-3, "largest difference of a logit: {worst}");

    let wanted = npy(&data.join("labels_u8_slices40to59.npy"), "|u1", "(20, 128, 128)");
    let segmentation = segmenter.segment(&image).unwrap().value;
    let differing = segmentation.labels.values().iter().zip(&wanted).filter(|(a, b)| **a != u16::from(**b)).count();
    assert_eq!(differing, 0);
    // numpy 2.4.6: (labels == 2).sum()
    assert_eq!(segmentation.structures[1].n_voxels, 1180);
    assert_eq!(segmentation.provenance.n_windows, 20);
}
