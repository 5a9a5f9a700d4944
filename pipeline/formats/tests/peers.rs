//! Objects written by other programs from known values.

use std::path::{Path, PathBuf};

use imaging::{Index3, Shape};
use lesiontrace_formats::dicom::read_segmentation;

fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test_data/oracles/ingest").join(name)
}

/// Every voxel of a shape.
fn voxels(shape: Shape) -> impl Iterator<Item = Index3> {
    let row = move |k, j| (0..shape.ni).map(move |i| Index3 { i, j, k });
    (0..shape.nk).flat_map(move |k| (0..shape.nj).flat_map(move |j| row(k, j)))
}

/// The masks of `overlapping_masks` in `scripts/make_ingest_variants.py`.
fn written(segment: u16, Index3 { i, j, k }: Index3) -> bool {
    let (x, y, z) = (i as i32, j as i32, k as i32);
    match segment {
        1 => (x - 9).pow(2) + (y - 8).pow(2) + 9 * (z - 4).pow(2) < 50,
        2 => (6..17).contains(&x) && y >= 5 + z && y < 12 + z / 2,
        _ => z % 3 == 1 && (x * 3 + y * 5 + z * 7) % 11 == 0,
    }
}

#[test]
fn overlapping_segments_by_highdicom_come_back_voxel_for_voxel() {
    // highdicom 0.28.2, numpy 2.4.6: 497, 473 and 130 voxels, 183 of them shared; 17 frames, the empty ones left out.
    let seg = read_segmentation(&oracle("overlapping_seg.dcm")).unwrap().value;
    assert_eq!(seg.pixels_per_frame().len(), 17);
    let masks: Vec<_> = [1, 2, 3].map(|n| seg.mask(n).unwrap()).into();
    assert_eq!([0, 1, 2].map(|n: usize| masks[n].n_voxels_set()), [497, 473, 130]);
    let grid = seg.grid();
    assert_eq!(grid.shape().nk, 9);
    let mut n_shared = 0;
    for at in voxels(grid.shape()) {
        let inside: Vec<bool> = masks.iter().map(|mask| *mask.at(at)).collect();
        assert_eq!(inside, [1, 2, 3].map(|n| written(n, at)), "{at:?}");
        n_shared += usize::from(inside.iter().filter(|v| **v).count() > 1);
    }
    assert_eq!(n_shared, 183);
    let origin = grid.center(Index3 { i: 0, j: 0, k: 0 });
    assert!((origin.coords - nalgebra::Vector3::new(-113.4, 41.9, 612.1)).norm() < 1e-9, "{origin:?}");
}
