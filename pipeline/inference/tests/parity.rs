//! Labels as nnU-Net v2 and MONAI give them with the same weights: `scripts/compare_with_nnunet.py --store` made networks, images
//! and labels; `table.json` beside them names the tools, their versions, and how far all volumes agree.
//!
//! Where ONNX Runtime's library is absent this test says so loudly and checks nothing.

#![expect(clippy::unwrap_used, reason = "a test may unwrap; clippy does not see that its helpers are tests")]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use imaging::{Affine, FrameId, Grid, Shape, Volume};
use lesiontrace_inference::{Device, RuntimeOptions, Segmenter, Surroundings};

/// What must agree among the voxels that either program calls foreground.
const EQUAL_IN_FOREGROUND: f64 = 0.999;

#[derive(serde::Deserialize)]
struct Case {
    voxel_to_patient_ras: [[f64; 4]; 4],
}

/// Shape and bytes of a version 1 .npy file in C order.
fn npy(path: &Path, descr: &str) -> (Vec<usize>, Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).unwrap();
    assert!(header.contains(&format!("'descr': '{descr}'")) && header.contains("'fortran_order': False"), "{header}");
    let shape = header.split_once('(').unwrap().1.split_once(')').unwrap().0;
    (shape.split(',').map(|n| n.trim().parse().unwrap()).collect(), bytes[end..].to_vec())
}

/// The images the network is shown together.
fn images(folder: &Path) -> Vec<Volume<f32>> {
    let further = (1..).map(|channel| format!("image-{channel}.npy")).take_while(|name| folder.join(name).is_file());
    std::iter::once("image.npy".to_owned()).chain(further).map(|name| image(folder, &name)).collect()
}

fn image(folder: &Path, name: &str) -> Volume<f32> {
    let (shape, bytes) = npy(&folder.join(name), "<i2");
    let values = bytes.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]]))).collect();
    let case: Case = serde_json::from_str(&fs::read_to_string(folder.join("case.json")).unwrap()).unwrap();
    let mut rows = case.voxel_to_patient_ras;
    for row in &mut rows[..2] {
        for v in row {
            *v = -*v;
        }
    }
    let shape = Shape { ni: shape[2], nj: shape[1], nk: shape[0] };
    let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
    Volume::from_values(values, grid).unwrap()
}

#[test]
fn labels_are_those_of_the_programs_the_networks_come_from() {
    if let Err(error) = Surroundings::of_this_process().find(None) {
        eprintln!("NOT RUN: {error}");
        return;
    }
    let oracles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data/oracles/parity");
    let mut folders: Vec<PathBuf> = fs::read_dir(&oracles).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.join("case.json").is_file());
    folders.sort();
    assert!(folders.len() >= 2, "no networks in {}", oracles.display());
    for folder in folders {
        let options = RuntimeOptions { library: None, device: Device::Cpu, n_threads: 2 };
        let images = images(&folder);
        let segmenter = Segmenter::open(&folder, &options).unwrap();
        let watch = |_, _| ControlFlow::Continue(());
        let found = segmenter.segment_images(&images.iter().collect::<Vec<_>>(), &watch).unwrap().value.labels;
        let wanted = npy(&folder.join("labels.npy"), "|u1").1;
        let pairs = || found.values().iter().zip(&wanted).map(|(got, wanted)| (*got, u16::from(*wanted)));
        let n_foreground = pairs().filter(|pair| *pair != (0, 0)).count();
        let n_differing = pairs().filter(|(got, wanted)| got != wanted).count();
        let equal = 1.0 - n_differing as f64 / n_foreground as f64;
        println!("{}: {n_differing} of {n_foreground} voxels differ", folder.display());
        assert!(n_foreground > 100 && equal >= EQUAL_IN_FOREGROUND, "{}: {equal}", folder.display());
    }
}
