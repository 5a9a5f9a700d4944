//! The error of a registration: what is left between where tissue is and where it is laid. It is common to a visit, varies
//! smoothly over the body, and some visits are far worse than the rest.

use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;

use crate::random::{between, chance, direction};

/// A smooth field of errors, mm.
#[derive(Debug, Clone)]
pub(super) struct ErrorField {
    shift: Vector3<f64>,
    waves: Vec<Wave>,
}

#[derive(Debug, Clone)]
struct Wave {
    amplitude: Vector3<f64>,
    /// Radians per mm along each axis.
    number: Vector3<f64>,
    phase: f64,
}

impl ErrorField {
    pub(super) fn at(&self, p: Vector3<f64>) -> Vector3<f64> {
        self.waves.iter().fold(self.shift, |e, wave| e + wave.amplitude * (wave.number.dot(&p) + wave.phase).cos())
    }
}

/// How much of the variance is common to the whole visit.
const COMMON: f64 = 0.6;
const N_WAVES: usize = 3;

/// The field of a visit whose error is nominally `sigma_mm` per axis; baseline has none. The width varies from visit to visit (log
/// normal, 0.3), and one visit in twenty errs by two and a half times as much.
pub(super) fn field(rng: &mut ChaCha8Rng, visit: usize, sigma_mm: f64) -> ErrorField {
    let outlier = if chance(rng, 0.05) { 2.5 } else { 1.0 };
    let width = sigma_mm * outlier * (0.3 * normal(rng)).exp();
    let width = if visit == 0 { 0.0 } else { width };
    let shift = normal3(rng) * width * COMMON.sqrt();
    // A cosine of amplitude A has the variance A²/2.
    let each = width * (2.0 * (1.0 - COMMON) / N_WAVES as f64).sqrt();
    let wave = |rng: &mut ChaCha8Rng| {
        let length_mm = between(rng, 80.0, 200.0);
        let number = direction(rng) * std::f64::consts::TAU / length_mm;
        Wave { amplitude: normal3(rng) * each, number, phase: between(rng, 0.0, std::f64::consts::TAU) }
    };
    ErrorField { shift, waves: (0..N_WAVES).map(|_| wave(rng)).collect() }
}

/// A standard normal draw (Box and Muller 1958).
pub(super) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v) = (between(rng, f64::EPSILON, 1.0), between(rng, 0.0, std::f64::consts::TAU));
    (-2.0 * u.ln()).sqrt() * v.cos()
}

pub(super) fn normal3(rng: &mut ChaCha8Rng) -> Vector3<f64> {
    Vector3::new(normal(rng), normal(rng), normal(rng))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    #[test]
    fn the_error_has_about_its_nominal_width_and_baseline_none() {
        let mut squares = Vec::new();
        for n in 0..400 {
            let field = field(&mut stream(n, "error"), 1, 3.0);
            squares.push(field.at(Vector3::new(20.0, -40.0, 60.0)).norm_squared() / 3.0);
        }
        squares.sort_by(f64::total_cmp);
        let median = squares[200].sqrt();
        // The median of |e|²/3 of a normal error of 3 mm per axis is (3 mm)² · 0.789; outliers and varying widths are beyond it.
        assert!((2.2..3.2).contains(&median), "{median}");
        let mean = (squares.iter().sum::<f64>() / 400.0).sqrt();
        assert!(mean > 3.0, "{mean}: the tails are heavier than normal");
        assert_eq!(field(&mut stream(1, "error"), 0, 3.0).at(Vector3::zeros()), Vector3::zeros());
    }
}
