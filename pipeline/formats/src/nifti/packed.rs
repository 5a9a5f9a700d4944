//! A small volume as NIfTI-1 in memory, compressed, for a page that carries its images in itself.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use imaging::Volume;

use super::write::{bytes_of, header_of};

/// The bytes of a `.nii.gz` of 16-bit integers: what a reader takes a voxel for is its number times `slope`. The same volume gives
/// the same bytes; nothing is said of the patient or the time.
///
/// # Errors
/// A row of more voxels than NIfTI-1 can say.
pub fn packed_integers(volume: &Volume<i16>, slope: f32) -> io::Result<Vec<u8>> {
    let mut header = header_of::<i16>(volume.grid()).map_err(io::Error::other)?;
    header.scl_slope = slope;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&bytes_of(&header))?;
    packed.write_all(bytemuck::cast_slice(volume.values()))?;
    packed.finish()
}

#[cfg(test)]
mod tests {
    use imaging::{Affine, FrameId, Grid, Index3, Shape};

    use super::*;
    use crate::nifti;

    #[test]
    fn what_is_packed_is_read_back_at_the_same_places() {
        let rows = [[0.0, -1.1, 0.0, 40.0], [0.9, 0.0, 0.0, 12.0], [0.0, 0.0, 2.5, -60.0], [0.0, 0.0, 0.0, 1.0]];
        let shape = Shape { ni: 7, nj: 6, nk: 5 };
        let grid = Grid::new(shape, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
        let volume = Volume::from_fn(grid.clone(), |at: Index3| (at.i + 10 * at.j + 100 * at.k) as i16 - 200);
        let packed = packed_integers(&volume, 2.0).unwrap();
        assert_eq!(packed, packed_integers(&volume, 2.0).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.nii.gz");
        std::fs::write(&path, &packed).unwrap();
        let read = nifti::read_image(&path, FrameId::new("f")).unwrap();
        assert!(read.grid().max_distance_mm(&grid) < 1e-4);
        let doubled: Vec<f32> = volume.values().iter().map(|v| 2.0 * f32::from(*v)).collect();
        assert_eq!(read.values(), doubled);
    }
}
