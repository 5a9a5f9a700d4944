//! Bending energy of a displacement on a lattice, as an operator: what it costs to leave an affine map.
//!
//! Source: Fischer and Modersitzki 2003 (curvature registration) and Rueckert et al. 1999 (bending energy); second differences
//! are taken inside the lattice only, so that every affine map is free of charge. The operator is Σ Aₐ + 2 Σ Lₐ L_b over the axes,
//! with L = D₁ᵀD₁ and A = D₂ᵀD₂ of the first and second differences D₁ and D₂ along one axis.

use std::ops::{AddAssign, Mul};

use rayon::prelude::*;

use super::lattice::Lattice;

/// Diagonal of the operator at an inner node: 3·(1 + 4 + 1) from the pure and 2·3·4 from the mixed second differences.
pub(super) const DIAGONAL: f64 = 42.0;

/// The operator on one lattice.
#[derive(Debug, Clone)]
pub(super) struct Bending {
    n: [usize; 3],
    /// Of each axis and place along it the row of L; places beyond the lattice weigh nothing.
    first: [Vec<[f32; 5]>; 3],
    /// The same of A.
    second: [Vec<[f32; 5]>; 3],
}

/// A row of nodes that takes part in another one's result.
struct Neighbour {
    start: usize,
    /// Its weight before L along the row, and without.
    weights: [f32; 2],
}

impl Bending {
    pub(super) fn of(lattice: &Lattice) -> Self {
        Self {
            n: lattice.n,
            first: lattice.n.map(|n| squared(n, &[-1.0, 1.0])),
            second: lattice.n.map(|n| squared(n, &[1.0, -2.0, 1.0])),
        }
    }

    /// Half the derivative of Σ (δ²)² over all pure and, twice, all mixed second differences (δ without the division by spacing²)
    /// of one component of a displacement.
    pub(super) fn bend<T>(&self, values: &[T]) -> Vec<T>
    where
        T: Copy + Default + From<f32> + Mul<Output = T> + AddAssign + Send + Sync,
    {
        let [ni, nj, _] = self.n;
        let mut out = vec![T::default(); values.len()];
        out.par_chunks_mut(ni * nj).enumerate().for_each(|(k, slice)| {
            let mut side = vec![T::default(); ni];
            for (j, out) in slice.chunks_mut(ni).enumerate() {
                side.fill(T::default());
                for Neighbour { start, weights: [along, across] } in self.neighbours(j, k) {
                    let row = &values[start..start + ni];
                    add(out, row, across);
                    if along != 0.0 {
                        add(&mut side, row, along);
                    }
                }
                along_row(out, &values[(k * nj + j) * ni..][..ni], &self.second[0]);
                along_row(out, &side, &self.first[0]);
            }
        });
        out
    }

    /// The rows that take part in row (j, k): (A + A + 2 L L) across, and twice (L + L) for what L along the row is applied to.
    fn neighbours(&self, j: usize, k: usize) -> impl Iterator<Item = Neighbour> + '_ {
        let [ni, nj, _] = self.n;
        (0..25).filter_map(move |place| {
            let (a, b) = (place % 5, place / 5);
            let [own_a, own_b] = [a, b].map(|at| f32::from(u8::from(at == 2)));
            let (first, second) =
                ([self.first[1][j][a], self.first[2][k][b]], [self.second[1][j][a], self.second[2][k][b]]);
            let along = 2.0 * (first[0] * own_b + first[1] * own_a);
            let across = second[0] * own_b + second[1] * own_a + 2.0 * first[0] * first[1];
            (along != 0.0 || across != 0.0)
                .then(|| Neighbour { start: ((k + b - 2) * nj + j + a - 2) * ni, weights: [along, across] })
        })
    }
}

/// The rows of DᵀD around their diagonal, D the differences that fit wholly into `n` places.
fn squared(n: usize, difference: &[f32]) -> Vec<[f32; 5]> {
    let mut rows = vec![[0.0; 5]; n];
    for start in 0..(n + 1).saturating_sub(difference.len()) {
        for (a, weight) in difference.iter().enumerate() {
            for (b, other) in difference.iter().enumerate() {
                rows[start + a][2 + b - a] += weight * other;
            }
        }
    }
    rows
}

fn add<T: Copy + From<f32> + Mul<Output = T> + AddAssign>(out: &mut [T], row: &[T], weight: f32) {
    let weight = T::from(weight);
    for (out, value) in out.iter_mut().zip(row) {
        *out += *value * weight;
    }
}

/// Adds the product of a matrix of one axis, given by its rows, with a row of nodes.
fn along_row<T: Copy + From<f32> + Mul<Output = T> + AddAssign>(out: &mut [T], row: &[T], matrix: &[[f32; 5]]) {
    let n = row.len();
    let is_inner = |i: usize| i >= 4 && i + 4 < n;
    for i in (0..n).filter(|i| !is_inner(*i)) {
        for (d, weight) in matrix[i].iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
            out[i] += row[i + d - 2] * T::from(*weight);
        }
    }
    if n > 8 {
        let (inner, weights) = (4..n - 4, matrix[4].map(T::from));
        for (out, near) in out[inner].iter_mut().zip(row[2..].windows(5)) {
            for (value, weight) in near.iter().zip(weights) {
                *out += *value * weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Vector3;

    fn lattice() -> Lattice {
        Lattice { origin: Vector3::new(3.0, -2.0, 7.0), spacing_mm: 2.0, n: [5, 6, 7] }
    }

    #[test]
    fn an_affine_field_bends_nothing() {
        let long = Lattice { n: [13, 2, 3], ..lattice() };
        for lattice in [lattice(), long] {
            let bending = Bending::of(&lattice);
            for slope in [Vector3::new(-0.3, 1.0, 0.0), Vector3::z(), Vector3::new(1.0, 1.0, 0.0)] {
                let values: Vec<f64> = (0..lattice.n_nodes()).map(|n| 2.0 + slope.dot(&lattice.at(n))).collect();
                assert!(bending.bend(&values).iter().all(|v| v.abs() < 1e-10));
            }
        }
    }

    #[test]
    fn the_operator_is_symmetric_and_its_diagonal_is_the_constant() {
        let lattice = lattice();
        let bending = Bending::of(&lattice);
        let bent_unit = |node: usize| {
            let mut values = vec![0.0_f64; lattice.n_nodes()];
            values[node] = 1.0;
            bending.bend(&values)
        };
        let middle = 2 + 5 * (2 + 6 * 3);
        assert!((bent_unit(middle)[middle] - DIAGONAL).abs() < 1e-12);
        for (a, b) in [(0, 1), (middle, middle + 1), (middle, middle + 6), (3, 34), (40, 71)] {
            assert!((bent_unit(a)[b] - bent_unit(b)[a]).abs() < 1e-12);
        }
    }

    #[test]
    fn its_form_is_the_energy_written_out() {
        for n in [[13, 4, 3], [3, 11, 5], [2, 3, 10]] {
            let lattice = Lattice { n, ..lattice() };
            let values: Vec<f64> = (0..lattice.n_nodes()).map(|n| (1.7 * n as f64).sin()).collect();
            let form: f64 = Bending::of(&lattice).bend(&values).iter().zip(&values).map(|(b, v)| b * v).sum();
            let at = |i: usize, j: usize, k: usize| values[i + n[0] * (j + n[1] * k)];
            let mut energy = 0.0;
            for (i, j, k) in (0..lattice.n_nodes()).map(|v| (v % n[0], v / n[0] % n[1], v / (n[0] * n[1]))) {
                let inner = |x: usize, n: usize| x > 0 && x + 1 < n;
                let mut count = |weight: f64, is_inside: bool, difference: &dyn Fn() -> f64| {
                    energy += if is_inside { weight * difference().powi(2) } else { 0.0 };
                };
                let here = at(i, j, k);
                count(1.0, inner(i, n[0]), &|| at(i - 1, j, k) - 2.0 * here + at(i + 1, j, k));
                count(1.0, inner(j, n[1]), &|| at(i, j - 1, k) - 2.0 * here + at(i, j + 1, k));
                count(1.0, inner(k, n[2]), &|| at(i, j, k - 1) - 2.0 * here + at(i, j, k + 1));
                let (i_up, j_up, k_up) = (i + 1 < n[0], j + 1 < n[1], k + 1 < n[2]);
                count(2.0, i_up && j_up, &|| at(i + 1, j + 1, k) - at(i + 1, j, k) - at(i, j + 1, k) + here);
                count(2.0, i_up && k_up, &|| at(i + 1, j, k + 1) - at(i + 1, j, k) - at(i, j, k + 1) + here);
                count(2.0, j_up && k_up, &|| at(i, j + 1, k + 1) - at(i, j + 1, k) - at(i, j, k + 1) + here);
            }
            assert!((form / energy - 1.0).abs() < 1e-12, "{form} {energy}");
        }
    }
}
