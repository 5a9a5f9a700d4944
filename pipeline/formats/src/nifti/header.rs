//! The header of a NIfTI-1 or NIfTI-2 file, read byte by byte: no header can make it panic or take memory.
//!
//! Source: nifti1.h (Cox et al. 2004), nifti2.h (2011): same fields, other widths and places.

use nalgebra::{Matrix3, Matrix4, Vector3};

/// How voxels are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VoxelForm {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl VoxelForm {
    fn of(code: i16) -> Result<Self, String> {
        Ok(match code {
            2 => Self::U8,
            256 => Self::I8,
            512 => Self::U16,
            4 => Self::I16,
            768 => Self::U32,
            8 => Self::I32,
            1280 => Self::U64,
            1024 => Self::I64,
            16 => Self::F32,
            64 => Self::F64,
            128 | 2304 => return Err("colours".to_owned()),
            32 | 1792 | 2048 => return Err("complex numbers".to_owned()),
            other => return Err(format!("voxels of type {other}")),
        })
    }

    /// Bytes of one voxel.
    pub(super) fn width(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// One voxel from its bytes, in f64.
    pub(super) fn value(self, bytes: &[u8], big_endian: bool) -> f64 {
        let mut b = [0_u8; 8];
        b[..bytes.len()].copy_from_slice(bytes);
        if big_endian {
            b[..bytes.len()].reverse();
        }
        match self {
            Self::U8 => f64::from(b[0]),
            Self::I8 => f64::from(b[0] as i8),
            Self::U16 => f64::from(u16::from_le_bytes([b[0], b[1]])),
            Self::I16 => f64::from(i16::from_le_bytes([b[0], b[1]])),
            Self::U32 => f64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            Self::I32 => f64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            Self::F32 => f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            Self::U64 => u64::from_le_bytes(b) as f64,
            Self::I64 => i64::from_le_bytes(b) as f64,
            Self::F64 => f64::from_le_bytes(b),
        }
    }
}

/// What a header says of its image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) shape: Vec<usize>,
    pub(super) form: VoxelForm,
    pub(super) big_endian: bool,
    pub(super) data_at: usize,
    /// scl_slope and scl_inter; (1, 0) where they are unused.
    pub(super) scaling: (f64, f64),
    /// What the numbers mean, by NIfTI's code.
    pub(super) intent: i32,
    sform: Option<Matrix4<f64>>,
    qform: Option<Matrix4<f64>>,
}

/// Why a header is refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refusal {
    NotNifti(String),
    VoxelType(String),
}

/// Header bytes of NIfTI-2, the longer one.
pub(super) const LONGEST_HEADER: usize = 540;

/// Extensions between header and voxels hold texts; a compressed file would be unpacked up to here.
const MAX_EXTENSIONS: f64 = 64e6;

/// Reads numbers of either byte order at fixed places of bytes known to be long enough.
struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Fields<'_> {
    fn number(&self, at: usize, form: VoxelForm) -> f64 {
        form.value(&self.bytes[at..at + form.width()], self.big_endian)
    }
    fn numbers<const N: usize>(&self, at: usize, form: VoxelForm) -> [f64; N] {
        std::array::from_fn(|n| self.number(at + n * form.width(), form))
    }
}

/// Where NIfTI-1 and NIfTI-2 keep their fields: dim, datatype, pixdim, vox_offset, scl_slope, units, intent, qform, quaternion, srow;
/// the widths of dim, of real numbers, of vox_offset and of the two codes.
struct Places {
    dim: (usize, VoxelForm),
    datatype: usize,
    pixdim: usize,
    vox_offset: (usize, VoxelForm),
    scl_slope: usize,
    units: (usize, VoxelForm),
    intent: (usize, VoxelForm),
    qform_code: (usize, VoxelForm),
    quaternion: usize,
    srow: usize,
    real: VoxelForm,
}

const NIFTI_1: Places = Places {
    dim: (40, VoxelForm::I16),
    datatype: 70,
    pixdim: 76,
    vox_offset: (108, VoxelForm::F32),
    scl_slope: 112,
    units: (123, VoxelForm::U8),
    intent: (68, VoxelForm::I16),
    qform_code: (252, VoxelForm::I16),
    quaternion: 256,
    srow: 280,
    real: VoxelForm::F32,
};

const NIFTI_2: Places = Places {
    dim: (16, VoxelForm::I64),
    datatype: 12,
    pixdim: 104,
    vox_offset: (168, VoxelForm::I64),
    scl_slope: 176,
    units: (500, VoxelForm::I32),
    intent: (504, VoxelForm::I32),
    qform_code: (344, VoxelForm::I32),
    quaternion: 352,
    srow: 400,
    real: VoxelForm::F64,
};

impl Header {
    /// From the first bytes of a file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let damaged = |reason: &str| Refusal::NotNifti(reason.to_owned());
        let size: [u8; 4] = bytes.get(..4).and_then(|b| b.try_into().ok()).ok_or_else(|| damaged("it is too short"))?;
        let (places, length, big_endian) = match (i32::from_le_bytes(size), i32::from_be_bytes(size)) {
            (348, _) => (&NIFTI_1, 348, false),
            (_, 348) => (&NIFTI_1, 348, true),
            (540, _) => (&NIFTI_2, 540, false),
            (_, 540) => (&NIFTI_2, 540, true),
            _ => return Err(damaged("it begins with no NIfTI header")),
        };
        let header = bytes.get(..length).ok_or_else(|| damaged("the header is cut short"))?;
        let magic = if length == 348 { &header[344..348] } else { &header[4..8] };
        match magic {
            b"n+1\0" | b"n+2\0" => {}
            b"ni1\0" | b"ni2\0" => {
                return Err(damaged("its voxels are in another file; join header and image into one .nii"));
            }
            _ => return Err(damaged("it has no NIfTI magic (an Analyze file?)")),
        }
        let f = Fields { bytes: header, big_endian };
        let shape = shape_of(&f, places).ok_or_else(|| damaged("its dimensions are no image"))?;
        let form = VoxelForm::of(f.number(places.datatype, VoxelForm::I16) as i16).map_err(Refusal::VoxelType)?;
        let offset = f.number(places.vox_offset.0, places.vox_offset.1);
        if !(offset >= length as f64 && offset <= MAX_EXTENSIONS) {
            return Err(damaged("its voxels begin inside the header or nowhere"));
        }
        let [slope, intercept] = f.numbers(places.scl_slope, places.real);
        let used = slope.is_finite() && slope != 0.0 && intercept.is_finite();
        let millimetres = match f.number(places.units.0, places.units.1) as i32 & 7 {
            1 => 1000.0,
            3 => 0.001,
            _ => 1.0,
        };
        let (sform, qform) = forms_of(&f, places, millimetres);
        Ok(Self {
            shape,
            form,
            big_endian,
            data_at: offset as usize,
            scaling: if used { (slope, intercept) } else { (1.0, 0.0) },
            intent: f.number(places.intent.0, places.intent.1) as i32,
            sform,
            qform,
        })
    }

    /// The map from voxels to RAS mm: sform before qform. `Err` says how far the two place a corner of the image apart when they
    /// contradict each other; `Ok(None)` where neither is stated.
    pub(super) fn voxel_to_ras(&self) -> Result<Option<Matrix4<f64>>, f64> {
        let (Some(s), Some(q)) = (&self.sform, &self.qform) else { return Ok(self.sform.or(self.qform)) };
        let last = |axis: usize| self.shape.get(axis).map_or(0.0, |n| n.saturating_sub(1) as f64);
        let mut worst = 0.0_f64;
        for corner in 0..8 {
            let at = |axis: usize| if corner >> axis & 1 == 1 { last(axis) } else { 0.0 };
            let voxel = nalgebra::Vector4::new(at(0), at(1), at(2), 1.0);
            worst = worst.max((s * voxel - q * voxel).norm());
        }
        let reach = (q * nalgebra::Vector4::new(last(0), last(1), last(2), 0.0)).norm();
        let allowed = FORMS_TOLERANCE_MM + reach * half_turn_radians(q);
        if worst <= allowed { Ok(Some(*s)) } else { Err(worst) }
    }
}

/// How far a quaternion may turn an image against its sform, radians: next to nothing, but for rotations within
/// [`HALF_TURN_RADIANS`] of half a turn, where single precision cannot tell its first component from 0 (nifti1.h takes it for 0).
/// Images along the axes of LPS are such: against RAS they are turned by half.
fn half_turn_radians(qform: &Matrix4<f64>) -> f64 {
    let linear = qform.fixed_view::<3, 3>(0, 0).into_owned();
    let mut rotation = Matrix3::from_columns(&[0, 1, 2].map(|axis| linear.column(axis).normalize()));
    if rotation.determinant() < 0.0 {
        rotation.set_column(2, &(-rotation.column(2)));
    }
    let a = 0.5 * (1.0 + rotation.trace()).max(0.0).sqrt();
    if 2.0 * a < HALF_TURN_RADIANS { HALF_TURN_RADIANS } else { 0.0 }
}

/// Twice the first component that is read as 0: 2 · √1e-7, rounded up.
const HALF_TURN_RADIANS: f64 = 6.5e-4;

/// sform and qform may place a corner this far apart: both are written in single precision, the one as a quaternion.
const FORMS_TOLERANCE_MM: f64 = 0.1;

/// The dimensions in use; `None` where they are none.
fn shape_of(f: &Fields<'_>, places: &Places) -> Option<Vec<usize>> {
    let dim: [f64; 8] = f.numbers(places.dim.0, places.dim.1);
    let n = dim[0];
    if !(1.0..=7.0).contains(&n) {
        return None;
    }
    let shape: Vec<usize> = dim[1..=n as usize].iter().map(|d| if *d >= 1.0 { *d as usize } else { 0 }).collect();
    let product = shape.iter().try_fold(1_usize, |p, d| p.checked_mul(*d))?;
    (product > 0).then_some(shape)
}

/// Both maps where they are stated and usable.
fn forms_of(f: &Fields<'_>, places: &Places, millimetres: f64) -> (Option<Matrix4<f64>>, Option<Matrix4<f64>>) {
    let (at, width) = places.qform_code;
    let [qform_code, sform_code] = f.numbers(at, width);
    let usable = |m: Matrix4<f64>| Some(m).filter(|m| m.iter().all(|v| v.is_finite()));
    let sform = (sform_code > 0.0).then(|| {
        let rows: [f64; 12] = f.numbers(places.srow, places.real);
        Matrix4::from_fn(|r, c| if r < 3 { rows[r * 4 + c] * millimetres } else { f64::from(u8::from(c == 3)) })
    });
    let qform = (qform_code > 0.0).then(|| {
        let pixdim: [f64; 4] = f.numbers(places.pixdim, places.real);
        let [b, c, d, x, y, z] = f.numbers(places.quaternion, places.real);
        qform_matrix(pixdim, [b, c, d], [x, y, z], millimetres)
    });
    (sform.and_then(usable), qform.and_then(usable))
}

/// nifti1.h, method 2: a rotation, spacings, and a sign for the third axis.
fn qform_matrix(pixdim: [f64; 4], [b, c, d]: [f64; 3], offset: [f64; 3], millimetres: f64) -> Matrix4<f64> {
    let rest = 1.0 - (b * b + c * c + d * d);
    // Rounding may leave a quaternion slightly too long; then it is made a unit one with a = 0.
    let (a, b, c, d) = if rest < 1e-7 {
        let length = (b * b + c * c + d * d).sqrt();
        (0.0, b / length, c / length, d / length)
    } else {
        (rest.sqrt(), b, c, d)
    };
    let rotation = Matrix3::new(
        a * a + b * b - c * c - d * d,
        2.0 * (b * c - a * d),
        2.0 * (b * d + a * c),
        2.0 * (b * c + a * d),
        a * a + c * c - b * b - d * d,
        2.0 * (c * d - a * b),
        2.0 * (b * d - a * c),
        2.0 * (c * d + a * b),
        a * a + d * d - b * b - c * c,
    );
    let sign = if pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let spacing = Vector3::new(pixdim[1].abs(), pixdim[2].abs(), pixdim[3].abs() * sign) * millimetres;
    let linear = rotation * Matrix3::from_diagonal(&spacing);
    let mut matrix = Matrix4::identity();
    matrix.fixed_view_mut::<3, 3>(0, 0).copy_from(&linear);
    matrix.fixed_view_mut::<3, 1>(0, 3).copy_from(&(Vector3::from(offset) * millimetres));
    matrix
}
