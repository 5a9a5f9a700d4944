//! Diameters of a lesion as RECIST asks for them: in one acquired slice, on the sub-pixel outline, in mm.
//!
//! Source: Eisenhauer et al. 2009 (RECIST 1.1), §"Measurement of lesions": longest diameter in the plane of acquisition, short
//! axis perpendicular to it. Made exact here: the long axis is the farthest pair of points of one piece's outline in one slice
//! (it may cross background in a concavity); the short axis is the longest distance between the outermost crossings of a line
//! perpendicular to it with that outline, anywhere in the slice.

use nalgebra::{Vector2, Vector3};
use serde::{Deserialize, Serialize};

use crate::contour::{HalfPixel, Outline, outlines, patient};
use crate::grid::{Grid, Index3};
use crate::hull::{extreme_points, hull_corners};
use crate::mask::Mask;
use crate::space::{Patient, Point};
use crate::units::{Mm, Mm3};

/// Lengths that differ by less than this are equal and the first in order wins: rounding of one square root, not of an image.
pub(crate) const TIE_MM: f64 = 1e-9;

/// A straight line between two points of a contour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Chord {
    /// One end, LPS mm.
    pub start: Point<Patient>,
    /// The other end, LPS mm.
    pub end: Point<Patient>,
}

impl Chord {
    /// Its length.
    pub fn length(&self) -> Mm {
        Mm(self.start.distance(self.end))
    }
}

/// A chord and the acquired slice it lies in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChordInSlice {
    /// The chord.
    pub chord: Chord,
    /// Index of the slice.
    pub slice_k: usize,
}

/// Long and short axis of a lesion.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlanarDiameters {
    /// RECIST longest diameter.
    pub long_axis: Chord,
    /// Longest perpendicular in the same slice, on the outline of the same piece.
    pub short_axis: Chord,
    /// Index of the slice both lie in.
    pub slice_k: usize,
}

/// Long and short axis of the mask of one lesion, each piece of a slice on its own; `None` when the mask is empty. Of equal long
/// axes the one in the lowest slice counts, there the first by row and column.
#[must_use]
pub fn planar_diameters(mask: &Mask) -> Option<PlanarDiameters> {
    widest(mask, |outlines| outlines.into_iter().map(|o| vec![o]).collect())
}

/// [`planar_diameters`] with all pieces of a slice taken together: for a mask of several pieces that a reader declares to be one
/// lesion. Never for a mask of several lesions: it would measure from one to the other.
#[must_use]
pub fn planar_diameters_across_pieces(mask: &Mask) -> Option<PlanarDiameters> {
    widest(mask, |outlines| if outlines.is_empty() { Vec::new() } else { vec![outlines] })
}

/// The region of any slice with the longest long axis; `regions` says which outer outlines of a slice are measured as one.
fn widest(mask: &Mask, regions: impl Fn(Vec<Outline>) -> Vec<Vec<Outline>>) -> Option<PlanarDiameters> {
    let (low, high) = mask.bounding_box()?;
    let plane = Plane::of(mask.grid());
    let mut best: Option<(f64, usize, [HalfPixel; 2], Vec<Outline>)> = None;
    for k in low.k..=high.k {
        for region in regions(outlines(mask, k).into_iter().filter(|o| !o.is_hole).collect()) {
            let (length, ends) = plane.farthest_pair(&region);
            if best.as_ref().is_none_or(|(longest, ..)| length > longest + TIE_MM) {
                best = Some((length, k, ends, region));
            }
        }
    }
    let (_, slice_k, [a, b], region) = best?;
    let long_axis = Chord { start: patient(mask.grid(), a, slice_k), end: patient(mask.grid(), b, slice_k) };
    let [start, end] = plane.longest_perpendicular(&region, a, b).map(|p| plane.patient(mask.grid(), p, slice_k));
    Some(PlanarDiameters { long_axis, short_axis: Chord { start, end }, slice_k })
}

/// The farthest pair of points of the three-dimensional outline (mid-points between voxel centres inside and outside): too long by
/// about half a slice where the body ends between slices. `None` when the mask is empty.
#[must_use]
pub fn voxel_3d_diameter(mask: &Mask) -> Option<Chord> {
    let corners = extreme_points(half_voxel_surface(mask));
    let points: Vec<Point<Patient>> = corners
        .iter()
        .map(|p| {
            let [x, y, z] = p.map(|v| v as f64 / 2.0);
            mask.grid().voxel_to_patient().apply(Point::new(x, y, z))
        })
        .collect();
    let mut best: Option<(f64, Chord)> = None;
    for (n, a) in points.iter().enumerate() {
        for b in &points[n + 1..] {
            let squared = (a.coords - b.coords).norm_squared();
            if best.as_ref().is_none_or(|(longest, _)| squared > *longest) {
                let tied = best.as_ref().is_some_and(|(longest, _)| squared.sqrt() <= longest.sqrt() + TIE_MM);
                if !tied {
                    best = Some((squared, Chord { start: *a, end: *b }));
                }
            }
        }
    }
    best.map(|(_, chord)| chord)
}

/// Volume of a mask: number of voxels times the volume of one.
pub fn mask_volume(mask: &Mask) -> Mm3 {
    Mm3(mask.n_voxels_set() as f64 * mask.grid().voxel_volume_mm3())
}

/// Mean of the voxel centres of a mask, LPS mm; `None` when it is empty.
#[must_use]
pub fn mask_centroid(mask: &Mask) -> Option<Point<Patient>> {
    let mut n_voxels = 0_usize;
    let mut sum = Vector3::zeros();
    for at in mask.indices_set() {
        n_voxels += 1;
        sum += at.center().coords;
    }
    (n_voxels > 0).then(|| mask.grid().voxel_to_patient().apply(Point::from_coords(sum / n_voxels as f64)))
}

/// The mid-points between a voxel inside and its face neighbour outside, in half voxels.
fn half_voxel_surface(mask: &Mask) -> Vec<[i64; 3]> {
    let mut points = Vec::new();
    for at in mask.indices_set() {
        let centre = [at.i as i64, at.j as i64, at.k as i64];
        for axis in 0..3 {
            for step in [-1, 1] {
                let mut neighbour = centre;
                neighbour[axis] += step;
                let index = neighbour.map(|v| usize::try_from(v).unwrap_or(usize::MAX));
                let set = mask.get(Index3 { i: index[0], j: index[1], k: index[2] }).copied().unwrap_or(false);
                if !set {
                    let mut point = centre.map(|v| 2 * v);
                    point[axis] += step;
                    points.push(point);
                }
            }
        }
    }
    points
}

/// A slice's plane with perpendicular axes in mm: x along the rows, y across them, whatever angle the grid's axes make.
pub(crate) struct Plane {
    column: f64,
    row: Vector2<f64>,
}

impl Plane {
    pub(crate) fn of(grid: &Grid) -> Self {
        let linear = grid.voxel_to_patient().linear();
        let (u, v) = (linear.column(0), linear.column(1));
        let along = v.dot(&u) / u.norm();
        Self { column: u.norm(), row: Vector2::new(along, (v.norm_squared() - along * along).max(0.0).sqrt()) }
    }

    /// Half pixels to mm in the plane.
    pub(crate) fn mm(&self, at: HalfPixel) -> Vector2<f64> {
        (Vector2::new(self.column, 0.0) * at[0] as f64 + self.row * at[1] as f64) * 0.5
    }

    /// From mm in the plane of slice `k` to the patient.
    pub(crate) fn patient(&self, grid: &Grid, p: Vector2<f64>, k: usize) -> Point<Patient> {
        let j = p.y / self.row.y;
        let i = (p.x - j * self.row.x) / self.column;
        grid.voxel_to_patient().apply(Point::new(i, j, k as f64))
    }

    /// A patient's point to mm in the plane.
    pub(crate) fn of_patient(&self, grid: &Grid, point: Point<Patient>) -> Vector2<f64> {
        let at = grid.patient_to_voxel().apply(point).coords;
        Vector2::new(self.column, 0.0) * at.x + self.row * at.y
    }

    fn farthest_pair(&self, region: &[Outline]) -> (f64, [HalfPixel; 2]) {
        let all: Vec<HalfPixel> = region.iter().flat_map(|o| o.corners.iter().copied()).collect();
        let mut corners = hull_corners(&all);
        corners.sort_unstable_by_key(|c| (c[1], c[0]));
        let mut best = (0.0, [corners[0]; 2]);
        for (n, a) in corners.iter().enumerate() {
            for b in &corners[n + 1..] {
                let length = (self.mm(*a) - self.mm(*b)).norm();
                if length > best.0 + TIE_MM {
                    best = (length, [*a, *b]);
                }
            }
        }
        best
    }

    /// The ends of the longest perpendicular to the line from `a` to `b`. Between two neighbouring corners (along the long axis)
    /// the outermost crossings move on straight edges, so the longest lies at a corner.
    fn longest_perpendicular(&self, region: &[Outline], a: HalfPixel, b: HalfPixel) -> [Vector2<f64>; 2] {
        let origin = self.mm(a);
        let along = (self.mm(b) - origin).normalize();
        let across = Vector2::new(-along.y, along.x);
        let turned = |c: &HalfPixel| {
            let p = self.mm(*c) - origin;
            (p.dot(&along), p.dot(&across))
        };
        let polygons: Vec<Vec<(f64, f64)>> = region.iter().map(|o| o.corners.iter().map(turned).collect()).collect();
        let mut stations: Vec<f64> = polygons.iter().flatten().map(|c| c.0).collect();
        stations.sort_unstable_by(f64::total_cmp);
        stations.dedup_by(|later, earlier| *later - *earlier <= TIE_MM);
        let mut best = (f64::NEG_INFINITY, [origin; 2]);
        for t in stations {
            let (low, high) = outermost_crossings(&polygons, t);
            if high - low > best.0 + TIE_MM {
                best = (high - low, [low, high].map(|y| origin + along * t + across * y));
            }
        }
        best.1
    }
}

/// Lowest and highest y at which closed polygons, their edges included, meet the line x = t.
fn outermost_crossings(polygons: &[Vec<(f64, f64)>], t: f64) -> (f64, f64) {
    let mut crossings = (f64::INFINITY, f64::NEG_INFINITY);
    for (p, q) in polygons.iter().flat_map(|corners| corners.iter().zip(corners.iter().cycle().skip(1))) {
        let (left, right) = if p.0 <= q.0 { (p, q) } else { (q, p) };
        if t < left.0 - TIE_MM || t > right.0 + TIE_MM {
            continue;
        }
        let width = right.0 - left.0;
        let ends = if width <= TIE_MM {
            [left.1, right.1]
        } else {
            [left.1 + (right.1 - left.1) * ((t - left.0) / width).clamp(0.0, 1.0); 2]
        };
        for y in ends {
            crossings = (crossings.0.min(y), crossings.1.max(y));
        }
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesion_diameters::{Pieces, lesion_diameters};
    use crate::{FrameId, Shape};

    fn of(rows: &[&str], spacing_mm: [f64; 3]) -> Mask {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        let shape = Shape { ni: rows[0].len(), nj: rows.len(), nk: 3 };
        let grid =
            Grid::from_directions(shape, Point::new(1.0, 2.0, 3.0), spacing_mm, rotation, FrameId::new("f")).unwrap();
        Mask::from_fn(grid, |at| at.k == 1 && rows[at.j].as_bytes()[at.i] == b'#')
    }

    fn lengths(mask: &Mask) -> (f64, f64) {
        let d = planar_diameters(mask).unwrap();
        let (u, v) = (d.long_axis.end - d.long_axis.start, d.short_axis.end - d.short_axis.start);
        assert!(u.dot(v).abs() < 1e-9, "perpendicular");
        (d.long_axis.length().0, d.short_axis.length().0)
    }

    #[test]
    fn a_pixel_and_a_bar_by_hand() {
        let (long, short) = lengths(&of(&["#"], [0.8, 0.7, 5.0]));
        assert!((long - 0.8).abs() < 1e-12 && (short - 0.7).abs() < 1e-12);
        // 12 × 2 pixels of 0.5 × 1 mm, the ends at the middle of the outer pixel edges: 6 mm apart along and 1 mm across.
        let (long, short) =
            lengths(&of(&["..............", ".############.", ".############.", ".............."], [0.5, 1.0, 5.0]));
        let want = 37.0_f64.sqrt();
        assert!((long - want).abs() < 1e-12, "{long}");
        // The outline is 2 mm high and met by the perpendicular at an angle whose cosine is 6 / √37.
        assert!((short - 2.0 * want / 6.0).abs() < 1e-9, "{short}");
    }

    #[test]
    fn the_long_axis_may_cross_a_bay_and_the_short_axis_lies_where_it_is_widest() {
        let u = of(&["#.....#", "#.....#", "#######"], [1.0, 1.0, 1.0]);
        let (long, _) = lengths(&u);
        let brute = brute_force_long_axis(&u);
        assert!((long - brute).abs() < 1e-12, "{long} {brute}");
        let bulge = of(&[".....##.....", "############", ".....##....."], [1.0, 1.0, 1.0]);
        let (long, short) = lengths(&bulge);
        assert!((long - 12.0).abs() < 1e-12 && (short - 3.0).abs() < 1e-12, "{long} {short}");
    }

    fn brute_force_long_axis(mask: &Mask) -> f64 {
        let points: Vec<_> = crate::contour::contours(mask, 1).into_iter().flat_map(|c| c.points).collect();
        points.iter().flat_map(|a| points.iter().map(|b| a.distance(*b))).fold(0.0, f64::max)
    }

    #[test]
    fn two_pieces_of_one_slice_are_not_measured_across_and_ties_take_the_lowest_slice() {
        let (long, _) = lengths(&of(&["##....#"], [1.0, 1.0, 1.0]));
        assert!((long - 2.0).abs() < 1e-12);
        let mut both = of(&["##....#"], [1.0, 1.0, 1.0]);
        assert!((planar_diameters_across_pieces(&both).unwrap().long_axis.length().0 - 7.0).abs() < 1e-12);
        both.data_mut()[[2, 0, 4]] = true;
        both.data_mut()[[2, 0, 5]] = true;
        assert_eq!(planar_diameters(&both).unwrap().slice_k, 1);
        assert!(planar_diameters(&of(&["..."], [1.0; 3])).is_none());
    }

    #[test]
    fn an_ellipse_reads_its_axes_on_a_sheared_plane_too() {
        let shape = Shape { ni: 90, nj: 80, nk: 1 };
        for shear in [0.0, 0.3] {
            let mut linear = nalgebra::Matrix3::from_diagonal(&Vector3::new(0.5, 0.4, 3.0));
            linear[(0, 1)] = shear * 0.4;
            let rotation = *nalgebra::Rotation3::from_euler_angles(0.3, 0.2, -0.5).matrix();
            let map = crate::Affine::from_parts(rotation * linear, Vector3::new(5.0, 6.0, 7.0));
            let grid = Grid::new(shape, map, FrameId::new("f")).unwrap();
            let mask = Mask::from_fn(grid, |at| {
                let p = linear * (at.center().coords - Vector3::new(44.3, 39.6, 0.0));
                let (x, y) = (0.8 * p.x + 0.6 * p.y, -0.6 * p.x + 0.8 * p.y);
                (x / 12.0).powi(2) + (y / 7.0).powi(2) <= 1.0
            });
            let (long, short) = lengths(&mask);
            assert!((long - 24.0).abs() < 0.5 && (short - 14.0).abs() < 0.6, "{shear}: {long} {short}");
        }
    }

    #[test]
    fn the_diameter_in_space_equals_brute_force() {
        let shape = Shape { ni: 11, nj: 9, nk: 6 };
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        let grid =
            Grid::from_directions(shape, Point::new(1.0, 2.0, 3.0), [0.8, 0.7, 2.5], rotation, FrameId::new("f"))
                .unwrap();
        for seed in 0..6 {
            let mask = Mask::from_fn(grid.clone(), |at| (at.i * 31 + at.j * 57 + at.k * 91 + seed * 13) % 23 == 0);
            let surface: Vec<_> = half_voxel_surface(&mask)
                .into_iter()
                .map(|p| {
                    let [x, y, z] = p.map(|v| v as f64 / 2.0);
                    mask.grid().voxel_to_patient().apply(Point::new(x, y, z))
                })
                .collect();
            let want = surface.iter().flat_map(|a| surface.iter().map(|b| a.distance(*b))).fold(0.0, f64::max);
            let got = voxel_3d_diameter(&mask).unwrap().length().0;
            assert!((got - want).abs() < 1e-9, "{got} {want}");
        }
        let one = of(&["#"], [1.0, 2.0, 3.0]);
        assert!((lesion_diameters(&one, Pieces::EachByItself).unwrap().in_space.length().0 - 3.0).abs() < 1e-12);
        assert!((mask_volume(&one).0 - 6.0).abs() < 1e-12);
        let centre = one.grid().center(Index3 { i: 0, j: 0, k: 1 });
        assert!(mask_centroid(&one).unwrap().distance(centre) < 1e-12);
    }
}
