//! NRRD images, masks and label maps, in.
//!
//! Space is taken from the file's own `space` and turned into LPS mm; a file without space, directions and origin is refused,
//! never placed by guess. A NRRD names no frame of reference, so the caller states one.
//!
//! Source: Kindlmann, "Definition of NRRD file format" (teem.sourceforge.net/nrrd/format.html), versions 1 to 5.

use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use imaging::grid::MAX_VOXELS;
use imaging::{Affine, FrameId, Grid, GridError, LabelMap, Mask, Shape, Volume};
use nalgebra::{Matrix3, Vector3};
use thiserror::Error;

use crate::stored;
use header::{Encoding, Header, SampleType};

mod blank;
mod header;

pub(crate) use blank::copy_blank;

/// What can be wrong with a NRRD file.
#[derive(Debug, Error)]
pub enum NrrdError {
    /// The file cannot be opened.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Something is not as the format says, or not supported.
    #[error("{path}: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What was expected and found, and what to do.
        reason: String,
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

/// Reads an image (`.nrrd`, or `.nhdr` with its data beside it).
pub fn read_image(path: &Path, frame: FrameId) -> Result<Volume<f32>, NrrdError> {
    let io = |source| NrrdError::Io { path: path.to_owned(), source };
    let unusable = |reason: String| NrrdError::Unusable { path: path.to_owned(), reason };
    let bytes = stored::read(path).map_err(io)?;
    let (header, data_at) = Header::parse(&bytes).map_err(unusable)?;
    let data = data_of(path, &header, &bytes[data_at..])?;
    let raw = raw_of(&header, &data).map_err(unusable)?;
    let width = header.sample.width();
    let values = raw.chunks_exact(width).map(|b| header.sample.value(b, header.big_endian)).collect();
    let grid = grid_of(&header, frame).map_err(|source| NrrdError::Grid { path: path.to_owned(), source })?;
    Volume::from_values(values, grid).map_err(|source| NrrdError::Grid { path: path.to_owned(), source })
}

/// Where the voxels of a file lie, from its header alone.
///
/// # Errors
/// The file is no NRRD file in three dimensions and patient space.
pub fn read_header_grid(path: &Path, frame: FrameId) -> Result<Grid, NrrdError> {
    let mut start = Vec::new();
    let opened = stored::open(path).and_then(|file| file.take(LONGEST_HEADER).read_to_end(&mut start));
    opened.map_err(|source| NrrdError::Io { path: path.to_owned(), source })?;
    let unusable = |reason| NrrdError::Unusable { path: path.to_owned(), reason };
    let (header, _) = Header::parse(&start).map_err(unusable)?;
    if let Some(name) = &header.data_file
        && !stored::is_file(&beside(path, name).map_err(unusable)?)
    {
        return Err(unusable(missing(name)));
    }
    grid_of(&header, frame).map_err(|source| NrrdError::Grid { path: path.to_owned(), source })
}

/// A header is a page of text; keys of a segmentation (one line a segment) make it longer.
const LONGEST_HEADER: u64 = 1 << 20;

/// Reads a label map; refuses values that are not whole numbers from 0 to 65535.
pub fn read_labels(path: &Path, frame: FrameId) -> Result<LabelMap, NrrdError> {
    let image = read_image(path, frame)?;
    let wrong = image.values().iter().find(|v| v.fract() != 0.0 || **v < 0.0 || **v > 65535.0 || v.is_nan());
    match wrong {
        Some(value) => Err(NrrdError::NotALabel { path: path.to_owned(), value: *value }),
        None => Ok(image.map(|v| *v as u16)),
    }
}

/// Reads a mask: every voxel that is not 0 belongs to it.
pub fn read_mask(path: &Path, frame: FrameId) -> Result<Mask, NrrdError> {
    Ok(read_labels(path, frame)?.map(|v| *v != 0))
}

/// The file with the voxels of a detached header (`.nhdr`); `None` where they lie in the file itself, or it is no header at all.
#[must_use]
pub fn data_file(path: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    stored::open(path).and_then(|file| file.take(LONGEST_HEADER).read_to_end(&mut start)).ok()?;
    let (header, _) = Header::parse(&start).ok()?;
    beside(path, &header.data_file?).ok()
}

/// A data file must lie in the header's own folder: a header must not make the program read elsewhere.
fn beside(path: &Path, name: &str) -> Result<PathBuf, String> {
    if name == "LIST" || name.starts_with("LIST ") || name.contains('%') {
        return Err(format!("its data file is {name:?}: several files, expected one; write it again as one file"));
    }
    let plain = Path::new(name).file_name().is_some_and(|n| n == name);
    if plain && !name.contains('\\') {
        Ok(path.with_file_name(name))
    } else {
        Err(format!("its data file is {name:?}, expected one file in its own folder"))
    }
}

fn missing(name: &str) -> String {
    format!("its data file {name:?} does not lie beside it; copy it into the same folder")
}

/// The data as they are written: what follows the header or, of a detached one, as much of its data file as its sizes can need.
fn data_of<'a>(path: &Path, header: &Header, attached: &'a [u8]) -> Result<Cow<'a, [u8]>, NrrdError> {
    let unusable = |reason: String| NrrdError::Unusable { path: path.to_owned(), reason };
    let Some(name) = &header.data_file else { return Ok(Cow::Borrowed(attached)) };
    let n_bytes = bytes_of(header).map_err(unusable)? as u64;
    // What cannot be packed is stored with a few bytes for each block.
    let most = if header.encoding == Encoding::Raw { n_bytes } else { n_bytes + n_bytes / 100 + (1 << 20) };
    let file = beside(path, name).map_err(unusable)?;
    let io = |source| NrrdError::Io { path: file.clone(), source };
    let opened = match stored::open(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(unusable(missing(name))),
        opened => opened.map_err(io)?,
    };
    let mut data = Vec::new();
    opened.take(most).read_to_end(&mut data).map_err(io)?;
    Ok(Cow::Owned(data))
}

/// Bytes of the samples that the sizes promise.
fn bytes_of(header: &Header) -> Result<usize, String> {
    let n_voxels = header.sizes.iter().try_fold(1_usize, |n, s| n.checked_mul(*s)).filter(|n| *n <= MAX_VOXELS);
    let n_voxels = n_voxels.ok_or_else(|| {
        format!("its sizes {:?} are more than {MAX_VOXELS} voxels, as no image has; export it again", header.sizes)
    })?;
    n_voxels.checked_mul(header.sample.width()).ok_or_else(|| "its sizes are absurd".to_owned())
}

/// The bytes of the samples, unpacked.
fn raw_of<'a>(header: &Header, data: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
    let n_bytes = bytes_of(header)?;
    let raw = match header.encoding {
        Encoding::Raw => Cow::Borrowed(&data[..data.len().min(n_bytes)]),
        Encoding::Gzip => {
            // Deflate packs at most about 1030 to 1: what promises more is no image.
            if n_bytes / 1100 > data.len() {
                return Err(format!("{} compressed bytes cannot hold {n_bytes}; export it again", data.len()));
            }
            let mut out = Vec::new();
            MultiGzDecoder::new(data).take(n_bytes as u64).read_to_end(&mut out).map_err(|e| e.to_string())?;
            Cow::Owned(out)
        }
    };
    if raw.len() < n_bytes {
        return Err(format!("it holds {} bytes of data, its sizes say {n_bytes}; copy it again", raw.len()));
    }
    Ok(raw)
}

fn grid_of(header: &Header, frame: FrameId) -> Result<Grid, GridError> {
    let flip = Vector3::from(header.space_to_lps);
    let column = |n: usize| Vector3::from(header.directions[n]).component_mul(&flip);
    let linear = Matrix3::from_columns(&[column(0), column(1), column(2)]);
    let origin = Vector3::from(header.origin).component_mul(&flip);
    let [ni, nj, nk] = header.sizes;
    Grid::new(Shape { ni, nj, nk }, Affine::from_parts(linear, origin), frame)
}

impl SampleType {
    fn value(self, bytes: &[u8], big_endian: bool) -> f32 {
        let mut b = [0_u8; 8];
        b[..bytes.len()].copy_from_slice(bytes);
        if big_endian {
            b[..bytes.len()].reverse();
        }
        match self {
            Self::I8 => f32::from(b[0] as i8),
            Self::U8 => f32::from(b[0]),
            Self::I16 => f32::from(i16::from_le_bytes([b[0], b[1]])),
            Self::U16 => f32::from(u16::from_le_bytes([b[0], b[1]])),
            Self::I32 => i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32,
            Self::U32 => u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32,
            Self::F32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            Self::I64 => i64::from_le_bytes(b) as f32,
            Self::U64 => u64::from_le_bytes(b) as f32,
            Self::F64 => f64::from_le_bytes(b) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const HEADER: &str = "NRRD0004\n# a comment\ntype: short\ndimension: 3\nspace: right-anterior-superior\n\
        sizes: 2 2 2\nspace directions: (0.5,0,0) (0,0,2) (0,-1,0)\nkinds: domain domain domain\nendian: big\n";

    fn written(folder: &Path, header: &str, data: &[u8]) -> PathBuf {
        let path = folder.join("a.nrrd");
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(data);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn numbers() -> Vec<u8> {
        (0..8_i16).flat_map(|n| (n * 100 - 3).to_be_bytes()).collect()
    }

    #[test]
    fn big_endian_ras_becomes_lps_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let header = format!("{HEADER}encoding: raw\nspace origin: (10,-20,30)\n\n");
        let image = read_image(&written(folder.path(), &header, &numbers()), FrameId::new("f")).unwrap();
        assert_eq!(image.values()[..3], [-3.0, 97.0, 197.0]);
        let rows = image.grid().voxel_to_patient().to_rows();
        assert_eq!(rows[0], [-0.5, 0.0, 0.0, -10.0]);
        assert_eq!(rows[1], [0.0, 0.0, 1.0, 20.0]);
        assert_eq!(rows[2], [0.0, 2.0, 0.0, 30.0]);
        assert!(matches!(
            read_labels(&folder.path().join("a.nrrd"), FrameId::new("f")),
            Err(NrrdError::NotALabel { .. })
        ));
    }

    #[test]
    fn compressed_and_detached_data() {
        let folder = tempfile::tempdir().unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&numbers()).unwrap();
        std::fs::write(folder.path().join("a.raw.gz"), encoder.finish().unwrap()).unwrap();
        let header = format!("{HEADER}encoding: gzip\nspace origin: (0,0,0)\ndata file: a.raw.gz\n");
        let path = written(folder.path(), &header, &[]);
        assert_eq!(read_image(&path, FrameId::new("f")).unwrap().values()[7], 697.0);
        for (name, reason) in [
            ("../a.raw.gz", "in its own folder"),
            ("/etc/passwd", "in its own folder"),
            ("sub/a.raw.gz", "in its own folder"),
            ("..", "in its own folder"),
            ("LIST", "several files"),
            ("a%03d.raw 1 10 1", "several files"),
            ("gone.raw.gz", "does not lie beside it"),
        ] {
            let path = written(folder.path(), &header.replace("a.raw.gz", name), &[]);
            for error in [
                read_image(&path, FrameId::new("f")).unwrap_err(),
                read_header_grid(&path, FrameId::new("f")).unwrap_err(),
            ] {
                assert!(error.to_string().contains(reason), "{name}: {error}");
            }
        }
    }

    #[test]
    fn what_is_not_placed_or_cut_short_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let good = format!("{HEADER}encoding: raw\nspace origin: (0,0,0)\n\n");
        for (from, to) in [
            ("space: right-anterior-superior\n", ""),
            ("space origin: (0,0,0)\n", ""),
            ("sizes: 2 2 2", "sizes: 2 2 3"),
            ("sizes: 2 2 2", "sizes: 99999999999 99999999999 2"),
            ("dimension: 3", "dimension: 4"),
            ("type: short", "type: block"),
            ("(0,-1,0)", "none"),
            ("encoding: raw", "encoding: bzip2"),
        ] {
            let path = written(folder.path(), &good.replace(from, to), &numbers());
            assert!(read_image(&path, FrameId::new("f")).is_err(), "{from} -> {to}");
        }
        for n in 0..good.len() {
            let _ = read_image(&written(folder.path(), &good[..n], &[]), FrameId::new("f"));
        }
    }
}
