//! Writes an image of 16-bit integers slice by slice, in any order: no more than a slice a thread lies in memory.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use imaging::Grid;

use super::write::{bytes_of, header_of};
use super::{NiftiError, io_error, narrow, not_nifti};
use crate::atomic::{self, Durability};

/// A file that takes the slices of one image.
#[derive(Debug)]
pub struct IntegerSlices<'a> {
    file: Mutex<Writing<'a>>,
    header_length: u64,
    n_slices: usize,
}

#[derive(Debug)]
struct Writing<'a> {
    file: &'a mut File,
    n_put: usize,
    failed: Option<io::Error>,
}

impl IntegerSlices<'_> {
    /// Writes slice k (i fastest, then j); each slice has the same number of values and is put once. `false` where a value is no
    /// 16-bit integer or the file cannot be written: then no further one is needed.
    pub fn put(&self, k: usize, values: &[f32]) -> bool {
        let mut integers = vec![0_i16; values.len()];
        if k >= self.n_slices || !narrow::narrow(values, &mut integers) {
            return false;
        }
        let bytes: &[u8] = bytemuck::cast_slice(&integers);
        let mut writing = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.header_length + (k * bytes.len()) as u64;
        let written = writing.file.seek(SeekFrom::Start(at)).and_then(|_| writing.file.write_all(bytes));
        match written {
            Ok(()) => writing.n_put += 1,
            Err(error) => writing.failed = Some(error),
        }
        writing.failed.is_none()
    }
}

/// Why there is no file.
enum Stopped {
    NotTaken,
    Io(io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes an image on a grid whose slices `fill` puts, all of them; the bytes are those of [`super::write_image_narrow`]. `false`,
/// and no file, where `fill` says so, where a slice is missing, or where the name asks for compression, which goes in order only.
///
/// # Errors
/// The file cannot be written.
pub fn write_integer_slices(
    path: &Path,
    grid: &Grid,
    fill: impl FnOnce(&IntegerSlices<'_>) -> bool,
) -> Result<bool, NiftiError> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz")) {
        return Ok(false);
    }
    let header = bytes_of(&header_of::<i16>(grid).map_err(|reason| not_nifti(path, &reason))?);
    let n_slices = grid.shape().nk;
    let written = atomic::write(path, Durability::Buffered, |part| {
        part.write_all(&header)?;
        let writing = Writing { file: part.as_file_mut(), n_put: 0, failed: None };
        let slices = IntegerSlices { file: Mutex::new(writing), header_length: header.len() as u64, n_slices };
        let is_filled = fill(&slices);
        let writing = slices.file.into_inner().unwrap_or_else(PoisonError::into_inner);
        match writing.failed {
            Some(error) => Err(Stopped::Io(error)),
            None if is_filled && writing.n_put == n_slices => Ok(()),
            None => Err(Stopped::NotTaken),
        }
    });
    match written {
        Ok(()) => Ok(true),
        Err(Stopped::NotTaken) => Ok(false),
        Err(Stopped::Io(error)) => Err(io_error(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use imaging::{Affine, FrameId, Shape, Volume};

    use super::*;
    use crate::nifti::write_image_narrow;

    fn image() -> Volume<f32> {
        let rows = [[0.5, 0.1, 0.0, -20.0], [-0.1, 0.5, 0.0, 7.5], [0.0, 0.0, 2.5, 300.25], [0.0, 0.0, 0.0, 1.0]];
        let grid =
            Grid::new(Shape { ni: 3, nj: 4, nk: 5 }, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
        Volume::from_values((0..60_i16).map(|n| f32::from(n * 31 - 900)).collect(), grid).unwrap()
    }

    #[test]
    fn slices_in_any_order_make_the_same_file_as_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let image = image();
        let (whole, sliced) = (folder.path().join("whole.nii"), folder.path().join("sliced.nii"));
        write_image_narrow(&whole, &image).unwrap();
        let put = |slices: &IntegerSlices<'_>| {
            [3, 0, 4, 2, 1].into_iter().all(|k| slices.put(k, &image.values()[12 * k..12 * (k + 1)]))
        };
        assert!(write_integer_slices(&sliced, image.grid(), put).unwrap());
        assert_eq!(std::fs::read(&whole).unwrap(), std::fs::read(&sliced).unwrap());
    }

    #[test]
    fn no_file_where_a_slice_is_missing_or_no_integer_or_to_be_compressed() {
        let folder = tempfile::tempdir().unwrap();
        let image = image();
        let path = folder.path().join("a.nii");
        let slice = &image.values()[..12];
        assert!(!write_integer_slices(&path, image.grid(), |slices| (0..4).all(|k| slices.put(k, slice))).unwrap());
        let half = [0.5; 12];
        assert!(!write_integer_slices(&path, image.grid(), |slices| (0..5).all(|k| slices.put(k, &half))).unwrap());
        assert!(!write_integer_slices(&path, image.grid(), |slices| slices.put(5, slice)).unwrap());
        let packed = folder.path().join("a.nii.gz");
        assert!(!write_integer_slices(&packed, image.grid(), |_| true).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
