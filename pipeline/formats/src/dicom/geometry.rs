//! From the headers of a series to one grid: order along the normal, and every check that could make a volume wrong.
//!
//! Source: DICOM PS3.3 C.7.6.2.1.1 (Image Plane module): voxel (i, j) of a slice lies at
//! position + i · row direction · column spacing + j · column direction · row spacing, where Pixel Spacing is written
//! \[row spacing, column spacing\].

use std::collections::BTreeMap;

use imaging::{Affine, FrameId, Grid, Note, Noted};
use nalgebra::{Matrix3, Vector3};

use super::header::SliceHeader;
use super::pixel_offset::PixelPlace;
use super::uid::derived_uid;

mod error;
mod layout;
mod reslice;

pub use error::GeometryError;
pub(super) use error::name_of;
use layout::{InPlane, Layout, layout_of};
pub use reslice::{Blend, Reslice};

/// Direction cosines of slices of one stack may differ by this much: decimal strings often carry four digits.
pub const ORIENTATION_TOLERANCE: f64 = 1e-4;

/// Row and column direction must be perpendicular and of unit length within this (0.06°).
pub const ORTHONORMAL_TOLERANCE: f64 = 1e-3;

/// Pixel spacings of slices of one stack may differ by this much.
pub const PIXEL_SPACING_TOLERANCE_MM: f64 = 1e-4;

/// Pixel spacings an image of a patient can have; what lies outside is a damaged header or another unit.
pub const PIXEL_SPACING_MM: std::ops::RangeInclusive<f64> = 1e-3..=100.0;

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
    /// The acquired slices in ascending order along the normal, as indices into the headers given.
    pub order: Vec<usize>,
    /// Shape, voxel-to-patient map (LPS, mm), frame of reference.
    pub grid: Grid,
    /// How the acquired slices are carried onto the grid; `None` where slice k of the grid is the k-th acquired slice.
    pub reslice: Option<Reslice>,
}

/// One slice's place.
struct Placed {
    index: usize,
    position: Vector3<f64>,
    along: f64,
}

/// Orders the slices of one volume along the slice normal (row × column direction, so that i, j, k are right-handed) and
/// checks that they make one stack. Slice k is the k-th along the normal. A stack that leans (gantry tilt) or that is uneven
/// within the bounds of `layout` gets an upright, even grid and the plan of how its slices are carried onto it, with a note.
pub fn stack(headers: &[SliceHeader]) -> Result<Noted<SliceStack>, GeometryError> {
    let first = headers.first().ok_or(GeometryError::Empty)?;
    check_single(headers)?;
    let (row, column) = directions(first)?;
    let normal = row.cross(&column);
    let spacing = first.pixel_spacing.filter(|s| s.iter().all(|v| PIXEL_SPACING_MM.contains(v)));
    let [row_spacing, column_spacing] = spacing.ok_or_else(|| missing(first, "Pixel Spacing (0028,0030)"))?;
    check_agreement(headers, first)?;
    let mut notes = Vec::new();
    let placed = place(headers, normal)?;
    let plane = InPlane {
        step_i: row * column_spacing,
        step_j: column * row_spacing,
        normal,
        ni: first.columns as usize,
        nj: first.rows as usize,
    };
    let Layout { origin, step, shape, reslice } = layout_of(&placed, &plane, first, &mut notes)?;
    let linear = Matrix3::from_columns(&[plane.step_i, plane.step_j, step]);
    let grid = Grid::new(shape, Affine::from_parts(linear, origin), frame_of(first, &mut notes))
        .map_err(|fault| GeometryError::Grid { series: first.series_uid.clone(), fault })?;
    let order = placed.iter().map(|p| p.index).collect();
    Ok(Noted::new(SliceStack { order, grid, reslice }, notes))
}

fn missing(header: &SliceHeader, attribute: &'static str) -> GeometryError {
    GeometryError::Missing { series: header.series_uid.clone(), file: header.path.clone(), attribute }
}

fn check_single(headers: &[SliceHeader]) -> Result<(), GeometryError> {
    for header in headers {
        let (series, file) = (header.series_uid.clone(), header.path.clone());
        if header.n_slices() != 1 {
            return Err(GeometryError::MultiFrame { series, file, n_frames: header.n_frames });
        }
        if header.pixels == PixelPlace::Truncated {
            let expected = format!("{} x {} pixels of {} bits", header.columns, header.rows, header.bits_allocated);
            return Err(GeometryError::Truncated { series, file, expected });
        }
    }
    check_identities(headers)
}

/// A measurement cites the slice it was made on: no two may have one name.
fn check_identities(headers: &[SliceHeader]) -> Result<(), GeometryError> {
    let mut by_identity = BTreeMap::new();
    for header in headers {
        by_identity.entry((&header.sop_instance_uid, header.frame)).or_insert_with(Vec::new).push(header);
    }
    match by_identity.iter().find(|(_, slices)| slices.len() > 1) {
        None => Ok(()),
        Some(((uid, _), slices)) => Err(GeometryError::SameInstance {
            series: slices[0].series_uid.clone(),
            uid: (*uid).clone(),
            n_slices: slices.len(),
            file: slices[0].path.clone(),
        }),
    }
}

/// Unit directions along a row (of increasing column index i) and along a column (of increasing row index j).
fn directions(header: &SliceHeader) -> Result<(Vector3<f64>, Vector3<f64>), GeometryError> {
    let [a, b, c, d, e, f] = header.orientation.ok_or_else(|| missing(header, "Image Orientation (0020,0037)"))?;
    let (row, column) = (Vector3::new(a, b, c), Vector3::new(d, e, f));
    let unit = |v: &Vector3<f64>| (v.norm() - 1.0).abs() <= ORTHONORMAL_TOLERANCE;
    if unit(&row) && unit(&column) && row.dot(&column).abs() <= ORTHONORMAL_TOLERANCE {
        Ok((row.normalize(), column.normalize()))
    } else {
        let (series, file) = (header.series_uid.clone(), header.path.clone());
        Err(GeometryError::Orientation { series, file, found: [a, b, c, d, e, f] })
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
