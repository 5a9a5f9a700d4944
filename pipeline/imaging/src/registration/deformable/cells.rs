//! The likeness of two images as a quadratic form of the displacement's step, cell by cell of the lattice.
//!
//! Source: Gauss–Newton step of the sum of squared differences with the mean of both images' gradients (Malis 2004, efficient
//! second-order minimisation), differences weighted down where they are large (Geman and McClure 1987).

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use super::lattice::{InCell, Lattice, weights};

/// Number of different pairs of a cell's corners.
const N_PAIRS: usize = 36;

/// One point of comparison: where it lies, how much the images differ there, and the gradient of that difference.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    pub(super) place: InCell,
    /// Moving minus fixed value, normalised.
    pub(super) difference: f64,
    /// Per mm in the fixed frame.
    pub(super) gradient: Vector3<f64>,
    /// Weight of the point.
    pub(super) weight: f64,
}

/// The quadratic form of one cell.
#[derive(Debug, Clone)]
struct Cell {
    first: usize,
    /// For each pair of corners a ≤ b the symmetric matrix Σ w φa φb g gᵀ as xx, xy, xz, yy, yz, zz.
    pairs: Box<[[f32; 6]; N_PAIRS]>,
    /// For each corner Σ w φ d g.
    slope: [Vector3<f64>; 8],
}

/// The quadratic form over the lattice.
#[derive(Debug, Clone)]
pub(super) struct Likeness {
    cells: Vec<Cell>,
    lattice: Lattice,
}

impl Likeness {
    /// Sums the terms; `by_cell` lists them grouped by cell, cells ascending.
    pub(super) fn of(lattice: &Lattice, by_cell: &[Vec<Term>]) -> Self {
        let cells = by_cell.par_iter().filter(|terms| !terms.is_empty()).map(|terms| cell(terms)).collect();
        Self { cells, lattice: lattice.clone() }
    }

    /// Half the first derivative at step zero.
    pub(super) fn slope(&self) -> Vec<Vector3<f64>> {
        let mut out = vec![Vector3::zeros(); self.lattice.n_nodes()];
        for cell in &self.cells {
            for (node, slope) in self.lattice.corners(cell.first).into_iter().zip(cell.slope) {
                out[node] += slope;
            }
        }
        out
    }

    /// The 3×3 block of every node with itself.
    pub(super) fn diagonal(&self) -> Vec<Matrix3<f64>> {
        let mut out = vec![Matrix3::zeros(); self.lattice.n_nodes()];
        for cell in &self.cells {
            for (corner, node) in self.lattice.corners(cell.first).into_iter().enumerate() {
                out[node] += full(cell.pairs[pair(corner, corner)]);
            }
        }
        out
    }

    /// Adds the product of the form's matrix with a step to `out`. Cells are added in order: any number of threads, same bits.
    pub(super) fn add_product(&self, step: &[Vector3<f64>], out: &mut [Vector3<f64>]) {
        let products: Vec<[Vector3<f64>; 8]> = self
            .cells
            .par_iter()
            .with_min_len(256)
            .map(|cell| cell.product(self.lattice.corners(cell.first).map(|node| step[node])))
            .collect();
        for (cell, product) in self.cells.iter().zip(products) {
            for (node, value) in self.lattice.corners(cell.first).into_iter().zip(product) {
                out[node] += value;
            }
        }
    }
}

impl Cell {
    /// The form's matrix times a step at the corners. Each block is read once: it stands for two, as it is symmetric.
    fn product(&self, at: [Vector3<f64>; 8]) -> [Vector3<f64>; 8] {
        let mut out = [Vector3::zeros(); 8];
        let mut n = 0;
        for a in 0..8 {
            out[a] += times(self.pairs[n], at[a]);
            n += 1;
            for b in a + 1..8 {
                out[a] += times(self.pairs[n], at[b]);
                out[b] += times(self.pairs[n], at[a]);
                n += 1;
            }
        }
        out
    }
}

fn cell(terms: &[Term]) -> Cell {
    let mut pairs = Box::new([[0.0_f32; 6]; N_PAIRS]);
    let mut slope = [Vector3::zeros(); 8];
    for term in terms {
        let (phi, g) = (weights(term.place.fraction), term.gradient);
        let square =
            [g.x * g.x, g.x * g.y, g.x * g.z, g.y * g.y, g.y * g.z, g.z * g.z].map(|v| (v * term.weight) as f32);
        let mut n = 0;
        for a in 0..8 {
            slope[a] += g * (phi[a] * term.weight * term.difference);
            for b in a..8 {
                let product = (phi[a] * phi[b]) as f32;
                for (sum, s) in pairs[n].iter_mut().zip(square) {
                    *sum += product * s;
                }
                n += 1;
            }
        }
    }
    Cell { first: terms[0].place.first, pairs, slope }
}

/// Position of a pair of corners a ≤ b in the list.
fn pair(a: usize, b: usize) -> usize {
    a * (17 - a) / 2 + b - a
}

fn full(s: [f32; 6]) -> Matrix3<f64> {
    let [xx, xy, xz, yy, yz, zz] = s.map(f64::from);
    Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, zz)
}

fn times(s: [f32; 6], v: Vector3<f64>) -> Vector3<f64> {
    let [xx, xy, xz, yy, yz, zz] = s.map(f64::from);
    Vector3::new(xx * v.x + xy * v.y + xz * v.z, xy * v.x + yy * v.y + yz * v.z, xz * v.x + yz * v.y + zz * v.z)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_numbered_without_a_gap() {
        let numbers: Vec<usize> = (0..8).flat_map(|a| (a..8).map(move |b| pair(a, b))).collect();
        assert_eq!(numbers, (0..N_PAIRS).collect::<Vec<_>>());
    }

    #[test]
    fn the_product_is_the_sum_over_points_written_out() {
        let lattice = Lattice { origin: Vector3::zeros(), spacing_mm: 2.0, n: [3, 2, 2] };
        let term = |p: [f64; 3], g: [f64; 3], weight| Term {
            place: lattice.locate(Vector3::from(p)),
            difference: 0.7,
            gradient: Vector3::from(g),
            weight,
        };
        let terms = [term([0.4, 0.6, 1.0], [1.0, -0.5, 0.2], 2.0), term([3.0, 1.5, 0.2], [0.3, 0.8, -1.0], 0.5)];
        let likeness = Likeness::of(&lattice, &[vec![terms[0]], vec![terms[1]]]);
        let step: Vec<_> = (0..12).map(|n| Vector3::new(f64::from(n).sin(), 0.1 * f64::from(n), 1.0)).collect();
        let mut got = vec![Vector3::zeros(); 12];
        likeness.add_product(&step, &mut got);
        let mut want = vec![Vector3::zeros(); 12];
        for t in &terms {
            let phi = weights(t.place.fraction);
            let corners = lattice.corners(t.place.first);
            let along: f64 = (0..8).map(|c| phi[c] * t.gradient.dot(&step[corners[c]])).sum();
            for c in 0..8 {
                want[corners[c]] += t.gradient * (t.weight * phi[c] * along);
            }
        }
        assert!(got.iter().zip(&want).all(|(a, b)| (a - b).norm() < 1e-6), "{got:?} {want:?}");
    }
}
