//! The widest perpendicular of a chord that stays inside a mask: with the longest inside chord it makes the cross-product of viable
//! tissue.
//!
//! Source: Bruix et al. 2001 (EASL: enhancing area by the product of its diameters), Miller et al. 1981 (WHO: the longest diameter
//! times the greatest perpendicular in the same slice). Made exact here: on the half-pixel outline, holes left out.

use nalgebra::Vector2;

use crate::contour::outlines;
use crate::diameter::{Chord, ChordInSlice, Plane, TIE_MM};
use crate::mask::Mask;
use crate::units::Mm;

/// How far beside a corner the outline is cut: at the corner itself an edge begins and another ends.
const BESIDE_MM: f64 = 1e-6;

/// The longest chord perpendicular to `long` in its slice of which no more than `tolerance` (in all) lies outside the mask's
/// outline; `None` where the slice is empty or `long` has no length. Of equals, the first along `long`.
#[must_use]
pub fn widest_inside_perpendicular(mask: &Mask, long: &ChordInSlice, tolerance: Mm) -> Option<Chord> {
    let plane = Plane::of(mask.grid());
    let [origin, end] = [long.chord.start, long.chord.end].map(|point| plane.of_patient(mask.grid(), point));
    let along = (end - origin).try_normalize(TIE_MM)?;
    let across = Vector2::new(-along.y, along.x);
    let turned = |corner: &[i64; 2]| {
        let p = plane.mm(*corner) - origin;
        (p.dot(&along), p.dot(&across))
    };
    let polygons: Vec<Vec<(f64, f64)>> =
        outlines(mask, long.slice_k).iter().map(|one| one.corners.iter().map(turned).collect()).collect();
    // Between two corners all edges are straight, so the width is greatest beside one of them.
    let mut stations: Vec<f64> = polygons.iter().flatten().map(|corner| corner.0).collect();
    stations.sort_unstable_by(f64::total_cmp);
    stations.dedup_by(|later, earlier| *later - *earlier <= TIE_MM);
    let mut best: Option<(f64, [f64; 2])> = None;
    for t in stations.iter().flat_map(|corner| [corner - BESIDE_MM, corner + BESIDE_MM]) {
        for [low, high] in inside_runs(&crossings(&polygons, t), tolerance) {
            if best.is_none_or(|(_, [a, b])| high - low > b - a + 2.0 * BESIDE_MM) {
                best = Some((t, [low, high]));
            }
        }
    }
    let (t, ends) = best?;
    let [start, end] = ends.map(|y| plane.patient(mask.grid(), origin + along * t + across * y, long.slice_k));
    Some(Chord { start, end })
}

/// Where the polygons' edges cross the line x = t, ascending; every second gap between them lies inside.
fn crossings(polygons: &[Vec<(f64, f64)>], t: f64) -> Vec<f64> {
    let mut found = Vec::new();
    for (p, q) in polygons.iter().flat_map(|corners| corners.iter().zip(corners.iter().cycle().skip(1))) {
        if (p.0 <= t) != (q.0 <= t) {
            found.push(p.1 + (q.1 - p.1) * (t - p.0) / (q.0 - p.0));
        }
    }
    found.sort_unstable_by(f64::total_cmp);
    found
}

/// From each run inside, the longest reach over gaps that together are within the tolerance.
fn inside_runs(crossings: &[f64], tolerance: Mm) -> impl Iterator<Item = [f64; 2]> {
    let runs: Vec<[f64; 2]> = crossings.chunks_exact(2).map(|ends| [ends[0], ends[1]]).collect();
    (0..runs.len()).map(move |first| {
        let (mut high, mut outside) = (runs[first][1], 0.0);
        for [next_low, next_high] in &runs[first + 1..] {
            outside += next_low - high;
            if outside > tolerance.0.max(0.0) {
                break;
            }
            high = *next_high;
        }
        [runs[first][0], high]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Grid, Point, Shape, longest_inside_chord, planar_diameters};

    fn grid(shape: Shape, spacing_mm: [f64; 3]) -> Grid {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        Grid::from_directions(shape, Point::new(1.0, 2.0, 3.0), spacing_mm, rotation, FrameId::new("f")).unwrap()
    }

    fn drawn(rows: &[&str], spacing_mm: [f64; 3]) -> Mask {
        let shape = Shape { ni: rows[0].len(), nj: rows.len(), nk: 2 };
        Mask::from_fn(grid(shape, spacing_mm), |at| at.k == 1 && rows[at.j].as_bytes()[at.i] == b'#')
    }

    /// Lengths of the longest inside chord and of its perpendicular, which must be one, in the same slice.
    fn lengths(mask: &Mask, tolerance: f64) -> [f64; 2] {
        let long = longest_inside_chord(mask, Mm(tolerance)).unwrap();
        let short = widest_inside_perpendicular(mask, &long, Mm(tolerance)).unwrap();
        assert!((long.chord.end - long.chord.start).dot(short.end - short.start).abs() < 1e-6, "perpendicular");
        let slice = |point| mask.grid().patient_to_voxel().apply(point).coords.z - long.slice_k as f64;
        assert!(slice(short.start).abs() < 1e-9 && slice(short.end).abs() < 1e-9);
        [long.chord.length().0, short.length().0]
    }

    #[test]
    fn without_holes_and_bays_it_is_the_short_axis() {
        for rows in [&[".###.", "#####", "#####", ".###."][..], &["....##....", "##########", "....##...."], &["#"]] {
            let mask = drawn(rows, [0.8, 0.7, 5.0]);
            let short = planar_diameters(&mask).unwrap().short_axis.length().0;
            assert!((lengths(&mask, 0.0)[1] - short).abs() < 1e-5, "{rows:?}");
        }
    }

    #[test]
    fn necrosis_is_not_crossed_but_within_the_tolerance() {
        // A ring of 20 × 20 mm, 4 mm thick, round a core of 12 × 12 mm.
        let row = |j: usize| (0..20).map(move |i| if (4..16).contains(&i) && (4..16).contains(&j) { '.' } else { '#' });
        let rows: Vec<String> = (0..20).map(|j| row(j).collect()).collect();
        let ring = drawn(&rows.iter().map(String::as_str).collect::<Vec<_>>(), [1.0, 1.0, 5.0]);
        let along = |a: [f64; 3], b: [f64; 3]| {
            let at = |[i, j, k]: [f64; 3]| ring.grid().voxel_to_patient().apply(Point::new(i, j, k));
            ChordInSlice { chord: Chord { start: at(a), end: at(b) }, slice_k: 1 }
        };
        // Along the upper band: the two legs are 20 mm high, the band itself 4 mm.
        let band = along([-0.5, 1.5, 1.0], [19.5, 1.5, 1.0]);
        let leg = widest_inside_perpendicular(&ring, &band, Mm(0.0)).unwrap();
        assert!((leg.length().0 - 20.0).abs() < 1e-5, "{}", leg.length().0);
        // A septum of one pixel.
        let split = drawn(&["##########", "##########", "..........", "##########"], [1.0, 1.0, 5.0]);
        assert!((lengths(&split, 0.5)[1] - 2.0).abs() < 0.5);
        assert!((lengths(&split, 1.1)[1] - 4.0).abs() < 0.9);
    }

    #[test]
    fn an_ellipse_has_its_small_diameter_and_nothing_has_none() {
        let shape = Shape { ni: 90, nj: 80, nk: 1 };
        let ellipse = Mask::from_fn(grid(shape, [0.5, 0.4, 3.0]), |at| {
            let (x, y) = (0.5 * (at.i as f64 - 44.3), 0.4 * (at.j as f64 - 39.6));
            ((0.8 * x + 0.6 * y) / 12.0).powi(2) + ((0.8 * y - 0.6 * x) / 7.0).powi(2) <= 1.0
        });
        let [long, short] = lengths(&ellipse, 0.0);
        assert!((long - 24.0).abs() < 0.5 && (short - 14.0).abs() < 0.6, "{long} {short}");
        let chord = longest_inside_chord(&ellipse, Mm(0.0)).unwrap();
        assert!(widest_inside_perpendicular(&Mask::filled(ellipse.grid().clone(), false), &chord, Mm(0.0)).is_none());
    }
}
