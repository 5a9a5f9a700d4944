//! Reads an RT dose grid as a volume in gray.
//!
//! Source: DICOM PS3.3 C.8.8.3 (RT Dose): dose = stored value · Dose Grid Scaling; the planes lie at the Grid Frame Offset
//! Vector along the normal, counted from the first one, or written as patient coordinates.

use std::path::{Path, PathBuf};

use dicom::dictionary_std::tags;
use dicom::object::InMemDicomObject;
use imaging::{Grid, GridError, Noted, Volume};
use thiserror::Error;

use super::element;
use super::file::open_whole;
use super::geometry::{GeometryError, SliceStack, stack};
use super::header::{HeaderError, SliceHeader, header_of};
use super::pixels;

/// Why a dose cannot be had.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DoseError {
    /// The file cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Its planes make no grid.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// The file is no dose, or lacks what makes it one.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// File.
        path: PathBuf,
        /// What was expected and found.
        reason: String,
    },
    /// Array and grid disagree.
    #[error(transparent)]
    Grid(#[from] GridError),
}

/// A dose in space.
#[derive(Debug, Clone, PartialEq)]
pub struct DoseVolume {
    /// Dose in Gy; its grid is LPS, mm.
    pub dose_gy: Volume<f32>,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Dose Type (3004,0004), such as `PHYSICAL`.
    pub dose_type: Option<String>,
    /// Dose Summation Type (3004,000A), such as `PLAN`.
    pub summation_type: Option<String>,
}

/// Reads a dose. Relative doses are refused: without a reference they are no gray.
pub fn read_dose(path: &Path) -> Result<Noted<DoseVolume>, DoseError> {
    let (object, transfer_syntax, mut start) = open_whole(path)?;
    let header = header_of(path, &object, transfer_syntax, &mut start)?;
    let unusable = |reason: &str| DoseError::Unusable { path: path.to_owned(), reason: reason.to_owned() };
    if header.modality != "RTDOSE" {
        return Err(unusable(&format!("expected an RT dose, found modality {}", header.modality)));
    }
    match element::text(&object, tags::DOSE_UNITS).as_deref() {
        Some("GY") => {}
        other => {
            return Err(unusable(&format!("Dose Units (3004,0002) are {other:?}, expected GY; export absolute dose")));
        }
    }
    let scaling = element::float(&object, tags::DOSE_GRID_SCALING)
        .filter(|s| *s > 0.0)
        .ok_or_else(|| unusable("Dose Grid Scaling (3004,000E) is missing or not positive; export the dose again"))?;
    let planes = planes_of(&header, &object, scaling).map_err(|reason| unusable(&reason))?;
    let mut notes = Vec::new();
    let SliceStack { order, grid, reslice } = stack(&planes)?.note_into(&mut notes);
    let slices: Vec<&SliceHeader> = order.iter().map(|&n| &planes[n]).collect();
    let values = pixels::rescaled_values(&slices).map_err(|(_, reason)| unusable(&reason))?;
    let values = match reslice {
        Some(reslice) => reslice.apply(&values, grid.shape(), 0.0),
        None => values,
    };
    let dose = DoseVolume {
        dose_gy: volume(values, grid)?,
        sop_instance_uid: header.sop_instance_uid,
        dose_type: element::text(&object, tags::DOSE_TYPE),
        summation_type: element::text(&object, tags::DOSE_SUMMATION_TYPE),
    };
    Ok(Noted::new(dose, notes))
}

fn volume(values: Vec<f32>, grid: Grid) -> Result<Volume<f32>, GridError> {
    Volume::from_values(values, grid)
}

/// One header for each plane of the dose.
fn planes_of(header: &SliceHeader, object: &InMemDicomObject, scaling: f64) -> Result<Vec<SliceHeader>, String> {
    let [x, y, z] = header.position.ok_or("Image Position (0020,0032) is missing; export the dose again")?;
    let [a, b, c, d, e, f] =
        header.orientation.ok_or("Image Orientation (0020,0037) is missing; export the dose again")?;
    let normal = [b * f - c * e, c * d - a * f, a * e - b * d];
    let n = header.n_frames.max(1) as usize;
    let offsets = element::floats(object, tags::GRID_FRAME_OFFSET_VECTOR);
    if offsets.len() != n && n > 1 {
        return Err(format!(
            "Grid Frame Offset Vector (3004,000C) holds {} offsets for {n} planes; export the dose again",
            offsets.len()
        ));
    }
    // Absolute offsets are z coordinates of an axial dose whose first one is that of the position.
    let first = offsets.first().copied().unwrap_or(0.0);
    let absolute = first != 0.0;
    if absolute && ((first - z).abs() > 0.01 || (normal[2].abs() - 1.0).abs() > 1e-6) {
        return Err(format!(
            "Grid Frame Offset Vector (3004,000C) begins with {first}, expected 0 or the z of the position ({z}) in an axial dose"
        ));
    }
    let plane = |k: usize| {
        let offset = offsets.get(k).map_or(0.0, |o| o - first);
        // Absolute coordinates run along z whatever the normal's sign.
        let along = if absolute { [0.0, 0.0, 1.0] } else { normal };
        SliceHeader {
            frame: Some(k as u32),
            position: Some([x + along[0] * offset, y + along[1] * offset, z + along[2] * offset]),
            rescale_slope: Some(scaling),
            rescale_intercept: Some(0.0),
            // A dose of one plane reaches as far as its thickness says; none is guessed.
            ..header.clone()
        }
    };
    Ok((0..n).map(plane).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dicom::role::tests::header;
    use dicom::core::{DataElement, PrimitiveValue, VR};

    fn dose(offsets: &str) -> (SliceHeader, InMemDicomObject) {
        let mut object = InMemDicomObject::new_empty();
        let offsets = PrimitiveValue::Strs(offsets.split('\\').map(str::to_owned).collect());
        object.put(DataElement::new(tags::GRID_FRAME_OFFSET_VECTOR, VR::DS, offsets));
        (SliceHeader { n_frames: 3, position: Some([1.0, 2.0, -30.0]), ..header("RTDOSE", "") }, object)
    }

    fn heights(offsets: &str) -> Result<Vec<f64>, String> {
        let (header, object) = dose(offsets);
        Ok(planes_of(&header, &object, 1e-3)?.iter().map(|p| p.position.unwrap()[2]).collect())
    }

    #[test]
    fn offsets_count_from_the_first_plane_or_are_coordinates() {
        assert_eq!(heights("0\\2.5\\5"), Ok(vec![-30.0, -27.5, -25.0]));
        assert_eq!(heights("-30\\-27.5\\-25"), Ok(vec![-30.0, -27.5, -25.0]));
        assert!(heights("0\\2.5").is_err());
        assert!(heights("7\\9.5\\12").is_err());
    }
}
