//! The iso-surface of a volume as triangles in LPS, closed wherever the volume is below the level along its border.
//!
//! Source: marching tetrahedra (Doi and Koide 1991) over the six tetrahedra that share a cell's main diagonal (Kuhn), linear
//! along every edge. Neighbouring cells cut their common face alike, so the surface has no cracks and no ambiguous case.

use nalgebra::Vector3;
use rayon::prelude::*;

use crate::space::{Patient, Point};
use crate::volume::Volume;

/// Three corners in LPS mm; counter-clockwise seen from the side below the level, so that the normal points outwards.
pub type Triangle = [Point<Patient>; 3];

/// The corners of a cell as (di, dj, dk) bits: corner n lies at (n & 1, n >> 1 & 1, n >> 2 & 1).
const TETRAHEDRA: [[usize; 4]; 6] =
    [[0, 1, 3, 7], [0, 3, 2, 7], [0, 2, 6, 7], [0, 6, 4, 7], [0, 4, 5, 7], [0, 5, 1, 7]];

/// Triangles where the volume, linear inside each tetrahedron, equals the level. Slices are worked on in parallel and joined in
/// order.
pub(crate) fn iso_surface(volume: &Volume<f32>, level: f32) -> Vec<Triangle> {
    let n_layers = volume.shape().nk.saturating_sub(1);
    let layers: Vec<Vec<Triangle>> = (0..n_layers).into_par_iter().map(|k| layer(volume, level, k)).collect();
    layers.concat()
}

fn layer(volume: &Volume<f32>, level: f32, k: usize) -> Vec<Triangle> {
    let shape = volume.shape();
    let values = volume.values();
    let offsets: [usize; 8] = std::array::from_fn(|n| ((n >> 2 & 1) * shape.nj + (n >> 1 & 1)) * shape.ni + (n & 1));
    let mut triangles = Vec::new();
    for j in 0..shape.nj.saturating_sub(1) {
        for i in 0..shape.ni.saturating_sub(1) {
            let base = (k * shape.nj + j) * shape.ni + i;
            let corner = offsets.map(|o| f64::from(values[base + o]) - f64::from(level));
            let n_inside = corner.iter().filter(|v| **v >= 0.0).count();
            if n_inside == 0 || n_inside == 8 {
                continue;
            }
            let cell = Cell { corner, origin: Vector3::new(i as f64, j as f64, k as f64) };
            for tetrahedron in TETRAHEDRA {
                cell.cut(tetrahedron, |triangle| {
                    triangles.push(triangle.map(|p| volume.grid().voxel_to_patient().apply(Point::from_coords(p))));
                });
            }
        }
    }
    if volume.grid().voxel_to_patient().linear().determinant() < 0.0 {
        for triangle in &mut triangles {
            triangle.swap(1, 2);
        }
    }
    triangles
}

/// Eight corner values relative to the level.
struct Cell {
    corner: [f64; 8],
    origin: Vector3<f64>,
}

impl Cell {
    fn cut(&self, tetrahedron: [usize; 4], mut emit: impl FnMut([Vector3<f64>; 3])) {
        let (inside, outside): (Vec<usize>, Vec<usize>) = tetrahedron.iter().partition(|n| self.corner[**n] >= 0.0);
        let away = self.mean(&outside) - self.mean(&inside);
        let mut oriented = |t: [Vector3<f64>; 3]| {
            let normal = (t[1] - t[0]).cross(&(t[2] - t[0]));
            emit(if normal.dot(&away) >= 0.0 { t } else { [t[0], t[2], t[1]] });
        };
        match (inside.as_slice(), outside.as_slice()) {
            ([a], [b, c, d]) | ([b, c, d], [a]) => {
                oriented([self.crossing(*a, *b), self.crossing(*a, *c), self.crossing(*a, *d)]);
            }
            ([a, b], [c, d]) => {
                let (ac, ad, bc, bd) =
                    (self.crossing(*a, *c), self.crossing(*a, *d), self.crossing(*b, *c), self.crossing(*b, *d));
                oriented([ac, ad, bd]);
                oriented([ac, bd, bc]);
            }
            _ => {}
        }
    }

    fn position(&self, n: usize) -> Vector3<f64> {
        self.origin + Vector3::new((n & 1) as f64, (n >> 1 & 1) as f64, (n >> 2 & 1) as f64)
    }

    fn mean(&self, corners: &[usize]) -> Vector3<f64> {
        corners.iter().map(|n| self.position(*n)).sum::<Vector3<f64>>() / corners.len().max(1) as f64
    }

    /// Where the edge meets the level, always computed from the lower to the higher corner, so that neighbouring cells agree.
    fn crossing(&self, a: usize, b: usize) -> Vector3<f64> {
        let (low, high) = (a.min(b), a.max(b));
        let fraction = self.corner[low] / (self.corner[low] - self.corner[high]);
        self.position(low) + (self.position(high) - self.position(low)) * fraction
    }
}
