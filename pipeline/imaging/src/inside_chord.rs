//! The longest chord of a mask that stays inside it: the diameter of viable tissue, which must not cross necrosis.
//!
//! Source: Lencioni and Llovet 2010 (mRECIST): the longest viable diameter does not include major intervening areas of necrosis.
//! Made exact here: between corners of the half-pixel outline of one acquired slice.

use nalgebra::Vector2;

use crate::contour::{HalfPixel, outlines, patient};
use crate::diameter::{Chord, ChordInSlice, Plane, TIE_MM};
use crate::grid::Index3;
use crate::mask::Mask;
use crate::units::Mm;

/// Samples along a chord per smallest pixel size.
const SAMPLES_PER_PIXEL: f64 = 10.0;

/// How much of a pixel a sample on the outline itself may be off by rounding.
const ON_OUTLINE: f64 = 1e-9;

/// The longest chord between two points of the mask's outline in one slice of which no more than `tolerance` (in all) lies
/// outside the outline; `None` when the mask is empty. Of equals, the lowest slice and there the first by row and column.
#[must_use]
pub fn longest_inside_chord(mask: &Mask, tolerance: Mm) -> Option<ChordInSlice> {
    let (low, high) = mask.bounding_box()?;
    let plane = Plane::of(mask.grid());
    let pixel_mm = plane.mm([2, 0]).norm().min(plane.mm([0, 2]).norm());
    let mut best: Option<(f64, usize, [HalfPixel; 2])> = None;
    for k in low.k..=high.k {
        let slice = Slice { mask, k };
        let mut corners: Vec<HalfPixel> = outlines(mask, k).into_iter().flat_map(|o| o.corners).collect();
        corners.sort_unstable_by_key(|c| (c[1], c[0]));
        let mut pairs = Vec::new();
        for (n, a) in corners.iter().enumerate() {
            for b in &corners[n + 1..] {
                let length = (plane.mm(*a) - plane.mm(*b)).norm();
                if best.is_none_or(|(longest, ..)| length > longest + TIE_MM) {
                    pairs.push((length, *a, *b));
                }
            }
        }
        // A stable sort: pairs of one length stay in the order of their corners.
        pairs.sort_by(|p, q| q.0.total_cmp(&p.0));
        if let Some((length, a, b)) = pairs.into_iter().find(|(length, a, b)| {
            let n_samples = (length / pixel_mm * SAMPLES_PER_PIXEL).ceil().max(1.0) as usize;
            let n_allowed = (tolerance.0.max(0.0) / length * n_samples as f64).floor() as usize;
            slice.stays_inside(*a, *b, n_samples, n_allowed)
        }) {
            best = Some((length, k, [a, b]));
        }
    }
    let (_, slice_k, [a, b]) = best?;
    let chord = Chord { start: patient(mask.grid(), a, slice_k), end: patient(mask.grid(), b, slice_k) };
    Some(ChordInSlice { chord, slice_k })
}

struct Slice<'a> {
    mask: &'a Mask,
    k: usize,
}

impl Slice<'_> {
    /// Whether at most `n_allowed` of the samples between two half-pixel positions lie outside the outline.
    fn stays_inside(&self, a: HalfPixel, b: HalfPixel, n_samples: usize, n_allowed: usize) -> bool {
        let (a, b) = (a.map(|v| v as f64 / 2.0), b.map(|v| v as f64 / 2.0));
        let (start, step) = (Vector2::from(a), Vector2::from(b) - Vector2::from(a));
        let stride = scattering_stride(n_samples);
        let mut n_outside = 0;
        for m in 0..n_samples {
            let at = (m * stride % n_samples) as f64 + 0.5;
            if !self.contains(start + step * (at / n_samples as f64)) {
                n_outside += 1;
                if n_outside > n_allowed {
                    return false;
                }
            }
        }
        true
    }

    /// Whether a position (column, row) lies inside the half-pixel outline, corner neighbours joined.
    fn contains(&self, p: Vector2<f64>) -> bool {
        let (i, j) = (p.x.floor(), p.y.floor());
        let (fx, fy) = (p.x - i, p.y - j);
        let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
        let set = corners.map(|(cx, cy)| self.is_set(i + cx, j + cy));
        let to_corner = |n: usize| (fx - corners[n].0).abs() + (fy - corners[n].1).abs();
        let n_set = set.iter().filter(|s| **s).count();
        let adjacent = set[0] != set[2];
        match n_set {
            0 => false,
            4 => true,
            1 => (0..4).any(|n| set[n] && to_corner(n) <= 0.5 + ON_OUTLINE),
            2 if adjacent => {
                let x_decides = set[0] == set[3];
                let (at, inside_is_low) = if x_decides { (fx, set[0]) } else { (fy, set[0]) };
                if inside_is_low { at <= 0.5 + ON_OUTLINE } else { at >= 0.5 - ON_OUTLINE }
            }
            _ => (0..4).all(|n| set[n] || to_corner(n) >= 0.5 - ON_OUTLINE),
        }
    }

    fn is_set(&self, i: f64, j: f64) -> bool {
        i >= 0.0
            && j >= 0.0
            && self.mask.get(Index3 { i: i as usize, j: j as usize, k: self.k }).copied().unwrap_or(false)
    }
}

/// A stride near the golden section without a common divisor with n: visits every sample once, far apart ones first, so that a
/// chord that leaves the mask is recognised early.
fn scattering_stride(n: usize) -> usize {
    let mut stride = ((n as f64 * 0.618) as usize).max(1);
    while gcd(stride, n) != 1 {
        stride += 1;
    }
    stride
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Grid, Point, Shape, diameter::planar_diameters};

    fn of(rows: &[&str], spacing_mm: [f64; 3]) -> Mask {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        let shape = Shape { ni: rows[0].len(), nj: rows.len(), nk: 2 };
        let grid =
            Grid::from_directions(shape, Point::new(1.0, 2.0, 3.0), spacing_mm, rotation, FrameId::new("f")).unwrap();
        Mask::from_fn(grid, |at| at.k == 1 && rows[at.j].as_bytes()[at.i] == b'#')
    }

    #[test]
    fn a_convex_mask_has_its_long_axis() {
        let disc = of(&[".###.", "#####", "#####", ".###."], [0.8, 0.7, 5.0]);
        let inside = longest_inside_chord(&disc, Mm(0.0)).unwrap();
        assert_eq!(inside.slice_k, 1);
        assert!((inside.chord.length().0 - planar_diameters(&disc).unwrap().long_axis.length().0).abs() < 1e-12);
    }

    #[test]
    fn a_septum_is_crossed_only_within_the_tolerance() {
        let split = of(&["#####.####"], [1.0, 1.0, 5.0]);
        assert!((longest_inside_chord(&split, Mm(0.5)).unwrap().chord.length().0 - 5.0).abs() < 1e-12);
        assert!((longest_inside_chord(&split, Mm(1.1)).unwrap().chord.length().0 - 10.0).abs() < 1e-12);
        let u = of(&["#.....#", "#.....#", "#######"], [1.0, 1.0, 5.0]);
        let inside = longest_inside_chord(&u, Mm(0.0)).unwrap().chord.length().0;
        assert!((6.999..7.1).contains(&inside), "{inside}");
        assert!(longest_inside_chord(&of(&["."], [1.0; 3]), Mm(0.0)).is_none());
    }

    #[test]
    fn a_rim_around_necrosis_reads_the_tangent_chord() {
        let shape = Shape { ni: 61, nj: 61, nk: 1 };
        let grid = Grid::new(
            shape,
            crate::Affine::from_parts(nalgebra::Matrix3::identity(), nalgebra::Vector3::zeros()),
            FrameId::new("f"),
        )
        .unwrap();
        let rim = Mask::from_fn(grid, |at| {
            let r = (at.i as f64 - 30.0).hypot(at.j as f64 - 30.0);
            (18.0..=26.0).contains(&r)
        });
        let inside = longest_inside_chord(&rim, Mm(0.5)).unwrap().chord.length().0;
        let tangent = 2.0 * (26.0_f64.powi(2) - 18.0_f64.powi(2)).sqrt();
        assert!((inside - tangent).abs() < 2.0, "{inside} {tangent}");
    }
}
