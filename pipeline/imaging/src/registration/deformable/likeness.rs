//! The quadratic form of all cells, gathered at the nodes of the lattice: what conjugate gradients multiply with.
//!
//! Two nodes meet in up to four cells; their matrices are added once, so that a product reads 14 matrices a node, not 36 a cell.

use std::ops::Range;

use nalgebra::Matrix3;
use rayon::prelude::*;

use super::cells::Cell;
use super::lattice::Lattice;

/// A component of a vector at each node, for the three components.
pub(super) type Field = [Vec<f32>; 3];

/// A node itself and the neighbours after it in memory order, as steps along i, j, k.
const AHEAD: [[usize; 3]; 14] = {
    // Steps along i and j are counted from −1.
    let mut ahead = [[1, 1, 0]; 14];
    let mut n = 0;
    while n < 13 {
        let place = 14 + n;
        ahead[n + 1] = [place % 3, place / 3 % 3, place / 9 - 1];
        n += 1;
    }
    ahead
};
/// Numbers of one row of nodes for each of its nodes.
const PER_NODE: usize = 6 * AHEAD.len();

/// The quadratic form over the lattice.
#[derive(Debug, Clone)]
pub(super) struct Likeness {
    lattice: Lattice,
    /// Cells that hold points, ascending.
    cells: Vec<Cell>,
    /// Which of the cells lie in each layer along k.
    layers: Vec<Range<usize>>,
    /// For each row of nodes, each neighbour ahead and each of xx, xy, xz, yy, yz, zz the numbers of the row's nodes.
    matrices: Vec<f32>,
    /// The nodes of each row that touch a cell with points.
    touched: Vec<Range<usize>>,
}

impl Likeness {
    /// Without a term; `firsts` are the first nodes of the cells that will have some, ascending.
    pub(super) fn new(lattice: &Lattice, firsts: &[usize]) -> Self {
        let [ni, nj, nk] = lattice.n;
        let before = |k: usize| firsts.partition_point(|first| *first < k * ni * nj);
        let mut touched = vec![0..0; nj * nk];
        for first in firsts {
            let (i, row) = (first % ni, first / ni);
            for row in [row, row + 1, row + nj, row + nj + 1] {
                let old: &mut Range<usize> = &mut touched[row];
                *old = if old.start == old.end { i..i + 2 } else { old.start.min(i)..old.end.max(i + 2) };
            }
        }
        Self {
            lattice: lattice.clone(),
            cells: firsts.iter().map(|first| Cell::empty(*first)).collect(),
            layers: (0..nk).map(|k| before(k)..before(k + 1)).collect(),
            matrices: vec![0.0; PER_NODE * ni * nj * nk],
            touched,
        }
    }

    /// Sums all terms anew; `fill` adds those of a cell, told by its number, in an order of their own.
    pub(super) fn sum(&mut self, fill: impl Fn(usize, &mut Cell) + Sync) {
        self.cells.par_iter_mut().enumerate().with_min_len(16).for_each(|(n, cell)| {
            *cell = Cell::empty(cell.first);
            fill(n, cell);
        });
        let [ni, nj, _] = self.lattice.n;
        let (cells, layers) = (&self.cells, &self.layers);
        self.matrices.par_chunks_mut(PER_NODE * ni * nj).enumerate().for_each(|(k, out)| {
            out.fill(0.0);
            let below = k.checked_sub(1).map_or(0..0, |k| layers[k].clone());
            for (cells, is_above) in [(&cells[below], 1), (&cells[layers[k].clone()], 0)] {
                for cell in cells {
                    gather(cell, is_above, ni, nj, out);
                }
            }
        });
    }

    /// Half the first derivative at step zero.
    pub(super) fn slope(&self) -> Field {
        let mut out: Field = [0; 3].map(|_| vec![0.0; self.lattice.n_nodes()]);
        for cell in &self.cells {
            for (corner, node) in self.lattice.corners(cell.first).into_iter().enumerate() {
                for (out, slope) in out.iter_mut().zip(&cell.slope) {
                    out[node] += slope[corner];
                }
            }
        }
        out
    }

    /// What the cells still ask for, per cell and axis, over what noise of one unit would make them ask for.
    pub(super) fn left_over(&self) -> f64 {
        let (asked, mass) =
            self.cells.iter().fold((0.0, 0.0), |(a, m), cell| (a + cell.asked(), m + f64::from(cell.mass)));
        if mass > 0.0 { asked / mass } else { 0.0 }
    }

    /// Number of nodes of the lattice.
    pub(super) fn n_nodes(&self) -> usize {
        self.lattice.n_nodes()
    }

    /// Number of cells that hold points.
    pub(super) fn n_cells(&self) -> usize {
        self.cells.len()
    }

    /// The 3×3 block of a node with itself.
    pub(super) fn diagonal(&self, node: usize) -> Matrix3<f64> {
        let ni = self.lattice.n[0];
        let row = &self.matrices[node / ni * ni * PER_NODE..];
        let [xx, xy, xz, yy, yz, zz] = std::array::from_fn(|c| f64::from(row[c * ni + node % ni]));
        Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, zz)
    }

    /// Adds the product of the form's matrix with a step to `out`. Each slice of nodes sums on its own what it owes to itself and to the
    /// next one, in order: any number of threads, same bits.
    pub(super) fn add_product(&self, step: &Field, out: &mut Field) {
        let [ni, nj, _] = self.lattice.n;
        let mut next: Field = [0; 3].map(|_| vec![0.0; self.lattice.n_nodes()]);
        let [x, y, z] = out.each_mut().map(|out| out.par_chunks_mut(ni * nj));
        let [nx, ny, nz] = next.each_mut().map(|next| next.par_chunks_mut(ni * nj));
        x.zip(y).zip(z).zip(nx).zip(ny).zip(nz).enumerate().for_each(|(k, (((((x, y), z), nx), ny), nz))| {
            let mut slices = [[x, y, z], [nx, ny, nz]];
            for row in k * nj..(k + 1) * nj {
                self.add_row(row, step, &mut slices);
            }
        });
        for (out, next) in out.iter_mut().zip(&next) {
            for (out, next) in out[ni * nj..].iter_mut().zip(next) {
                *out += next;
            }
        }
    }

    /// What the matrices of one row of nodes add to its own slice and to the next.
    fn add_row(&self, row: usize, step: &Field, slices: &mut [[&mut [f32]; 3]; 2]) {
        let [ni, nj, _] = self.lattice.n;
        let Range { start, end } = self.touched[row].clone();
        let matrices = &self.matrices[row * ni * PER_NODE..][..ni * PER_NODE];
        for (n, [di, dj, dk]) in AHEAD.into_iter().enumerate() {
            // Nodes of the row whose neighbour lies in the lattice.
            let from = if di == 0 { start.max(1) } else { start };
            let to = if di == 2 { end.min(ni - 1) } else { end };
            let is_beyond = (row % nj + dj).wrapping_sub(1) >= nj || row + dk * nj >= self.touched.len();
            if from >= to || is_beyond {
                continue;
            }
            let of_matrix: [&[f32]; 6] = std::array::from_fn(|c| &matrices[(6 * n + c) * ni..][from..to]);
            let own = row * ni + from;
            let other = own + (dk * nj + dj) * ni + di - ni - 1;
            let in_slice = |node: usize, dk: usize| node - (row / nj + dk) * ni * nj;
            let at = |node: usize| step.each_ref().map(|step| &step[node..node + to - from]);
            let into = in_slice(own, 0);
            multiply(of_matrix, at(other), slices[0].each_mut().map(|out| &mut out[into..into + to - from]));
            if n > 0 {
                let into = in_slice(other, dk);
                multiply(of_matrix, at(own), slices[dk].each_mut().map(|out| &mut out[into..into + to - from]));
            }
        }
    }
}

/// Adds the matrices of a cell between its corners to those of the slice of nodes that its lower or upper corners lie in.
fn gather(cell: &Cell, upper: usize, ni: usize, nj: usize, out: &mut [f32]) {
    let (i, j) = (cell.first % ni, cell.first / ni % nj);
    for a in 4 * upper..4 * upper + 4 {
        let (i, j) = (i + (a & 1), j + ((a >> 1) & 1));
        let node = &mut out[j * ni * PER_NODE + i..];
        for b in a..8 {
            let ahead = ahead(a, b);
            for (c, value) in cell.pair(a, b).into_iter().enumerate() {
                node[(6 * ahead + c) * ni] += value;
            }
        }
    }
}

/// The number of the step from a corner to one after it.
fn ahead(a: usize, b: usize) -> usize {
    let step = |axis: usize| 1 + ((b >> axis) & 1) - ((a >> axis) & 1);
    step(0) + 3 * step(1) + 9 * step(2) - 13
}

/// Adds the products of symmetric matrices with vectors, place by place.
fn multiply([xx, xy, xz, yy, yz, zz]: [&[f32]; 6], [x, y, z]: [&[f32]; 3], [ox, oy, oz]: [&mut [f32]; 3]) {
    let n = ox.len();
    let [xx, xy, xz, yy, yz, zz] = [&xx[..n], &xy[..n], &xz[..n], &yy[..n], &yz[..n], &zz[..n]];
    let (x, y, z, oy, oz) = (&x[..n], &y[..n], &z[..n], &mut oy[..n], &mut oz[..n]);
    for i in 0..n {
        ox[i] += xx[i] * x[i] + xy[i] * y[i] + xz[i] * z[i];
        oy[i] += xy[i] * x[i] + yy[i] * y[i] + yz[i] * z[i];
        oz[i] += xz[i] * x[i] + yz[i] * y[i] + zz[i] * z[i];
    }
}

#[cfg(test)]
mod tests {
    use super::super::cells::Term;
    use super::super::lattice::weights;
    use super::*;
    use nalgebra::Vector3;

    #[test]
    fn steps_ahead_are_numbered_as_they_are_listed() {
        for (a, b) in (0..8).flat_map(|a| (a..8).map(move |b| (a, b))) {
            let step = |axis: usize| ((b >> axis) & 1) as i64 - ((a >> axis) & 1) as i64;
            let [di, dj, dk] = AHEAD[ahead(a, b)].map(|d| d as i64);
            assert_eq!([di - 1, dj - 1, dk], [step(0), step(1), step(2)]);
        }
        let all: std::collections::BTreeSet<_> = AHEAD.into_iter().collect();
        assert_eq!(all.len(), 14);
    }

    #[test]
    fn the_product_is_the_sum_over_points_written_out() {
        let lattice = Lattice { origin: Vector3::zeros(), spacing_mm: 2.0, n: [4, 3, 5] };
        let n_nodes = lattice.n_nodes();
        let random = |n: usize, k: usize| ((n * 37 + k * 101) as f32 * 0.71).sin();
        let point = |n: usize| Vector3::from_fn(|a, _| f64::from(random(n, a) + 1.0) * (lattice.n[a] - 1) as f64);
        let mut by_cell: std::collections::BTreeMap<usize, Vec<Term>> = std::collections::BTreeMap::new();
        for n in 0..40 {
            let place = lattice.locate(point(n));
            let term = Term {
                fraction: place.fraction.map(|t| t as f32),
                difference: random(n, 3),
                gradient: [4, 5, 6].map(|k| random(n, k)),
                weight: 1.0 + random(n, 7),
            };
            by_cell.entry(place.first).or_default().push(term);
        }
        let (firsts, terms): (Vec<usize>, Vec<Vec<Term>>) = by_cell.into_iter().unzip();
        let mut likeness = Likeness::new(&lattice, &firsts);
        for _ in 0..2 {
            // The second sum forgets the first.
            likeness.sum(|n, cell| terms[n].iter().for_each(|term| cell.take(term)));
        }
        let step: Field = [1, 2, 3].map(|k| (0..n_nodes).map(|n| random(n, 10 + k)).collect());
        let mut got: Field = [1.0, 2.0, 3.0].map(|v| vec![v; n_nodes]);
        likeness.add_product(&step, &mut got);
        let slope = likeness.slope();
        let (mut want, mut want_slope, mut diagonal) = (
            vec![Vector3::new(1.0, 2.0, 3.0); n_nodes],
            vec![Vector3::zeros(); n_nodes],
            vec![Matrix3::zeros(); n_nodes],
        );
        for (first, t) in firsts.iter().zip(&terms).flat_map(|(first, terms)| terms.iter().map(move |t| (first, t))) {
            let (phi, corners) = (weights(t.fraction.map(f64::from)), lattice.corners(*first));
            let (g, w) = (Vector3::from(t.gradient.map(f64::from)), f64::from(t.weight));
            let at = |node: usize| Vector3::from_fn(|a, _| f64::from(step[a][node]));
            let along: f64 = (0..8).map(|c| phi[c] * g.dot(&at(corners[c]))).sum();
            for c in 0..8 {
                want[corners[c]] += g * (w * phi[c] * along);
                want_slope[corners[c]] += g * (w * phi[c] * f64::from(t.difference));
                diagonal[corners[c]] += g * g.transpose() * (w * phi[c] * phi[c]);
            }
        }
        for node in 0..n_nodes {
            for a in 0..3 {
                assert!((f64::from(got[a][node]) - want[node][a]).abs() < 3e-6, "{node} {a}");
                assert!((f64::from(slope[a][node]) - want_slope[node][a]).abs() < 1e-6, "{node} {a}");
            }
            assert!((likeness.diagonal(node) - diagonal[node]).norm() < 1e-6);
        }
    }
}
