//! Writes images, masks and label maps as NIfTI-1: the voxels go out of the memory they lie in, without a copy.
//!
//! Source: NIfTI-1.1 header (Cox et al. 2004, nifti1.h).

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use imaging::{Grid, LabelMap, Mask, Volume};
use nalgebra::Matrix4;
use nifti::{DataElement, NiftiHeader, XForm};

use super::displacement::INTENT_VECTOR;
use super::{NiftiError, io_error, lps_to_ras, narrow, not_nifti};
use crate::atomic::{self, Durability};

/// Writes an image as 32-bit floats; `.gz` in the name compresses. Written under a temporary name, then renamed.
pub fn write_image(path: &Path, image: &Volume<f32>) -> Result<(), NiftiError> {
    write(path, image)
}

/// Writes an image as 16-bit integers where every value is one, as those of most CT are, else as 32-bit floats.
///
/// # Errors
/// The file cannot be written.
pub fn write_image_narrow(path: &Path, image: &Volume<f32>) -> Result<(), NiftiError> {
    let Some(narrow) = narrow::integers(image.values()) else { return write(path, image) };
    let narrow = Volume::from_values(narrow, image.grid().clone())
        .map_err(|source| NiftiError::Grid { path: path.to_owned(), source })?;
    write(path, &narrow)
}

/// Writes a label map as unsigned 8-bit integers where the labels allow it, else 16-bit.
pub fn write_labels(path: &Path, labels: &LabelMap) -> Result<(), NiftiError> {
    if labels.values().iter().all(|v| *v <= 255) { write(path, &labels.map(|v| *v as u8)) } else { write(path, labels) }
}

/// Writes a mask as 0 and 1.
pub fn write_mask(path: &Path, mask: &Mask) -> Result<(), NiftiError> {
    write(path, &mask.map(|v| u8::from(*v)))
}

fn write<T>(path: &Path, volume: &Volume<T>) -> Result<(), NiftiError>
where
    T: DataElement + bytemuck::Pod,
{
    let header = header_of::<T>(volume.grid()).map_err(|reason| not_nifti(path, &reason))?;
    write_bytes(path, &bytes_of(&header), bytemuck::cast_slice(volume.values()))
}

/// Writes three numbers a voxel, component after component, as a field of vectors.
pub(super) fn write_field(path: &Path, grid: &Grid, by_component: &[f32]) -> Result<(), NiftiError> {
    let mut header = header_of::<f32>(grid).map_err(|reason| not_nifti(path, &reason))?;
    header.dim[0] = 5;
    header.dim[5] = 3;
    header.intent_code = INTENT_VECTOR as i16;
    write_bytes(path, &bytes_of(&header), bytemuck::cast_slice(by_component))
}

/// Writes header and voxels; `.gz` in the name compresses.
fn write_bytes(path: &Path, header: &[u8], voxels: &[u8]) -> Result<(), NiftiError> {
    let is_packed = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    let written = atomic::write(path, Durability::Buffered, |part| -> io::Result<()> {
        if is_packed {
            let mut packed = GzEncoder::new(part.as_file_mut(), Compression::fast());
            packed.write_all(header)?;
            packed.write_all(voxels)?;
            packed.finish()?;
            return Ok(());
        }
        part.write_all(header)?;
        part.write_all(voxels)
    });
    written.map_err(|error| io_error(path, error))
}

/// Where the voxels begin: after the header and the four bytes that say that no extension follows.
const VOXELS_AT: f32 = 352.0;

/// The header of one number of a type in each voxel of a grid.
pub(super) fn header_of<T: DataElement>(grid: &Grid) -> Result<NiftiHeader, String> {
    let voxel_to_ras = grid.voxel_to_patient().then(&lps_to_ras());
    let rows = voxel_to_ras.to_rows();
    let affine = Matrix4::from_fn(|r, c| rows[r][c] as f32);
    let spacing = grid.spacing_mm();
    let shape = grid.shape();
    let mut header = NiftiHeader {
        dim: [3, 1, 1, 1, 1, 1, 1, 1],
        datatype: T::DATA_TYPE as i16,
        bitpix: 8 * size_of::<T>() as i16,
        vox_offset: VOXELS_AT,
        scl_slope: 1.0,
        xyzt_units: 2,
        magic: *b"n+1\0",
        ..NiftiHeader::default()
    };
    for (place, n) in header.dim[1..].iter_mut().zip([shape.ni, shape.nj, shape.nk]) {
        let fits = i16::try_from(n).is_ok();
        *place =
            fits.then_some(n as u16).ok_or_else(|| format!("{n} voxels in a row are more than NIfTI-1 can say"))?;
    }
    header.pixdim = [1.0, spacing[0] as f32, spacing[1] as f32, spacing[2] as f32, 0.0, 0.0, 0.0, 0.0];
    header.set_sform(&affine, XForm::ScannerAnat);
    header.set_qform(&affine, XForm::ScannerAnat);
    Ok(header)
}

/// The bytes before the voxels, in the order of bytes that this machine has, as the voxels are.
pub(super) fn bytes_of(h: &NiftiHeader) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(VOXELS_AT as usize);
    let mut put = |field: &[u8]| bytes.extend_from_slice(field);
    put(&h.sizeof_hdr.to_ne_bytes());
    put(&h.data_type);
    put(&h.db_name);
    put(&h.extents.to_ne_bytes());
    put(&h.session_error.to_ne_bytes());
    put(&[h.regular, h.dim_info]);
    put(bytemuck::cast_slice(&h.dim));
    put(bytemuck::cast_slice(&[h.intent_p1, h.intent_p2, h.intent_p3]));
    put(bytemuck::cast_slice(&[h.intent_code, h.datatype, h.bitpix, h.slice_start]));
    put(bytemuck::cast_slice(&h.pixdim));
    put(bytemuck::cast_slice(&[h.vox_offset, h.scl_slope, h.scl_inter]));
    put(&h.slice_end.to_ne_bytes());
    put(&[h.slice_code, h.xyzt_units]);
    put(bytemuck::cast_slice(&[h.cal_max, h.cal_min, h.slice_duration, h.toffset]));
    put(bytemuck::cast_slice(&[h.glmax, h.glmin]));
    put(&[0; 80]); // descrip: nothing is said of the patient
    put(&h.aux_file);
    put(bytemuck::cast_slice(&[h.qform_code, h.sform_code]));
    let quaternion = [h.quatern_b, h.quatern_c, h.quatern_d, h.quatern_x, h.quatern_y, h.quatern_z];
    put(bytemuck::cast_slice(&quaternion));
    for row in [&h.srow_x, &h.srow_y, &h.srow_z] {
        put(bytemuck::cast_slice(row));
    }
    put(&h.intent_name);
    put(&h.magic);
    put(&[0; 4]); // no extension
    bytes
}

#[cfg(test)]
mod tests {
    use imaging::{Affine, FrameId, Shape};

    use super::*;

    #[test]
    fn the_header_is_the_one_the_nifti_library_reads() {
        let rows = [[0.5, 0.1, 0.0, -20.0], [-0.1, 0.5, 0.0, 7.5], [0.0, 0.0, 2.5, 300.25], [0.0, 0.0, 0.0, 1.0]];
        let grid =
            Grid::new(Shape { ni: 3, nj: 4, nk: 5 }, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
        let bytes = bytes_of(&header_of::<i16>(&grid).unwrap());
        assert_eq!(bytes.len(), 352);
        let read = NiftiHeader::from_reader(bytes.as_slice()).unwrap();
        assert_eq!((read.dim, read.datatype, read.bitpix), ([3, 3, 4, 5, 1, 1, 1, 1], 4, 16));
        assert_eq!((read.vox_offset, read.scl_slope, read.scl_inter, read.xyzt_units), (352.0, 1.0, 0.0, 2));
        assert_eq!(read.srow_x, [-0.5, -0.1, 0.0, 20.0]);
        assert_eq!(read.srow_y, [0.1, -0.5, 0.0, -7.5]);
        assert_eq!(read.srow_z, [0.0, 0.0, 2.5, 300.25]);
        assert_eq!((read.sform_code, read.qform_code, &read.magic), (1, 1, b"n+1\0"));
    }

    #[test]
    fn a_row_longer_than_the_format_can_say_is_refused() {
        let rows = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        let grid =
            Grid::new(Shape { ni: 40_000, nj: 1, nk: 1 }, Affine::from_rows(rows).unwrap(), FrameId::new("f")).unwrap();
        assert!(header_of::<u8>(&grid).unwrap_err().contains("40000"));
    }
}
