//! Convex hulls on an integer lattice, exact, used to find farthest pairs without comparing all points.
//!
//! Source: Andrew 1979, monotone chain.

use std::collections::BTreeMap;

/// The corners of the convex hull, without points on its edges, in ascending order of (x, y).
pub(crate) fn hull_corners(points: &[[i64; 2]]) -> Vec<[i64; 2]> {
    let mut sorted = points.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() < 3 {
        return sorted;
    }
    let mut corners = chain(sorted.iter());
    corners.extend(chain(sorted.iter().rev()));
    corners.sort_unstable();
    corners.dedup();
    corners
}

fn chain<'a>(points: impl Iterator<Item = &'a [i64; 2]>) -> Vec<[i64; 2]> {
    let mut kept: Vec<[i64; 2]> = Vec::new();
    for p in points {
        while let [.., a, b] = kept.as_slice() {
            if (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) > 0 {
                break;
            }
            kept.pop();
        }
        kept.push(*p);
    }
    kept
}

/// The points that can be corners of the convex hull in space: in every plane across each axis only the corners of the plane's
/// own hull are kept. Ascending order of (z, y, x).
pub(crate) fn extreme_points(points: Vec<[i64; 3]>) -> Vec<[i64; 3]> {
    let mut kept = points;
    for axis in [2, 1, 0] {
        let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
        let mut planes: BTreeMap<i64, Vec<[i64; 2]>> = BTreeMap::new();
        for p in &kept {
            planes.entry(p[axis]).or_default().push([p[u], p[v]]);
        }
        kept = planes
            .iter()
            .flat_map(|(at, plane)| {
                hull_corners(plane).into_iter().map(move |[pu, pv]| {
                    let mut p = [0; 3];
                    (p[axis], p[u], p[v]) = (*at, pu, pv);
                    p
                })
            })
            .collect();
    }
    kept.sort_unstable_by_key(|p| (p[2], p[1], p[0]));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_keeps_its_corners_and_a_line_its_ends() {
        let square: Vec<_> = (0..5).flat_map(|x| (0..4).map(move |y| [x, y])).collect();
        assert_eq!(hull_corners(&square), vec![[0, 0], [0, 3], [4, 0], [4, 3]]);
        assert_eq!(hull_corners(&[[3, 3], [1, 1], [2, 2], [1, 1]]), vec![[1, 1], [3, 3]]);
        let cube: Vec<_> = (0..27).map(|n| [n % 3, n / 3 % 3, n / 9]).collect();
        assert_eq!(extreme_points(cube).len(), 8);
    }
}
