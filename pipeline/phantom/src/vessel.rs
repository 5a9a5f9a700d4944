//! Curved, tapering tubes: aorta, portal and hepatic veins, lung vessels.

use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;

use crate::random::{self, between};

/// Straight pieces per curved tube.
const PIECES: usize = 5;

/// One tapering tube along a quadratic Bézier curve.
#[derive(Debug, Clone)]
pub(crate) struct Tube {
    /// Points of the centre line with the radius there, mm.
    line: Vec<(Vector3<f64>, f64)>,
    low: Vector3<f64>,
    high: Vector3<f64>,
}

impl Tube {
    /// From `a` to `b` by way of the control point `via`, radius falling from `ra` to `rb`.
    pub(crate) fn new(a: Vector3<f64>, via: Vector3<f64>, b: Vector3<f64>, ra: f64, rb: f64) -> Self {
        let line: Vec<_> = (0..=PIECES)
            .map(|n| {
                let t = n as f64 / PIECES as f64;
                let p = a * (1.0 - t) * (1.0 - t) + via * (2.0 * t * (1.0 - t)) + b * t * t;
                (p, ra + t * (rb - ra))
            })
            .collect();
        let low = line.iter().fold(Vector3::repeat(f64::INFINITY), |m, (p, r)| m.inf(&p.add_scalar(-r)));
        let high = line.iter().fold(Vector3::repeat(f64::NEG_INFINITY), |m, (p, r)| m.sup(&p.add_scalar(*r)));
        Self { line, low, high }
    }

    /// Whether a point lies in the tube.
    pub(crate) fn contains(&self, p: Vector3<f64>) -> bool {
        let outside = (0..3).any(|axis| p[axis] < self.low[axis] || p[axis] > self.high[axis]);
        !outside
            && self.line.windows(2).any(|piece| {
                let ((a, ra), (b, rb)) = (piece[0], piece[1]);
                let d = b - a;
                let t = ((p - a).dot(&d) / d.norm_squared()).clamp(0.0, 1.0);
                let r = ra + t * (rb - ra);
                (p - a - d * t).norm_squared() < r * r
            })
    }

    /// Middle of the centre line.
    pub(crate) fn middle(&self) -> Vector3<f64> {
        self.line[PIECES / 2].0
    }

    /// The end of the centre line and the radius there.
    pub(crate) fn end(&self) -> (Vector3<f64>, f64) {
        self.line[PIECES]
    }

    fn direction_at_end(&self) -> Vector3<f64> {
        (self.line[PIECES].0 - self.line[PIECES - 1].0).normalize()
    }
}

/// A tube from `a` to `b` with a random bend.
pub(crate) fn bent(rng: &mut ChaCha8Rng, a: Vector3<f64>, b: Vector3<f64>, ra: f64, rb: f64) -> Tube {
    let via = (a + b) * 0.5 + random::jitter3(rng, 5.0);
    Tube::new(a, via, b, ra, rb)
}

/// Two generations of branches at the free ends of `stems`, appended behind them.
pub(crate) fn branch(rng: &mut ChaCha8Rng, stems: &[Tube], generations: usize) -> Vec<Tube> {
    let mut all = stems.to_vec();
    let mut ends = stems.to_vec();
    for _ in 0..generations {
        let mut next = Vec::new();
        for stem in &ends {
            let (from, radius) = stem.end();
            let forward = stem.direction_at_end();
            let side = forward.cross(&random::direction(rng)).normalize();
            for sign in [-1.0, 1.0] {
                let length = between(rng, 13.0, 24.0);
                let to = from + (forward + side * (sign * between(rng, 0.5, 0.9))).normalize() * length;
                next.push(bent(rng, from, to, radius * 0.8, radius * 0.6));
            }
        }
        all.extend(next.iter().cloned());
        ends = next;
    }
    all
}
