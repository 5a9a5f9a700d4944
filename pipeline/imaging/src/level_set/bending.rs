//! The roughness of a spline function: the integral of its squared third derivatives over the lattice's box.
//!
//! ∫ Σ_{a+b+c=3} 3!/(a! b! c!) (∂ₓᵃ∂ᵧᵇ∂_zᶜ f)², the rotation-invariant third-order thin-plate energy (Wahba 1990, Spline Models for
//! Observational Data, §2.4, d = 3, m = 3). It is zero for every quadratic, so balls and ellipsoids cost nothing.

use super::lattice::Lattice;
use crate::band::Band;

/// Cubic B-splines on one step in powers of t, lowest first.
const POWERS: [[f64; 4]; 4] = [
    [1.0 / 6.0, -0.5, 0.5, -1.0 / 6.0],
    [4.0 / 6.0, 0.0, -1.0, 0.5],
    [1.0 / 6.0, 0.5, 0.5, -0.5],
    [0.0, 0.0, 0.0, 1.0 / 6.0],
];

/// Orders of differentiation along the three axes and how often each occurs.
const TERMS: [([usize; 3], f64); 10] = [
    ([3, 0, 0], 1.0),
    ([0, 3, 0], 1.0),
    ([0, 0, 3], 1.0),
    ([2, 1, 0], 3.0),
    ([2, 0, 1], 3.0),
    ([1, 2, 0], 3.0),
    ([0, 2, 1], 3.0),
    ([1, 0, 2], 3.0),
    ([0, 1, 2], 3.0),
    ([1, 1, 1], 6.0),
];

/// Reach of a spline: coefficients farther apart than this do not meet.
const REACH: usize = 3;

/// Of one axis and every order m of differentiation: ∫ Bᵢ⁽ᵐ⁾ Bᵢ₊ᵈ⁽ᵐ⁾ for d = −3…3, at `[m][i][d + 3]`.
type Overlaps = [Vec<[f64; 2 * REACH + 1]>; 4];

/// Adds `weight` times the roughness to the equations.
pub(super) fn add_bending(band: &mut Band, lattice: &Lattice, weight: f64) {
    let overlaps = lattice.n().map(|n| overlaps(n, lattice.step_mm()));
    let [nx, ny, nz] = lattice.n();
    let stride = lattice.stride();
    for x in 0..nx {
        for y in 0..ny {
            for z in 0..nz {
                let row = x * stride[0] + y * stride[1] + z * stride[2];
                add_row(band, &overlaps, [x, y, z], lattice.n(), |at| {
                    let column = at[0] * stride[0] + at[1] * stride[1] + at[2] * stride[2];
                    (column <= row).then_some((row, column, weight))
                });
            }
        }
    }
}

fn add_row(
    band: &mut Band,
    overlaps: &[Overlaps; 3],
    at: [usize; 3],
    n: [usize; 3],
    entry: impl Fn([usize; 3]) -> Option<(usize, usize, f64)>,
) {
    let range = |a: usize| at[a].saturating_sub(REACH)..(at[a] + REACH + 1).min(n[a]);
    for x in range(0) {
        for y in range(1) {
            for z in range(2) {
                let Some((row, column, weight)) = entry([x, y, z]) else { continue };
                let other = [x, y, z];
                let overlap = |a: usize, m: usize| overlaps[a][m][at[a]][other[a] + REACH - at[a]];
                let sum: f64 = TERMS
                    .iter()
                    .map(|(orders, times)| times * (0..3).map(|a| overlap(a, orders[a])).product::<f64>())
                    .sum();
                band.add(row, column, weight * sum);
            }
        }
    }
}

/// The overlaps of `n` splines on `n − 3` steps of this length.
fn overlaps(n: usize, step_mm: f64) -> Overlaps {
    std::array::from_fn(|order| {
        let scale = step_mm.powi(1 - 2 * order as i32);
        let derived = POWERS.map(|p| derived(p, order));
        let mut table = vec![[0.0; 2 * REACH + 1]; n];
        for cell in 0..n - REACH {
            for a in 0..4 {
                for b in 0..4 {
                    table[cell + a][b + REACH - a] += scale * integral(&derived[a], &derived[b]);
                }
            }
        }
        table
    })
}

fn derived(mut powers: [f64; 4], order: usize) -> [f64; 4] {
    for _ in 0..order {
        powers = [powers[1], 2.0 * powers[2], 3.0 * powers[3], 0.0];
    }
    powers
}

/// ∫₀¹ of a product of two polynomials.
fn integral(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let mut sum = 0.0;
    for (m, a) in a.iter().enumerate() {
        for (n, b) in b.iter().enumerate() {
            sum += a * b / (m + n + 1) as f64;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Vector3;

    #[test]
    fn a_quadratic_costs_nothing_and_a_cubic_what_the_formula_says() {
        let (low, high) = (Vector3::new(0.0, 0.0, 0.0), Vector3::new(4.0, 6.0, 8.0));
        let lattice = Lattice::covering(low, high, 2.0);
        let mut band = Band::zeros(lattice.len(), lattice.band_width());
        add_bending(&mut band, &lattice, 1.0);
        let cost = |along: [fn(f64) -> f64; 3]| {
            let mut c = vec![0.0; lattice.len()];
            let [nx, ny, nz] = lattice.n();
            for n in 0..nx * ny * nz {
                let at = [n / (ny * nz), n / nz % ny, n % nz];
                let index: usize = (0..3).map(|a| at[a] * lattice.stride()[a]).sum();
                c[index] = (0..3).map(|a| along[a](at[a] as f64 - 1.0)).product();
            }
            band.times(&c).iter().zip(&c).map(|(a, b)| a * b).sum::<f64>()
        };
        let one: fn(f64) -> f64 = |_| 1.0;
        // Coefficients of u² are u² − 1/3, of u³ they are u³ − u, u in steps.
        assert!(cost([|u| u * u - 1.0 / 3.0, one, one]).abs() < 1e-9);
        assert!(cost([|u| u, |u| u, one]).abs() < 1e-9);
        // f = u³ with u = x/2: third derivative 6/8; its square over 4·6·8 mm³ is 108.
        assert!((cost([|u| u * u * u - u, one, one]) - 108.0).abs() < 1e-6);
        // f = x y z / 8: 6 (1/8)² · 192 = 18.
        assert!((cost([|u| u, |u| u, |u| u]) - 18.0).abs() < 1e-6);
    }
}
