//! NIfTI-1 images, masks and label maps, in and out.
//!
//! NIfTI coordinates are RAS mm; the program's are LPS mm. The two meet in this file only, in the private type `Ras`.
//! A NIfTI file names no frame of reference, so the caller states one.
//!
//! Source: NIfTI-1.1 header (Cox et al. 2004, nifti1.h): sform before qform before pixdim.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use imaging::{Affine, FrameId, Grid, GridError, LabelMap, Mask, Patient, Shape, Volume, Voxel};
use nalgebra::{Matrix3, Matrix4, Vector3};
use ndarray::{Array3, ArrayD, Ix3};
use nifti::writer::WriterOptions;
use nifti::{InMemNiftiObject, IntoNdArray, NiftiHeader, NiftiObject, NiftiType, XForm};
use thiserror::Error;

/// What can be wrong with a NIfTI file.
#[derive(Debug, Error)]
pub enum NiftiError {
    /// The file cannot be opened or written.
    #[error("cannot read or write {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The bytes are not NIfTI-1.
    #[error("{path} is not a NIfTI-1 file ({reason}); NIfTI-2 and Analyze files can be converted with nibabel or c3d")]
    NotNifti {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// A pixel type that is not one real number.
    #[error("{path} holds {found:?} voxels; expected one real number per voxel: convert it to int16 or float32")]
    VoxelType {
        /// The file.
        path: PathBuf,
        /// The type found.
        found: NiftiType,
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
    let object = read_object(path)?;
    let header = object.header().clone();
    let voxel_type = header.data_type().map_err(|error| not_nifti(path, &error))?;
    if matches!(
        voxel_type,
        NiftiType::Rgb24 | NiftiType::Rgba32 | NiftiType::Complex64 | NiftiType::Complex128 | NiftiType::Complex256
    ) {
        return Err(NiftiError::VoxelType { path: path.to_owned(), found: voxel_type });
    }
    let array: ArrayD<f32> = object.into_volume().into_ndarray().map_err(|error| not_nifti(path, &error))?;
    let values = to_memory_order(&array, path)?;
    let (nk, nj, ni) = values.dim();
    let grid = read_grid(&header, Shape { ni, nj, nk }, frame, path)?;
    Volume::new(values, grid).map_err(|source| NiftiError::Grid { path: path.to_owned(), source })
}

/// Reads a label map; refuses values that are not whole numbers from 0 to 65535.
pub fn read_labels(path: &Path, frame: FrameId) -> Result<LabelMap, NiftiError> {
    let image = read_image(path, frame)?;
    let wrong = image.values().iter().find(|v| v.fract() != 0.0 || **v < 0.0 || **v > 65535.0 || v.is_nan());
    match wrong {
        Some(value) => Err(NiftiError::NotALabel { path: path.to_owned(), value: *value }),
        None => Ok(image.map(|v| *v as u16)),
    }
}

/// Reads a mask: every voxel that is not 0 belongs to it.
pub fn read_mask(path: &Path, frame: FrameId) -> Result<Mask, NiftiError> {
    Ok(read_labels(path, frame)?.map(|v| *v != 0))
}

/// Writes an image as 32-bit floats; `.gz` in the name compresses. Written under a temporary name, then renamed.
pub fn write_image(path: &Path, image: &Volume<f32>) -> Result<(), NiftiError> {
    write(path, image)
}

/// Writes a label map as unsigned 8-bit integers where the labels allow it, else 16-bit.
pub fn write_labels(path: &Path, labels: &LabelMap) -> Result<(), NiftiError> {
    if labels.values().iter().all(|v| *v <= 255) { write(path, &labels.map(|v| *v as u8)) } else { write(path, labels) }
}

/// Writes a mask as 0 and 1.
pub fn write_mask(path: &Path, mask: &Mask) -> Result<(), NiftiError> {
    write(path, &mask.map(|v| u8::from(*v)))
}

fn not_nifti(path: &Path, reason: &impl ToString) -> NiftiError {
    NiftiError::NotNifti { path: path.to_owned(), reason: reason.to_string() }
}

fn io_error(path: &Path, source: std::io::Error) -> NiftiError {
    NiftiError::Io { path: path.to_owned(), source }
}

/// Opens plain and compressed files; also those of several gzip members, as bgzip and pigz write them.
fn read_object(path: &Path) -> Result<InMemNiftiObject, NiftiError> {
    let file = std::fs::File::open(path).map_err(|e| io_error(path, e))?;
    let mut reader = BufReader::new(file);
    let mut magic = [0_u8; 2];
    let gzip = reader.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    let whole = std::io::Cursor::new(magic).chain(reader);
    let mut bytes = Vec::new();
    if gzip {
        MultiGzDecoder::new(whole).read_to_end(&mut bytes).map_err(|e| io_error(path, e))?;
    } else {
        let mut whole = whole;
        whole.read_to_end(&mut bytes).map_err(|e| io_error(path, e))?;
    }
    // The crate panics on some damaged headers; a panic of one file must not end the cohort.
    std::panic::catch_unwind(|| InMemNiftiObject::from_reader(std::io::Cursor::new(bytes)))
        .map_err(|_| not_nifti(path, &"the header is damaged"))?
        .map_err(|error| not_nifti(path, &error))
}

/// NIfTI's arrays come as [x, y, z] in Fortran order; ours are [k, j, i] in C order: the same memory.
fn to_memory_order(array: &ArrayD<f32>, path: &Path) -> Result<Array3<f32>, NiftiError> {
    let mut shape = array.shape().to_vec();
    while shape.len() > 3 && shape.last() == Some(&1) {
        shape.pop();
    }
    while shape.len() < 3 {
        shape.push(1);
    }
    let wrong = || NiftiError::Dimensions { path: path.to_owned(), shape: array.shape().to_vec() };
    if shape.len() != 3 {
        return Err(wrong());
    }
    let squeezed = array
        .view()
        .reversed_axes()
        .to_shape(ndarray::IxDyn(&[shape[2], shape[1], shape[0]]))
        .map_err(|_| wrong())?
        .into_owned();
    let values = squeezed.into_dimensionality::<Ix3>().map_err(|_| wrong())?;
    Ok(values.as_standard_layout().into_owned())
}

fn read_grid(header: &NiftiHeader, shape: Shape, frame: FrameId, path: &Path) -> Result<Grid, NiftiError> {
    if header.sform_code <= 0 && header.qform_code <= 0 {
        return Err(NiftiError::NoPosition { path: path.to_owned() });
    }
    // The crate panics on a qform with a negative spacing.
    let affine = std::panic::catch_unwind(|| header.affine::<f64>())
        .map_err(|_| not_nifti(path, &"the qform has a negative spacing or an impossible quaternion"))?;
    let voxel_to_ras = Affine::<Voxel, Ras>::from_parts(
        affine.fixed_view::<3, 3>(0, 0).into_owned(),
        affine.fixed_view::<3, 1>(0, 3).into_owned(),
    );
    let ras_to_lps = lps_to_ras().inverse().expect("a change of sign can be undone");
    Grid::new(shape, voxel_to_ras.then(&ras_to_lps), frame)
        .map_err(|source| NiftiError::Grid { path: path.to_owned(), source })
}

fn write<T>(path: &Path, volume: &Volume<T>) -> Result<(), NiftiError>
where
    T: nifti::DataElement + bytemuck::Pod,
{
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|e| io_error(path, e))?;
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("image.nii.gz");
    let part = tempfile::Builder::new()
        .prefix(".part-")
        .suffix(name)
        .tempfile_in(folder)
        .map_err(|e| io_error(path, e))?
        .into_temp_path();
    let header = header_of(volume.grid());
    let array = volume.data().view().reversed_axes();
    WriterOptions::new(&part)
        .reference_header(&header)
        .compress(path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz")))
        .write_nifti(&array)
        .map_err(|error| match error {
            nifti::NiftiError::Io(source) => io_error(path, source),
            other => not_nifti(path, &other),
        })?;
    make_readable(&part).map_err(|e| io_error(path, e))?;
    part.persist(path).map_err(|e| io_error(path, e.error))
}

/// Temporary files are private to their owner; results get the usual mode so that a group can read them.
fn make_readable(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn header_of(grid: &Grid) -> NiftiHeader {
    let voxel_to_ras = grid.voxel_to_patient().then(&lps_to_ras());
    let rows = voxel_to_ras.to_rows();
    let affine = Matrix4::from_fn(|r, c| rows[r][c] as f32);
    let spacing = grid.spacing_mm();
    let mut header = NiftiHeader { xyzt_units: 2, ..NiftiHeader::default() };
    header.pixdim = [1.0, spacing[0] as f32, spacing[1] as f32, spacing[2] as f32, 0.0, 0.0, 0.0, 0.0];
    header.set_sform(&affine, XForm::ScannerAnat);
    header.set_qform(&affine, XForm::ScannerAnat);
    header
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
