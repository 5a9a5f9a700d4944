//! The even, upright grid of a stack: as acquired where the slices allow it, else with the plan to carry them onto one.
//!
//! A stack leans where the gantry was tilted: its slices are parallel, but each is shifted along its own plane. A gap is
//! filled, or uneven distances are evened, only within bounds; beyond them the series is refused, never guessed.

use imaging::{GridError, Note, Shape};
use nalgebra::Vector3;

use super::reslice::{Blend, Reslice};
use super::{GeometryError, NOTABLE_UNEVENNESS_MM, Placed, SLICE_POSITION_TOLERANCE_MM, TILT_TOLERANCE};
use crate::dicom::header::SliceHeader;

/// CT gantries tilt up to 30°; what leans more is another fault.
pub(super) const MAX_TILT_DEGREES: f64 = 31.0;

/// Between slices further apart than this nothing is interpolated: a lesion of RECIST size (10 mm) still meets an acquired slice.
pub(super) const MAX_INTERPOLATED_GAP_MM: f64 = 6.0;

/// At most this share of the slices of a stack may be missing.
pub(super) const MAX_MISSING_SHARE: f64 = 0.05;

/// Uneven slice distances may differ by this factor.
pub(super) const MAX_GAP_RATIO: f64 = 3.0;

/// An upright grid may have at most so many times more columns or rows than its slices: 31° over a body's length double them.
const MAX_GROWTH: f64 = 4.0;

/// A shift this near to a whole number of voxels needs no further row or column.
const WHOLE: f64 = 1e-4;

/// In-plane geometry of a stack: mm vectors to the next column and row, unit normal, columns and rows.
pub(super) struct InPlane {
    pub(super) step_i: Vector3<f64>,
    pub(super) step_j: Vector3<f64>,
    pub(super) normal: Vector3<f64>,
    pub(super) ni: usize,
    pub(super) nj: usize,
}

/// Where a volume lies, and how slices get there.
pub(super) struct Layout {
    pub(super) origin: Vector3<f64>,
    pub(super) step: Vector3<f64>,
    pub(super) shape: Shape,
    pub(super) reslice: Option<Reslice>,
}

/// The layout of slices in ascending order along the normal.
pub(super) fn layout_of(
    placed: &[Placed],
    plane: &InPlane,
    first: &SliceHeader,
    notes: &mut Vec<Note>,
) -> Result<Layout, GeometryError> {
    let shape = Shape { ni: plane.ni, nj: plane.nj, nk: placed.len() };
    let [lowest, .., highest] = placed else {
        let origin = placed.first().map_or(Vector3::zeros(), |p| p.position);
        return Ok(Layout { origin, step: single_step(plane, first, notes)?, shape, reslice: None });
    };
    let extent = highest.position - lowest.position;
    let lean = (extent - plane.normal * extent.dot(&plane.normal)) / extent.dot(&plane.normal);
    let evened = along_normal(placed, first, notes)?;
    let degrees = check_lean(placed, plane, lean, first)?;
    if evened.is_none() && degrees.is_none() {
        let step = extent / (placed.len() - 1) as f64;
        return Ok(Layout { origin: lowest.position, step, shape, reslice: None });
    }
    if let Some(degrees) = degrees {
        let message = format!(
            "the stack leans by {degrees:.2}° (gantry tilt); each slice is shifted in its plane onto an upright grid (linear interpolation)"
        );
        notes.push(Note::warning("gantry_tilt_resampled", first.series_uid.clone(), message));
    }
    let lean = degrees.map_or(Vector3::zeros(), |_| lean);
    Ok(resliced(placed, plane, lean, evened))
}

/// A single slice reaches as far as it is thick.
fn single_step(plane: &InPlane, first: &SliceHeader, notes: &mut Vec<Note>) -> Result<Vector3<f64>, GeometryError> {
    let thickness = first.slice_thickness.or(first.spacing_between_slices);
    let thickness = thickness.ok_or_else(|| GeometryError::SingleSlice { series: first.series_uid.clone() })?;
    let message = format!("a single slice: its extent along k is its thickness, {thickness} mm");
    notes.push(Note::warning("single_slice", first.series_uid.clone(), message));
    Ok(plane.normal * thickness)
}

/// The angle of a stack that leans; `None` for an upright one. Every slice must follow the same lean.
fn check_lean(
    placed: &[Placed],
    plane: &InPlane,
    lean: Vector3<f64>,
    first: &SliceHeader,
) -> Result<Option<f64>, GeometryError> {
    let (lowest, highest) = (&placed[0], &placed[placed.len() - 1]);
    for (n, p) in placed.iter().enumerate() {
        let offset = p.position - lowest.position;
        let along = offset.dot(&plane.normal);
        let astray = (offset - plane.normal * along - lean * along).norm();
        if astray > SLICE_POSITION_TOLERANCE_MM {
            let below = &placed[n.saturating_sub(1)];
            let gap_mm = (p.position - below.position).norm();
            let spacing_mm = (highest.along - lowest.along) / (placed.len() - 1) as f64;
            let (series, position_mm) = (first.series_uid.clone(), below.along);
            return Err(GeometryError::Uneven { series, position_mm, gap_mm, spacing_mm });
        }
    }
    let height = highest.along - lowest.along;
    let sideways = lean.norm() * height;
    if sideways <= SLICE_POSITION_TOLERANCE_MM.max(TILT_TOLERANCE * height.hypot(sideways)) {
        return Ok(None);
    }
    let degrees = lean.norm().atan().to_degrees();
    if degrees > MAX_TILT_DEGREES {
        return Err(GeometryError::Tilted { series: first.series_uid.clone(), degrees });
    }
    let grown = |step: &Vector3<f64>| (lean * height).dot(step).abs() / step.norm_squared();
    let (grown_i, grown_j) = (grown(&plane.step_i), grown(&plane.step_j));
    if !(grown_i <= MAX_GROWTH * plane.ni as f64 && grown_j <= MAX_GROWTH * plane.nj as f64) {
        let shape = Shape { ni: plane.ni + grown_i as usize, nj: plane.nj + grown_j as usize, nk: placed.len() };
        let fault = GridError::TooManyVoxels(shape);
        return Err(GeometryError::Grid { series: first.series_uid.clone(), fault });
    }
    Ok(Some(degrees))
}

/// Even distances and the blend of acquired slices in each plane.
struct Evened {
    spacing_mm: f64,
    planes: Vec<Blend>,
}

/// `None` for slices that are even as they are.
fn along_normal(
    placed: &[Placed],
    first: &SliceHeader,
    notes: &mut Vec<Note>,
) -> Result<Option<Evened>, GeometryError> {
    let base = placed[0].along;
    let even_mm = (placed[placed.len() - 1].along - base) / (placed.len() - 1) as f64;
    let off = |n: usize| (placed[n].along - base - even_mm * n as f64).abs();
    let worst = (0..placed.len()).map(off).fold(0.0, f64::max);
    if worst <= SLICE_POSITION_TOLERANCE_MM {
        if worst > NOTABLE_UNEVENNESS_MM {
            let message = format!("slices lie up to {worst:.3} mm off an even stack; they are taken as even");
            notes.push(Note::info("slightly_uneven_slices", first.series_uid.clone(), message));
        }
        return Ok(None);
    }
    match gaps_of(placed, first) {
        Gaps::Missing { n_missing, widest_mm, spacing_mm, error } => {
            let few = n_missing as f64 <= MAX_MISSING_SHARE * (placed.len() + n_missing) as f64;
            if !few || too_wide(widest_mm) || widest_mm > 2.5 * spacing_mm {
                return Err(error);
            }
            let message = format!(
                "{n_missing} slice(s) are missing, the first in the gap of {widest_mm:.2} mm; each is interpolated linearly between its neighbours"
            );
            notes.push(Note::warning("missing_slice_interpolated", first.series_uid.clone(), message));
            Ok(Some(evened(placed, spacing_mm)))
        }
        Gaps::Uneven { least_mm, widest_mm, error } => {
            if too_wide(widest_mm) || widest_mm > MAX_GAP_RATIO * least_mm {
                return Err(error);
            }
            let message = format!(
                "slice distances vary from {least_mm:.3} to {widest_mm:.3} mm; the series is interpolated linearly onto slices {least_mm:.3} mm apart"
            );
            notes.push(Note::warning("uneven_slices_interpolated", first.series_uid.clone(), message));
            Ok(Some(evened(placed, least_mm)))
        }
    }
}

/// Positions are rounded, so that two slices of 3 mm may lie a little more than 6 mm apart.
fn too_wide(gap_mm: f64) -> bool {
    gap_mm > MAX_INTERPOLATED_GAP_MM + 2.0 * SLICE_POSITION_TOLERANCE_MM
}

/// What is wrong with the gaps of an uneven stack, and the error where it cannot be mended.
enum Gaps {
    Missing { n_missing: usize, widest_mm: f64, spacing_mm: f64, error: GeometryError },
    Uneven { least_mm: f64, widest_mm: f64, error: GeometryError },
}

/// Gaps that are all whole multiples of the usual (median) one are missing slices; any other is an uneven distance.
fn gaps_of(placed: &[Placed], first: &SliceHeader) -> Gaps {
    let series = || first.series_uid.clone();
    let gaps: Vec<f64> = placed.windows(2).map(|w| w[1].along - w[0].along).collect();
    let mut sorted = gaps.clone();
    sorted.sort_by(f64::total_cmp);
    let (spacing_mm, least_mm) = (sorted[(sorted.len() - 1) / 2], sorted[0]);
    let widest_mm = sorted[sorted.len() - 1];
    let steps = |gap_mm: f64| (gap_mm / spacing_mm).round();
    let is_whole = |gap_mm: f64| {
        let n = steps(gap_mm);
        n >= 1.0 && (gap_mm - n * spacing_mm).abs() <= (n + 1.0) * SLICE_POSITION_TOLERANCE_MM
    };
    let n_missing = gaps.iter().map(|g| (steps(*g) - 1.0).max(0.0) as usize).sum();
    if n_missing > 0 && gaps.iter().all(|g| is_whole(*g)) {
        let at = gaps.iter().position(|g| steps(*g) >= 2.0).unwrap_or_default();
        let error = GeometryError::MissingSlice {
            series: series(),
            position_mm: placed[at].along + spacing_mm,
            n_missing: steps(gaps[at]) as usize - 1,
            gap_mm: gaps[at],
            spacing_mm,
        };
        return Gaps::Missing { n_missing, widest_mm, spacing_mm, error };
    }
    let far = |gap: &f64| (gap - spacing_mm).abs();
    let at = (0..gaps.len()).max_by(|a, b| far(&gaps[*a]).total_cmp(&far(&gaps[*b]))).unwrap_or_default();
    let error = GeometryError::Uneven { series: series(), position_mm: placed[at].along, gap_mm: gaps[at], spacing_mm };
    Gaps::Uneven { least_mm, widest_mm, error }
}

/// Planes at even distances from the lowest slice to the highest, each between the two acquired slices round it.
fn evened(placed: &[Placed], spacing_mm: f64) -> Evened {
    let base = placed[0].along;
    let height = placed[placed.len() - 1].along - base;
    let n_planes = (height / spacing_mm + SLICE_POSITION_TOLERANCE_MM).floor() as usize + 1;
    let plane = |k: usize| {
        let at = base + spacing_mm * k as f64;
        let upper = placed.partition_point(|p| p.along < at).clamp(1, placed.len() - 1);
        let (low, high) = (placed[upper - 1].along, placed[upper].along);
        let weight = ((at - low) / (high - low)).clamp(0.0, 1.0);
        // A plane that lies on an acquired slice is that slice.
        let near = SLICE_POSITION_TOLERANCE_MM / (high - low);
        let weight = if weight < near {
            0.0
        } else if weight > 1.0 - near {
            1.0
        } else {
            weight
        };
        Blend { lower: upper - 1, upper, weight_of_upper: weight as f32 }
    };
    Evened { spacing_mm, planes: (0..n_planes).map(plane).collect() }
}

/// Grid and plan of a stack that leans, is uneven, or both. The grid holds every shifted slice whole.
fn resliced(placed: &[Placed], plane: &InPlane, lean: Vector3<f64>, evened: Option<Evened>) -> Layout {
    let lowest = &placed[0];
    let in_voxels = |v: Vector3<f64>| [v.dot(&plane.step_i), v.dot(&plane.step_j)];
    let length2 = [plane.step_i.norm_squared(), plane.step_j.norm_squared()];
    let shifts: Vec<[f64; 2]> = placed
        .iter()
        .map(|p| {
            let [i, j] = in_voxels(lean * (p.along - lowest.along));
            [i / length2[0], j / length2[1]]
        })
        .collect();
    let bound = |axis: usize| {
        let (low, high) = shifts.iter().fold((0.0_f64, 0.0_f64), |(l, h), s| (l.min(s[axis]), h.max(s[axis])));
        ((low + WHOLE).floor().min(0.0) as i64, (high - WHOLE).ceil().max(0.0) as i64)
    };
    // Shifts of a stack that does not lean are exactly zero.
    let ([low_i, low_j], [high_i, high_j]) = if lean == Vector3::zeros() {
        ([0, 0], [0, 0])
    } else {
        let (i, j) = (bound(0), bound(1));
        ([i.0, j.0], [i.1, j.1])
    };
    let n = placed.len();
    let spacing_mm =
        evened.as_ref().map_or((placed[n - 1].along - lowest.along) / (n - 1).max(1) as f64, |e| e.spacing_mm);
    let planes = evened.map_or_else(|| (0..n).map(Blend::whole).collect(), |e| e.planes);
    let shape =
        Shape { ni: plane.ni + (high_i - low_i) as usize, nj: plane.nj + (high_j - low_j) as usize, nk: planes.len() };
    let shifts = shifts.into_iter().map(|[i, j]| [i - low_i as f64, j - low_j as f64]).collect();
    Layout {
        origin: lowest.position + plane.step_i * low_i as f64 + plane.step_j * low_j as f64,
        step: plane.normal * spacing_mm,
        shape,
        reslice: Some(Reslice { ni: plane.ni, nj: plane.nj, shifts, planes }),
    }
}
