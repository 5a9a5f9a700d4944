//! From the headers of a series to one grid: order along the normal, and every check that could make a volume wrong.
//!
//! Source: DICOM PS3.3 C.7.6.2.1.1 (Image Plane module): voxel (i, j) of a slice lies at
//! position + i · row direction · column spacing + j · column direction · row spacing, where Pixel Spacing is written
//! \[row spacing, column spacing\].

use imaging::{Affine, FrameId, Grid, Note, Noted, Shape};
use nalgebra::{Matrix3, Vector3};

use super::header::SliceHeader;
use super::pixel_offset::PixelPlace;
use super::uid::derived_uid;

mod error;

pub use error::GeometryError;
pub(super) use error::name_of;

/// Direction cosines of slices of one stack may differ by this much: decimal strings often carry four digits.
pub const ORIENTATION_TOLERANCE: f64 = 1e-4;

/// Row and column direction must be perpendicular and of unit length within this (0.06°).
pub const ORTHONORMAL_TOLERANCE: f64 = 1e-3;

/// Pixel spacings of slices of one stack may differ by this much.
pub const PIXEL_SPACING_TOLERANCE_MM: f64 = 1e-4;

/// A slice may lie this far from its place in an even stack: scanners round positions to 0.1 mm, half of which is this.
pub const SLICE_POSITION_TOLERANCE_MM: f64 = 0.05;

/// A deviation from an even stack above this is mentioned: more than what rounding of positions to 0.01 mm makes.
pub const NOTABLE_UNEVENNESS_MM: f64 = 0.005;

/// Two slices nearer than this are at the same position.
pub const SAME_POSITION_MM: f64 = 0.01;

/// The stack may lean by this much against the normal of its slices (sine of the angle, 0.06°) before it counts as tilted.
pub const TILT_TOLERANCE: f64 = 1e-3;

/// The slices of a series in order of k, and the grid they make.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceStack {
    /// For each k the index into the headers given.
    pub order: Vec<usize>,
    /// Shape, voxel-to-patient map (LPS, mm), frame of reference.
    pub grid: Grid,
}

/// One slice's place.
struct Placed {
    index: usize,
    position: Vector3<f64>,
    along: f64,
}

/// Orders the slices of one series along the slice normal (row × column direction, so that i, j, k are right-handed) and
/// checks that they make one even, upright, complete stack. Slice k is the k-th along the normal.
pub fn stack(headers: &[SliceHeader]) -> Result<Noted<SliceStack>, GeometryError> {
    let first = headers.first().ok_or(GeometryError::Empty)?;
    check_single(headers)?;
    let (row, column) = directions(first)?;
    let normal = row.cross(&column);
    let spacing = first.pixel_spacing.filter(|s| s.iter().all(|v| *v > 0.0));
    let [row_spacing, column_spacing] = spacing.ok_or_else(|| missing(first, "Pixel Spacing (0028,0030)"))?;
    check_agreement(headers, first)?;
    let mut notes = Vec::new();
    let placed = place(headers, normal)?;
    let step = step_between(&placed, normal, first, &mut notes)?;
    let linear = Matrix3::from_columns(&[row * column_spacing, column * row_spacing, step]);
    let shape = Shape { ni: first.columns as usize, nj: first.rows as usize, nk: placed.len() };
    let origin = placed.first().map_or(Vector3::zeros(), |p| p.position);
    let grid = Grid::new(shape, Affine::from_parts(linear, origin), frame_of(first, &mut notes))
        .map_err(|source| GeometryError::Grid { series: first.series_uid.clone(), source })?;
    Ok(Noted::new(SliceStack { order: placed.iter().map(|p| p.index).collect(), grid }, notes))
}

fn missing(header: &SliceHeader, attribute: &'static str) -> GeometryError {
    GeometryError::Missing { series: header.series_uid.clone(), file: header.path.clone(), attribute }
}

fn check_single(headers: &[SliceHeader]) -> Result<(), GeometryError> {
    for header in headers {
        let (series, file) = (header.series_uid.clone(), header.path.clone());
        if header.n_frames != 1 {
            return Err(GeometryError::MultiFrame { series, file, n_frames: header.n_frames });
        }
        if header.pixels == PixelPlace::Truncated {
            return Err(GeometryError::Truncated { series, file });
        }
    }
    Ok(())
}

/// Unit directions along a row (of increasing column index i) and along a column (of increasing row index j).
fn directions(header: &SliceHeader) -> Result<(Vector3<f64>, Vector3<f64>), GeometryError> {
    let [a, b, c, d, e, f] = header.orientation.ok_or_else(|| missing(header, "Image Orientation (0020,0037)"))?;
    let (row, column) = (Vector3::new(a, b, c), Vector3::new(d, e, f));
    let unit = |v: &Vector3<f64>| (v.norm() - 1.0).abs() <= ORTHONORMAL_TOLERANCE;
    if unit(&row) && unit(&column) && row.dot(&column).abs() <= ORTHONORMAL_TOLERANCE {
        Ok((row.normalize(), column.normalize()))
    } else {
        Err(GeometryError::Orientation { series: header.series_uid.clone(), file: header.path.clone() })
    }
}

/// Rows, columns, orientation, pixel spacing and frame of reference are those of the first slice.
fn check_agreement(headers: &[SliceHeader], first: &SliceHeader) -> Result<(), GeometryError> {
    let near = |a: &[f64], b: &[f64], tolerance: f64| a.iter().zip(b).all(|(x, y)| (x - y).abs() <= tolerance);
    for header in &headers[1..] {
        let orientation = header.orientation.ok_or_else(|| missing(header, "Image Orientation (0020,0037)"))?;
        let spacing = header.pixel_spacing.ok_or_else(|| missing(header, "Pixel Spacing (0028,0030)"))?;
        let differs = |what, a: String, b: String| {
            let (series, file) = (first.series_uid.clone(), header.path.clone());
            Err(GeometryError::Mixed { series, what, first: a, other: b, file })
        };
        if (header.rows, header.columns) != (first.rows, first.columns) {
            let text = |h: &SliceHeader| format!("{} x {}", h.rows, h.columns);
            return differs("number of rows and columns (0028,0010/0011)", text(first), text(header));
        }
        if !first.orientation.is_some_and(|o| near(&o, &orientation, ORIENTATION_TOLERANCE)) {
            let text = |h: &SliceHeader| format!("{:?}", h.orientation.unwrap_or_default());
            return differs("Image Orientation (0020,0037)", text(first), text(header));
        }
        if !first.pixel_spacing.is_some_and(|s| near(&s, &spacing, PIXEL_SPACING_TOLERANCE_MM)) {
            let text = |h: &SliceHeader| format!("{:?} mm", h.pixel_spacing.unwrap_or_default());
            return differs("Pixel Spacing (0028,0030)", text(first), text(header));
        }
        if header.frame_uid != first.frame_uid {
            let text = |h: &SliceHeader| h.frame_uid.clone().unwrap_or_else(|| "none".to_owned());
            return differs("Frame of Reference UID (0020,0052)", text(first), text(header));
        }
    }
    Ok(())
}

/// The slices in ascending order along the normal, each at its own position.
fn place(headers: &[SliceHeader], normal: Vector3<f64>) -> Result<Vec<Placed>, GeometryError> {
    let mut placed = Vec::with_capacity(headers.len());
    for (index, header) in headers.iter().enumerate() {
        let position = Vector3::from(header.position.ok_or_else(|| missing(header, "Image Position (0020,0032)"))?);
        placed.push(Placed { index, position, along: position.dot(&normal) });
    }
    placed.sort_by(|a, b| {
        let uid = |p: &Placed| headers[p.index].sop_instance_uid.clone();
        a.along.total_cmp(&b.along).then_with(|| uid(a).cmp(&uid(b)))
    });
    let repeated: Vec<f64> =
        placed.windows(2).filter(|w| w[1].along - w[0].along < SAME_POSITION_MM).map(|w| w[0].along).collect();
    match repeated.first() {
        None => Ok(placed),
        Some(&position_mm) => Err(GeometryError::Duplicate {
            series: headers[0].series_uid.clone(),
            n_slices: placed.len(),
            n_positions: placed.len() - repeated.len(),
            position_mm,
        }),
    }
}

/// The vector from one slice's first voxel to the next one's.
fn step_between(
    placed: &[Placed],
    normal: Vector3<f64>,
    first: &SliceHeader,
    notes: &mut Vec<Note>,
) -> Result<Vector3<f64>, GeometryError> {
    let series = || first.series_uid.clone();
    let [lowest, .., highest] = placed else {
        let thickness = first.slice_thickness.or(first.spacing_between_slices);
        let thickness = thickness.ok_or_else(|| GeometryError::SingleSlice { series: series() })?;
        let message = format!("a single slice: its extent along k is its thickness, {thickness} mm");
        notes.push(Note::warning("single_slice", series(), message));
        return Ok(normal * thickness);
    };
    check_gaps(placed, first)?;
    let extent = highest.position - lowest.position;
    let sideways = (extent - normal * extent.dot(&normal)).norm();
    if sideways > SLICE_POSITION_TOLERANCE_MM.max(TILT_TOLERANCE * extent.norm()) {
        let degrees = (sideways / extent.norm()).asin().to_degrees();
        return Err(GeometryError::Tilted { series: series(), degrees });
    }
    let step = extent / (placed.len() - 1) as f64;
    let off = |(n, p): (usize, &Placed)| (p.position - (lowest.position + step * n as f64)).norm();
    let (at, worst) =
        placed.iter().enumerate().map(|(n, p)| (n, off((n, p)))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
    if worst > SLICE_POSITION_TOLERANCE_MM {
        let below = &placed[at.saturating_sub(1)];
        let gap_mm = (placed[at].position - below.position).norm();
        return Err(GeometryError::Uneven {
            series: series(),
            position_mm: below.along,
            gap_mm,
            spacing_mm: step.norm(),
        });
    }
    if worst > NOTABLE_UNEVENNESS_MM {
        let message = format!("slices lie up to {worst:.3} mm off an even stack; they are taken as even");
        notes.push(Note::info("slightly_uneven_slices", series(), message));
    }
    Ok(step)
}

/// No gap is a whole number of the usual distance, and none is otherwise off. The usual distance is the median gap.
fn check_gaps(placed: &[Placed], first: &SliceHeader) -> Result<(), GeometryError> {
    let mut sorted: Vec<f64> = placed.windows(2).map(|w| w[1].along - w[0].along).collect();
    sorted.sort_by(f64::total_cmp);
    let spacing_mm = sorted[(sorted.len() - 1) / 2];
    for pair in placed.windows(2) {
        let gap_mm = pair[1].along - pair[0].along;
        let (position_mm, series) = (pair[0].along, first.series_uid.clone());
        let steps = (gap_mm / spacing_mm).round();
        let is_whole = (gap_mm - steps * spacing_mm).abs() <= (steps + 1.0) * SLICE_POSITION_TOLERANCE_MM;
        if steps >= 2.0 && is_whole {
            let (position_mm, n_missing) = (position_mm + spacing_mm, steps as usize - 1);
            return Err(GeometryError::MissingSlice { series, position_mm, n_missing, gap_mm, spacing_mm });
        }
        if (gap_mm - spacing_mm).abs() > 2.0 * SLICE_POSITION_TOLERANCE_MM {
            return Err(GeometryError::Uneven { series, position_mm, gap_mm, spacing_mm });
        }
    }
    Ok(())
}

/// The frame of reference; a name of our own, with a note, where the series states none.
fn frame_of(header: &SliceHeader, notes: &mut Vec<Note>) -> FrameId {
    if let Some(uid) = &header.frame_uid {
        return FrameId::new(uid.clone());
    }
    notes.push(Note::warning(
        "no_frame_of_reference",
        header.series_uid.clone(),
        "the series states no Frame of Reference UID (0020,0052); its coordinates are taken as its own and compared with no other series without a registration",
    ));
    FrameId::new(derived_uid(&["frame of reference", &header.series_uid]))
}

#[cfg(test)]
mod tests;
