//! The least distance between two sets of triangles, and the two points that are so near.
//!
//! Source: the nearest points of two triangles lie at a corner of one and on the other, or on an edge of each, unless they cross
//! (Ericson 2005, Real-Time Collision Detection §5.1.9 and §5.1.10); both trees are walked together, nearer boxes first.

use nalgebra::Vector3;

use super::{Node, TriangleTree, closest_on};
use crate::space::{Patient, Point};
use crate::surface::Triangle;

/// Squared distance and the two points, the first on the first set.
type Nearest = (f64, [Vector3<f64>; 2]);

impl TriangleTree {
    /// The nearest points of two sets of triangles, the first on this one. Sets that cross are a small distance apart, not 0: whoever
    /// asks of bodies looks first whether one holds a corner of the other.
    pub fn nearest_points(&self, other: &Self) -> [Point<Patient>; 2] {
        let start = (self.triangles[0][0].coords, other.triangles[0][0].coords);
        let mut best: Nearest = ((start.0 - start.1).norm_squared(), [start.0, start.1]);
        let mut open = vec![(self.nodes[0].apart_squared(&other.nodes[0]), 0, 0)];
        while let Some((bound, a, b)) = open.pop() {
            if bound >= best.0 {
                continue;
            }
            let (at, of) = (&self.nodes[a], &other.nodes[b]);
            if at.is_leaf() && of.is_leaf() {
                for one in &self.triangles[at.range.0..at.range.1] {
                    for two in &other.triangles[of.range.0..of.range.1] {
                        best = nearer(best, nearest_of(one, two));
                    }
                }
                continue;
            }
            // The larger box is opened.
            let opens_first = of.is_leaf() || !at.is_leaf() && at.diagonal_squared() >= of.diagonal_squared();
            let children = if opens_first { [(a + 1, b), (at.right, b)] } else { [(a, b + 1), (a, of.right)] };
            let bounds = children.map(|(a, b)| (self.nodes[a].apart_squared(&other.nodes[b]), a, b));
            let [first, second] = bounds;
            open.extend(if first.0 <= second.0 { [second, first] } else { [first, second] });
        }
        best.1.map(Point::from_coords)
    }
}

impl Node {
    fn is_leaf(&self) -> bool {
        self.range.1 > 0
    }

    fn diagonal_squared(&self) -> f64 {
        (self.high - self.low).norm_squared()
    }

    /// Squared distance of two boxes.
    fn apart_squared(&self, other: &Self) -> f64 {
        (self.low - other.high).sup(&(other.low - self.high)).sup(&Vector3::zeros()).norm_squared()
    }
}

fn nearer(a: Nearest, b: Nearest) -> Nearest {
    if b.0 < a.0 { b } else { a }
}

/// The nearest points of two triangles that do not cross.
fn nearest_of(one: &Triangle, two: &Triangle) -> Nearest {
    let (a, b) = (one.map(|p| p.coords), two.map(|p| p.coords));
    let pair = |p: Vector3<f64>, q: Vector3<f64>| ((p - q).norm_squared(), [p, q]);
    let mut best = pair(a[0], b[0]);
    for n in 0..3 {
        best = nearer(best, pair(a[n], closest_on(two, &a[n])));
        best = nearer(best, pair(closest_on(one, &b[n]), b[n]));
        for m in 0..3 {
            let [p, q] = nearest_of_edges([a[n], a[(n + 1) % 3]], [b[m], b[(m + 1) % 3]]);
            best = nearer(best, pair(p, q));
        }
    }
    best
}

/// The nearest points of two line segments.
fn nearest_of_edges([p, p_end]: [Vector3<f64>; 2], [q, q_end]: [Vector3<f64>; 2]) -> [Vector3<f64>; 2] {
    let (u, v, w) = (p_end - p, q_end - q, p - q);
    let (uu, vv, uv, uw, vw) = (u.norm_squared(), v.norm_squared(), u.dot(&v), u.dot(&w), v.dot(&w));
    let share = |part: f64, whole: f64| if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 };
    // Along the first edge as if the second were endless; along the second from there; back where that had to be cut.
    let s = share(uv * vw - uw * vv, uu * vv - uv * uv);
    let t = share(uv * s + vw, vv);
    let s = share(uv * t - uw, uu);
    [p + u * s, q + v * t]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triangle(corners: [[f64; 3]; 3]) -> Triangle {
        corners.map(|[x, y, z]| Point::new(x, y, z))
    }

    fn distance(one: Triangle, two: Triangle) -> f64 {
        let trees = [one, two].map(|t| TriangleTree::new(vec![t]).unwrap());
        let [p, q] = trees[0].nearest_points(&trees[1]);
        p.distance(q)
    }

    #[test]
    fn face_edge_and_corner_by_hand() {
        let flat = triangle([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 4.0, 0.0]]);
        let above = triangle([[1.0, 1.0, 2.0], [1.0, 1.0, 5.0], [2.0, 1.0, 5.0]]);
        assert_eq!(distance(flat, above), 2.0);
        // An edge along y at x = 2 over the edge along x: 3 apart where they pass each other.
        let across = triangle([[2.0, -4.0, 3.0], [2.0, -0.5, 3.0], [2.0, -1.0, 9.0]]);
        assert!((distance(flat, across) - 9.25_f64.sqrt()).abs() < 1e-12);
        let passing = triangle([[1.0, -1.0, 3.0], [1.0, -1.0, 9.0], [5.0, -1.0, 3.0]]);
        assert!((distance(flat, passing) - 10.0_f64.sqrt()).abs() < 1e-12);
        let beyond = triangle([[7.0, 0.0, 4.0], [9.0, 0.0, 4.0], [8.0, 1.0, 9.0]]);
        assert_eq!(distance(flat, beyond), 5.0);
    }

    #[test]
    fn crossing_edges_are_nearest_between_their_ends() {
        let edges = nearest_of_edges(
            [Vector3::new(-1.0, 0.0, 0.0), Vector3::new(1.0, 0.0, 0.0)],
            [Vector3::new(0.25, -1.0, 0.5), Vector3::new(0.25, 1.0, 0.5)],
        );
        assert_eq!(edges, [Vector3::new(0.25, 0.0, 0.0), Vector3::new(0.25, 0.0, 0.5)]);
        let parallel = nearest_of_edges(
            [Vector3::new(0.0, 0.0, 0.0), Vector3::new(1.0, 0.0, 0.0)],
            [Vector3::new(3.0, 1.0, 0.0), Vector3::new(2.0, 1.0, 0.0)],
        );
        assert_eq!((parallel[0] - parallel[1]).norm(), 2.0_f64.sqrt());
    }

    #[test]
    fn trees_find_what_every_pair_of_triangles_gives() {
        // Two wavy sheets of 200 triangles each, turned against each other.
        let sheet = |height: f64, turn: f64| {
            let at = |i: usize, j: usize| {
                let (x, y) = (i as f64 - 5.0, j as f64 - 5.0);
                let z = height + (0.9 * x + turn).sin() + (0.7 * y - turn).cos();
                Point::new(x * turn.cos() - y * turn.sin(), x * turn.sin() + y * turn.cos(), z)
            };
            let cell = |n: usize| {
                let (i, j) = (n % 10, n / 10);
                [[at(i, j), at(i + 1, j), at(i, j + 1)], [at(i + 1, j + 1), at(i, j + 1), at(i + 1, j)]]
            };
            (0..100).flat_map(cell).collect::<Vec<Triangle>>()
        };
        for (height, turn) in [(5.0, 0.3), (6.5, 1.1), (12.0, 2.0)] {
            let (low, high) = (sheet(0.0, 0.0), sheet(height, turn));
            let every = low.iter().flat_map(|a| high.iter().map(move |b| nearest_of(a, b).0));
            let expected = every.fold(f64::INFINITY, f64::min).sqrt();
            let [p, q] = TriangleTree::new(low.clone()).unwrap().nearest_points(&TriangleTree::new(high).unwrap());
            assert!((p.distance(q) - expected).abs() < 1e-12 && expected > 1.0, "{expected}");
            assert!(TriangleTree::new(low).unwrap().distance(p) < 1e-9, "the first point lies on the first sheet");
        }
    }
}
