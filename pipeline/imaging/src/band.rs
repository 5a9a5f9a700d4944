//! Symmetric positive definite matrices whose entries lie near the diagonal, and linear equations with them.
//!
//! Source: Golub and Van Loan 2013, Matrix Computations, §4.3.5 (band Cholesky) and §11.5 (preconditioned conjugate gradients).

/// Relative residual at which [`Band::solve_near`] is done.
const RELATIVE_RESIDUAL: f64 = 1e-9;

/// Steps after which [`Band::solve_near`] gives up.
const MAX_STEPS: usize = 200;

/// The lower half of a symmetric matrix: of every row the diagonal and `width` entries before it.
#[derive(Debug, Clone)]
pub(crate) struct Band {
    n: usize,
    width: usize,
    values: Vec<f64>,
}

/// The lower triangle L of A = L Lᵀ.
#[derive(Debug, Clone)]
pub(crate) struct Factor(Band);

impl Band {
    /// All zero; `width` is the largest distance of an entry from the diagonal.
    pub(crate) fn zeros(n: usize, width: usize) -> Self {
        Self { n, width, values: vec![0.0; n * (width + 1)] }
    }

    /// Adds to the entry at (row, column), column ≤ row ≤ column + width.
    pub(crate) fn add(&mut self, row: usize, column: usize, value: f64) {
        let width = self.width;
        self.values[row * (width + 1) + column + width - row] += value;
    }

    /// The entries of a row from its first stored column to the diagonal, and that column.
    fn row(&self, row: usize) -> (usize, &[f64]) {
        let first = row.saturating_sub(self.width);
        let end = (row + 1) * (self.width + 1);
        (first, &self.values[end - (row + 1 - first)..end])
    }

    /// A x.
    pub(crate) fn times(&self, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.n];
        for row in 0..self.n {
            let (first, entries) = self.row(row);
            let (diagonal, before) = (entries[entries.len() - 1], &entries[..entries.len() - 1]);
            out[row] += dot(before, &x[first..row]) + diagonal * x[row];
            for (value, entry) in out[first..row].iter_mut().zip(before) {
                *value += entry * x[row];
            }
        }
        out
    }

    /// L of A = L Lᵀ; `None` unless the matrix is positive definite.
    pub(crate) fn cholesky(mut self) -> Option<Factor> {
        let width = self.width;
        for row in 0..self.n {
            let first = row.saturating_sub(width);
            let (done, rest) = self.values.split_at_mut(row * (width + 1));
            let current = &mut rest[width + first - row..=width];
            for column in first..row {
                let from = first.max(column.saturating_sub(width));
                let start = column * (width + 1) + width - column;
                let sum = dot(&current[from - first..column - first], &done[start + from..start + column]);
                current[column - first] = (current[column - first] - sum) / done[start + column];
            }
            let before = &current[..row - first];
            let diagonal = current[row - first] - dot(before, before);
            if diagonal.is_nan() || diagonal <= 0.0 {
                return None;
            }
            current[row - first] = diagonal.sqrt();
        }
        Some(Factor(self))
    }

    /// Solves A x = b by conjugate gradients with the factor of a matrix near A; `None` if that is not near enough.
    pub(crate) fn solve_near(&self, near: &Factor, start: &[f64], b: &[f64]) -> Option<Vec<f64>> {
        let mut x = start.to_vec();
        let mut residual: Vec<f64> = b.iter().zip(self.times(&x)).map(|(b, ax)| b - ax).collect();
        let goal = RELATIVE_RESIDUAL * norm(b);
        let mut direction = near.solve(&residual);
        let mut energy = dot(&residual, &direction);
        for _ in 0..MAX_STEPS {
            if norm(&residual) <= goal {
                return Some(x);
            }
            let image = self.times(&direction);
            let length = energy / dot(&direction, &image);
            for n in 0..self.n {
                x[n] += length * direction[n];
                residual[n] -= length * image[n];
            }
            let next = near.solve(&residual);
            let next_energy = dot(&residual, &next);
            for (d, z) in direction.iter_mut().zip(&next) {
                *d = z + next_energy / energy * *d;
            }
            energy = next_energy;
        }
        None
    }
}

impl Factor {
    /// Solves L Lᵀ x = b.
    pub(crate) fn solve(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        for row in 0..self.0.n {
            let (first, entries) = self.0.row(row);
            let last = entries.len() - 1;
            x[row] = (x[row] - dot(&entries[..last], &x[first..row])) / entries[last];
        }
        for row in (0..self.0.n).rev() {
            let (first, entries) = self.0.row(row);
            let last = entries.len() - 1;
            x[row] /= entries[last];
            let value = x[row];
            for (x, entry) in x[first..row].iter_mut().zip(&entries[..last]) {
                *x -= entry * value;
            }
        }
        x
    }
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// Sum of products in eight interleaved parts, always in the same order.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut parts = [0.0; 8];
    let (chunks_a, chunks_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = chunks_a.remainder().iter().zip(chunks_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in chunks_a.zip(chunks_b) {
        for n in 0..8 {
            parts[n] += a[n] * b[n];
        }
    }
    parts.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stiff bar of `n` springs with a little ground.
    fn bar(n: usize, width: usize, ground: f64) -> Band {
        let mut a = Band::zeros(n, width);
        for row in 0..n {
            a.add(row, row, ground + 0.01 * row as f64);
            for column in row.saturating_sub(width)..row {
                let stiffness = 1.0 / (1.0 + (row - column) as f64);
                a.add(row, row, stiffness);
                a.add(column, column, stiffness);
                a.add(row, column, -stiffness);
            }
        }
        a
    }

    #[test]
    fn two_by_two_by_hand() {
        let mut a = Band::zeros(2, 1);
        a.add(0, 0, 4.0);
        a.add(1, 0, 2.0);
        a.add(1, 1, 5.0);
        assert_eq!(a.times(&[1.0, 2.0]), vec![8.0, 12.0]);
        let factor = a.cholesky().unwrap();
        assert_eq!(factor.0.values, vec![0.0, 2.0, 1.0, 2.0]);
        assert_eq!(factor.solve(&[8.0, 12.0]), vec![1.0, 2.0]);
        let mut indefinite = Band::zeros(2, 1);
        indefinite.add(0, 0, 1.0);
        indefinite.add(1, 0, 2.0);
        indefinite.add(1, 1, 1.0);
        assert!(indefinite.cholesky().is_none());
    }

    #[test]
    fn solutions_give_back_the_right_hand_side() {
        for (n, width) in [(1, 3), (5, 7), (40, 1), (90, 17)] {
            let a = bar(n, width, 0.1);
            let want: Vec<f64> = (0..n).map(|m| (m as f64 * 0.7).sin()).collect();
            let b = a.times(&want);
            let factor = a.clone().cholesky().unwrap();
            let direct = factor.solve(&b);
            let near = bar(n, width, 0.3).cholesky().unwrap();
            let stepwise = a.solve_near(&near, &vec![0.0; n], &b).unwrap();
            for m in 0..n {
                assert!((direct[m] - want[m]).abs() < 1e-9, "{n} {width}");
                assert!((stepwise[m] - want[m]).abs() < 1e-6, "{n} {width}");
            }
        }
    }
}
