//! Functions of space as sums of cubic B-splines on a lattice of equal steps.
//!
//! Source: de Boor 1978, A Practical Guide to Splines; uniform cubic case. The lattice covers a box in mm, perpendicular axes.

use nalgebra::Vector3;

/// Coefficients that act on one point: four along each axis.
pub(super) const N_LOCAL: usize = 64;

/// Where the coefficients lie.
#[derive(Debug, Clone)]
pub(super) struct Lattice {
    low: Vector3<f64>,
    step_mm: f64,
    n: [usize; 3],
    stride: [usize; 3],
    offsets: [usize; N_LOCAL],
}

/// What acts on one point: the first coefficient and the value and gradient of each of the 64 splines.
pub(super) struct Local {
    pub(super) first: usize,
    pub(super) values: [f64; N_LOCAL],
    pub(super) gradients: [[f64; N_LOCAL]; 3],
}

impl Lattice {
    /// The smallest lattice of this step that covers the box from `low` to `high`, centred on it.
    pub(super) fn covering(low: Vector3<f64>, high: Vector3<f64>, step_mm: f64) -> Self {
        let cells = (high - low).map(|length| (length / step_mm - 1e-9).ceil().max(1.0));
        let low = (low + high - cells * step_mm) / 2.0;
        let n = [0, 1, 2].map(|a| cells[a] as usize + 3);
        // The longest axis is outermost: that keeps the band of the equations narrow.
        let mut order = [0, 1, 2];
        order.sort_by_key(|a| n[*a]);
        let mut stride = [1; 3];
        stride[order[1]] = n[order[0]];
        stride[order[2]] = n[order[0]] * n[order[1]];
        let offsets = std::array::from_fn(|l| (l >> 4) * stride[0] + (l >> 2 & 3) * stride[1] + (l & 3) * stride[2]);
        Self { low, step_mm, n, stride, offsets }
    }

    /// Number of coefficients.
    pub(super) fn len(&self) -> usize {
        self.n.iter().product()
    }
    /// Number of coefficients along each axis.
    pub(super) fn n(&self) -> [usize; 3] {
        self.n
    }
    /// Distance in memory between neighbours along each axis.
    pub(super) fn stride(&self) -> [usize; 3] {
        self.stride
    }
    /// Distance between neighbours, mm.
    pub(super) fn step_mm(&self) -> f64 {
        self.step_mm
    }
    /// Position in memory of each local coefficient relative to the first.
    pub(super) fn offsets(&self) -> &[usize; N_LOCAL] {
        &self.offsets
    }
    /// Largest distance in memory between two coefficients that act on one point.
    pub(super) fn band_width(&self) -> usize {
        3 * (self.stride[0] + self.stride[1] + self.stride[2])
    }

    /// The cell of a point (the nearest one for a point outside) and where in it the point lies, in steps.
    fn cell(&self, p: Vector3<f64>) -> ([usize; 3], [f64; 3]) {
        let u: [f64; 3] = std::array::from_fn(|a| (p[a] - self.low[a]) / self.step_mm);
        let cell: [usize; 3] = std::array::from_fn(|a| u[a].floor().clamp(0.0, (self.n[a] - 4) as f64) as usize);
        (cell, std::array::from_fn(|a| u[a] - cell[a] as f64))
    }

    /// The first coefficient that acts on a point; points of one cell share it.
    pub(super) fn first(&self, p: Vector3<f64>) -> usize {
        let (cell, _) = self.cell(p);
        (0..3).map(|a| cell[a] * self.stride[a]).sum()
    }

    /// The splines at a point.
    pub(super) fn local(&self, p: Vector3<f64>) -> Local {
        let (_, t) = self.cell(p);
        let w = t.map(weights);
        let d = t.map(|t| derivatives(t).map(|d| d / self.step_mm));
        let product = |x: &[f64; 4], y: &[f64; 4], z: &[f64; 4]| -> [f64; N_LOCAL] {
            std::array::from_fn(|l| x[l >> 4] * y[l >> 2 & 3] * z[l & 3])
        };
        Local {
            first: self.first(p),
            values: product(&w[0], &w[1], &w[2]),
            gradients: [product(&d[0], &w[1], &w[2]), product(&w[0], &d[1], &w[2]), product(&w[0], &w[1], &d[2])],
        }
    }

    /// The function at a point.
    pub(super) fn value(&self, coefficients: &[f64], p: Vector3<f64>) -> f64 {
        let (cell, t) = self.cell(p);
        let [x, y, z] = t.map(weights);
        let first: usize = (0..3).map(|a| cell[a] * self.stride[a]).sum();
        let mut sum = 0.0;
        for (a, x) in x.iter().enumerate() {
            for (b, y) in y.iter().enumerate() {
                let start = first + a * self.stride[0] + b * self.stride[1];
                let line: f64 = z.iter().enumerate().map(|(c, z)| z * coefficients[start + c * self.stride[2]]).sum();
                sum += x * y * line;
            }
        }
        sum
    }
}

/// The four cubic B-splines that are not zero at t (0…1) of a step.
fn weights(t: f64) -> [f64; 4] {
    let s = 1.0 - t;
    [
        s * s * s / 6.0,
        (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0,
        (3.0 * s * s * s - 6.0 * s * s + 4.0) / 6.0,
        t * t * t / 6.0,
    ]
}

/// Their first derivatives by t.
fn derivatives(t: f64) -> [f64; 4] {
    let s = 1.0 - t;
    [-s * s / 2.0, (3.0 * t * t - 4.0 * t) / 2.0, -(3.0 * s * s - 4.0 * s) / 2.0, t * t / 2.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splines_add_up_to_one_and_reproduce_a_plane() {
        let lattice = Lattice::covering(Vector3::new(-3.0, 2.0, 0.0), Vector3::new(4.1, 5.0, 20.0), 1.7);
        assert_eq!(lattice.n(), [8, 5, 15]);
        assert_eq!(lattice.stride(), [5, 1, 40]);
        // Coefficient (a, b, c) of a linear function is the function at the coefficient's place.
        let plane = |p: Vector3<f64>| 0.3 * p.x - 1.1 * p.y + 0.7 * p.z + 2.0;
        let mut coefficients = vec![0.0; lattice.len()];
        for a in 0..8 {
            for b in 0..5 {
                for c in 0..15 {
                    let at = lattice.low + Vector3::new(a as f64 - 1.0, b as f64 - 1.0, c as f64 - 1.0) * 1.7;
                    coefficients[a * 5 + b + c * 40] = plane(at);
                }
            }
        }
        for p in [Vector3::new(-3.0, 2.0, 0.0), Vector3::new(0.4, 4.4, 13.3), Vector3::new(4.1, 5.0, 20.0)] {
            assert!((lattice.value(&coefficients, p) - plane(p)).abs() < 1e-9);
            let local = lattice.local(p);
            assert!((local.values.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let slope: Vec<f64> = local
                .gradients
                .iter()
                .map(|g| g.iter().zip(lattice.offsets()).map(|(g, o)| g * coefficients[local.first + o]).sum())
                .collect();
            assert!((slope[0] - 0.3).abs() < 1e-9 && (slope[1] + 1.1).abs() < 1e-9 && (slope[2] - 0.7).abs() < 1e-9);
        }
    }
}
