//! The outline of a mask in one acquired slice, half way between the pixel centres inside and outside.
//!
//! Source: marching squares (the two-dimensional case of Lorensen and Cline 1987) at level one half of a binary image. Two
//! pixels that touch at a corner only are joined, as they are in a 26-connected lesion, so that every 8-connected piece of a slice
//! has exactly one outer outline. Pixels beyond the grid count as background.

use crate::grid::{Grid, Index3};
use crate::mask::Mask;
use crate::space::{Patient, Point};

/// A closed polygon in LPS mm; the last point is followed by the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Contour {
    /// Corner points.
    pub points: Vec<Point<Patient>>,
    /// Whether it bounds a hole in the mask rather than the mask.
    pub is_hole: bool,
}

/// The outlines of a mask in slice `k`, ordered by their first corner (row, then column); empty where the slice is.
#[must_use]
pub fn contours(mask: &Mask, k: usize) -> Vec<Contour> {
    outlines(mask, k)
        .into_iter()
        .map(|o| Contour {
            points: o.corners.iter().map(|c| patient(mask.grid(), *c, k)).collect(),
            is_hole: o.is_hole,
        })
        .collect()
}

/// A corner in half pixels: twice the continuous column and row.
pub(crate) type HalfPixel = [i64; 2];

/// A closed outline on the half-pixel lattice.
pub(crate) struct Outline {
    pub(crate) corners: Vec<HalfPixel>,
    pub(crate) is_hole: bool,
}

/// Where a half-pixel position of slice `k` lies in patient space.
pub(crate) fn patient(grid: &Grid, at: HalfPixel, k: usize) -> Point<Patient> {
    grid.voxel_to_patient().apply(Point::new(at[0] as f64 / 2.0, at[1] as f64 / 2.0, k as f64))
}

/// The outlines of slice `k` on the half-pixel lattice.
pub(crate) fn outlines(mask: &Mask, k: usize) -> Vec<Outline> {
    let Some(area) = Area::of_slice(mask, k) else { return Vec::new() };
    let mut next = area.steps(mask, k);
    let mut found = Vec::new();
    for start in 0..next.len() {
        let mut corners = Vec::new();
        let mut at = start;
        while let Some(to) = next[at].take() {
            corners.push(area.corner(at));
            at = to;
        }
        if !corners.is_empty() {
            let is_hole = twice_area(&corners) < 0;
            found.push(Outline { corners, is_hole });
        }
    }
    found
}

/// Positive for an outline walked with the mask on the side that makes it an outer one.
fn twice_area(corners: &[HalfPixel]) -> i64 {
    let following = corners.iter().cycle().skip(1);
    corners.iter().zip(following).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum()
}

/// The half-pixel lattice around the mask in one slice: from one pixel before the first to one after the last.
struct Area {
    low: HalfPixel,
    width: i64,
    height: i64,
}

impl Area {
    fn of_slice(mask: &Mask, k: usize) -> Option<Self> {
        let shape = mask.shape();
        if k >= shape.nk {
            return None;
        }
        let slice = &mask.values()[k * shape.ni * shape.nj..(k + 1) * shape.ni * shape.nj];
        let mut bounds: Option<[i64; 4]> = None;
        for (n, _) in slice.iter().enumerate().filter(|(_, set)| **set) {
            let (i, j) = ((n % shape.ni) as i64, (n / shape.ni) as i64);
            let [i0, j0, i1, j1] = bounds.unwrap_or([i, j, i, j]);
            bounds = Some([i0.min(i), j0.min(j), i1.max(i), j1.max(j)]);
        }
        let [i0, j0, i1, j1] = bounds?;
        Some(Self { low: [2 * i0 - 2, 2 * j0 - 2], width: 2 * (i1 - i0) + 5, height: 2 * (j1 - j0) + 5 })
    }

    fn corner(&self, n: usize) -> HalfPixel {
        [self.low[0] + n as i64 % self.width, self.low[1] + n as i64 / self.width]
    }

    /// For every crossing between a pixel inside and one outside, the crossing that follows on its outline.
    fn steps(&self, mask: &Mask, k: usize) -> Vec<Option<usize>> {
        let set = |i: i64, j: i64| {
            let at = usize::try_from(i).ok().zip(usize::try_from(j).ok());
            at.and_then(|(i, j)| mask.get(Index3 { i, j, k })).copied().unwrap_or(false)
        };
        let mut next = vec![None; (self.width * self.height) as usize];
        let number = |at: HalfPixel| ((at[1] - self.low[1]) * self.width + at[0] - self.low[0]) as usize;
        for j in self.low[1] / 2..(self.low[1] + self.height - 1) / 2 {
            for i in self.low[0] / 2..(self.low[0] + self.width - 1) / 2 {
                let inside = [set(i, j), set(i + 1, j), set(i + 1, j + 1), set(i, j + 1)];
                let (x, y) = (2 * i, 2 * j);
                let crossing = [[x + 1, y], [x + 2, y + 1], [x + 1, y + 2], [x, y + 1]];
                for first_out in 0..4 {
                    let before = (first_out + 3) % 4;
                    if inside[first_out] || !inside[before] {
                        continue;
                    }
                    // Walk along the run of outside corners to where the mask begins again.
                    let last_out = (first_out..first_out + 3).find(|n| inside[(n + 1) % 4]).unwrap_or(first_out) % 4;
                    next[number(crossing[before])] = Some(number(crossing[last_out]));
                }
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameId, Shape};

    fn of(rows: &[&str]) -> Mask {
        let rotation = *nalgebra::Rotation3::from_euler_angles(0.2, -0.1, 0.4).matrix();
        let shape = Shape { ni: rows[0].len(), nj: rows.len(), nk: 2 };
        let grid =
            Grid::from_directions(shape, Point::new(1.0, 2.0, 3.0), [0.8, 0.7, 5.0], rotation, FrameId::new("f"))
                .unwrap();
        Mask::from_fn(grid, |at| at.k == 1 && rows[at.j].as_bytes()[at.i] == b'#')
    }

    #[test]
    fn one_pixel_is_a_diamond_even_at_the_corner_of_the_grid() {
        let mask = of(&["#.", ".."]);
        let found = outlines(&mask, 1);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].corners, vec![[0, -1], [1, 0], [0, 1], [-1, 0]]);
        assert!(!found[0].is_hole);
        let points = &contours(&mask, 1)[0].points;
        assert!(
            (points[0].distance(points[2]) - 0.7).abs() < 1e-12 && (points[1].distance(points[3]) - 0.8).abs() < 1e-12
        );
        assert!(contours(&mask, 0).is_empty() && contours(&mask, 7).is_empty());
    }

    #[test]
    fn a_ring_has_a_hole_and_corner_neighbours_share_an_outline() {
        let ring = outlines(&of(&[".....", ".###.", ".#.#.", ".###.", "....."]), 1);
        assert_eq!(ring.iter().map(|o| o.is_hole).collect::<Vec<_>>(), vec![false, true]);
        assert_eq!(ring[1].corners.len(), 4);
        let diagonal = outlines(&of(&["#..", ".#.", "..#"]), 1);
        assert_eq!(diagonal.len(), 1);
        assert_eq!(twice_area(&diagonal[0].corners), 3 * 4 + 2 * 4, "three diamonds and two joints");
        assert_eq!(outlines(&of(&["#.#"]), 1).len(), 2);
    }
}
