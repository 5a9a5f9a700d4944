//! The control lattice: nodes of equal distance along the patient's axes, between which a displacement is read trilinearly.

use std::ops::{Mul, Sub};

use nalgebra::Vector3;

/// A lattice around a region. Node (i, j, k) lies at `origin + spacing_mm · (i, j, k)`; node i is fastest in memory.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lattice {
    pub(super) origin: Vector3<f64>,
    pub(super) spacing_mm: f64,
    pub(super) n: [usize; 3],
}

/// A position in a cell: the cell's first node and the fractions to the next one along each axis, 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct InCell {
    pub(super) first: usize,
    pub(super) fraction: [f64; 3],
}

impl Lattice {
    /// The lattice that covers a box with a rim on every side; at least two nodes along each axis.
    pub(super) fn around([low, high]: [Vector3<f64>; 2], spacing_mm: f64, rim_mm: f64) -> Self {
        let size = (high - low).map(|mm| ((mm + 2.0 * rim_mm) / spacing_mm).ceil());
        let middle = (low + high) / 2.0;
        let n: [usize; 3] = std::array::from_fn(|a| size[a] as usize + 1).map(|n: usize| n.max(2));
        let half = Vector3::from_fn(|a, _| (n[a] - 1) as f64 / 2.0);
        Self { origin: middle - half * spacing_mm, spacing_mm, n }
    }

    /// Number of nodes.
    pub(super) fn n_nodes(&self) -> usize {
        self.n[0] * self.n[1] * self.n[2]
    }

    /// Steps in memory to the next node along each axis.
    pub(super) fn strides(&self) -> [usize; 3] {
        [1, self.n[0], self.n[0] * self.n[1]]
    }

    /// Where a node lies.
    pub(super) fn at(&self, node: usize) -> Vector3<f64> {
        let [i, j, k] = [node % self.n[0], (node / self.n[0]) % self.n[1], node / (self.n[0] * self.n[1])];
        self.origin + Vector3::new(i as f64, j as f64, k as f64) * self.spacing_mm
    }

    /// The cell a point lies in; a point beyond the lattice is put on its nearest face.
    pub(super) fn locate(&self, p: Vector3<f64>) -> InCell {
        let strides = self.strides();
        let mut found = InCell { first: 0, fraction: [0.0; 3] };
        for a in 0..3 {
            let x = ((p[a] - self.origin[a]) / self.spacing_mm).clamp(0.0, (self.n[a] - 1) as f64);
            let low = (x as usize).min(self.n[a] - 2);
            found.first += low * strides[a];
            found.fraction[a] = x - low as f64;
        }
        found
    }

    /// The eight nodes of a cell, axis 0 fastest.
    pub(super) fn corners(&self, first: usize) -> [usize; 8] {
        let [di, dj, dk] = self.strides();
        std::array::from_fn(|c| first + (c & 1) * di + ((c >> 1) & 1) * dj + (c >> 2) * dk)
    }

    /// The displacement at a point; beyond the lattice that of its nearest face.
    pub(super) fn read(&self, values: &[Vector3<f64>], p: Vector3<f64>) -> Vector3<f64> {
        let place = self.locate(p);
        let weights = weights(place.fraction);
        self.corners(place.first).iter().zip(weights).map(|(node, w)| values[*node] * w).sum()
    }
}

/// Trilinear weights of the eight corners.
pub(super) fn weights<T>([x, y, z]: [T; 3]) -> [T; 8]
where
    T: Copy + From<f32> + Sub<Output = T> + Mul<Output = T>,
{
    let pick = |upper: bool, t: T| if upper { t } else { T::from(1.0) - t };
    std::array::from_fn(|c| pick(c & 1 == 1, x) * pick((c >> 1) & 1 == 1, y) * pick(c >> 2 == 1, z))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_field_is_read_exactly_and_held_beyond_the_lattice() {
        let lattice = Lattice::around([Vector3::new(-3.0, 5.0, 100.0), Vector3::new(9.0, 11.0, 107.0)], 4.0, 2.0);
        assert_eq!(lattice.n, [5, 4, 4]);
        let field = |p: Vector3<f64>| Vector3::new(1.0 + p.x, 2.0 * p.y - p.z, 0.5 * p.z);
        let values: Vec<_> = (0..lattice.n_nodes()).map(|n| field(lattice.at(n))).collect();
        let p = Vector3::new(0.3, 6.1, 104.9);
        assert!((lattice.read(&values, p) - field(p)).norm() < 1e-12);
        let last = lattice.at(lattice.n_nodes() - 1);
        assert!((lattice.read(&values, last + Vector3::repeat(50.0)) - field(last)).norm() < 1e-12);
    }
}
