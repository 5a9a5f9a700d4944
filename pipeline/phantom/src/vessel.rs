//! Curved, tapering tubes: aorta, portal and hepatic veins, lung vessels.

use nalgebra::Vector3;
use rand_chacha::ChaCha8Rng;

use crate::random::{self, between, jitter3};

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
fn bent(rng: &mut ChaCha8Rng, a: Vector3<f64>, b: Vector3<f64>, ra: f64, rb: f64) -> Tube {
    let via = (a + b) * 0.5 + random::jitter3(rng, 5.0);
    Tube::new(a, via, b, ra, rb)
}

/// Two generations of branches at the free ends of `stems`, appended behind them.
fn branch(rng: &mut ChaCha8Rng, stems: &[Tube], generations: usize) -> Vec<Tube> {
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

/// The portal vein and its branches: trunk first.
pub(crate) fn portal_tree(rng: &mut ChaCha8Rng) -> Vec<Tube> {
    let at = |rng: &mut ChaCha8Rng, p: [f64; 3]| Vector3::from(p) + jitter3(rng, 3.0);
    let (below, hilum) = (Vector3::new(2.0, -2.0, -52.0), at(rng, [-24.0, 4.0, -14.0]));
    let (right, left) = (at(rng, [-50.0, 3.0, -10.0]), at(rng, [2.0, -20.0, 8.0]));
    let trunk =
        vec![bent(rng, below, hilum, 6.5, 6.0), bent(rng, hilum, right, 5.5, 4.8), bent(rng, hilum, left, 4.6, 3.8)];
    let ends = [
        (right, [-68.0, -24.0, 12.0]),
        (right, [-70.0, -20.0, -30.0]),
        (right, [-74.0, 24.0, 10.0]),
        (right, [-72.0, 20.0, -34.0]),
        (left, [22.0, -38.0, 18.0]),
        (left, [-4.0, -44.0, 10.0]),
    ];
    let stems: Vec<Tube> = ends
        .into_iter()
        .map(|(from, to)| {
            let to = at(rng, to);
            bent(rng, from, to, 3.6, 2.9)
        })
        .collect();
    trunk.into_iter().chain(branch(rng, &stems, 2)).collect()
}

/// The three hepatic veins and their branches.
pub(crate) fn hepatic_tree(rng: &mut ChaCha8Rng) -> Vec<Tube> {
    let root = Vector3::new(-19.0, 15.0, 44.0);
    let stems: Vec<Tube> = [[-52.0, 18.0, 32.0], [-34.0, -6.0, 28.0], [-6.0, -14.0, 32.0]]
        .into_iter()
        .map(|to| {
            let to = Vector3::from(to) + jitter3(rng, 4.0);
            bent(rng, root, to, 5.0, 4.0)
        })
        .collect();
    branch(rng, &stems, 3)
}

/// Vessels of both lungs.
pub(crate) fn lung_vessels(rng: &mut ChaCha8Rng) -> Vec<Tube> {
    let mut tubes = Vec::new();
    for side in [-1.0, 1.0] {
        for _ in 0..7 {
            let from = Vector3::new(side * 22.0, between(rng, 0.0, 25.0), between(rng, 75.0, 115.0));
            let to = Vector3::new(side * between(rng, 55.0, 80.0), between(rng, -40.0, 50.0), between(rng, 45.0, 85.0));
            let stem = bent(rng, from, to, 3.0, 1.8);
            tubes.extend(branch(rng, &[stem], 2));
        }
    }
    tubes
}
