//! Small NIfTI and NRRD files, plain and in stored gzip blocks.

use crate::packed::{crc32, stored_blocks};

/// A NIfTI-1 image of 4 x 3 x 2 voxels of 16 bits.
fn nifti_1() -> Vec<u8> {
    let mut out = vec![0_u8; 352];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348_i32.to_le_bytes());
    for (n, dim) in [3_i16, 4, 3, 2, 1, 1, 1, 1].iter().enumerate() {
        put(40 + 2 * n, &dim.to_le_bytes());
    }
    put(70, &4_i16.to_le_bytes());
    put(72, &16_i16.to_le_bytes());
    for (n, size) in [1_f32, 0.7, 0.9, 3.0].iter().enumerate() {
        put(76 + 4 * n, &size.to_le_bytes());
    }
    put(108, &352_f32.to_le_bytes());
    put(112, &1_f32.to_le_bytes());
    put(123, &[2]);
    put(254, &1_i16.to_le_bytes());
    for (n, value) in [0.7_f32, 0.0, 0.0, -30.0, 0.0, 0.9, 0.0, 12.0, 0.0, 0.0, 3.0, 400.0].iter().enumerate() {
        put(280 + 4 * n, &value.to_le_bytes());
    }
    put(344, b"n+1\0");
    out.extend((0..24_i16).flat_map(i16::to_le_bytes));
    out
}

/// A NIfTI-2 image of 4 x 3 x 2 voxels of 8 bits.
fn nifti_2() -> Vec<u8> {
    let mut out = vec![0_u8; 544];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &540_i32.to_le_bytes());
    put(4, b"n+2\0\r\n\x1a\n");
    put(12, &2_i16.to_le_bytes());
    put(14, &8_i16.to_le_bytes());
    for (n, dim) in [3_i64, 4, 3, 2, 1, 1, 1, 1].iter().enumerate() {
        put(16 + 8 * n, &dim.to_le_bytes());
    }
    for (n, size) in [1_f64, 0.7, 0.9, 3.0].iter().enumerate() {
        put(104 + 8 * n, &size.to_le_bytes());
    }
    put(168, &544_i64.to_le_bytes());
    put(176, &1_f64.to_le_bytes());
    put(344, &1_i32.to_le_bytes());
    put(500, &2_i32.to_le_bytes());
    out.extend(0..24);
    out
}

/// Bytes as one gzip member of stored blocks.
#[must_use]
pub fn gzip_stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3];
    out.extend(stored_blocks(bytes, u16::MAX));
    out.extend_from_slice(&crc32(bytes).to_le_bytes());
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out
}

/// NIfTI images: version 1 and 2, plain and gzipped.
#[must_use]
pub fn niftis() -> Vec<Vec<u8>> {
    vec![nifti_1(), nifti_2(), gzip_stored(&nifti_1()), gzip_stored(&nifti_2())]
}

/// Maps between two images: matrices as ITK text, and a displacement field of 3 x 2 x 2 nodes, plain and gzipped.
#[must_use]
pub fn maps() -> Vec<Vec<u8>> {
    let head = "#Insight Transform File V1.0\nTransform:";
    let texts = [
        format!("{head} TranslationTransform_double_3_3\nParameters: 4 -3 4.5\nFixedParameters: \n"),
        format!("{head} Euler3DTransform_double_3_3\nParameters: 0.1 0 -0.2 11.3 0 2\nFixedParameters: 10 20 30 0\n"),
        format!("{head} AffineTransform_double_3_3\nParameters: 1 0 0.1 0 1 0 0 0 1 5 6 7\nFixedParameters: 1 2 3\n"),
    ];
    let field = displacement();
    texts.into_iter().map(String::into_bytes).chain([gzip_stored(&field), field]).collect()
}

fn displacement() -> Vec<u8> {
    let mut out = nifti_1()[..352].to_vec();
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    for (n, dim) in [5_i16, 3, 2, 2, 1, 3, 1, 1].iter().enumerate() {
        put(40 + 2 * n, &dim.to_le_bytes());
    }
    put(68, &1007_i16.to_le_bytes());
    put(70, &16_i16.to_le_bytes());
    put(72, &32_i16.to_le_bytes());
    out.extend((0..36_i16).flat_map(|n| (f32::from(n) / 8.0).to_le_bytes()));
    out
}

/// NRRD images: raw and gzipped.
#[must_use]
pub fn nrrds() -> Vec<Vec<u8>> {
    let voxels = nrrd_voxels();
    vec![[nrrd_header("raw", ""), voxels.clone()].concat(), [nrrd_header("gzip", ""), gzip_stored(&voxels)].concat()]
}

/// Detached NRRD headers, each with its data, which it names `image.raw` or `image.raw.gz`.
#[must_use]
pub fn nrrds_in_two_files() -> Vec<(Vec<u8>, Vec<u8>)> {
    let voxels = nrrd_voxels();
    vec![
        (nrrd_header("raw", "data file: image.raw\n"), voxels.clone()),
        (nrrd_header("gzip", "data file: image.raw.gz\n"), gzip_stored(&voxels)),
    ]
}

fn nrrd_voxels() -> Vec<u8> {
    (0..24_i16).flat_map(i16::to_le_bytes).collect()
}

fn nrrd_header(encoding: &str, more: &str) -> Vec<u8> {
    format!(
        "NRRD0004\n# made for tests\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 4 3 2\nspace directions: (0.7,0,0) (0,0.9,0) (0,0,3)\nkinds: domain domain domain\nendian: little\nencoding: {encoding}\nspace origin: (-30,12,400)\n{more}\n"
    )
    .into_bytes()
}
