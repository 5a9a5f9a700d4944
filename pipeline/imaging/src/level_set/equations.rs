//! Normal equations of a spline function that is to be small where the surface passes and to fall by 1 mm per mm across it.

use std::collections::BTreeMap;

use nalgebra::Vector3;
use rayon::prelude::*;

use super::lattice::{Lattice, N_LOCAL};
use crate::band::Band;

/// One demand on the function, weighted by the inverse of its variance.
pub(super) struct Demand {
    /// Where, local mm.
    pub(super) at: Vector3<f64>,
    /// How much the value should be 0, 1/mm².
    pub(super) zero: f64,
    /// Outward unit normal and how much the slope along it should be −1.
    pub(super) slope: Option<(Vector3<f64>, f64)>,
}

/// Matrix and right-hand side.
pub(super) struct Equations {
    pub(super) band: Band,
    pub(super) rhs: Vec<f64>,
}

/// What the demands of one cell add.
struct CellSum {
    first: usize,
    matrix: Box<[f64]>,
    rhs: [f64; N_LOCAL],
}

impl Equations {
    /// Adds up all demands: cells in parallel, then in their order.
    pub(super) fn of(lattice: &Lattice, demands: &[Demand]) -> Self {
        let mut cells: BTreeMap<usize, Vec<&Demand>> = BTreeMap::new();
        for demand in demands {
            cells.entry(lattice.first(demand.at)).or_default().push(demand);
        }
        let cells: Vec<(usize, Vec<&Demand>)> = cells.into_iter().collect();
        let sums: Vec<CellSum> = cells.par_iter().map(|(first, demands)| cell_sum(lattice, *first, demands)).collect();
        let mut band = Band::zeros(lattice.len(), lattice.band_width());
        let mut rhs = vec![0.0; lattice.len()];
        let offsets = lattice.offsets();
        for sum in sums {
            for (a, offset_a) in offsets.iter().enumerate() {
                rhs[sum.first + offset_a] += sum.rhs[a];
                for (b, offset_b) in offsets.iter().enumerate().take(a + 1) {
                    let (row, column) = (offset_a.max(offset_b), offset_a.min(offset_b));
                    band.add(sum.first + row, sum.first + column, sum.matrix[a * N_LOCAL + b]);
                }
            }
        }
        Self { band, rhs }
    }
}

fn cell_sum(lattice: &Lattice, first: usize, demands: &[&Demand]) -> CellSum {
    let mut sum = CellSum { first, matrix: vec![0.0; N_LOCAL * N_LOCAL].into(), rhs: [0.0; N_LOCAL] };
    for demand in demands {
        let local = lattice.local(demand.at);
        add_square(&mut sum.matrix, &local.values, demand.zero);
        if let Some((normal, weight)) = demand.slope {
            let [x, y, z] = &local.gradients;
            let along: [f64; N_LOCAL] = std::array::from_fn(|l| x[l] * normal.x + y[l] * normal.y + z[l] * normal.z);
            add_square(&mut sum.matrix, &along, weight);
            for (rhs, a) in sum.rhs.iter_mut().zip(&along) {
                *rhs -= weight * a;
            }
        }
    }
    sum
}

/// matrix += weight v vᵀ, lower half.
fn add_square(matrix: &mut [f64], v: &[f64; N_LOCAL], weight: f64) {
    for (n, (row, a)) in matrix.chunks_exact_mut(N_LOCAL).zip(v).enumerate() {
        let scaled = weight * a;
        for (value, b) in row[..=n].iter_mut().zip(v) {
            *value += scaled * b;
        }
    }
}
