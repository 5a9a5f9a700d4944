//! The likeness of two images as a quadratic form of the displacement's step, summed cell by cell of the lattice.
//!
//! Source: Gauss–Newton step of the sum of squared differences with the mean of both images' gradients (Malis 2004, efficient
//! second-order minimisation), differences weighted down where they are large (Geman and McClure 1987).

use super::lattice::weights;

/// Products of two corners' weights that differ: along each axis both low, one of each, or both high.
const N_PRODUCTS: usize = 27;
/// The same, filled up to whole registers of the processor.
const N_FILLED: usize = N_PRODUCTS + 1;

/// One point of comparison: where it lies in its cell, how much the images differ there, and the gradient of that difference.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    /// From the cell's first node to the next one along each axis, 0 to 1.
    pub(super) fraction: [f32; 3],
    /// Moving minus fixed value, normalised.
    pub(super) difference: f32,
    /// Per mm in the fixed frame.
    pub(super) gradient: [f32; 3],
    /// Weight of the point.
    pub(super) weight: f32,
}

/// The quadratic form of one cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// Its first node.
    pub(super) first: usize,
    /// Σ w φa φb g gᵀ as xx, xy, xz, yy, yz, zz, each for all products φa φb.
    squares: [[f32; N_FILLED]; 6],
    /// Σ w φ d g, for each axis and corner.
    pub(super) slope: [[f32; 8]; 3],
    /// Σ w g².
    pub(super) mass: f32,
}

impl Cell {
    /// Without a point.
    pub(super) fn empty(first: usize) -> Self {
        Self { first, squares: [[0.0; N_FILLED]; 6], slope: [[0.0; 8]; 3], mass: 0.0 }
    }

    /// Adds a point.
    pub(super) fn take(&mut self, term: &Term) {
        let Term { fraction, difference, gradient: [x, y, z], weight } = *term;
        let products = products(fraction);
        let squares = [x * x, x * y, x * z, y * y, y * z, z * z];
        for (sums, square) in self.squares.iter_mut().zip(squares) {
            let square = square * weight;
            for (sum, product) in sums.iter_mut().zip(&products) {
                *sum += product * square;
            }
        }
        self.mass += weight * (x * x + y * y + z * z);
        let phi = weights(fraction);
        for (sums, g) in self.slope.iter_mut().zip([x, y, z]) {
            let slope = g * (weight * difference);
            for (sum, phi) in sums.iter_mut().zip(&phi) {
                *sum += phi * slope;
            }
        }
    }

    /// The square of Σ w d g: what the points of the cell together still ask for.
    pub(super) fn asked(&self) -> f64 {
        self.slope.iter().map(|corners| f64::from(corners.iter().sum::<f32>()).powi(2)).sum()
    }

    /// The symmetric matrix Σ w φa φb g gᵀ of two corners, as xx, xy, xz, yy, yz, zz.
    pub(super) fn pair(&self, a: usize, b: usize) -> [f32; 6] {
        let product = product_of(a, b);
        self.squares.each_ref().map(|sums| sums[product])
    }
}

/// Which of the products two corners have.
fn product_of(a: usize, b: usize) -> usize {
    let upper = |axis: usize| ((a >> axis) & 1) + ((b >> axis) & 1);
    upper(0) + 3 * upper(1) + 9 * upper(2)
}

fn products(fraction: [f32; 3]) -> [f32; N_FILLED] {
    let [x, y, z] = fraction.map(|t| [(1.0 - t) * (1.0 - t), t * (1.0 - t), t * t]);
    let mut out = [0.0; N_FILLED];
    for (n, yz) in (0..9).map(|n| (n, y[n % 3] * z[n / 3])) {
        for (out, x) in out[3 * n..].iter_mut().zip(x) {
            *out = x * yz;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_of_corners_finds_the_product_of_its_weights() {
        let fraction = [0.2, 0.7, 0.45];
        let (products, phi) = (products(fraction), weights(fraction));
        for (a, b) in (0..64).map(|n| (n % 8, n / 8)) {
            assert!(product_of(a, b) < N_PRODUCTS);
            assert!((products[product_of(a, b)] - phi[a] * phi[b]).abs() < 1e-7);
        }
        assert_eq!(products[N_PRODUCTS], 0.0);
    }
}
