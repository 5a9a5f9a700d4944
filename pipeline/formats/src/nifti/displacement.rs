//! Displacement fields as NIfTI, as elastix, ANTs, greedy and SimpleITK write and read them: five dimensions `i × j × k × 1 × 3`,
//! intent "vector" with the displacement from a point of the fixed image in LPS mm, as in ITK's memory.
//!
//! A field of intent "displacement vector" holds RAS components; its x and y are turned round on reading, as ITK does (NIfTI-1.1,
//! nifti1.h: `NIFTI_INTENT_VECTOR` 1007, `NIFTI_INTENT_DISPVECT` 1006; ITK, `NiftiImageIO::ConvertRASDisplacementVectors`).

use std::path::Path;

use imaging::{FrameId, Grid, Shape};

use super::write::write_field;
use super::{NiftiError, grid_of, not_nifti, read_file};

/// Components are LPS as ITK has them in memory.
pub(super) const INTENT_VECTOR: i32 = 1007;

/// Components are RAS.
const INTENT_DISPLACEMENT: i32 = 1006;

/// A field's grid and the displacement at its voxel centres, mm LPS, in memory order (i fastest).
pub type DisplacementField = (Grid, Vec<[f32; 3]>);

/// Reads a displacement field; `frame` is the frame of reference of the image whose points it displaces.
///
/// # Errors
/// The file is no NIfTI file of three numbers a voxel, its intent says neither vector nor displacement, or a number is not finite.
pub fn read_displacement(path: &Path, frame: FrameId) -> Result<DisplacementField, NiftiError> {
    let (header, values) = read_file(path, super::voxels::scaled)?;
    let [ni, nj, nk, 1, 3] = header.shape[..] else {
        let reason = format!(
            "a displacement field has i x j x k x 1 x 3 numbers, this file {:?}; write it with ITK (elastix, ANTs, greedy)",
            header.shape
        );
        return Err(not_nifti(path, &reason));
    };
    let sign = match header.intent {
        INTENT_VECTOR => 1.0,
        INTENT_DISPLACEMENT => -1.0,
        other => {
            let reason = format!(
                "its intent code {other} is neither 1007 (vector, LPS) nor 1006 (displacement, RAS), so the direction of its axes is unknown"
            );
            return Err(not_nifti(path, &reason));
        }
    };
    if let Some(wrong) = values.iter().find(|v| !v.is_finite()) {
        return Err(not_nifti(path, &format!("it displaces a point by {wrong} mm")));
    }
    let shape = Shape { ni, nj, nk };
    let grid = grid_of(&header, shape, frame, path)?;
    let (x, rest) = values.split_at(shape.n_voxels());
    let (y, z) = rest.split_at(shape.n_voxels());
    let field = x.iter().zip(y).zip(z).map(|((x, y), z)| [sign * x, sign * y, *z]).collect();
    Ok((grid, field))
}

/// Writes a displacement field (mm LPS at the voxel centres of its grid, in memory order) for ITK; `.gz` compresses.
///
/// # Errors
/// The file cannot be written.
pub fn write_displacement(path: &Path, grid: &Grid, displacement_mm: &[[f32; 3]]) -> Result<(), NiftiError> {
    let by_component: Vec<f32> = (0..3).flat_map(|axis| displacement_mm.iter().map(move |u| u[axis])).collect();
    write_field(path, grid, &by_component)
}

#[cfg(test)]
mod tests {
    use imaging::{Affine, Point, Voxel};
    use nalgebra::{Matrix3, Vector3};

    use super::*;

    fn field() -> (Grid, Vec<[f32; 3]>) {
        let turn = Matrix3::new(0.0, -2.0, 0.0, 1.5, 0.0, 0.0, 0.0, 0.0, 5.0);
        let map = Affine::<Voxel, _>::from_parts(turn, Vector3::new(-90.0, 20.0, 300.0));
        let grid = Grid::new(Shape { ni: 3, nj: 2, nk: 2 }, map, FrameId::new("fixed")).unwrap();
        let displacement = (0..12_u8).map(|n| [f32::from(n), -0.5 * f32::from(n), 0.25 - f32::from(n)]).collect();
        (grid, displacement)
    }

    #[test]
    fn a_field_is_written_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("field.nii.gz");
        let (grid, displacement) = field();
        write_displacement(&path, &grid, &displacement).unwrap();
        let (read_grid, read) = read_displacement(&path, FrameId::new("fixed")).unwrap();
        assert_eq!(read, displacement);
        assert_eq!(read_grid.shape(), grid.shape());
        let at = Point::new(2.0, 1.0, 1.0);
        assert!(read_grid.voxel_to_patient().apply(at).distance(grid.voxel_to_patient().apply(at)) < 1e-4);
    }

    #[test]
    fn displacement_vectors_are_ras_and_other_intents_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("field.nii");
        let (grid, displacement) = field();
        write_displacement(&path, &grid, &displacement).unwrap();
        let with_intent = |code: i16| {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[68..70].copy_from_slice(&code.to_le_bytes());
            std::fs::write(&path, bytes).unwrap();
            read_displacement(&path, FrameId::new("fixed"))
        };
        let ras = with_intent(1006).unwrap().1;
        assert_eq!(ras[3], [-displacement[3][0], -displacement[3][1], displacement[3][2]]);
        let refused = with_intent(0).unwrap_err().to_string();
        assert!(refused.contains("1007"), "{refused}");
    }

    #[test]
    fn an_image_is_no_field() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.nii");
        let image = imaging::Volume::filled(field().0, 1.0);
        super::super::write_image(&path, &image).unwrap();
        assert!(read_displacement(&path, FrameId::new("f")).unwrap_err().to_string().contains("1 x 3"));
    }
}
