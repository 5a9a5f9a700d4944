//! NIfTI-1 and NIfTI-2 images, masks and label maps in, NIfTI-1 out.
//!
//! NIfTI coordinates are RAS mm; the program's are LPS mm. The two meet here only, in the private type `Ras`.
//! A NIfTI file names no frame of reference, so the caller states one.
//!
//! Source: NIfTI-1.1 header (Cox et al. 2004, nifti1.h): sform before qform before pixdim.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use imaging::grid::MAX_VOXELS;
use imaging::{Affine, FrameId, Grid, GridError, LabelMap, Mask, Patient, Shape, Volume, Voxel};
use nalgebra::{Matrix3, Vector3};
use thiserror::Error;

use crate::stored;
use header::{Header, LONGEST_HEADER, Refusal};

mod blank;
mod displacement;
mod header;
mod narrow;
mod packed;
mod slices;
mod voxels;
mod write;

pub use displacement::{DisplacementField, read_displacement, write_displacement};
pub use packed::packed_integers;
pub use slices::{IntegerSlices, write_integer_slices};
pub use write::{write_image, write_image_narrow, write_labels, write_mask};

pub(crate) use blank::copy_blank;

/// What can be wrong with a NIfTI file.
#[derive(Debug, Error)]
pub enum NiftiError {
    /// The file cannot be opened or written.
    #[error("cannot read or write {path}: {source}; check the path and the rights, and that the disk is not full")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The bytes are not NIfTI.
    #[error("{path} is not a NIfTI file ({reason}); Analyze files and others can be converted with nibabel or c3d")]
    NotNifti {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// A pixel type that is not one real number.
    #[error("{path} holds {found}; expected one real number per voxel: convert it to int16 or float32")]
    VoxelType {
        /// The file.
        path: PathBuf,
        /// The type found.
        found: String,
    },
    /// More than three dimensions.
    #[error("{path} has shape {shape:?}; expected three dimensions: split the series into one file per volume")]
    Dimensions {
        /// The file.
        path: PathBuf,
        /// The shape found.
        shape: Vec<usize>,
    },
    /// A header without a usable map to patient space.
    #[error("{path} says where its voxels lie in neither sform nor qform; a position is never guessed: set the sform")]
    NoPosition {
        /// The file.
        path: PathBuf,
    },
    /// sform and qform contradict each other.
    #[error(
        "{path}: sform and qform place its voxels {apart_mm:.2} mm apart; a position is never guessed: make them alike (fslorient -copysform2qform, or nibabel)"
    )]
    Conflict {
        /// The file.
        path: PathBuf,
        /// Largest distance of a corner, mm.
        apart_mm: f64,
    },
    /// A label that is not a whole number from 0 to 65535.
    #[error("{path} should hold labels, but holds the value {value}; labels are whole numbers from 0 to 65535")]
    NotALabel {
        /// The file.
        path: PathBuf,
        /// The value found.
        value: f32,
    },
    /// The grid cannot be used.
    #[error("{path}: {source}")]
    Grid {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: GridError,
    },
}

/// Tag of NIfTI's own space (x to the right, y to anterior, z to the head), in mm.
struct Ras;

/// LPS and RAS differ by the sign of x and y.
fn lps_to_ras() -> Affine<Patient, Ras> {
    let flip = Matrix3::from_diagonal(&Vector3::new(-1.0, -1.0, 1.0));
    Affine::from_parts(flip, Vector3::zeros())
}

/// Reads an image; voxel values after scl_slope and scl_inter, in the file's unit.
pub fn read_image(path: &Path, frame: FrameId) -> Result<Volume<f32>, NiftiError> {
    let (header, values) = read_file(path, voxels::scaled)?;
    volume_of(&header, values, frame, path)
}

fn volume_of<T>(header: &Header, values: Vec<T>, frame: FrameId, path: &Path) -> Result<Volume<T>, NiftiError> {
    let grid = grid_of(header, shape_of(header, path)?, frame, path)?;
    Volume::from_values(values, grid).map_err(|source| NiftiError::Grid { path: path.to_owned(), source })
}

/// Where the voxels of a file lie, from its header alone.
///
/// # Errors
/// The file is no NIfTI file of one real number a voxel, has more than three dimensions, or states no position.
pub fn read_header_grid(path: &Path, frame: FrameId) -> Result<Grid, NiftiError> {
    let (header, _) = read_start(path)?;
    grid_of(&header, shape_of(&header, path)?, frame, path)
}

/// Reads a label map; refuses values that are not whole numbers from 0 to 65535.
pub fn read_labels(path: &Path, frame: FrameId) -> Result<LabelMap, NiftiError> {
    let mut wrong = None;
    let (header, labels) = read_file(path, |header, block, found| voxels::labels(header, block, found, &mut wrong))?;
    let labels = volume_of(&header, labels, frame, path)?;
    match wrong {
        Some(value) => Err(NiftiError::NotALabel { path: path.to_owned(), value }),
        None => Ok(labels),
    }
}

/// Reads a mask: every voxel that is not 0 belongs to it.
pub fn read_mask(path: &Path, frame: FrameId) -> Result<Mask, NiftiError> {
    Ok(read_labels(path, frame)?.map(|v| *v != 0))
}

fn not_nifti(path: &Path, reason: &impl ToString) -> NiftiError {
    NiftiError::NotNifti { path: path.to_owned(), reason: reason.to_string() }
}

fn io_error(path: &Path, source: std::io::Error) -> NiftiError {
    NiftiError::Io { path: path.to_owned(), source }
}

/// The header and the voxels as `append` reads them of whole voxels' bytes; plain and compressed files, also those of several gzip
/// members, as bgzip and pigz write them. No more is unpacked than the header asks for, and nothing where the file cannot hold that.
fn read_file<T>(
    path: &Path,
    mut append: impl FnMut(&Header, &[u8], &mut Vec<T>),
) -> Result<(Header, Vec<T>), NiftiError> {
    let Opened { header, first, reader, n_bytes, likely, .. } = open_voxels(path)?;
    let source = voxels::Source { first, reader, n_bytes, likely };
    let read = voxels::read(&header, source, |block, values| append(&header, block, values));
    let read = read.map_err(|e| io_error(path, e))?;
    let values = read.map_err(|n_read| cut_short(path, n_read as u64, n_bytes))?;
    Ok((header, values))
}

fn cut_short(path: &Path, n_read: u64, n_bytes: usize) -> NiftiError {
    not_nifti(path, &format!("it ends after {n_read} of {n_bytes} bytes of voxels; copy it again"))
}

/// A file before its first voxel.
struct Opened {
    header: Header,
    /// The first bytes of the file.
    start: Vec<u8>,
    /// Voxels that were read ahead with them.
    first: Vec<u8>,
    /// The rest.
    reader: Box<dyn Read + Send>,
    /// Bytes of all voxels.
    n_bytes: usize,
    /// Room is made at once for so many bytes at most: where the file is likely to hold them.
    likely: usize,
}

fn open_voxels(path: &Path) -> Result<Opened, NiftiError> {
    let io = |e| io_error(path, e);
    let file_length = stored::size_of(path).map_err(io)?;
    let (header, Start { bytes: start, gzip, mut reader }) = read_start(path)?;
    let n_voxels: usize = header.shape.iter().product();
    let n_bytes = n_voxels.checked_mul(header.form.width()).ok_or_else(|| not_nifti(path, &"its size is absurd"))?;
    if n_voxels > MAX_VOXELS {
        return Err(not_nifti(path, &format!("it claims {n_voxels} voxels; no image has more than {MAX_VOXELS}")));
    }
    let room = file_length.saturating_mul(if gzip { MAX_DEFLATE } else { 1 });
    if n_bytes as u64 > room {
        let reason = format!("{file_length} bytes cannot hold its {n_voxels} voxels; copy it again");
        return Err(not_nifti(path, &reason));
    }
    // What was read ahead of the voxels, then the rest up to their end.
    let first = start.get(header.data_at..).unwrap_or_default().to_vec();
    if header.data_at > start.len() {
        let skip = (header.data_at - start.len()) as u64;
        std::io::copy(&mut reader.by_ref().take(skip), &mut std::io::sink()).map_err(io)?;
    }
    let likely = file_length.saturating_mul(LIKELY_DEFLATE) as usize;
    Ok(Opened { header, start, first, reader, n_bytes, likely })
}

/// The first bytes of a file, and what follows them.
struct Start {
    bytes: Vec<u8>,
    gzip: bool,
    reader: Box<dyn Read + Send>,
}

/// The header, and the bytes read for it.
fn read_start(path: &Path) -> Result<(Header, Start), NiftiError> {
    let io = |e| io_error(path, e);
    let mut reader = BufReader::with_capacity(READ_AHEAD, stored::open(path).map_err(io)?);
    let gzip = reader.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
    let mut reader: Box<dyn Read + Send> = if gzip { Box::new(MultiGzDecoder::new(reader)) } else { Box::new(reader) };
    let mut bytes = Vec::with_capacity(LONGEST_HEADER);
    reader.by_ref().take(LONGEST_HEADER as u64).read_to_end(&mut bytes).map_err(io)?;
    let header = Header::parse(&bytes).map_err(|refusal| match refusal {
        Refusal::NotNifti(reason) => NiftiError::NotNifti { path: path.to_owned(), reason },
        Refusal::VoxelType(found) => NiftiError::VoxelType { path: path.to_owned(), found },
    })?;
    Ok((header, Start { bytes, gzip, reader }))
}

/// Bytes read from a file at a time.
const READ_AHEAD: usize = 1 << 17;

/// Deflate packs at most about 1030 to 1.
const MAX_DEFLATE: u64 = 1100;

/// Images pack about 2 to 5 times.
const LIKELY_DEFLATE: u64 = 16;

fn shape_of(header: &Header, path: &Path) -> Result<Shape, NiftiError> {
    let mut shape = header.shape.clone();
    while shape.len() > 3 && shape.last() == Some(&1) {
        shape.pop();
    }
    shape.resize(shape.len().max(3), 1);
    match shape[..] {
        [ni, nj, nk] => Ok(Shape { ni, nj, nk }),
        _ => Err(NiftiError::Dimensions { path: path.to_owned(), shape: header.shape.clone() }),
    }
}

fn grid_of(header: &Header, shape: Shape, frame: FrameId, path: &Path) -> Result<Grid, NiftiError> {
    let affine = header
        .voxel_to_ras()
        .map_err(|apart_mm| NiftiError::Conflict { path: path.to_owned(), apart_mm })?
        .ok_or_else(|| NiftiError::NoPosition { path: path.to_owned() })?;
    let voxel_to_ras = Affine::<Voxel, Ras>::from_parts(
        affine.fixed_view::<3, 3>(0, 0).into_owned(),
        affine.fixed_view::<3, 1>(0, 3).into_owned(),
    );
    let ras_to_lps = lps_to_ras().inverse().expect("a change of sign can be undone");
    Grid::new(shape, voxel_to_ras.then(&ras_to_lps), frame)
        .map_err(|source| NiftiError::Grid { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::{Index3, Point};

    fn oblique() -> Volume<f32> {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.3, -0.2, 0.5).matrix();
        let grid = Grid::from_directions(
            Shape { ni: 5, nj: 4, nk: 3 },
            Point::new(-101.5, 37.25, 812.0),
            [0.75, 0.8, 2.5],
            rotation,
            FrameId::new("f"),
        )
        .unwrap();
        Volume::from_fn(grid, |at| at.i as f32 + 10.0 * at.j as f32 + 100.0 * at.k as f32 - 0.5)
    }

    #[test]
    fn an_oblique_image_comes_back_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.nii.gz", "a.nii"] {
            let path = folder.path().join(name);
            write_image(&path, &oblique()).unwrap();
            let back = read_image(&path, FrameId::new("f")).unwrap();
            assert!(oblique().grid().max_distance_mm(back.grid()) < 1e-4);
            assert_eq!(back.values(), oblique().values());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_image_turned_a_little_from_the_axes_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii");
        // Against RAS this is half a turn but for 0.0003 radians, which a quaternion of single precision cannot hold.
        let rotation = *nalgebra::Rotation3::from_axis_angle(&nalgebra::Vector3::z_axis(), 3e-4).matrix();
        let origin = Point::new(-150.0, -110.0, -100.0);
        let shape = Shape { ni: 180, nj: 140, nk: 3 };
        let grid = Grid::from_directions(shape, origin, [2.8, 2.8, 60.0], rotation, FrameId::new("f")).unwrap();
        let image = Volume::from_fn(grid, |at| at.i as f32);
        write_image(&path, &image).unwrap();
        let back = read_image(&path, FrameId::new("f")).unwrap();
        assert!(image.grid().max_distance_mm(back.grid()) < 1e-3);
    }

    #[test]
    fn left_stays_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii");
        write_image(&path, &oblique()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let srow_x: Vec<f32> =
            (0..4).map(|n| f32::from_le_bytes(bytes[280 + 4 * n..284 + 4 * n].try_into().unwrap())).collect();
        assert!((f64::from(srow_x[3]) - 101.5).abs() < 1e-4, "RAS x is minus LPS x: {srow_x:?}");
    }

    #[test]
    fn fractions_are_no_labels_and_missing_positions_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii");
        write_image(&path, &oblique()).unwrap();
        assert!(matches!(read_labels(&path, FrameId::new("f")), Err(NiftiError::NotALabel { .. })));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[252..256].fill(0);
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(read_image(&path, FrameId::new("f")), Err(NiftiError::NoPosition { .. })));
        std::fs::write(&path, &bytes[..200]).unwrap();
        assert!(read_image(&path, FrameId::new("f")).is_err());
    }

    #[test]
    fn labels_and_masks_keep_their_voxels() {
        let folder = tempfile::tempdir().unwrap();
        let labels = oblique().map(|v| if *v > 100.0 { 300_u16 } else { 0 });
        let path = folder.path().join("l.nii.gz");
        write_labels(&path, &labels).unwrap();
        assert_eq!(read_labels(&path, FrameId::new("f")).unwrap().values(), labels.values());
        let mask = read_mask(&path, FrameId::new("f")).unwrap();
        assert!(*mask.at(Index3 { i: 1, j: 0, k: 1 }) && !*mask.at(Index3 { i: 0, j: 0, k: 1 }));
    }

    /// The image of `oblique` with other header bytes.
    fn changed(folder: &Path, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
        let path = folder.join("changed.nii");
        write_image(&path, &oblique()).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn qform_alone_places_as_sform_does_and_a_conflict_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = changed(folder.path(), |b| b[254..256].fill(0));
        let by_qform = read_image(&path, FrameId::new("f")).unwrap();
        assert!(oblique().grid().max_distance_mm(by_qform.grid()) < 1e-3);
        let path = changed(folder.path(), |b| b[292..296].copy_from_slice(&99.0_f32.to_le_bytes()));
        assert!(matches!(read_image(&path, FrameId::new("f")), Err(NiftiError::Conflict { .. })));
    }

    #[test]
    fn colours_pairs_and_absurd_sizes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let colour = changed(folder.path(), |b| b[70..72].copy_from_slice(&128_i16.to_le_bytes()));
        assert!(matches!(read_image(&colour, FrameId::new("f")), Err(NiftiError::VoxelType { .. })));
        let pair = changed(folder.path(), |b| b[345] = b'i');
        assert!(read_image(&pair, FrameId::new("f")).is_err());
        let huge =
            changed(folder.path(), |b| (42..48).step_by(2).for_each(|n| b[n..n + 2].copy_from_slice(&[0xFF, 0x7F])));
        assert!(read_image(&huge, FrameId::new("f")).unwrap_err().to_string().contains("no image has more"));
    }

    #[test]
    fn nifti_2_and_scaled_integers() {
        let folder = tempfile::tempdir().unwrap();
        let mut b = vec![0_u8; 544];
        let mut put = |at: usize, bytes: &[u8]| b[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &540_i32.to_be_bytes());
        put(4, b"n+2\0\r\n\x1a\n");
        put(12, &4_i16.to_be_bytes());
        [3_i64, 2, 1, 2].iter().enumerate().for_each(|(n, d)| put(16 + 8 * n, &d.to_be_bytes()));
        put(168, &544_i64.to_be_bytes());
        put(176, &0.5_f64.to_be_bytes());
        put(184, &10.0_f64.to_be_bytes());
        put(348, &1_i32.to_be_bytes());
        for (n, v) in [0.7, 0.0, 0.0, 5.0, 0.0, 0.8, 0.0, 6.0, 0.0, 0.0, 2.5, 7.0_f64].iter().enumerate() {
            put(400 + 8 * n, &v.to_be_bytes());
        }
        b.extend([1_i16, -2, 3, 4].iter().flat_map(|v| v.to_be_bytes()));
        let path = folder.path().join("two.nii");
        std::fs::write(&path, b).unwrap();
        let image = read_image(&path, FrameId::new("f")).unwrap();
        assert_eq!(image.values(), [10.5, 9.0, 11.5, 12.0]);
        assert_eq!(image.grid().voxel_to_patient().to_rows()[0], [-0.7, 0.0, 0.0, -5.0]);
    }

    #[test]
    fn no_header_makes_it_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii");
        write_image(&path, &oblique()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut state = 1_u64;
        for n in 0..600 {
            let mut bytes = whole.clone();
            for _ in 0..=n % 4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (state >> 33) as usize % 360;
                bytes[at] = (state >> 24) as u8;
            }
            bytes.truncate(if n % 7 == 0 { (state >> 40) as usize % whole.len() } else { whole.len() });
            std::fs::write(&path, &bytes).unwrap();
            let _ = read_image(&path, FrameId::new("f"));
        }
    }

    #[test]
    fn several_gzip_members_are_one_file() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("a.nii");
        write_image(&plain, &oblique()).unwrap();
        let bytes = std::fs::read(&plain).unwrap();
        let mut packed = Vec::new();
        for part in bytes.chunks(100) {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(part).unwrap();
            packed.extend(encoder.finish().unwrap());
        }
        let path = folder.path().join("members.nii.gz");
        std::fs::write(&path, packed).unwrap();
        assert_eq!(read_image(&path, FrameId::new("f")).unwrap().values(), oblique().values());
    }
}
