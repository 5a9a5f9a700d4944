//! Long and short axis of a lesion from the sub-voxel outline of its mask.
//!
//! The outline of a binary mask runs along the edges of voxels; the farthest pair of its points is a maximum over stairs and reads
//! too long by about 0.6 pixels. Here the outline is the zero line, in each acquired slice, of the smoothest function with the
//! mask's signs (the module `level_set`), which has no stairs. Definition otherwise as in [`crate::diameter`]: the farthest pair of
//! points of the outline in one acquired slice and one piece (RECIST 1.1, Eisenhauer et al. 2009 §3), and the longest chord exactly
//! perpendicular to it in the same slice. Edge cases: a mask of fewer than four slices, or with more detail than that function can
//! follow, is blurred within the slice by 0.7 pixels and cut at one half (too long by 0.35 pixels on ellipsoids); a mask that vanishes
//! so is measured on its binary outline.

use nalgebra::Vector2;

use crate::components::{Component, Components, Connectivity, components};
use crate::diameter::{Chord, PlanarDiameters, planar_diameters};
use crate::grid::{Grid, Index3, Shape};
use crate::intensity::smooth_voxels;
use crate::level_set::LevelSet;
use crate::mask::Mask;
use crate::resample::regrid;
use crate::space::Point;
use crate::surface::ANTI_ALIASING_VOXELS;
use crate::volume::Volume;
use crate::window::Window;

/// Pixels of background kept around the mask.
const RIM_PIXELS: usize = 4;
/// A piece seen in fewer slices has no known shape across them: one slice between two caps, which a surface in space would round off
/// where the outline is uneven (15.996 for 16.057 mm on a real lesion of three slices).
const MIN_SLICES: usize = 4;
/// Parts into which a pixel is cut along each side before the outline is drawn.
const PARTS: f64 = 2.0;
/// An outline belongs to a piece of the mask whose pixels come this near, in pixels.
const REACH_PIXELS: i64 = 1;
/// Distance between the lines on which the short axis is looked for, mm.
const LINE_STEP_MM: f64 = 0.1;
/// Of two equally long axes the first one counts.
const TIE_MM: f64 = 1e-9;

/// A piece of outline between two sides of a cell, in pixels (i, j).
type Segment = [Vector2<f64>; 2];

/// Long and short axis on the sub-voxel outline; `None` when the mask is empty. Pieces that do not touch are fitted each on their own.
#[must_use]
pub fn smooth_planar_diameters(mask: &Mask) -> Option<PlanarDiameters> {
    let window = Window::around(mask, [1; 3])?;
    let cut = window.cut(mask, false).ok()?;
    let pieces = components(&cut, Connectivity::Corners);
    let mut longest_first: Vec<(f64, u32)> = pieces.list.iter().map(|c| (reach(mask.grid(), c), c.label)).collect();
    longest_first.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut best: Option<PlanarDiameters> = None;
    for (reach, label) in longest_first {
        let longest = best.as_ref().map_or(0.0, |b| b.long_axis.length().0);
        if reach <= longest {
            break;
        }
        let piece = pieces.mask(label);
        let found = widest(&piece, fitted(&piece).as_ref(), false);
        best = found.filter(|f| f.long_axis.length().0 > longest + TIE_MM).or(best);
    }
    let best = best?;
    let slice_k = usize::try_from(best.slice_k as i64 + window.low[2]).ok()?;
    Some(PlanarDiameters { slice_k, ..best })
}

/// [`smooth_planar_diameters`] with all pieces of a slice taken together: for a mask of several pieces that a reader declares to be one
/// lesion. Never for a mask of several lesions: it would measure from one to the other.
#[must_use]
pub fn smooth_planar_diameters_across_pieces(mask: &Mask) -> Option<PlanarDiameters> {
    widest(mask, fitted(mask).as_ref(), true)
}

/// A length that no chord of a piece in a slice exceeds: the diagonal of its box and two pixels.
fn reach(grid: &Grid, piece: &Component) -> f64 {
    let pixels = |low: usize, high: usize| (high - low + 3) as f64;
    let [si, sj, _] = grid.spacing_mm();
    // In a sheared grid the diagonal is longer than the hypotenuse, but never longer than the sum.
    pixels(piece.low.i, piece.high.i) * si + pixels(piece.low.j, piece.high.j) * sj
}

/// The function of a mask that is seen in enough slices.
fn fitted(mask: &Mask) -> Option<LevelSet> {
    let (low, high) = mask.bounding_box()?;
    if high.k - low.k < MIN_SLICES - 1 { None } else { LevelSet::of_mask(mask) }
}

/// The axes of the slice and the region (one piece or, `as_one`, all pieces of the slice) with the longest long axis.
pub(crate) fn widest(mask: &Mask, function: Option<&LevelSet>, as_one: bool) -> Option<PlanarDiameters> {
    let (low, high) = mask.bounding_box()?;
    let function = if high.k - low.k < MIN_SLICES - 1 { None } else { function };
    let mut best: Option<(f64, usize, Segment, Vec<Segment>)> = None;
    for k in low.k..=high.k {
        let mut regions = outlines(mask, k, function).unwrap_or_default();
        if as_one {
            regions = vec![regions.concat()];
        }
        for segments in regions {
            let Some((length, ends)) = farthest(&segments, mask.grid()) else { continue };
            if best.as_ref().is_none_or(|(longest, ..)| length > longest + TIE_MM) {
                best = Some((length, k, ends, segments));
            }
        }
    }
    let Some((_, k, ends, segments)) = best else { return planar_diameters(mask) };
    let chord = |ends: Segment| {
        let at = |p: Vector2<f64>| mask.grid().voxel_to_patient().apply(Point::new(p.x, p.y, k as f64));
        Chord { start: at(ends[0]), end: at(ends[1]) }
    };
    let short = perpendicular(&segments, ends, mask.grid());
    Some(PlanarDiameters { long_axis: chord(ends), short_axis: chord(short), slice_k: k })
}

/// The outline of every piece of one slice.
fn outlines(mask: &Mask, k: usize, function: Option<&LevelSet>) -> Option<Vec<Vec<Segment>>> {
    let plane = Window { low: [0, 0, k as i64], shape: Shape { nk: 1, ..mask.shape() } };
    let slice = plane.cut(mask, false).ok()?;
    let window = Window::around(&slice, [RIM_PIXELS, RIM_PIXELS, 0])?;
    let cut = window.cut(&slice, false).ok()?;
    let field = match function {
        Some(function) => {
            let [si, sj, sk] = cut.grid().spacing_mm();
            function.on(&regrid(cut.grid(), [si / PARTS, sj / PARTS, sk]).ok()?, mask)
        }
        None => blurred(&cut),
    };
    let parts = field.shape().ni as f64 / cut.shape().ni as f64;
    let pieces = components(&cut, Connectivity::Corners);
    let mut found = vec![Vec::new(); pieces.list.len()];
    for segment in zero_line(&field) {
        let in_window = segment.map(|p| (p.add_scalar(0.5) / parts).add_scalar(-0.5));
        if let Some(piece) = nearest_piece(&pieces, (in_window[0] + in_window[1]) * 0.5) {
            let corner = Vector2::new(window.low[0] as f64, window.low[1] as f64);
            found[piece].push(in_window.map(|p| p + corner));
        }
    }
    Some(found)
}

/// A slice blurred by 0.7 pixels, less one half.
fn blurred(slice: &Mask) -> Volume<f32> {
    let soft = slice.map(|v| f32::from(u8::from(*v)));
    smooth_voxels(&soft, [ANTI_ALIASING_VOXELS, ANTI_ALIASING_VOXELS, 0.0]).map(|v| v - 0.5)
}

/// The piece (counted from 0) with the nearest pixel.
fn nearest_piece(pieces: &Components, p: Vector2<f64>) -> Option<usize> {
    let shape = pieces.labels.shape();
    let mut best: Option<(f64, usize)> = None;
    let around = |v: f64, n: usize| {
        let nearest = v.round() as i64;
        (nearest - REACH_PIXELS).max(0) as usize..((nearest + REACH_PIXELS + 1).max(0) as usize).min(n)
    };
    for j in around(p.y, shape.nj) {
        for i in around(p.x, shape.ni) {
            let label = usize::try_from(*pieces.labels.at(Index3 { i, j, k: 0 })).unwrap_or(0);
            let distance = (Vector2::new(i as f64, j as f64) - p).norm();
            if label > 0 && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, label - 1));
            }
        }
    }
    best.map(|(_, piece)| piece)
}

/// Where a slice of one function crosses zero, in its pixels.
fn zero_line(field: &Volume<f32>) -> Vec<Segment> {
    let Shape { ni, nj, .. } = field.shape();
    let values = field.values();
    let mut segments = Vec::new();
    for j in 0..nj.saturating_sub(1) {
        for i in 0..ni.saturating_sub(1) {
            let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
            let crossings =
                cell(corners.map(|(i, j)| (Vector2::new(i as f64, j as f64), f64::from(values[j * ni + i]))));
            segments.extend(crossings.chunks_exact(2).map(|pair| [pair[0], pair[1]]));
        }
    }
    segments
}

/// Where the line crosses the four sides of a cell, in order round the cell.
fn cell(corners: [(Vector2<f64>, f64); 4]) -> Vec<Vector2<f64>> {
    let mut crossings = Vec::with_capacity(4);
    for side in 0..4 {
        let (a, b) = (corners[side], corners[(side + 1) % 4]);
        if (a.1 >= 0.0) != (b.1 >= 0.0) {
            crossings.push(a.0 + (b.0 - a.0) * (a.1 / (a.1 - b.1)));
        }
    }
    crossings
}

/// Pixel steps in mm: the in-plane columns of the grid.
fn mm(grid: &Grid, step: Vector2<f64>) -> nalgebra::Vector3<f64> {
    let linear = grid.voxel_to_patient().linear();
    linear.column(0) * step.x + linear.column(1) * step.y
}

fn farthest(segments: &[Segment], grid: &Grid) -> Option<(f64, Segment)> {
    let points: Vec<Vector2<f64>> = segments.iter().map(|s| s[0]).collect();
    let mut best: Option<(f64, Segment)> = None;
    for (n, a) in points.iter().enumerate() {
        for b in &points[n + 1..] {
            let length = mm(grid, b - a).norm();
            if best.as_ref().is_none_or(|(longest, _)| length > longest + TIE_MM) {
                best = Some((length, [*a, *b]));
            }
        }
    }
    best
}

/// The longest chord of the iso-line on a line perpendicular (in mm) to the long axis.
fn perpendicular(segments: &[Segment], long: Segment, grid: &Grid) -> Segment {
    let along = mm(grid, long[1] - long[0]);
    let length = along.norm();
    let unit = along / length;
    let (x, y) = (mm(grid, Vector2::new(1.0, 0.0)), mm(grid, Vector2::new(0.0, 1.0)));
    let across = x.cross(&y).cross(&unit).normalize();
    let local = |p: &Vector2<f64>| {
        let from_start = mm(grid, p - long[0]);
        (from_start.dot(&unit), from_start.dot(&across))
    };
    let locals: Vec<[(f64, f64); 2]> = segments.iter().map(|s| [local(&s[0]), local(&s[1])]).collect();
    let n_lines = (length / LINE_STEP_MM).ceil().max(1.0) as usize;
    let mut best = (0.0, [long[0], long[0]]);
    for line in 0..=n_lines {
        let position = length * line as f64 / n_lines as f64;
        let mut ends: Option<[(f64, Vector2<f64>); 2]> = None;
        for (segment, [a, b]) in segments.iter().zip(&locals) {
            if (a.0 > position) == (b.0 > position) {
                continue;
            }
            let t = (position - a.0) / (b.0 - a.0);
            let hit = (a.1 + (b.1 - a.1) * t, segment[0] + (segment[1] - segment[0]) * t);
            let ends = ends.get_or_insert([hit, hit]);
            if hit.0 < ends[0].0 {
                ends[0] = hit;
            }
            if hit.0 > ends[1].0 {
                ends[1] = hit;
            }
        }
        if let Some([low, high]) = ends
            && high.0 - low.0 > best.0 + TIE_MM
        {
            best = (high.0 - low.0, [low.1, high.1]);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Index3};

    /// An ellipse in an oblique slice of 1.3 × 1.3 mm pixels, 30 × 18 mm, turned by `angle`, centred off the grid.
    fn ellipse(angle: f64, offset: f64) -> Mask {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.1, -0.05, 0.3).matrix();
        let shape = Shape { ni: 40, nj: 38, nk: 3 };
        let grid =
            Grid::from_directions(shape, Point::new(5.0, -40.0, 100.0), [1.3, 1.3, 2.5], rotation, FrameId::new("f"))
                .unwrap();
        Mask::from_fn(grid, |at: Index3| {
            let (x, y) = ((at.i as f64 - 19.0 - offset) * 1.3, (at.j as f64 - 18.3 + offset) * 1.3);
            let (u, v) = (x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin());
            at.k == 1 && (u / 15.0).powi(2) + (v / 9.0).powi(2) <= 1.0
        })
    }

    #[test]
    fn axes_of_ellipses_are_within_half_a_pixel_where_the_binary_outline_is_not() {
        let mut worst_binary = 0.0_f64;
        for n in 0..24 {
            let mask = ellipse(0.27 * f64::from(n), 0.13 * f64::from(n % 7));
            let found = smooth_planar_diameters(&mask).unwrap();
            let (long, short) = (found.long_axis.length().0, found.short_axis.length().0);
            assert!((long - 30.0).abs() < 1.3 / 2.0, "long axis {long}");
            // The perpendicular follows whatever tilt the pixels give the long axis: up to 0.8 pixels here.
            assert!((short - 18.0).abs() < 1.3, "short axis {short}");
            let (a, b) = (found.long_axis.end - found.long_axis.start, found.short_axis.end - found.short_axis.start);
            assert!((a.dot(b) / (long * short)).abs() < 1e-9, "perpendicular");
            assert_eq!(found.slice_k, 1);
            worst_binary = worst_binary.max((planar_diameters(&mask).unwrap().long_axis.length().0 - 30.0).abs());
        }
        assert!(worst_binary > 0.65, "{worst_binary}");
    }

    #[test]
    fn a_single_voxel_is_measured_on_its_binary_outline_and_nothing_is_none() {
        let empty = ellipse(0.0, 0.0).map(|_| false);
        assert!(smooth_planar_diameters(&empty).is_none());
        let mut one = empty;
        one.data_mut()[[1, 5, 5]] = true;
        assert!(smooth_planar_diameters(&one).unwrap().long_axis.length().0 > 0.0);
    }
}
