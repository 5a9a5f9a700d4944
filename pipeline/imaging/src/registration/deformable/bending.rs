//! Bending energy of a displacement on a lattice, as an operator: what it costs to leave an affine map.
//!
//! Source: Fischer and Modersitzki 2003 (curvature registration) and Rueckert et al. 1999 (bending energy); second differences
//! are taken inside the lattice only, so that every affine map is free of charge.

use nalgebra::Vector3;
use rayon::prelude::*;

use super::lattice::Lattice;

/// Diagonal of the operator at an inner node: 3·(1 + 4 + 1) from the pure and 2·3·4 from the mixed second differences.
pub(super) const DIAGONAL: f64 = 42.0;

/// Half the derivative of Σ (δ²)² over all pure and, twice, all mixed second differences (δ without the division by spacing²).
pub(super) fn bend(lattice: &Lattice, values: &[Vector3<f64>]) -> Vec<Vector3<f64>> {
    let mut out = vec![Vector3::zeros(); values.len()];
    for axis in 0..3 {
        let second = pure(lattice, values, axis);
        spread_pure(lattice, &second, axis, &mut out);
    }
    for axes in [[0, 1], [0, 2], [1, 2]] {
        let twist = mixed(lattice, values, axes);
        spread_mixed(lattice, &twist, axes, &mut out);
    }
    out
}

/// Index of a node along an axis.
fn index(lattice: &Lattice, node: usize, axis: usize) -> usize {
    (node / lattice.strides()[axis]) % lattice.n[axis]
}

/// Second difference along an axis; zero on the two outer nodes.
fn pure(lattice: &Lattice, values: &[Vector3<f64>], axis: usize) -> Vec<Vector3<f64>> {
    let (step, n) = (lattice.strides()[axis], lattice.n[axis]);
    by_node(values.len(), |node| {
        let at = index(lattice, node, axis);
        if at == 0 || at + 1 == n {
            return Vector3::zeros();
        }
        values[node - step] - values[node] * 2.0 + values[node + step]
    })
}

fn spread_pure(lattice: &Lattice, second: &[Vector3<f64>], axis: usize, out: &mut [Vector3<f64>]) {
    let (step, n) = (lattice.strides()[axis], lattice.n[axis]);
    out.par_iter_mut().enumerate().with_min_len(4096).for_each(|(node, out)| {
        let at = index(lattice, node, axis);
        *out -= second[node] * 2.0;
        if at > 0 {
            *out += second[node - step];
        }
        if at + 1 < n {
            *out += second[node + step];
        }
    });
}

/// Mixed difference over the face whose first node it is stored at; zero where the face would leave the lattice.
fn mixed(lattice: &Lattice, values: &[Vector3<f64>], [a, b]: [usize; 2]) -> Vec<Vector3<f64>> {
    let (da, db) = (lattice.strides()[a], lattice.strides()[b]);
    by_node(values.len(), |node| {
        if index(lattice, node, a) + 1 == lattice.n[a] || index(lattice, node, b) + 1 == lattice.n[b] {
            return Vector3::zeros();
        }
        values[node + da + db] - values[node + da] - values[node + db] + values[node]
    })
}

fn spread_mixed(lattice: &Lattice, twist: &[Vector3<f64>], [a, b]: [usize; 2], out: &mut [Vector3<f64>]) {
    let (da, db) = (lattice.strides()[a], lattice.strides()[b]);
    out.par_iter_mut().enumerate().with_min_len(4096).for_each(|(node, out)| {
        let (below_a, below_b) = (index(lattice, node, a) > 0, index(lattice, node, b) > 0);
        let mut sum = twist[node];
        if below_a {
            sum -= twist[node - da];
        }
        if below_b {
            sum -= twist[node - db];
        }
        if below_a && below_b {
            sum += twist[node - da - db];
        }
        *out += sum * 2.0;
    });
}

fn by_node(n: usize, value: impl Fn(usize) -> Vector3<f64> + Sync + Send) -> Vec<Vector3<f64>> {
    (0..n).into_par_iter().with_min_len(4096).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lattice() -> Lattice {
        Lattice { origin: Vector3::new(3.0, -2.0, 7.0), spacing_mm: 2.0, n: [5, 6, 7] }
    }

    #[test]
    fn an_affine_field_bends_nothing() {
        let lattice = lattice();
        let affine = |p: Vector3<f64>| Vector3::new(p.y - 0.3 * p.x, 2.0 + p.z, p.x + p.y);
        let values: Vec<_> = (0..lattice.n_nodes()).map(|n| affine(lattice.at(n))).collect();
        assert!(bend(&lattice, &values).iter().all(|v| v.norm() < 1e-10));
    }

    #[test]
    fn the_operator_is_symmetric_and_its_diagonal_is_the_constant() {
        let lattice = lattice();
        let unit = |node: usize| {
            let mut values = vec![Vector3::zeros(); lattice.n_nodes()];
            values[node] = Vector3::new(1.0, 0.0, 0.0);
            values
        };
        let middle = 2 + 5 * (2 + 6 * 3);
        assert!((bend(&lattice, &unit(middle))[middle].x - DIAGONAL).abs() < 1e-12);
        for (a, b) in [(0, 1), (middle, middle + 1), (middle, middle + 6), (3, 34), (40, 71)] {
            assert!((bend(&lattice, &unit(a))[b].x - bend(&lattice, &unit(b))[a].x).abs() < 1e-12);
        }
    }
}
