//! The exact distance from a point to the nearest of many triangles.
//!
//! Source: closest point on a triangle after Ericson 2005, Real-Time Collision Detection §5.1.5; a tree of boxes split at the
//! median of the longest side, nearer box first.

mod between;

use nalgebra::Vector3;
use rayon::prelude::*;

use crate::space::{Patient, Point};
use crate::surface::Triangle;

/// Triangles in a leaf of the tree.
const LEAF: usize = 4;

/// Triangles arranged for distance queries.
#[derive(Debug, Clone)]
pub struct TriangleTree {
    triangles: Vec<Triangle>,
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    low: Vector3<f64>,
    high: Vector3<f64>,
    /// Leaf: range of triangles. Inner node: (0, 0); its children are the next node and `right`.
    range: (usize, usize),
    right: usize,
}

impl TriangleTree {
    /// Arranges triangles; `None` when there are none.
    #[must_use]
    pub fn new(mut triangles: Vec<Triangle>) -> Option<Self> {
        if triangles.is_empty() {
            return None;
        }
        let nodes = grow(&mut triangles, 0);
        Some(Self { triangles, nodes })
    }

    /// Distance in mm from a point to the nearest triangle.
    pub fn distance(&self, p: Point<Patient>) -> f64 {
        self.nearest_squared(p, f64::INFINITY).sqrt()
    }

    /// Distance in mm to the nearest triangle if it is at most `limit_mm`.
    pub fn distance_within(&self, p: Point<Patient>, limit_mm: f64) -> Option<f64> {
        // The search is strict; the next number up lets a triangle at exactly the limit count.
        let limit_squared = (limit_mm * limit_mm).next_up();
        let found = self.nearest_squared(p, limit_squared);
        (found < limit_squared).then(|| found.sqrt())
    }

    /// Distances of many points in mm, in their order, computed in parallel.
    #[must_use]
    pub fn distances(&self, points: &[Point<Patient>]) -> Vec<f64> {
        points.par_iter().map(|p| self.distance(*p)).collect()
    }

    fn nearest_squared(&self, p: Point<Patient>, limit_squared: f64) -> f64 {
        let p = p.coords;
        let mut best = limit_squared;
        let mut open = vec![(self.nodes[0].distance_squared(&p), 0)];
        while let Some((bound, n)) = open.pop() {
            if bound >= best {
                continue;
            }
            let node = &self.nodes[n];
            if node.range.1 > 0 {
                for triangle in &self.triangles[node.range.0..node.range.1] {
                    best = best.min((closest_on(triangle, &p) - p).norm_squared());
                }
                continue;
            }
            let (left, right) = (n + 1, node.right);
            let (to_left, to_right) = (self.nodes[left].distance_squared(&p), self.nodes[right].distance_squared(&p));
            if to_left <= to_right {
                open.extend([(to_right, right), (to_left, left)]);
            } else {
                open.extend([(to_left, left), (to_right, right)]);
            }
        }
        best
    }
}

impl Node {
    fn distance_squared(&self, p: &Vector3<f64>) -> f64 {
        (self.low - p).sup(&(p - self.high)).sup(&Vector3::zeros()).norm_squared()
    }
}

/// Trees of more triangles than this are grown by several threads.
const GROWN_AT_ONCE: usize = 1 << 13;

/// The tree over `triangles`, which start at `first` of the whole, in depth-first order; its nodes are counted from its root.
fn grow(triangles: &mut [Triangle], first: usize) -> Vec<Node> {
    let n = triangles.len();
    if n <= GROWN_AT_ONCE {
        let mut nodes = Vec::with_capacity(n);
        grow_here(triangles, first, &mut nodes);
        return nodes;
    }
    let root = halved(triangles, first);
    let (left, right) = triangles.split_at_mut(n / 2);
    let (left, right) = rayon::join(|| grow(left, first), || grow(right, first + n / 2));
    let right_at = left.len() + 1;
    let moved = |nodes: Vec<Node>, by: usize| {
        let move_one = move |node: Node| if node.range.1 > 0 { node } else { Node { right: node.right + by, ..node } };
        nodes.into_iter().map(move_one)
    };
    std::iter::once(Node { right: right_at, ..root }).chain(moved(left, 1)).chain(moved(right, right_at)).collect()
}

/// Appends the tree over `triangles`, which start at `first` of the whole, in depth-first order.
fn grow_here(triangles: &mut [Triangle], first: usize, nodes: &mut Vec<Node>) {
    let at = nodes.len();
    let n = triangles.len();
    nodes.push(halved(triangles, first));
    if n > LEAF {
        let (left, right) = triangles.split_at_mut(n / 2);
        grow_here(left, first, nodes);
        nodes[at].right = nodes.len();
        grow_here(right, first + n / 2, nodes);
    }
}

/// The node over `triangles`: a leaf of few, else one without its children, the triangles put in the halves that these get.
fn halved(triangles: &mut [Triangle], first: usize) -> Node {
    let corners = || triangles.iter().flatten().map(|p| p.coords);
    let low = corners().fold(Vector3::repeat(f64::INFINITY), |a, b| a.inf(&b));
    let high = corners().fold(Vector3::repeat(f64::NEG_INFINITY), |a, b| a.sup(&b));
    let n = triangles.len();
    if n <= LEAF {
        return Node { low, high, range: (first, first + n), right: 0 };
    }
    let axis = (high - low).imax();
    let key = |t: &Triangle| t[0].coords[axis] + t[1].coords[axis] + t[2].coords[axis];
    triangles.select_nth_unstable_by(n / 2, |a, b| key(a).total_cmp(&key(b)));
    Node { low, high, range: (0, 0), right: 0 }
}

/// The point of a triangle nearest to p, by the region p projects into: a corner, an edge or the face.
fn closest_on(triangle: &Triangle, p: &Vector3<f64>) -> Vector3<f64> {
    let [a, b, c] = triangle.map(|q| q.coords);
    let (ab, ac) = (b - a, c - a);
    let ap = p - a;
    let (d1, d2) = (ab.dot(&ap), ac.dot(&ap));
    if d1 <= 0.0 && d2 <= 0.0 {
        return a;
    }
    let bp = p - b;
    let (d3, d4) = (ab.dot(&bp), ac.dot(&bp));
    if d3 >= 0.0 && d4 <= d3 {
        return b;
    }
    let vc = d1 * d4 - d3 * d2;
    if vc <= 0.0 && d1 >= 0.0 && d3 <= 0.0 {
        return a + ab * fraction(d1, d1 - d3);
    }
    let cp = p - c;
    let (d5, d6) = (ab.dot(&cp), ac.dot(&cp));
    if d6 >= 0.0 && d5 <= d6 {
        return c;
    }
    let vb = d5 * d2 - d1 * d6;
    if vb <= 0.0 && d2 >= 0.0 && d6 <= 0.0 {
        return a + ac * fraction(d2, d2 - d6);
    }
    let va = d3 * d6 - d5 * d4;
    if va <= 0.0 && d4 - d3 >= 0.0 && d5 - d6 >= 0.0 {
        return b + (c - b) * fraction(d4 - d3, (d4 - d3) + (d5 - d6));
    }
    let sum = va + vb + vc;
    a + ab * fraction(vb, sum) + ac * fraction(vc, sum)
}

/// A quotient that is 0 for a triangle without extent.
fn fraction(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::tests::{OFF_GRID, ball};
    use crate::surface::{Refinement, Surface};
    use crate::{Mm, Vector};

    #[test]
    fn the_seven_regions_of_a_triangle_by_hand() {
        let t = [Point::new(0.0, 0.0, 0.0), Point::new(4.0, 0.0, 0.0), Point::new(0.0, 4.0, 0.0)];
        let tree = TriangleTree::new(vec![t]).unwrap();
        let expected = [
            ([1.0, 1.0, 3.0], 3.0),
            ([-3.0, -4.0, 0.0], 5.0),
            ([7.0, -4.0, 0.0], 5.0),
            ([-3.0, 8.0, 0.0], 5.0),
            ([2.0, -2.0, 0.0], 2.0),
            ([-1.0, 2.0, 0.0], 1.0),
            ([3.0, 3.0, 0.0], 2.0_f64.sqrt()),
        ];
        for (p, want) in expected {
            assert!((tree.distance(Point::from(p)) - want).abs() < 1e-12, "{p:?}");
        }
        assert_eq!(tree.distance_within(Point::new(1.0, 1.0, 3.0), 3.0), Some(3.0));
        assert_eq!(tree.distance_within(Point::new(1.0, 1.0, 3.0), 2.999), None);
        assert!(TriangleTree::new(Vec::new()).is_none());
    }

    #[test]
    fn the_tree_equals_brute_force() {
        let surface = Surface::of_mask(&ball(5.0, OFF_GRID, [1.0, 0.8, 2.0], 10.0), Refinement::OwnGrid).unwrap();
        let tree = TriangleTree::new(surface.triangles().to_vec()).unwrap();
        for n in 0..200 {
            let f = f64::from(n);
            let p = OFF_GRID + Vector::new(9.0 * (f * 0.7).sin(), 8.0 * (f * 1.3).cos(), 0.09 * f - 9.0);
            let one_by_one = surface
                .triangles()
                .iter()
                .map(|t| TriangleTree::new(vec![*t]).unwrap().distance(p))
                .fold(f64::INFINITY, f64::min);
            assert_eq!(tree.distance(p), one_by_one);
        }
    }

    #[test]
    fn a_tree_grown_by_several_threads_is_the_same_tree() {
        let surface = Surface::of_mask(&ball(20.0, OFF_GRID, [0.5; 3], 24.0), Refinement::OwnGrid).unwrap();
        let mut triangles = surface.triangles().to_vec();
        assert!(triangles.len() > 3 * GROWN_AT_ONCE, "{} triangles", triangles.len());
        let by_many = TriangleTree::new(triangles.clone()).unwrap();
        let mut nodes = Vec::new();
        grow_here(&mut triangles, 0, &mut nodes);
        assert_eq!(by_many.triangles, triangles);
        let of = |nodes: &[Node]| nodes.iter().map(|n| (n.low, n.high, n.range, n.right)).collect::<Vec<_>>();
        assert_eq!(of(&by_many.nodes), of(&nodes));
    }

    #[test]
    fn points_around_a_ball_read_their_distance() {
        let surface =
            Surface::of_mask(&ball(12.0, OFF_GRID, [0.8, 0.8, 1.0], 20.0), Refinement::SubVoxel(Mm(0.5))).unwrap();
        let tree = TriangleTree::new(surface.triangles().to_vec()).unwrap();
        let points: Vec<_> = (0..40)
            .map(|n| {
                let (a, b) = (f64::from(n) * 0.6, f64::from(n) * 0.37);
                OFF_GRID + Vector::new(a.cos() * b.sin(), a.sin() * b.sin(), b.cos()) * 17.0
            })
            .collect();
        for d in tree.distances(&points) {
            assert!((d - 5.0).abs() < 0.3, "{d}");
        }
    }
}
