//! Digests of what stages work on: an image by its numbers and its place, so that an entry is found again whatever the file is
//! called and never where a voxel differs.

use imaging::Volume;
use sha2::Digest as _;

use crate::stages::load::LoadedSeries;

/// Numbers hashed at a time.
const CHUNK: usize = 1 << 14;

/// Digest of a series in memory: numbers, grid with its frame of reference, unit, modality, role and description.
pub(crate) fn of_series(series: &LoadedSeries) -> String {
    let LoadedSeries { image, unit, role, description, modality, .. } = series;
    format!("{} {unit:?} {role:?} {description:?} {modality:?}", of_volume(image))
}

fn of_volume(image: &Volume<f32>) -> String {
    let mut hasher = sha2::Sha256::new();
    hasher.update(format!("{:?}\n", image.grid()));
    let mut bytes = Vec::with_capacity(4 * CHUNK);
    for numbers in image.values().chunks(CHUNK) {
        bytes.clear();
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        hasher.update(&bytes);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use imaging::{Affine, FrameId, Grid, Index3, Shape};

    use super::*;

    fn volume(x_mm: f64, frame: &str, last: f32) -> Volume<f32> {
        let rows = [[0.8, 0.0, 0.0, x_mm], [0.0, 0.8, 0.0, 3.0], [0.0, 0.0, 5.0, 40.0], [0.0, 0.0, 0.0, 1.0]];
        let shape = Shape { ni: 40, nj: 50, nk: 30 };
        let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new(frame)).unwrap();
        let end = Index3 { i: 39, j: 49, k: 29 };
        Volume::from_fn(grid, |at| if at == end { last } else { at.i as f32 })
    }

    #[test]
    fn one_voxel_one_place_or_the_frame_makes_another_digest() {
        let one = of_volume(&volume(-7.0, "f", 1.0));
        assert_eq!(one, of_volume(&volume(-7.0, "f", 1.0)));
        for other in [volume(-7.0, "f", 1.5), volume(-7.000_001, "f", 1.0), volume(-7.0, "g", 1.0)] {
            assert_ne!(one, of_volume(&other));
        }
    }
}
