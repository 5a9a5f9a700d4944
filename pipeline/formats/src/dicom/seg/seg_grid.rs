//! The grid on which the frames of a segmentation lie, whatever their order and however few slices are drawn.

use imaging::{Affine, FrameId, Grid, Shape};
use nalgebra::{Matrix3, Vector3};

use crate::dicom::geometry::{
    ORIENTATION_TOLERANCE, ORTHONORMAL_TOLERANCE, PIXEL_SPACING_TOLERANCE_MM, SAME_POSITION_MM,
    SLICE_POSITION_TOLERANCE_MM,
};
use crate::dicom::header::SliceHeader;

/// The plane of one frame.
pub(super) struct FramePlane {
    pub(super) position: [f64; 3],
    pub(super) orientation: [f64; 6],
    pub(super) spacing: [f64; 2],
    pub(super) thickness_mm: Option<f64>,
    pub(super) between_mm: Option<f64>,
}

/// More slices than this between the lowest and the highest frame are a damaged position.
const MAX_SLICES: f64 = 10_000.0;

/// The grid, and for each frame its slice k. `Err` is a reason for a message about the file.
pub(super) fn grid_of(
    planes: &[FramePlane],
    header: &SliceHeader,
    frame: FrameId,
) -> Result<(Grid, Vec<usize>), String> {
    let first = &planes[0];
    check_agreement(planes)?;
    let [a, b, c, d, e, f] = first.orientation;
    let (row, column) = (Vector3::new(a, b, c), Vector3::new(d, e, f));
    let unit = |v: &Vector3<f64>| (v.norm() - 1.0).abs() <= ORTHONORMAL_TOLERANCE;
    if !unit(&row) || !unit(&column) || row.dot(&column).abs() > ORTHONORMAL_TOLERANCE {
        return Err("Image Orientation (0020,0037) is not two perpendicular unit vectors".to_owned());
    }
    let normal = row.cross(&column);
    let positions: Vec<Vector3<f64>> = planes.iter().map(|p| Vector3::from(p.position)).collect();
    let along: Vec<f64> = positions.iter().map(|p| p.dot(&normal)).collect();
    let mut distinct = along.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup_by(|b, a| *b - *a < SAME_POSITION_MM);
    let step_mm = step_of(&distinct, first)?;
    let (low, high) = (distinct[0], distinct[distinct.len() - 1]);
    let n_steps = ((high - low) / step_mm).round();
    if n_steps > MAX_SLICES {
        return Err(format!("its frames span {n_steps} slices"));
    }
    let at = |value: f64| along.iter().position(|a| (a - value).abs() < SAME_POSITION_MM).unwrap_or_default();
    let (lowest, highest) = (positions[at(low)], positions[at(high)]);
    let step = if n_steps > 0.0 { (highest - lowest) / n_steps } else { normal * step_mm };
    let ks: Vec<usize> = along.iter().map(|a| ((a - low) / step_mm).round() as usize).collect();
    for (n, (position, &k)) in positions.iter().zip(&ks).enumerate() {
        if (position - (lowest + step * k as f64)).norm() > SLICE_POSITION_TOLERANCE_MM {
            return Err(format!("frame {} does not lie on the grid of the others", n + 1));
        }
    }
    let [row_spacing, column_spacing] = first.spacing;
    let linear = Matrix3::from_columns(&[row * column_spacing, column * row_spacing, step]);
    let shape = Shape { ni: header.columns as usize, nj: header.rows as usize, nk: n_steps as usize + 1 };
    let grid = Grid::new(shape, Affine::from_parts(linear, lowest), frame).map_err(|e| e.to_string())?;
    Ok((grid, ks))
}

fn check_agreement(planes: &[FramePlane]) -> Result<(), String> {
    let near = |a: &[f64], b: &[f64], tolerance: f64| a.iter().zip(b).all(|(x, y)| (x - y).abs() <= tolerance);
    let first = &planes[0];
    for (n, plane) in planes.iter().enumerate() {
        if !near(&plane.orientation, &first.orientation, ORIENTATION_TOLERANCE) {
            return Err(format!("frame {} has another orientation than frame 1", n + 1));
        }
        if !near(&plane.spacing, &first.spacing, PIXEL_SPACING_TOLERANCE_MM) || plane.spacing.iter().any(|s| *s <= 0.0)
        {
            return Err(format!("frame {} has another pixel spacing than frame 1, or none", n + 1));
        }
    }
    Ok(())
}

/// The distance between slices: the first of these that puts every position on a whole step: Spacing Between Slices, the least
/// distance found, its half and its third (sparse drawings), Slice Thickness for a single slice.
fn step_of(distinct: &[f64], first: &FramePlane) -> Result<f64, String> {
    let least = distinct.windows(2).map(|w| w[1] - w[0]).fold(f64::INFINITY, f64::min);
    if !least.is_finite() {
        return first
            .between_mm
            .or(first.thickness_mm)
            .ok_or_else(|| "a single slice without Slice Thickness (0018,0050) has no volume".to_owned());
    }
    let fits = |step: &f64| {
        distinct.iter().all(|p| {
            let n = (p - distinct[0]) / step;
            (n - n.round()).abs() * step <= SLICE_POSITION_TOLERANCE_MM
        })
    };
    // A stated distance may be rounded; the one the positions show is used in its place.
    let refined = |step: f64| {
        let n = ((distinct[distinct.len() - 1] - distinct[0]) / step).round().max(1.0);
        (distinct[distinct.len() - 1] - distinct[0]) / n
    };
    let stated = first.between_mm.filter(|b| *b <= least + SLICE_POSITION_TOLERANCE_MM && *b > 0.05);
    stated
        .into_iter()
        .chain([least, least / 2.0, least / 3.0])
        .map(refined)
        .find(fits)
        .ok_or_else(|| "the positions of its frames are not evenly spaced".to_owned())
}
