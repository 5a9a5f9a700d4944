//! Copies a NIfTI file with a header of the fields that place and read its voxels, and nothing else.
//!
//! Whatever may hold a text (`data_type`, `db_name`, `descrip`, `aux_file`, `intent_name`, extensions, bytes behind the last
//! voxel) is not copied. Voxels are copied byte for byte.
//!
//! Source: nifti1.h (Cox et al. 2004), nifti2.h (2011).

use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::Path;

use super::{NiftiError, Opened, cut_short, io_error, open_voxels};

/// Bytes of NIfTI-1 that are kept: size and regular; dim; datatype and bits; pixdim; slope to units; cal_max and the slice's time;
/// codes, quaternion and sform; magic.
const KEPT_1: [Range<usize>; 9] = [0..4, 38..40, 40..56, 70..74, 76..108, 112..124, 124..140, 252..328, 344..348];

/// The same fields of NIfTI-2.
const KEPT_2: [Range<usize>; 7] = [0..16, 16..80, 104..168, 176..240, 344..496, 496..504, 524..525];

/// Writes the file's voxels behind a header without texts; `out` packs them where they are to be packed.
///
/// # Errors
/// The file is no NIfTI file of one real number a voxel, or ends before its voxels do; or `out` cannot be written.
pub(crate) fn copy_blank(path: &Path, out: &mut dyn Write) -> Result<(), NiftiError> {
    let Opened { header, start, first, reader, n_bytes, .. } = open_voxels(path)?;
    let io = |error| io_error(path, error);
    out.write_all(&blank_header(&start, header.big_endian)).map_err(io)?;
    let first = &first[..first.len().min(n_bytes)];
    out.write_all(first).map_err(io)?;
    let rest = (n_bytes - first.len()) as u64;
    let n_copied = io::copy(&mut reader.take(rest), out).map_err(io)?;
    if n_copied == rest { Ok(()) } else { Err(cut_short(path, first.len() as u64 + n_copied, n_bytes)) }
}

/// The kept fields of a header that was read before, the place of the voxels, and four bytes that say "no extension".
fn blank_header(start: &[u8], big_endian: bool) -> Vec<u8> {
    let is_1 = start.starts_with(&348_i32.to_le_bytes()) || start.starts_with(&348_i32.to_be_bytes());
    let (length, kept): (usize, &[Range<usize>]) = if is_1 { (348, &KEPT_1) } else { (540, &KEPT_2) };
    let mut header = vec![0; length + 4];
    for range in kept {
        header[range.clone()].copy_from_slice(&start[range.clone()]);
    }
    let data_at = header.len();
    if is_1 {
        let offset = data_at as f32;
        header[108..112].copy_from_slice(&if big_endian { offset.to_be_bytes() } else { offset.to_le_bytes() });
    } else {
        let offset = data_at as i64;
        header[168..176].copy_from_slice(&if big_endian { offset.to_be_bytes() } else { offset.to_le_bytes() });
    }
    header
}

#[cfg(test)]
mod tests {
    use imaging::{FrameId, Grid, Point, Shape, Volume};

    use super::*;
    use crate::nifti::{read_image, write_image};

    fn oblique() -> Volume<f32> {
        let turn = *nalgebra::Rotation3::from_euler_angles(0.3, -0.2, 0.5).matrix();
        let shape = Shape { ni: 5, nj: 4, nk: 3 };
        let origin = Point::new(-101.5, 37.25, 812.0);
        let grid = Grid::from_directions(shape, origin, [0.75, 0.8, 2.5], turn, FrameId::new("f")).unwrap();
        Volume::from_fn(grid, |at| at.i as f32 + 10.0 * at.j as f32 + 100.0 * at.k as f32 - 0.5)
    }

    /// The image with a secret wherever a header has room for one, in an extension and behind the voxels.
    fn with_secrets(path: &Path) -> Vec<u8> {
        write_image(path, &oblique()).unwrap();
        let mut bytes = std::fs::read(path).unwrap();
        for at in [4, 18, 148, 180, 232, 330] {
            bytes[at..at + 6].copy_from_slice(b"SECRET");
        }
        bytes[108..112].copy_from_slice(&368_f32.to_le_bytes());
        bytes[348] = 1;
        let extension: Vec<u8> =
            [16_i32.to_le_bytes(), 6_i32.to_le_bytes()].concat().into_iter().chain(*b"SECRET\0\0").collect();
        bytes.splice(352..352, extension);
        bytes.extend(b"SECRET");
        std::fs::write(path, &bytes).unwrap();
        bytes
    }

    #[test]
    fn texts_extensions_and_what_follows_the_voxels_are_gone_and_the_image_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["a.nii", "b.nii"].map(|name| folder.path().join(name));
        with_secrets(&from);
        let mut copy = Vec::new();
        copy_blank(&from, &mut copy).unwrap();
        assert!(!copy.windows(6).any(|w| w == b"SECRET"));
        std::fs::write(&to, &copy).unwrap();
        assert_eq!(read_image(&to, FrameId::new("f")).unwrap(), read_image(&from, FrameId::new("f")).unwrap());
        assert_eq!(copy.len(), 352 + 60 * 4);
        let whole = std::fs::read(&from).unwrap();
        std::fs::write(&from, &whole[..400]).unwrap();
        assert!(copy_blank(&from, &mut io::sink()).is_err(), "a file that is cut short is no image");
    }

    #[test]
    fn nifti_2_of_the_other_byte_order_keeps_its_place_and_scaling() {
        let mut start = vec![0_u8; 540];
        start[..4].copy_from_slice(&540_i32.to_be_bytes());
        start[4..12].copy_from_slice(b"n+2\0\r\n\x1a\n");
        start[240..246].copy_from_slice(b"SECRET");
        start[508..514].copy_from_slice(b"SECRET");
        start[176..184].copy_from_slice(&0.5_f64.to_be_bytes());
        start[400..408].copy_from_slice(&0.7_f64.to_be_bytes());
        let blank = blank_header(&start, true);
        assert_eq!(blank[168..176], 544_i64.to_be_bytes());
        assert_eq!((&blank[176..184], &blank[400..408]), (&start[176..184], &start[400..408]));
        assert!(blank.len() == 544 && !blank.windows(6).any(|w| w == b"SECRET"));
    }
}
